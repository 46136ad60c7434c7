/** Which files, and how much of each, bring a host from one head to another. */
import path from "node:path";
import { fileIdentity } from "../disk/files.js";
import { MirrorError } from "../errors.js";
import type { Head } from "../manifest/head.js";
import type { LedgerLine } from "../manifest/ledger.js";
import {
  ledgerPath,
  packPath,
  STREAMS,
  type Stream,
  TABLES,
  tablePath,
} from "../manifest/paths.js";
import { findMissing, type MissingLines } from "./held.js";
import type { Publication } from "./publication.js";
import { FIRST_PACKS, type PackEnd, readEnds } from "./stream-end.js";

/** A file of the publication as a host shall hold it. */
export interface PushFile {
  readonly path: string;
  /** So many bytes the host holds already. */
  readonly heldBytes: number;
  /** As much of the file as shall be there. */
  readonly sizeBytes: number;
  /** It will grow: that the host's has the same size does not say that it holds the same. */
  readonly isOpen: boolean;
}

/** What one chain lacks at a host. */
export interface PushStep {
  /** Packs and tables: all of them come before the ledger that names them. */
  readonly files: readonly PushFile[];
  readonly ledger: PushFile;
}

export interface PushPlanOptions {
  readonly publication: Publication;
  /** Of the host. */
  readonly shares: readonly number[];
  readonly target: Head;
  /** A head of which the host holds all; none when nothing is known. */
  readonly held: Head | undefined;
  readonly signal: AbortSignal;
}

/** @throws MirrorError REPOSITORY_INVALID when the publication itself lacks something */
export async function planPush(options: PushPlanOptions): Promise<PushStep[]> {
  const { publication, target, held } = options;
  const steps: PushStep[] = [];
  for (const missing of findMissing(publication.chains, target, held)) {
    const { chain, fromBytes, toBytes } = missing;
    const ledger = {
      path: ledgerPath(publication.session, chain.chain),
      heldBytes: fromBytes,
      sizeBytes: toBytes,
      isOpen: true,
    };
    const packs = await listPacks(missing, options);
    steps.push({ files: [...packs, ...listTables(missing, publication.session)], ledger });
  }
  return steps;
}

/** Bytes that `steps` still have to move at most. */
export function countBytes(steps: readonly PushStep[]): number {
  const files = steps.flatMap((step) => [...step.files, step.ledger]);
  return files.reduce((sum, { sizeBytes, heldBytes }) => sum + sizeBytes - heldBytes, 0);
}

async function listPacks(missing: MissingLines, options: PushPlanOptions): Promise<PushFile[]> {
  const { publication, shares, signal } = options;
  const { chain, from, to } = missing;
  const place = { publication: publication.folder, session: publication.session };
  const endsAt = async (line: LedgerLine | undefined) =>
    line === undefined ? FIRST_PACKS : await readEnds(place, line, { signal });
  const first = await endsAt(chain.lines[from - 1]);
  const last = await endsAt(chain.lines[to - 1]);
  const lastShareCount = chain.lines[to - 1]?.shape.n ?? 0;
  return STREAMS.flatMap((stream) =>
    shares.flatMap((share) => {
      const series = { share, session: publication.session, chain: chain.chain, stream };
      const isHeldToTheEnd = share < lastShareCount;
      return listSeries(publication.folder, { ...series, isHeldToTheEnd }, [
        first[stream],
        last[stream],
      ]);
    }),
  );
}

/** A pack that is followed by another is whole; the last one counts up to `last`. */
function listSeries(
  folder: string,
  series: {
    readonly share: number;
    readonly session: string;
    readonly chain: number;
    readonly stream: Stream;
    /** Whether the newest set has this share: sets of another shape may have fewer. */
    readonly isHeldToTheEnd: boolean;
  },
  [first, last]: readonly [PackEnd, PackEnd],
): PushFile[] {
  const files: PushFile[] = [];
  for (let pack = first.pack; pack <= last.pack; pack++) {
    const file = packPath({ ...series, pack });
    const isOpen = pack === last.pack;
    const thereBytes = fileIdentity(path.join(folder, file))?.sizeBytes ?? 0;
    const heldBytes = pack === first.pack ? first.offset : 0;
    const sizeBytes = isOpen ? Math.min(last.offset, thereBytes) : thereBytes;
    if (isOpen && series.isHeldToTheEnd && sizeBytes < last.offset) refuse(folder, file, last);
    if (heldBytes < sizeBytes) files.push({ path: file, heldBytes, sizeBytes, isOpen });
  }
  return files;
}

function listTables({ chain, from, to }: MissingLines, session: string): PushFile[] {
  const files: PushFile[] = [];
  for (const line of chain.lines.slice(from, to)) {
    for (const table of TABLES) {
      const written = line[table];
      if (written === undefined || written.kind === "inline") continue;
      const sizeBytes = written.pages.reduce((sum, page) => sum + page.sizeBytes, 0);
      const file = tablePath(table, session, line.set);
      if (sizeBytes > 0) files.push({ path: file, heldBytes: 0, sizeBytes, isOpen: false });
    }
  }
  return files;
}

function refuse(folder: string, file: string, { offset }: PackEnd): never {
  throw new MirrorError(
    "REPOSITORY_INVALID",
    `${path.join(folder, file)} is shorter than the ${offset} bytes that the ledger names: the publication was damaged`,
  );
}
