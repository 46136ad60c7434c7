/** Has a whole tree compared, batch after batch. */
import type { TreePath } from "../bytes/tree-path.js";
import { type ComparePort, openComparePort } from "./compare-port.js";
import type { Batch, Compared } from "./comparer.js";
import type { Lineage, Operation } from "./operation.js";
import { type PublishedTreeOptions, publishedBatches } from "./published-tree.js";
import type { TableStore } from "./table-store.js";

/** Batches given to the port at once: while one is compared, the next is made. */
const BATCHES_AHEAD = 3;

/**
 * Gives the outcome of each batch, in order, to `record`. Returns whether all came to an end: not so when the port was
 * made to abandon them, which `signal` does too.
 */
export async function compareBatches(
  port: ComparePort,
  batches: AsyncIterable<Batch>,
  record: (compared: Compared) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const pending: Promise<Compared | undefined>[] = [];
  const takeOne = async (): Promise<boolean> => {
    const compared = await pending.shift();
    if (compared !== undefined) record(compared);
    return compared !== undefined;
  };
  const abandon = (): void => port.abandon();
  signal.addEventListener("abort", abandon, { once: true });
  try {
    for await (const batch of batches) {
      const compared = port.compare(batch);
      compared.catch(() => undefined);
      pending.push(compared);
      if (pending.length === BATCHES_AHEAD && !(await takeOne())) return false;
    }
    while (pending.length > 0) if (!(await takeOne())) return false;
    return true;
  } finally {
    signal.removeEventListener("abort", abandon);
    if (pending.length > 0) port.abandon();
    await Promise.allSettled(pending);
  }
}

/** What shall be in the tree after `after`, as `lineage` has it. */
export function batchesOf(
  operation: Operation,
  { lines }: Lineage,
  tables: TableStore,
  after: TreePath | undefined,
): AsyncGenerator<Batch> {
  const { rules, pages, meter, options } = operation;
  const prepare: PublishedTreeOptions["prepare"] = (isWanted) =>
    meter.run("contents", "tables", async () => {
      for (const line of lines) await tables.prepare(line, "contents", isWanted, options.signal);
    });
  return publishedBatches({ lines, tables, rules, pages, prepare }, after);
}

/** The files of the tree that have the size, but not the content, that the end of `lineage` has. */
export async function findDiffering(
  operation: Operation,
  lineage: Lineage,
  tables: TableStore,
): Promise<Set<TreePath>> {
  const { config, runtime, signal } = operation.options;
  const differing = new Set<TreePath>();
  let entries = 0;
  const total = operation.position?.entryCount ?? lineage.lines[0]?.entryCount ?? 0;
  const port = openComparePort(
    {
      root: config.tree,
      protect: config.delete.protect,
      onRead: () => undefined,
      log: runtime.log,
    },
    false,
  );
  const record = (compared: Compared): void => {
    for (const { kind, path } of compared.findings) {
      if (kind === "content" || kind === "unreadable") differing.add(path);
    }
    entries += compared.entries;
    runtime.progress("compare", Math.min(entries, total), total);
  };
  try {
    port.begin(undefined);
    const batches = batchesOf(operation, lineage, tables, undefined);
    await operation.meter.run("compare", undefined, () =>
      compareBatches(port, batches, record, signal),
    );
    signal.throwIfAborted();
    return differing;
  } finally {
    await port.close();
  }
}
