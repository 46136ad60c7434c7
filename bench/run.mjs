/**
 * npm run bench [-- --only NAME[,NAME] --quick|--full --list --results FILE, and any size, as --files 40000]
 * Needs a build (`npm run build`), duplicity and rsync; `bench/prepare` installs all programs to compare with. Writes
 * bench/results.md; a `--quick` run writes only where `--results` says.
 * Ends with status 1 when a promise is missed or a scenario fails, with 2 when it is called wrongly.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { SCENARIOS } from "./scenarios.mjs";
import { MAIN } from "./support/dupmirror.mjs";
import { describeMachine, findPeers } from "./support/machine.mjs";
import { killAll } from "./support/processes.mjs";
import { Report } from "./support/report.mjs";
import { formatResults, parseResults } from "./support/results.mjs";
import { chooseSizes, formatSizes, sizeOptions } from "./support/sizes.mjs";
import { removeWorkplaces, Workplace } from "./support/workplace.mjs";

/** Without these there is little to measure. */
const NEEDED = ["duplicity", "rsync"];
const RESULTS = fileURLToPath(new URL("results.md", import.meta.url));

try {
  // Servers of a scenario that failed may be open still.
  process.exit(await main(readCommandLine()));
} catch (error) {
  process.stderr.write(`bench: ${error.message}\n`);
  process.exit(2);
}

function readCommandLine() {
  const { values } = parseArgs({
    options: {
      ...sizeOptions(SCENARIOS),
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      full: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      results: { type: "string" },
    },
  });
  const { only, quick, full, list, results = quick ? undefined : RESULTS, ...given } = values;
  const scale = quick ? "quick" : full ? "full" : "usual";
  const chosen = chooseScenarios(only).map((scenario) => {
    return { scenario, sizes: chooseSizes(scenario, scale, given) };
  });
  return { chosen, list, results, scale };
}

function chooseScenarios(only) {
  if (only === undefined) return SCENARIOS;
  const names = only.split(",");
  const unknown = names.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown === undefined) return SCENARIOS.filter(({ name }) => names.includes(name));
  const known = SCENARIOS.map(({ name }) => name).join(", ");
  throw new Error(`--only: no scenario ${unknown}; there are ${known}`);
}

async function main({ chosen, list, results, scale }) {
  if (list) {
    for (const { scenario, sizes } of chosen)
      say(`${scenario.name}: ${scenario.title} (${formatSizes(sizes)})`);
    return 0;
  }
  if (!existsSync(MAIN)) throw new Error("there is no build: npm run build");
  const peers = findPeers();
  const missing = NEEDED.filter((name) => !peers.has(name));
  if (missing.length > 0) throw new Error(`${missing.join(", ")} missing: scripts/prepare`);
  cleanUpWhenStopped();
  let isKept = true;
  for (const { scenario, sizes } of chosen) {
    const body = await measure(scenario, sizes, peers);
    isKept = body.isKept && isKept;
    if (results !== undefined && body.text !== undefined)
      writeSection(results, scenario.name, body.text);
  }
  if (results !== undefined) say(`\n${results} is written`);
  say(isKept ? "all promises were kept" : "not all promises were kept, or a scenario failed");
  if (scale === "quick")
    say("(a quick run shows that it works; sizes are too small for the promises)");
  return isKept ? 0 : 1;
}

/** One scenario, which leaves nothing behind. One that fails keeps its earlier section. */
async function measure(scenario, sizes, peers) {
  say(`\n${scenario.name}: ${scenario.title} (${formatSizes(sizes)})`);
  const report = new Report(say);
  const workplace = new Workplace();
  const startedAt = performance.now();
  try {
    await scenario.run({ sizes, report, workplace, peers: peersFor(scenario, peers, report) });
    const took = `${Math.round((performance.now() - startedAt) / 1000)} s`;
    say(`  (${took})`);
    return {
      isKept: report.isKept,
      text: report.format(conditions(scenario, sizes, peers), scenario.notes),
    };
  } catch (error) {
    say(`  FAILED: ${error.stack}`);
    return { isKept: false };
  } finally {
    killAll();
    workplace.remove();
  }
}

/** The peers of a scenario that are here; those that are not are said. */
function peersFor({ peers: wanted }, found, report) {
  for (const name of wanted.filter((one) => !found.has(one)))
    report.text(`${name} is not installed: skipped (\`bench/prepare\` installs what Debian has).`);
  return new Set(wanted.filter((one) => found.has(one)));
}

function conditions({ peers: wanted, about }, sizes, found) {
  const date = new Date().toISOString().slice(0, 10);
  const versions = wanted
    .filter((name) => found.has(name))
    .map((name) => `${name} ${found.get(name)}`);
  const where = [describeMachine(), ...versions].join(", ");
  return `${about}\n\nMeasured ${date} on ${where}. Sizes: ${formatSizes(sizes)}.`;
}

function writeSection(file, name, body) {
  const sections = parseResults(existsSync(file) ? readFileSync(file, "utf8") : "");
  sections.set(name, body);
  writeFileSync(file, formatResults(SCENARIOS, sections));
}

/** However it ends, nothing is left. */
function cleanUpWhenStopped() {
  process.on("exit", () => {
    killAll();
    removeWorkplaces();
  });
  for (const [signal, status] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }))
    process.on(signal, () => process.exit(status));
}

function say(line) {
  process.stdout.write(`${line}\n`);
}
