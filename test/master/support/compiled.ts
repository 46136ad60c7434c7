/** The sources as JavaScript, for tests that need a process of their own to kill. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Compiles `src` into a folder that finds our dependencies; the caller removes it. */
export function compileSources(): string {
  const folder = mkdtempSync(path.join(ROOT, "node_modules/.dupmirror-test-"));
  writeFileSync(path.join(folder, "package.json"), '{ "type": "module" }\n');
  const sources = path.join(ROOT, "src");
  for (const file of readdirSync(sources, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".ts")) continue;
    const { outputText } = ts.transpileModule(readFileSync(path.join(sources, file), "utf8"), {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2023,
        verbatimModuleSyntax: true,
      },
    });
    const compiled = path.join(folder, file.replace(/\.ts$/, ".js"));
    mkdirSync(path.dirname(compiled), { recursive: true });
    writeFileSync(compiled, outputText);
  }
  return folder;
}
