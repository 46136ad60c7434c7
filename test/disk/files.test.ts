import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { describe, expect, it, vi } from "vitest";
import {
  fileIdentity,
  isEmptyFolder,
  listFolder,
  readFileIfPresent,
  readRange,
  streamFile,
  writeNewFile,
} from "../../src/disk/files.js";
import { freeSpace } from "../../src/disk/space.js";
import { temporaryFolder } from "../support/temporary.js";
import { collect } from "./collect.js";
import { isRoot } from "./identity.js";
import "./matchers.js";

const { signal } = new AbortController();
const BYTES = Buffer.from(Array.from({ length: 700_001 }, (_, at) => (at * 7) % 251));

function makeFile(bytes: Uint8Array = BYTES): string {
  const file = path.join(temporaryFolder(), "f");
  fs.writeFileSync(file, bytes);
  return file;
}

/** What a descriptor of ours is open for. */
function linkOf(descriptor: string): string | undefined {
  try {
    return fs.readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return undefined;
  }
}

describe("reading a range", () => {
  it.each([
    [0, 0],
    [0, 1],
    [0, BYTES.length],
    [699_990, 11],
    [BYTES.length, 0],
  ])("gives exactly the bytes from %i, %i long", async (offset, sizeBytes) => {
    const found = await readRange(makeFile(), offset, sizeBytes, { signal });

    expect(Buffer.compare(found, BYTES.subarray(offset, offset + sizeBytes))).toBe(0);
  });

  it("puts the bytes where they are wanted", async () => {
    const file = makeFile();
    const into = Buffer.alloc(100);

    const bytes = await readRange(file, 7, 50, { into, signal });

    expect(bytes).toEqual(await readRange(file, 7, 50, { signal }));
    expect(into.subarray(0, 50).equals(bytes)).toBe(true);
    expect(into.subarray(50).equals(Buffer.alloc(50))).toBe(true);
  });

  it("says that the file ends before", async () => {
    await expect(readRange(makeFile(), 700_000, 2, { signal })).rejects.toMatchObject({
      code: "SOURCE_SHORT",
    });
  });

  it("says that there is no file, or that it is none", async () => {
    const file = makeFile();
    const fifo = `${file}.fifo`;
    execFileSync("mkfifo", [fifo]);

    for (const [one, code] of [
      [`${file}x`, "SOURCE_MISSING"],
      [`${file}/x`, "SOURCE_MISSING"],
      [path.dirname(file), "SOURCE_INVALID"],
      [fifo, "SOURCE_UNREACHABLE"],
    ] as const) {
      await expect(readRange(one, 0, 1, { signal })).rejects.toMatchObject({ code });
    }
  });

  it("says that it may not read", async ({ skip }) => {
    skip(isRoot, "skipped: root may read everything");
    const file = makeFile();
    fs.chmodSync(file, 0);

    await expect(readRange(file, 0, 1, { signal })).rejects.toMatchObject({
      code: "SOURCE_UNREACHABLE",
    });
  });

  it("stops when asked, with the reason given", async () => {
    const reason = new Error("enough");

    await expect(readRange(makeFile(), 0, 1, { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
  });
});

describe("streaming a file", () => {
  it.each([0, 1, 256 * 1024, 700_000, 700_001, 800_000])("gives all from %i on", async (start) => {
    const found = await collect(streamFile(makeFile(), { start, signal }));

    expect(Buffer.compare(found, BYTES.subarray(start))).toBe(0);
  });

  it("ends well at a file that is a whole number of chunks, and at an empty one", async () => {
    const even = makeFile(BYTES.subarray(0, 512 * 1024));

    expect(await collect(streamFile(even, { signal }))).toHaveLength(512 * 1024);
    expect(await collect(streamFile(makeFile(Buffer.of()), { signal }))).toHaveLength(0);
  });

  it("says that there is no file, and closes it when the reader stops", async () => {
    const file = makeFile();
    const before = fs.readdirSync("/proc/self/fd").length;

    await expect(collect(streamFile(`${file}x`, { signal }))).rejects.toMatchObject({
      code: "SOURCE_MISSING",
    });
    for await (const chunk of streamFile(file, { signal })) {
      expect(chunk).toHaveLength(256 * 1024);
      break;
    }

    expect(fs.readdirSync("/proc/self/fd").length).toBe(before);
  });

  it("closes the file when it is asked to stop while it opens it", async () => {
    const file = makeFile();
    const descriptors = (): number =>
      fs.readdirSync("/proc/self/fd").filter((fd) => linkOf(fd) === file).length;
    const stop = new AbortController();
    const reading = streamFile(file, { signal: stop.signal }).next();
    stop.abort(new Error("enough"));

    await expect(reading).rejects.toThrow("enough");
    await new Promise<void>((resolve) => fs.stat(file, () => resolve()));
    await vi.waitFor(() => expect(descriptors()).toBe(0));
  });

  it("stops in the middle when asked", async () => {
    const stop = new AbortController();
    const reading = streamFile(makeFile(), { signal: stop.signal });
    await reading.next();
    stop.abort(new Error("enough"));

    await expect(reading.next()).rejects.toThrow("enough");
  });
});

describe("our own files", () => {
  it("are read whole, or are not there", () => {
    const file = makeFile(Buffer.from("abc"));

    expect(readFileIfPresent(file)).toEqual(Buffer.from("abc"));
    expect(readFileIfPresent(`${file}x`)).toBeUndefined();
    expect(readFileIfPresent(`${file}/x`)).toBeUndefined();
    expect(() => readFileIfPresent(path.dirname(file))).toThrowCode("DISK_FAILED");
  });

  it("are written new only", () => {
    const file = path.join(temporaryFolder(), "f");

    writeNewFile(file, Buffer.from("abc"));

    expect(fs.readFileSync(file, "utf8")).toBe("abc");
    expect(() => writeNewFile(file, Buffer.of())).toThrowCode("DISK_FAILED");
  });

  it("have an identity that changes with every write", () => {
    const file = makeFile(Buffer.from("abc"));
    fs.utimesSync(file, 1000, 1000.5);
    const first = fileIdentity(file);
    fs.writeFileSync(`${file}2`, "abc");
    fs.renameSync(`${file}2`, file);

    expect(first).toMatchObject({ sizeBytes: 3, mtimeNs: 1_000_500_000_000n });
    expect(fileIdentity(file)?.inode).not.toBe(first?.inode);
    expect(fileIdentity(`${file}x`)).toBeUndefined();
  });

  it("are listed as bytes, sorted", () => {
    const folder = temporaryFolder();
    for (const name of ["b", "\xff", "a"]) {
      fs.writeFileSync(Buffer.from(`${folder}/${name}`, "latin1"), "");
    }

    expect(listFolder(folder)).toEqual(["a", "b", "\xff"]);
    expect(isEmptyFolder(folder)).toBe(false);
    expect(listFolder(path.join(folder, "none"))).toEqual([]);
    expect(isEmptyFolder(path.join(folder, "none"))).toBe(true);
    expect(() => listFolder("/proc/self/fd/no\0")).toThrow();
  });

  it("have some room", () => {
    const { bytes, inodes } = freeSpace(temporaryFolder());

    expect(bytes).toBeGreaterThan(0);
    expect(inodes).toBeGreaterThan(0);
    expect(() => freeSpace("/nowhere")).toThrowCode("DISK_FAILED");
  });
});
