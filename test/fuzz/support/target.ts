/** What is fuzzed, and what must hold whatever comes in. */
import { expect } from "vitest";
import { type ErrorCode, isMirrorError } from "../../../src/errors.js";

export interface Target<T = unknown> {
  readonly name: string;
  /** Valid ones: `parse` takes them all. */
  readonly samples: readonly Uint8Array[];
  /** Gives a value, or throws a `MirrorError`. */
  readonly parse: (bytes: Uint8Array) => T | Promise<T>;
  /** With what it may be refused. */
  readonly codes: readonly ErrorCode[];
  /** Makes mutations valid as far as a checksum goes, so that what lies behind it is reached. */
  readonly repair?: (bytes: Uint8Array) => Uint8Array;
  /** Fails when an accepted value cannot be used, or leaves the limits. */
  readonly check?: (value: T, bytes: Uint8Array) => void | Promise<void>;
  /** An operator is told several problems at once, a line each. */
  readonly manyLines?: boolean;
  /** Takes milliseconds, and is tried less often. */
  readonly isSlow?: boolean;
}

/** A target in a table of targets of any kind. */
export function target<T>(described: Target<T>): Target {
  const { check, ...rest } = described;
  return {
    ...rest,
    parse: async (bytes) => {
      const value = await described.parse(bytes);
      await check?.(value, bytes);
      return value;
    },
  };
}

/** A line may name two paths, escaped. */
const LINE_MAX_LENGTH = 20_000;

/** `bytes` give a value or a refusal in one line: nothing else, whatever they are. */
export async function meets(one: Target, bytes: Uint8Array): Promise<void> {
  try {
    await one.parse(bytes);
  } catch (error) {
    if (!isMirrorError(error)) throw error;
    expect(one.codes, error.message).toContain(error.code);
    const lines = one.manyLines === true ? error.message.split("\n") : [error.message];
    for (const line of lines) {
      expect(line.length).toBeLessThan(LINE_MAX_LENGTH);
      expect(line).toMatch(PRINTABLE);
    }
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are the point
const PRINTABLE = /^[^\u0000-\u001f\u007f-\u009f]+$/;
