/** What an audit found, and what became of it. */

export interface AuditReport {
  readonly mirror: string;
  readonly session: string;
  /** Of the head that all places were held against. */
  readonly generation: number;
  /** The same seed chooses the same blocks of the same publication. */
  readonly seed: number;
  /** So many blocks of each share, or all. */
  readonly sample: number | "all";
  readonly places: readonly AuditedPlace[];
  readonly seconds: number;
}

export interface AuditedPlace {
  /** The host's; `publication` is the master's own folder. */
  readonly name: string;
  readonly url: string;
  readonly shares: readonly number[];
  readonly checked: { readonly files: number; readonly blocks: number; readonly bytes: number };
  readonly findings: readonly AuditFinding[];
}

export interface AuditFinding {
  readonly kind: FindingKind;
  /** Of the publication; empty when the place itself is meant. */
  readonly path: string;
  readonly detail: string;
  readonly isRepaired: boolean;
  /** Why it could not be repaired; undefined when nobody tried. */
  readonly error?: string;
  /** Fewer than k good shares of it can be had, or no good copy. */
  readonly isLost?: true;
}

/**
 * `unreachable`: the place does not answer. `missing`, `short`: the file. `rotten`: what it holds is not what was published, or
 * cannot be read.
 * `stale`: an older head.
 */
export type FindingKind = "unreachable" | "missing" | "short" | "rotten" | "stale";

/** Findings that are not repaired. */
export function damageLeft({ places }: AuditReport): AuditFinding[] {
  return places.flatMap(({ findings }) => findings.filter(({ isRepaired }) => !isRepaired));
}
