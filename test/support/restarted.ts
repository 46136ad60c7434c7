import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Makes a tree look as if the machine had been started since: nothing that it says of a build was written in this run. */
export function restarted(tree: string): void {
  const record = path.join(tree, ".dupmirror/build");
  if (!existsSync(record)) return;
  const text = readFileSync(record, "utf8");
  writeFileSync(record, text.replace(/"boot":"[^"]*"/, '"boot":"another"'));
}
