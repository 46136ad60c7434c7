import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockState } from "../../src/daemon/lock.js";

let root: string;
const { signal } = new AbortController();

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "dupmirror-lock-"));
});

afterEach(() => rmSync(root, { recursive: true }));

describe("lockState", () => {
  it("makes the directory, and refuses a second owner until the first lets go", async () => {
    const directory = path.join(root, "a/state");
    const first = await lockState(directory, { signal });
    await expect(lockState(directory, { signal })).rejects.toMatchObject({ code: "LOCKED" });
    first.release();
    (await lockState(directory, { signal })).release();
  });
});
