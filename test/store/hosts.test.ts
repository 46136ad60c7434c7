import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Access } from "../../src/store/access.js";
import type { Host } from "../../src/store/host.js";
import { openHost } from "../../src/store/open-host.js";
import { openSource } from "../../src/store/open-source.js";
import { HOST_KINDS, type OpenedHost, openFolder } from "../support/host-kinds.js";
import { contentOf, describeHost, type TestHost } from "./host-conformance.js";
import { startPutServer } from "./put-server.js";
import { neverAborted, PATIENT_LIMITS, testRuntime } from "./runtime.js";

for (const { kind, skipped, open } of HOST_KINDS) {
  describeHost(kind, async () => testHostIn(await open()), skipped);
}
describeHost("a server of ours that takes files by PUT alone", openPutServer);

describe("a folder that is a host", () => {
  const options = { signal: neverAborted() };

  it("is there once it was made", async () => {
    const { host } = folderHost();
    expect(await host.isMade(options)).toBe(false);

    await host.make(options);

    expect(await host.isMade(options)).toBe(true);
  });

  it("is written only where it does not hold the bytes already", async () => {
    const { host, lies } = folderHost();
    await host.put("file", contentOf(Buffer.from("first")), options);

    await host.put("file", contentOf(Buffer.from("FIRST second"), 5), options);

    expect(lies("file")).toEqual(Buffer.from("first second"));
  });

  it("rejects, and does not throw, when it cannot be written", async () => {
    const { host } = folderHost();
    await host.put("file", contentOf(Buffer.from("first")), options);

    await expect(
      host.put("file/below", contentOf(Buffer.from("x")), options),
    ).rejects.toMatchObject({ code: "DISK_FAILED" });
  });
});

describe("a URL", () => {
  it.each([
    ["no URL", "CONFIG_INVALID"],
    ["http://user:secret@example.org/pub", "CONFIG_INVALID"],
    ["http://example.org/pub?token=secret", "CONFIG_INVALID"],
    ["file://other.example/pub", "CONFIG_INVALID"],
    ["sftp://example.org/pub", "UNSUPPORTED"],
  ])("of a source is refused: %s", (url, code) => {
    const open = () => openSource({ url, limits: PATIENT_LIMITS, runtime: testRuntime() });

    expect(open).toThrow(expect.objectContaining({ code }));
    expect(open).not.toThrow(/secret/);
  });

  it("of a host is refused when nothing speaks its protocol", () => {
    const open = () => openHost({ name: "a", url: "rclone://a/pub", runtime: testRuntime() });

    expect(open).toThrow(expect.objectContaining({ code: "UNSUPPORTED" }));
  });
});

function folderHost(): TestHost {
  return testHostIn(openFolder());
}

function testHostIn({ url, access, folder }: OpenedHost): TestHost {
  return { host: openFor(url, access), ...lookInto(folder) };
}

async function openPutServer(): Promise<TestHost> {
  const { url, files } = await startPutServer();
  const list = (): string[] => [...files.keys()];
  return { host: openFor(url), list, lies: (file) => files.get(file) };
}

/** Closed when the test ends. */
function openFor(url: string, access: Access = {}): Host {
  const host = openHost({ name: "a", url, access, runtime: testRuntime() });
  onTestFinished(() => host.close());
  return host;
}

function lookInto(folder: string): Pick<TestHost, "lies" | "list"> {
  const list = (): string[] =>
    (existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [])
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));
  return {
    list,
    lies: (file) => (list().includes(file) ? readFileSync(path.join(folder, file)) : undefined),
  };
}
