import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { complain } from "../../src/cli/complain.js";
import { forEachMirror } from "../../src/cli/each-mirror.js";
import { exitStatusOf, exitStatusOfText, stopStatusOf } from "../../src/cli/exit-status.js";
import { bandwidth, milliseconds, wholeNumber } from "../../src/cli/option-values.js";
import { VERSION } from "../../src/cli/version.js";
import { MirrorError } from "../../src/errors.js";
import { openTestContext } from "./context.js";

describe("exit statuses", () => {
  it.each([
    ["PROGRAM_FAILED", 1],
    ["CONFIG_INVALID", 2],
    ["TREE_DIVERGED", 3],
    ["SHARES_TOO_FEW", 4],
    ["HEAD_ROLLBACK", 5],
    ["HEAD_EXPIRED", 5],
    ["DELETE_GUARD", 6],
    ["LOCKED", 7],
    ["DISK_SPACE", 8],
    ["GAP", 9],
  ] as const)("%s is %d", (code, status) => {
    expect(exitStatusOf(code)).toBe(status);
    expect(exitStatusOfText(code)).toBe(status);
  });

  it("are those of a shell for signals", () => {
    expect([stopStatusOf("SIGINT"), stopStatusOf("SIGTERM")]).toEqual([130, 143]);
  });

  it("are a plain failure for what nobody knows", () => {
    expect(exitStatusOfText("toString")).toBe(1);
  });
});

describe("complain", () => {
  const tell = (error: unknown, verbose = false) => {
    const lines: string[] = [];
    const status = complain(error, { verbose, write: (text) => lines.push(text) });
    return { status, text: lines.join("") };
  };

  it("writes each line of a message behind the program's name, and no stack", () => {
    const error = new MirrorError("CONFIG_INVALID", "a:1:1: one\na:2:1: two");
    expect(tell(error)).toEqual({
      status: 2,
      text: "dupmirror: a:1:1: one\ndupmirror: a:2:1: two\n",
    });
  });

  it("tells the cause when it is asked to tell more", () => {
    const error = new MirrorError("DISK_FAILED", "cannot write x", { cause: new Error("EIO") });
    expect(tell(error).text).toBe("dupmirror: cannot write x\n");
    expect(tell(error, true).text).toContain("because: EIO");
  });

  it("says where a failure of ours came from", () => {
    const { status, text } = tell(new TypeError("no such thing"));
    expect(status).toBe(1);
    expect(text).toMatch(/^dupmirror: internal error: no such thing\n {2}at .*options\.test/);
  });
});

describe("option values", () => {
  it("read rates and times as rsync does", () => {
    expect(bandwidth("--bwlimit", "100")).toEqual([{ minute: 0, bytesPerSecond: 102_400 }]);
    expect(milliseconds("--timeout", "30")).toBe(30_000);
    expect(milliseconds("--timeout", "2m")).toBe(120_000);
    expect(wholeNumber("--max-delete", "0")).toBe(0);
  });

  it("refuse what they cannot read", () => {
    expect(() => bandwidth("--bwlimit", "fast")).toThrow(
      '--bwlimit: expected a rate such as 10MiB, or a timetable such as "08:00,512K 18:00,off", got "fast"',
    );
    expect(() => milliseconds("--timeout", "0")).toThrow("--timeout: expected seconds");
    expect(() => wholeNumber("--max-delete", "-1")).toThrow(
      "--max-delete: expected a whole number",
    );
  });
});

describe("forEachMirror", () => {
  const mirrors = ["a", "b", "c"].map((name) => ({ name }));

  it("goes on after a mirror that failed, and ends with its status", async () => {
    const { context } = openTestContext();
    const seen: string[] = [];
    const told: unknown[] = [];
    const complaining = { ...context, complain: (error: unknown) => told.push(error) + 3 };
    const status = await forEachMirror(mirrors, complaining, async ({ name }) => {
      seen.push(name);
      if (name === "b") throw new MirrorError("NO_SOURCE", "none");
      return Promise.resolve(0);
    });
    expect(seen).toEqual(["a", "b", "c"]);
    expect(told).toMatchObject([{ code: "NO_SOURCE" }]);
    expect(status).toBe(4);
  });

  it("stops at a failure that is ours", async () => {
    const { context } = openTestContext();
    const work = async (): Promise<number> => Promise.reject(new TypeError("broken"));
    await expect(forEachMirror(mirrors, context, work)).rejects.toThrow("broken");
  });
});

it("the version is the package's", () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  expect(VERSION).toBe(version);
});
