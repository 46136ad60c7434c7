/** The sources of a cycle: those of the configuration, and those that the trusted head names. */
import type { AccessSettings } from "../config/access.js";
import type { ReplicaMirror } from "../config/replica.js";
import type { Head } from "../manifest/head.js";
import { type PooledSource, SourcePool, type SourceReport } from "../retrieve/source-pool.js";
import type { Runtime } from "../runtime.js";
import { openSource } from "../store/open-source.js";
import { Pace, paced } from "../store/paced-source.js";
import { Rests, resting } from "../store/resting-source.js";
import { retrying } from "../store/retrying-source.js";
import type { Source, Traffic } from "../store/source.js";

/** A source is asked for its head this often before it counts as silent. Of reading the pool takes care. */
const POLL_ATTEMPTS = 2;
const POLL_RETRY_DELAY_MS = 250;
const POLL_REST_MAX_MS = 5000;

/** Opens each source once, however often it is named; remembers them to count and close. */
export class SourceShelf {
  readonly #mirror: ReplicaMirror;
  readonly #runtime: Runtime;
  readonly #rests: Rests;
  readonly #open = new Map<string, Source>();
  readonly #pace: Pace | undefined;
  #pool: SourcePool | undefined;

  /** @param rests what is known from earlier cycles of sources that want to be left alone */
  constructor(mirror: ReplicaMirror, runtime: Runtime, rests = new Rests()) {
    this.#mirror = mirror;
    this.#runtime = runtime;
    this.#rests = rests;
    const { bandwidth } = mirror;
    if (bandwidth !== undefined) this.#pace = new Pace(bandwidth, runtime.clock);
  }

  /** Where to poll: the configured sources, and those of the head that is trusted so far. */
  sources(head: Head | undefined): Source[] {
    const { random } = this.#runtime;
    const patience = {
      random,
      attempts: POLL_ATTEMPTS,
      delayMs: POLL_RETRY_DELAY_MS,
      restMaxMs: POLL_REST_MAX_MS,
    };
    return this.#pooled(head).map(({ source }) => retrying(source, patience));
  }

  pool(head: Head): SourcePool {
    this.#pool = new SourcePool({ sources: this.#pooled(head), runtime: this.#runtime });
    return this.#pool;
  }

  reports(): SourceReport[] {
    if (this.#pool !== undefined) return this.#pool.report();
    return [...this.#open.values()].map(({ name, url, traffic }) => {
      return { name, url, ...traffic, errors: 0, corruptBlocks: 0 };
    });
  }

  traffic(): Traffic {
    let bytes = 0;
    let requests = 0;
    for (const { traffic } of this.#open.values()) {
      bytes += traffic.bytes;
      requests += traffic.requests;
    }
    return { bytes, requests };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((source) => source.close()));
  }

  /** A configured source replaces one of the same name or URL that the head lists. */
  #pooled(head: Head | undefined): PooledSource[] {
    const listed = head?.sources ?? [];
    const configured = this.#mirror.sources.map(
      ({ url, name, shares, tls, auth, http2 = false }) => {
        const twin = listed.find((one) => one.url === url || one.name === name);
        const access = { ...(tls && { tls }), ...(auth && { auth }) };
        const source = this.#source({ url, name: name ?? twin?.name, access, http2 });
        return { source, shares: shares ?? twin?.shares };
      },
    );
    const replaced = new Set(
      this.#mirror.sources.flatMap(({ url, name }) => (name === undefined ? [url] : [url, name])),
    );
    const added = listed
      .filter(({ url, name }) => !replaced.has(url) && !replaced.has(name))
      .map(({ url, name, shares }) => ({
        source: this.#source({ url, name, access: {}, http2: false }),
        shares,
      }));
    return [...configured, ...added];
  }

  #source({ url, name, access, http2 }: WantedSource): Source {
    const known = this.#open.get(url);
    if (known !== undefined) return known;
    const opened = openSource({
      url,
      ...(name === undefined ? {} : { name }),
      access,
      http2,
      limits: this.#mirror.limits,
      runtime: this.#runtime,
    });
    const asked = this.#pace === undefined ? opened : paced(opened, this.#pace);
    const source = resting(asked, this.#rests, this.#runtime);
    this.#open.set(url, source);
    return source;
  }
}

interface WantedSource {
  readonly url: string;
  readonly name: string | undefined;
  readonly access: AccessSettings;
  readonly http2: boolean;
}
