/** The kinds of values a config is made of; each says what it expected and what it got. */

import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { z } from "zod";
import { quoted } from "../bytes/quoted.js";
import { parseMinute } from "../bytes/timetable.js";
import { parseDuration, parseSize } from "../bytes/units.js";

// Of all schemas that are made from here on: each sees a few small documents, and to compile it takes longer than these.
z.config({ jitless: true });

/** A value that `parse` makes of what stands in the file; undefined is refused. */
function field<T>(expected: string, parse: (value: unknown) => T | undefined) {
  return z.unknown().transform((value, context): T => {
    const parsed = parse(value);
    if (parsed !== undefined) return parsed;
    context.issues.push({
      code: "custom",
      message: `expected ${expected}, got ${show(value)}`,
      input: value,
    });
    return z.NEVER;
  });
}

/** What stands in the file, short enough for a line of an error. */
function show(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a section";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text = typeof value === "string" ? quoted(value) : typeof value;
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}

/** A section of closed keys; an unknown key is an error. */
export function section<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "invalid_type" ? `expected a section, got ${show(issue.input)}` : undefined,
  });
}

export function list<Item extends z.ZodType>(item: Item, atLeast = 0) {
  return z
    .array(item, { error: (issue) => `expected a list, got ${show(issue.input)}` })
    .min(atLeast, { error: `expected at least ${atLeast}, got an empty list` });
}

export function text(expected = "a text") {
  return field(expected, (value) =>
    typeof value === "string" && value !== "" && !value.includes("\0") ? value : undefined,
  );
}

export function flag() {
  return field("true or false", (value) => (typeof value === "boolean" ? value : undefined));
}

export function integer(least: number, most: number) {
  return field(`a whole number from ${least} to ${most}`, (value) =>
    typeof value === "number" && Number.isInteger(value) && value >= least && value <= most
      ? value
      : undefined,
  );
}

/** A path of this machine; a relative one is relative to `folder`. */
export function hostPath(folder: string) {
  return field("a path", (value) =>
    typeof value === "string" && value !== "" && !value.includes("\0") && !isUrl(value)
      ? path.resolve(folder, value)
      : undefined,
  );
}

/** A path below the tree. */
export function treePath() {
  return field("a path below the tree", (value) => {
    if (typeof value !== "string" || value === "" || value.includes("\0")) return undefined;
    const parts = value.split("/");
    return parts.some((part) => part === "" || part === "." || part === "..") ? undefined : value;
  });
}

/** Bytes: `25 MiB`, or a plain number. */
export function size(least: number, most: number) {
  return field("a size such as 25 MiB", (value) => {
    const bytes = typeof value === "string" ? parseSize(value) : value;
    return typeof bytes === "number" &&
      Number.isSafeInteger(bytes) &&
      bytes >= least &&
      bytes <= most
      ? bytes
      : undefined;
  });
}

/** Bytes per second; 0: `off`. */
export function rate() {
  return field("a rate such as 10 MiB, or off", (value) => {
    if (value === "off") return 0;
    const bytes = typeof value === "string" ? parseSize(value) : value;
    return typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes > 0
      ? bytes
      : undefined;
  });
}

/** The minute of a day. */
export function timeOfDay() {
  return field('a time of day such as "08:00"', (value) =>
    typeof value === "string" ? parseMinute(value) : undefined,
  );
}

/** Milliseconds, from a time with its unit: `15m`. */
export function duration(leastMs: number, mostMs: number) {
  return field("a time such as 90s, 15m or 30d", (value) => {
    const ms = typeof value === "string" ? parseDuration(value) : undefined;
    return ms !== undefined && ms >= leastMs && ms <= mostMs ? ms : undefined;
  });
}

/** A percentage, `5%` or 5, as the number before the sign. */
export function percent() {
  return field("a percentage from 0 to 100", (value) => {
    const digits = typeof value === "string" ? /^(\d+(?:\.\d+)?) ?%$/.exec(value)?.[1] : undefined;
    const number = typeof value === "number" ? value : Number(digits);
    return number >= 0 && number <= 100 ? number : undefined;
  });
}

export function oneOf<const Value extends string>(...values: readonly Value[]) {
  return field(values.length === 1 ? String(values[0]) : `one of ${values.join(", ")}`, (value) =>
    values.find((known) => known === value),
  );
}

/** A mirror's or host's name: a word that can stand in a URL and in a file's name. */
export function name() {
  return field("a name of letters, digits, dots, dashes and underscores", (value) =>
    typeof value === "string" && isName(value) ? value : undefined,
  );
}

export function isName(value: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(value);
}

/** Five cron fields, or six with seconds; their meaning is checked where the schedule starts. */
export function schedule() {
  return field('a cron schedule such as "*/15 * * * *"', (value) =>
    typeof value === "string" && /^\s*[\w*,/#?-]+(?:\s+[\w*,/#?-]+){4,5}\s*$/.test(value)
      ? value.trim()
      : undefined,
  );
}

/** `path`: that of a Unix socket. */
export type ListenAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

export function listenAddress() {
  return field("HOST:PORT such as 127.0.0.1:8873, or unix:PATH", (value) =>
    typeof value === "string" ? parseListenAddress(value) : undefined,
  );
}

/** `127.0.0.1:8873`, `[::1]:8873`, `mirror.example:8873`, `unix:/run/x.sock`; undefined when malformed. */
export function parseListenAddress(value: string): ListenAddress | undefined {
  const socket = /^unix:(\/[^:\0]+)$/.exec(value)?.[1];
  if (socket !== undefined) return { path: socket };
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(value);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port <= 65_535)) return undefined;
  if (match?.[1] !== undefined && !URL.canParse(`http://[${host}]`)) return undefined;
  return { host, port };
}

/** A base URL without a slash at its end; a path stands for the file URL of it. */
export function sourceUrl(folder: string) {
  return field("an http(s), unix or file URL", (value) =>
    typeof value === "string"
      ? parseSourceUrl(value, folder, [...HOST_PROTOCOLS, "unix:"])
      : undefined,
  );
}

export function hostUrl(folder: string) {
  return field("an http(s) or file URL", (value) =>
    typeof value === "string" ? parseSourceUrl(value, folder, HOST_PROTOCOLS) : undefined,
  );
}

export function publicUrl() {
  return field("an http(s) URL", (value) =>
    typeof value === "string" ? parseSourceUrl(value, "/", ["http:", "https:"]) : undefined,
  );
}

const HOST_PROTOCOLS = ["http:", "https:", "file:"];

function parseSourceUrl(
  value: string,
  folder: string,
  protocols: readonly string[],
): string | undefined {
  const isPath = /^\.{0,2}\//.test(value) && protocols.includes("file:");
  const url = isPath ? pathToFileURL(path.resolve(folder, value)) : toUrl(value);
  if (url === undefined || !protocols.includes(url.protocol)) return undefined;
  if (url.search !== "" || url.hash !== "") return undefined;
  if (url.protocol === "file:" && !isLocal(url)) return undefined;
  if (url.protocol === "unix:" && !/^unix:\/[^/:][^:]*(?::|:\/[^:]*)?$/.test(url.href))
    return undefined;
  return url.href.replace(/\/+$/, "");
}

function isLocal(url: URL): boolean {
  try {
    return path.isAbsolute(fileURLToPath(url));
  } catch {
    return false; // another machine's name, or an escaped slash
  }
}

function toUrl(value: string): URL | undefined {
  return URL.canParse(value) ? new URL(value) : undefined;
}

function isUrl(value: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(value);
}
