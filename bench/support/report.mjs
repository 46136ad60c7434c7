/** What a scenario found: told as it comes, and kept as a section of results.md. */

export class Report {
  #lines = [];
  #verdicts = [];
  #tell;

  constructor(tell) {
    this.#tell = tell;
  }

  get isKept() {
    return this.#verdicts.every(({ isKept }) => isKept);
  }

  /** Progress: told, not kept. */
  say(line) {
    this.#tell(`  ${line}`);
  }

  text(line) {
    this.#tell(`  ${line}`);
    this.#lines.push(line, "");
  }

  /** Rows of texts, under a heading for each column. */
  table(heading, rows) {
    const widths = heading.map((_, at) =>
      Math.max(...[heading, ...rows].map((row) => row[at].length)),
    );
    const line = (cells) => `| ${cells.map((cell, at) => cell.padEnd(widths[at])).join(" | ")} |`;
    for (const row of [heading, ...rows]) this.#tell(`  ${line(row)}`);
    const bare = (cells) => `| ${cells.join(" | ")} |`;
    this.#lines.push(bare(heading), bare(heading.map(() => "---")), ...rows.map(bare), "");
  }

  /** What the project promises, and whether this run kept it. */
  verdict(isKept, what, measured, promised) {
    this.#verdicts.push({ isKept, text: formatVerdict({ isKept, what, measured, promised }) });
    this.#tell(`  ${this.#verdicts.at(-1).text}`);
  }

  /** The body of its section; `conditions` says when, where and with what. */
  format(conditions, notes) {
    const verdicts = this.#verdicts.map(({ text }) => `- ${text}`);
    const parts = [conditions, "", ...this.#lines, ...verdicts, "", ...notes];
    return `${parts.join("\n").trim()}\n`;
  }
}

function formatVerdict({ isKept, what, measured, promised }) {
  return `${what}: ${measured}; promised ${promised}: ${isKept ? "kept" : "MISSED"}`;
}
