/**
 * Everything at once on this machine: a master publishes a tree to three hosts, each served by a process of
 * its own; a replica follows two increments, and one of the sources is killed between them.
 */
import { MirrorError } from "../errors.js";
import { publishOnce } from "../master/cycle.js";
import { syncOnce } from "../replica/cycle.js";
import type { Log, Runtime } from "../runtime.js";
import type { CommandContext, CommonOptions } from "./command.js";
import { compareTrees } from "./compare-trees.js";
import { DemoRival } from "./demo-rival.js";
import { type DemoSite, openDemoSite } from "./demo-site.js";
import {
  type DemoStage,
  type DemoSummary,
  formatDemoStage,
  formatDemoSummary,
} from "./demo-text.js";
import { changeDemoTree, countTree } from "./demo-tree.js";
import { DONE, FAILED } from "./exit-status.js";

export interface DemoOptions extends CommonOptions {
  /** A folder that the demo copies; it is not changed. */
  readonly tree?: string;
}

export async function demo(options: DemoOptions, context: CommandContext): Promise<number> {
  const steps = new Steps(context.runtime);
  steps.next("making a tree, and starting three sources");
  const site = await openDemoSite(options.tree, context);
  try {
    const summary = await play(site, steps, {
      ...context,
      print: options.json === true || options.quiet === true ? () => undefined : context.print,
    });
    context.print(options.json === true ? JSON.stringify(summary) : formatDemoSummary(summary));
    return summary.differences.length === 0 ? DONE : FAILED;
  } finally {
    await site.close();
  }
}

async function play(site: DemoSite, steps: Steps, context: CommandContext): Promise<DemoSummary> {
  const { runtime, signal, print } = context;
  const rival = new DemoRival(site, context);
  const startMs = runtime.clock.monotonicMs();
  const stages: DemoStage[] = [];
  const cycle = async (what: string, { isPublished = true } = {}): Promise<void> => {
    const stage = await moveOnce({ what, isPublished }, { site, steps, rival, signal });
    stages.push(stage);
    print(formatDemoStage(stage));
  };
  const tree = countTree(site.tree);
  print(
    `A tree of ${tree.files} files; any 2 of 3 shares rebuild it; sources at ${site.urls.join(", ")}`,
  );
  await cycle("the whole tree");
  changeDemoTree(site.tree, 1);
  await cycle("the first increment");
  await site.killSource(1);
  print(`source ${site.urls[1] ?? ""} was killed; two are left`);
  changeDemoTree(site.tree, 2);
  await cycle("the second increment");
  await cycle("nothing new", { isPublished: false });
  steps.next("comparing both trees, byte for byte");
  const differences = compareTrees(site.tree, site.replicaTree);
  const seconds = (runtime.clock.monotonicMs() - startMs) / 1000;
  return { tree, stages, differences, seconds };
}

/** Publishes what changed, if anything did, and lets the replica follow; then rsync does the same. */
async function moveOnce(
  { what, isPublished }: { readonly what: string; readonly isPublished: boolean },
  options: {
    readonly site: DemoSite;
    readonly steps: Steps;
    readonly rival: DemoRival;
    readonly signal: AbortSignal;
  },
): Promise<DemoStage> {
  const { site, steps, rival, signal } = options;
  const publishing = steps.next(isPublished ? `publishing ${what}` : "publishing nothing");
  const published = isPublished
    ? await publishOnce({ config: site.master, runtime: publishing, signal })
    : undefined;
  const following = steps.next(`following ${what}`);
  const report = await syncOnce({ config: site.replica, runtime: following, signal });
  if (isPublished && report.strategy === "none") {
    throw new MirrorError("TREE_DIVERGED", `${what} was published, and the replica saw nothing`);
  }
  steps.next(`rsync moves ${what}`);
  return {
    what,
    strategy: report.strategy,
    generation: report.generation,
    publishSeconds: published === undefined ? undefined : sum(published.seconds),
    syncSeconds: sum(report.seconds),
    bytes: report.bytes["total"] ?? 0,
    requests: report.requests["total"] ?? 0,
    files: report.files,
    rsync: await rival.move(),
  };
}

function sum(seconds: Readonly<Record<string, number>>): number {
  return Object.values(seconds).reduce((total, part) => total + part, 0);
}

/** Tells the progress bar which of all steps is under way, and how far it is. */
class Steps {
  readonly #runtime: Runtime;
  #number = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Begins the next step; what its parts tell moves the bar within it. */
  next(title: string): Runtime {
    const number = this.#number++;
    const tell = (part: number): void =>
      this.#runtime.progress(title, Math.round((number + part) * 1000), STEP_COUNT * 1000);
    tell(0);
    const progress = (_: string, done: number, total: number): void =>
      tell(total > 0 ? Math.min(1, done / total) : 0);
    // What a killed source makes the replica say is told in plain words instead.
    return { ...this.#runtime, progress, log: SILENT };
  }
}

const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Making the tree, four times three steps, comparing. */
const STEP_COUNT = 14;
