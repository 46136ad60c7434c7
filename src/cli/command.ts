/** What every command is given and gives back. */
import type { Runtime } from "../runtime.js";

export interface CommandContext {
  readonly runtime: Runtime;
  /** Aborts at SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** Asks for an orderly end, as SIGTERM would. */
  readonly stop: () => void;
  /** Puts a line on stdout. */
  readonly print: (line: string) => void;
  /** Puts a failure on stderr that does not end the command, and gives its exit status. */
  readonly complain: (error: unknown) => number;
  /** Puts one line on stderr. */
  readonly complainText: (message: string) => void;
  /** The file that this process runs, to start another one of it. */
  readonly script: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The options that all commands have. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** Gives the exit status. */
export type Command<Options> = (options: Options, context: CommandContext) => Promise<number>;
