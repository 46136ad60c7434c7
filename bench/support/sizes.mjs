/**
 * How large a scenario is. It declares `{ files: size(quick, usual, full), ... }`; `--quick` and `--full` choose, and `--files N`
 * overrides what all scenarios call `files`.
 */

export function size(quick, usual, full = usual) {
  return { quick, usual, full };
}

/** What parseArgs needs to know. */
export function sizeOptions(scenarios) {
  const names = scenarios.flatMap(({ sizes }) => Object.keys(sizes));
  return Object.fromEntries(names.map((name) => [name, { type: "string" }]));
}

/** @throws Error naming the option */
export function chooseSizes({ sizes }, scale, given) {
  return Object.fromEntries(
    Object.entries(sizes).map(([name, choices]) => {
      const chosen = choices[scale];
      return [name, given[name] === undefined ? chosen : parseSize(name, given[name], chosen)];
    }),
  );
}

/** `files 40000, counts 100 1000` */
export function formatSizes(sizes) {
  return Object.entries(sizes)
    .map(([name, value]) => `${name} ${[value].flat().join(" ")}`)
    .join(", ");
}

/** Of the same kind as what it stands for: a number, a list of numbers, or a list of words. */
function parseSize(name, text, like) {
  const parts = Array.isArray(like) ? text.split(",") : [text];
  const wantsNumbers = typeof [like].flat()[0] === "number";
  const values = wantsNumbers ? parts.map((part) => wholeNumber(name, part)) : parts;
  return Array.isArray(like) ? values : values[0];
}

function wholeNumber(name, text) {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new Error(`--${name}: expected a whole number, got ${JSON.stringify(text)}`);
}
