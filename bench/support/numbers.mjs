/** How numbers are summed up and shown. */

export function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** `1.23, 1.40, 1.31` */
export function list(values, digits = 2) {
  return values.map((value) => value.toFixed(digits)).join(", ");
}

/** In powers of ten, with three digits. */
export function bytes(value) {
  const [from, unit] = BYTE_UNITS.find(([least]) => value >= least) ?? [1, "bytes"];
  if (from === 1) return `${Math.round(value)} bytes`;
  const scaled = value / from;
  return `${scaled.toFixed(scaled >= 100 ? 0 : scaled >= 10 ? 1 : 2)} ${unit}`;
}

export function seconds(value) {
  return `${value.toFixed(value < 1 ? 3 : 2)} s`;
}

export function ratio(value) {
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

/** How many times as long `theirs` take as `ours`: of the best rounds, and as it is shown, with that of the medians in brackets. */
export function timesAsLong(theirs, ours) {
  const best = Math.min(...theirs) / Math.min(...ours);
  return { best, shown: `${ratio(best)} (${ratio(median(theirs) / median(ours))})` };
}

/** `20 k`, `1 M` */
export function count(value) {
  if (value >= 1e6 && value % 1e5 === 0) return `${value / 1e6} M`;
  return value >= 1e4 && value % 1e3 === 0 ? `${value / 1e3} k` : `${value}`;
}

const BYTE_UNITS = [
  [1e9, "GB"],
  [1e6, "MB"],
  [1e3, "kB"],
];
