import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import typescript from "typescript";
import { expect, test } from "vitest";

const SOURCE = fileURLToPath(new URL("../../src/disk/thread.ts", import.meta.url));

test("lowers the priority of the thread that asks, and of no other", async () => {
  const { outputText } = typescript.transpileModule(readFileSync(SOURCE, "utf8"), {
    compilerOptions: { module: typescript.ModuleKind.CommonJS, esModuleInterop: true },
  });
  const worker = `${outputText}; const os = require("node:os");
    const thread = exports.lowerThreadPriority();
    require("node:worker_threads").parentPort.postMessage([thread, os.getPriority(thread)]);`;
  const main = `const { Worker } = require("node:worker_threads");
    const worker = new Worker("const exports = {};" + process.argv[1], { eval: true });
    worker.on("message", ([thread, priority]) => {
      const own = require("node:os").getPriority();
      console.log(JSON.stringify({ isOther: thread !== process.pid, priority, own }));
    });`;
  const { stdout } = await execa(process.execPath, ["-e", main, worker]);
  const { getPriority } = await import("node:os");
  expect(JSON.parse(stdout)).toEqual({ isOther: true, priority: 19, own: getPriority() });
});
