/** A replica that makes one of the updates again and again, and what must be true of it at any moment. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect } from "vitest";
import { formatSetName } from "../../../src/duplicity/names.js";
import { peekUnfinished } from "../../../src/replica/unfinished.js";
import { differences, type Model, writeModel } from "../../replica/support/model.js";
import { KEYS, MIRROR } from "../../replica/support/publication.js";
import { dupmirrorWorks, type RunningCommand, startDupmirror } from "../../support/cli.js";
import { syncInProcess } from "../../support/in-process.js";
import type { Random } from "../../support/random.js";
import { removeFolder } from "../../support/temporary.js";
import { fileUrl, makeReplica, pointReplica, type Replica } from "../../support/workspace.js";
import type { Update } from "./updates.js";

/** As seen from outside: what a cycle works at. */
export const PHASES = ["plan", "build", "commit"] as const;
export type Phase = (typeof PHASES)[number];

/** Somewhere in a phase: 0 is its beginning, 1 its end as it was measured. */
export interface Moment {
  readonly phase: Phase;
  readonly fraction: number;
}

/** As many moments of commit as of build. */
export function randomMoment(random: Random): Moment {
  const draw = random.next();
  const phase = draw < 0.12 ? "plan" : draw < 0.56 ? "build" : "commit";
  return { phase, fraction: random.between(0, 1.1) };
}

export class UpdatingReplica {
  readonly update: Update;
  readonly replica: Replica;
  /** How long it is from the beginning of each phase to its last end, when nothing cuts it off. */
  readonly #phaseMs = new Map<Phase, number>();
  /** The files of the state directory before the update. */
  #startState: ReadonlyMap<string, Buffer> = new Map();
  #startPosition: string | undefined;
  #targetPosition: string | undefined;

  /** In a folder of its own; `stateDirectory` may lie elsewhere. */
  constructor(folder: string, update: Update, stateDirectory = path.join(folder, "state")) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, "key"), `${KEYS.verifierKey}\n`);
    this.update = update;
    this.replica = { ...makeReplica(folder, this.#settings("after")), stateDirectory };
    mkdirSync(stateDirectory, { recursive: true });
  }

  get tree(): string {
    return this.replica.tree;
  }

  /** Brings the replica to the start, and measures one whole update. */
  async prepare(): Promise<void> {
    const { start } = this.update;
    if (start?.isSynced === true) {
      this.#configure("before");
      expect(await syncInProcess(this.replica)).toEqual({ kind: "synced" });
    }
    this.#startState = readFolder(this.replica.stateDirectory);
    this.#startPosition = this.#position();
    // A machine that is busy may show nothing of a short phase.
    for (let tries = 0; tries < 10 && !this.#isMeasured; tries++) {
      this.reset();
      await this.#measure();
    }
    expect(this.#isMeasured, this.update.name).toBe(true);
    this.#targetPosition = this.#position();
    expect(this.faultsAtEnd(), this.update.name).toEqual([]);
    this.reset();
  }

  /** The same replica in another folder, of a copy of its file system say. */
  at(folder: string, stateDirectory?: string): UpdatingReplica {
    const other = new UpdatingReplica(folder, this.update, stateDirectory);
    other.#configure("after");
    other.#startPosition = this.#startPosition;
    other.#targetPosition = this.#targetPosition;
    return other;
  }

  /** Tree and state as they were before the update; the tree's root stays the same folder. */
  reset(): void {
    emptyFolder(this.tree);
    chmodSync(this.tree, 0o755);
    if (this.update.start !== undefined) writeModel(this.tree, this.update.start.tree);
    emptyFolder(this.replica.stateDirectory);
    for (const [name, bytes] of this.#startState) {
      const file = path.join(this.replica.stateDirectory, name);
      mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
      writeFileSync(file, bytes);
    }
    this.#configure("after");
  }

  /** Starts a run. */
  run(): RunningCommand {
    return startDupmirror(this.#words());
  }

  /** The run that comes after one that was cut off. */
  async runAgain(): Promise<void> {
    if (this.update.usesThreads) await dupmirrorWorks(this.#words());
    else expect(await syncInProcess(this.replica)).toEqual({ kind: "synced" });
  }

  /** Waits for that moment of a run; whether it came before the run's end. */
  async reach(command: RunningCommand, { phase, fraction }: Moment): Promise<boolean> {
    const end = watchEnd(command);
    while (PHASES.indexOf(this.phase()) < PHASES.indexOf(phase)) {
      if (end.hasCome) return false;
      await pause(1);
    }
    const until = performance.now() + fraction * (this.#phaseMs.get(phase) ?? 0);
    while (!end.hasCome && performance.now() < until) await pause(1);
    return !end.hasCome;
  }

  /** What a cycle works at; `plan` also when there is none. */
  phase(): Phase {
    if (this.hasJournal()) return "commit";
    return existsSync(path.join(this.tree, ".dupmirror/stage")) ? "build" : "plan";
  }

  hasJournal(): boolean {
    return existsSync(path.join(this.replica.stateDirectory, "journal.json"));
  }

  isAtTarget(): boolean {
    return this.#position() === this.#targetPosition;
  }

  /** How what is on disk breaks the promises, whenever that is. */
  faultsNow(): string[] {
    const held = this.#heldTrees();
    if (held.length === 0) return ["the position is no set that the update may stop at"];
    const isNew = held.includes(this.update.target);
    if (this.hasJournal() && !(isNew && held.length === 1)) return [];
    const faults = held.map((tree) => this.#differences(tree));
    return faults.some(({ length }) => length === 0) ? [] : faults.flat();
  }

  /** How tree and state differ from those of a replica at rest that has made the update. */
  faultsAtEnd(): string[] {
    const { stateDirectory } = this.replica;
    const isSet = this.#targetPosition === undefined || this.isAtTarget();
    return [
      ...differences(this.update.target, this.tree),
      ...this.leftovers(),
      ...(existsSync(path.join(stateDirectory, "journal.json")) ? ["the journal is left"] : []),
      ...(isSet ? [] : ["the position is not the newest set"]),
    ];
  }

  /** What a run that failed, with no commit to finish, must not leave behind: only what it can go on with. */
  leftoversOfBuild(): string[] {
    const canGoOn = peekUnfinished(this.tree) !== undefined;
    return this.leftovers().filter((left) => !canGoOn || !left.includes(".dupmirror"));
  }

  /** What a run that has ended by itself, with no commit to finish, must not leave behind. */
  leftovers(): string[] {
    return [path.join(this.tree, ".dupmirror"), path.join(this.replica.stateDirectory, "spill")]
      .filter((left) => existsSync(left))
      .map((left) => `${left} is left`);
  }

  #words(): readonly string[] {
    return ["replica", ...this.update.command, "-c", this.replica.configFile];
  }

  /** What the tree may hold by its position; two trees when a repair leads to where it began. */
  #heldTrees(): Model[] {
    const { start, target, via, publication } = this.update;
    const [position, held] = [this.#position(), [] as Model[]];
    if (position === this.#startPosition) held.push(start?.tree ?? EMPTY);
    if (position === this.#targetPosition) held.push(target);
    const [set, tree] = [publication.sets[via ?? -1], publication.trees[via ?? -1]];
    if (set === undefined || tree === undefined || held.length > 0) return held;
    return position?.includes(`"${formatSetName(set)}"`) === true ? [tree] : [];
  }

  #differences(tree: Model): string[] {
    // Until the next run, our working folder in it may have changed the time of the root.
    const isRootTime = (fault: string) => fault.startsWith(".: mtime");
    const isDone = tree === this.update.target;
    return differences(tree, this.tree).filter((fault) => isDone || !isRootTime(fault));
  }

  async #measure(): Promise<void> {
    const command = this.run();
    const end = watchEnd(command);
    let last = this.phase();
    const begins = new Map([[last, performance.now()]]);
    while (!end.hasCome) {
      await pause(1);
      const [phase, now] = [this.phase(), performance.now()];
      if (phase === last) continue;
      if (!begins.has(phase)) begins.set(phase, now);
      // A cycle may build and commit twice.
      if (last !== "plan" || !this.#phaseMs.has(last)) {
        this.#phaseMs.set(last, now - (begins.get(last) ?? now));
      }
      last = phase;
    }
    expect(await command.ended, this.update.name).toMatchObject({ exitCode: 0 });
  }

  get #isMeasured(): boolean {
    return PHASES.every((phase) => this.#phaseMs.has(phase));
  }

  #configure(when: "before" | "after"): void {
    this.update.publication.showHead(this.update[when].head);
    pointReplica(this.replica, this.#settings(when));
  }

  #settings(when: "before" | "after") {
    return {
      sources: [fileUrl(this.update.publication.folder)],
      keyFile: "key",
      more: {
        name: MIRROR,
        owners: "none",
        publishLast: ["**/InRelease"],
        ...this.update[when].more,
      },
    };
  }

  #position(): string | undefined {
    const file = path.join(this.replica.stateDirectory, "position.json");
    return existsSync(file) ? readFileSync(file, "utf8") : undefined;
  }
}

/** The regular files of a model, for a reader. */
export function filesOf(tree: Model | undefined): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const [name, object] of tree ?? []) {
    if (object.type === "file") files.set(name, object.content);
  }
  return files;
}

/** A tree before the first sync. */
const EMPTY: Model = new Map([["", { type: "directory", mode: 0o755, mtime: 0 }]]);

function watchEnd(command: RunningCommand): { readonly hasCome: boolean } {
  const end = { hasCome: false };
  void command.ended.then(() => {
    end.hasCome = true;
  });
  return end;
}

function emptyFolder(folder: string): void {
  for (const name of readdirSync(folder)) removeFolder(path.join(folder, name));
}

function readFolder(folder: string): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const file = path.join(folder, name);
    if (statSync(file).isFile()) files.set(name, readFileSync(file));
  }
  return files;
}
