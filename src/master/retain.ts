/** Removes what no head names any more, when the grace time of its last readers is over. */
import path from "node:path";
import { makeFolder, removeFile, removeFolder, replaceFile } from "../disk/durable.js";
import { listFolder, readFileIfPresent } from "../disk/files.js";
import { ledgerPath, packPath, TABLES, tablePath } from "../manifest/paths.js";
import type { Hosts } from "./hosts.js";
import type { Publication } from "./publication.js";

export interface RetainOptions {
  readonly publication: Publication;
  readonly stateDirectory: string;
  readonly hosts: Hosts;
  readonly graceMs: number;
  readonly now: number;
}

/** @returns paths of the publication that were removed */
export async function removeRetired(options: RetainOptions): Promise<string[]> {
  const { publication, stateDirectory, graceMs, now } = options;
  const since = readRetired(stateDirectory);
  const waiting = new Map<string, number>();
  const removed: string[] = [];
  for (const place of listUnnamed(publication)) {
    const retiredAt = Math.min(since.get(place) ?? now, now);
    const isOver = now - retiredAt >= graceMs;
    if (isOver && (await removeAtHosts(place, options, now - retiredAt - graceMs))) {
      removeHere(publication.folder, place);
      removed.push(place);
    } else {
      waiting.set(place, retiredAt);
    }
  }
  if (waiting.size > 0 || since.size > 0) writeRetired(stateDirectory, waiting);
  return removed;
}

/** How long a host that does not answer holds up the removal here; then its copies are the operator's to remove. */
const HOST_PATIENCE_MS = 7 * 24 * 60 * 60 * 1000;

/** Ledgers, tables, and folders of packs that belong to no chain of the publication. */
function listUnnamed(publication: Publication): string[] {
  const named = listNamed(publication);
  return listPlaces(publication.folder).filter((place) => !named.has(place));
}

function listNamed({ session, chains }: Publication): Set<string> {
  const named = new Set<string>();
  for (const { chain, lines } of chains) {
    named.add(ledgerPath(session, chain));
    const shareCount = Math.max(0, ...lines.map((line) => line.shape.n));
    for (let share = 0; share < shareCount; share++) {
      const pack = packPath({ share, session, chain, stream: "volumes", pack: 0 });
      named.add(path.dirname(pack));
    }
    for (const { set } of lines) {
      for (const table of TABLES) named.add(tablePath(table, session, set));
    }
  }
  return named;
}

function listPlaces(folder: string): string[] {
  const below = (place: string): string[] =>
    listFolder(path.join(folder, place)).map((name) => `${place}/${name}`);
  const documents = ["ledger", ...TABLES].flatMap(below).flatMap(below);
  const packs = below("shares").flatMap(below).flatMap(below);
  return [...documents, ...packs];
}

function removeHere(folder: string, place: string): void {
  if (place.startsWith("shares/")) removeFolder(path.join(folder, place));
  else removeFile(path.join(folder, place));
  const above = path.join(folder, path.dirname(place));
  if (listFolder(above).length === 0) removeFolder(above);
}

/** @returns whether the copies here may go too */
async function removeAtHosts(
  place: string,
  { publication, hosts }: RetainOptions,
  overdueMs: number,
): Promise<boolean> {
  const share = /^shares\/(\d+)\//.exec(place)?.[1];
  const files =
    share === undefined
      ? [place]
      : listFolder(path.join(publication.folder, place)).map((name) => `${place}/${name}`);
  const isDone = await hosts.remove(files, share === undefined ? undefined : Number(share));
  return isDone || overdueMs > HOST_PATIENCE_MS;
}

/** When each place was first seen to be unnamed. */
function readRetired(stateDirectory: string): Map<string, number> {
  const bytes = readFileIfPresent(retiredPath(stateDirectory)) ?? new Uint8Array();
  const lines = Buffer.from(bytes).toString("latin1").split("\n").filter(Boolean);
  return new Map(
    lines.map((line) => {
      const space = line.indexOf(" ");
      return [line.slice(space + 1), Number(line.slice(0, space))] as const;
    }),
  );
}

function writeRetired(stateDirectory: string, since: ReadonlyMap<string, number>): void {
  const lines = [...since].map(([place, retiredAt]) => `${retiredAt} ${place}\n`);
  makeFolder(stateDirectory);
  replaceFile(retiredPath(stateDirectory), Buffer.from(lines.join(""), "latin1"));
}

function retiredPath(stateDirectory: string): string {
  return path.join(stateDirectory, "retired");
}
