/** The sets of a chain: their tables, and where their volumes come from. */
import type { SourcePool } from "../retrieve/source-pool.js";
import type { Decryptor } from "./decryptor.js";
import { EncryptedSets } from "./encrypted-sets.js";
import type { KeptPages } from "./kept-pages.js";
import type { SetPlace } from "./sets.js";
import { TableStore } from "./table-store.js";
import { publishedVolumes } from "./unwrap.js";

export interface OpenedSets {
  readonly tables: TableStore;
  readonly place: SetPlace;
}

export function openSets(options: {
  readonly session: string;
  readonly chain: number;
  readonly pool: SourcePool;
  readonly decryptor: Decryptor;
  /** The operation's own, empty. */
  readonly workFolder: string;
  readonly kept?: KeptPages | undefined;
}): OpenedSets {
  const { session, chain, pool, workFolder, kept } = options;
  const published = publishedVolumes(pool);
  const encrypted = new EncryptedSets(options);
  const tables = new TableStore({
    pool,
    session,
    spillFolder: workFolder,
    kept,
    describe: (line, store, signal) => encrypted.describe(line, store, signal),
  });
  const originOf: SetPlace["originOf"] = ({ contents }) =>
    contents === undefined ? encrypted : published;
  return { tables, place: { session, chain, originOf } };
}
