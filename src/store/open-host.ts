import { fileURLToPath } from "node:url";
import { MirrorError } from "../errors.js";
import { HOST_LIMITS, RETRY_ATTEMPTS, RETRY_DELAY_MS, RETRY_REST_MAX_MS } from "../limits.js";
import type { Runtime } from "../runtime.js";
import type { Access } from "./access.js";
import { FileHost } from "./file-host.js";
import type { Host, HostLimits } from "./host.js";
import { HttpHost } from "./http-host.js";
import { retryingHost } from "./retrying-host.js";
import { parseStoreUrl } from "./store-url.js";

export interface OpenHostOptions {
  readonly name: string;
  readonly url: string;
  /** Who we are there, and whom we believe; nobody and the usual authorities when not given. */
  readonly access?: Access;
  readonly limits?: HostLimits;
  readonly runtime: Runtime;
}

/** Nothing is touched yet. @throws MirrorError CONFIG_INVALID, UNSUPPORTED */
export function openHost(options: OpenHostOptions): Host {
  const { name, url, access = {}, limits = HOST_LIMITS, runtime } = options;
  const { protocol } = parseStoreUrl(url);
  switch (protocol) {
    case "file:":
      return new FileHost({ name, folder: fileURLToPath(url) });
    case "http:":
    case "https:": {
      const host = new HttpHost({ name, url, access, limits, runtime });
      return retryingHost(host, {
        random: runtime.random,
        attempts: RETRY_ATTEMPTS,
        delayMs: RETRY_DELAY_MS,
        restMaxMs: RETRY_REST_MAX_MS,
      });
    }
    default: {
      const message = `host ${name}: expected http, https or file, got ${url}`;
      throw new MirrorError("UNSUPPORTED", message);
    }
  }
}
