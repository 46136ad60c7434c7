/** A repository as duplicity would have written it, of a tree with any number of empty files that nobody needs to make. */
import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { noise } from "./noise.mjs";

const FILES_PER_FOLDER = 100;
const FOLDERS_PER_PART = 100;
const VOLUME_BYTES = 25 * 1024 * 1024;
const FIRST_SET = 1_700_000_000;
const FILE_TIME = 1_600_000_000;

export class GeneratedRepository {
  #folder;
  #files;
  #time = FIRST_SET;

  constructor(folder, files) {
    this.#folder = folder;
    this.#files = files;
    mkdirSync(folder, { recursive: true });
  }

  /** Objects in the tree, the root among them. */
  get entries() {
    const folders = Math.ceil(this.#files / FILES_PER_FOLDER);
    return 1 + Math.ceil(folders / FOLDERS_PER_PART) + folders + this.#files;
  }

  writeFull() {
    const set = `full.${timeText(this.#time)}`;
    const volumes = new VolumeWriter(this.#folder, set);
    const signatures = new FileWriter(
      path.join(this.#folder, `duplicity-full-signatures.${timeText(this.#time)}.sigtar`),
    );
    for (const { name, isFolder } of objects(this.#files)) {
      const header = isFolder ? tarFolder(name) : tarFile(`snapshot/${name}`, NOTHING);
      volumes.add(name, header);
      signatures.add(isFolder ? header : tarFile(`signature/${name}`, EMPTY_SIGNATURE));
    }
    signatures.end();
    volumes.end();
  }

  /**
   * Rewrites `count` files, evenly spread over the first `among`; another `shift` means other files. Each becomes a line of text and
   * `moreBytes` that are not found elsewhere.
   */
  writeIncrement({ count, among, shift = 0, moreBytes = 0 }) {
    const from = this.#time;
    this.#time += 900;
    const volumes = new VolumeWriter(
      this.#folder,
      `inc.${timeText(from)}.to.${timeText(this.#time)}`,
    );
    const step = Math.floor(among / count);
    for (let at = 0; at < count; at++) {
      const number = at * step + (shift % step);
      const name = generatedName(number);
      const more = noise(moreBytes, this.#time + number)
        .toString("base64")
        .slice(0, moreBytes);
      const content = literal(`${name} at ${this.#time}\n${more}`);
      volumes.add(name, tarFile(`diff/${name}`, content, this.#time));
    }
    volumes.end();
  }
}

function* objects(files) {
  yield { name: "", isFolder: true };
  for (let number = 0; number < files; number++) {
    if (number % (FILES_PER_FOLDER * FOLDERS_PER_PART) === 0) {
      yield { name: partName(number), isFolder: true };
    }
    if (number % FILES_PER_FOLDER === 0) yield { name: folderName(number), isFolder: true };
    yield { name: generatedName(number), isFolder: false };
  }
}

function partName(number) {
  return `part-${padded(number / (FILES_PER_FOLDER * FOLDERS_PER_PART), 4)}`;
}

function folderName(number) {
  return `${partName(number)}/folder-${padded((number / FILES_PER_FOLDER) % FOLDERS_PER_PART, 2)}`;
}

export function generatedName(number) {
  return `${folderName(number)}/package-${padded(number % FILES_PER_FOLDER, 2)}.rpm`;
}

function padded(number, width) {
  return String(Math.floor(number)).padStart(width, "0");
}

/** `20231114T221320Z` */
function timeText(seconds) {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
}

class VolumeWriter {
  #folder;
  #set;
  #number = 0;
  #volume;
  #first = "";
  #last = "";
  #listed = "Hostname bench\nLocaldir /bench\n";

  constructor(folder, set) {
    this.#folder = folder;
    this.#set = set;
  }

  add(name, bytes) {
    this.#volume ??= this.#open(name);
    this.#last = name;
    this.#volume.add(bytes);
    if (this.#volume.sizeBytes >= VOLUME_BYTES) this.#close();
  }

  end() {
    this.#close();
    const file = path.join(this.#folder, `duplicity-${this.#set}.manifest`);
    writeFileSync(file, `${this.#listed}Filelist 0\n`);
    age(file);
  }

  #open(name) {
    this.#number++;
    this.#first = name;
    const file = `duplicity-${this.#set}.vol${this.#number}.difftar`;
    return new FileWriter(path.join(this.#folder, file));
  }

  #close() {
    if (this.#volume === undefined) return;
    const hash = this.#volume.end();
    this.#volume = undefined;
    const named = (name) => `${name === "" ? "." : name}  `;
    this.#listed +=
      `Volume ${this.#number}:\n    StartingPath   ${named(this.#first)}\n` +
      `    EndingPath     ${named(this.#last)}\n    Hash SHA1 ${hash}\n`;
  }
}

class FileWriter {
  sizeBytes = 0;
  #file;
  #hash = createHash("sha1");
  #held = [];
  #heldBytes = 0;

  constructor(file) {
    this.#file = file;
  }

  add(bytes) {
    this.sizeBytes += bytes.length;
    this.#heldBytes += bytes.length;
    this.#held.push(bytes);
    if (this.#heldBytes >= WRITE_BYTES) this.#flush();
  }

  /** Ends the tar; returns the SHA-1 of the file. */
  end() {
    this.add(END);
    this.#flush();
    age(this.#file);
    return this.#hash.digest("hex");
  }

  #flush() {
    const bytes = Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    this.#hash.update(bytes);
    appendFileSync(this.#file, bytes);
  }
}

const WRITE_BYTES = 4 * 1024 * 1024;
const END = Buffer.alloc(1024);
const NOTHING = Buffer.alloc(0);
/** Blocks of 512 bytes, sums of 8, and none of them. */
const EMPTY_SIGNATURE = Buffer.from("727301360000020000000008", "hex");

/** A file that was written some time ago is not being written any more. */
function age(file) {
  utimesSync(file, FIRST_SET, FIRST_SET);
}

/** A delta that makes a file of `text`, of less than 64 KiB. */
function literal(text) {
  const bytes = Buffer.from(text);
  return Buffer.concat([
    Buffer.from("72730236", "hex"),
    Buffer.of(0x42, bytes.length >> 8, bytes.length & 0xff),
    bytes,
    Buffer.of(0),
  ]);
}

function tarFolder(name) {
  return tarEntry(name === "" ? "snapshot/" : `snapshot/${name}/`, {
    type: "5",
    mode: "0000755",
    data: NOTHING,
    time: FILE_TIME,
  });
}

function tarFile(name, data, time = FILE_TIME) {
  return tarEntry(name, { type: "0", mode: "0000644", data, time });
}

function tarEntry(name, { type, mode, data, time }) {
  const padding = (512 - (data.length % 512)) % 512;
  const entry = Buffer.alloc(512 + data.length + padding);
  const put = (at, text) => entry.write(text, at, "latin1");
  put(0, name);
  put(100, `${mode}\0`);
  put(108, "0000000\0");
  put(116, "0000000\0");
  put(124, `${data.length.toString(8).padStart(11, "0")}\0`);
  put(136, `${time.toString(8).padStart(11, "0")}\0`);
  put(148, "        ");
  put(156, type);
  put(257, "ustar\x0000");
  put(265, "root");
  put(297, "root");
  let sum = 0;
  for (let at = 0; at < 512; at++) sum += entry[at];
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  data.copy(entry, 512);
  return entry;
}
