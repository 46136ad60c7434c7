/** Notices changes in a folder. An event only asks for a cycle, which looks for itself; nothing depends on events. */
import { watch } from "chokidar";
import type { Log } from "../runtime.js";

export interface WatchOptions {
  readonly folder: string;
  /** The name of a folder at the top that does not count. */
  readonly except: string;
  /** `onChange` is called when nothing happened for so long, or, where something always does, now and then. */
  readonly delayMs: number;
  readonly onChange: () => void;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Watches until `signal` aborts, or until the system has no more watches: then it says so and gives up. */
export function watchFolder(options: WatchOptions): void {
  const { folder, log, signal } = options;
  if (signal.aborted) return;
  const changes = new QuietTime(options);
  const isExcluded = (path: string, stats?: { isDirectory(): boolean }): boolean =>
    path === `${folder}/${options.except}` || (stats !== undefined && !stats.isDirectory());
  // A directory's watch tells of its files too; chokidar would spend one more on each of them.
  const watcher = watch(folder, {
    ignored: isExcluded,
    ignoreInitial: true,
    followSymlinks: false,
    ignorePermissionErrors: true,
  });
  const close = (): void => {
    changes.stop();
    void watcher.close();
  };
  watcher.on("ready", () => log.debug("watch.ready", { folder }));
  watcher.on("raw", () => changes.tell());
  watcher.on("all", () => changes.tell());
  watcher.on("error", (error) => {
    if (watcher.closed) return;
    log.warn("watch.failed", {
      folder,
      message: error instanceof Error ? error.message : String(error),
      advice: "changes wait for the schedule; raise fs.inotify.max_user_watches",
    });
    close();
  });
  signal.addEventListener("abort", close, { once: true });
}

/** Longer than this many delays a change does not wait for the folder to be quiet. */
const DELAYS_MAX = 30;

class QuietTime {
  readonly #options: WatchOptions;
  #timer: NodeJS.Timeout | undefined;
  #firstAt = 0;
  #isStopped = false;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  tell(): void {
    if (this.#isStopped) return;
    const { delayMs } = this.#options;
    const now = performance.now();
    if (this.#timer === undefined) this.#firstAt = now;
    else if (now - this.#firstAt > DELAYS_MAX * delayMs) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#options.onChange();
    }, delayMs);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }
}
