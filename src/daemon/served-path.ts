/** From a request's URL to a file of a served folder; nothing else is reachable. */
import path from "node:path";
import { TABLES } from "../manifest/paths.js";

export interface Located {
  /** Name of the folder, `""` for the one at `/`. */
  readonly mirror: string;
  readonly folder: string;
  readonly path: string;
  readonly type: string;
  readonly isHead: boolean;
  /** Written once under its name. */
  readonly isImmutable: boolean;
}

/** A publication's paths have at most five components. */
const COMPONENTS_MAX = 8;

export function locate(folders: ReadonlyMap<string, string>, url: string): Located | undefined {
  const components = toComponents(url.split("?", 1)[0] ?? "");
  if (components === undefined) return undefined;
  const mirror = folders.has("") ? "" : components.shift();
  const folder = mirror === undefined ? undefined : folders.get(mirror);
  if (mirror === undefined || folder === undefined || components.length === 0) return undefined;
  const [top = ""] = components;
  const isHead = components.length === 1 && top === "head";
  return {
    mirror,
    folder,
    path: path.join(folder, ...components),
    type: isHead ? "text/plain; charset=utf-8" : (TYPES.get(top) ?? "application/octet-stream"),
    isHead,
    isImmutable: components.length > 1 && IMMUTABLE.has(top),
  };
}

const TYPES: ReadonlyMap<string, string> = new Map([["ledger", "application/x-ndjson"]]);
const IMMUTABLE: ReadonlySet<string> = new Set(TABLES);

/** Undefined when a component is malformed, hidden, or leads elsewhere. */
function toComponents(urlPath: string): string[] | undefined {
  if (!urlPath.startsWith("/")) return undefined;
  const raw = urlPath.slice(1).split("/");
  if (raw.length > COMPONENTS_MAX) return undefined;
  const components = raw.map(decode);
  return components.every((component) => component !== undefined) ? components : undefined;
}

function decode(raw: string): string | undefined {
  try {
    const component = decodeURIComponent(raw);
    return /^[^./\0][^/\0]{0,254}$/.test(component) ? component : undefined;
  } catch {
    return undefined; // malformed escapes name no file
  }
}
