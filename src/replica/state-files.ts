/** What a replica keeps in its state directory (docs/architecture.md, "Replica"). */
import path from "node:path";
import { formatTime } from "../duplicity/time.js";

export interface StateFiles {
  readonly trusted: string;
  readonly position: string;
  readonly journal: string;
  readonly ledgers: string;
  /** Emptied when a cycle begins. */
  readonly spill: string;
  ledger(session: string, chain: number): string;
}

export function stateFiles(stateDirectory: string): StateFiles {
  const ledgers = path.join(stateDirectory, "ledger");
  return {
    trusted: path.join(stateDirectory, "trusted.json"),
    position: path.join(stateDirectory, "position.json"),
    journal: path.join(stateDirectory, "journal.json"),
    ledgers,
    spill: path.join(stateDirectory, "spill"),
    ledger: (session, chain) => path.join(ledgers, `${session}.${formatTime(chain)}.jsonl`),
  };
}
