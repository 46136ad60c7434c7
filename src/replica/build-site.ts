/** Where the builds of an update are done: small ones in the thread that calls, large ones in threads of their own. */
import type { ReplicaMirror } from "../config/replica.js";
import type { ConfinedTree } from "../disk/confined.js";
import { type BuildPort, LocalPort } from "./build-port.js";
import { BuildThreads } from "./build-threads.js";

export class BuildSite {
  readonly #tree: ConfinedTree;
  readonly #owners: ReplicaMirror["owners"];
  #threads: BuildThreads | undefined;
  #local: LocalPort | undefined;

  constructor(tree: ConfinedTree, owners: ReplicaMirror["owners"]) {
    this.#tree = tree;
    this.#owners = owners;
  }

  /** A build of about so many objects may follow: what takes time to start is begun. */
  expect(objectCount: number): void {
    if (objectCount < THREADS_MIN_OBJECTS) return;
    this.#threads ??= new BuildThreads({ root: this.#tree.root, owners: this.#owners });
  }

  /** For one build, to its `finish`; only then for another. */
  open(objectCount: number): BuildPort {
    this.expect(objectCount);
    if (this.#threads !== undefined) return this.#threads;
    this.#local = new LocalPort(this.#tree, this.#owners);
    return this.#local;
  }

  /** Gives up what is being made: nothing is written afterwards. May be called again. */
  async close(): Promise<void> {
    this.#local?.close();
    await this.#threads?.close();
  }
}

/** A thread costs some 50 ms before it does anything. */
const THREADS_MIN_OBJECTS = 4000;
