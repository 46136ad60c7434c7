/** Which set a tree is brought back to. Pure. */
import { formatSetName, parseSetName } from "../duplicity/names.js";
import type { SetId } from "../duplicity/set-id.js";
import { formatTime, parseTime } from "../duplicity/time.js";
import { MirrorError } from "../errors.js";

/** A set of a chain that the publication holds. */
export interface PublishedSet {
  readonly chain: number;
  readonly set: SetId;
  /** No tree is brought to it, only past it. */
  readonly isWithheld: boolean;
}

/** How whoever asked goes on, when there is no such set. */
export interface AskedBy {
  /** The option that named the set. */
  readonly option: string;
  /** What lists the sets that there are. */
  readonly listedBy: string;
}

/**
 * The set that `wanted` names, or the newest that is no later than the time it is.
 * @param sets in order of time
 * @throws MirrorError USAGE when it is neither; GAP when there is no such set to go back to
 */
export function chooseTarget(
  sets: readonly PublishedSet[],
  wanted: string,
  askedBy: AskedBy,
): PublishedSet {
  if (parseSetName(wanted) !== undefined) return findNamed(sets, wanted, askedBy);
  const seconds = parseWhen(wanted);
  if (seconds === undefined) {
    throw new MirrorError(
      "USAGE",
      `${askedBy.option}: expected newest, a set such as full.20231114T221320Z, or a time such as 2023-11-14T22:13:20Z, got ${JSON.stringify(wanted)}`,
    );
  }
  const target = sets.findLast(({ set, isWithheld }) => !isWithheld && set.time <= seconds);
  return target ?? refuse(sets, `no set is as old as ${wanted}`, askedBy);
}

function findNamed(sets: readonly PublishedSet[], name: string, askedBy: AskedBy): PublishedSet {
  const found = sets.find(({ set }) => formatSetName(set) === name);
  if (found === undefined) return refuse(sets, `the publication does not hold ${name}`, askedBy);
  if (!found.isWithheld) return found;
  return refuse(
    sets,
    `${name} is withheld, as its backup had errors: it was never a mirror's tree`,
    askedBy,
  );
}

/** What is written without a zone is UTC, as all times are that we print. */
function parseWhen(text: string): number | undefined {
  const named = parseTime(text);
  if (named !== undefined) return named;
  if (!ISO_TIME.test(text)) return undefined;
  const hasZone = /T.*(?:Z|[-+]\d\d:\d\d)$/.test(text);
  const ms = Date.parse(hasZone || !text.includes("T") ? text : `${text}Z`);
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000);
}

const ISO_TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[-+]\d\d:\d\d)?)?$/;

function refuse(sets: readonly PublishedSet[], why: string, { listedBy }: AskedBy): never {
  const good = sets.filter(({ isWithheld }) => !isWithheld);
  const [first, last] = [good[0], good.at(-1)];
  const held =
    first === undefined || last === undefined
      ? "it holds none"
      : `it holds ${good.length} sets from ${formatTime(first.set.time)} to ${formatTime(last.set.time)}`;
  const advice = `${listedBy} lists them`;
  throw new MirrorError("GAP", `cannot go back: ${why}; ${held}: ${advice}`);
}
