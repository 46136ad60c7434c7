/** Credentials of one source or host, which go to its own origin and nowhere else. */
import { X509Certificate } from "node:crypto";
import { createSecureContext, rootCertificates } from "node:tls";
import { readPublicText, readSecret } from "../disk/secret.js";
import { MirrorError } from "../errors.js";

/** As the config has it. */
export interface Access {
  readonly tls?: {
    readonly caFile?: string;
    readonly certFile?: string;
    readonly keyFile?: string;
  };
  readonly auth?:
    | { readonly kind: "bearer"; readonly bearerFile: string }
    | { readonly kind: "basic"; readonly user: string; readonly passwordFile: string };
}

/** What the files of an `Access` held when they were read. */
export interface Credentials {
  /** The value of the header `authorization` for the origin that they are for. */
  readonly authorization?: string;
  /** Options of TLS for that origin. */
  readonly tls: TlsOptions;
  /** For any other, to which a redirect may lead: whom we believe, but not who we are. */
  readonly foreignTls: Pick<TlsOptions, "ca">;
}

export interface TlsOptions {
  readonly ca?: string | string[];
  readonly cert?: string;
  readonly key?: string;
}

/** Reads the files, so that a secret that was replaced works from the next time on. @throws MirrorError CONFIG_INVALID */
export function readCredentials({ tls = {}, auth }: Access): Credentials {
  const authorization = auth === undefined ? undefined : readAuthorization(auth);
  const ca = tls.caFile === undefined ? undefined : readCertificate(tls.caFile, "tls.caFile");
  return {
    ...(authorization === undefined ? {} : { authorization }),
    tls: { ...(ca === undefined ? {} : { ca }), ...readIdentity(tls) },
    foreignTls: ca === undefined ? {} : { ca: [...rootCertificates, ca] },
  };
}

function readAuthorization(auth: NonNullable<Access["auth"]>): string {
  switch (auth.kind) {
    case "bearer": {
      const { bearerFile } = auth;
      const token = readSecret(bearerFile, "auth.bearerFile");
      if (/^[\x21-\x7e]+$/.test(token)) return `Bearer ${token}`;
      throw invalid(`auth.bearerFile ${bearerFile}: expected one word of ASCII`);
    }
    case "basic": {
      const { user, passwordFile } = auth;
      const password = readSecret(passwordFile, "auth.passwordFile");
      if (/\p{Cc}/u.test(password)) {
        throw invalid(`auth.passwordFile ${passwordFile}: expected one line of text`);
      }
      return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    }
  }
}

function readIdentity({ certFile, keyFile }: NonNullable<Access["tls"]>): TlsOptions {
  if (certFile === undefined || keyFile === undefined) return {};
  const cert = readCertificate(certFile, "tls.certFile");
  const key = readSecret(keyFile, "tls.keyFile");
  const what = `tls.keyFile ${keyFile}: expected the key of tls.certFile ${certFile}`;
  orInvalid(what, () => createSecureContext({ cert, key }));
  return { cert, key };
}

function readCertificate(file: string, key: string): string {
  const pem = readPublicText(file, key);
  orInvalid(`${key} ${file}: expected a certificate in PEM`, () => new X509Certificate(pem));
  return pem;
}

function orInvalid(what: string, check: () => unknown): void {
  try {
    check();
  } catch (cause) {
    throw invalid(cause instanceof Error ? `${what}, got ${cause.message}` : what, cause);
  }
}

function invalid(message: string, cause?: unknown): MirrorError {
  return new MirrorError("CONFIG_INVALID", message, { cause });
}
