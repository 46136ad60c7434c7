/** How the tree gets from where it is to the newest set. Pure. */
import { MirrorError } from "../errors.js";
import type { Head } from "../manifest/head.js";
import type { LedgerLine } from "../manifest/ledger.js";
import { findPosition, type Position } from "./position.js";

export type Choice =
  | { readonly kind: "none" }
  /** The sets of the lineage from number `first` on. */
  | { readonly kind: "follow"; readonly first: number }
  | { readonly kind: "rebase" }
  | { readonly kind: "fresh" };

export interface ChoiceFacts {
  readonly head: Head;
  readonly lineage: readonly LedgerLine[];
  readonly position: Position | undefined;
  readonly isTreeEmpty: boolean;
  /** As `Position`'s, from the config as it is now. */
  readonly filter: string;
}

/** @throws MirrorError GAP when the lineage does not end in the newest set */
export function chooseStrategy(facts: ChoiceFacts): Choice {
  const { head, lineage, position, isTreeEmpty, filter } = facts;
  if (lineage.length === 0) throw new MirrorError("GAP", "the newest set has no lineage");
  if (position === undefined) return { kind: isTreeEmpty ? "fresh" : "rebase" };
  if (position.session !== head.session || position.chain !== head.newest.chain) {
    return { kind: "rebase" };
  }
  const at = findPosition(position, lineage);
  if (at === -1 || position.filter !== filter) return { kind: "rebase" };
  return at === lineage.length - 1 ? { kind: "none" } : { kind: "follow", first: at + 1 };
}
