/** YAML text to a checked value; every problem is told with its place: `file:line:column: path: expected X, got Y`. */

import { type Document, isMap, isScalar, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { shown } from "../bytes/quoted.js";
import { MirrorError } from "../errors.js";

/** @throws MirrorError CONFIG_INVALID, one problem a line. */
export function loadConfig<T>(schema: z.ZodType<T>, text: string, file: string): T {
  const lines = new LineCounter();
  const document = parseYaml(text, file, lines);
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const errors = document.errors.slice(0, PROBLEMS_MAX);
  refuse(errors.map((error) => `${place(error.pos[0])}: ${shown(firstLine(error.message))}`));
  const result = schema.safeParse(toValue(document, file));
  if (result.success) return result.data;
  const problems = result.error.issues
    .flatMap(toProblems)
    .slice(0, PROBLEMS_MAX)
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

/** Reads YAML of a human's size and depth: more would take the parser's time, or its whole stack. */
export function parseYaml(text: string, file: string, lineCounter = new LineCounter()): Document {
  const problem = findExcess(text);
  if (problem !== undefined) throw new MirrorError("CONFIG_INVALID", `${file}:${problem}`);
  return parseDocument(text, { lineCounter, prettyErrors: false });
}

function findExcess(text: string): string | undefined {
  if (text.length > CONFIG_MAX_LENGTH) {
    return `1:1: ${text.length} characters, ${CONFIG_MAX_LENGTH} at most`;
  }
  const indented = text.split("\n").findIndex((line) => TOO_DEEP.test(line));
  if (indented >= 0) return `${indented + 1}:1: nested too deep`;
  return openBrackets(text) > BRACKETS_MAX ? "1:1: nested too deep" : undefined;
}

const CONFIG_MAX_LENGTH = 1024 * 1024;
const BRACKETS_MAX = 100;
/** Every level takes a column, or a sign and one. */
const TOO_DEEP = /^[ \t?:-]{200}/;

/** Problems that are told at once. */
const PROBLEMS_MAX = 20;

/** The most that are open at a time; those in texts count, as they are few. */
function openBrackets(text: string): number {
  let open = 0;
  let most = 0;
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    open = bracket === "[" || bracket === "{" ? open + 1 : Math.max(0, open - 1);
    most = Math.max(most, open);
  }
  return most;
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
