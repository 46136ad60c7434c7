/** A master on this machine: a tree, a repository, a publication, and a configuration made in memory. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { MasterMirror } from "../../../src/config/master.js";
import { makeKeyPair, parseVerifierKey } from "../../../src/manifest/keys.js";
import { type CycleOptions, publishOnce } from "../../../src/master/cycle.js";
import type { PublishReport } from "../../../src/master/report.js";
import type { Runtime } from "../../../src/runtime.js";

/** Of every bench. */
export const KEYS = makeKeyPair("pub", Buffer.alloc(32, 7));

/** Verifies what every bench signs. */
export const VERIFIER = parseVerifierKey(KEYS.verifierKey);

export interface Bench {
  readonly config: MasterMirror;
  readonly runtime: TestRuntime;
  /** One cycle. */
  publish(options?: Partial<CycleOptions>): Promise<PublishReport>;
}

export interface TestRuntime extends Runtime {
  /** Events that were logged as warnings or errors. */
  readonly events: string[];
  /** Added to the clock. */
  offsetMs: number;
}

export function makeBench(folder: string, change: Partial<MasterMirror> = {}): Bench {
  const config = makeConfig(folder, change);
  for (const made of [config.tree, config.repository, config.publication, config.stateDirectory]) {
    mkdirSync(made, { recursive: true });
  }
  writeFileSync(config.signing.keyFile, KEYS.signingKey);
  const runtime = makeRuntime();
  const signal = new AbortController().signal;
  return {
    config,
    runtime,
    publish: (options = {}) => publishOnce({ config, runtime, signal, ...options }),
  };
}

/** Hosts with one share each, whose folders are there. */
export function makeHosts(folder: string, count: number): MasterMirror["hosts"] {
  return Array.from({ length: count }, (_, share) => {
    const place = path.join(folder, `host-${share}`);
    mkdirSync(place, { recursive: true });
    return { name: `host-${share}`, url: pathToFileURL(place).href, shares: [share] };
  });
}

function makeRuntime(): TestRuntime {
  const events: string[] = [];
  const note = (event: string): void => void events.push(event);
  const runtime: TestRuntime = {
    events,
    offsetMs: 0,
    clock: { now: () => Date.now() + runtime.offsetMs, monotonicMs: () => performance.now() },
    log: { debug: () => undefined, info: () => undefined, warn: note, error: note },
    random: () => 0.5,
    progress: () => undefined,
  };
  return runtime;
}

function makeConfig(folder: string, change: Partial<MasterMirror>): MasterMirror {
  return {
    name: "pub",
    tree: path.join(folder, "tree"),
    repository: path.join(folder, "repository"),
    publication: path.join(folder, "publication"),
    stateDirectory: path.join(folder, "state"),
    signing: { keyFile: path.join(folder, "pub.key") },
    shares: { k: 2, n: 3 },
    duplicity: {
      engine: "run",
      volumeSizeBytes: 1024 * 1024,
      fullEveryMs: 30 * 86_400_000,
      keepChains: 2,
      encryption: "none",
      timeoutMs: 120_000,
      exclude: [],
    },
    watch: false,
    watchDelayMs: 100,
    hosts: [],
    hostMargin: 0,
    guard: { maxShrinkPercent: 50 },
    headLifetimeMs: 7 * 86_400_000,
    retain: { chains: 2, graceMs: 86_400_000 },
    ...change,
  };
}
