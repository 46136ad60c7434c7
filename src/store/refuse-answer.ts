/** What answers mean that are not what was asked for. */
import { MirrorError } from "../errors.js";
import type { HttpAnswer } from "./http-client.js";

/** Object stores say 403 for a missing file to those who may not list. */
export function refuseStatus(answer: HttpAnswer): never {
  const { status, what, retryAfterMs } = answer;
  const hint = status === 401 ? ": are its credentials right (auth, tls)?" : "";
  const message = `${what} answers with status ${status}${hint}`;
  if ([403, 404, 410].includes(status)) throw new MirrorError("SOURCE_MISSING", message);
  const isPassing = status >= 500 || [408, 425, 429].includes(status);
  if (isPassing) throw new MirrorError("SOURCE_UNREACHABLE", message, { retryAfterMs });
  throw new MirrorError("SOURCE_INVALID", message);
}

export function checkEncoding(answer: HttpAnswer): void {
  const encoding = answer.header("content-encoding") ?? "identity";
  if (encoding !== "identity") refuseAnswer(answer, `sends content encoded as ${encoding}`);
}

export function refuseAnswer(answer: HttpAnswer, why: string): never {
  throw new MirrorError("SOURCE_INVALID", `${answer.what} ${why}`);
}
