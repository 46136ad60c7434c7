import { describe, expect, it } from "vitest";
import { loadMasterConfig, type MasterMirror } from "../../src/config/master.js";

describe("loadMasterConfig", () => {
  it("fills in the defaults", () => {
    expect(mirror("")).toEqual({
      name: "pub",
      tree: "/srv/pub",
      repository: "/etc/dupmirror/state/repository",
      publication: "/etc/dupmirror/publication",
      stateDirectory: "/etc/dupmirror/state",
      signing: { keyFile: "/etc/dupmirror/pub.key" },
      shares: { k: 4, n: 6 },
      duplicity: {
        engine: "run",
        volumeSizeBytes: 26_214_400,
        fullEveryMs: 2_592_000_000,
        keepChains: 2,
        encryption: "none",
        timeoutMs: 86_400_000,
        exclude: [],
      },
      watch: false,
      watchDelayMs: 2000,
      hosts: [],
      hostMargin: 1,
      guard: { maxShrinkPercent: 50 },
      headLifetimeMs: 604_800_000,
      retain: { chains: 2, graceMs: 86_400_000 },
    });
  });

  it.each([
    ["shares: { k: 3, n: 3 }", 0],
    ["shares: { k: 2, n: 3 }", 0],
    ["shares: { k: 4, n: 6 }", 1],
    ["shares: { k: 4, n: 7 }", 1],
    ["shares: { k: 8, n: 12 }", 2],
  ])("lets half of the spare shares be away while a head is published: %s", (shares, margin) => {
    expect(mirror(shares).hostMargin).toBe(margin);
  });

  it.each([
    ["shares: { k: 0, n: 1 }", "shares.k: expected a whole number from 1 to 24, got 0"],
    ["shares: { k: 25, n: 30 }", "shares.k: expected a whole number from 1 to 24, got 25"],
    ["shares: { k: 3, n: 2 }", "shares.n: expected a whole number from k = 3 to 9, got 2"],
    ["shares: { k: 3, n: 10 }", "shares.n: expected a whole number from k = 3 to 9, got 10"],
    ["shares: { k: 3 }", "shares.n: expected a whole number from 1 to 30, got nothing"],
    ["hostMargin: 3", "hostMargin: expected at most n - k = 2, got 3"],
    ["duplicity: { volumeSize: 5 parsecs }", 'volumeSize: expected a size such as 25 MiB, got "5'],
    ["duplicity: { volumeSize: 10 kB }", 'volumeSize: expected a size such as 25 MiB, got "10 kB"'],
    ["duplicity: { encryption: gpg }", 'duplicity.encryption: expected none, got "gpg"'],
    ["duplicity: { engine: magic }", 'engine: expected one of run, external, got "magic"'],
    [
      "duplicity: { keepChains: 1 }",
      "duplicity.keepChains: expected at least retain.chains = 2, got 1",
    ],
    [
      "duplicity: { engine: external, keepChains: 4 }",
      "duplicity.keepChains: expected nothing with engine external",
    ],
    ["schedule: often", 'schedule: expected a cron schedule such as "*/15 * * * *", got "often"'],
    ["watch: yes", 'watch: expected true or false, got "yes"'],
    [
      "http: { listen: 8873 }",
      "http.listen: expected HOST:PORT such as 127.0.0.1:8873, or unix:PATH, got 8873",
    ],
    [
      "http: { listen: 'a:99999' }",
      'expected HOST:PORT such as 127.0.0.1:8873, or unix:PATH, got "a:99999"',
    ],
    [
      "http: { listen: '[::g]:1' }",
      'expected HOST:PORT such as 127.0.0.1:8873, or unix:PATH, got "[::g]:1"',
    ],
    ["guard: { marker: ../x }", 'guard.marker: expected a path below the tree, got "../x"'],
    ["headLifetime: 10", "headLifetime: expected a time such as 90s, 15m or 30d, got 10"],
    [
      "repository: /srv/pub/r",
      "repository: expected a folder outside the tree /srv/pub, got /srv/pub/r",
    ],
    ["repository: publication/r", "publication: expected a folder apart from the repository"],
    ["name: a b", "name: expected a name of letters, digits, dots, dashes and underscores"],
    ["name: metrics", "name: expected another name, metrics is taken"],
  ])("refuses %s", (rest, message) => {
    expect(() => mirror(rest)).toThrow(message);
  });

  it("wants a host for every share, and only shares that there are", () => {
    const hosts = (shares: string): string =>
      `shares: { k: 2, n: 3 }\n    hosts: [{ name: a, url: /mnt/a, shares: ${shares} }]`;
    expect(mirror(hosts("[0, 1, 2]")).hosts).toEqual([
      { name: "a", url: "file:///mnt/a", shares: [0, 1, 2] },
    ]);
    expect(() => mirror(hosts("[0, 3]"))).toThrow(
      /shares\[1\]: expected a share from 0 to 2, got 3$/m,
    );
    expect(() => mirror(hosts("[0]"))).toThrow(
      "hosts: expected hosts for all 3 shares, got none for 1, 2",
    );
  });

  it("takes hosts over HTTP, and secrets for them only where nobody reads them on the way", () => {
    const host = (url: string, more: string): string =>
      `hosts: [{ name: a, url: "${url}", shares: [0, 1, 2, 3, 4, 5], ${more} }]`;
    const auth = "auth: { bearerFile: token }";
    expect(mirror(host("https://h.example/dav/pub/", auth)).hosts).toMatchObject([
      { url: "https://h.example/dav/pub", auth: { bearerFile: "/etc/dupmirror/token" } },
    ]);
    expect(() => mirror(host("http://h.example/pub", auth))).toThrow(
      "hosts[0].auth: expected https, or allowHttp: true",
    );
    expect(() => mirror(host("ftp://h.example/pub", auth))).toThrow(
      'hosts[0].url: expected an http(s) or file URL, got "ftp://h.example/pub"',
    );
  });

  it("refuses two hosts of one name", () => {
    const text = `hosts:
      - { name: a, url: /a, shares: [0, 1, 2, 3, 4, 5] }
      - { name: a, url: /b, shares: [0] }`;
    expect(() => mirror(text)).toThrow("hosts[1].name: expected a name of its own, got a again");
  });

  it("reads IPv4, IPv6 and named addresses, and Unix sockets", () => {
    const listen = (address: string) => mirror(`http: { listen: "${address}" }`).http?.listen;
    expect(listen("0.0.0.0:80")).toEqual({ host: "0.0.0.0", port: 80 });
    expect(listen("[::1]:8873")).toEqual({ host: "::1", port: 8873 });
    expect(listen("unix:/run/pub.sock")).toEqual({ path: "/run/pub.sock" });
    expect(() => listen("unix:pub.sock")).toThrow("http.listen: expected HOST:PORT");
    expect(listen("mirror.example:0")).toEqual({ host: "mirror.example", port: 0 });
  });
});

function mirror(rest: string): MasterMirror | Record<string, never> {
  const text = `mirrors:
  - tree: /srv/pub
    publication: publication
    stateDirectory: state
    signing: { keyFile: pub.key }
    ${rest}
`;
  return loadMasterConfig(text, "/etc/dupmirror/master.yaml").mirrors[0] ?? {};
}
