import { expect, test } from "vitest";
import { toTreePath } from "../../src/bytes/tree-path.js";
import { HeldVersions } from "../../src/replica/held-versions.js";

const MIB = 1024 * 1024;
const path = (number: number) => toTreePath(`file-${number}`);

test("what was kept is given back once", () => {
  const versions = new HeldVersions();
  const bytes = Buffer.from("first");
  expect(versions.keep(path(1), bytes)).toBe(true);
  expect(versions.take(path(2))).toBeUndefined();
  expect(versions.take(path(1))).toEqual(bytes);
  expect(versions.take(path(1))).toBeUndefined();
});

test("never more than 16 MiB are kept, and room comes back", () => {
  const versions = new HeldVersions();
  const kept = Array.from({ length: 20 }, (_, at) => versions.keep(path(at), new Uint8Array(MIB)));
  expect(kept.filter(Boolean)).toHaveLength(15);
  versions.take(path(0));
  expect(versions.keep(path(30), new Uint8Array(MIB))).toBe(true);
  expect(versions.keep(path(31), new Uint8Array(MIB))).toBe(false);
});

test("empty versions cost something too", () => {
  const versions = new HeldVersions();
  let count = 0;
  while (count < 100_000 && versions.keep(path(count), new Uint8Array())) count++;
  expect(count).toBeLessThan(16 * 4096);
  expect(count).toBeGreaterThan(10_000);
});
