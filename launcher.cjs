#!/usr/bin/env -S MALLOC_MMAP_THRESHOLD_=8388608 MALLOC_TRIM_THRESHOLD_=33554432 node --single-threaded-gc
/**
 * Starts the command; `rolldown.config.js` makes `dist/cli/main.js` of it. Beside the bundles lies the code that V8 made of
 * them there: to make it anew takes longer than a cycle that finds nothing to do. It is for that node only; another compiles.
 *
 * Our heaps are small, and all processors busy when there is much to do: V8 collects their garbage soonest without threads for that.
 * Stripes are inflated into buffers of a megabyte, one after the other: malloc keeps up to 32 MiB for the next ones, where it would
 * give back the pages of each, and the system clear others for the next.
 */
const { existsSync, readFileSync } = require("node:fs");
const { wrap } = require("node:module");
const path = require("node:path");
const vm = require("node:vm");
const { crc32 } = require("node:zlib");

const CODE_FOLDER = `${process.version}-${process.arch}`;

const SEAL_BYTES = 4;

const modules = new Map();

module.exports = { CODE_FOLDER, compile, seal };
if (require.main === module) start();

function start() {
  // Ours alone, and known to malloc by now: not for the programs that we run.
  delete process.env.MALLOC_MMAP_THRESHOLD_;
  delete process.env.MALLOC_TRIM_THRESHOLD_;
  load("command.js");
}

/** What a bundle exports; it runs once. */
function load(name) {
  const known = modules.get(name);
  if (known !== undefined) return known.exports;
  const loaded = { exports: {} };
  modules.set(name, loaded);
  const bundle = path.join(__dirname, name);
  const source = readFileSync(bundle, "utf8");
  const code = readCode(path.join(__dirname, CODE_FOLDER, name), source);
  const run = compile(bundle, source, code).runInThisContext();
  run(loaded.exports, requireHere, loaded, bundle, __dirname);
  return loaded.exports;
}

function requireHere(id) {
  return id.startsWith("./") ? load(id.slice(2)) : require(id);
}

/** Code that is whole, and of this very source: V8 would not notice. */
function readCode(file, source) {
  if (!existsSync(file)) return undefined;
  const sealed = readFileSync(file);
  const code = sealed.subarray(0, -SEAL_BYTES);
  return seal(code, source).equals(sealed.subarray(-SEAL_BYTES)) ? code : undefined;
}

/** What follows the code of a source in its file. */
function seal(code, source) {
  const bytes = Buffer.alloc(SEAL_BYTES);
  bytes.writeUInt32LE(crc32(code, crc32(source)));
  return bytes;
}

/** Makes a function of a bundle, as node's own `require` does. V8 refuses code that is not of its version and flags. */
function compile(bundle, source, cachedData) {
  return new vm.Script(wrap(source), {
    filename: bundle,
    cachedData,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
}
