/** Where a web server is: the URL to ask for, and how to get there. */
export interface WebAddress {
  /** The folder that holds the head, with a slash at its end; behind a Unix socket it is that of this machine. */
  readonly base: URL;
  readonly socketPath?: string;
}

/** Of `https://host/pub`, or `unix:/run/x.sock:/pub` as nginx writes it, with or without a slash at its end. */
export function webAddress(url: string): WebAddress {
  const [, socket, path = ""] = /^unix:([^:]+)(?::(.*))?$/.exec(url) ?? [];
  const base = new URL(socket === undefined ? url : `http://localhost${path}`);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  return socket === undefined ? { base } : { base, socketPath: decodeURIComponent(socket) };
}

/** The URL of a published file below `base`. */
export function locateFile(base: URL, path: string): URL {
  return new URL(path.split("/").map(encodeURIComponent).join("/"), base);
}
