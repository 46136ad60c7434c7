/** Lists trees as records and says in words how two of them differ. Reads with plain node:fs, nothing of ours. */
import { createHash } from "node:crypto";
import { type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

type ObjectType = "file" | "directory" | "symlink" | "fifo" | "character" | "block" | "socket";

export interface TreeRecord {
  /** latin1; the root is the empty string. */
  readonly path: string;
  readonly type: ObjectType;
  /** Octal. */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  /** Whole seconds, rounded down. */
  readonly mtime: number;
  /** Of a regular file, else 0. */
  readonly sizeBytes: number;
  /** `major:minor` of a device. */
  readonly device: string;
  /** Of a regular file. */
  readonly sha256: string;
  /** latin1, of a symlink. */
  readonly target: string;
}

/** The records of `root` and all below it but a `.dupmirror` in it, in byte order of their paths. */
export function listTree(root: string): TreeRecord[] {
  return [...walk(root)].map(({ path, host, stat }) => describeObject(path, host, stat));
}

/**
 * How `actual` differs from `expected`, one sentence per difference. The mtime of a symlink is compared only when asked:
 * duplicity's restore does not set it (duplicity-format 9).
 */
export function compareTrees(
  expected: string,
  actual: string,
  options: { readonly symlinkTimes?: boolean } = {},
): string[] {
  return compareLists(listTree(expected), listTree(actual), options);
}

/** Like `compareTrees`, of trees that were listed before. */
export function compareLists(
  expected: readonly TreeRecord[],
  actual: readonly TreeRecord[],
  options: { readonly symlinkTimes?: boolean } = {},
): string[] {
  const left = new Map(expected.map((record) => [record.path, record]));
  const right = new Map(actual.map((record) => [record.path, record]));
  const paths = [...new Set([...left.keys(), ...right.keys()])].sort(compareBytes);
  return paths.flatMap((path) =>
    differences(left.get(path), right.get(path), options.symlinkTimes ?? false),
  );
}

/**
 * What changes whenever anything below `root` is touched: inode and change time of every object. The root's own are left
 * out, as a cycle may make and remove its working folder in it.
 */
export function fingerprintTree(root: string): string {
  return [...walk(root)]
    .filter(({ path }) => path !== "")
    .map(({ path, stat }) => `${path} ${stat.ino} ${stat.ctimeNs} ${stat.mtimeNs} ${stat.size}`)
    .join("\n");
}

interface Found {
  readonly path: string;
  readonly host: Buffer;
  readonly stat: BigIntStats;
}

function* walk(root: string): Generator<Found> {
  const found: Found[] = [];
  collect({ path: "", host: Buffer.from(root) }, found);
  yield* found.sort((a, b) => compareBytes(a.path, b.path));
}

function collect(at: { readonly path: string; readonly host: Buffer }, found: Found[]): void {
  const stat = lstatSync(at.host, { bigint: true });
  found.push({ ...at, stat });
  if (!stat.isDirectory()) return;
  for (const name of readdirSync(at.host, { encoding: "buffer" })) {
    const path = at.path === "" ? latin1(name) : `${at.path}/${latin1(name)}`;
    if (path === ".dupmirror") continue;
    collect({ path, host: Buffer.concat([at.host, SLASH, name]) }, found);
  }
}

const SLASH = Buffer.from("/");

function describeObject(path: string, host: Buffer, stat: BigIntStats): TreeRecord {
  const type = typeOf(stat);
  return {
    path,
    type,
    mode: (Number(stat.mode) & 0o7777).toString(8).padStart(4, "0"),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtime: Number((stat.mtimeNs - modulo(stat.mtimeNs, SECOND)) / SECOND),
    sizeBytes: type === "file" ? Number(stat.size) : 0,
    device: type === "character" || type === "block" ? deviceNumbers(stat.rdev) : "-",
    sha256: type === "file" ? createHash("sha256").update(readFileSync(host)).digest("hex") : "-",
    target: type === "symlink" ? latin1(readlinkSync(host, { encoding: "buffer" })) : "",
  };
}

const SECOND = 1_000_000_000n;

function typeOf(stat: BigIntStats): ObjectType {
  if (stat.isFile()) return "file";
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return "symlink";
  if (stat.isFIFO()) return "fifo";
  if (stat.isCharacterDevice()) return "character";
  if (stat.isBlockDevice()) return "block";
  return "socket";
}

/** As Linux packs them (makedev(3)). */
function deviceNumbers(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

function differences(
  expected: TreeRecord | undefined,
  actual: TreeRecord | undefined,
  symlinkTimes: boolean,
): string[] {
  if (expected === undefined) return actual === undefined ? [] : [`${show(actual.path)}: extra`];
  if (actual === undefined) return [`${show(expected.path)}: missing`];
  if (expected.type !== actual.type) {
    return [`${show(expected.path)}: ${actual.type}, expected ${expected.type}`];
  }
  const fields =
    symlinkTimes || expected.type !== "symlink" ? [...FIELDS, "mtime" as const] : FIELDS;
  return fields
    .filter((field) => expected[field] !== actual[field])
    .map(
      (field) => `${show(expected.path)}: ${field} ${actual[field]}, expected ${expected[field]}`,
    );
}

const FIELDS = ["mode", "uid", "gid", "sizeBytes", "device", "sha256", "target"] as const;

function show(path: string): string {
  return path === "" ? "." : Buffer.from(path, "latin1").toString();
}

/** One UTF-16 unit per byte: comparing the units compares the bytes. */
function compareBytes(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function latin1(bytes: Buffer): string {
  return bytes.toString("latin1");
}

function modulo(value: bigint, by: bigint): bigint {
  return ((value % by) + by) % by;
}
