/** YAML text to a checked value; every problem is told with its place: `file:line:column: path: expected X, got Y`. */

import { type Document, isMap, isScalar, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { shown } from "../bytes/quoted.js";
import { MirrorError } from "../errors.js";

/** @throws MirrorError CONFIG_INVALID, one problem a line. */
export function loadConfig<T>(schema: z.ZodType<T>, text: string, file: string): T {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  refuse(
    document.errors.map((error) => `${place(error.pos[0])}: ${shown(firstLine(error.message))}`),
  );
  const result = schema.safeParse(toValue(document, file));
  if (result.success) return result.data;
  const problems = result.error.issues
    .flatMap(toProblems)
    .map((problem) => ({ ...problem, offset: findOffset(document, problem) }))
    .sort((a, b) => a.offset - b.offset);
  refuse(
    problems.map(({ path, message, offset }) => {
      const where = formatPath(path);
      return `${place(offset)}: ${where === "" ? "" : `${where}: `}${message}`;
    }),
  );
  throw new MirrorError("CONFIG_INVALID", `${file}: refused`);
}

function toValue(document: Document, file: string): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    // yaml throws for aliases without an anchor, and for too many of them
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MirrorError("CONFIG_INVALID", `${file}: ${shown(why)}`, { cause });
  }
}

interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** The problem is the key, not its value. */
  readonly atKey: boolean;
}

function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw new MirrorError("CONFIG_INVALID", problems.join("\n"));
}

function toProblems(issue: z.core.$ZodIssue): Problem[] {
  if (issue.code !== "unrecognized_keys") {
    return [{ path: issue.path, message: issue.message, atKey: false }];
  }
  return issue.keys.map((key) => ({
    path: [...issue.path, key],
    message: "unknown key",
    atKey: true,
  }));
}

/** Where the problem's node begins; a value that is not there is told at the deepest node that is. */
function findOffset(document: Document, problem: Problem): number {
  for (let length = problem.path.length; length >= 0; length--) {
    const path = problem.path.slice(0, length);
    const key = problem.atKey ? findKey(document, path) : undefined;
    const range = key ?? rangeOf(length === 0 ? document.contents : document.getIn(path, true));
    if (range !== undefined) return range;
  }
  return 0;
}

function findKey(document: Document, path: readonly PropertyKey[]): number | undefined {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return undefined;
  const pair = parent.items.find((item) => isScalar(item.key) && item.key.value === path.at(-1));
  return rangeOf(pair?.key);
}

function rangeOf(node: unknown): number | undefined {
  if (typeof node !== "object" || node === null || !("range" in node)) return undefined;
  return Array.isArray(node.range) && typeof node.range[0] === "number" ? node.range[0] : undefined;
}

function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    const key = shown(String(part));
    return text === "" ? key : `${text}.${key}`;
  }, "");
}

function firstLine(message: string): string {
  return message.split("\n", 1)[0] ?? message;
}
