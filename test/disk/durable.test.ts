import fs from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import {
  makeFolder,
  removeFile,
  removeFolder,
  replaceFile,
  syncFile,
  syncFolder,
  truncateFile,
  writeAt,
} from "../../src/disk/durable.js";
import { temporaryFolder } from "../support/temporary.js";
import "./matchers.js";

describe("replacing a file", () => {
  it("leaves the new bytes, the mode, and nothing beside", () => {
    const folder = temporaryFolder();
    const file = path.join(folder, "head");

    replaceFile(file, Buffer.from("one"));
    replaceFile(file, Buffer.from("two"), { mode: 0o600 });

    expect(fs.readFileSync(file, "utf8")).toBe("two");
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
    expect(fs.readdirSync(folder)).toEqual(["head"]);
  });

  it("writes over what a crash left, also if it is a symlink", () => {
    const folder = temporaryFolder();
    const other = path.join(folder, "other");
    fs.writeFileSync(other, "other");
    fs.symlinkSync(other, path.join(folder, ".head.new"));

    replaceFile(path.join(folder, "head"), Buffer.from("new"));

    expect(fs.readFileSync(path.join(folder, "head"), "utf8")).toBe("new");
    expect(fs.readFileSync(other, "utf8")).toBe("other");
  });

  it("gives readers who have the old file its old bytes", () => {
    const file = path.join(temporaryFolder(), "head");
    replaceFile(file, Buffer.from("old"));
    const reading = fs.openSync(file, "r");

    replaceFile(file, Buffer.from("new"));

    expect(fs.readFileSync(reading, "utf8")).toBe("old");
    fs.closeSync(reading);
  });

  it("fails without a folder, and leaves nothing when it cannot replace", () => {
    const folder = temporaryFolder();
    fs.mkdirSync(path.join(folder, "d"));

    expect(() => replaceFile(path.join(folder, "none/f"), Buffer.of())).toThrowCode("DISK_FAILED");
    expect(() => replaceFile(path.join(folder, "d"), Buffer.of())).toThrowCode("DISK_FAILED");
    expect(fs.readdirSync(folder)).toEqual(["d"]);
  });
});

describe("growing a file", () => {
  it("writes at offsets, cuts, and syncs", () => {
    const folder = temporaryFolder();
    const file = path.join(folder, "pack");

    writeAt(file, 0, Buffer.from("0123456789"));
    writeAt(file, 4, Buffer.from("ab"));
    writeAt(file, 10, Buffer.from("end"));
    truncateFile(file, 12);
    syncFile(file);
    syncFolder(folder);

    expect(fs.readFileSync(file, "utf8")).toBe("0123ab6789en");
  });

  it("says that the disk is full", () => {
    expect(() => writeAt("/dev/full", 0, Buffer.from("x"))).toThrowCode("DISK_SPACE");
    expect(() => writeAt("/dev/full", 0, Buffer.from("x"))).toThrow(
      "cannot write /dev/full: no space",
    );
  });
});

describe("folders", () => {
  it("are made with those above, and may be there", () => {
    const folder = temporaryFolder();

    makeFolder(path.join(folder, "a/b/c"), 0o700);
    makeFolder(path.join(folder, "a/b/c"));
    makeFolder(path.join(folder, "a/b/d"));

    expect(fs.readdirSync(path.join(folder, "a/b")).sort()).toEqual(["c", "d"]);
    expect(fs.statSync(path.join(folder, "a/b/c")).mode & 0o777).toBe(0o700);
  });

  it("that cannot be made are an error, not a search without end", () => {
    expect(() => makeFolder("/proc/dupmirror/state")).toThrow("cannot make the folder");
  });

  it("are not made where a file stands", () => {
    const file = path.join(temporaryFolder(), "f");
    fs.writeFileSync(file, "kept");

    expect(() => makeFolder(file)).toThrow("cannot make the folder");
    expect(() => makeFolder(path.join(file, "below"))).toThrow("cannot make the folder");
  });

  it("go with all in them, symlinks not followed", () => {
    const folder = temporaryFolder();
    makeFolder(path.join(folder, "a/b"));
    fs.writeFileSync(path.join(folder, "f"), "kept");
    fs.symlinkSync("../../f", path.join(folder, "a/b/link"));

    removeFolder(path.join(folder, "a"));
    removeFolder(path.join(folder, "a"));
    removeFolder(path.join(folder, "x/y"));

    expect(fs.readdirSync(folder)).toEqual(["f"]);
  });

  it("lose files that are there or not", () => {
    const folder = temporaryFolder();
    fs.writeFileSync(path.join(folder, "f"), "");

    removeFile(path.join(folder, "f"));
    removeFile(path.join(folder, "f"));

    expect(fs.readdirSync(folder)).toEqual([]);
    expect(() => removeFile(folder)).toThrowCode("DISK_FAILED");
  });
});
