/**
 * The command in as few files as its commands need, each with the code that V8 makes of it: node takes half a millisecond
 * for every module that it loads, and V8 longer to compile them all. A replica that follows is started often. Types are
 * checked by tsc.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setFlagsFromString } from "node:v8";
import { defineConfig } from "rolldown";
import launcher from "./launcher.cjs";

export default defineConfig({
  // The threads of large builds and of comparisons are programs of their own; whoever starts one looks beside itself.
  input: {
    command: "src/cli/main.ts",
    "build-worker": "src/replica/build-worker.ts",
    "compare-worker": "src/replica/compare-worker.ts",
  },
  platform: "node",
  // An addon cannot be bundled. The others read files of their own, or serve daemons only, which start once.
  external: [
    "@ronomon/reed-solomon",
    "cli-progress",
    "fastify",
    "node-cron",
    "pino",
    "prom-client",
  ],
  plugins: [launched()],
  // Names with hashes: a process that runs on while we build loads nothing of another build.
  output: { dir: "dist/cli", format: "cjs", cleanDir: true, sourcemap: true },
});

/** Puts the launcher before the command, and beside each bundle the code that V8 makes of it. */
function launched() {
  return {
    name: "launched",
    generateBundle() {
      const source = readFileSync(new URL("launcher.cjs", import.meta.url));
      this.emitFile({ type: "asset", fileName: "main.js", source });
      this.emitFile({
        type: "asset",
        fileName: "package.json",
        source: '{ "type": "commonjs" }\n',
      });
    },
    writeBundle({ dir }, files) {
      mkdirSync(path.join(dir, launcher.CODE_FOLDER));
      for (const { type, fileName } of Object.values(files)) {
        if (type !== "chunk") continue;
        const bundle = path.resolve(dir, fileName);
        const source = readFileSync(bundle, "utf8");
        const code = codeOf(bundle, source);
        const sealed = Buffer.concat([code, launcher.seal(code, source)]);
        writeFileSync(path.join(dir, launcher.CODE_FOLDER, fileName), sealed);
      }
    },
  };
}

/** Of all functions in the bundle: V8 by itself leaves most of them for their first call. */
function codeOf(bundle, source) {
  setFlagsFromString("--no-lazy");
  const script = launcher.compile(bundle, source);
  setFlagsFromString("--lazy"); // code counts for the flags that it was made with
  return script.createCachedData();
}
