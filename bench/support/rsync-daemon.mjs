/** An rsync daemon on loopback, as mirrors have it. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { accepts, freePort, startServer } from "./processes.mjs";

/** Serves `tree` as the module `tree`; `wrap` may put a program in front of it. `folder` is for its own files. */
export async function startRsyncDaemon(folder, tree, wrap = []) {
  const port = await freePort();
  const config = path.join(folder, `rsyncd-${port}.conf`);
  const owner = process.getuid() === 0 ? ["uid = root", "gid = root"] : [];
  const settings = [
    "use chroot = no",
    "max connections = 0",
    ...owner,
    `log file = ${path.join(folder, `rsyncd-${port}.log`)}`,
    "[tree]",
    `path = ${tree}`,
    "read only = yes",
  ];
  writeFileSync(config, `${settings.join("\n")}\n`);
  const words = ["--daemon", "--no-detach", `--config=${config}`, `--port=${port}`];
  const [program, ...rest] = [...wrap, "rsync", ...words, "--address=127.0.0.1"];
  const server = await startServer(program, rest, { isReady: () => accepts(port) });
  return { ...server, port, url: urlOf(port) };
}

export function urlOf(port) {
  return `rsync://127.0.0.1:${port}/tree/`;
}
