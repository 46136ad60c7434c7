/** A replica in folders of a test, and the world around it. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { loadReplicaConfig, type ReplicaMirror } from "../../../src/config/replica.js";
import { runCycle } from "../../../src/replica/cycle.js";
import { readPosition } from "../../../src/replica/position.js";
import type { SyncReport } from "../../../src/replica/report.js";
import { rollBack } from "../../../src/replica/rollback.js";
import type { SliceGate } from "../../../src/replica/slice-gate.js";
import { stateFiles } from "../../../src/replica/state-files.js";
import { runVerify } from "../../../src/replica/verify.js";
import type { VerifyReport } from "../../../src/replica/verify-report.js";
import type { LogFields, Runtime } from "../../../src/runtime.js";
import { differences, type Model } from "./model.js";
import { KEYS, MIRROR, type TestPublication } from "./publication.js";

export interface Logged {
  readonly level: string;
  readonly event: string;
  readonly fields: LogFields | undefined;
}

export interface TestRuntime extends Runtime {
  readonly logged: Logged[];
  /** Milliseconds since the epoch; the test sets it. */
  now: number;
}

export function testRuntime(now = 1_700_000_500_000): TestRuntime {
  const logged: Logged[] = [];
  const write = (level: string) => (event: string, fields?: LogFields) => {
    logged.push({ level, event, fields });
  };
  const runtime: TestRuntime = {
    logged,
    now,
    clock: { now: () => runtime.now, monotonicMs: () => performance.now() },
    log: {
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
    },
    random: () => 0.5,
    progress: () => undefined,
  };
  return runtime;
}

export interface CycleChanges {
  readonly dryRun?: boolean;
  readonly forcePurge?: boolean;
  readonly checksum?: boolean;
  readonly config?: Partial<ReplicaMirror>;
}

export interface VerifyChanges {
  readonly repair?: boolean;
  readonly forcePurge?: boolean;
  readonly config?: Partial<ReplicaMirror>;
  readonly runtime?: Runtime;
  readonly signal?: AbortSignal;
  readonly gate?: SliceGate;
}

/** A replica below `folder` that follows publications in folders. */
export class TestReplica {
  readonly folder: string;
  readonly tree: string;
  readonly state: string;
  readonly runtime = testRuntime();
  config: ReplicaMirror;

  constructor(folder: string, publications: readonly TestPublication[]) {
    this.folder = folder;
    this.tree = path.join(folder, "tree");
    this.state = path.join(folder, "state");
    mkdirSync(this.state, { recursive: true });
    writeFileSync(path.join(folder, "key"), `${KEYS.verifierKey}\n`);
    const sources = publications.map((one) => pathToFileURL(one.folder).href);
    if (sources.length === 0) sources.push(pathToFileURL(path.join(folder, "nowhere")).href);
    const settings = {
      mirrors: [
        {
          name: MIRROR,
          tree: this.tree,
          stateDirectory: this.state,
          trust: { keyFile: path.join(folder, "key") },
          sources,
          owners: "none",
          delete: { maxPercent: "100%" },
          publishLast: ["**/InRelease"],
        },
      ],
    };
    const text = JSON.stringify(settings);
    const [mirror] = loadReplicaConfig(text, path.join(folder, "replica.yaml")).mirrors;
    if (mirror === undefined) throw new Error("the configuration has no mirror");
    this.config = mirror;
  }

  async sync({ config, ...options }: CycleChanges = {}): Promise<SyncReport> {
    return await runCycle({ ...this.#cycleOptions(config), ...options });
  }

  /** As `replica rollback --to` does. */
  async rollBack(to: string, { config, ...options }: CycleChanges = {}): Promise<SyncReport> {
    return await rollBack({ ...this.#cycleOptions(config), ...options, to });
  }

  /** In the test's own thread. */
  async verify({ config, ...options }: VerifyChanges = {}): Promise<VerifyReport> {
    return await runVerify({
      ...this.#cycleOptions(config),
      repair: false,
      isIdle: false,
      ...options,
    });
  }

  /** How tree and state differ from a replica at rest that holds `expected`. */
  faults(expected: Model): string[] {
    const files = stateFiles(this.state);
    const position = readPosition(files.position);
    const objects = position?.entryCount ?? 0;
    return [
      ...differences(expected, this.tree),
      ...(existsSync(path.join(this.tree, ".dupmirror")) ? [".dupmirror is left"] : []),
      ...(existsSync(files.journal) ? ["the journal is left"] : []),
      ...(existsSync(files.spill) ? ["spilled pages are left"] : []),
      ...(existsSync(files.pages) ? ["kept pages are left"] : []),
      ...(objects === expected.size ? [] : [`${objects} objects counted of ${expected.size}`]),
    ];
  }

  /** The name of the set that the tree stands at. */
  get position(): string | undefined {
    const file = stateFiles(this.state).position;
    if (!existsSync(file)) return undefined;
    const set = /"set":"([^"]+)"/.exec(readFileSync(file, "utf8"));
    return set?.[1];
  }

  #cycleOptions(config: Partial<ReplicaMirror> | undefined) {
    const { runtime } = this;
    const { signal } = new AbortController();
    return { config: { ...this.config, ...config }, runtime, signal };
  }
}
