/** Times that the replica's file system cannot hold. */
import { lstatSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { TestReplica } from "../replica/support/bench.js";
import { file, folder, model } from "../replica/support/model.js";
import { publishHistory } from "../replica/support/publication.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { fingerprintTree } from "../support/tree-compare.js";
import { NO_FILE_SYSTEMS, SmallSpace } from "./support/file-systems.js";

const ROOM = { bytes: 32 * 2 ** 20, inodes: 100 };
const LAST_SECOND = 2 ** 31 - 1;

describe.skipIf(NO_FILE_SYSTEMS !== undefined)(`a time after 2038 ${NO_FILE_SYSTEMS ?? ""}`, () => {
  test("is held as well as may be, once, and the content is still looked after", async () => {
    const place = fastTemporaryFolder();
    const publication = await publishHistory(path.join(place, "publication"), [
      model({
        "": folder(4_000_000_000),
        inner: folder(5_000_000_000),
        "inner/far": file("far in the future", 6_000_000_000),
        near: file("near", 1_600_000_000),
      }),
    ]);
    const space = new SmallSpace(place, "ext4 until 2038", ROOM);
    const replica = new TestReplica(path.join(space.place, "replica"), [publication]);
    const far = path.join(replica.tree, "inner/far");
    await replica.sync();
    const rootChanged = () => lstatSync(replica.tree, { bigint: true }).ctimeNs;
    const [before, rootBefore] = [fingerprintTree(replica.tree), rootChanged()];
    expect(lstatSync(far).mtimeMs).toBe(LAST_SECOND * 1000);

    expect((await replica.sync()).strategy).toBe("none");
    expect(rootChanged()).toBe(rootBefore);
    const compared = await replica.sync({ config: { exclude: ["/none"] } });
    expect(compared).toMatchObject({ strategy: "rebase", files: { written: 0, mended: 0 } });
    expect(fingerprintTree(replica.tree)).toBe(before);

    writeFileSync(far, "FAR in the future");
    utimesSync(far, LAST_SECOND, LAST_SECOND);
    const mended = await replica.sync({ config: { exclude: ["/nothing"] } });
    expect(mended).toMatchObject({ strategy: "rebase", files: { mended: 1 } });
    const faults = replica.faults(publication.trees[0] ?? new Map());
    expect(faults.map((fault) => fault.split(" ", 2).join(" "))).toEqual([
      ".: mtime",
      "inner: mtime",
      "inner/far: mtime",
    ]);
  });
});
