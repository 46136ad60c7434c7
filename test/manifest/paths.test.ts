import { expect, test } from "vitest";
import { HEAD_PATH, ledgerPath, packPath, tablePath } from "../../src/manifest/paths.js";
import { FULL, INCREMENT, SESSION } from "./samples.js";

test("documents lie where every reader looks for them", () => {
  const place = { share: 3, session: SESSION, chain: FULL.time, pack: 12 };
  expect([
    HEAD_PATH,
    ledgerPath(SESSION, FULL.time),
    tablePath("volumes", SESSION, FULL),
    tablePath("contents", SESSION, INCREMENT),
    packPath({ ...place, stream: "volumes" }),
    packPath({ ...place, stream: "records", pack: 0 }),
  ]).toEqual([
    "head",
    `ledger/${SESSION}/20231114T221320Z.jsonl`,
    `volumes/${SESSION}/full.20231114T221320Z`,
    `contents/${SESSION}/inc.20231114T221320Z.to.20231114T221420Z`,
    `shares/3/${SESSION}/20231114T221320Z/v12`,
    `shares/3/${SESSION}/20231114T221320Z/r0`,
  ]);
});
