import type { MasterMirror } from "../config/master.js";
import type { SourceReference } from "../manifest/head.js";

/** What the head tells replicas to read from: the hosts, and our own HTTP server when others can reach it. */
export function listSources(config: MasterMirror): SourceReference[] {
  const hosts = config.hosts.map(({ name, url, publicUrl, shares }) => ({
    name,
    url: publicUrl ?? url,
    shares: shares.toSorted((a, b) => a - b),
  }));
  const ownUrl = config.http?.publicUrl;
  if (ownUrl === undefined) return hosts;
  const all = Array.from({ length: config.shares.n }, (_, share) => share);
  return [...hosts, { name: "master", url: ownUrl, shares: all }];
}
