import type { MasterMirror } from "../config/master.js";
import { formatSetName } from "../duplicity/names.js";
import { readCycleRecord } from "./cycle-record.js";
import { readHostStates } from "./host-states.js";
import { readPublishedHead } from "./publication.js";
import type { HostReport, MissedFile } from "./report.js";
import { readSigningKey } from "./signing-key.js";

export interface MasterStatus {
  readonly mirror: string;
  /** Undefined before the first publication. */
  readonly head: HeadStatus | undefined;
  /** Undefined before the first cycle. Times are milliseconds since the epoch. */
  readonly lastCycle: { readonly endedAt: number; readonly error: string | undefined } | undefined;
  readonly withheld: readonly string[];
  readonly waiting: readonly string[];
  readonly missed: readonly MissedFile[];
  readonly hosts: readonly HostReport[];
}

export interface HeadStatus {
  readonly session: string;
  readonly generation: number;
  readonly newest: string;
  readonly chainCount: number;
  readonly publishedAt: number;
  readonly expiresAt: number;
}

/** What is published, and how the last cycle ended; takes no lock. */
export function masterStatus(config: MasterMirror): MasterStatus {
  const head = readPublishedHead({
    folder: config.publication,
    mirror: config.name,
    key: readSigningKey(config.signing.keyFile),
  });
  const last = readCycleRecord(config.stateDirectory);
  return {
    mirror: config.name,
    head: head && {
      session: head.session,
      generation: head.generation,
      newest: formatSetName(head.newest.set),
      chainCount: head.ledgers.length,
      publishedAt: head.publishedAt,
      expiresAt: head.expiresAt,
    },
    lastCycle: last && { endedAt: last.endedAt, error: last.error },
    withheld: last?.withheld ?? [],
    waiting: last?.waiting ?? [],
    missed: last?.missed ?? [],
    hosts: readHostStates(config),
  };
}
