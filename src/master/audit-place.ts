/** A place that holds the publication or a part of it: the master's own folder, or a host. */
import { pathToFileURL } from "node:url";
import type { MasterMirror } from "../config/master.js";
import { isMirrorError, type MirrorError } from "../errors.js";
import { HEAD_PATH } from "../manifest/paths.js";
import type { Runtime } from "../runtime.js";
import type { Host } from "../store/host.js";
import { openHost } from "../store/open-host.js";
import type { ByteRange } from "../store/source.js";

export class Place {
  readonly name: string;
  readonly url: string;
  readonly host: Host;
  readonly isPublication: boolean;
  readonly #shares: readonly number[];
  #failure: MirrorError | undefined;

  constructor(options: {
    readonly url: string;
    readonly host: Host;
    readonly isPublication: boolean;
    readonly shares: readonly number[];
  }) {
    const { url, host, isPublication, shares } = options;
    this.name = host.name;
    this.url = url;
    this.host = host;
    this.isPublication = isPublication;
    this.#shares = shares;
  }

  /** Why it is not asked any more. */
  get failure(): MirrorError | undefined {
    return this.#failure;
  }

  /** The publication has every share that there is. */
  holds(share: number): boolean {
    return this.isPublication || this.#shares.includes(share);
  }

  /** Undefined when there is no such file, it cannot be looked at, or the place does not answer. */
  async size(path: string, signal: AbortSignal): Promise<number | undefined> {
    return this.#look((host) => host.size(path, { signal }), signal);
  }

  /** What of `range` is there; undefined when it cannot be read, or the place does not answer. */
  async read(path: string, range: ByteRange, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return this.#look((host) => host.read(path, range, { signal }), signal);
  }

  /**
   * What `work` gives; undefined, then and ever after, when the place does not answer.
   * @throws MirrorError what `work` throws while the place does answer: then it is about one file
   */
  async ask<T>(work: (host: Host) => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    if (this.#failure !== undefined) return undefined;
    try {
      return await work(this.host);
    } catch (error) {
      signal.throwIfAborted();
      if (!isMirrorError(error)) throw error;
      if (isMirrorError(error, "SOURCE_MISSING", "SOURCE_SHORT")) throw error;
      if (!isMirrorError(error, "SOURCE_TIMEOUT") && (await this.#answers(signal))) throw error;
      this.giveUp(error);
      return undefined;
    }
  }

  /** From now on the place is not asked any more. */
  giveUp(failure: MirrorError): void {
    this.#failure ??= failure;
  }

  async #look<T>(work: (host: Host) => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    try {
      return await this.ask(work, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (isMirrorError(error)) return undefined;
      throw error;
    }
  }

  async #answers(signal: AbortSignal): Promise<boolean> {
    try {
      await this.host.size(HEAD_PATH, { signal });
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (!isMirrorError(error)) throw error;
      return false;
    }
  }
}

const PUBLICATION_NAME = "publication";

/** The publication first: it is the nearest. The hosts must be closed. */
export function openPlaces(config: MasterMirror, runtime: Runtime): Place[] {
  const url = pathToFileURL(config.publication).href;
  const publication = new Place({
    url,
    host: openHost({ name: PUBLICATION_NAME, url, runtime }),
    isPublication: true,
    shares: [],
  });
  const hosts = config.hosts.map((settings) => {
    const host = openHost({ ...settings, access: settings, runtime });
    return new Place({ url: settings.url, host, isPublication: false, shares: settings.shares });
  });
  return [publication, ...hosts];
}

/** What `check` makes of the first good copy; undefined when there is none. */
export async function findCopy<T>(
  places: readonly Place[],
  { path, range }: { readonly path: string; readonly range: ByteRange },
  check: (bytes: Uint8Array) => T | undefined,
  signal: AbortSignal,
): Promise<T | undefined> {
  for (const place of places) {
    const bytes = await place.read(path, range, signal);
    const value = bytes === undefined ? undefined : check(bytes);
    if (value !== undefined) return value;
  }
  return undefined;
}
