/** Trees as values: what a mirror must be in the end, and random histories of them. */
import { createHash } from "node:crypto";
import { chmodSync, lutimesSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { compareTreePaths, toTreePath } from "../../../src/bytes/tree-path.js";
import type { Random } from "../../support/random.js";
import { compareLists, listTree } from "../../support/tree-compare.js";

export type ModelObject = { readonly mode: number; readonly mtime: number } & (
  | { readonly type: "file"; readonly content: Buffer }
  | { readonly type: "directory" }
  | { readonly type: "symlink"; readonly target: string }
  | { readonly type: "fifo" }
);

/** By latin1 path; the root, which is always there, is the empty string. */
export type Model = ReadonlyMap<string, ModelObject>;

export function file(content: string | Buffer, mtime = 1000, mode = 0o644): ModelObject {
  return { type: "file", content: Buffer.from(content), mtime, mode };
}

export function folder(mtime = 1000, mode = 0o755): ModelObject {
  return { type: "directory", mtime, mode };
}

export function link(target: string, mtime = 1000): ModelObject {
  return { type: "symlink", target, mtime, mode: 0o777 };
}

export function fifo(mtime = 1000, mode = 0o644): ModelObject {
  return { type: "fifo", mtime, mode };
}

/** A model of these objects and a root. */
export function model(objects: Readonly<Record<string, ModelObject>>): Model {
  return new Map([["", folder()], ...Object.entries(objects)]);
}

/** `before` with some objects changed, made or (`undefined`) removed with all below them. */
export function changed(
  before: Model,
  changes: Readonly<Record<string, ModelObject | undefined>>,
): Model {
  const after = new Map(before);
  for (const [path, object] of Object.entries(changes)) {
    if (object?.type !== "directory") remove(after, path);
    if (object !== undefined) after.set(path, object);
  }
  return after;
}

export function sortedPaths(paths: Iterable<string>): string[] {
  return [...paths].sort((a, b) => compareTreePaths(toTreePath(a), toTreePath(b)));
}

/** How the tree below `root` differs from `expected`, `.dupmirror` included. */
export function differences(expected: Model, root: string): string[] {
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const records = [...expected].map(([path, object]) => ({
    path,
    type: object.type,
    mode: object.mode.toString(8).padStart(4, "0"),
    ...owner,
    mtime: object.mtime,
    device: "-",
    sizeBytes: object.type === "file" ? object.content.length : 0,
    sha256: object.type === "file" ? sha256(object.content) : "-",
    target: object.type === "symlink" ? object.target : "",
  }));
  return compareLists(
    records.map((record) => (record.type === "symlink" ? { ...record, mode: "0777" } : record)),
    listTree(root),
  );
}

/** Makes the tree with nothing of ours, as another program would have. */
export function writeModel(root: string, objects: Model): void {
  mkdirSync(root, { recursive: true });
  const paths = sortedPaths(objects.keys());
  for (const path of paths) writeObject(hostPath(root, path), objects.get(path));
  for (const path of paths.toReversed()) {
    const object = objects.get(path);
    if (object === undefined) continue;
    if (object.type !== "symlink") chmodSync(hostPath(root, path), object.mode);
    lutimesSync(hostPath(root, path), String(object.mtime), String(object.mtime));
  }
}

function hostPath(root: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(root), Buffer.from(path === "" ? "" : `/${path}`, "latin1")]);
}

/** Objects in each set of a random history: the first is full of them, each next some changes later. */
export function randomHistory(random: Random, setCount: number): Model[] {
  let now = new Map<string, ModelObject>([["", folder(randomTime(random))]]);
  const history: Model[] = [];
  for (let set = 0; set < setCount; set++) {
    const changes = set === 0 ? 25 : random.below(12);
    for (let at = 0; at < changes; at++) change(now, random);
    history.push(now);
    now = new Map(now);
  }
  return history;
}

function writeObject(place: Buffer, object: ModelObject | undefined): void {
  if (object?.type === "directory") mkdirSync(place, { recursive: true });
  else if (object?.type === "file") writeFileSync(place, object.content);
  else if (object?.type === "symlink") symlinkSync(Buffer.from(object.target, "latin1"), place);
}

function change(now: Map<string, ModelObject>, random: Random): void {
  const before = random.pick([...now.keys()]);
  const draw = random.next();
  if (draw < 0.4) addObject(now, random);
  else if (draw < 0.5) removeSome(now, before, random);
  else if (draw < 0.6) rename(now, before, random);
  else changeObject(now, before, random);
}

function addObject(now: Map<string, ModelObject>, random: Random): void {
  const directories = [...now].filter(([, object]) => object.type === "directory");
  const [parent] = random.pick(directories);
  const path = parent === "" ? random.pick(NAMES) : `${parent}/${random.pick(NAMES)}`;
  if (path.split("/").length > 5) return;
  remove(now, path);
  now.set(path, randomObject(random));
  touchParent(now, path, random);
}

function removeSome(now: Map<string, ModelObject>, path: string, random: Random): void {
  if (path === "") return;
  remove(now, path);
  touchParent(now, path, random);
}

/** duplicity knows no renames: all below is gone in one place and new in the other. */
function rename(now: Map<string, ModelObject>, from: string, random: Random): void {
  const to = random.pick(NAMES);
  if (from === "" || to === from || to.startsWith(`${from}/`) || from.startsWith(`${to}/`)) return;
  const moved = [...now].filter(([path]) => path === from || path.startsWith(`${from}/`));
  remove(now, from);
  remove(now, to);
  for (const [path, object] of moved) now.set(to + path.slice(from.length), object);
  touchParent(now, from, random);
  touchParent(now, to, random);
}

function changeObject(now: Map<string, ModelObject>, path: string, random: Random): void {
  const object = now.get(path);
  if (object === undefined) return;
  const mtime = random.next() < 0.8 ? randomTime(random) : object.mtime;
  const mode = random.next() < 0.2 ? randomMode(object.type, random) : object.mode;
  if (object.type === "file" && random.next() < 0.8) {
    now.set(path, { ...object, content: changeBytes(object.content, random), mtime, mode });
  } else if (object.type === "symlink") {
    now.set(path, { ...object, target: random.pick(TARGETS) });
  } else {
    now.set(path, { ...object, mtime, mode });
  }
}

function changeBytes(content: Buffer, random: Random): Buffer {
  const at = random.below(content.length + 1);
  switch (random.below(5)) {
    case 0:
      return content.subarray(0, at);
    case 1:
      return Buffer.concat([content, random.bytes(random.below(3000))]);
    case 2:
      return Buffer.concat([content.subarray(0, at), random.bytes(17), content.subarray(at)]);
    case 3:
      return Buffer.concat([content.subarray(at), content.subarray(0, at)]);
    default:
      return random.bytes(random.below(3000));
  }
}

function randomObject(random: Random): ModelObject {
  const mtime = randomTime(random);
  const draw = random.next();
  if (draw < 0.35) return { type: "directory", mtime, mode: randomMode("directory", random) };
  if (draw < 0.45) return { type: "symlink", mtime, mode: 0o777, target: random.pick(TARGETS) };
  if (draw < 0.46) return { type: "fifo", mtime, mode: 0o640 };
  const size = random.pick([0, 1, 700, 5000, random.below(60_000)]);
  const content = random.bytes(size);
  return { type: "file", mtime, mode: randomMode("file", random), content };
}

function touchParent(now: Map<string, ModelObject>, path: string, random: Random): void {
  const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
  const object = now.get(parent);
  if (object !== undefined && random.next() < 0.7) {
    now.set(parent, { ...object, mtime: randomTime(random) });
  }
}

function remove(now: Map<string, ModelObject>, gone: string): void {
  for (const path of [...now.keys()]) {
    if (path === gone || path.startsWith(`${gone}/`)) now.delete(path);
  }
}

function randomMode(type: ModelObject["type"], random: Random): number {
  return type === "directory"
    ? random.pick([0o755, 0o700, 0o555, 0o500, 0o2775, 0o1777])
    : random.pick([0o644, 0o600, 0o755, 0o444, 0o4755]);
}

function randomTime(random: Random): number {
  return random.below(2 ** 31);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Few, so that objects meet each other; around `/` in byte order; not UTF-8. */
const NAMES = ["a", "a-b", "a.b", "a b", "b", "c", "c\xff", "d\n", "index", "InRelease"];
const TARGETS = ["a", "../..", "/etc/passwd", "b/c\xff"];
