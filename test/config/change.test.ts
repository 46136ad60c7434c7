import { describe, expect, it } from "vitest";
import { changeMirror, readHostSections } from "../../src/config/change.js";

const TEXT = `# of the owner
mirrors:
  - name: pub # the name
    retain: { chains: 2 }
    hosts:
      - { name: a, url: "file:///a", shares: [0], auth: { user: me } }
`;

describe("a change of a config", () => {
  it("leaves all that it does not name as it is, comments too", () => {
    const text = changeMirror(TEXT, "master.yaml", { "retain.chains": 5, "shares.k": undefined });
    expect(text).toMatch(/^# of the owner\nmirrors:\n {2}- name: pub # the name\n/);
    expect(text).toContain("retain: { chains: 5 }");
    expect(readHostSections(text, "master.yaml")).toEqual(readHostSections(TEXT, "master.yaml"));
  });

  it("makes sections that are not there", () => {
    const changes = { "duplicity.exclude": ["**/cache"], shares: { k: 2, n: 3 } };
    const text = changeMirror(TEXT, "master.yaml", changes);
    expect(text).toMatch(/duplicity:\n +exclude:\n +- "\*\*\/cache"/);
    expect(text).toMatch(/shares:\n +k: 2\n +n: 3/);
  });

  it("changes nothing when there is nothing to change", () => {
    expect(changeMirror(TEXT, "master.yaml", {})).toBe(TEXT);
  });
});

describe("the hosts of a config", () => {
  it("come with whatever it says of them", () => {
    const host = { name: "a", url: "file:///a", shares: [0], auth: { user: "me" } };
    expect(readHostSections(TEXT, "master.yaml")).toEqual([host]);
    expect(readHostSections("mirrors: [{ name: pub }]", "master.yaml")).toEqual([]);
  });
});
