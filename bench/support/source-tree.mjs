/** A tree like a checkout of source code: many small text files that compress, the same every time. */
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";

const FILES_PER_FOLDER = 40;
const USUAL_MEAN_BYTES = 4000;

/** Makes `files` files below `root`, of `meanBytes` each; returns their paths from there, and their bytes in all. */
export function makeSourceTree(root, files, meanBytes = USUAL_MEAN_BYTES) {
  const random = generator(1);
  const text = textOf(random, 4 * 1024 * 1024);
  const paths = [];
  let bytes = 0;
  for (let number = 0; number < files; number++) {
    const folder = folderOf(Math.floor(number / FILES_PER_FOLDER));
    if (number % FILES_PER_FOLDER === 0) mkdirSync(path.join(root, folder), { recursive: true });
    const size = Math.ceil((sizeOfFile(random) * meanBytes) / USUAL_MEAN_BYTES);
    const start = Math.floor(random() * (text.length - size));
    const place = path.join(folder, `file-${number}.c`);
    const file = path.join(root, place);
    writeFileSync(file, `/* file ${number} */\n${text.slice(start, start + size)}`);
    utimesSync(file, 1_600_000_000 + number, 1_600_000_000 + number);
    paths.push(place);
    bytes += size;
  }
  return { paths, bytes };
}

/** Text as in those files. */
export function sourceText(size) {
  return textOf(generator(1), size).slice(0, size);
}

/** Three levels, as sources have. */
function folderOf(number) {
  return `module-${number % 12}/part-${Math.floor(number / 12) % 12}/unit-${number}`;
}

/** Mostly a few kilobytes, now and then a hundred. */
function sizeOfFile(random) {
  return Math.min(
    120_000,
    Math.floor(200 + 2100 * -Math.log(1 - random()) * (random() < 0.2 ? 5 : 1)),
  );
}

/** Every third line is one that occurs again and again, as closing braces, includes and licences do. */
function textOf(random, size) {
  const words = Array.from({ length: 800 }, () => word(random));
  const pick = () => words[Math.floor(random() ** 4 * words.length)];
  const line = () => {
    const indent = "\t".repeat(Math.floor(random() * 4));
    return `${indent}${pick()} ${pick()} = ${pick()}(${pick()}->${pick()}, ${Math.floor(random() * 64)});`;
  };
  const common = Array.from({ length: 200 }, line);
  const lines = [];
  for (let length = 0; length < size; length += lines.at(-1).length + 1) {
    lines.push(random() < 0.35 ? common[Math.floor(random() * common.length)] : line());
  }
  return lines.join("\n");
}

function word(random) {
  const length = 3 + Math.floor(random() * 9);
  return Array.from(
    { length },
    () => "etaoinshrdlu_cmfwypvbgk"[Math.floor(random() ** 1.5 * 23)],
  ).join("");
}

/** mulberry32 */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
