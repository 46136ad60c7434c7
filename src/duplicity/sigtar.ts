/** Reads the entries of a signature archive (duplicity-format 5.1, 5.2). */
import { displayPath, type TreePath } from "../bytes/tree-path.js";
import { MirrorError } from "../errors.js";
import { checkDeletion, entryPath, splitEntryName } from "./difftar.js";
import { EntryOrder } from "./entry-order.js";
import { TarReader } from "./tar.js";
import type { TarHeader } from "./tar-header.js";

export interface SigtarEntry {
  /** `signature`: a file, its data being its librsync signature; `snapshot`: any other object. */
  readonly kind: "signature" | "snapshot" | "deleted";
  readonly path: TreePath;
  /** Of the signature; 0 for the other kinds. */
  readonly sizeBytes: number;
}

export type SigtarEvent =
  | { readonly kind: "entry"; readonly entry: SigtarEntry }
  /** The next part of the signature: a view of the piece that was pushed. */
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | { readonly kind: "end" };

/** Reads one signature archive, given in pieces of any size. Throws MirrorError FORMAT_INVALID and PATH_REFUSED. */
export class SigtarReader {
  readonly #what: string;
  readonly #order = new EntryOrder();
  readonly #tar: TarReader;

  /** `what` names the archive in messages. */
  constructor(what: string) {
    this.#what = what;
    this.#tar = new TarReader(what);
  }

  /** What `chunk` completes. */
  push(chunk: Uint8Array): readonly SigtarEvent[] {
    return this.#tar.push(chunk).map((event) => {
      if (event.kind !== "entry") return event;
      const entry = interpret(event.header, this.#what);
      this.#order.check(entry, this.#what);
      return { kind: "entry", entry };
    });
  }

  /** To be called when nothing follows. */
  finish(): void {
    this.#tar.finish();
  }
}

function interpret(header: TarHeader, what: string): SigtarEntry {
  const { kind, rest } = splitEntryName(header.name, what);
  const path = entryPath(rest);
  const { sizeBytes } = header;
  const isFile = header.object.type === "file";
  switch (kind) {
    case "signature":
      if (isFile) return { kind, path, sizeBytes };
      break;
    case "snapshot":
      if (!isFile) return { kind, path, sizeBytes };
      break;
    case "deleted":
      checkDeletion(header, path, what);
      return { kind, path, sizeBytes };
  }
  throw new MirrorError(
    "FORMAT_INVALID",
    `${what}: entry ${displayPath(header.name)} is a ${header.object.type}, which its kind cannot be`,
  );
}
