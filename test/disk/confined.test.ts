import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ROOT, toTreePath } from "../../src/bytes/tree-path.js";
import { ConfinedTree, mtimeSeconds } from "../../src/disk/confined.js";
import { closeFile, readExactly, writeFully } from "../../src/disk/file-io.js";
import { fastTemporaryFolder, temporaryFolder } from "../support/temporary.js";
import { gid, isRoot, uid } from "./identity.js";
import "./matchers.js";

const text = (content: string): Uint8Array => Buffer.from(content);
const mode = (file: string): string => (fs.lstatSync(file).mode & 0o7777).toString(8);

function openTree(folder = temporaryFolder()) {
  const tree = ConfinedTree.open(folder);
  onTestFinished(() => tree.close());
  return { tree, folder, host: (name: string) => path.join(folder, name) };
}

function withUmask(umask: number): void {
  const before = process.umask(umask);
  onTestFinished(() => void process.umask(before));
}

describe("making things", () => {
  it.each([0o000, 0o022, 0o077, 0o777])("gives files exact modes under the umask %o", (umask) => {
    const { tree, host } = openTree();
    withUmask(umask);

    const modes = [0o644, 0o644, 0o600, 0o755, 0o666, 0o4755, 0o6711, 0o444, 0o000, 0o644];
    modes.forEach((one, number) => {
      tree.writeFile(toTreePath(`f${number}`), text("x"), { mode: one });
    });

    expect(modes.map((_, number) => mode(host(`f${number}`)))).toEqual(
      modes.map((one) => one.toString(8)),
    );
  });

  it.each([0o000, 0o022, 0o077])("gives directories exact modes under the umask %o", (umask) => {
    const { tree, host } = openTree();
    withUmask(umask);

    const modes = [0o755, 0o755, 0o700, 0o1777, 0o2775, 0o711];
    modes.forEach((one, number) => tree.makeDirectory(toTreePath(`d${number}`), one));

    expect(modes.map((_, number) => mode(host(`d${number}`)))).toEqual(
      modes.map((one) => one.toString(8)),
    );
  });

  it("does not inherit the set-group bit of the directory above", () => {
    const { tree, folder, host } = openTree();
    fs.chmodSync(folder, 0o2755);

    tree.makeDirectory(toTreePath("d"), 0o755);

    expect(mode(host("d"))).toBe("755");
  });

  it("keeps set-id bits when the owner changes as well", ({ skip }) => {
    skip(!isRoot, "skipped: only root may change owners");
    const { tree, host } = openTree();

    tree.writeFile(toTreePath("new"), text("x"), { mode: 0o6755, uid: 1234, gid: 2345 });
    tree.writeFile(toTreePath("old"), text("x"));
    tree.setAttributes(toTreePath("old"), { mode: 0o6755, uid: 1234, gid: 2345 });

    for (const name of ["new", "old"]) {
      const stat = fs.statSync(host(name));
      expect([stat.uid, stat.gid, mode(host(name))]).toEqual([1234, 2345, "6755"]);
    }
  });

  it("takes names and targets of any bytes", () => {
    const { tree, folder } = openTree();
    const name = Array.from({ length: 254 }, (_, at) => String.fromCharCode(at + 1))
      .join("")
      .replace("/", "");
    const directory = toTreePath(name);
    const link = toTreePath(`${name}/${name}`);

    tree.ensureDirectory(directory);
    tree.symlink(`/no${name}where/\xff`, link);

    expect(fs.readdirSync(folder, "latin1")).toEqual([name]);
    expect(tree.list(directory)).toEqual([name]);
    expect(tree.listTyped(ROOT)).toEqual([{ name, isDirectory: true }]);
    expect(tree.readLink(link)).toBe(`/no${name}where/\xff`);
    expect(tree.lstat(link)?.isSymbolicLink()).toBe(true);
    expect(tree.removeTree(directory)).toBe(true);
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  it("refuses to write over what is there", () => {
    const { tree, host } = openTree();
    fs.writeFileSync(host("f"), "old");

    expect(() => tree.writeFile(toTreePath("f"), text("new"))).toThrowCode("TREE_DIVERGED");
    expect(() => tree.createFile(toTreePath("f"))).toThrowCode("TREE_DIVERGED");
    expect(() => tree.symlink("x", toTreePath("f"))).toThrowCode("TREE_DIVERGED");
    expect(() => tree.makeDirectory(toTreePath("f"), 0o755)).toThrowCode("TREE_DIVERGED");
    expect(fs.readFileSync(host("f"), "utf8")).toBe("old");
  });

  it("writes and reads through descriptors", () => {
    const { tree, host } = openTree();

    const writing = tree.createFile(toTreePath("f"));
    writeFully(writing, text("hello "));
    writeFully(writing, text("world"));
    closeFile(writing);
    const reading = tree.openFile(toTreePath("f"));
    const found = Buffer.from(readExactly(reading, 4, 4)).toString();
    closeFile(reading);

    expect(found).toBe("o wo");
    expect(mode(host("f"))).toBe("600");
    expect(tree.readSmallFile(toTreePath("f"))).toBe("hello world");
    expect(tree.readSmallFile(toTreePath("g"))).toBeUndefined();
  });

  it("makes the missing directories above, with mode 0700", () => {
    const { tree, host } = openTree();
    fs.mkdirSync(host("a"), { mode: 0o755 });

    tree.ensureDirectory(toTreePath("a/b/c"));
    tree.ensureDirectory(toTreePath("a/b/c"));
    tree.ensureDirectory(ROOT);

    expect([mode(host("a")), mode(host("a/b")), mode(host("a/b/c"))]).toEqual([
      "755",
      "700",
      "700",
    ]);
  });

  it("says that a file stands where a directory is needed", () => {
    const { tree, host } = openTree();
    fs.writeFileSync(host("f"), "");

    expect(() => tree.ensureDirectory(toTreePath("f"))).toThrowCode("TREE_DIVERGED");
    expect(() => tree.ensureDirectory(toTreePath("f/g/h"))).toThrowCode("TREE_DIVERGED");
  });

  it("says that the disk is full", () => {
    const full = fs.openSync("/dev/full", "w");
    onTestFinished(() => fs.closeSync(full));

    expect(() => writeFully(full, text("x"))).toThrowCode("DISK_SPACE");
  });

  it("opens regular files only, and does not wait for a fifo", () => {
    const { tree, host } = openTree();
    fs.mkdirSync(host("d"));
    fs.symlinkSync("/etc/passwd", host("l"));
    execFileSync("mkfifo", [host("p")]);

    for (const name of ["d", "l", "p", "missing"]) {
      expect(() => tree.openFile(toTreePath(name))).toThrowCode("TREE_DIVERGED");
    }
  });

  it("refuses to replace or remove the root", () => {
    const { tree, folder } = openTree();

    expect(() => tree.removeDirectory(ROOT)).toThrowCode("PATH_REFUSED");
    expect(() => tree.unlink(ROOT)).toThrowCode("PATH_REFUSED");
    expect(() => tree.rename(ROOT, toTreePath("x"))).toThrowCode("PATH_REFUSED");
    expect(() => tree.rename(toTreePath("x"), ROOT)).toThrowCode("PATH_REFUSED");
    expect(() => tree.removeTree(ROOT)).toThrowCode("PATH_REFUSED");
    expect(fs.existsSync(folder)).toBe(true);
  });

  it("says that there is no such tree", () => {
    const folder = temporaryFolder();

    expect(() => ConfinedTree.open(path.join(folder, "missing"))).toThrowCode("TREE_MISSING");
  });
});

describe("times", () => {
  const TIMES = [0, 1, -5, -(2 ** 31), 2 ** 31, 2 ** 32 + 1, 2 ** 33];

  it.each([temporaryFolder, fastTemporaryFolder])("are whole seconds, of any age (%#)", (make) => {
    const { tree, host } = openTree(make());
    tree.makeDirectory(toTreePath("d"), 0o755);
    tree.symlink("nowhere", toTreePath("l"));

    TIMES.forEach((mtime, number) => {
      tree.writeFile(toTreePath(`f${number}`), text("x"), { mtime });
      for (const name of ["d", "l", ""]) tree.setAttributes(toTreePath(name), { mtime });

      for (const name of [`f${number}`, "d", "l", ""]) {
        const stat = fs.lstatSync(host(name), { bigint: true });
        expect(stat.mtimeNs).toBe(BigInt(mtime) * 1_000_000_000n);
        const found = tree.lstat(toTreePath(name));
        expect(found === undefined ? undefined : mtimeSeconds(found)).toBe(mtime);
      }
    });
  });

  it("are read exactly, far in the future and before 1970", () => {
    const times = [2 ** 31, 2 ** 34 - 1, 2 ** 40 + 1, -1, -(2 ** 31)];

    expect(times.map((seconds) => mtimeSeconds({ mtimeMs: seconds * 1000 }))).toEqual(times);
    expect(times.map((seconds) => mtimeSeconds({ mtimeMs: seconds * 1000 + 999 }))).toEqual(times);
  });

  it("stay when only the mode is set, and the other way round", () => {
    const { tree, host } = openTree();
    tree.writeFile(toTreePath("f"), text("x"), { mode: 0o640, mtime: 1000 });

    tree.setAttributes(toTreePath("f"), { mode: 0o604 });
    expect(fs.statSync(host("f")).mtimeMs).toBe(1_000_000);
    tree.setAttributes(toTreePath("f"), { mtime: 2000 });
    expect(mode(host("f"))).toBe("604");
    tree.setAttributes(toTreePath("f"), { uid, gid });
    expect([mode(host("f")), fs.statSync(host("f")).mtimeMs]).toEqual(["604", 2_000_000]);
  });
});

describe("attributes of directories", () => {
  it("are set exactly, set-id bits and old times too", () => {
    const { tree, host } = openTree();
    tree.makeDirectory(toTreePath("d"), 0o700);

    tree.setDirectoryAttributes(toTreePath("d"), { mode: 0o2751, mtime: -5, uid, gid });
    tree.setDirectoryAttributes(ROOT, { mtime: 7 });

    expect([mode(host("d")), fs.statSync(host("d")).mtimeMs]).toEqual(["2751", -5000]);
    expect(fs.statSync(host("")).mtimeMs).toBe(7000);
  });

  it("are set where the directory may not be read", () => {
    const { tree, host } = openTree();
    tree.makeDirectory(toTreePath("d"), 0o300);

    tree.setDirectoryAttributes(toTreePath("d"), { mode: 0o311, mtime: 9 });

    expect([mode(host("d")), fs.statSync(host("d")).mtimeMs]).toEqual(["311", 9000]);
  });

  it("leave what is no directory as it is", () => {
    const { tree, host } = openTree();
    tree.makeDirectory(toTreePath("d"), 0o700);
    tree.writeFile(toTreePath("f"), text("x"), { mode: 0o640, mtime: 1000 });
    tree.symlink("d", toTreePath("l"));

    for (const name of ["f", "l", "absent", "f/below", "l/below"]) {
      tree.setDirectoryAttributes(toTreePath(name), { mode: 0o755, mtime: 9 });
    }

    expect([mode(host("f")), fs.statSync(host("f")).mtimeMs]).toEqual(["640", 1_000_000]);
    expect(mode(host("d"))).toBe("700");
    expect(fs.lstatSync(host("l")).mtimeMs).toBeGreaterThan(9000);
  });
});

describe("moving and removing", () => {
  it("replaces files and links, and moves directories with all below", () => {
    const { tree, host } = openTree();
    tree.ensureDirectory(toTreePath("stage/new/deep"));
    tree.writeFile(toTreePath("stage/new/deep/f"), text("1"));
    fs.symlinkSync("/etc", host("link"));
    tree.writeFile(toTreePath("g"), text("2"));

    tree.rename(toTreePath("stage/new"), toTreePath("new"));
    tree.rename(toTreePath("g"), toTreePath("link"));

    expect(fs.readFileSync(host("new/deep/f"), "utf8")).toBe("1");
    expect(fs.readFileSync(host("link"), "utf8")).toBe("2");
    expect(tree.lstat(toTreePath("stage/new/deep"))).toBeUndefined();
    tree.writeFile(toTreePath("new/deep/h"), text("3"));
    expect(fs.readFileSync(host("new/deep/h"), "utf8")).toBe("3");
    expect(() => tree.writeFile(toTreePath("stage/new/deep/x"), text(""))).toThrowCode(
      "TREE_DIVERGED",
    );
  });

  it("does not mistake a directory for one that had its name before", () => {
    const { tree, host } = openTree();
    tree.ensureDirectory(toTreePath("a/b"));
    tree.ensureDirectory(toTreePath("c/b"));
    tree.writeFile(toTreePath("a/b/one"), text(""));
    tree.writeFile(toTreePath("c/b/two"), text(""));

    tree.rename(toTreePath("a"), toTreePath("old"));
    tree.rename(toTreePath("c"), toTreePath("a"));
    tree.writeFile(toTreePath("a/b/three"), text(""));

    expect(fs.readdirSync(host("a/b")).sort()).toEqual(["three", "two"]);
    expect(fs.readdirSync(host("old/b"))).toEqual(["one"]);
  });

  it("says whether there was anything", () => {
    const { tree } = openTree();
    tree.ensureDirectory(toTreePath("d/e"));
    tree.writeFile(toTreePath("f"), text(""));

    expect(tree.removeDirectoryIfEmpty(toTreePath("d"))).toBe(false);
    expect(() => tree.removeDirectory(toTreePath("d"))).toThrowCode("TREE_DIVERGED");
    expect(() => tree.unlink(toTreePath("d"))).toThrowCode("TREE_DIVERGED");
    expect(tree.removeDirectory(toTreePath("d/e"))).toBe(true);
    expect(tree.removeDirectoryIfEmpty(toTreePath("d"))).toBe(true);
    expect(tree.removeDirectory(toTreePath("d"))).toBe(false);
    expect(tree.unlink(toTreePath("f"))).toBe(true);
    expect(tree.unlink(toTreePath("f"))).toBe(false);
    expect(tree.unlink(toTreePath("d/e/f"))).toBe(false);
    expect(tree.removeTree(toTreePath("d/e/f"))).toBe(false);
  });

  it("removes what is write-protected or closed", () => {
    const { tree, host, folder } = openTree();
    for (const name of ["t", "t/a", "t/a/b", "t/c"]) fs.mkdirSync(host(name));
    for (const name of ["t/f", "t/a/f", "t/a/b/f", "t/c/f"]) fs.writeFileSync(host(name), "");
    fs.chmodSync(host("t/a/b"), 0o000);
    fs.chmodSync(host("t/a"), 0o555);
    fs.chmodSync(host("t/c"), 0o100);
    fs.chmodSync(host("t"), 0o500);

    expect(tree.removeTree(toTreePath("t"))).toBe(true);
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  it("keeps right through more directories than it holds open, and deep ones", () => {
    const { tree, host } = openTree(fastTemporaryFolder());
    const wide = Array.from({ length: 700 }, (_, number) => `w${number % 7}/d${number}`);
    const deep = Array.from({ length: 600 }, () => "d").join("/");

    for (const name of wide) tree.ensureDirectory(toTreePath(name));
    for (const round of ["one", "two"]) {
      for (const name of wide) tree.writeFile(toTreePath(`${name}/${round}`), text(name));
    }
    tree.ensureDirectory(toTreePath(deep));
    tree.rename(toTreePath("w0/d0/one"), toTreePath(`${deep}/moved`));
    for (const name of wide.slice(0, 300)) tree.lstat(toTreePath(`${name}/x`));
    tree.rename(toTreePath(`${deep}/moved`), toTreePath("w1/d1/moved"));

    expect(fs.readFileSync(host("w1/d1/moved"), "utf8")).toBe("w0/d0");
    for (const name of wide) expect(fs.readFileSync(host(`${name}/two`), "utf8")).toBe(name);
    expect(tree.removeTree(toTreePath("d"))).toBe(true);
  });

  it("forgets the directory it used last when a search through many closes it", () => {
    const { tree, host } = openTree(fastTemporaryFolder());
    const deep = Array.from({ length: 300 }, () => "d").join("/");
    fs.mkdirSync(host(deep), { recursive: true });
    fs.mkdirSync(host("x"));

    expect(tree.lstat(toTreePath("x/f"))).toBeUndefined();
    expect(tree.lstat(toTreePath(`${deep}/missing/f`))).toBeUndefined();
    tree.writeFile(toTreePath("x/f"), text("x"));

    expect(fs.readdirSync(host("x"))).toEqual(["f"]);
  });

  it("leaves no descriptor open", () => {
    const folder = fastTemporaryFolder();
    const before = fs.readdirSync("/proc/self/fd").length;

    const tree = ConfinedTree.open(folder);
    for (let number = 0; number < 400; number++) {
      tree.ensureDirectory(toTreePath(`a${number}/b`));
      tree.writeFile(toTreePath(`a${number}/b/f`), text(""), { mode: 0o644, mtime: 5 });
      tree.setAttributes(toTreePath(`a${number}/b`), { mode: 0o755, mtime: 5 });
    }
    tree.removeTree(toTreePath("a7"));
    expect(fs.readdirSync("/proc/self/fd").length).toBeLessThan(before + 300);
    tree.close();

    expect(fs.readdirSync("/proc/self/fd").length).toBe(before);
  });

  it("lends a path that other processes can use", async () => {
    const { tree, host } = openTree();
    tree.ensureDirectory(toTreePath("d"));

    const lent = await tree.withHostPath(toTreePath("d/\xe9"), (hostPath) => {
      fs.writeFileSync(hostPath, "x");
      return Promise.resolve(hostPath);
    });

    expect(fs.readdirSync(host("d"), "latin1")).toEqual(["\xe9"]);
    expect(fs.existsSync(lent)).toBe(false);
  });
});
