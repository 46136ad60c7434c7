import { chmodSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import path from "node:path";
import { TLSSocket } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Access } from "../../src/store/access.js";
import { openSource } from "../../src/store/open-source.js";
import type { Source } from "../../src/store/source.js";
import { temporaryFolder } from "../support/temporary.js";
import { makeCertificates } from "./certificates.js";
import { type FaultyServer, startFaultyServer } from "./faulty-server.js";
import { neverAborted, PATIENT_LIMITS, testRuntime } from "./runtime.js";

const SECRET = "s3cr3t-of-the-mirror";

describe("a secret from a file", () => {
  it("is sent as a bearer token", async () => {
    const { server, seen } = await startWitness();
    const source = open(server, { auth: bearer(`${SECRET}\n`) });

    await head(source);

    expect(seen).toStrictEqual([`Bearer ${SECRET}`]);
  });

  it("is sent as a password, whatever letters are in it", async () => {
    const { server, seen } = await startWitness();
    const passwordFile = secretFile("pä:ss wörd\r\n");
    const source = open(server, { auth: { kind: "basic", user: "rödel", passwordFile } });

    await head(source);

    expect(seen).toStrictEqual([`Basic ${Buffer.from("rödel:pä:ss wörd").toString("base64")}`]);
  });

  it("is read again by the next source that is opened", async () => {
    const { server, seen } = await startWitness();
    const auth = bearer("old");
    await head(open(server, { auth }));

    writeFileSync(auth.bearerFile, "new");
    await head(open(server, { auth }));

    expect(seen).toStrictEqual(["Bearer old", "Bearer new"]);
  });

  it.each([
    ["is empty", "", 0o600, "expected a secret, got an empty file"],
    ["is a newline", "\n", 0o600, "expected a secret, got an empty file"],
    ["has lines", `${SECRET}\nx`, 0o600, "expected one word of ASCII"],
    ["is open to all readers", SECRET, 0o604, "is open to every user of this machine: chmod o= "],
    ["is open to all writers", SECRET, 0o602, "is open to every user of this machine: chmod o= "],
    ["is large", SECRET.repeat(4000), 0o600, "expected at most 65536 bytes, got 80000"],
  ])("is refused when it %s", async (_, text, mode, why) => {
    const { server, seen } = await startWitness();
    const auth = bearer(text);
    chmodSync(auth.bearerFile, mode);

    const message = await failure(open(server, { auth }));

    expect(message).toContain(`auth.bearerFile ${auth.bearerFile}: ${why}`);
    expect(message).not.toContain(SECRET);
    expect(message).not.toContain("\n");
    expect(seen).toHaveLength(0);
  });

  it.each([
    ["a file that is not there", "none", "cannot be read: ENOENT: no such file or directory"],
    ["a folder", ".", "expected a file, got something else"],
  ])("is not found in %s", async (_, name, why) => {
    const { server } = await startWitness();
    const bearerFile = path.join(temporaryFolder(), name);

    const message = await failure(open(server, { auth: { kind: "bearer", bearerFile } }));

    expect(message).toBe(`auth.bearerFile ${bearerFile}: ${why}`);
  });

  it("stands in no error and in no line of the log", async () => {
    const { server } = await startWitness();
    server.misbehave((_, response) => response.writeHead(401).end());
    const runtime = testRuntime();
    const source = open(server, { auth: bearer(SECRET) }, runtime);

    const message = await failure(source);

    expect(message).toBe(
      `${server.url}/head answers with status 401: are its credentials right (auth, tls)?`,
    );
    expect(runtime.lines.join("\n")).not.toContain(SECRET);
  });
});

describe("a redirect", () => {
  it("takes the secret along within its origin, and nowhere else", async () => {
    const { server: other, seen: seenByOther } = await startWitness();
    const { server, seen } = await startWitness();
    server.misbehave((request, response) => {
      seen.push(request.headers.authorization);
      const location = request.url === "/pub/head" ? "/pub/moved" : `${other.url}/head`;
      response.writeHead(302, { location }).end();
    });

    await head(open(server, { auth: bearer(SECRET) }));

    expect(seen).toStrictEqual([`Bearer ${SECRET}`, `Bearer ${SECRET}`]);
    expect(seenByOther).toStrictEqual([undefined]);
  });

  it("shows our certificate to its origin, and nobody else", async () => {
    const certificates = makeCertificates();
    const { caFile, client } = certificates;
    const other = await startFaultyServer({ head: HEAD }, { certificates });
    const server = await startFaultyServer({}, { certificates });
    const names: (string | undefined)[] = [];
    other.misbehave((request, response) => {
      names.push(clientName(request));
      response.end(HEAD);
    });
    server.misbehave((request, response) => {
      names.push(clientName(request));
      response.writeHead(302, { location: `${other.url}/head` }).end();
    });

    await head(open(server, { tls: { caFile, ...client } }));

    expect(names).toStrictEqual(["client", undefined]);
  });
});

describe("TLS", () => {
  it("is refused without the authority that vouches for the server", async () => {
    const certificates = makeCertificates();
    const server = await startFaultyServer({ head: HEAD }, { certificates });

    const message = await failure(open(server, {}));

    expect(message).toContain("self-signed certificate in certificate chain");
  });

  it("believes an authority of our own", async () => {
    const certificates = makeCertificates();
    const server = await startFaultyServer({ head: HEAD }, { certificates });

    const bytes = await head(open(server, { tls: { caFile: certificates.caFile } }));

    expect(bytes).toStrictEqual(HEAD);
  });

  it("is refused with a key that is not the certificate's", async () => {
    const certificates = makeCertificates();
    const server = await startFaultyServer({ head: HEAD }, { certificates });
    const { client, stranger } = certificates;
    const tls = { certFile: client.certFile, keyFile: stranger.keyFile };

    const message = await failure(open(server, { tls }));

    expect(message).toContain(
      `tls.keyFile ${tls.keyFile}: expected the key of tls.certFile ${tls.certFile}, got `,
    );
  });

  it("is refused with an authority that is no certificate", async () => {
    const certificates = makeCertificates();
    const server = await startFaultyServer({ head: HEAD }, { certificates });
    const caFile = secretFile("none\n");

    const message = await failure(open(server, { tls: { caFile } }));

    expect(message).toContain(`tls.caFile ${caFile}: expected a certificate in PEM, got `);
  });
});

const HEAD = Buffer.from("a head\n");

/** A server of a head that remembers what it was told of who asks. */
async function startWitness() {
  const server = await startFaultyServer();
  const seen: (string | undefined)[] = [];
  server.misbehave((request, response) => {
    seen.push(request.headers.authorization);
    response.end(HEAD);
  });
  return { server, seen };
}

function bearer(text: string) {
  return { kind: "bearer", bearerFile: secretFile(text) } as const;
}

function secretFile(text: string): string {
  const file = path.join(temporaryFolder(), "secret");
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

function open({ url }: FaultyServer, access: Access, runtime = testRuntime()): Source {
  const source = openSource({ url, access, limits: PATIENT_LIMITS, runtime });
  onTestFinished(() => source.close());
  return source;
}

async function head(source: Source): Promise<Uint8Array | undefined> {
  return (await source.readHead({ signal: neverAborted() }))?.bytes;
}

async function failure(source: Source): Promise<string> {
  return head(source).then(
    () => "no failure",
    (error: unknown) => (error instanceof Error ? error.message : "no error"),
  );
}

function clientName({ socket }: IncomingMessage): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const { subject } = socket.getPeerCertificate();
  return (subject as { readonly CN?: string } | undefined)?.CN;
}
