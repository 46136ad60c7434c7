import { execa, execaSync } from "execa";
import { expect, onTestFinished, test } from "vitest";
import { makeIdleAtDisk } from "../../src/programs/ionice.js";

const IS_MISSING = execaSync("ionice", ["--version"], { reject: false }).failed;

test.skipIf(IS_MISSING)(
  "gives the idle class to what it is told (skipped: ionice is not installed)",
  async () => {
    const child = execa("sleep", ["60"], { reject: false });
    onTestFinished(() => void child.kill("SIGKILL"));
    await makeIdleAtDisk(child.pid ?? 0, { signal: new AbortController().signal });
    const { stdout } = await execa("ionice", ["-p", String(child.pid)]);
    expect(stdout).toContain("idle");
  },
);
