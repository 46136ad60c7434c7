/** The directories whose times a commit disturbs, and what they shall be afterwards. */
import { compareTreePaths, type TreePath } from "../bytes/tree-path.js";
import type { JournalStep } from "./journal.js";
import type { AttributeStep, LocalObject, PlanRules } from "./plan.js";

/**
 * Every directory that is made or changed inside: those with an entry get its attributes, the others
 * keep what they have now (duplicity-format 4.2, step 4). In index order.
 */
export function touchedDirectories(
  directories: readonly AttributeStep[],
  touched: Iterable<TreePath>,
  lookup: (path: TreePath) => LocalObject | undefined,
  rules: PlanRules,
): JournalStep[] {
  const steps = new Map<TreePath, JournalStep>();
  for (const step of directories) steps.set(step.path, journalStep(step, rules));
  for (const path of touched) {
    const local = steps.has(path) ? undefined : lookup(path);
    if (local?.type === "directory") {
      steps.set(path, { path, mode: local.mode, mtime: local.mtime });
    }
  }
  return [...steps.values()].sort((a, b) => compareTreePaths(a.path, b.path));
}

export function journalStep({ path, attributes }: AttributeStep, rules: PlanRules): JournalStep {
  const { mode, mtime } = attributes;
  return { path, mode, mtime, ...rules.ownerOf(attributes) };
}
