/** Checks that look at more than one key. */

import path from "node:path";
import type { z } from "zod";
import { quoted } from "../bytes/quoted.js";
import { isName } from "./fields.js";

export type Report = (at: readonly (string | number)[], message: string) => void;

interface Mirror {
  readonly name: string;
  readonly tree: string;
  readonly stateDirectory: string;
  readonly publication?: string;
}

/** Mirrors of one config share nothing that they write. */
export function checkMirrors({
  value,
  issues,
}: z.core.ParsePayload<{ readonly mirrors: readonly Mirror[] }>): void {
  const { mirrors } = value;
  for (const key of ["name", "stateDirectory", "publication"] as const) {
    reportRepeated(
      mirrors.map((mirror) => mirror[key]),
      (number, repeated) =>
        issues.push({
          code: "custom",
          path: ["mirrors", number, key],
          message: `expected one for each mirror, got ${repeated} again`,
          input: value,
        }),
    );
  }
}

/** The tree's own name stands in for a name only where it is one. */
export function checkName(
  mirror: { readonly name?: string; readonly tree: string },
  report: Report,
): void {
  const name = mirror.name ?? path.basename(mirror.tree);
  if (!isName(name)) report(["tree"], `the mirror needs a name: ${quoted(name)} is none`);
  if (RESERVED_NAMES.has(name)) report(["name"], `expected another name, ${name} is taken`);
}

/** Calls `report` for every value that stands earlier in the list too. */
export function reportRepeated(
  values: readonly (string | undefined)[],
  report: (number: number, value: string) => void,
): void {
  const seen = new Set<string>();
  values.forEach((value, number) => {
    if (value === undefined) return;
    if (seen.has(value)) report(number, value);
    seen.add(value);
  });
}

/** Whether `folder` is `parent` or lies below it. */
export function isInside(folder: string, parent: string): boolean {
  const relative = path.relative(parent, folder);
  return relative === "" || (relative !== ".." && !relative.startsWith("../"));
}

/** What the master's HTTP server answers itself. */
const RESERVED_NAMES = new Set(["metrics"]);
