/** Puts together what a command may know of the world. */
import type { StopSignals } from "../daemon/signals.js";
import { createTextLog, type LogLevel } from "../daemon/text-log.js";
import type { Log, Progress } from "../runtime.js";
import type { CommandContext, CommonOptions } from "./command.js";
import { complain } from "./complain.js";

export interface ContextOptions {
  readonly options: CommonOptions & { readonly logFormat?: string };
  readonly stop: StopSignals;
  /** Daemons tell of every cycle; other commands only of what is wrong. */
  readonly isDaemon: boolean;
}

export interface OpenContext {
  readonly context: CommandContext;
  /** Takes the progress bar from the terminal. */
  readonly end: () => void;
}

export async function openContext(given: ContextOptions): Promise<OpenContext> {
  const { options, stop, isDaemon } = given;
  const write = (text: string): void => void process.stderr.write(text);
  const log = await openLog(given, write);
  const isQuiet = options.quiet === true || options.json === true;
  const bar = isDaemon || isQuiet || !process.stderr.isTTY ? undefined : await openBar();
  const context: CommandContext = {
    runtime: {
      clock: { now: () => Date.now(), monotonicMs: () => performance.now() },
      log,
      random: Math.random,
      progress: bar?.progress ?? NO_PROGRESS,
    },
    signal: stop.signal,
    stop: () => stop.stop(),
    print: (line) => {
      bar?.end();
      process.stdout.write(`${line}\n`);
    },
    complain: (error) => complain(error, { verbose: options.verbose === true, write }),
    complainText: (message) => write(`dupmirror: ${message}\n`),
    script: process.argv[1] ?? "",
    environment: process.env,
  };
  return { context, end: () => bar?.end() };
}

const NO_PROGRESS: Progress = () => undefined;

async function openLog(given: ContextOptions, write: (text: string) => void): Promise<Log> {
  const { options, isDaemon } = given;
  const level = chooseLevel(options, isDaemon);
  if (options.logFormat === "json") {
    const { createJsonLog } = await import("../daemon/json-log.js");
    return createJsonLog({ level, write });
  }
  const isJournal = isDaemon && process.env["JOURNAL_STREAM"] !== undefined;
  return createTextLog({ level, prefix: isJournal ? "syslog" : "level", write });
}

function chooseLevel(options: CommonOptions, isDaemon: boolean): LogLevel {
  if (options.verbose === true) return "debug";
  if (options.quiet === true) return "error";
  return isDaemon ? "info" : "warn";
}

async function openBar() {
  const { createProgressBar } = await import("./progress-bar.js");
  return createProgressBar(process.stderr);
}
