/** The names of the files in a repository (duplicity-format 1.1 to 1.4). */
import type { SetId } from "./set-id.js";
import { formatTime, parseBase36, parseOldTime, parseTime } from "./time.js";

/** A file that duplicity keeps in a repository, as its name tells (duplicity-format 1.1 to 1.4). */
export interface RepositoryFile {
  /** latin1 */
  readonly name: string;
  readonly set: SetId;
  readonly role: FileRole;
  /** Volume number from 1; 0 for other roles. */
  readonly number: number;
  readonly wrapping: Wrapping;
  /** Left by an unfinished backup (`.part`). */
  readonly partial: boolean;
}

export type FileRole = "volume" | "manifest" | "signatures";

/** How the bytes inside are wrapped: decides whether a stripe can be read by itself. */
export type Wrapping = "plain" | "gzip" | "gpg";

/** What `name` says, in any spelling duplicity ever wrote; undefined when the file is not duplicity's. */
export function parseFileName(
  name: string,
  { prefix = "" }: { readonly prefix?: string } = {},
): RepositoryFile | undefined {
  if (!name.startsWith(prefix)) return undefined;
  const bare = name.slice(prefix.length);
  const file = parseLongName(bare) ?? parseShortName(bare);
  return file === undefined ? undefined : { name, ...file };
}

/** `full.20231114T221320Z` or `inc.20231114T221320Z.to.20231114T221500Z`: a set's name in our documents. */
export function formatSetName(id: SetId): string {
  if (id.kind === "full") return `full.${formatTime(id.time)}`;
  return `inc.${formatTime(id.from)}.to.${formatTime(id.time)}`;
}

/** Reads what `formatSetName` writes; undefined when it is none. */
export function parseSetName(text: string): SetId | undefined {
  const match = /^(?:full|inc\.(\w+)\.to)\.(\w+)$/.exec(text);
  if (match === null) return undefined;
  const [, from, time = ""] = match;
  return makeSetId(from === undefined ? undefined : [parseTime(from)], parseTime(time));
}

/** Whether `a` and `b` are the same set. */
export function sameSet(a: SetId, b: SetId): boolean {
  if (a.time !== b.time) return false;
  if (a.kind === "full" || b.kind === "full") return a.kind === b.kind;
  return a.from === b.from;
}

type NamedFile = Omit<RepositoryFile, "name">;

const LONG_NAME =
  /^duplicity-(?:(full)|(inc)|(full-signatures)|(new-signatures))\.(.+?)\.(?:vol([1-9]\d{0,14})\.difftar|(manifest|sigtar)(\.part)?)(\.gpg|\.gz)?$/s;

function parseLongName(name: string): NamedFile | undefined {
  const match = LONG_NAME.exec(name);
  if (match === null) return undefined;
  const [, full, , fullSignatures, newSignatures, times = "", volume, other, part, suffix] = match;
  const isSignatures = fullSignatures !== undefined || newSignatures !== undefined;
  if (isSignatures !== (other === "sigtar")) return undefined;
  const isFull = full !== undefined || fullSignatures !== undefined;
  const set = parseTimes(isFull ? [times] : times.split(".to."), isFull, parseLongTime);
  return (
    set &&
    describe({ set, volume: volume === undefined ? 0 : Number(volume), isSignatures, part, suffix })
  );
}

const SHORT_NAME = /^(df|di|dfs|dns)\.([0-9a-z.]+?)(?:\.dt|\.(m|st)(\.p)?)(\.g|\.z)?$/;

function parseShortName(name: string): NamedFile | undefined {
  const match = SHORT_NAME.exec(name);
  if (match === null) return undefined;
  const [, type = "", numbers = "", other, part, suffix] = match;
  const isSignatures = type.length === 3;
  if (isSignatures !== (other === "st")) return undefined;
  const fields = numbers.split(".");
  const volume = other === undefined ? parseBase36(fields.pop() ?? "") : 0;
  if (volume === undefined) return undefined;
  const set = parseTimes(fields, type === "df" || type === "dfs", parseBase36);
  return set && describe({ set, volume, isSignatures, part, suffix });
}

function describe(parts: {
  set: SetId;
  volume: number;
  isSignatures: boolean;
  part: string | undefined;
  suffix: string | undefined;
}): NamedFile {
  const { set, volume, isSignatures, part, suffix = "" } = parts;
  const role = isSignatures ? "signatures" : volume > 0 ? "volume" : "manifest";
  const wrapping =
    suffix.startsWith(".g") && suffix !== ".gz" ? "gpg" : suffix === "" ? "plain" : "gzip";
  return { set, role, number: volume, wrapping, partial: part !== undefined };
}

function parseLongTime(text: string): number | undefined {
  return parseTime(text) ?? parseOldTime(text);
}

function parseTimes(
  texts: readonly string[],
  isFull: boolean,
  parse: (text: string) => number | undefined,
): SetId | undefined {
  if (texts.length !== (isFull ? 1 : 2)) return undefined;
  const times = texts.map(parse);
  return makeSetId(isFull ? undefined : times.slice(0, 1), times.at(-1));
}

/** `from` holds one time for an increment, which must be later than what it builds on. */
function makeSetId(
  from: readonly (number | undefined)[] | undefined,
  time: number | undefined,
): SetId | undefined {
  if (time === undefined) return undefined;
  if (from === undefined) return { kind: "full", time };
  const [start] = from;
  return start === undefined || start >= time
    ? undefined
    : { kind: "increment", from: start, time };
}
