/** bench/results.md: a section for each scenario, those of scenarios that were not run as they were. */

/** The bodies of the sections, by the scenario's name. */
export function parseResults(text) {
  const sections = new Map();
  for (const section of text.split(/^(?=## )/m)) {
    const [, name, body] = /^## ([a-z-]+): [^\n]*\n([^]*)$/.exec(section) ?? [];
    if (name !== undefined) sections.set(name, `${body.trim()}\n`);
  }
  return sections;
}

/** The page, in the order of `scenarios`; sections of scenarios that are no more are left out. */
export function formatResults(scenarios, sections) {
  const present = scenarios.filter(({ name }) => sections.has(name));
  const parts = present.map(({ name, title }) => `## ${name}: ${title}\n\n${sections.get(name)}`);
  const all = [INTRODUCTION, formatPromises(present, sections), ...parts];
  return all.filter((part) => part !== "").join("\n");
}

const INTRODUCTION = `# Measurements

Written by \`npm run bench\`, section by section: each says when it was measured, on which machine and with which versions.
Only the ratios within one section mean anything. A promise that is missed is written so, and ends the run with status 1.
`;

/** Every verdict of every section, the missed ones first. */
function formatPromises(scenarios, sections) {
  const verdicts = scenarios.flatMap(({ name }) =>
    [...sections.get(name).matchAll(VERDICT)].map(([, what, measured, promised, outcome]) => {
      return { outcome, row: `| ${what} | ${measured} | ${promised} | ${outcome} | ${name} |` };
    }),
  );
  const sorted = ["MISSED", "kept"].flatMap((wanted) =>
    verdicts.filter(({ outcome }) => outcome === wanted).map(({ row }) => row),
  );
  if (sorted.length === 0) return "";
  const heading = ["| what | measured | promised | | section |", "| --- | --- | --- | --- | --- |"];
  return `${["## Promises", "", ...heading, ...sorted].join("\n")}\n`;
}

const VERDICT = /^- (.+?): (.+); promised (.+): (kept|MISSED)$/gm;
