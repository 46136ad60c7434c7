import { describe, expect, it } from "vitest";
import { loadReplicaConfig, type ReplicaMirror } from "../../src/config/replica.js";
import { MirrorError } from "../../src/errors.js";

describe("loadReplicaConfig", () => {
  it("tells every problem with its place, what it expected and what it got", () => {
    const text = `mirrors:
  - name: pub
    tree: tree
    stateDirectory: state
    trust: { keyFile: pub.pub }
    sources:
      - http://a.example/pub
      - { url: "ftp://x" }
      - ftp://y
    pol: { every: 60s }
    poll: { every: 60, jitter: 120% }
    delete: 5
    include: fedora/**
`;
    expect(problems(text)).toEqual([
      'config/replica.yaml:8:16: mirrors[0].sources[1].url: expected an http(s), unix or file URL, got "ftp://x"',
      'config/replica.yaml:9:9: mirrors[0].sources[2].url: expected an http(s), unix or file URL, got "ftp://y"',
      "config/replica.yaml:10:5: mirrors[0].pol: unknown key",
      "config/replica.yaml:11:20: mirrors[0].poll.every: expected a time such as 90s, 15m or 30d, got 60",
      'config/replica.yaml:11:32: mirrors[0].poll.jitter: expected a percentage from 0 to 100, got "120%"',
      "config/replica.yaml:12:13: mirrors[0].delete: expected a section, got 5",
      'config/replica.yaml:13:14: mirrors[0].include: expected a list, got "fedora/**"',
    ]);
  });

  it("tells a missing key at the section that lacks it", () => {
    expect(problems("mirrors:\n  - tree: /srv/pub\n    sources: [/a]\n    trust: {}\n")).toEqual([
      "config/replica.yaml:2:5: mirrors[0].stateDirectory: expected a path, got nothing",
      "config/replica.yaml:4:12: mirrors[0].trust.keyFile: expected a path, got nothing",
    ]);
  });

  it.each([
    ["", "config/replica.yaml:1:1: expected a section, got nothing"],
    ["mirrors: []", "config/replica.yaml:1:10: mirrors: expected at least 1, got an empty list"],
    ["mirrors: [", "config/replica.yaml:1:11: Flow sequence in block collection"],
    ["a: 1\na: 2", "config/replica.yaml:2:1: Map keys must be unique"],
    ["mirrors: *x", "config/replica.yaml: Unresolved alias"],
    ["- 1", "config/replica.yaml:1:1: expected a section, got a list"],
  ])("refuses %j", (text, problem) => {
    expect(problems(text)[0]).toContain(problem);
  });

  it("resolves relative paths against the file", () => {
    const { tree, stateDirectory, trust, sources } = mirror("sources: [./s, ../t, /u]");
    expect([tree, stateDirectory, trust.keyFile]).toEqual([
      "/etc/dupmirror/tree/pub",
      "/etc/dupmirror/state",
      "/etc/dupmirror/pub.pub",
    ]);
    expect(sources).toEqual([
      { url: "file:///etc/dupmirror/s" },
      { url: "file:///etc/t" },
      { url: "file:///u" },
    ]);
  });

  it("takes slashes off the end of a source", () => {
    expect(mirror("sources: [http://a/pub//]").sources).toEqual([{ url: "http://a/pub" }]);
  });

  it("takes Unix sockets as nginx writes them", () => {
    expect(
      mirror('sources: ["unix:/run/x.sock:/pub/", "unix:/y.sock:", "unix:/z.sock"]').sources,
    ).toEqual([
      { url: "unix:/run/x.sock:/pub" },
      { url: "unix:/y.sock:" },
      { url: "unix:/z.sock" },
    ]);
  });

  it("speaks HTTP/2 with a source only where there is TLS", () => {
    const http2 = (url: string) => mirror(`sources: [{ url: "${url}", http2: true }]`).sources;
    expect(http2("https://a/pub")).toEqual([{ url: "https://a/pub", http2: true }]);
    expect(() => http2("http://a/pub")).toThrow(
      "sources[0].http2: expected nothing without https, got it for http://a/pub",
    );
  });

  it.each([
    "file://host/x",
    "http://a/?q",
    "http://a/#f",
    "rsync://a/b",
    "unix://run/x.sock",
    "unix:x.sock:/pub",
    '"unix:/x.sock:/pub:more"',
    '"unix:/:/pub"',
    "http://",
    "pub",
    '""',
    "7",
    "null",
  ])("refuses %s as a source", (url) => {
    expect(() => mirror(`sources: [${url}]`)).toThrow("expected an http(s), unix or file URL");
  });

  it("names the mirror after its tree when nobody names it", () => {
    expect(mirror("sources: [/a]").name).toBe("pub");
  });

  it("takes a passphrase file, a GnuPG home or both", () => {
    const decryption = (text: string) =>
      mirror(`sources: [/a]\n    decryption: ${text}`).decryption;
    expect(decryption("{ passphraseFile: pass }")).toEqual({
      passphraseFile: "/etc/dupmirror/pass",
    });
    expect(decryption("{ gnupgHome: /gnupg, passphraseFile: /pass }")).toEqual({
      gnupgHome: "/gnupg",
      passphraseFile: "/pass",
    });
    expect(mirror("sources: [/a]").decryption).toBeUndefined();
    expect(() => decryption("{}")).toThrow("expected passphraseFile, gnupgHome or both");
    expect(() => decryption("{ passphrase: x }")).toThrow("passphrase");
  });

  it("refuses two mirrors that share a state directory", () => {
    const one = "stateDirectory: /s, trust: { keyFile: /k }, sources: [/a]";
    const text = `mirrors:\n  - { tree: /a, ${one} }\n  - { tree: /b, ${one} }\n`;
    expect(problems(text)).toEqual([
      "config/replica.yaml:3:33: mirrors[1].stateDirectory: expected one for each mirror, got /s again",
    ]);
  });

  it("refuses a state directory inside the tree", () => {
    expect(() => mirror("sources: [/a]", "tree/pub/state")).toThrow(
      "mirrors[0].stateDirectory: expected a folder outside the tree /etc/dupmirror/tree/pub",
    );
  });

  it("refuses a source that stands twice", () => {
    expect(() => mirror("sources: [http://a/x, http://a/x/]")).toThrow(
      "mirrors[0].sources[1].url: expected another source, got http://a/x again",
    );
  });

  it.each([
    ["open brackets", "[".repeat(20_000), /^f:1:1: nested too deep$/],
    ["brackets", "[".repeat(2000) + "]".repeat(2000), /^f:1:1: nested too deep$/],
    ["dashes", `a:\n${"- ".repeat(20_000)}x`, /^f:2:1: nested too deep$/],
    [
      "indentation",
      Array.from({ length: 300 }, (_, at) => `${" ".repeat(at)}a:`).join("\n"),
      /^f:201:1: /,
    ],
    ["texts", `a: ${"x".repeat(2 ** 20)}`, /^f:1:1: 1048579 characters, 1048576 at most$/],
    [
      "unknown keys",
      Array.from({ length: 5000 }, (_, at) => `k${at}: 1`).join("\n"),
      /^(?:f:\d+:1: .*(?:\n|$)){20}$/,
    ],
  ])("refuses more %s than a human writes, without reading on", (_, text, message) => {
    expect(() => loadReplicaConfig(text, "f")).toThrow(message);
  });

  it("shortens what it got", () => {
    expect(() => mirror(`sources: [${"x".repeat(500)}]`)).toThrow(/got "x{76}\.\.\.$/);
  });
});

function mirror(rest: string, stateDirectory = "state"): ReplicaMirror | Record<string, never> {
  const text = `mirrors:
  - tree: tree/pub
    stateDirectory: ${stateDirectory}
    trust: { keyFile: pub.pub }
    ${rest}
`;
  return loadReplicaConfig(text, "/etc/dupmirror/replica.yaml").mirrors[0] ?? {};
}

function problems(text: string): string[] {
  try {
    loadReplicaConfig(text, "config/replica.yaml");
  } catch (error) {
    expect(error).toMatchObject({ code: "CONFIG_INVALID" });
    if (error instanceof MirrorError) return error.message.split("\n");
  }
  return [];
}
