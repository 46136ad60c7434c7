/** Every scenario, in the order in which they run and stand in results.md. */
import { badSources } from "./scenarios/bad-sources.mjs";
import { changedFiles } from "./scenarios/changed-files.mjs";
import { erasure } from "./scenarios/erasure.mjs";
import { firstMirror } from "./scenarios/first-mirror.mjs";
import { image } from "./scenarios/image.mjs";
import { manyReplicas } from "./scenarios/many-replicas.mjs";
import { signatures } from "./scenarios/signatures.mjs";
import { throughput } from "./scenarios/throughput.mjs";
import { treeSize } from "./scenarios/tree-size.mjs";
import { weekBehind } from "./scenarios/week-behind.mjs";

/**
 * A scenario: `name`, `title`, `about` (what is measured), `peers` (programs it compares with), `sizes`, `notes` (paragraphs that
 * explain the figures), and `run`, which measures and reports.
 */
export const SCENARIOS = [
  firstMirror,
  treeSize,
  changedFiles,
  weekBehind,
  manyReplicas,
  image,
  throughput,
  badSources,
  erasure,
  signatures,
];
