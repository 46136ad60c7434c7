/** What became of each host when it was last asked, for `status` and metrics; no cycle depends on it. */
import path from "node:path";
import { parseJson } from "../bytes/json.js";
import type { MasterMirror } from "../config/master.js";
import { makeFolder, replaceFile } from "../disk/durable.js";
import { readFileIfPresent } from "../disk/files.js";
import type { HostReport } from "./report.js";

export function writeHostStates(stateDirectory: string, states: readonly HostReport[]): void {
  makeFolder(stateDirectory);
  replaceFile(statesPath(stateDirectory), Buffer.from(`${JSON.stringify(states)}\n`));
}

/** One for each host of the config, also for those that were never asked. */
export function readHostStates(
  config: Pick<MasterMirror, "hosts" | "stateDirectory">,
): HostReport[] {
  const bytes = readFileIfPresent(statesPath(config.stateDirectory));
  const stored = bytes === undefined ? [] : parseJson(Buffer.from(bytes).toString());
  const known = Array.isArray(stored) ? stored.flatMap(toHostReport) : [];
  return config.hosts.map(({ name, shares }) => {
    const state = known.find((other) => other.name === name) ?? UNASKED;
    return { ...state, name, shares };
  });
}

const UNASKED: Omit<HostReport, "name" | "shares"> = {
  state: "behind",
  error: "nothing was pushed to it yet",
  behindSince: undefined,
  generation: undefined,
  missingBytes: undefined,
};

function toHostReport(value: unknown): HostReport[] {
  if (!isRecord(value)) return [];
  const { name, state, error, behindSince, generation, missingBytes } = value;
  if (typeof name !== "string") return [];
  return [
    {
      name,
      shares: [],
      state: state === "current" ? "current" : "behind",
      error: typeof error === "string" ? error : undefined,
      behindSince: toNumber(behindSince),
      generation: toNumber(generation),
      missingBytes: toNumber(missingBytes),
    },
  ];
}

function toNumber(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function statesPath(stateDirectory: string): string {
  return path.join(stateDirectory, "host-states");
}
