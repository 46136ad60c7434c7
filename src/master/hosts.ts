import type { HostSettings, MasterMirror } from "../config/master.js";
import { isMirrorError } from "../errors.js";
import type { SigningKey } from "../manifest/keys.js";
import { allOver } from "../retrieve/settle.js";
import type { Runtime } from "../runtime.js";
import { openHost } from "../store/open-host.js";
import { readHostStates, writeHostStates } from "./host-states.js";
import type { NextHead } from "./next-head.js";
import type { Publication } from "./publication.js";
import { announceAt, fillHost, type ShareHost, verifyShares } from "./push.js";
import type { HostReport } from "./report.js";

/** The hosts of one cycle. A host that fails is left behind, and caught up by the next cycle that reaches it. */
export class Hosts {
  readonly #config: MasterMirror;
  readonly #options: HostsOptions;
  readonly #hosts: readonly NamedHost[];
  readonly #openedAt: number;
  #savedAtMs: number;

  private constructor(config: MasterMirror, options: HostsOptions, hosts: readonly NamedHost[]) {
    this.#config = config;
    this.#options = options;
    this.#hosts = hosts;
    this.#openedAt = options.runtime.clock.now();
    this.#savedAtMs = options.runtime.clock.monotonicMs();
  }

  /** Nothing is asked of them yet; `close` must be called. */
  static open(config: MasterMirror, options: HostsOptions): Hosts {
    const states = readHostStates(config);
    const hosts = config.hosts.map((settings, at) => ({
      settings,
      shares: settings.shares,
      host: openHost({ ...settings, access: settings, runtime: options.runtime }),
      before: states[at],
      failure: undefined,
      generation: states[at]?.generation,
      missingBytes: states[at]?.missingBytes,
    }));
    return new Hosts(config, options, hosts);
  }

  /**
   * Copies to the hosts what `next`, or without it the published head, names.
   * @throws MirrorError HOSTS_TOO_FEW when `next` names sets that too few of them hold
   */
  async fill(next: NextHead | undefined): Promise<void> {
    const target = next?.head ?? this.#options.publication.head;
    if (target === undefined) return;
    await this.#each((host) => {
      const onMissing = (bytes: number): void => {
        host.missingBytes = bytes;
        if (this.#options.runtime.clock.monotonicMs() - this.#savedAtMs >= SAVE_MS) this.#save();
      };
      return fillHost(host, target, { ...this.#options, onMissing });
    });
    this.#save();
    if (next?.why !== "sets" || this.#hosts.length === 0) return;
    const { shares, hostMargin } = this.#config;
    const failures = this.#hosts.flatMap(({ failure }) => failure ?? []);
    verifyShares(this.#reached, { ...shares, margin: hostMargin }, failures);
  }

  /** Tells their readers of the published head. */
  async announce(): Promise<void> {
    const { publication } = this.#options;
    const { head, headBytes, keyBytes: key } = publication;
    if (head === undefined || headBytes === undefined) return;
    await this.#each(async (host) => {
      await announceAt(host.host, { key, head: headBytes }, this.#options);
      host.generation = head.generation;
    });
    this.#save();
  }

  /** Removes what no head names any more. @returns whether it is gone from all hosts that may have it */
  async remove(files: readonly string[], share: number | undefined): Promise<boolean> {
    const holders = this.#hosts.filter(
      ({ shares }) => share === undefined || shares.includes(share),
    );
    await this.#each(async (holder) => {
      if (!holders.includes(holder)) return;
      for (const file of files) await holder.host.remove(file, this.#options);
    });
    return holders.every(({ failure }) => failure === undefined);
  }

  /** Gives the connections back. */
  async close(): Promise<void> {
    await Promise.all(this.#hosts.map(({ host }) => host.close()));
  }

  report(): HostReport[] {
    return this.#hosts.map((host) => this.#describe(host));
  }

  /** For `status`, which may ask while the cycle goes on. */
  #save(): void {
    this.#savedAtMs = this.#options.runtime.clock.monotonicMs();
    if (this.#hosts.length > 0) writeHostStates(this.#config.stateDirectory, this.report());
  }

  #describe({ settings, before, failure, generation, missingBytes }: NamedHost): HostReport {
    const published = this.#options.publication.head?.generation;
    // Before the first head there is nothing to hold, but what is under way.
    const isFilled = published !== undefined || (missingBytes ?? 0) === 0;
    const isCurrent = failure === undefined && generation === published && isFilled;
    const since = before?.state === "behind" ? before.behindSince : undefined;
    return {
      name: settings.name,
      shares: settings.shares,
      state: isCurrent ? "current" : "behind",
      error: failure,
      behindSince: isCurrent ? undefined : (since ?? this.#openedAt),
      generation,
      missingBytes,
    };
  }

  /**
   * Folders one after the other, as they are written by this thread; servers beside them, so that one that hangs keeps no
   * other waiting. Hosts that failed before are not asked again.
   */
  async #each(work: (host: NamedHost) => Promise<void>): Promise<void> {
    const asked = this.#reached;
    const isFolder = ({ settings }: NamedHost): boolean => settings.url.startsWith("file:");
    const folders = asked.filter(isFolder);
    const inTurn = async (): Promise<void> => {
      for (const host of folders) await this.#attempt(host, work);
    };
    const servers = asked.filter((host) => !isFolder(host));
    await allOver([inTurn(), ...servers.map((host) => this.#attempt(host, work))]);
  }

  get #reached(): readonly NamedHost[] {
    return this.#hosts.filter(({ failure }) => failure === undefined);
  }

  async #attempt(host: NamedHost, work: (host: NamedHost) => Promise<void>): Promise<void> {
    try {
      await work(host);
    } catch (error) {
      this.#options.signal.throwIfAborted();
      if (!isMirrorError(error)) throw error;
      const { name } = host.settings;
      host.failure = `${name}: ${error.message}`;
      this.#options.runtime.log.warn("host.behind", {
        ...{ mirror: this.#config.name, host: name },
        ...{ code: error.code, message: error.message },
      });
    }
  }
}

/** The first push to a host may take hours. */
const SAVE_MS = 10_000;

export interface HostsOptions {
  readonly publication: Publication;
  readonly stateDirectory: string;
  readonly key: SigningKey;
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
}

interface NamedHost extends ShareHost {
  readonly settings: HostSettings;
  /** As the last cycle left it. */
  readonly before: HostReport | undefined;
  failure: string | undefined;
  generation: number | undefined;
  missingBytes: number | undefined;
}
