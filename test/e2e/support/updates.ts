/** The kinds of update that a replica makes, each from a published tree, for tests that cut it off. */
import path from "node:path";
import { afterAll, beforeAll } from "vitest";
import {
  changed,
  file,
  folder,
  link,
  type Model,
  type ModelObject,
  model,
} from "../../replica/support/model.js";
import { TestPublication } from "../../replica/support/publication.js";
import { Random } from "../../support/random.js";
import { fastLastingFolder, removeFolder } from "../../support/temporary.js";

export const UPDATES = [
  "a follow of one set",
  "a follow of many sets",
  "a rebase to a new chain",
  "a narrower filter",
  "an adoption of a tree made by others",
  "a repair of a damaged tree",
  "a fresh tree of many files",
] as const;

export interface Update {
  readonly name: (typeof UPDATES)[number];
  readonly publication: TestPublication;
  /** Of `dupmirror replica`. */
  readonly command: readonly string[];
  /** What the tree holds before, and whether a replica synced there first. */
  readonly start: { readonly tree: Model; readonly isSynced: boolean } | undefined;
  /** What is published, and the part of it that the replica shall hold then. */
  readonly before: Settings;
  readonly after: Settings;
  readonly target: Model;
  /** The number of a set that the cycle brings the tree to on its way. */
  readonly via?: number;
  /** It works in threads of its own, which only the built command has; a round takes longer. */
  readonly usesThreads: boolean;
}

/** What a cycle finds: the number of the newest head, and what the replica's configuration says. */
interface Settings {
  readonly head: number;
  readonly more: Readonly<Record<string, unknown>>;
}

interface PublishedUpdates {
  readonly seed: number;
  /** Only while tests run. */
  of(name: Update["name"]): Update;
}

/** Has the updates published as long as the tests of a file run. */
export function usePublishedUpdates(): PublishedUpdates {
  const { seed } = new Random();
  let folder: string | undefined;
  let updates: readonly Update[] = [];
  beforeAll(async () => {
    folder = fastLastingFolder();
    updates = await publishUpdates(folder, new Random(seed));
  });
  afterAll(() => {
    if (folder !== undefined) removeFolder(folder);
  });
  return {
    seed,
    of: (name) => {
      const found = updates.find((update) => update.name === name);
      if (found === undefined) throw new Error(`no update is ${name}`);
      return found;
    },
  };
}

/** Publishes below `place` what the updates are of; seeds differ in the bytes. */
async function publishUpdates(place: string, random: Random): Promise<readonly Update[]> {
  const history = livesOf(random, INCREMENTS + 1);
  const chain = history.slice(0, INCREMENTS);
  const [first = chain[0], last = chain[0]] = [chain[0], chain.at(-1)];
  const [beforeLast, rebased] = [chain.at(-2), history.at(-1)];
  if (first === undefined || last === undefined || beforeLast === undefined) throw TOO_SHORT;
  if (rebased === undefined) throw TOO_SHORT;
  const publication = newPublication(path.join(place, "small"));
  for (const tree of chain) {
    await (tree === first ? publication.addFull(tree) : publication.addIncrement(tree));
  }
  const newest = publication.heads.length - 1;
  await publication.addFull(rebased);
  const large = newPublication(path.join(place, "large"));
  const many = manyFiles(random);
  await large.addFull(many);

  const at = (head: number, more = {}): Settings => ({ head, more });
  const synced = (tree: Model) => ({ tree, isSynced: true });
  const common = { publication, before: at(newest), after: at(newest), target: last };
  const small = { ...common, usesThreads: false, command: ["sync"] };
  return [
    { ...small, name: "a follow of one set", start: synced(beforeLast), before: at(newest - 1) },
    { ...small, name: "a follow of many sets", start: synced(first), before: at(0) },
    {
      ...small,
      name: "a rebase to a new chain",
      start: synced(beforeLast),
      before: at(newest - 1),
      after: at(newest + 1),
      target: rebased,
      via: newest,
    },
    {
      ...small,
      name: "a narrower filter",
      start: synced(last),
      after: at(newest, { exclude: ["/pool/folder-1/", "/dists/", "*-3"] }),
      target: narrowed(last),
    },
    {
      ...small,
      name: "an adoption of a tree made by others",
      start: { tree: beforeLast, isSynced: false },
    },
    {
      ...small,
      name: "a repair of a damaged tree",
      command: ["verify", "--repair"],
      usesThreads: true,
      start: synced(damaged(last)),
    },
    {
      name: "a fresh tree of many files",
      command: ["sync"],
      publication: large,
      start: undefined,
      before: at(0),
      after: at(0),
      target: many,
      usesThreads: true,
    },
  ];
}

const TOO_SHORT = new Error("a history of some sets is needed");
const INCREMENTS = 6;
const FOLDERS = 8;
const FILES_PER_FOLDER = 25;
const MANY = 4500;
const MIB = 2 ** 20;
const FIRST_TIME = 1_600_000_000;

/** Its heads are of today, and its sets have some volumes each. */
function newPublication(place: string): TestPublication {
  const publication = new TestPublication(place, {
    archive: { volumeSizeBytes: MIB },
    pageEntries: 1000,
  });
  publication.time = Math.floor(Date.now() / 1000) - 3600;
  return publication;
}

/** What `exclude` leaves. */
function narrowed(tree: Model): Model {
  const isGone = (name: string) =>
    /^(pool\/folder-1|dists)(\/|$)/.test(name) || name.split("/").some((part) => /-3$/.test(part));
  return new Map([...tree].filter(([name]) => !isGone(name)));
}

/** Other bytes in every tenth file and in a large one, under the same times; the rest as `verify` can find it. */
function damaged(tree: Model): Model {
  const changes: Record<string, ModelObject | undefined> = {
    extra: folder(FIRST_TIME),
    "extra/file": file("of nobody", FIRST_TIME),
    "dists/InRelease": folder(FIRST_TIME, 0o700),
    "large/touched": undefined,
    "leaves/9": folder(FIRST_TIME + 1),
  };
  const files = [...tree].filter(([name]) => name.startsWith("pool/") || name === "large/patched");
  for (const [at, [name, object]] of files.entries()) {
    if (object.type !== "file" || (at % 10 !== 0 && name !== "large/patched")) continue;
    const content = Buffer.from(object.content);
    content.fill(0, content.length >> 1, (content.length >> 1) + 1);
    changes[name] = { ...object, content };
  }
  return changed(tree, changes);
}

/** A tree and what becomes of it, step by step. */
function livesOf(random: Random, count: number): Model[] {
  const trees = [firstTree(random)];
  for (let step = 1; step < count; step++) {
    trees.push(stepOf(trees.at(-1) ?? new Map<string, ModelObject>(), step, random));
  }
  return trees;
}

function firstTree(random: Random): Model {
  const objects: Record<string, ModelObject> = {
    pool: folder(FIRST_TIME),
    dists: folder(FIRST_TIME),
    "dists/InRelease": file("first inner index", FIRST_TIME),
    InRelease: file("first index", FIRST_TIME),
    large: folder(FIRST_TIME),
    "large/patched": file(bytes(random, 3 * MIB), FIRST_TIME),
    "large/rewritten": file(bytes(random, MIB + 777), FIRST_TIME),
    "large/touched": file(bytes(random, MIB + 5), FIRST_TIME),
    flip: folder(FIRST_TIME),
    leaves: folder(FIRST_TIME, 0o555),
  };
  for (let number = 0; number < 20; number++) {
    objects[`leaves/${number}`] = folder(FIRST_TIME, 0o500);
    objects[`leaves/${number}/file`] = file(bytes(random, 400), FIRST_TIME, 0o400);
  }
  for (let number = 0; number < FOLDERS * FILES_PER_FOLDER; number++) {
    const within = `pool/folder-${number % FOLDERS}`;
    objects[within] = folder(FIRST_TIME);
    objects[`${within}/file-${number}`] = file(bytes(random, random.below(4000)), FIRST_TIME);
  }
  return model(objects);
}

/** Files rewritten, patched, touched, added and gone; deep deletions; types that flip; new index files. */
function stepOf(before: Model, step: number, random: Random): Model {
  const time = FIRST_TIME + 1000 * step;
  const changes: Record<string, ModelObject | undefined> = {
    "": folder(time),
    InRelease: file(`index ${step}`, time),
    "dists/InRelease": file(`inner index ${step}`, time),
    "dists/Packages": file(bytes(random, 20_000), time),
    "large/patched": file(patched(before.get("large/patched"), random), time),
    "large/rewritten": file(bytes(random, MIB + 1000 * step), time),
    "large/touched": touched(before.get("large/touched"), time, 0o600 + (step % 2) * 0o44),
    [`large/new-${step}`]: file(bytes(random, MIB + step), time),
    [`large/new-${step - 1}`]: undefined,
    [`leaves/${step}`]: undefined,
    leaves: folder(time, 0o555),
    [`added-${step - 2}`]: undefined,
    [`added-${step}`]: folder(time),
    ...flips(step, time),
  };
  for (let number = 0; number < 15; number++) {
    changes[`added-${step}/file-${number}`] = file(bytes(random, 700), time);
  }
  const files = [...before].filter(([name]) => name.startsWith("pool/folder"));
  for (const [at, [name, object]] of files.entries()) {
    if (object.type !== "file") changes[name] = folder(time);
    else if ((at + step) % 6 === 0) changes[name] = file(bytes(random, random.below(5000)), time);
    else if ((at + step) % 11 === 0) changes[name] = file(patched(object, random), time);
    else if ((at + step) % 17 === 0) changes[name] = touched(object, time, 0o640);
  }
  return changed(before, changes);
}

/** `flip/a` is a file, a folder and a symlink in turn, and so are its neighbours, each a step later. */
function flips(step: number, time: number): Record<string, ModelObject> {
  const objects: Record<string, ModelObject> = { flip: folder(time) };
  for (const [at, name] of ["flip/a", "flip/b", "flip/c"].entries()) {
    const turn = (step + at) % 3;
    if (turn === 0) objects[name] = file(`file of step ${step}`, time);
    else if (turn === 1) objects[name] = link(`target-${step}`, time);
    else {
      objects[name] = folder(time, 0o711);
      objects[`${name}/in`] = folder(time);
      objects[`${name}/in/InRelease`] = file(`index of step ${step}`, time);
      objects[`${name}/in/file`] = file(`file in the folder of step ${step}`, time);
    }
  }
  return objects;
}

function manyFiles(random: Random): Model {
  const objects: Record<string, ModelObject> = {
    "0-large": file(bytes(random, 3 * MIB), FIRST_TIME),
    "50/large": file(bytes(random, 2 * MIB), FIRST_TIME),
    InRelease: file("index", FIRST_TIME),
  };
  for (let number = 0; number < MANY; number++) {
    const within = `${number % 90}`;
    objects[within] = folder(FIRST_TIME, 0o750);
    objects[`${within}/file-${number}`] = file(`file ${number}\n`, FIRST_TIME + number, 0o640);
  }
  return model(objects);
}

function patched(object: ModelObject | undefined, random: Random): Buffer {
  const old = object?.type === "file" ? object.content : Buffer.alloc(0);
  const at = random.below(old.length + 1);
  const gone = Math.min(old.length - at, 300);
  return Buffer.concat([old.subarray(0, at), bytes(random, 5000), old.subarray(at + gone)]);
}

function touched(object: ModelObject | undefined, time: number, mode: number): ModelObject {
  return file(object?.type === "file" ? object.content : "", time, mode);
}

/** Text that compresses to a half. */
function bytes(random: Random, size: number): Buffer {
  const block = random.bytes(Math.min(size, 8192)).toString("base64");
  let text = "";
  while (text.length < size) text += block + String(random.below(1e9));
  return Buffer.from(text.slice(0, size));
}
