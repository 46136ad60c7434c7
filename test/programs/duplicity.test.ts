/** With the duplicity of this machine. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import {
  archiveFolder,
  type BackupOptions,
  backUp,
  cleanUp,
  duplicityVersion,
} from "../../src/programs/duplicity.js";
import { isRoot } from "../disk/identity.js";
import { temporaryFolder } from "../support/temporary.js";
import { processesWith, until } from "./processes.js";

const { signal } = new AbortController();

/** duplicity compares with the true time, not with the one it is given. */

const hasDuplicity = await duplicityVersion({ signal }).then(
  () => true,
  () => false,
);

/** A tree with one file, and where duplicity may write. */
function arrange(name = "work"): { options: BackupOptions; files: (pattern: RegExp) => string[] } {
  const folder = path.join(temporaryFolder(), name);
  const [tree, repository, archiveDirectory, temporaryDirectory] = [
    path.join(folder, "tree"),
    path.join(folder, "repository"),
    path.join(folder, "archive"),
    path.join(folder, "temporary"),
  ];
  for (const one of [tree, repository, archiveDirectory, temporaryDirectory]) {
    mkdirSync(one, { recursive: true });
  }
  writeFileSync(path.join(tree, "file"), "first");
  const options = {
    ...{ tree, repository, archiveDirectory, temporaryDirectory, signal },
    ...{ volumeSizeBytes: 25 * 1024 * 1024, full: false, exclude: [], timeoutMs: 60_000 },
    currentTime: 1_700_000_000,
  };
  const files = (pattern: RegExp) => readdirSync(repository).filter((file) => pattern.test(file));
  return { options, files };
}

/** The names in the set's first volume. */
function namesIn(volume: string): string[] {
  return execFileSync("tar", ["--list", "--file", volume], { encoding: "utf8" }).trim().split("\n");
}

describe.skipIf(!hasDuplicity)("duplicity (skipped: where it is not installed)", () => {
  it("tells its version", async () => {
    expect(await duplicityVersion({ signal })).toMatch(/^[0-9]+\.[0-9.]+/);
  });

  it("makes a full set, then increments, and a full set when told", async () => {
    const { options, files } = arrange();
    const { tree, currentTime = 0 } = options;

    const first = await backUp(options);
    writeFileSync(path.join(tree, "more"), "second");
    const second = await backUp({ ...options, currentTime: currentTime + 60 });
    await backUp({ ...options, currentTime: currentTime + 120, full: true });

    expect(first).toMatchObject({ errors: 0, sourceFiles: 2, newFiles: 2 });
    expect(second).toMatchObject({ errors: 0, sourceFiles: 3 });
    expect(files(/^duplicity-(full|inc)\..*manifest$/)).toEqual([
      "duplicity-full.20231114T221320Z.manifest",
      "duplicity-full.20231114T221520Z.manifest",
      "duplicity-inc.20231114T221320Z.to.20231114T221420Z.manifest",
    ]);
    expect(files(/\.difftar$/)).toHaveLength(3);
    expect(readdirSync(options.temporaryDirectory)).toEqual([]);
  });

  it.each(["sp ace", "per%41cent", "qu?est#ion", "br[a]ck*et", "ümläut", "plus+;&"])(
    "works in a folder of the name %s, and leaves out what it is told",
    async (name) => {
      const { options, files } = arrange(name);
      for (const one of ["keep/x", "drop/x", "deep/drop/x"]) {
        mkdirSync(path.join(options.tree, one), { recursive: true });
      }

      await backUp({ ...options, exclude: ["drop", "**/file"] });

      const [volume = ""] = files(/vol1\.difftar$/);
      expect(namesIn(path.join(options.repository, volume))).toEqual([
        ...["snapshot/./", "snapshot/deep/", "snapshot/deep/drop/", "snapshot/deep/drop/x/"],
        ...["snapshot/keep/", "snapshot/keep/x/"],
      ]);
    },
  );

  it("makes volumes of the size that is asked for, at least a mebibyte", async () => {
    const { options, files } = arrange();
    writeFileSync(path.join(options.tree, "large"), Buffer.alloc(3 * 1024 * 1024, 1));

    await backUp({ ...options, volumeSizeBytes: 1000 });

    expect(files(/difftar$/).length).toBeGreaterThanOrEqual(3);
  });

  it("tells duplicity's own reason when it fails", async () => {
    const { options } = arrange();

    await expect(backUp({ ...options, tree: "/no/such/tree" })).rejects.toMatchObject({
      code: "PROGRAM_FAILED",
      message: /duplicity ended with [0-9]+: .*\/no\/such\/tree.*does not exist/,
    });
  });

  it("counts what it could not read", async ({ skip }) => {
    skip(isRoot, "skipped: root may read everything");
    const { options } = arrange();
    chmodSync(path.join(options.tree, "file"), 0);

    const statistics = await backUp(options);

    expect(statistics.errors).toBe(1);
    expect(statistics.warnings.join()).toContain("file");
  });

  it("cleans up what an interrupted run left", async () => {
    const { options, files } = arrange();
    await backUp(options);
    writeFileSync(path.join(options.tree, "large"), Buffer.alloc(3 * 1024 * 1024, 1));
    await backUp({ ...options, volumeSizeBytes: 1, currentTime: 1_700_000_060 });
    interrupt(options);
    expect(readdirSync(archiveFolder(options.archiveDirectory)).join()).toContain(".part");

    await cleanUp(options);

    expect(files(/^duplicity-inc/)).toEqual([]);
    expect(readdirSync(archiveFolder(options.archiveDirectory)).join()).not.toContain(".part");
    await backUp({ ...options, currentTime: 1_700_000_120 });
    expect(files(/^duplicity-inc.*manifest$/)).toEqual([
      "duplicity-inc.20231114T221320Z.to.20231114T221520Z.manifest",
    ]);
  });

  it("stops when asked, with the reason given, and nothing of it goes on", async () => {
    const { options } = arrange();
    const stop = new AbortController();
    const running = backUp({ ...options, signal: stop.signal });
    const mark = options.archiveDirectory;
    void until(() => processesWith(mark).length > 0).then(() => stop.abort(new Error("enough")));

    await expect(running).rejects.toThrow("enough");
    expect(processesWith(mark)).toEqual([]);
  });

  it("does not take longer than it may", async () => {
    const { options } = arrange();

    await expect(backUp({ ...options, timeoutMs: 20 })).rejects.toMatchObject({
      code: "PROGRAM_FAILED",
      message: /duplicity took longer/,
    });
    expect(processesWith(options.archiveDirectory)).toEqual([]);
  });
});

/** Makes of the finished increment what a run that was killed in its last volume leaves (duplicity-format 11.6). */
function interrupt({ repository, archiveDirectory }: BackupOptions): void {
  const archive = archiveFolder(archiveDirectory);
  for (const name of readdirSync(repository)) {
    if (/(inc|new-signatures).*(manifest|sigtar)$/.test(name)) rmSync(path.join(repository, name));
  }
  for (const name of readdirSync(archive)) {
    if (/^duplicity-inc.*manifest$/.test(name)) {
      renameSync(path.join(archive, name), path.join(archive, `${name}.part`));
    }
    if (/^duplicity-new-signatures/.test(name)) {
      const part = name.replace(/\.gz$/, ".part");
      renameSync(path.join(archive, name), path.join(archive, part));
    }
  }
  expect(existsSync(archive)).toBe(true);
}
