/** A certificate authority of our own, and what it vouches for. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { temporaryFolder } from "../support/temporary.js";

export interface Certificates {
  readonly caFile: string;
  /** For localhost and 127.0.0.1. */
  readonly server: KeyPair;
  readonly client: KeyPair;
  /** A client's certificate that vouches for itself. */
  readonly stranger: KeyPair;
}

export interface KeyPair {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Gone when the test ends; the certificates themselves are made once for a file of tests. */
export function makeCertificates(): Certificates {
  const folder = temporaryFolder();
  made ??= generate(folder);
  for (const [name, bytes] of made) writeFileSync(path.join(folder, name), bytes, { mode: 0o600 });
  return {
    caFile: path.join(folder, "ca.pem"),
    server: pairOf(folder, "server"),
    client: pairOf(folder, "client"),
    stranger: pairOf(folder, "stranger"),
  };
}

let made: ReadonlyMap<string, Uint8Array> | undefined;

function generate(folder: string): Map<string, Uint8Array> {
  const ca = selfSigned(folder, "ca");
  signed(folder, ca, "server");
  signed(folder, ca, "client");
  selfSigned(folder, "stranger");
  return new Map(readdirSync(folder).map((name) => [name, readFileSync(path.join(folder, name))]));
}

function selfSigned(folder: string, name: string): KeyPair {
  const pair = pairOf(folder, name);
  openssl([...newKey(pair), "-x509", "-out", pair.certFile, "-days", "30"]);
  return pair;
}

function signed(folder: string, ca: KeyPair, name: string): void {
  const pair = pairOf(folder, name);
  const request = path.join(folder, `${name}.csr`);
  const extensions = path.join(folder, `${name}.ext`);
  writeFileSync(
    extensions,
    "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n",
  );
  openssl([...newKey(pair), "-out", request]);
  openssl(
    ["x509", "-req", "-in", request, "-CA", ca.certFile, "-CAkey", ca.keyFile, "-CAcreateserial"],
    ["-days", "30", "-extfile", extensions, "-out", pair.certFile],
  );
}

function pairOf(folder: string, name: string): KeyPair {
  return {
    certFile: path.join(folder, `${name}.pem`),
    keyFile: path.join(folder, `${name}.key`),
  };
}

function newKey({ keyFile }: KeyPair): string[] {
  const name = path.basename(keyFile, ".key");
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  return ["req", ...curve, "-keyout", keyFile, "-subj", `/CN=${name}`];
}

function openssl(...words: readonly (readonly string[])[]): void {
  execFileSync("openssl", words.flat(), { stdio: "pipe" });
}
