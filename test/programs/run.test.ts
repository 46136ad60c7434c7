import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { runProgram } from "../../src/programs/run.js";
import { temporaryFolder } from "../support/temporary.js";
import { processesWith, until } from "./processes.js";
import { transpiled } from "./transpiled.js";

const { signal } = new AbortController();

/** Runs a shell script; its mark makes its processes known. */
function runShell(script: string, options: Partial<Parameters<typeof runProgram>[0]> = {}) {
  return runProgram({
    program: "sh",
    arguments: ["-c", script, ...(options.arguments ?? [])],
    timeoutMs: 30_000,
    signal,
    ...Object.fromEntries(Object.entries(options).filter(([name]) => name !== "arguments")),
  });
}

describe("a program", () => {
  it("tells its output and its exit code", async () => {
    expect(await runShell("echo out; echo err >&2; exit 7")).toEqual({
      stdout: "out\n",
      stderr: "err\n",
      exitCode: 7,
    });
  });

  it("has nothing on its standard input, no terminal, and a session of its own", async () => {
    const { stdout } = await runShell(
      "cat; ps -o sid= -p $$; echo $$; ls /dev/tty >&2; : </dev/tty",
    );

    const [session, own] = stdout.trim().split(/\s+/);
    expect(session).toBe(own);
  });

  it("gets its environment, on top of ours and in UTF-8", async () => {
    const { stdout } = await runShell('echo "$X $LC_ALL $PATH"', { environment: { X: "y" } });

    expect(stdout).toBe(`y C.UTF-8 ${process.env["PATH"] ?? ""}\n`);
  });

  it("gets the bytes it is given", async () => {
    const { stdout } = await runShell("od -An -tx1", { stdin: Buffer.of(0, 255, 10) });

    expect(stdout.trim()).toBe("00 ff 0a");
  });

  it("hands over lines on descriptor 3 as they come", async () => {
    const lines: string[] = [];

    await runShell("echo one >&3; echo two; echo three >&3; printf four >&3", {
      onLine: (line) => void lines.push(line),
    });

    expect(lines).toEqual(["one", "three", "four"]);
  });

  it("may say more than we keep: the end is what counts", async () => {
    const { stdout } = await runShell("seq 1 1000000");

    expect(stdout.endsWith("\n999999\n1000000\n")).toBe(true);
    expect(stdout.length).toBeLessThan(256 * 1024);
  });

  it("may be missing", async () => {
    const run = (program: string) =>
      runProgram({
        program,
        arguments: [],
        timeoutMs: 10_000,
        signal,
        environment: { PATH: "/usr/bin:/bin" },
      });

    await expect(run("no-such-program")).rejects.toMatchObject({
      code: "PROGRAM_MISSING",
      message: "no-such-program is not installed",
    });
    await expect(run("/etc/passwd")).rejects.toMatchObject({ code: "PROGRAM_FAILED" });
  });

  it("may be killed by somebody", async () => {
    await expect(runShell("kill -KILL $$")).rejects.toMatchObject({
      code: "PROGRAM_FAILED",
      message: "sh was killed by SIGKILL",
    });
  });
});

describe("a program that does not end", () => {
  const STUBBORN = "trap '' INT TERM; sleep 1000 & echo >&3; wait; sleep 1000";

  it("is stopped when its time is over, with what it started", async () => {
    const mark = randomUUID();

    await expect(
      runShell(`sleep 1000 & exec sleep 1000 # ${mark}`, { timeoutMs: 100 }),
    ).rejects.toMatchObject({ code: "PROGRAM_FAILED", message: /took longer than/ });

    expect(processesWith(mark)).toEqual([]);
  });

  it("is stopped when we are asked to stop, with the reason given", async () => {
    const mark = randomUUID();
    const stop = new AbortController();

    const running = runShell("echo >&3; sleep 1000; :", {
      arguments: [mark],
      signal: stop.signal,
      onLine: () => stop.abort(new Error("enough")),
    });

    await expect(running).rejects.toThrow("enough");
    expect(processesWith(mark)).toEqual([]);
  });

  it("is killed when it will not stop", async () => {
    const mark = randomUUID();
    const stop = new AbortController();

    const running = runShell(STUBBORN, {
      arguments: [mark],
      signal: stop.signal,
      onLine: () => stop.abort(new Error("enough")),
    });

    await expect(running).rejects.toThrow("enough");
    await until(() => processesWith(mark).length === 0);
  });

  it("is not waited for when only what it started is left, and that holds its output", async () => {
    const mark = randomUUID();

    await expect(
      runShell('sh -c "sleep 1000; :" "$0" & exit 0', { arguments: [mark], timeoutMs: 300 }),
    ).rejects.toMatchObject({ code: "PROGRAM_FAILED" });

    await until(() => processesWith(mark).length === 0);
  });

  it("is not started when we were asked to stop before", async () => {
    const made = path.join(temporaryFolder(), "made");
    const stopped = AbortSignal.abort(new Error("enough"));

    await expect(runShell(`touch ${made}`, { signal: stopped })).rejects.toThrow("enough");
    expect(existsSync(made)).toBe(false);
  });

  it("dies when we are killed", async () => {
    const ready = path.join(temporaryFolder(), "ready");
    const script = `touch ${ready}; exec tail -f ${ready}`;
    const us = spawn(process.execPath, [startFrom(transpiled(), script)], { stdio: "ignore" });
    onTestFinished(() => void us.kill("SIGKILL"));

    await until(() => existsSync(ready));
    expect(processesWith(ready)).toHaveLength(1);
    us.kill("SIGKILL");
    await once(us, "close");

    await until(() => processesWith(ready).length === 0);
  });
});

/** A program that runs `script` and waits for it. */
function startFrom(folder: string, script: string): string {
  const main = path.join(folder, "main.js");
  const options = { program: "sh", arguments: ["-c", script], timeoutMs: 60_000 };
  writeFileSync(
    main,
    `import { runProgram } from "./programs/run.js";
     const { signal } = new AbortController();
     await runProgram({ ...${JSON.stringify(options)}, signal });`,
  );
  return main;
}
