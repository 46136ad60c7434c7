/** The master as a daemon: each mirror by itself, their publications over HTTP. */
import { once } from "node:events";
import type { ListenAddress } from "../config/fields.js";
import type { MasterConfig, MasterMirror } from "../config/master.js";
import { Metrics } from "../daemon/metrics.js";
import type { Notifier } from "../daemon/notify.js";
import { type StaticServer, serveFolders } from "../daemon/static-server.js";
import type { Runtime } from "../runtime.js";
import { MirrorDaemon } from "./mirror-daemon.js";

export interface RunMasterOptions {
  readonly config: MasterConfig;
  readonly runtime: Runtime;
  /** Told when all mirrors are locked and served. */
  readonly notifier: Notifier;
  /** Makes `signal` abort. */
  readonly stop: () => void;
  readonly signal: AbortSignal;
}

/** Runs until `signal` aborts. @throws MirrorError LOCKED, CONFIG_INVALID */
export async function runMaster(options: RunMasterOptions): Promise<void> {
  const { config, notifier, signal } = options;
  const broken = new AbortController();
  const stopped = AbortSignal.any([signal, broken.signal]);
  const metrics = new Metrics();
  const daemons: MirrorDaemon[] = [];
  const servers: StaticServer[] = [];
  try {
    for (const mirror of config.mirrors) {
      daemons.push(await startMirror(mirror, { ...options, stopped, broken, metrics, servers }));
    }
    const status = (): string[] => daemons.map((daemon) => daemon.describe());
    for (const place of groupByAddress(config.mirrors)) {
      const server = await serveFolders({
        ...place,
        runtime: options.runtime,
        metrics,
        status,
        signal: stopped,
      });
      servers.push(server);
      options.runtime.log.info("http.listening", { url: server.url });
    }
    notifier.ready();
    if (!stopped.aborted) await once(stopped, "abort");
    notifier.stopping();
  } finally {
    broken.abort();
    await Promise.all(daemons.map((daemon) => daemon.end()));
    await Promise.all(servers.map((server) => server.close()));
  }
  if (!signal.aborted) throw broken.signal.reason;
}

async function startMirror(
  config: MasterMirror,
  options: RunMasterOptions & {
    readonly stopped: AbortSignal;
    readonly broken: AbortController;
    readonly metrics: Metrics;
    readonly servers: readonly StaticServer[];
  },
): Promise<MirrorDaemon> {
  const { runtime, metrics, stop, stopped, broken, servers } = options;
  return await MirrorDaemon.start({
    config,
    runtime,
    metrics,
    stop,
    onPublished: () => servers.forEach((server) => server.headChanged()),
    onBroken: (error) => broken.abort(error),
    signal: stopped,
  });
}

/** Mirrors with one address share a server. */
function groupByAddress(mirrors: readonly MasterMirror[]): {
  readonly listen: ListenAddress;
  readonly folders: ReadonlyMap<string, string>;
}[] {
  const places = new Map<
    string,
    { readonly listen: ListenAddress; readonly folders: Map<string, string> }
  >();
  for (const { name, publication, http } of mirrors) {
    if (http === undefined) continue;
    const address = JSON.stringify(http.listen);
    const place = places.get(address) ?? { listen: http.listen, folders: new Map() };
    place.folders.set(name, publication);
    places.set(address, place);
  }
  return [...places.values()];
}
