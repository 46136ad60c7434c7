/**
 * What duplicity says on `--log-fd` (duplicity-format 11.4): stanzas of a header, lines that begin with `. `, and a
 * blank line. What is unknown is passed over.
 */
import { PROGRAM_WARNINGS_MAX } from "../limits.js";

/** What a backup did, in duplicity's own words and counts. */
export interface BackupStatistics {
  /** Files and directories that could not be read: the set holds them as deleted. */
  readonly errors: number;
  readonly sourceFiles: number;
  readonly sourceSizeBytes: number;
  readonly newFiles: number;
  readonly deletedFiles: number;
  readonly changedFiles: number;
  readonly elapsedSeconds: number;
  /** The first warnings, for the operator. */
  readonly warnings: readonly string[];
}

export class DuplicityLog {
  readonly #counts = new Map<string, number>();
  readonly #warnings: string[] = [];
  #error: string | undefined;
  #level = "";

  /** Takes one line, without its end. */
  push(line: string): void {
    const header = /^([A-Z]+) [0-9]+/.exec(line);
    if (header !== null) this.#level = header[1] ?? "";
    else if (line.startsWith(". ")) this.#take(line.slice(2).trim());
  }

  /** The last thing that duplicity called an error. */
  get error(): string | undefined {
    return this.#error;
  }

  /** `undefined` when no backup was finished. */
  get statistics(): BackupStatistics | undefined {
    const errors = this.#counts.get("Errors");
    if (errors === undefined) return undefined;
    const count = (name: string): number => this.#counts.get(name) ?? 0;
    return {
      errors,
      sourceFiles: count("SourceFiles"),
      sourceSizeBytes: count("SourceFileSize"),
      newFiles: count("NewFiles"),
      deletedFiles: count("DeletedFiles"),
      changedFiles: count("ChangedFiles"),
      elapsedSeconds: count("ElapsedTime"),
      warnings: this.#warnings,
    };
  }

  #take(text: string): void {
    switch (this.#level) {
      case "NOTICE":
        this.#takeCount(text);
        break;
      case "WARNING":
        if (this.#warnings.length < PROGRAM_WARNINGS_MAX) this.#warnings.push(text);
        break;
      case "ERROR":
        if (isTelling(text)) this.#error = text;
        break;
    }
  }

  #takeCount(text: string): void {
    const [, name, value] = /^([A-Z][A-Za-z]+) (-?[0-9.]+)( \(.*\))?$/.exec(text) ?? [];
    if (name !== undefined) this.#counts.set(name, Number(value));
  }
}

/** After a wrong argument comes advice that helps nobody here. */
function isTelling(text: string): boolean {
  return text !== "" && !text.startsWith("Enter 'duplicity --help'");
}
