/**
 * The first phase of a replay: new and changed files are written below the stage, where they have
 * the paths they will have in the tree. The tree is only read.
 */
import assert from "node:assert/strict";
import type { TreePath } from "../bytes/tree-path.js";
import type { ConfinedTree } from "../disk/confined.js";
import type { SpecialObject } from "../manifest/contents.js";
import type { LocatedFile } from "../retrieve/stripes.js";
import type { Log, Progress } from "../runtime.js";
import type { BuildPort, BuildResult } from "./build-port.js";
import type { BuildSite } from "./build-site.js";
import type { PlanCounts } from "./plan.js";
import { stripesOf } from "./wanted-stripes.js";
import { byOrigin, type PlannedSet } from "./work.js";

export interface BuildOptions {
  readonly tree: ConfinedTree;
  readonly sets: readonly PlannedSet[];
  readonly counts: PlanCounts;
  readonly site: BuildSite;
  readonly makeSpecial: (path: TreePath, object: SpecialObject) => Promise<void>;
  readonly log: Log;
  /** Told of the bytes that are staged, now and then. */
  readonly onStaged: (bytes: number) => void;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Stages all that the sets' needed entries ask for; returns the files whose base was not what the delta expects. */
export async function buildStage(options: BuildOptions): Promise<readonly TreePath[]> {
  const { written, patched, special } = options.counts;
  const port = options.site.open(written + patched + special);
  await feedPort(port, options);
  const result = await port.finish();
  await makeSpecials(result, options);
  return result.damaged;
}

async function feedPort(port: BuildPort, options: BuildOptions): Promise<void> {
  const { counts, onStaged, progress, signal } = options;
  for (const { origin, sets } of byOrigin(options.sets)) {
    // The origin gives back the files that it was asked for: by identity, their sets are known.
    const setOf = new Map<LocatedFile, number>();
    const requests = stripesOf(sets, {
      page: (page) => port.addPage(page),
      volume: (file, set) => setOf.set(file, set),
    });
    for await (const { file, offset, bytes } of origin.read(requests, signal)) {
      const set = setOf.get(file);
      assert(set !== undefined, "a volume that nobody asked for");
      const doneBytes = await port.feed({ set, volume: file.file.number, offset, bytes });
      onStaged(doneBytes);
      progress("build", doneBytes, counts.stagedBytes);
    }
  }
}

/** Fifos and devices: each costs a process, so they come last. */
async function makeSpecials(result: BuildResult, options: BuildOptions): Promise<void> {
  for (const path of result.skipped) {
    options.log.warn("device.skipped", { path, reason: "only root can make devices" });
  }
  for (const { path, object, attributes } of result.specials) {
    await options.makeSpecial(path, object);
    options.tree.setAttributes(path, attributes);
  }
}
