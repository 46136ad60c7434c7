/**
 * Path patterns of the configuration. `*` and `?` stop at a slash, `**` does not, `[a-z]` is a class. A
 * pattern with a slash (other than at its end) is anchored at the root of the tree; one without names
 * something at any depth. What matches carries all below it. Patterns are UTF-8, paths are bytes.
 */
import { quoted } from "../bytes/quoted.js";
import { type TreePath, toTreePath } from "../bytes/tree-path.js";
import { MirrorError } from "../errors.js";

/** Says whether a path, or a directory above it, matches one of `patterns`. */
export function pathMatcher(patterns: readonly string[]): (path: TreePath) => boolean {
  if (patterns.length === 0) return () => false;
  const regex = compile(`(?:${wholeSources(patterns)})(?:/|$)`);
  return (path) => path !== "" && regex.test(path);
}

/** The number of the last pattern that matches a path, or a directory above it; nothing when none does. */
export function patternRank(patterns: readonly string[]): (path: TreePath) => number | undefined {
  const matchesAny = pathMatcher(patterns);
  const matchers = patterns.map((pattern) => pathMatcher([pattern]));
  return (path) =>
    matchesAny(path) ? matchers.findLastIndex((matches) => matches(path)) : undefined;
}

/**
 * Says whether a replica carries what stands at a path: it matches an include (when there are any) and no
 * exclude, or is a directory on the way to what might.
 */
export function pathFilter(
  include: readonly string[],
  exclude: readonly string[],
): (path: TreePath, isDirectory: boolean) => boolean {
  const isExcluded = pathMatcher(exclude);
  if (include.length === 0) return (path) => !isExcluded(path);
  const isIncluded = pathMatcher(include);
  const leads = compile(`^(?:${include.map(leadSource).join("|")})$`);
  return (path, isDirectory) =>
    path === "" || (!isExcluded(path) && (isIncluded(path) || (isDirectory && leads.test(path))));
}

/**
 * The directories in or below which all lies that `include` can match, or nothing when it can lie
 * anywhere.
 */
export function includedPlaces(include: readonly string[]): readonly TreePath[] | undefined {
  const places: TreePath[] = [];
  for (const pattern of include) {
    const { segments, isAnchored } = parsePattern(pattern);
    const fixed = segments.findIndex((segment) => /[*?[]/.test(segment));
    const literal = fixed === -1 ? segments : segments.slice(0, fixed);
    if (!isAnchored || literal.length === 0) return undefined;
    places.push(toTreePath(literal.join("/")));
  }
  return places.length === 0 ? undefined : places;
}

/**
 * A regular expression's source for all of any of `patterns`. What may begin anywhere is searched, which is faster than
 * `.*`, and for all such patterns at once: each by itself would have every place of a path looked at again.
 */
function wholeSources(patterns: readonly string[]): string {
  const fixed: string[] = [];
  const floating: string[] = [];
  const searched: string[] = [];
  for (const pattern of patterns) {
    const { segments, isAnchored } = parsePattern(pattern);
    const isDeep = segments.length > 1 && segments[0] === "**";
    const [first = "", ...rest] = isDeep ? segments.slice(1) : segments;
    const source = (begin: string) => wholeSource([begin, ...rest]);
    if (isAnchored && !isDeep) fixed.push(source(first));
    else if (isSearched(first, rest)) searched.push(source(first.replace(/^\*+/, "")));
    else floating.push(source(first));
  }
  return [alternatives("^", fixed), alternatives("(?:^|/)", floating), alternatives("", searched)]
    .flat()
    .join("|");
}

/**
 * Whether a star that a pattern begins with stands for whatever comes before the rest, wherever that is found; with
 * another star after that, the search would begin at every place only to run as far from each.
 */
function isSearched(first: string, rest: readonly string[]): boolean {
  return (rest.length === 0 ? /^\*+[^*]+\**$/ : /^\*+[^*]+$/).test(first);
}

function wholeSource(segments: readonly string[]): string {
  return segments.map(segmentSource).join("/").replaceAll("(?:.*)/", ANY_DEPTH);
}

function alternatives(before: string, sources: readonly string[]): string[] {
  return sources.length === 0 ? [] : [`${before}(?:${sources.join("|")})`];
}

/** `**` before a slash. */
const ANY_DEPTH = "(?:.*/)?";

/** A regular expression's source for the directories that lead to what a pattern may match. */
function leadSource(pattern: string): string {
  const { segments, isAnchored } = parsePattern(pattern);
  if (!isAnchored) return ".*";
  const deep = segments.indexOf("**");
  const shown = segments.slice(0, deep === -1 ? -1 : deep).map(segmentSource);
  const below = deep === -1 ? "" : "(?:/.*)?";
  if (shown.length === 0) return deep === -1 ? "" : ".*";
  return shown.reduceRight((rest, segment, at) => {
    const step = at === 0 ? segment : `/${segment}`;
    return `(?:${step}${rest})?`;
  }, below);
}

function parsePattern(pattern: string): { segments: string[]; isAnchored: boolean } {
  if (pattern.includes("\0")) {
    throw new MirrorError("CONFIG_INVALID", `pattern ${quoted(pattern)}: no path has a NUL`);
  }
  const bytes = Buffer.from(pattern, "utf8").toString("latin1");
  const trimmed = bytes.replace(/\/+$/, "");
  const segments = trimmed.split("/").filter((segment) => segment !== "");
  return { segments, isAnchored: trimmed.includes("/") };
}

/** A class never stands for a slash, whatever its ranges hold. */
function classSource(token: string): string {
  const source = token.replace(/^\[!/, "[^").replaceAll("\\", "\\\\");
  try {
    new RegExp(source);
  } catch (cause) {
    throw new MirrorError("CONFIG_INVALID", `pattern with ${quoted(token)}: no class of bytes`, {
      cause,
    });
  }
  return `(?!/)${source}`;
}

function segmentSource(segment: string): string {
  if (segment === "**") return "(?:.*)";
  const parts: string[] = [""];
  for (const [token] of segment.matchAll(/\*+|\[[^\]/]+\]|./gs)) {
    if (token.startsWith("*")) parts.push("");
    else parts.push(`${parts.pop() ?? ""}${tokenSource(token)}`);
  }
  const [first = "", ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return first;
  return `${first}${rest.map(nextSource).join("")}[^/]*${last}`;
}

/**
 * The next place where what stands between two stars matches, and no other: a later one never does better, and a name that
 * is made for it would have every combination of places tried.
 */
function nextSource(part: string): string {
  return `(?=([^/]*?${part}))${GROUP}`;
}

/** Stands for what the group before it has matched, until the groups of all patterns are numbered. */
const GROUP = "\0";

function compile(source: string): RegExp {
  let groups = 0;
  return new RegExp(
    source.replaceAll(GROUP, () => `(?:\\${++groups})`),
    "s",
  );
}

function tokenSource(token: string): string {
  if (token === "?") return "[^/]";
  if (token.length > 1) return classSource(token);
  return /[\\^$.()|{}+[\]]/.test(token) ? `\\${token}` : token;
}
