/** Sources behind nginx, as most will be: TLS by an authority of their own, kept connections, HTTP/2. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Access } from "../../src/store/access.js";
import { openSource } from "../../src/store/open-source.js";
import type { Source } from "../../src/store/source.js";
import { Random } from "../support/random.js";
import { temporaryFolder } from "../support/temporary.js";
import { NO_NGINX, type SecureServer, startNginx } from "../support/web-servers.js";
import { neverAborted, PATIENT_LIMITS, testRuntime } from "./runtime.js";
import { describeSource } from "./source-conformance.js";

const PACK = new Random(21).bytes(3_000_000);
const signal = neverAborted();

describe.skipIf(NO_NGINX)(`nginx ${NO_NGINX ?? ""}`, () => {
  describeSource("files behind nginx, over HTTP/2", async (files) => {
    const server = await start({ isHttp2: true, files });
    return open(server, { isHttp2: true });
  });

  for (const isHttp2 of [false, true]) {
    const protocol = isHttp2 ? "HTTP/2" : "HTTP/1.1";

    it(`reads many ranges over few connections: ${protocol}`, async () => {
      const server = await start({ isHttp2, more: countHeader });
      const source = open(server, { isHttp2 });

      await readAll(source, 300);

      // Those that are counted at a path of nginx's own.
      const count = await connectionCount(source);
      expect(count).toBeLessThanOrEqual(8);
    });

    it(`cancels a read in the middle of a body, and no other: ${protocol}`, async () => {
      const server = await start({ isHttp2, more: () => "limit_rate 500k;" });
      const source = open(server, { isHttp2 });
      const controller = new AbortController();
      const reason = new Error("enough");

      const cancelled = source.read(
        "pack",
        { offset: 0, sizeBytes: 2_000_000 },
        {
          signal: controller.signal,
          watch: { asked: () => undefined, received: () => controller.abort(reason) },
        },
      );
      const other = source.read("pack", { offset: 7, sizeBytes: 400_000 }, { signal });

      await expect(cancelled).rejects.toBe(reason);
      expect(Buffer.compare(await other, PACK.subarray(7, 400_007))).toBe(0);
    });

    it(`wants a certificate of ours where nginx does: ${protocol}`, async () => {
      const server = await start({
        isHttp2,
        more: ({ caFile }) => `ssl_client_certificate ${caFile}; ssl_verify_client on;`,
      });
      const { client, stranger } = server.certificates;
      const read = (tls: NonNullable<Access["tls"]>) =>
        open(server, { isHttp2, tls }).read("pack", { offset: 5, sizeBytes: 10 }, { signal });

      expect(Buffer.compare(await read(client), PACK.subarray(5, 15))).toBe(0);
      // nginx says 400 to who shows none, or one that nobody vouches for.
      await expect(read({})).rejects.toMatchObject({ code: "SOURCE_INVALID" });
      await expect(read(stranger)).rejects.toMatchObject({ code: "SOURCE_INVALID" });
    });

    it(`goes on where nginx gives connections up after some requests: ${protocol}`, async () => {
      const server = await start({ isHttp2, more: () => "keepalive_requests 10;" });
      const source = open(server, { isHttp2 });

      await readInTurn(source, 60);

      expect(source.traffic.requests).toBeGreaterThanOrEqual(60);
    });
  }

  it("speaks HTTP/1.1 where nginx offers no more", async () => {
    const server = await start({ isHttp2: false });

    await readAll(open(server, { isHttp2: true }), 20);
  });

  it("is a source over its Unix socket", async () => {
    const socket = path.join(temporaryFolder(), "nginx.sock");
    await start({ isHttp2: false, more: () => `listen unix:${socket};` });
    const source = openSource({
      url: `unix:${socket}:/dav/pub`,
      limits: PATIENT_LIMITS,
      runtime: testRuntime(),
    });
    onTestFinished(() => source.close());

    await readAll(source, 20);
    await expect(source.read("none", { offset: 0, sizeBytes: 1 }, { signal })).rejects.toThrow(
      `unix:${socket}:/dav/pub/none answers with status 404`,
    );
  });
});

interface Stage {
  readonly isHttp2: boolean;
  readonly files?: Readonly<Record<string, Uint8Array>>;
  readonly more?: (certificates: SecureServer["certificates"]) => string;
}

async function start({ isHttp2, files = { pack: PACK }, more }: Stage): Promise<SecureServer> {
  const folder = temporaryFolder();
  for (const [name, bytes] of Object.entries(files)) {
    const file = path.join(folder, "dav/pub", name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  }
  return startNginx({
    folder,
    isReadFree: true,
    listen: isHttp2 ? "http2" : "",
    ...(more === undefined ? {} : { more }),
  });
}

function open(
  { url, certificates }: SecureServer,
  { isHttp2, tls = {} }: { readonly isHttp2: boolean; readonly tls?: Access["tls"] },
): Source {
  const source = openSource({
    url,
    access: { tls: { caFile: certificates.caFile, ...tls } },
    http2: isHttp2,
    limits: PATIENT_LIMITS,
    runtime: testRuntime(),
  });
  onTestFinished(() => source.close());
  return source;
}

/** As many ranges at once as a replica asks for. */
async function readAll(source: Source, count: number): Promise<void> {
  const left = Array.from({ length: count }, (_, at) => at * 9000);
  const work = async (): Promise<void> => {
    for (let offset = left.pop(); offset !== undefined; offset = left.pop()) {
      const bytes = await source.read("pack", { offset, sizeBytes: 9000 }, { signal });
      expect(Buffer.compare(bytes, PACK.subarray(offset, offset + 9000))).toBe(0);
    }
  };
  await Promise.all(Array.from({ length: 6 }, work));
}

async function readInTurn(source: Source, count: number): Promise<void> {
  for (let at = 0; at < count; at++) {
    const bytes = await source.read("pack", { offset: at, sizeBytes: 9000 }, { signal });
    expect(Buffer.compare(bytes, PACK.subarray(at, at + 9000))).toBe(0);
  }
}

/** nginx numbers its connections: that of this one, and so how many there were. */
function countHeader(): string {
  return 'location = /dav/pub/connections { return 200 "$connection\\n"; }';
}

async function connectionCount(source: Source): Promise<number> {
  const bytes = await source.read("connections", { offset: 0, sizeBytes: 2 }, { signal });
  return Number(Buffer.from(bytes).toString());
}
