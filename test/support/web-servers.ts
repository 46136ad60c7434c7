/** Web servers that are none of ours, each a process of its own with a folder behind it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { execa, execaSync } from "execa";
import { onTestFinished } from "vitest";
import { type Certificates, makeCertificates } from "../store/certificates.js";
import { temporaryFolder } from "./temporary.js";

export const USER = "pusher";
export const PASSWORD = "s3cr3t-of-the-hosts";

export interface WebServer {
  readonly url: string;
  /** What lies below `url`; it need not be there yet. */
  readonly folder: string;
  readonly stop: () => Promise<void>;
  /** After `stop`: with what it had, at the same address. */
  readonly start: () => Promise<void>;
}

export interface SecureServer extends WebServer {
  readonly certificates: Certificates;
}

/** Root's programs are in no plain user's path. */
const PATHS = { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` };

/** Why tests with the program cannot run here; undefined when they can. */
function lacksProgram(program: string, words: readonly string[]): string | undefined {
  const { exitCode } = execaSync(program, words, { reject: false, env: PATHS });
  return exitCode === 0 ? undefined : `skipped: ${program} is not installed`;
}

export const NO_NGINX = lacksProgram("nginx", ["-v"]);
export const NO_RCLONE = lacksProgram("rclone", ["version"]);

interface NginxOptions {
  /** Takes files by PUT alone, and makes their folders by itself. */
  readonly isPlain?: boolean;
  /** Reading needs no password. */
  readonly isReadFree?: boolean;
  /** What lies below the folder above `dav`; one of its own when not given. */
  readonly folder?: string;
  /** Further directives of the server. */
  readonly more?: (certificates: Certificates) => string;
  /** Further words of "listen". */
  readonly listen?: string;
}

/** nginx with WebDAV, TLS and a password for all it does; missing folders are not made by themselves. */
export async function startNginx(options: NginxOptions = {}): Promise<SecureServer> {
  const certificates = makeCertificates();
  const place = temporaryFolder();
  const folder = options.folder ?? path.join(place, "served");
  mkdirSync(path.join(folder, "dav"), { recursive: true });
  const hash = execaSync("openssl", ["passwd", "-apr1", PASSWORD]).stdout;
  writeFileSync(path.join(place, "users"), `${USER}:${hash}\n`, { mode: 0o644 });
  for (let attempt = 0; ; attempt++) {
    const port = await freePort();
    const text = nginxConfig({ ...options, place, folder, port, certificates });
    writeFileSync(path.join(place, "nginx.conf"), text);
    const words = ["-p", place, "-c", path.join(place, "nginx.conf")];
    try {
      const server = await startServer("nginx", words, /start worker process \d/);
      const url = `https://127.0.0.1:${port}/dav/pub`;
      return { url, folder: path.join(folder, "dav/pub"), certificates, ...server };
    } catch (error) {
      // Another process may have taken the port meanwhile.
      if (attempt === 5 || !String(error).includes("Address already in use")) throw error;
    }
  }
}

/** rclone as a WebDAV server; without a password. */
export async function startRclone(): Promise<WebServer> {
  const folder = temporaryFolder();
  let url = "";
  const words = ["serve", "webdav", "--addr", "127.0.0.1:0", "--dir-cache-time", "0", folder];
  const server = await startServer("rclone", words, (text) => {
    url = /WebDav Server started on (http:\S+)/.exec(text)?.[1] ?? "";
    return url !== "";
  });
  return { url: `${url}dav/pub`, folder: path.join(folder, "dav/pub"), ...server };
}

/** Resolves once it says on stderr that it is ready; it is stopped when the test ends. */
async function startServer(
  program: string,
  words: readonly string[],
  ready: RegExp | ((text: string) => boolean),
): Promise<Pick<WebServer, "stop" | "start">> {
  const isReady = ready instanceof RegExp ? (text: string) => ready.test(text) : ready;
  const run = () => runServer(program, words, isReady);
  let stop = await run();
  return {
    stop: () => stop(),
    start: async () => {
      stop = await run();
    },
  };
}

async function runServer(
  program: string,
  words: readonly string[],
  isReady: (text: string) => boolean,
): Promise<() => Promise<void>> {
  const child = execa(program, words, { reject: false, stdin: "ignore", env: PATHS });
  const ended = child.then((result) => result);
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await ended;
  };
  onTestFinished(stop);
  let said = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (isReady(said)) resolve();
    });
    void ended.then(() => reject(new Error(`${program} ended: ${said}`)));
  });
  return stop;
}

function nginxConfig(
  options: NginxOptions & {
    readonly place: string;
    readonly folder: string;
    readonly port: number;
    readonly certificates: Certificates;
  },
): string {
  const { place, folder, port, certificates, isPlain, isReadFree, listen = "" } = options;
  const { certFile, keyFile } = certificates.server;
  const password = `auth_basic x; auth_basic_user_file ${place}/users;`;
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${place}/${name};`,
  );
  return [
    ...(process.getuid?.() === 0 ? ["user root;"] : []),
    `daemon off; worker_processes 1; pid ${place}/pid; error_log stderr notice;`,
    "events { worker_connections 256; }",
    `http { access_log off; ${temporary.join(" ")} server {`,
    `listen 127.0.0.1:${port} ssl ${listen}; ssl_certificate ${certFile}; ssl_certificate_key ${keyFile};`,
    options.more?.(certificates) ?? "",
    `root ${folder}; client_max_body_size 1g;`,
    isPlain === true
      ? "dav_methods PUT DELETE; create_full_put_path on;"
      : "dav_methods PUT DELETE MOVE MKCOL;",
    isReadFree === true ? `location / { limit_except GET { ${password} } }` : password,
    "} }",
  ].join("\n");
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
