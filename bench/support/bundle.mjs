/** Parts of the program's source as modules that a benchmark can run by themselves. */
import { existsSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "rolldown";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The URL of a module in `folder` made of `lines`, in which "src/..." and "bench/..." are files of the project. */
export async function bundleSource(folder, name, lines) {
  const modules = path.join(folder, "node_modules");
  if (!existsSync(modules)) symlinkSync(path.join(ROOT, "node_modules"), modules);
  const input = path.join(folder, `${name}-entry.ts`);
  const text = lines.join("\n").replace(/"((?:src|bench)\/[^"]+)"/g, (_, file) => {
    return JSON.stringify(path.join(ROOT, file));
  });
  writeFileSync(input, text);
  const file = path.join(folder, `${name}.mjs`);
  const external = [/^@ronomon\//];
  await build({ input, platform: "node", external, logLevel: "silent", output: { file } });
  return pathToFileURL(file).href;
}
