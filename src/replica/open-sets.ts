/** The sets of the newest chain: their tables, and where their volumes come from. */
import type { Head } from "../manifest/head.js";
import type { SourcePool } from "../retrieve/source-pool.js";
import type { Decryptor } from "./decryptor.js";
import { EncryptedSets } from "./encrypted-sets.js";
import type { SetPlace } from "./sets.js";
import { TableStore } from "./table-store.js";
import { publishedVolumes } from "./unwrap.js";

export interface OpenedSets {
  readonly tables: TableStore;
  readonly place: SetPlace;
}

/** @param tools.workFolder the cycle's own, empty */
export function openSets(
  { session, newest: { chain } }: Head,
  tools: {
    readonly pool: SourcePool;
    readonly decryptor: Decryptor;
    readonly workFolder: string;
  },
): OpenedSets {
  const { pool, workFolder } = tools;
  const published = publishedVolumes(pool);
  const encrypted = new EncryptedSets({ session, chain, ...tools });
  const tables = new TableStore({
    pool,
    session,
    spillFolder: workFolder,
    describe: (line, store, signal) => encrypted.describe(line, store, signal),
  });
  const originOf: SetPlace["originOf"] = ({ contents }) =>
    contents === undefined ? encrypted : published;
  return { tables, place: { session, chain, originOf } };
}
