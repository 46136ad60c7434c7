import { isMirrorError } from "../errors.js";
import type { CommandContext } from "./command.js";
import { DONE } from "./exit-status.js";

/**
 * Works on one mirror after the other. A mirror that fails does not keep the others from their turn;
 * the exit status is that of the first that failed.
 */
export async function forEachMirror<Mirror extends { readonly name: string }>(
  mirrors: readonly Mirror[],
  context: CommandContext,
  work: (mirror: Mirror) => Promise<number>,
): Promise<number> {
  const [only] = mirrors;
  if (only !== undefined && mirrors.length === 1) return work(only);
  let status = DONE;
  for (const mirror of mirrors) {
    const result = await attempt(mirror, context, work);
    status = status === DONE ? result : status;
  }
  return status;
}

async function attempt<Mirror extends { readonly name: string }>(
  mirror: Mirror,
  context: CommandContext,
  work: (mirror: Mirror) => Promise<number>,
): Promise<number> {
  try {
    return await work(mirror);
  } catch (error) {
    if (!isMirrorError(error) || context.signal.aborted) throw error;
    return context.complain(error);
  }
}
