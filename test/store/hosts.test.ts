import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { openHost } from "../../src/store/open-host.js";
import { openSource } from "../../src/store/open-source.js";
import { temporaryFolder } from "../support/temporary.js";
import { PATIENT_LIMITS, testRuntime } from "./runtime.js";

const PACK = "shares/0/session/20231114T221320Z/v0";

describe("a host that is a folder", () => {
  it("grows a file piece by piece, making the folders above it", async () => {
    const { host, folder } = folderHost();

    await host.write(PACK, 0, Buffer.from("first"));
    await host.write(PACK, 5, Buffer.from(" second"));
    await host.sync(PACK);

    expect(readFileSync(path.join(folder, PACK), "utf8")).toBe("first second");
    expect(await host.size(PACK)).toBe(12);
  });

  it("is made with the folders above it, and stays as it is when it is there", async () => {
    const folder = path.join(temporaryFolder(), "mnt", "host");
    const host = openHost({ name: "a", url: pathToFileURL(folder).href });
    expect(await host.size(".")).toBeUndefined();

    await host.make();
    await host.write("head", 0, Buffer.from("a head"));
    await host.make();

    expect(await host.size("head")).toBe(6);
  });

  it("is not changed by the same write again", async () => {
    const { host, folder } = folderHost();
    await host.write(PACK, 0, Buffer.from("first second"));

    await host.write(PACK, 5, Buffer.from(" second"));

    expect(readFileSync(path.join(folder, PACK), "utf8")).toBe("first second");
  });

  it("puts a new file in the place of the old one, and leaves nothing beside it", async () => {
    const { host, folder } = folderHost();

    await host.replace("head", Buffer.from("a long first head"));
    await host.replace("head", Buffer.from("a head"));

    expect(readdirSync(folder)).toStrictEqual(["head"]);
    expect(readFileSync(path.join(folder, "head"), "utf8")).toBe("a head");
  });

  it("reads ranges", async () => {
    const { host } = folderHost();
    await host.write(PACK, 0, Buffer.from("first second"));

    const bytes = await host.read(PACK, { offset: 6, sizeBytes: 6 });

    expect(Buffer.from(bytes).toString()).toBe("second");
    await expect(host.read(PACK, { offset: 6, sizeBytes: 7 })).rejects.toMatchObject({
      code: "SOURCE_SHORT",
    });
    await expect(host.read("none", { offset: 0, sizeBytes: 1 })).rejects.toMatchObject({
      code: "SOURCE_MISSING",
    });
  });

  it("removes a file, and does not mind when it is gone", async () => {
    const { host, folder } = folderHost();
    await host.write(PACK, 0, Buffer.from("first"));

    await host.remove(PACK);
    await host.remove(PACK);

    expect(existsSync(path.join(folder, PACK))).toBe(false);
    expect(await host.size(PACK)).toBeUndefined();
  });

  it("rejects, and does not throw, when the folder cannot be written", async () => {
    const { host } = folderHost();
    await host.write("file", 0, Buffer.from("first"));

    await expect(host.write("file/below", 0, Buffer.from("x"))).rejects.toMatchObject({
      code: "DISK_FAILED",
    });
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

  it.each(["https://example.org/pub", "rclone://remote/pub"])("of a host is refused: %s", (url) => {
    const open = () => openHost({ name: "a", url });

    expect(open).toThrow(expect.objectContaining({ code: "UNSUPPORTED" }));
  });
});

function folderHost() {
  const folder = path.join(temporaryFolder(), "host");
  return { folder, host: openHost({ name: "a", url: pathToFileURL(folder).href }) };
}
