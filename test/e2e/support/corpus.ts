/** The corpora of test/fixtures/make-corpus.sh: a nasty tree in five states, backed up and restored by duplicity itself. */
import path from "node:path";
import { describe, inject } from "vitest";
import type {} from "./global-setup.js";

export interface Corpus {
  /** The repository as it was after the backup of a state. */
  repository(state: number): string;
  /** What `duplicity restore` makes of a state. */
  restored(state: number): string;
  /** The tree that was backed up. */
  source(state: number): string;
}

export type CorpusName = "plain" | "gzip";

/** States 1 to 4 are one chain, 5 begins another. */
export const STATES = [1, 2, 3, 4, 5] as const;

/** `describe`, skipped with a warning where duplicity is not installed. */
export const describeWithDuplicity = describe.skipIf("skipped" in inject("corpora"));

export function openCorpus(name: CorpusName): Corpus {
  const corpora = inject("corpora");
  if ("skipped" in corpora) throw new Error(corpora.skipped);
  const at = (part: string) => (state: number) => path.join(corpora.folder, name, part, `${state}`);
  return { repository: at("repos"), restored: at("restored"), source: at("states") };
}
