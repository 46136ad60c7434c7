/** A certificate authority of our own, and what it vouches for. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
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

/** Gone when the test ends. */
export function makeCertificates(): Certificates {
  const folder = temporaryFolder();
  const ca = selfSigned(folder, "ca");
  return {
    caFile: ca.certFile,
    server: signed(folder, ca, "server"),
    client: signed(folder, ca, "client"),
    stranger: selfSigned(folder, "stranger"),
  };
}

function selfSigned(folder: string, name: string): KeyPair {
  const pair = pairOf(folder, name);
  openssl([...newKey(pair), "-x509", "-out", pair.certFile, "-days", "30"]);
  return pair;
}

function signed(folder: string, ca: KeyPair, name: string): KeyPair {
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
  return pair;
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
