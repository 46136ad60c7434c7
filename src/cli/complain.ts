/** Errors as lines of stderr: `dupmirror: <message>`, no stack. */
import { isMirrorError } from "../errors.js";
import { exitStatusOf, FAILED } from "./exit-status.js";

/** Writes `error` and gives the exit status that it means. */
export function complain(
  error: unknown,
  options: { readonly verbose: boolean; readonly write: (text: string) => void },
): number {
  const known = isMirrorError(error);
  const message = error instanceof Error ? error.message : String(error);
  const lines = (known ? message : `internal error: ${message}`).split("\n");
  for (const line of lines) options.write(`dupmirror: ${line}\n`);
  if (options.verbose || !known) for (const line of traceOf(error)) options.write(`  ${line}\n`);
  return known ? exitStatusOf(error.code) : FAILED;
}

/** Where a failure of ours came from; the cause of one of the world's. */
function traceOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  if (!isMirrorError(error))
    return (error.stack ?? "")
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  const cause = error.cause instanceof Error ? [`because: ${error.cause.message}`] : [];
  return [...cause, ...traceOf(error.cause)];
}
