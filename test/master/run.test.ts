import { cpSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { MasterMirror } from "../../src/config/master.js";
import { askControl } from "../../src/daemon/control-socket.js";
import type { Notifier } from "../../src/daemon/notify.js";
import { runMaster } from "../../src/master/run.js";
import { masterStatus } from "../../src/master/status.js";
import type { LogFields } from "../../src/runtime.js";
import { fastTemporaryFolder, lastingFolder, removeFolder } from "../support/temporary.js";
import { type Bench, makeBench } from "./support/master-bench.js";
import {
  copyRepository,
  filesWith,
  keepSets,
  makeRepository,
  NO_DUPLICITY,
} from "./support/repositories.js";

describe.skipIf(NO_DUPLICITY)(`a master that runs ${NO_DUPLICITY ?? ""}`, () => {
  const made = lastingFolder();
  beforeAll(() => makeRepository(made, { increments: 2, files: 20 }));
  afterAll(() => removeFolder(made));

  interface Running extends Bench {
    /** Resolves when the log has told of the event so often. */
    logged(event: string, times?: number): Promise<void>;
    addSets(): void;
    /** Of the HTTP server. */
    url(): string;
    readonly ended: Promise<void>;
    stop(): void;
  }

  /** Starts a daemon on a repository that has only its full set at first. */
  function start(change: Partial<MasterMirror> = {}): Running {
    const folder = fastTemporaryFolder();
    copyRepository(made, folder);
    const { duplicity } = makeBench(folder).config;
    const bench = makeBench(folder, { ...change, duplicity: { ...duplicity, engine: "external" } });
    keepSets(bench.config.repository, 1);
    const told = new Map<string, number>();
    const waiting: (() => void)[] = [];
    let url = "";
    const note = (event: string, fields: LogFields = {}): void => {
      if (event === "http.listening") url = String(fields["url"]);
      told.set(event, (told.get(event) ?? 0) + 1);
      for (const look of waiting) look();
    };
    const stopper = new AbortController();
    const notifier: Notifier = {
      ready: () => note("ready"),
      status: () => undefined,
      stopping: () => note("stopping"),
    };
    const ended = runMaster({
      config: { mirrors: [bench.config] },
      runtime: { ...bench.runtime, log: { debug: note, info: note, warn: note, error: note } },
      notifier,
      stop: () => stopper.abort(),
      signal: stopper.signal,
    });
    onTestFinished(async () => {
      stopper.abort();
      await ended;
    });
    return {
      ...bench,
      ended,
      url: () => url,
      stop: () => stopper.abort(),
      logged: (event, times = 1) =>
        new Promise((resolve) => {
          const look = (): void => {
            if ((told.get(event) ?? 0) >= times) resolve();
          };
          waiting.push(look);
          look();
        }),
      addSets: () => {
        for (const file of filesWith(path.join(made, "repository"), "")) {
          cpSync(file, path.join(bench.config.repository, path.basename(file)));
        }
      },
    };
  }

  const ask = async ({ config }: Bench, request: "trigger" | "status" | "stop") =>
    await askControl({
      directory: config.stateDirectory,
      request,
      timeoutMs: 30_000,
      signal: new AbortController().signal,
    });

  it("publishes at once, and again when it is asked", async () => {
    const master = start();
    await master.logged("cycle.published");
    expect(masterStatus(master.config).head?.generation).toBe(1);
    master.addSets();
    const answer = await ask(master, "trigger");
    expect(answer).toMatchObject({ kind: "done", value: { generation: 2, published: "sets" } });
    expect(await ask(master, "status")).toMatchObject({ value: { head: { generation: 2 } } });
  });

  it("tells whoever asked why a cycle failed, and goes on", async () => {
    const master = start();
    await master.logged("cycle.published");
    for (const file of filesWith(master.config.repository, "")) removeFolder(file);
    expect(await ask(master, "trigger")).toMatchObject({
      kind: "failed",
      code: "REPOSITORY_INVALID",
    });
    expect(masterStatus(master.config).lastCycle?.error).toContain("REPOSITORY_INVALID");
    master.addSets();
    expect(await ask(master, "trigger")).toMatchObject({ kind: "done" });
  });

  it("publishes when somebody else's duplicity has written a set", async () => {
    const master = start({ watch: true });
    await master.logged("cycle.published");
    await master.logged("watch.ready");
    master.addSets();
    await master.logged("cycle.published", 2);
    expect(masterStatus(master.config).head?.newest).toMatch(/to\.20231116T221320Z$/);
  });

  it("refreshes its head before it grows old", async () => {
    const master = start({ headLifetimeMs: 2000 });
    await master.logged("cycle.published", 3);
    expect(masterStatus(master.config).head?.generation).toBeGreaterThanOrEqual(3);
  });

  it("lets nobody else publish, and ends when it is told to", async () => {
    const master = start();
    await master.logged("ready");
    await expect(master.publish()).rejects.toMatchObject({ code: "LOCKED" });
    expect(await ask(master, "stop")).toMatchObject({ kind: "done" });
    await master.ended;
    expect((await master.publish()).generation).toBe(1);
  });

  it("serves the publication", async () => {
    const url = pathToFileURL(fastTemporaryFolder()).href;
    const hosts = [{ name: "a", url, shares: [0, 1, 2] }];
    const master = start({ http: { listen: { host: "127.0.0.1", port: 0 } }, hosts });
    await master.logged("ready");
    await master.logged("cycle.published");
    const head = await fetch(`${master.url()}/pub/head`);
    expect(await head.text()).toContain('"generation": 1');
    const metrics = await (await fetch(`${master.url()}/metrics`)).text();
    expect(metrics).toContain('dupmirror_master_generation{mirror="pub"} 1');
    expect(metrics).toContain('dupmirror_master_missed_files{mirror="pub"} 0');
    for (const [name, value] of [
      ["behind", 0],
      ["behind_timestamp_seconds", 0],
      ["generation", 1],
      ["missing_bytes", 0],
    ] as const) {
      const labels = '{mirror="pub",host="a"}';
      expect(metrics).toContain(`dupmirror_master_host_${name}${labels} ${value}\n`);
    }
  });
});
