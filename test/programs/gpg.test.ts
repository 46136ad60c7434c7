import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { execaSync } from "execa";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { decryptFile } from "../../src/programs/gpg.js";
import { temporaryFolder } from "../support/temporary.js";

const { signal } = new AbortController();
const hasGpg = execaSync("gpg", ["--version"], { reject: false }).exitCode === 0;
const skipped = hasGpg ? "" : " (skipped: gpg is not installed)";
const PASSPHRASE = Buffer.from("correct horse");

describe.skipIf(!hasGpg)(`gpg${skipped}`, () => {
  it("decrypts a file with a passphrase", async () => {
    const bench = makeBench();
    const message = Buffer.alloc(300_000, "some text");
    const from = bench.encrypt(message);
    await bench.decrypt(from, PASSPHRASE);
    expect(readFileSync(bench.to).equals(message)).toBe(true);
  });

  it.each([
    ["a wrong passphrase", Buffer.from("incorrect")],
    ["no passphrase", undefined],
  ])("says in one line that %s does not do", async (_, passphrase) => {
    const bench = makeBench();
    const from = bench.encrypt(Buffer.from("text"));
    const decrypting = bench.decrypt(from, passphrase);
    await expect(decrypting).rejects.toMatchObject({ code: "DECRYPTION_FAILED" });
    await expect(decrypting).rejects.toThrow(
      /^vol1 cannot be decrypted: gpg: [^\n]+gnupgHome right\?$/,
    );
  });

  it.each([
    ["was cut", (bytes: Buffer) => bytes.subarray(0, bytes.length - 30)],
    [
      "was changed",
      (bytes: Buffer) => {
        bytes.writeUInt8(bytes.readUInt8(bytes.length - 40) ^ 1, bytes.length - 40);
        return bytes;
      },
    ],
  ])("refuses a message that %s", async (_, damage) => {
    const bench = makeBench();
    const from = bench.encrypt(Buffer.alloc(100_000, "some text"));
    writeFileSync(from, damage(readFileSync(from)));
    await expect(bench.decrypt(from, PASSPHRASE)).rejects.toMatchObject({
      code: "DECRYPTION_FAILED",
    });
  });

  it("refuses what is not encrypted", async () => {
    const bench = makeBench();
    writeFileSync(bench.message, "plain");
    await expect(bench.decrypt(bench.message, PASSPHRASE)).rejects.toMatchObject({
      code: "DECRYPTION_FAILED",
    });
  });
});

describe("a program in place of gpg", () => {
  it("is told the passphrase through its standard input and nowhere else", async () => {
    const bench = makeBench();
    bench.replaceGpg(
      'cat >"$SEEN/stdin"; printf "%s\\n" "$@" >"$SEEN/arguments"; env >"$SEEN/environment"',
    );
    await bench.decrypt("/from", PASSPHRASE);
    const seen = (name: string) => readFileSync(path.join(bench.folder, name), "utf8");
    expect(seen("stdin")).toBe("correct horse");
    expect(seen("arguments")).not.toContain("horse");
    expect(seen("environment")).not.toContain("horse");
    expect(seen("environment")).toContain(`GNUPGHOME=${bench.home}\n`);
    expect(seen("environment")).toContain("LC_ALL=C.UTF-8\n");
  });

  it("is stopped when it takes too long", async () => {
    const bench = makeBench();
    bench.replaceGpg("exec sleep 600");
    const decrypting = bench.decrypt("/from", PASSPHRASE, 200);
    await expect(decrypting).rejects.toMatchObject({ code: "PROGRAM_FAILED" });
    await expect(decrypting).rejects.toThrow("gpg took longer");
  });

  it("that finds the disk full is told apart", async () => {
    const bench = makeBench();
    bench.replaceGpg('echo "gpg: error writing to x: No space left on device" >&2; exit 2');
    await expect(bench.decrypt("/from", PASSPHRASE)).rejects.toMatchObject({ code: "DISK_SPACE" });
  });
});

function makeBench() {
  const folder = temporaryFolder();
  const home = path.join(folder, "gnupg");
  mkdirSync(home, { mode: 0o700 });
  const message = path.join(folder, "message");
  const to = path.join(folder, "decrypted");
  return {
    folder,
    home,
    message,
    to,
    encrypt: (bytes: Uint8Array): string => {
      const words = ["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase"];
      const how = [PASSPHRASE.toString(), "--s2k-count", "65536", "--output", message];
      const env = { GNUPGHOME: home };
      execaSync("gpg", [...words, ...how, "--symmetric"], { input: bytes, env });
      stopAgent(env);
      return message;
    },
    decrypt: async (from: string, passphrase: Uint8Array | undefined, timeoutMs = 60_000) => {
      onTestFinished(() => stopAgent({ GNUPGHOME: home }));
      const secrets = { home, passphrase };
      await decryptFile({ from, to, what: "vol1", secrets, timeoutMs, signal });
    },
    /** Until the end of the test, `gpg` is this shell script. */
    replaceGpg: (script: string): void => {
      const file = path.join(folder, "gpg");
      writeFileSync(file, `#!/bin/sh\n${script}\n`);
      chmodSync(file, 0o755);
      vi.stubEnv("PATH", `${folder}:${process.env["PATH"] ?? ""}`);
      vi.stubEnv("SEEN", folder);
      onTestFinished(() => void vi.unstubAllEnvs());
    },
  };
}

/** In a home that is removed next. */
function stopAgent(env: { readonly GNUPGHOME: string }): void {
  if (!existsSync(path.join(env.GNUPGHOME, "S.gpg-agent"))) return;
  execaSync("gpgconf", ["--kill", "gpg-agent"], { env, reject: false });
}
