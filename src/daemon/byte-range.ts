/** The `Range` header of RFC 9110, section 14: single ranges of bytes. */
export type ByteRange =
  | { readonly kind: "whole" }
  | { readonly kind: "part"; readonly start: number; readonly sizeBytes: number }
  | { readonly kind: "unsatisfiable" };

/** What of a file of `sizeBytes` is asked for; malformed and multiple ranges mean all of it. */
export function parseByteRange(header: string | undefined, sizeBytes: number): ByteRange {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? "");
  if (match === null) return { kind: "whole" };
  const [, first = "", last = ""] = match;
  if (first === "") return last === "" ? { kind: "whole" } : suffix(Number(last), sizeBytes);
  const start = Number(first);
  const end = last === "" ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  if (last !== "" && Number(last) < start) return { kind: "whole" };
  if (start >= sizeBytes) return { kind: "unsatisfiable" };
  return { kind: "part", start, sizeBytes: end - start + 1 };
}

function suffix(length: number, sizeBytes: number): ByteRange {
  const size = Math.min(length, sizeBytes);
  if (size === 0) return { kind: "unsatisfiable" };
  return { kind: "part", start: sizeBytes - size, sizeBytes: size };
}
