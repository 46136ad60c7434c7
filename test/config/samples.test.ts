import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { configKind } from "../../src/config/kind.js";
import { loadMasterConfig } from "../../src/config/master.js";
import { loadReplicaConfig } from "../../src/config/replica.js";

const read = (file: string): string => readFileSync(file, "utf8");

describe("samples", () => {
  it("config/master.yaml says what its comments say", () => {
    const { mirrors } = loadMasterConfig(read("config/master.yaml"), "config/master.yaml");
    expect(mirrors).toEqual([
      {
        name: "pub",
        tree: "/srv/pub",
        repository: "/var/lib/dupmirror/pub/repository",
        publication: "/srv/dupmirror/pub",
        stateDirectory: "/var/lib/dupmirror/pub",
        signing: { keyFile: "/etc/dupmirror/pub.key" },
        shares: { k: 4, n: 6 },
        duplicity: {
          engine: "run",
          volumeSizeBytes: 26_214_400,
          fullEveryMs: 2_592_000_000,
          keepChains: 2,
          encryption: "none",
          timeoutMs: 86_400_000,
          exclude: ["**/.snapshot"],
        },
        schedule: "*/15 * * * *",
        watch: true,
        watchDelayMs: 2000,
        hosts: [
          { name: "a", url: "file:///mnt/a", shares: [0, 1], publicUrl: "http://a.example/pub" },
          { name: "b", url: "file:///mnt/b", shares: [2, 3], publicUrl: "http://b.example/pub" },
          {
            name: "c",
            url: "https://c.example/dav/pub",
            shares: [4, 5],
            publicUrl: "http://c.example/pub",
            auth: {
              kind: "basic",
              user: "dupmirror",
              passwordFile: "/etc/dupmirror/c.password",
              allowHttp: false,
            },
            tls: { caFile: "/etc/dupmirror/ca.pem" },
          },
        ],
        hostMargin: 1,
        http: {
          listen: { host: "127.0.0.1", port: 8873 },
          publicUrl: "http://master.example:8873/pub",
        },
        guard: { marker: ".mounted", maxShrinkPercent: 50 },
        headLifetimeMs: 604_800_000,
        retain: { chains: 2, graceMs: 86_400_000 },
      },
    ]);
  });

  it("config/replica.yaml says what its comments say", () => {
    const { mirrors } = loadReplicaConfig(read("config/replica.yaml"), "config/replica.yaml");
    expect(mirrors).toEqual([
      {
        name: "pub",
        tree: "/srv/mirror/pub",
        stateDirectory: "/var/lib/dupmirror/pub",
        trust: { keyFile: "/etc/dupmirror/pub.pub" },
        decryption: {
          passphraseFile: "/etc/dupmirror/pub.passphrase",
          gnupgHome: "/var/lib/dupmirror/gnupg",
        },
        sources: [
          { url: "http://master.example:8873/pub" },
          { url: "file:///net/other/pub" },
          { url: "https://a.example/pub", name: "a", shares: [0, 1] },
          {
            url: "https://b.example/pub",
            http2: true,
            auth: { kind: "bearer", bearerFile: "/etc/dupmirror/b.token", allowHttp: false },
            tls: {
              caFile: "/etc/dupmirror/ca.pem",
              certFile: "/etc/dupmirror/own.pem",
              keyFile: "/etc/dupmirror/own.key",
            },
          },
        ],
        include: ["fedora/**"],
        exclude: [],
        poll: { everyMs: 60_000, jitter: 0.2 },
        delete: { maxPercent: 5, maxFiles: 50_000, protect: [] },
        verify: { schedule: "0 3 * * 0", repair: true },
        publishLast: [
          "**/dists/**",
          "Packages.[gxbl]z*",
          "Sources.[gxbl]z*",
          "**/*.diff/Index",
          "Release.gpg",
          "Release",
          "InRelease",
          "**/repodata/**",
          "**/repodata/repomd.xml.key",
          "**/repodata/repomd.xml.asc",
          "**/repodata/repomd.xml",
          "*.files.tar.*",
          "*.files.sig",
          "*.files",
          "*.db.tar.*",
          "*.db.sig",
          "*.db",
          "APKINDEX.tar.gz",
          "**/project/trace/**",
          "lastupdate",
          "lastsync",
          "last-updated",
        ],
        owners: "names",
        limits: {
          connectMs: 10_000,
          firstByteMs: 20_000,
          idleMs: 30_000,
          totalMs: 600_000,
          lowSpeedBytesPerSecond: 1024,
        },
        bandwidth: [
          { minute: 0, bytesPerSecond: undefined },
          { minute: 330, bytesPerSecond: 10_485_760 },
          { minute: 480, bytesPerSecond: 2_097_152 },
          { minute: 1080, bytesPerSecond: 10_485_760 },
          { minute: 1380, bytesPerSecond: undefined },
        ],
      },
    ]);
  });

  it("are told apart by their keys", () => {
    expect(configKind(read("config/master.yaml"), "m")).toBe("master");
    expect(configKind(read("config/replica.yaml"), "r")).toBe("replica");
    expect(() => configKind("mirrors: [{ name: pub }]", "x.yaml")).toThrow("x.yaml:1:1: expected");
  });

  it("hold the defaults where their comments say so", () => {
    const sample = loadReplicaConfig(read("config/replica.yaml"), "config/replica.yaml").mirrors[0];
    const short = loadReplicaConfig(
      "mirrors: [{ tree: /srv/mirror/pub, stateDirectory: /s, trust: { keyFile: /k }, sources: [/a] }]",
      "r.yaml",
    ).mirrors[0];
    expect(short).toMatchObject({
      name: sample?.name,
      poll: sample?.poll,
      delete: sample?.delete,
      publishLast: sample?.publishLast,
      limits: sample?.limits,
      exclude: sample?.exclude,
    });
  });
});
