import { describe, expect, it } from "vitest";
import { createJsonLog } from "../../src/daemon/json-log.js";
import { createTextLog, type LogLevel } from "../../src/daemon/text-log.js";

const text = (level: LogLevel, prefix: "level" | "syslog") => {
  const lines: string[] = [];
  return { lines, log: createTextLog({ level, prefix, write: (line) => lines.push(line) }) };
};

describe("createTextLog", () => {
  it("writes an event and its fields, quoted where they need it", () => {
    const { lines, log } = text("info", "level");
    log.info("share.refused", { source: "a", count: 3, note: 'two "words"', absent: undefined });
    expect(lines).toEqual(['info: event=share.refused source=a count=3 note="two \\"words\\""\n']);
  });

  it("keeps a field from looking like another line", () => {
    const { lines, log } = text("info", "level");
    log.warn("path.refused", { path: "a\nerror: event=x", empty: "" });
    expect(lines).toEqual(['warning: event=path.refused path="a\\nerror: event=x" empty=""\n']);
  });

  it("gives the journal its levels, and leaves out what is below the level", () => {
    const { lines, log } = text("warn", "syslog");
    log.debug("a");
    log.info("b");
    log.warn("c");
    log.error("d");
    expect(lines).toEqual(["<4>event=c\n", "<3>event=d\n"]);
  });
});

describe("createJsonLog", () => {
  it("writes one object a line, with time and level", () => {
    const lines: string[] = [];
    const log = createJsonLog({ level: "info", write: (line) => lines.push(line) });
    log.debug("too.little");
    log.info("cycle.done", { mirror: "pub", sets: 2 });
    log.error("cycle.failed", { code: "TREE_EMPTY" });
    const time = expect.stringMatching(/^\d{4}-.*Z$/) as unknown;
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual([
      { level: "info", time, event: "cycle.done", mirror: "pub", sets: 2 },
      { level: "error", time, event: "cycle.failed", code: "TREE_EMPTY" },
    ]);
  });
});
