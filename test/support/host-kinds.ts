/** Every kind of place that a master can push to, each a real one with a folder behind it. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { AccessSettings } from "../../src/config/access.js";
import { temporaryFolder } from "./temporary.js";
import {
  NO_NGINX,
  NO_RCLONE,
  PASSWORD,
  type SecureServer,
  startNginx,
  startRclone,
  USER,
} from "./web-servers.js";

export interface OpenedHost {
  readonly url: string;
  readonly access: AccessSettings;
  /** Where its files really lie; not there yet. */
  readonly folder: string;
}

export interface HostKind {
  readonly kind: string;
  /** Why there is none here. */
  readonly skipped: string | undefined;
  /** Gone when the test ends. */
  readonly open: () => Promise<OpenedHost>;
}

export const HOST_KINDS: readonly HostKind[] = [
  { kind: "a folder", skipped: undefined, open: () => Promise.resolve(openFolder()) },
  {
    kind: "nginx with WebDAV, TLS and a password",
    skipped: NO_NGINX,
    open: async () => openSecure(await startNginx()),
  },
  {
    kind: "nginx that takes files by PUT alone",
    skipped: NO_NGINX,
    open: async () => openSecure(await startNginx({ isPlain: true })),
  },
  {
    kind: "rclone's WebDAV server",
    skipped: NO_RCLONE,
    open: async () => ({ ...(await startRclone()), access: {} }),
  },
];

export function openFolder(): OpenedHost {
  const folder = path.join(temporaryFolder(), "mnt", "host");
  return { url: pathToFileURL(folder).href, access: {}, folder };
}

/** With what a client of it must be given. */
export function openSecure({ url, folder, certificates }: SecureServer): OpenedHost {
  return { url, folder, access: accessTo(certificates.caFile) };
}

/** What a client of a secure server must be given. */
function accessTo(caFile: string): AccessSettings {
  const passwordFile = path.join(temporaryFolder(), "password");
  writeFileSync(passwordFile, PASSWORD, { mode: 0o600 });
  return { tls: { caFile }, auth: { kind: "basic", user: USER, passwordFile, allowHttp: false } };
}
