/** A reader of a package repository who, like a package manager, follows index files to what they name. */
import { lstatSync, readFileSync, readlinkSync, type Stats } from "node:fs";
import path from "node:path";
import { file, type ModelObject } from "./model.js";

/** An index file that names these paths of its tree. */
export function naming(paths: readonly string[], mtime: number): ModelObject {
  return file([SIGN, ...paths].join("\n"), mtime);
}

const SIGN = "names";

/** What whoever enters `tree` by one of `entries` that are there would miss, one sentence each. */
export function missing(tree: string, entries: readonly string[]): string[] {
  return entries.flatMap((entry) => {
    const found = look(tree, entry);
    return found === undefined ? [] : follow(tree, entry, found);
  });
}

function follow(tree: string, index: string, content: string): string[] {
  const [sign, ...named] = content.split("\n");
  if (sign !== SIGN) return [];
  return named.flatMap((one) => {
    const found = look(tree, one);
    return found === undefined ? [`${index} names ${one}`] : follow(tree, one, found);
  });
}

/** A file as somebody sees it who is neither its owner nor of its group. */
function look(tree: string, name: string): string | undefined {
  let place = tree;
  for (const part of name.split("/")) {
    if (!isOpen(lstatSync(place), 0o1)) return undefined;
    place = path.join(place, part);
    const stat = lstatSync(place, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (stat.isSymbolicLink()) {
      const target = path.join(path.dirname(place), readlinkSync(place));
      const rest = name.split("/").slice(path.relative(tree, place).split("/").length);
      return look(tree, [path.relative(tree, target), ...rest].join("/"));
    }
  }
  return isOpen(lstatSync(place), 0o4) ? readFileSync(place, "utf8") : undefined;
}

function isOpen(stat: Stats, right: number): boolean {
  return (stat.mode & right) !== 0;
}
