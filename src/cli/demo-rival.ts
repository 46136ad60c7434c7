import path from "node:path";
import { makeFolder } from "../disk/durable.js";
import { isMirrorError } from "../errors.js";
import { mirrorWithRsync } from "../programs/rsync.js";
import type { CommandContext } from "./command.js";
import type { DemoSite } from "./demo-site.js";

const TIMEOUT_MS = 3_600_000;

/** What the same moves cost with rsync, where rsync is installed. */
export class DemoRival {
  readonly #site: DemoSite;
  readonly #context: CommandContext;
  readonly #folder: string;
  #isMissing = false;

  constructor(site: DemoSite, context: CommandContext) {
    this.#site = site;
    this.#context = context;
    this.#folder = path.join(site.folder, "rsync");
    makeFolder(this.#folder, 0o700);
  }

  async move(): Promise<{ readonly bytes: number; readonly seconds: number } | undefined> {
    if (this.#isMissing) return undefined;
    const { runtime, signal } = this.#context;
    const startMs = runtime.clock.monotonicMs();
    try {
      const { bytes } = await mirrorWithRsync({
        from: this.#site.tree,
        to: this.#folder,
        timeoutMs: TIMEOUT_MS,
        signal,
      });
      return { bytes, seconds: (runtime.clock.monotonicMs() - startMs) / 1000 };
    } catch (error) {
      if (!isMirrorError(error, "PROGRAM_MISSING")) throw error;
      this.#isMissing = true;
      return undefined;
    }
  }
}
