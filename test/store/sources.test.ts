import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { onTestFinished } from "vitest";
import { serveFolders } from "../../src/daemon/static-server.js";
import { openSource } from "../../src/store/open-source.js";
import { retrying } from "../../src/store/retrying-source.js";
import type { Source } from "../../src/store/source.js";
import { temporaryFolder } from "../support/temporary.js";
import { startFaultyServer } from "./faulty-server.js";
import { MemorySource } from "./memory-source.js";
import { neverAborted, PATIENT_LIMITS, testRuntime } from "./runtime.js";
import { describeSource } from "./source-conformance.js";

describeSource("files in a folder", (files) => {
  const folder = temporaryFolder();
  writeFiles(folder, files);
  return Promise.resolve(open(pathToFileURL(folder).href));
});

describeSource("files behind HTTP", async (files) => {
  const server = await startFaultyServer(files);
  return open(server.url);
});

describeSource("files that dupmirror serves on a Unix socket", async (files) => {
  const folder = temporaryFolder();
  writeFiles(path.join(folder, "pub"), files);
  const runtime = testRuntime();
  const server = await serveFolders({
    listen: { path: path.join(folder, "own.sock") },
    folders: new Map([["pub", path.join(folder, "pub")]]),
    runtime,
    signal: neverAborted(),
  });
  onTestFinished(() => server.close());
  return open(`${server.url}/pub`);
});

describeSource("files in memory", (files) =>
  Promise.resolve(new MemorySource("memory", new Map(Object.entries(files)))),
);

describeSource("a source that is asked again", (files) => {
  const memory = new MemorySource("memory", new Map(Object.entries(files)));
  return Promise.resolve(
    retrying(memory, { random: () => 0, attempts: 3, delayMs: 1, restMaxMs: 0 }),
  );
});

function writeFiles(folder: string, files: Readonly<Record<string, Uint8Array>>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  }
}

function open(url: string): Source {
  const source = openSource({ url, limits: PATIENT_LIMITS, runtime: testRuntime() });
  onTestFinished(() => source.close());
  return source;
}
