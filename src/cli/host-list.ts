/** The hosts of a backup, as the command line names them: folders or URLs. */
import path from "node:path";
import { pathToFileURL } from "node:url";
import { sha256 } from "../bytes/digest.js";
import { MirrorError } from "../errors.js";

export interface ListedHost {
  /** Made from the URL: a host keeps its name wherever it stands in the list. */
  readonly name: string;
  readonly url: string;
  readonly shares: readonly number[];
}

/** `--hosts` takes all words up to the next option: when nothing was left for the last argument, it is the last of them. */
export function splitHosts(
  hosts: readonly string[],
  last: string | undefined,
): { readonly hosts: readonly string[]; readonly last: string | undefined } {
  if (last !== undefined || hosts.length < 2) return { hosts, last };
  return { hosts: hosts.slice(0, -1), last: hosts.at(-1) };
}

/** The URLs of hosts, without a slash at their end. @throws MirrorError USAGE for a host that is there twice */
export function toHostUrls(hosts: readonly string[]): string[] {
  const urls = hosts.map((host) => (isUrl(host) ? host : folderUrl(host)).replace(/\/+$/, ""));
  const repeated = urls.find((url, at) => urls.indexOf(url) !== at);
  if (repeated === undefined) return urls;
  throw new MirrorError("USAGE", `--hosts: expected another host, got ${repeated} again`);
}

/**
 * Host i holds share i. Hosts beyond n hold copies, from share 0 on; fewer than n hold several shares each.
 * @throws MirrorError USAGE when n - k hosts could then take more than n - k shares with them, unless that `mayBeFewer`
 */
export function assignShares(
  urls: readonly string[],
  { k, n, mayBeFewer }: { readonly k: number; readonly n: number; readonly mayBeFewer: boolean },
): ListedHost[] {
  const shares = urls.map((_, at) => sharesOf(at, urls.length, n));
  const mayBeLost = hostsToSpare(shares, n - k);
  if (urls.length < n && mayBeLost < n - k && !mayBeFewer) {
    throw new MirrorError(
      "USAGE",
      `--hosts: ${urls.length} hosts for ${n} shares: some hold several, so that only ${mayBeLost} of them may be lost, ` +
        `not ${n - k}: name ${n} hosts, or a smaller n, or accept it with --allow-fewer-hosts`,
    );
  }
  const names = hostNames(urls);
  return urls.map((url, at) => ({ name: names[at] ?? "", url, shares: shares[at] ?? [] }));
}

function sharesOf(host: number, hostCount: number, n: number): number[] {
  if (host >= n) return [host % n];
  return Array.from({ length: n }, (_, share) => share).filter(
    (share) => share % hostCount === host,
  );
}

/** How many hosts may be lost, whichever they are, without more than `parity` shares. */
function hostsToSpare(shares: readonly (readonly number[])[], parity: number): number {
  const counts = shares.map(({ length }) => length).sort((a, b) => b - a);
  let lost = 0;
  return counts.filter((count) => (lost += count) <= parity).length;
}

function hostNames(urls: readonly string[]): string[] {
  const plain = urls.map(plainName);
  return urls.map((url, at) => {
    const name = plain[at] ?? "";
    const isGood =
      name.length <= NAME_MAX_LENGTH && plain.indexOf(name) === plain.lastIndexOf(name);
    return isGood && name !== "" ? name : `host-${hashOf(url)}`;
  });
}

/** `mnt-a` of file:///mnt/a, `host.example-dav` of http://host.example/dav. */
function plainName(url: string): string {
  return url
    .replace(/^[a-z][a-z0-9+.-]*:\/\//i, "")
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "");
}

function hashOf(url: string): string {
  return Buffer.from(sha256(Buffer.from(url))).toString("hex", 0, 6);
}

/** Shorter than a name may be: the head holds all of them. */
const NAME_MAX_LENGTH = 40;

function isUrl(text: string): boolean {
  return /^(?:[a-z][a-z0-9+.-]*:\/\/|unix:)/i.test(text);
}

function folderUrl(folder: string): string {
  return pathToFileURL(path.resolve(folder)).href;
}
