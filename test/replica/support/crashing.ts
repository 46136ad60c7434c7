/** Cuts a cycle off before any one of the steps that change something on disk. */
/** What a process that died does not throw; it only ends what is running. */
export class Crash extends Error {}

export type CutKind =
  /** From this step on nothing is changed any more: the process died, or the power went. */
  | "dies"
  /** This step fails; what cleans up after it works. */
  | "fails";

/** Counts the steps, and cuts them off. One for a process, as are the functions that it watches. */
class Cutter {
  #left = Infinity;
  #kind: CutKind = "dies";
  #isDead = false;
  count = 0;
  /** Called before every step. */
  onStep: () => void = () => undefined;

  /** Cuts off before step `number`, from 0. */
  arm(number: number, kind: CutKind): void {
    this.#left = number;
    this.#kind = kind;
    this.count = 0;
  }

  disarm(): void {
    this.#left = Infinity;
    this.#isDead = false;
  }

  step(): void {
    this.onStep();
    this.count++;
    if (this.#isDead || this.#left-- === 0) {
      this.#isDead = this.#kind === "dies";
      throw new Crash("cut off");
    }
  }
}

export const cutter = new Cutter();

/** A module of which every function that `names` names is a step. */
export function cuttable<T extends object>(module: T, names: readonly string[]): T {
  const steps: Record<string, unknown> = {};
  for (const name of names) steps[name] = watch(Reflect.get(module, name));
  return { ...module, ...steps };
}

/** Makes a step of every method that changes the tree by itself; the others are made of these. */
export function watchMethods(prototype: object): void {
  for (const name of TREE_STEPS) {
    const method: unknown = Reflect.get(prototype, name);
    Object.defineProperty(prototype, name, { value: watch(method) });
  }
}

const TREE_STEPS = [
  "makeDirectory",
  "writeFile",
  "createFile",
  "symlink",
  "rename",
  "unlink",
  "removeDirectory",
  "removeDirectoryIfEmpty",
  "setAttributes",
  "withHostPath",
];

function watch(method: unknown): (...parameters: unknown[]) => unknown {
  if (typeof method !== "function") throw new Error("not a function");
  return function (this: unknown, ...parameters: unknown[]): unknown {
    cutter.step();
    const result: unknown = Reflect.apply(method, this, parameters);
    return result;
  };
}

/** Each step of `disk/durable.ts` that changes something. */
export const DURABLE_STEPS = [
  "replaceFile",
  "writeAt",
  "truncateFile",
  "moveFile",
  "syncFile",
  "syncFolder",
  "makeFolder",
  "removeFolder",
  "removeFile",
] as const;
