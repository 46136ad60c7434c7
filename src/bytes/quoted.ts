/**
 * `text` between quotes, in one line that is safe to show whoever wrote it: what a terminal would obey, or a
 * reader not see, is escaped, and no more than QUOTED_MAX_LENGTH characters are given.
 */
export function quoted(text: string): string {
  const shown = text.length > QUOTED_MAX_LENGTH ? `${text.slice(0, QUOTED_MAX_LENGTH)}...` : text;
  return JSON.stringify(shown).replace(EVERY_UNSEEN, escape);
}

/** `text` as it is where it can be shown, else quoted. */
export function shown(text: string): string {
  return text.length <= QUOTED_MAX_LENGTH && !UNSEEN.test(text) ? text : quoted(text);
}

/** Longer than any path. */
const QUOTED_MAX_LENGTH = 4096;

/** Control characters, those that turn or hide others, and what ends a line for some readers. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const EVERY_UNSEEN = new RegExp(UNSEEN, "gu");

function escape(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
