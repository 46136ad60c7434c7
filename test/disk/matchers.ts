import { expect } from "vitest";
import { type ErrorCode, MirrorError } from "../../src/errors.js";

declare module "vitest" {
  interface Matchers {
    /** Throws a MirrorError of this code. */
    toThrowCode(code: ErrorCode): void;
  }
}

expect.extend({
  toThrowCode(act: () => unknown, code: ErrorCode) {
    const found = codeOf(act);
    return { pass: found === code, message: () => `expected ${code}, got ${found}` };
  },
});

function codeOf(act: () => unknown): string {
  try {
    act();
    return "no error";
  } catch (error) {
    return error instanceof MirrorError ? error.code : String(error);
  }
}
