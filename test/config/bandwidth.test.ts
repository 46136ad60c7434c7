import { describe, expect, it } from "vitest";
import { loadReplicaConfig } from "../../src/config/replica.js";

const MIB = 1024 * 1024;

describe("bandwidth", () => {
  it.each([
    ["10MiB", 10 * MIB],
    ["100000", 100_000],
    ["off", undefined],
    ["[{ rate: 10 MiB }]", 10 * MIB],
  ])("is one rate for all day as %s", (text, bytesPerSecond) => {
    expect(bandwidth(text)).toEqual([{ minute: 0, bytesPerSecond }]);
  });

  it("has no limit at the times that no entry is for", () => {
    expect(bandwidth('[{ from: "08:00", to: "18:00", rate: 2MiB }]')).toEqual([
      { minute: 0, bytesPerSecond: undefined },
      { minute: 480, bytesPerSecond: 2 * MIB },
      { minute: 1080, bytesPerSecond: undefined },
    ]);
  });

  it.each([
    ["fast", 'bandwidth: expected a rate such as 10 MiB, or off, got "fast"'],
    ["0", "bandwidth: expected a rate such as 10 MiB, or off, got 0"],
    ["[{ rate: fast }]", 'bandwidth[0].rate: expected a rate such as 10 MiB, or off, got "fast"'],
    ["[]", "bandwidth: expected at least 1, got an empty list"],
    ['[{ from: "08:00", rate: off }]', "bandwidth[0]: expected both from and to, or neither"],
    ["[{ rate: off }, { rate: 1MiB }]", "bandwidth[1]: expected one rate for all other times"],
    [
      '[{ from: "8", to: "9", rate: off }]',
      'from: expected a time of day such as "08:00", got "8"',
    ],
    ['[{ from: "08:00", to: "8:00", rate: off }]', "bandwidth[0]: expected two times that differ"],
    ["[{ rate: off, days: Mon }]", "bandwidth[0].days: unknown key"],
  ])("is refused as %s", (text, message) => {
    expect(() => bandwidth(text)).toThrow(message);
  });
});

function bandwidth(text: string) {
  const config = `mirrors: [{ tree: /t/pub, stateDirectory: /s, trust: { keyFile: /k }, sources: [/a], bandwidth: ${text} }]`;
  return loadReplicaConfig(config, "replica.yaml").mirrors[0]?.bandwidth;
}
