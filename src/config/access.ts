/** Who we are to a source or a host, and whom we believe: the same keys for both. */
import type { z } from "zod";
import type { Report } from "./cross-checks.js";
import { flag, hostPath, section, text } from "./fields.js";

export interface AccessSettings {
  readonly tls?: TlsSettings;
  readonly auth?: AuthSettings;
}

/** All files are PEM. */
export interface TlsSettings {
  /** The only authorities that the server's certificate may come from; absent: the usual ones. */
  readonly caFile?: string;
  /** Our own certificate and its key: both or neither. */
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** `allowHttp`: the secret may be sent in the clear to another machine. */
export type AuthSettings =
  | { readonly kind: "bearer"; readonly bearerFile: string; readonly allowHttp: boolean }
  | {
      readonly kind: "basic";
      readonly user: string;
      readonly passwordFile: string;
      readonly allowHttp: boolean;
    };

/** The keys of a section that has a `url` too; `checkAccess` looks at them together. */
export function accessFields(folder: string) {
  return {
    tls: section({
      caFile: hostPath(folder).exactOptional(),
      certFile: hostPath(folder).exactOptional(),
      keyFile: hostPath(folder).exactOptional(),
    })
      .check(checkTls)
      .exactOptional(),
    auth: authFields(folder).check(checkAuth).transform(toAuth).exactOptional(),
  };
}

/** Secrets go nowhere that a stranger could read them on the way, unless the config says so. */
export function checkAccess(
  { url, tls, auth }: AccessSettings & { readonly url: string },
  at: readonly (string | number)[],
  report: Report,
): void {
  const { protocol, hostname } = new URL(url);
  if (tls !== undefined && protocol !== "https:") {
    report([...at, "tls"], `expected nothing without https, got it for ${url}`);
  }
  if (auth === undefined || protocol === "https:") return;
  if (protocol === "file:") {
    report([...at, "auth"], `expected nothing with a file URL, got it for ${url}`);
  } else if (protocol === "http:" && !isLoopback(hostname) && !auth.allowHttp) {
    const why = "anybody on the way could read the secret";
    report([...at, "auth"], `expected https, or allowHttp: true, as ${why} for ${url}`);
  }
}

function authFields(folder: string) {
  return section({
    bearerFile: hostPath(folder).exactOptional(),
    user: text("a user's name").exactOptional(),
    passwordFile: hostPath(folder).exactOptional(),
    allowHttp: flag().default(false),
  });
}

type AuthFields = z.output<ReturnType<typeof authFields>>;

function checkAuth({ value, issues }: z.core.ParsePayload<AuthFields>): void {
  const { bearerFile, user, passwordFile } = value;
  const hasBasic = user !== undefined && passwordFile !== undefined;
  const hasSome = user !== undefined || passwordFile !== undefined;
  const isOne = bearerFile === undefined ? hasBasic : !hasSome;
  const refuse = (path: string[], message: string): void => {
    issues.push({ code: "custom", path, message, input: value });
  };
  if (!isOne) refuse([], "expected either bearerFile, or user and passwordFile");
  if (user !== undefined && /[:\p{Cc}]/u.test(user)) {
    refuse(["user"], "expected a user's name without colons and control characters");
  }
}

function toAuth({ bearerFile, user = "", passwordFile = "", allowHttp }: AuthFields): AuthSettings {
  if (bearerFile !== undefined) return { kind: "bearer", bearerFile, allowHttp };
  return { kind: "basic", user, passwordFile, allowHttp };
}

function checkTls({ value, issues }: z.core.ParsePayload<TlsSettings>): void {
  if ((value.certFile === undefined) === (value.keyFile === undefined)) return;
  const message = "expected both certFile and keyFile, or neither";
  issues.push({ code: "custom", path: [], message, input: value });
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d+){3}$/.test(hostname);
}
