/**
 * The command in as few files as its commands need: node takes half a millisecond for every module that it
 * loads, and a replica that follows is started often. Types are checked by tsc.
 */
import { defineConfig } from "rolldown";

export default defineConfig({
  // The threads of large builds and of comparisons are programs of their own; whoever starts one looks beside itself.
  input: {
    main: "src/cli/main.ts",
    "build-worker": "src/replica/build-worker.ts",
    "compare-worker": "src/replica/compare-worker.ts",
  },
  platform: "node",
  // An addon cannot be bundled. The others read files of their own, or serve daemons only, which start once.
  external: [
    "@ronomon/reed-solomon",
    "chokidar",
    "cli-progress",
    "fastify",
    "node-cron",
    "pino",
    "prom-client",
  ],
  // Names with hashes: a process that runs on while we build loads nothing of another build.
  output: { dir: "dist/cli", cleanDir: true, sourcemap: true },
});
