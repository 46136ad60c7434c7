/** What `runProgram` needs, as another process of plain node can load it. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import typescript from "typescript";
import { temporaryFolder } from "../support/temporary.js";

const PROJECT = path.resolve(import.meta.dirname, "../..");

/** A folder with the modules; it is gone when the test ends. */
export function transpiled(): string {
  const folder = temporaryFolder();
  mkdirSync(path.join(folder, "programs"));
  symlinkSync(path.join(PROJECT, "node_modules"), path.join(folder, "node_modules"));
  writeFileSync(path.join(folder, "package.json"), JSON.stringify({ type: "module" }));
  for (const name of ["errors", "limits", "programs/run"]) {
    const source = readFileSync(path.join(PROJECT, "src", `${name}.ts`), "utf8");
    const { ESNext } = typescript.ModuleKind;
    const { outputText } = typescript.transpileModule(source, {
      compilerOptions: { module: ESNext, target: typescript.ScriptTarget.ES2022 },
    });
    writeFileSync(path.join(folder, `${name}.js`), outputText);
  }
  return folder;
}
