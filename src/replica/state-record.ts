/** The records of the state directory: JSON of a known shape, one value in a file. */
import { z } from "zod";
import { parseJson } from "../bytes/json.js";
import { type TreePath, toTreePath } from "../bytes/tree-path.js";
import { replaceFile } from "../disk/durable.js";
import { readFileIfPresent } from "../disk/files.js";
import { MirrorError } from "../errors.js";

/** A record that a cycle depends on; `otherwise` says what it is not, and what to do about it. @throws MirrorError DISK_FAILED */
export function readRecord<T>(
  file: string,
  parse: (json: unknown) => T,
  otherwise: string,
): T | undefined {
  const bytes = readFileIfPresent(file);
  if (bytes === undefined) return undefined;
  try {
    return parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new MirrorError("DISK_FAILED", `${file}: ${otherwise}`, { cause });
  }
}

/** A record that nothing depends on: undefined, too, where what is stored is none. */
export function readNote<Shape extends z.ZodType>(
  file: string,
  shape: Shape,
): z.output<Shape> | undefined {
  const bytes = readFileIfPresent(file);
  if (bytes === undefined) return undefined;
  return shape.safeParse(parseJson(new TextDecoder().decode(bytes))).data;
}

/** Durable when it returns. */
export function writeRecord(file: string, json: unknown): void {
  replaceFile(file, new TextEncoder().encode(JSON.stringify(json)));
}

export const pathShape = z.string().transform((path): TreePath => toTreePath(path));
