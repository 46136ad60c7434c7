/**
 * What a million entries cost: memory of publishing, of a first mirror, of a comparison of the whole tree; and
 * that following a hundred changed files, and finding nothing new, cost no more than in a tree of 20 000.
 * The repository is generated, as duplicity would need an hour and a tree.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { GeneratedRepository } from "./generated-repository.mjs";
import { measure, median } from "./measure.mjs";

const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const CHANGED = 100;
/** Of the small tree; in the large one the same files change. */
const FEW_FILES = 20_000;

/** What the project promises. */
const MEMORY_MAX_BYTES = 400e6;
const GROWTH_MAX = 1.1;

/** @returns whether all promises were kept */
export async function measureLargeTree({ parent, files, rounds }) {
  const few = await measureTree({ parent, files: FEW_FILES, rounds });
  const many = await measureTree({ parent, files, rounds });
  const verdicts = [
    ...Object.entries(many.peaks).map(([what, bytes]) => memory(what, bytes)),
    growth("CPU of a follow", few.follow.cpu, many.follow.cpu),
    growth("system calls of a follow", few.follow.calls, many.follow.calls),
    growth("CPU of an idle sync", few.idle.cpu, many.idle.cpu),
    growth("system calls of an idle sync", few.idle.calls, many.idle.calls),
  ];
  return verdicts.every(Boolean);
}

async function measureTree({ parent, files, rounds }) {
  const folder = mkdtempSync(path.join(parent, "dupmirror-bench-"));
  try {
    const repository = new GeneratedRepository(path.join(folder, "repository"), files);
    say(`\n${files} files, ${repository.entries} entries (${parent})`);
    repository.writeFull();
    const master = makeMaster(folder);
    const replica = makeReplica(folder);
    const peaks = {};
    const step = async (what, words) => {
      const { seconds, peakBytes } = await measure(process.execPath, [MAIN, ...words]);
      peaks[what] = peakBytes;
      say(`  ${what}: ${seconds.toFixed(1)} s, at most ${megabytes(peakBytes)}`);
    };
    const sync = ["replica", "sync", "-q", "-c", replica.config];
    const publish = ["master", "publish", "-q", "-c", master];
    await step("publishing", publish);
    await step("the first mirror", sync);
    const publishMore = () => {
      repository.writeIncrement(CHANGED, FEW_FILES);
      mustRun(process.execPath, [MAIN, ...publish]);
    };
    const follow = { cpu: [], calls: [] };
    const idle = { cpu: [], calls: [] };
    for (let round = 0; round < rounds; round++) {
      note(follow, publishMore, sync);
      note(idle, () => undefined, sync);
    }
    publishMore();
    await step("a follow", sync);
    rmSync(path.join(replica.state, "position.json"));
    await step("comparing the whole tree", sync);
    const typical = ({ cpu, calls }) => ({ cpu: median(cpu), calls: median(calls) });
    say(
      `  a follow: ${typical(follow).cpu.toFixed(2)} s of CPU (${follow.cpu.map((one) => one.toFixed(2)).join(", ")}), ${typical(follow).calls} system calls`,
    );
    say(`  idle: ${typical(idle).cpu.toFixed(2)} s of CPU, ${typical(idle).calls} system calls`);
    return { peaks, follow: typical(follow), idle: typical(idle) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Once for its time and once, under strace, for its system calls; each time after `prepare`. */
function note(into, prepare, words) {
  prepare();
  into.cpu.push(cpuSeconds([process.execPath, MAIN, ...words]));
  prepare();
  into.calls.push(systemCalls([process.execPath, MAIN, ...words]));
}

/** User and system time together, of all threads. */
function cpuSeconds(command) {
  const script = 'TIMEFORMAT="%3U %3S"; time "$@"';
  const { stderr } = mustRun("bash", ["-c", script, "bash", ...command]);
  const [user, system] = stderr.trim().split("\n").at(-1).split(" ").map(Number);
  return user + system;
}

function systemCalls(command) {
  const { stderr } = mustRun("strace", ["-f", "-c", "-q", ...command]);
  return Number(/^100\.00\s+\S+\s+\S+\s+(\d+)/m.exec(stderr)?.[1]);
}

function mustRun(program, words) {
  const result = spawnSync(program, words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  if (result.status === 0) return result;
  throw new Error(`${program} ${words.join(" ")} ended with ${result.status}:\n${result.stderr}`);
}

function makeMaster(folder) {
  mustRun(process.execPath, [
    MAIN,
    "init",
    "master",
    "--tree",
    path.join(folder, "no-tree"),
    "--dir",
    folder,
  ]);
  const state = path.join(folder, "master-state");
  const publication = path.join(folder, "publication");
  for (const made of [state, publication]) mkdirSync(made, { recursive: true });
  return writeConfig(path.join(folder, "bench-master.yaml"), {
    name: "pub",
    tree: path.join(folder, "no-tree"),
    repository: path.join(folder, "repository"),
    publication,
    stateDirectory: state,
    signing: { keyFile: path.join(folder, "pub.key") },
    shares: { k: 2, n: 3 },
    duplicity: { engine: "external" },
  });
}

function makeReplica(folder) {
  const state = path.join(folder, "replica-state");
  const tree = path.join(folder, "replica-tree");
  for (const made of [state, tree]) mkdirSync(made);
  const config = writeConfig(path.join(folder, "bench-replica.yaml"), {
    name: "pub",
    tree,
    stateDirectory: state,
    trust: { keyFile: path.join(folder, "pub.pub") },
    sources: [pathToFileURL(path.join(folder, "publication")).href],
  });
  return { config, state };
}

/** JSON is YAML. */
function writeConfig(file, mirror) {
  writeFileSync(file, JSON.stringify({ mirrors: [mirror] }));
  return file;
}

function memory(what, bytes) {
  return verdict(
    bytes <= MEMORY_MAX_BYTES,
    `${what} held at most ${megabytes(bytes)}; promised ${megabytes(MEMORY_MAX_BYTES)}`,
  );
}

function growth(what, few, many) {
  return verdict(
    many <= few * GROWTH_MAX,
    `${what}: ${(many / few).toFixed(2)} times that of the small tree; promised ${GROWTH_MAX}`,
  );
}

function verdict(kept, words) {
  say(`  ${words}: ${kept ? "kept" : "MISSED"}`);
  return kept;
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

function say(line) {
  process.stdout.write(`${line}\n`);
}
