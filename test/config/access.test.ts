import { describe, expect, it } from "vitest";
import { loadReplicaConfig, type SourceSettings } from "../../src/config/replica.js";

describe("the access of a source", () => {
  it("is a certificate, an authority and a token, from files beside the config", () => {
    const tls = "{ caFile: ca.pem, certFile: own.pem, keyFile: /k/own.key }";
    expect(source(`url: "https://a/p", tls: ${tls}, auth: { bearerFile: token }`)).toEqual({
      url: "https://a/p",
      tls: {
        caFile: "/etc/dupmirror/ca.pem",
        certFile: "/etc/dupmirror/own.pem",
        keyFile: "/k/own.key",
      },
      auth: { kind: "bearer", bearerFile: "/etc/dupmirror/token", allowHttp: false },
    });
  });

  it("is a user and a password", () => {
    expect(source('url: "https://a/p", auth: { user: me, passwordFile: pw }')?.auth).toEqual({
      kind: "basic",
      user: "me",
      passwordFile: "/etc/dupmirror/pw",
      allowHttp: false,
    });
  });

  it.each(["http://localhost:8873/p", "http://127.1.2.3/p", "http://[::1]:80/p"])(
    "may be a secret over plain http on this machine: %s",
    (url) => {
      expect(source(`url: "${url}", auth: { bearerFile: t }`)?.auth?.kind).toBe("bearer");
    },
  );

  it("may be a secret over plain http when the config says so", () => {
    const auth = source('url: "http://a/p", auth: { bearerFile: t, allowHttp: true }')?.auth;
    expect(auth?.allowHttp).toBe(true);
  });

  it.each([
    [
      'url: "http://a/p", auth: { bearerFile: t }',
      "sources[0].auth: expected https, or allowHttp: true, as anybody on the way could read the secret for http://a/p",
    ],
    [
      'url: "http://localhost.a/p", auth: { bearerFile: t }',
      "sources[0].auth: expected https, or allowHttp: true",
    ],
    [
      "url: /srv/pub, auth: { bearerFile: t }",
      "sources[0].auth: expected nothing with a file URL, got it for file:///srv/pub",
    ],
    [
      'url: "http://a/p", tls: { caFile: ca.pem }',
      "sources[0].tls: expected nothing without https, got it for http://a/p",
    ],
    [
      'url: "https://a/p", tls: { certFile: own.pem }',
      "sources[0].tls: expected both certFile and keyFile, or neither",
    ],
    ['url: "https://a/p", auth: {}', "sources[0].auth: expected either bearerFile, or user and"],
    ['url: "https://a/p", auth: { user: me }', "auth: expected either bearerFile, or user and"],
    [
      'url: "https://a/p", auth: { user: me, passwordFile: p, bearerFile: t }',
      "auth: expected either bearerFile, or user and passwordFile",
    ],
    [
      'url: "https://a/p", auth: { user: "a:b", passwordFile: p }',
      "auth.user: expected a user's name without colons and control characters",
    ],
    ['url: "https://a/p", auth: { password: p }', "sources[0].auth.password: unknown key"],
  ])("is refused as { %s }", (fields, message) => {
    expect(() => source(fields)).toThrow(message);
  });
});

function source(fields: string): SourceSettings | undefined {
  const text = `mirrors:
  - tree: /srv/mirror/pub
    stateDirectory: /s
    trust: { keyFile: /k }
    sources: [{ ${fields} }]
`;
  return loadReplicaConfig(text, "/etc/dupmirror/replica.yaml").mirrors[0]?.sources[0];
}
