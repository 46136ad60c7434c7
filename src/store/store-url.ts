import { MirrorError } from "../errors.js";

/** The URL of a source or host. @throws MirrorError CONFIG_INVALID */
export function parseStoreUrl(text: string): URL {
  if (!URL.canParse(text)) throw new MirrorError("CONFIG_INVALID", `${text}: expected a URL`);
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") {
    const message = `${url.protocol}//${url.host}: expected a URL without a user or password`;
    throw new MirrorError("CONFIG_INVALID", message);
  }
  if (url.search !== "" || url.hash !== "") {
    const message = `${url.origin}${url.pathname}: expected a URL without a query or fragment`;
    throw new MirrorError("CONFIG_INVALID", message);
  }
  if (["file:", "unix:"].includes(url.protocol) && url.host !== "") {
    const expected = url.protocol === "file:" ? "file:///path" : "unix:/socket:/path";
    throw new MirrorError("CONFIG_INVALID", `${text}: expected ${expected}, got host ${url.host}`);
  }
  return url;
}
