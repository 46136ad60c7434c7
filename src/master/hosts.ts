import type { HostSettings, MasterMirror } from "../config/master.js";
import { isMirrorError } from "../errors.js";
import type { SigningKey } from "../manifest/keys.js";
import type { Runtime } from "../runtime.js";
import { openHost } from "../store/open-host.js";
import type { NextHead } from "./next-head.js";
import type { Publication } from "./publication.js";
import { announceAt, fillHost, type ShareHost, verifyShares } from "./push.js";
import type { HostReport } from "./report.js";

/** The hosts of one cycle. A host that fails is left behind, and caught up by the next cycle that reaches it. */
export class Hosts {
  readonly #config: MasterMirror;
  readonly #options: HostsOptions;
  readonly #hosts: readonly NamedHost[];
  readonly #failures = new Map<string, string>();

  private constructor(config: MasterMirror, options: HostsOptions, hosts: readonly NamedHost[]) {
    this.#config = config;
    this.#options = options;
    this.#hosts = hosts;
  }

  static open(config: MasterMirror, options: HostsOptions): Hosts {
    const hosts = config.hosts.map((settings) => ({
      settings,
      shares: settings.shares,
      host: openHost({ name: settings.name, url: settings.url }),
    }));
    return new Hosts(config, options, hosts);
  }

  get all(): readonly ShareHost[] {
    return this.#hosts;
  }

  /**
   * Copies to the hosts what `next`, or without it the published head, names.
   * @throws MirrorError HOSTS_TOO_FEW when `next` names sets that too few of them hold
   */
  async fill(next: NextHead | undefined): Promise<void> {
    const target = next?.head ?? this.#options.publication.head;
    if (target === undefined) return;
    const filled = await this.#each((host) => fillHost(host, target, this.#options));
    if (next?.why !== "sets" || this.#hosts.length === 0) return;
    const { shares, hostMargin } = this.#config;
    verifyShares(filled, { ...shares, margin: hostMargin }, this.#describeFailures());
  }

  /** Tells their readers of the published head. */
  async announce(): Promise<void> {
    const { headBytes: head, keyBytes: key } = this.#options.publication;
    if (head !== undefined) await this.#each(({ host }) => announceAt(host, { key, head }));
  }

  report(): HostReport[] {
    return this.#hosts.map(({ settings }) => {
      const error = this.#failures.get(settings.name);
      const state = error === undefined ? "current" : "behind";
      return { name: settings.name, shares: settings.shares, state, error };
    });
  }

  /** One after the other, so that one copy is in memory. Hosts that failed before are not asked again. @returns those that did not fail */
  async #each(work: (host: NamedHost) => Promise<void>): Promise<NamedHost[]> {
    const asked = this.#hosts.filter(({ settings }) => !this.#failures.has(settings.name));
    for (const host of asked) await this.#attempt(host, work);
    this.#options.signal.throwIfAborted();
    return asked.filter(({ settings }) => !this.#failures.has(settings.name));
  }

  async #attempt(host: NamedHost, work: (host: NamedHost) => Promise<void>): Promise<void> {
    try {
      await work(host);
    } catch (error) {
      if (!isMirrorError(error)) throw error;
      const { name } = host.settings;
      this.#failures.set(name, `${name}: ${error.message}`);
      this.#options.runtime.log.warn("host.behind", {
        ...{ mirror: this.#config.name, host: name },
        ...{ code: error.code, message: error.message },
      });
    }
  }

  #describeFailures(): string[] {
    return [...this.#failures.values()];
  }
}

export interface HostsOptions {
  readonly publication: Publication;
  readonly stateDirectory: string;
  readonly key: SigningKey;
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
}

interface NamedHost extends ShareHost {
  readonly settings: HostSettings;
}
