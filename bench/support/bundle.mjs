/** Parts of the program's source, bundled so that a benchmark can run them by themselves. */
import { existsSync, symlinkSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The file in `folder` that `bench/programs/<name>.mjs` and all that it imports became. */
export async function bundleProgram(folder, name) {
  const modules = path.join(folder, "node_modules");
  if (!existsSync(modules)) symlinkSync(path.join(ROOT, "node_modules"), modules);
  const input = path.join(ROOT, "bench", "programs", `${name}.mjs`);
  const dir = path.join(folder, `program-${name}`);
  const output = {
    dir,
    sourcemap: true,
    entryFileNames: "[name].mjs",
    chunkFileNames: "[name].mjs",
  };
  const external = ["@ronomon/reed-solomon"];
  await build({ input, platform: "node", external, logLevel: "silent", output });
  return path.join(dir, `${name}.mjs`);
}
