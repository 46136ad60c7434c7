/** What `node --cpu-prof` wrote, summed up by source file. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

/**
 * The threads that ran, the busiest first: how long each was busy, and its own time in each file of the source, in packages, and in
 * what is not JavaScript, most first.
 */
export function readProfiles(folder) {
  const files = readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"));
  const threads = files.map((name) => {
    return summarize(JSON.parse(readFileSync(path.join(folder, name), "utf8")));
  });
  return threads.sort((a, b) => b.busySeconds - a.busySeconds);
}

function summarize({ nodes, samples, timeDeltas }) {
  const nameOf = new Map(nodes.map(({ id, callFrame }) => [id, placeOf(callFrame)]));
  const spent = new Map();
  for (const [at, id] of samples.entries()) {
    const name = nameOf.get(id);
    // A sample stands for the time until the next one.
    spent.set(name, (spent.get(name) ?? 0) + (timeDeltas[at + 1] ?? 0) / 1e6);
  }
  spent.delete(IDLE);
  const places = [...spent].sort(([, a], [, b]) => b - a);
  const busySeconds = places.reduce((sum, [, seconds]) => sum + seconds, 0);
  return { busySeconds, places };
}

const IDLE = "(idle)";
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

function placeOf({ functionName, url, lineNumber, columnNumber }) {
  if (url === "") return WORDS[functionName] ?? `${functionName} of node, native`;
  if (!url.startsWith("file:")) return url;
  const file = fileURLToPath(url);
  return shorten(originalOf(file, lineNumber, columnNumber) ?? file);
}

/** The profiler's own names. */
const WORDS = {
  [IDLE]: IDLE,
  "(program)": "native code and system calls",
  "(garbage collector)": "garbage collection",
};

const maps = new Map();

function originalOf(file, line, column) {
  if (!maps.has(file)) maps.set(file, readMap(file));
  const source = maps.get(file)?.findEntry(line, column).originalSource;
  return source === undefined ? undefined : path.resolve(path.dirname(file), source);
}

function readMap(file) {
  if (!existsSync(`${file}.map`)) return undefined;
  return new SourceMap(JSON.parse(readFileSync(`${file}.map`, "utf8")));
}

/** `src/retrieve/gathering.ts`, or the name of a package. */
function shorten(file) {
  const inPackage = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1];
  return inPackage ?? path.relative(ROOT, file);
}
