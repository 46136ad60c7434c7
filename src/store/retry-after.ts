import { RETRY_AFTER_MAX_MS } from "../limits.js";

/**
 * How long a server wants to be left alone by its header `retry-after`, seconds or a date (RFC 9110, 10.2.3),
 * bounded; `undefined` when it does not say.
 * @param nowMs since the Unix epoch
 */
export function parseRetryAfter(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const isSeconds = /^\d{1,15}$/.test(text);
  const untilMs = HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN;
  const restMs = isSeconds ? Number(text) * 1000 : untilMs - nowMs;
  return Number.isNaN(restMs) ? undefined : Math.min(Math.max(restMs, 0), RETRY_AFTER_MAX_MS);
}

const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
