/** A small software mirror, the same in every run, and what happens to it. */
import { childPath, parentPath, type TreePath, toTreePath } from "../bytes/tree-path.js";
import { ConfinedTree } from "../disk/confined.js";
import { closeFile, readExactly } from "../disk/file-io.js";
import { type ScannedEntry, scanTree } from "../disk/scan.js";

export interface TreeCount {
  readonly files: number;
  readonly sizeBytes: number;
}

export function countTree(folder: string): TreeCount {
  const files = listFiles(folder);
  return { files: files.length, sizeBytes: files.reduce((sum, { stat }) => sum + stat.size, 0) };
}

/** Some thousand files of text that compresses, and packages that do not. */
export function makeDemoTree(folder: string): void {
  const random = makeRandom(1);
  const tree = ConfinedTree.open(folder);
  for (let project = 0; project < PROJECT_COUNT; project++) {
    const place = toTreePath(`pub/project-${String(project).padStart(2, "0")}`);
    tree.ensureDirectory(childPath(place, "doc"));
    for (let number = 0; number < DOCUMENTS; number++) {
      const bytes = makeText(random, 500 + Math.floor(random() * 8000));
      put(tree, toTreePath(`${place}/doc/page-${number}.txt`), bytes, FIRST_MTIME);
    }
    const bytes = makeNoise(random, 100_000 + Math.floor(random() * 700_000));
    put(tree, childPath(place, "release-1.0.pkg"), bytes, FIRST_MTIME);
    tree.symlink("release-1.0.pkg", childPath(place, "latest"));
  }
  putIndex(tree, 0);
  settle(tree);
  tree.close();
}

/** Change number `round`: files edited, in the middle or at the end, added, renamed and deleted. */
export function changeDemoTree(folder: string, round: number): void {
  const random = makeRandom(1000 + round);
  const tree = ConfinedTree.open(folder);
  const files = listFiles(folder).filter(({ path }) => isOpen(tree, parentPath(path)));
  const mtime = FIRST_MTIME + round * 3600;
  const step = Math.max(1, Math.floor(files.length / CHANGES));
  for (let at = round; at < files.length; at += step) {
    const entry = files[at];
    if (entry !== undefined)
      change(tree, entry, { random, mtime, kind: Math.floor(at / step) % 10 });
  }
  const fresh = childPath(OWN_FOLDER, `round-${round}`);
  tree.ensureDirectory(fresh);
  for (let number = 0; number < 10; number++) {
    put(tree, childPath(fresh, `file-${number}`), makeText(random, 4000), mtime);
  }
  putIndex(tree, round);
  tree.close();
}

/** Where rounds add files, also in a tree that is not the demo's own. */
const OWN_FOLDER = toTreePath("dupmirror-demo");

const PROJECT_COUNT = 40;
const DOCUMENTS = 80;

/** How many files a round of changes touches. */
const CHANGES = 40;

/** Long ago, so that a change never falls into the second of the last one. */
const FIRST_MTIME = 1_700_000_000;

const LARGE_BYTES = 50_000;

interface Change {
  readonly random: () => number;
  readonly mtime: number;
  /** From 0 to 9. */
  readonly kind: number;
}

function change(tree: ConfinedTree, { path, stat }: ScannedEntry, how: Change): void {
  const { random, mtime, kind } = how;
  if (kind === 0) {
    tree.unlink(path);
    return;
  }
  if (kind === 1) {
    tree.rename(path, toTreePath(`${path}.renamed`));
    return;
  }
  const size = Math.min(stat.size, EDIT_MAX_BYTES);
  const before = readWhole(tree, path, size);
  tree.unlink(path);
  const middle = size > LARGE_BYTES ? Math.floor(size / 2) : size;
  const bytes = Buffer.concat([
    before.subarray(0, middle),
    makeText(random, 200),
    before.subarray(middle),
  ]);
  tree.writeFile(path, bytes, { mode: stat.mode & 0o7777, mtime });
}

/** Files of a real tree may be larger than memory; the demo cuts those that it edits. */
const EDIT_MAX_BYTES = 64 * 1024 * 1024;

function readWhole(tree: ConfinedTree, path: TreePath, sizeBytes: number): Uint8Array {
  const file = tree.openFile(path);
  try {
    return readExactly(file, 0, sizeBytes);
  } finally {
    closeFile(file);
  }
}

/** What names all others by content, as the index of a distribution does. */
function putIndex(tree: ConfinedTree, round: number): void {
  tree.ensureDirectory(OWN_FOLDER);
  const path = childPath(OWN_FOLDER, "InRelease");
  tree.unlink(path);
  put(tree, path, Buffer.from(`Release of round ${round}\n`), FIRST_MTIME + round * 3600);
}

function put(tree: ConfinedTree, path: TreePath, bytes: Uint8Array, mtime: number): void {
  tree.writeFile(path, bytes, { mode: 0o644, mtime });
}

/** Modes and times of what is not a file: directories last got theirs when something was put into them. */
function settle(tree: ConfinedTree): void {
  for (const { path, stat } of Array.from(scanTree(tree))) {
    if (stat.isDirectory()) tree.setAttributes(path, { mode: 0o755, mtime: FIRST_MTIME });
    if (stat.isSymbolicLink()) tree.setAttributes(path, { mtime: FIRST_MTIME });
  }
}

/** Whether whoever runs the demo may change what is in the directory. */
function isOpen(tree: ConfinedTree, directory: TreePath): boolean {
  return ((tree.lstat(directory)?.mode ?? 0) & 0o300) === 0o300;
}

function listFiles(folder: string): ScannedEntry[] {
  const tree = ConfinedTree.open(folder);
  const files = Array.from(scanTree(tree)).filter(({ stat }) => stat.isFile());
  tree.close();
  return files;
}

const WORDS =
  "share stripe block volume mirror replica source head ledger tree set chain plan host pack page".split(
    " ",
  );

function makeText(random: () => number, sizeBytes: number): Uint8Array {
  const lines: string[] = [];
  for (let size = 0; size < sizeBytes; ) {
    const number = Math.floor(random() * 2 ** 32);
    const words = [0, 4, 8].map((shift) => WORDS[(number >>> shift) & 0xf] ?? "").join(" ");
    const line = `${words} ${number}\n`;
    lines.push(line);
    size += line.length;
  }
  return Buffer.from(lines.join("").slice(0, sizeBytes));
}

function makeNoise(random: () => number, sizeBytes: number): Uint8Array {
  const words = Uint32Array.from({ length: Math.ceil(sizeBytes / 4) }, () => random() * 2 ** 32);
  return new Uint8Array(words.buffer, 0, sizeBytes);
}

/** mulberry32: small, fast, and the same everywhere. */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
