/** What a replica keeps in its state directory (docs/architecture.md, "Replica"). */
import path from "node:path";
import { formatTime } from "../duplicity/time.js";

export interface StateFiles {
  readonly trusted: string;
  readonly position: string;
  readonly journal: string;
  /** Only while the tree is held at an older set. */
  readonly hold: string;
  readonly ledgers: string;
  /** Pages of tables, only while a build is unfinished. */
  readonly pages: string;
  /** Emptied when a cycle begins. */
  readonly spill: string;
  /** The same for a verification, which goes on beside cycles. */
  readonly verifySpill: string;
  /** How far a verification is, and all that it found; only while there is one. */
  readonly verify: string;
  readonly verifyFindings: string;
  /** How the last verification ended. */
  readonly lastVerify: string;
  ledger(session: string, chain: number): string;
}

export function stateFiles(stateDirectory: string): StateFiles {
  const ledgers = path.join(stateDirectory, "ledger");
  return {
    trusted: path.join(stateDirectory, "trusted.json"),
    position: path.join(stateDirectory, "position.json"),
    journal: path.join(stateDirectory, "journal.json"),
    hold: path.join(stateDirectory, "hold.json"),
    ledgers,
    pages: path.join(stateDirectory, "pages"),
    spill: path.join(stateDirectory, "spill"),
    verifySpill: path.join(stateDirectory, "verify-spill"),
    verify: path.join(stateDirectory, "verify.json"),
    verifyFindings: path.join(stateDirectory, "verify-findings.jsonl"),
    lastVerify: path.join(stateDirectory, "last-verify.json"),
    ledger: (session, chain) => path.join(ledgers, `${session}.${formatTime(chain)}.jsonl`),
  };
}
