/** Repositories written by hand: what duplicity would never write, under names that it gives, plain or encrypted. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { execaSync } from "execa";
import { SignatureBuilder } from "../../../src/librsync/signature.js";
import { concat, deletion, directory, tarEntry } from "../../support/tar.js";

export type Wrap = "plain" | "gzip" | "gpg";

/** What stands in a volume, and in the signature archive beside it. */
export interface Part {
  readonly tar: Uint8Array;
  readonly signature?: Uint8Array;
}

export const PASSPHRASE = "correct horse";

/** Why nothing can be encrypted here; undefined when it can. */
export const NO_GPG =
  execaSync("gpg", ["--version"], { reject: false }).exitCode === 0
    ? undefined
    : "skipped: gpg is not installed";

export function file(name: string, data: Uint8Array): Part {
  return {
    tar: tarEntry({ name: `snapshot/${name}`, data }),
    signature: signatureEntry(name, data),
  };
}

/** A file that an increment changes, with the delta and the content it makes. */
export function patch(name: string, delta: Uint8Array, made: Uint8Array): Part {
  return {
    tar: tarEntry({ name: `diff/${name}`, data: delta }),
    signature: signatureEntry(name, made),
  };
}

export function folder(name: string): Part {
  const signature = tarEntry({ name: `snapshot/${name}`, type: "5", mode: "0000755\0" });
  return { tar: directory(name === "" ? "." : name), signature };
}

export function link(name: string, target: string): Part {
  const tar = tarEntry({ name: `snapshot/${name}`, type: "2", link: target });
  return { tar, signature: tar };
}

export function device(name: string): Part {
  const numbers = { major: "0000001\0", minor: "0000003\0" };
  const tar = tarEntry({ name: `snapshot/${name}`, type: "3", ...numbers });
  return { tar, signature: tar };
}

export function gone(name: string): Part {
  return { tar: deletion(name), signature: deletion(name) };
}

/** Something that no signature archive has anything to say of. */
export function raw(...tar: readonly Uint8Array[]): Part {
  return { tar: concat(...tar) };
}

/** `full.<time>` or `inc.<time>.to.<time>`. */
export interface HandMadeSet {
  readonly times: string;
  /** The parts of each volume. */
  readonly volumes: readonly (readonly Part[])[];
  readonly wrap: Wrap;
}

/** Writes a set into `repository`; `gnupgHome` is for sets that are encrypted. */
export function writeSet(repository: string, gnupgHome: string, set: HandMadeSet): void {
  mkdirSync(repository, { recursive: true });
  const { times, volumes, wrap } = set;
  const suffix = { plain: "", gzip: ".gz", gpg: ".gpg" }[wrap];
  const put = (name: string, bytes: Uint8Array, how: Wrap): Uint8Array => {
    const written = wrapped(bytes, how, gnupgHome);
    writeFileSync(path.join(repository, name), written);
    return written;
  };
  const tars = volumes.map((parts) => concat(...parts.map(({ tar }) => tar), ZEROS));
  const written = tars.map((tar, at) =>
    put(`duplicity-${times}.vol${at + 1}.difftar${suffix}`, tar, wrap),
  );
  const signatures = volumes.flat().flatMap(({ signature }) => signature ?? []);
  const kind = times.replace(/^full\./, "full-signatures.").replace(/^inc\./, "new-signatures.");
  put(`duplicity-${kind}.sigtar${suffix}`, concat(...signatures, ZEROS), wrap);
  const listed = written.map(volumeLines).join("");
  const manifest = Buffer.from(`Hostname vm\nLocaldir /tree\n${listed}Filelist 0\n`);
  const isEncrypted = wrap === "gpg";
  put(
    `duplicity-${times}.manifest${isEncrypted ? ".gpg" : ""}`,
    manifest,
    isEncrypted ? "gpg" : "plain",
  );
}

/** gpg may have started one, in a home that is removed next. */
export function stopAgent(gnupgHome: string): void {
  if (!existsSync(path.join(gnupgHome, "S.gpg-agent"))) return;
  execaSync("gpgconf", ["--kill", "gpg-agent"], { env: { GNUPGHOME: gnupgHome }, reject: false });
}

const ZEROS = new Uint8Array(1024);

function volumeLines(bytes: Uint8Array, at: number): string {
  const hash = createHash("sha1").update(bytes).digest("hex");
  return `Volume ${at + 1}:\n    StartingPath   .  \n    EndingPath     z  \n    Hash SHA1 ${hash}\n`;
}

function signatureEntry(name: string, content: Uint8Array): Uint8Array {
  const builder = new SignatureBuilder(512);
  builder.update(content);
  return tarEntry({ name: `signature/${name}`, data: builder.finish() });
}

function wrapped(bytes: Uint8Array, how: Wrap, gnupgHome: string): Uint8Array {
  if (how === "plain") return bytes;
  if (how === "gzip") return gzipSync(bytes);
  mkdirSync(gnupgHome, { recursive: true, mode: 0o700 });
  const words = ["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", PASSPHRASE];
  const how65536 = ["--s2k-count", "65536", "--symmetric"]; // a hundredth of the time that is usual
  const result = execaSync("gpg", [...words, ...how65536], {
    input: bytes,
    env: { GNUPGHOME: gnupgHome },
    encoding: "buffer",
  });
  return result.stdout;
}
