/** A Debian with a systemd of its own, in a container of this machine. */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { execa, execaSync } from "execa";
import { onTestFinished, vi } from "vitest";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const OURS = "/opt/dupmirror";
const PACKAGES = "systemd,systemd-sysv,dbus,duplicity";

/** Why there can be no box here; undefined when there can. */
export const NO_BOX = findReason();

export interface Box {
  /** Its root as seen from outside. */
  readonly root: string;
  /** Runs a program inside, which must succeed; what it printed. */
  run(program: string, ...words: readonly string[]): Promise<string>;
}

/** Makes the system below `folder`, with our command, units and nothing configured. */
export async function makeBox(folder: string): Promise<string> {
  const root = path.join(folder, "root");
  await execa("mmdebstrap", ["--variant=minbase", `--include=${PACKAGES}`, "bookworm", root], {
    timeout: 600_000,
  });
  for (const part of ["package.json", "dist"]) {
    cpSync(path.join(ROOT, part), path.join(root, OURS, part), { recursive: true });
  }
  for (const made of [`${OURS}/node_modules`, "/etc/dupmirror", "/srv/dupmirror"]) {
    mkdirSync(path.join(root, made), { recursive: true });
  }
  writeFileSync(path.join(root, "usr/bin/node"), "");
  symlinkSync(`${OURS}/dist/cli/main.js`, path.join(root, "usr/bin/dupmirror"));
  cpSync(path.join(ROOT, "systemd"), path.join(root, "etc/systemd/system"), { recursive: true });
  return root;
}

/** Boots it; it is switched off when the test ends. */
export async function bootBox(root: string): Promise<Box> {
  const container = execa(
    "systemd-nspawn",
    [
      ...["--quiet", "--directory", root, "--boot", "--private-network"],
      ...["--register=no", "--keep-unit", "--link-journal=no", "--resolv-conf=off"],
      ...["--timezone=off", "--console=pipe"],
      `--bind-ro=${process.execPath}:/usr/bin/node`,
      `--bind-ro=${path.join(ROOT, "node_modules")}:${OURS}/node_modules`,
    ],
    { stdin: "ignore", stdout: "ignore", stderr: "ignore", reject: false },
  );
  onTestFinished(async () => {
    container.kill("SIGKILL"); // what runs inside dies with it
    await container;
  });
  const inside = async (program: string, ...words: readonly string[]): Promise<string> => {
    const enter = ["--target", leaderOf(container.pid), "--all", program, ...words];
    const { stdout } = await execa("nsenter", enter, { stdin: "ignore", timeout: 180_000 });
    return stdout;
  };
  await vi.waitFor(async () => await inside("systemctl", "is-active", "multi-user.target"), {
    timeout: 60_000,
    interval: 200,
  });
  return { root, run: inside };
}

/** The first process of the container. */
function leaderOf(container: number | undefined): string {
  const children = readFileSync(`/proc/${container}/task/${container}/children`, "utf8");
  const [leader] = children.split(" ").filter(Boolean);
  if (leader === undefined) throw new Error("the container has no process yet");
  return leader;
}

function findReason(): string | undefined {
  if (process.env["SLOW"] === undefined) return "skipped: a box takes a minute; SLOW=1 makes one";
  if (process.getuid?.() !== 0) return "skipped: only root can make a box";
  for (const program of ["mmdebstrap", "systemd-nspawn"]) {
    const { failed } = execaSync(program, ["--version"], { reject: false });
    if (failed) return `skipped: ${program} is not installed`;
  }
  return undefined;
}
