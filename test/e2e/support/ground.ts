/**
 * Plain work on a tree with names of any bytes, and what stands where in it. Paths are latin1, one character a byte; the
 * root is the empty string. Nothing here sets times: whoever changes the ground does.
 */
import {
  chmodSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { execaSync } from "execa";

export type Kind = "file" | "directory" | "symlink" | "fifo" | "device";

export class Ground {
  readonly #root: string;
  readonly #workshop: string;
  readonly #kinds = new Map<string, Kind>([["", "directory"]]);

  /** `workshop` is a folder on the same file system, where things are made that only a program can make. */
  constructor(root: string, workshop: string) {
    this.#root = root;
    this.#workshop = workshop;
    mkdirSync(root, { recursive: true });
    mkdirSync(workshop, { recursive: true });
  }

  /** The root included. */
  get count(): number {
    return this.#kinds.size;
  }

  kindOf(place: string): Kind | undefined {
    return this.#kinds.get(place);
  }

  /** The paths of all objects of these kinds, parents before children in no other order. */
  paths(...kinds: readonly Kind[]): string[] {
    const found = [...this.#kinds].filter(([, kind]) => kinds.length === 0 || kinds.includes(kind));
    return found.map(([place]) => place);
  }

  below(directory: string): string[] {
    return this.paths().filter((place) => isBelow(place, directory));
  }

  read(file: string): Buffer {
    return readFileSync(this.#host(file));
  }

  stat(place: string): Stats {
    return lstatSync(this.#host(place));
  }

  writeFile(place: string, content: Uint8Array): void {
    this.#clearFor(place, "file");
    writeFileSync(this.#host(place), content);
  }

  makeDirectory(place: string): void {
    this.#clearFor(place, "directory");
    mkdirSync(this.#host(place), { recursive: true });
  }

  symlink(place: string, target: string): void {
    this.remove(place);
    symlinkSync(Buffer.from(target, "latin1"), this.#host(place));
    this.#kinds.set(place, "symlink");
  }

  /** Another name of `file`. */
  link(file: string, place: string): void {
    this.remove(place);
    linkSync(this.#host(file), this.#host(place));
    this.#kinds.set(place, "file");
  }

  makeFifo(place: string): void {
    this.#makeWith(place, "fifo", (made) => ["mkfifo", made]);
  }

  /** The null device; for root only. */
  makeDevice(place: string): void {
    this.#makeWith(place, "device", (made) => ["mknod", made, "c", "1", "3"]);
  }

  /** Removes `place` and all below it. */
  remove(place: string): void {
    rmSync(this.#host(place), { recursive: true, force: true });
    for (const gone of [place, ...this.below(place)]) this.#kinds.delete(gone);
  }

  /** `to` must not lie below `from`; what stands there goes. */
  move(from: string, to: string): void {
    this.remove(to);
    renameSync(this.#host(from), this.#host(to));
    const moved = [...this.#kinds].filter(([place]) => place === from || isBelow(place, from));
    for (const [place] of moved) this.#kinds.delete(place);
    for (const [place, kind] of moved) this.#kinds.set(to + place.slice(from.length), kind);
  }

  setMode(place: string, mode: number): void {
    chmodSync(this.#host(place), mode);
  }

  setOwner(place: string, uid: number, gid: number): void {
    lchownSync(this.#host(place), uid, gid);
  }

  setTime(place: string, seconds: number): void {
    // Node takes a negative number for "now", but not a string of it.
    lutimesSync(this.#host(place), String(seconds), String(seconds));
  }

  #clearFor(place: string, kind: Kind): void {
    if (this.kindOf(place) !== kind) this.remove(place);
    this.#kinds.set(place, kind);
  }

  /** Programs take no names of any bytes, so they make it elsewhere. */
  #makeWith(place: string, kind: Kind, command: (made: string) => readonly string[]): void {
    const made = path.join(this.#workshop, "made");
    const [program = "", ...words] = command(made);
    execaSync(program, words);
    this.remove(place);
    renameSync(made, this.#host(place));
    this.#kinds.set(place, kind);
  }

  #host(place: string): Buffer {
    const below = Buffer.from(place === "" ? "" : `/${place}`, "latin1");
    return Buffer.concat([Buffer.from(this.#root), below]);
  }
}

export function isBelow(place: string, directory: string): boolean {
  if (directory === "") return place !== "";
  return place.startsWith(`${directory}/`);
}

/** The directory that holds `place`. */
export function parentOf(place: string): string {
  return place.slice(0, Math.max(0, place.lastIndexOf("/")));
}

export function childOf(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}
