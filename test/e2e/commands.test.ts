import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { dupmirror, expectRefusal, startDupmirror } from "../support/cli.js";
import { freePort } from "../support/counting-server.js";
import { temporaryFolder } from "../support/temporary.js";

describe("the command line", () => {
  test("tells each wrong use in one line, with exit status 2", async () => {
    const folder = temporaryFolder();
    expectRefusal(await dupmirror(["replica", "sync", "--nonsense"]), {
      exitCode: 2,
      message: /^dupmirror: unknown option '--nonsense'$/,
    });
    expectRefusal(await dupmirror(["master", "publish", "-c", path.join(folder, "no.yaml")]), {
      exitCode: 2,
      message: /^dupmirror: .*\/no\.yaml: no such file$/,
    });
    expectRefusal(await dupmirror(["serve", folder, "--listen", "nowhere"]), {
      exitCode: 2,
      message: /^dupmirror: --listen: expected HOST:PORT or unix:PATH, got "nowhere"$/,
    });
    expectRefusal(await dupmirror(["replica", "rollback", "--to"]), {
      exitCode: 2,
      message: /^dupmirror: option '--to <set>' argument missing$/,
    });
  });

  test("tells the place of a mistake in a config", async () => {
    const file = path.join(temporaryFolder(), "replica.yaml");
    writeFileSync(
      file,
      readFileSync("config/replica.yaml", "utf8").replace("https://a", "ftp://a"),
    );
    expectRefusal(await dupmirror(["replica", "sync", "-c", file]), {
      exitCode: 2,
      message:
        /replica\.yaml:\d+:\d+: mirrors\[0\]\.sources\[2\]\.url: expected an http\(s\), unix or file URL, got "ftp:/,
    });
  });

  test("lists the exit statuses in the help of a command", async () => {
    const { exitCode, stdout } = await dupmirror(["replica", "sync", "--help"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("6    the delete guard stopped the cycle");
    expect(stdout).toContain("--bwlimit <rate>");
  });

  test("serves a folder until it is told to stop", async () => {
    const folder = temporaryFolder();
    writeFileSync(path.join(folder, "head"), "a head\n");
    const port = await freePort();
    const serving = startDupmirror(["serve", folder, "--listen", `127.0.0.1:${port}`]);
    onTestFinished(() => serving.kill("SIGKILL"));
    await vi.waitFor(async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/head`);
      expect(await answer.text()).toBe("a head\n");
    }, 30_000);
    serving.kill("SIGTERM");
    expect(await serving.ended).toMatchObject({ exitCode: 143, stderr: "" });
  });
});
