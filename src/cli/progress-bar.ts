/** One line on the terminal that tells how far long work is. */
import { Presets, SingleBar } from "cli-progress";
import type { Progress } from "../runtime.js";

export interface ProgressBar {
  readonly progress: Progress;
  /** Takes the line away. */
  end(): void;
}

export function createProgressBar(stream: NodeJS.WriteStream): ProgressBar {
  const bar = new SingleBar(
    {
      stream,
      format: "{phase} [{bar}] {percentage}%",
      barsize: 30,
      clearOnComplete: true,
      hideCursor: true,
      gracefulExit: false,
    },
    Presets.shades_classic,
  );
  let shown: string | undefined;
  return {
    progress: (phase, done, total) => {
      if (shown === undefined) bar.start(total, done, { phase: phase.padEnd(PHASE_WIDTH) });
      else {
        if (bar.getTotal() !== total) bar.setTotal(total);
        bar.update(done, { phase: phase.padEnd(PHASE_WIDTH) });
      }
      shown = phase;
    },
    end: () => {
      if (shown !== undefined) bar.stop();
      shown = undefined;
    },
  };
}

const PHASE_WIDTH = 10;
