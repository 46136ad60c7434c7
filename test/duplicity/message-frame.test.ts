import { describe, expect, it } from "vitest";
import { MessageFrame } from "../../src/duplicity/message-frame.js";
import { cut, FEEDS, unhex } from "../support/bytes.js";

/** As gpg writes them: a key packet of the old format, then data of the new one in partial lengths. */
const SESSION_KEY = "8c 03 04 09 03";
const DATA = "d2 e2 01 02 03 04 c0 00";
const WITH_192_MORE = "00".repeat(192);

describe("the frame of an encrypted message", () => {
  it.each([
    ["a passphrase", `${SESSION_KEY} d2 02 01 ff`],
    ["a public key", "84 02 03 00 d2 02 01 ff"],
    ["several keys", `84 02 03 00 c1 02 03 00 ${SESSION_KEY} d2 02 01 ff`],
    ["no key at all, but data", "d2 02 01 ff"],
    ["a marker", "ca 03 50 47 50 d2 02 01 ff"],
    ["data without protection", "84 02 03 00 a4 02 01 ff"],
    ["gpg's authenticated data", "84 02 03 00 d4 02 01 ff"],
    ["a length of two octets", `d2 c0 00 ${WITH_192_MORE}`],
    ["a length of five octets", "d2 ff 00 00 00 02 01 ff"],
    ["old lengths of two and four octets", "85 00 02 03 00 a6 00 00 00 02 01 ff"],
    ["partial lengths", `${SESSION_KEY} ${DATA} ${WITH_192_MORE}`],
    ["partial lengths that end in nothing", `${SESSION_KEY} d2 e1 01 02 00`],
    ["a length that is the file's", "84 02 03 00 a7 01 02 03"],
  ])("with %s is accepted, however it is fed", (_, text) => {
    for (const size of FEEDS) expect(() => frame(text, size)).not.toThrow();
  });

  it.each([
    ["nothing", ""],
    ["plain text", "68 65 6c 6c 6f"],
    ["a key without data", SESSION_KEY],
    ["a literal packet", "cb 02 62 00"],
    ["a signed message", "90 02 03 00 cb 02 62 00"],
    ["something after the data", "d2 02 01 ff d2 02 01 ff"],
  ])("that is %s is refused", (_, text) => {
    for (const size of FEEDS) expect(() => frame(text, size)).toThrow(refused);
  });

  it("cut anywhere is refused", () => {
    const whole = unhex(`${SESSION_KEY} ${DATA} ${WITH_192_MORE}`);
    for (let size = 0; size < whole.length; size++) {
      const message = new MessageFrame("vol1.difftar.gpg");
      message.push(whole.subarray(0, size));
      expect(() => message.finish()).toThrow("vol1.difftar.gpg is cut short");
    }
  });
});

const refused: unknown = expect.objectContaining({ code: "FORMAT_INVALID" });

function frame(text: string, size: number): void {
  const message = new MessageFrame("a message");
  for (const piece of cut(unhex(text), size)) message.push(piece);
  message.finish();
}
