/** duplicity's list of a set's volumes (duplicity-format 2). Bytes, not text: read as latin1, white space being ASCII's. */
import { ROOT, type TreePath, toTreePath } from "../bytes/tree-path.js";
import { MirrorError } from "../errors.js";

export interface DuplicityManifest {
  /** latin1, as are all strings here. */
  readonly hostName?: string;
  readonly localDirectory?: string;
  /** Numbered 1 to N, in that order. */
  readonly volumes: readonly ManifestVolume[];
  /** Regular files that changed; absent in what duplicity's `replicate` wrote. */
  readonly fileList?: readonly ManifestFile[];
}

export interface ManifestVolume {
  readonly number: number;
  readonly start: ManifestPosition;
  readonly end: ManifestPosition;
  readonly hashes: readonly { readonly name: string; readonly hex: string }[];
}

export interface ManifestPosition {
  readonly path: TreePath;
  /** The piece of a file; absent for a whole entry and for a file's last piece. A hint only. */
  readonly piece?: number;
}

export interface ManifestFile {
  readonly action: "new" | "changed" | "deleted";
  readonly path: TreePath;
}

/**
 * Reads a whole manifest; one that is still being written, or was cut, is refused.
 * @throws MirrorError FORMAT_INVALID, PATH_REFUSED
 */
export function parseManifest(bytes: Uint8Array): DuplicityManifest {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  if (!text.endsWith("\n")) refuse("does not end with a line");
  const lines = new Lines(text);
  const hostName = lines.takeIf(/^Hostname +(.*)$/is);
  const localDirectory = lines.takeIf(/^Localdir +(.+)$/is);
  const listed: ManifestVolume[] = [];
  let fileList: ManifestFile[] | undefined;
  while (!lines.isOver) {
    const count = fileList === undefined ? lines.takeIf(/^Filelist +(\d{1,15})$/is) : undefined;
    if (count === undefined) listed.push(readVolume(lines));
    else fileList = readFileList(lines, Number(count));
  }
  // Only duplicity's `replicate` leaves out all three of them (2.5); otherwise a missing list means a cut manifest.
  const isReplicated = hostName === undefined && localDirectory === undefined;
  if (fileList === undefined && !isReplicated) refuse("has no Filelist: it is not whole");
  return {
    ...(hostName !== undefined && { hostName }),
    ...(localDirectory !== undefined && { localDirectory: unquote(localDirectory, lines.number) }),
    volumes: settleVolumes(listed),
    ...(fileList !== undefined && { fileList }),
  };
}

/** The lines of a manifest, one after the other. */
class Lines {
  readonly #lines: readonly string[];
  /** Of the line last taken, from 1. */
  number = 0;

  constructor(text: string) {
    this.#lines = text.slice(0, -1).split("\n");
  }

  get isOver(): boolean {
    return this.number === this.#lines.length;
  }

  /** Whether there is a next line that matches. */
  follows(pattern: RegExp): boolean {
    return pattern.test(this.#lines[this.number] ?? "");
  }

  /** The next line's captured part, and the line is taken; undefined if it does not match. */
  takeIf(pattern: RegExp): string | undefined {
    const match = pattern.exec(this.#lines[this.number] ?? "");
    if (match === null) return undefined;
    this.number += 1;
    return match[1] ?? "";
  }

  /** The next line's captured part, which must be there. */
  take(pattern: RegExp, what: string): string {
    return this.takeIf(pattern) ?? refuse(`has no ${what} in line ${this.number + 1}`);
  }
}

function readVolume(lines: Lines): ManifestVolume {
  const number = Number(lines.take(/^Volume +([1-9]\d{0,14}):$/is, "volume"));
  const start = parsePosition(lines.take(/^ +StartingPath +(.+)$/is, "StartingPath"), lines.number);
  const end = parsePosition(lines.take(/^ +EndingPath +(.+)$/is, "EndingPath"), lines.number);
  const hashes: { name: string; hex: string }[] = [];
  do {
    const hash = lines.take(/^ +Hash +([!-~]+ +[0-9a-f]+)$/is, "Hash");
    const space = hash.indexOf(" ");
    hashes.push({ name: hash.slice(0, space), hex: hash.slice(space).trimStart().toLowerCase() });
  } while (lines.follows(/^ +Hash /i));
  return { number, start, end, hashes };
}

function readFileList(lines: Lines, count: number): ManifestFile[] {
  const files: ManifestFile[] = [];
  for (let at = 0; at < count; at++) {
    const line = lines.take(/^ +((?:new|changed|deleted) +.+)$/is, `file ${at + 1} of ${count}`);
    const space = line.indexOf(" ");
    const path = toTreePath(unquote(line.slice(line.lastIndexOf(" ") + 1), lines.number));
    files.push({ action: parseAction(line.slice(0, space)), path });
  }
  return files;
}

function parseAction(text: string): ManifestFile["action"] {
  const action = text.toLowerCase();
  return action === "new" || action === "deleted" ? action : "changed";
}

/** `path number`, or `path` and two spaces; blanks in the path are quoted. */
function parsePosition(text: string, line: number): ManifestPosition {
  const match = /^([^ ]+)(?: +(\d{0,15}))?$/s.exec(text);
  if (match === null) refuse(`has a malformed position in line ${line}`);
  const [, quoted = "", piece = ""] = match;
  const unquoted = unquote(quoted, line);
  const path = unquoted === "." ? ROOT : toTreePath(unquoted);
  return piece === "" ? { path } : { path, piece: Number(piece) };
}

/** Undoes 2.2: quoted only when the first byte is `"`. */
function unquote(text: string, line: number): string {
  if (!text.startsWith('"')) return text;
  const isQuoted = /^"(?:[^"\\]|\\x[0-9a-f]{2})*"$/is.test(text);
  if (!isQuoted) refuse(`has a badly quoted path in line ${line}`);
  return text
    .slice(1, -1)
    .replace(/\\x(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/**
 * Of a number that is listed twice, the last listing counts, and then numbers above the last listing's are stale.
 * Without such, all count, in any order (2.5). What remains must be 1 to N.
 */
function settleVolumes(listed: readonly ManifestVolume[]): ManifestVolume[] {
  const byNumber = new Map(listed.map((volume) => [volume.number, volume]));
  const isResumed = byNumber.size < listed.length;
  const last = isResumed ? (listed.at(-1)?.number ?? 0) : Number.MAX_SAFE_INTEGER;
  const volumes = [...byNumber.values()].filter((volume) => volume.number <= last);
  volumes.sort((a, b) => a.number - b.number);
  if (volumes.length === 0) refuse("lists no volume");
  const gap = volumes.findIndex((volume, at) => volume.number !== at + 1);
  if (gap >= 0) refuse(`lists no volume ${gap + 1}, but volume ${volumes[gap]?.number ?? 0}`);
  return volumes;
}

function refuse(why: string): never {
  throw new MirrorError("FORMAT_INVALID", `duplicity's manifest ${why}`);
}
