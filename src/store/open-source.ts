import { fileURLToPath } from "node:url";
import { MirrorError } from "../errors.js";
import type { Runtime } from "../runtime.js";
import type { Access } from "./access.js";
import { FileSource } from "./file-source.js";
import { HttpSource } from "./http-source.js";
import type { Source, SourceLimits } from "./source.js";
import { parseStoreUrl } from "./store-url.js";

export interface OpenSourceOptions {
  readonly url: string;
  /** The URL itself when not given. */
  readonly name?: string;
  /** Who we are there, and whom we believe; nobody and the usual authorities when not given. */
  readonly access?: Access;
  /** Whether HTTP/2 is spoken where the server offers it. */
  readonly http2?: boolean;
  readonly limits: SourceLimits;
  readonly runtime: Runtime;
}

/** Nothing is read yet. @throws MirrorError CONFIG_INVALID, UNSUPPORTED */
export function openSource(options: OpenSourceOptions): Source {
  const { url, name = url, access = {}, http2 = false, limits, runtime } = options;
  const { protocol } = parseStoreUrl(url);
  switch (protocol) {
    case "http:":
    case "https:":
    case "unix:":
      return new HttpSource({ name, url, access, http2, limits, runtime });
    case "file:":
      return new FileSource({ name, url, limits, folder: fileURLToPath(url) });
    default:
      throw new MirrorError("UNSUPPORTED", `source ${url}: expected http, https, unix or file`);
  }
}
