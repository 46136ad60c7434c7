/** Where the measurements are made, and which programs there are to compare with. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";

/** How each peer is asked for its version; prints a line that holds it. */
const PEERS = {
  duplicity: ["duplicity", "--version"],
  rsync: ["rsync", "--version"],
  tar: ["tar", "--version"],
  casync: ["casync", "--version"],
  zsync: ["zsync", "-V"],
  strace: ["strace", "--version"],
  cc: ["cc", "-dumpfullversion"],
  zfec: ["/usr/bin/python3", "-c", "import zfec; print(zfec.__version__)"],
};

const ISA_L_HEADER = "/usr/include/isa-l.h";

/** The version of every peer that is here, by name. */
export function findPeers() {
  const found = new Map();
  for (const [name, [program, ...words]] of Object.entries(PEERS)) {
    const { status, stdout, stderr } = spawnSync(program, words, { encoding: "utf8" });
    const version = /\d+(\.\d+)*/.exec(`${stdout}${stderr}`)?.[0];
    if (status === 0 && version !== undefined) found.set(name, version);
  }
  if (existsSync(ISA_L_HEADER)) found.set("isa-l", isaVersion());
  return found;
}

/** `Debian GNU/Linux 12 (bookworm), Linux 6.1, 2 x AMD EPYC, 23 GB, Node 20.20.2` */
export function describeMachine() {
  const system = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  const processors = `${cpus().length} x ${cpus()[0].model.trim()}`;
  const memory = `${Math.round(totalmem() / 1e9)} GB`;
  const kernel = /^\d+\.\d+/.exec(release())?.[0] ?? release();
  return [system, `Linux ${kernel}`, processors, memory, `Node ${process.versions.node}`].join(
    ", ",
  );
}

function isaVersion() {
  const text = readFileSync(ISA_L_HEADER, "utf8");
  const part = (name) => new RegExp(`ISAL_${name}_VERSION (\\d+)`).exec(text)?.[1];
  return ["MAJOR", "MINOR", "PATCH"].map(part).join(".");
}
