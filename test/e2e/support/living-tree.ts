/** A tree that lives: from step to step all happens to it that can happen to a tree. The same seed gives the same life. */
import type { Random } from "../../support/random.js";
import { childOf, Ground, isBelow, type Kind, parentOf } from "./ground.js";

/** Objects that a tree has at the least, at every step. */
export const LEAST_OBJECTS = 500;

export class LivingTree {
  readonly #ground: Ground;
  readonly #random: Random;
  readonly #actions: readonly Action[];
  /** Paths where something was. */
  readonly #graves: string[] = [];
  /** The times that directories were given. */
  readonly #times = new Map<string, number>();
  #step = 0;

  /** `silent`: some contents change without a change of size or time, which duplicity does not notice. */
  constructor(options: {
    readonly root: string;
    readonly workshop: string;
    readonly random: Random;
    readonly silent: boolean;
  }) {
    this.#ground = new Ground(options.root, options.workshop);
    this.#random = options.random;
    this.#actions = ACTIONS.filter((action) => options.silent || action !== changeSilently);
    this.#plant();
    this.#settle();
  }

  /** One step: from nothing at all to a hundred changes. */
  live(): void {
    this.#step++;
    const count = this.#random.pick([0, 1, 10, 30, 30, 60, 100]);
    for (let at = 0; at < count; at++) this.#random.pick(this.#actions)(this.#scene());
    while (this.#ground.count <= LEAST_OBJECTS) make(this.#scene());
    this.#settle();
  }

  #plant(): void {
    const scene = this.#scene();
    for (let at = 0; at < 60; at++) makeDirectory(scene);
    for (let at = 0; at < 520; at++) make(scene);
    for (const size of LARGE_SIZES) writeNew(scene, size);
    for (const size of EDGE_SIZES) writeNew(scene, size);
    digDeep(scene);
    this.#ground.makeFifo(freePlace(scene));
    if (IS_ROOT) this.#ground.makeDevice(freePlace(scene));
  }

  /** For one change. */
  #scene(): Scene {
    const time = FIRST_TIME + this.#step * STEP_SECONDS + this.#random.below(STEP_SECONDS);
    return { ground: this.#ground, random: this.#random, graves: this.#graves, time };
  }

  /**
   * Gives a time of this step to all that the clock has given its own, as duplicity sees no change of a second; some
   * directories get back the time they had.
   */
  #settle(): void {
    for (const place of this.#ground.paths().reverse()) {
      const known = this.#times.get(place);
      const isDirectory = this.#ground.kindOf(place) === "directory";
      if (this.#ground.stat(place).mtimeMs < CLOCK_TIME_MS) continue;
      const keeps = isDirectory && known !== undefined && this.#random.next() < 0.3;
      const time = keeps ? known : oddTime(this.#scene());
      this.#ground.setTime(place, time);
      if (isDirectory) this.#times.set(place, time);
    }
  }
}

interface Scene {
  readonly ground: Ground;
  readonly random: Random;
  readonly graves: string[];
  /** Of what happens now; no earlier step had it. */
  readonly time: number;
}

type Action = (scene: Scene) => void;

const IS_ROOT = process.getuid?.() === 0;

const FIRST_TIME = 1_500_000_000;
const STEP_SECONDS = 1000;
/** Whatever has a later time has it from the clock. */
const CLOCK_TIME_MS = 1_600_000_000_000;

/** Over a volume of 1 MiB, and around the size at which files are cut into pieces. */
const LARGE_SIZES = [1_300_000, 2_200_000, 300_000, 150_000];
const EDGE_SIZES = [0, 1, 65_535, 65_536, 65_537, 131_072];

const NAMES = [
  "a",
  "a-b",
  "a.b",
  "a b",
  " ",
  "b",
  "B",
  "c\xff\xfe",
  "d\n",
  "\te\r",
  "f\\x41",
  'g"h',
  "i'j",
  "-rf",
  "*",
  "%2e%2e",
  "...",
  ".hidden",
  "\x01\x7f",
  "\xc3\xa9",
  "e\xcc\x81",
  "\xa0",
  "snapshot",
  "diff",
  "deleted",
  "multivol_snapshot",
  "1",
  "12",
  "Volume 1:",
  "x".repeat(255),
  "\xe4\xb8\xad".repeat(80),
];

const OWNERS = [0, 1, 33, 12_345, 3_000_000];

function makeDirectory({ ground, random }: Scene): void {
  const parent = random.pick(ground.paths("directory"));
  const place = childOf(parent, newName(random));
  if (isFree(ground, place)) ground.makeDirectory(place);
}

function make(scene: Scene): void {
  const { ground, random } = scene;
  const draw = random.next();
  if (draw < 0.12) makeDirectory(scene);
  else if (draw < 0.22) ground.symlink(freePlace(scene), newTarget(scene));
  else if (draw < 0.25) linkSomewhere(scene);
  else writeNew(scene, newSize(random));
}

function writeNew(scene: Scene, size: number): void {
  const place = freePlace(scene);
  scene.ground.writeFile(place, newContent(scene.random, size));
  if (scene.random.next() < 0.2) changeMode(scene, place);
  if (scene.random.next() < 0.1) changeOwner(scene, place);
}

function linkSomewhere(scene: Scene): void {
  const file = pickOf(scene, "file");
  if (file !== undefined) scene.ground.link(file, freePlace(scene));
}

/** Paths longer than a tar header's fields, and than a PAX record of three digits. */
function digDeep({ ground, random }: Scene): void {
  let place = "";
  for (let depth = 0; depth < 30; depth++) {
    place = childOf(place, depth % 10 === 9 ? "y".repeat(250) : `deep-${random.below(10)}`);
    ground.makeDirectory(place);
    if (depth % 5 === 0) ground.writeFile(childOf(place, "file"), newContent(random, 900));
  }
}

/** Files change as programs change them; one of many hundred is large, and changes more often than others. */
function edit({ ground, random, time }: Scene, change: (content: Buffer) => Buffer): void {
  const files = ground.paths("file");
  const file = random.next() < 0.1 ? largestOf(ground, files) : random.pick(files);
  ground.writeFile(file, change(ground.read(file)));
  ground.setTime(file, time);
}

function largestOf(ground: Ground, files: readonly string[]): string {
  return files.reduce((a, b) => (ground.stat(b).size > ground.stat(a).size ? b : a));
}

const grow: Action = (scene) =>
  edit(scene, (old) => Buffer.concat([old, newContent(scene.random, newSize(scene.random))]));

const cutOff: Action = (scene) => edit(scene, (old) => cutAt(scene, old)[0]);

const empty: Action = (scene) => edit(scene, () => Buffer.alloc(0));

const rewriteInPlace: Action = (scene) =>
  edit(scene, (old) => newContent(scene.random, old.length));

const rewrite: Action = (scene) =>
  edit(scene, () => newContent(scene.random, newSize(scene.random)));

const insert: Action = (scene) =>
  edit(scene, (old) => {
    const [head, tail] = cutAt(scene, old);
    return Buffer.concat([head, scene.random.bytes(1 + scene.random.below(700)), tail]);
  });

const takeOut: Action = (scene) =>
  edit(scene, (old) => {
    const [head, tail] = cutAt(scene, old);
    return Buffer.concat([head, tail.subarray(scene.random.below(2000))]);
  });

const turnRound: Action = (scene) =>
  edit(scene, (old) => Buffer.concat(cutAt(scene, old).reverse()));

const repeat: Action = (scene) =>
  edit(scene, (old) => (old.length < 100_000 ? Buffer.concat([old, old, old]) : old));

const touch: Action = (scene) => {
  const place = scene.random.pick(scene.ground.paths());
  scene.ground.setTime(place, oddTime(scene));
};

const changeSomeMode: Action = (scene) =>
  changeMode(scene, pickOf(scene, "file", "directory", "fifo", "device"));

const changeSomeOwner: Action = (scene) => changeOwner(scene, scene.random.pick(everything(scene)));

const retarget: Action = (scene) => {
  const link = pickOf(scene, "symlink");
  if (link !== undefined) scene.ground.symlink(link, newTarget(scene));
};

const remove: Action = (scene) => {
  const { ground, graves, random } = scene;
  const place = random.pick(everything(scene));
  if (ground.below(place).length > 60) return;
  ground.remove(place);
  graves.push(place);
};

const removeAndMakeAgain: Action = (scene) => {
  const file = pickOf(scene, "file");
  if (file === undefined) return;
  scene.ground.remove(file);
  scene.ground.writeFile(file, newContent(scene.random, newSize(scene.random)));
};

const exhume: Action = (scene) => {
  const { ground, graves, random } = scene;
  const place = graves[random.below(graves.length)];
  if (place === undefined || !isFree(ground, place)) return;
  if (ground.kindOf(parentOf(place)) === "directory") makeAt(scene, place, random.pick(KINDS));
};

const flip: Action = (scene) => {
  const { ground, random } = scene;
  const place = random.pick(everything(scene));
  const kind = random.pick(KINDS.filter((other) => other !== ground.kindOf(place)));
  if (ground.below(place).length > 60) return;
  ground.remove(place);
  makeAt(scene, place, kind);
};

/** The directory's place is taken by a symlink to one that has the same names in it (duplicity-format 4.2, 3a). */
const replaceByLink: Action = (scene) => {
  const { ground } = scene;
  const directory = pickOf(scene, "directory");
  const other = pickOf(scene, "directory");
  if (directory === undefined || other === undefined || isRelated(directory, other)) return;
  const files = ground.below(directory);
  if (files.length > 60) return;
  for (const file of files) {
    const twin = childOf(other, file.slice(directory.length + 1));
    if (ground.kindOf(file) === "file" && parentOf(twin) === other && isFree(ground, twin)) {
      ground.writeFile(twin, ground.read(file));
    }
  }
  ground.symlink(directory, "../".repeat(directory.split("/").length - 1) + other);
};

const move: Action = (scene) => {
  const { ground, random } = scene;
  const from = random.pick(everything(scene));
  const overFile = random.next() < 0.3 ? pickOf(scene, "file") : undefined;
  const to = overFile ?? freePlace(scene);
  if (!isRelated(from, to) && isShortEnough(to, from, ground)) ground.move(from, to);
};

const copySomewhere: Action = (scene) => {
  const file = pickOf(scene, "file");
  if (file !== undefined) scene.ground.writeFile(freePlace(scene), scene.ground.read(file));
};

/** Time, size, mode and owner stay: duplicity keeps what it has (duplicity-format 9). */
const changeSilently: Action = ({ ground, random }) => {
  const file = random.pick(ground.paths("file"));
  const time = Math.floor(ground.stat(file).mtimeMs / 1000);
  if (time * 1000 >= CLOCK_TIME_MS) return;
  ground.writeFile(file, newContent(random, ground.read(file).length));
  ground.setTime(file, time);
};

/** Each as often as it stands here. */
const ACTIONS: readonly Action[] = [
  ...[grow, grow, cutOff, empty, rewriteInPlace, rewriteInPlace, rewrite, rewrite, repeat],
  ...[insert, insert, insert, takeOut, takeOut, turnRound],
  ...[touch, touch, touch, changeSomeMode, changeSomeMode, changeSomeOwner, retarget],
  ...[make, make, make, makeDirectory, copySomewhere, linkSomewhere],
  ...[remove, remove, removeAndMakeAgain, exhume, exhume, flip, flip, replaceByLink],
  ...[move, move, changeSilently],
];

const KINDS: readonly Kind[] = ["file", "file", "directory", "directory", "symlink", "fifo"];

function makeAt(scene: Scene, place: string, kind: Kind): void {
  const { ground, random } = scene;
  switch (kind) {
    case "directory":
      ground.makeDirectory(place);
      for (let count = random.below(4); count > 0; count--) {
        const inside = childOf(place, newName(random));
        if (isFree(ground, inside)) ground.writeFile(inside, newContent(random, newSize(random)));
      }
      return;
    case "symlink":
      ground.symlink(place, newTarget(scene));
      return;
    case "fifo":
      ground.makeFifo(place);
      return;
    case "device":
    case "file":
      ground.writeFile(place, newContent(random, newSize(random)));
  }
}

function changeMode({ ground, random }: Scene, place: string | undefined): void {
  if (place === undefined || ground.kindOf(place) === "symlink") return;
  const modes = ground.kindOf(place) === "directory" ? DIRECTORY_MODES : FILE_MODES;
  ground.setMode(place, random.pick(modes));
}

/** Another user than root cannot back up what it may not read. */
const FILE_MODES = [
  0o644,
  0o600,
  0o755,
  0o444,
  0o4755,
  0o2711,
  ...(IS_ROOT ? [0o000, 0o1666] : []),
];
const DIRECTORY_MODES = [0o755, 0o700, 0o2775, 0o1777, ...(IS_ROOT ? [0o555, 0o000] : [])];

function changeOwner({ ground, random }: Scene, place: string): void {
  if (!IS_ROOT) return;
  const mode = ground.stat(place).mode & 0o7777;
  ground.setOwner(place, random.pick(OWNERS), random.pick(OWNERS));
  if (ground.kindOf(place) !== "symlink") ground.setMode(place, mode);
}

function cutAt({ random }: Scene, content: Buffer): [Buffer, Buffer] {
  const at = random.below(content.length + 1);
  return [content.subarray(0, at), content.subarray(at)];
}

function pickOf({ ground, random }: Scene, ...kinds: readonly Kind[]): string | undefined {
  const found = ground.paths(...kinds).filter((place) => place !== "");
  return found[random.below(found.length)];
}

function everything({ ground }: Scene): string[] {
  return ground.paths().filter((place) => place !== "");
}

function freePlace({ ground, random }: Scene): string {
  for (;;) {
    const place = childOf(random.pick(ground.paths("directory")), newName(random));
    if (isFree(ground, place)) return place;
  }
}

/** Below the limits of a path, whatever folder the tree lies in; and the working folder of a replica is not mirrored. */
function isFree(ground: Ground, place: string): boolean {
  return ground.kindOf(place) === undefined && place.length < PATH_MAX && place !== ".dupmirror";
}

const PATH_MAX = 3000;

function isShortEnough(to: string, from: string, ground: Ground): boolean {
  return ground.below(from).every((place) => to.length + place.length - from.length < PATH_MAX);
}

function isRelated(a: string, b: string): boolean {
  return a === b || isBelow(a, b) || isBelow(b, a);
}

function newName(random: Random): string {
  const name = random.pick(NAMES);
  return random.next() < 0.5 || name.length > 200 ? name : `${name}${random.below(1000)}`;
}

function newTarget(scene: Scene): string {
  const { random } = scene;
  const targets = ["a", "../..", "/etc/passwd", ".", "no\xff/where", "z".repeat(300)];
  return random.next() < 0.4 ? random.pick(scene.ground.paths()) || "." : random.pick(targets);
}

function newSize(random: Random): number {
  const most = random.pick([0, 30, 600, 600, 3000, 3000, 3000, 20_000]);
  return random.next() < 0.02 ? random.pick(EDGE_SIZES) : random.below(most + 1);
}

/** Half of it compresses. */
function newContent(random: Random, size: number): Buffer {
  if (random.next() < 0.5) return random.bytes(size);
  return Buffer.alloc(size, random.bytes(1 + random.below(200)));
}

/** Mostly of this step; some are before 1970, or between two seconds. */
function oddTime({ random, time }: Scene): number {
  const draw = random.next();
  if (draw < 0.02) return -random.below(100_000);
  return draw < 0.1 ? time + 0.25 : time;
}
