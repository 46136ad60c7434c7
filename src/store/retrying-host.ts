import type { Host } from "./host.js";
import { type RetryOptions, retry } from "./retrying-source.js";

/** `host`, asked again when it could not be reached or did not answer in time. */
export function retryingHost(host: Host, options: RetryOptions): Host {
  const again = <T>(attempt: () => Promise<T>, { signal }: { readonly signal: AbortSignal }) =>
    retry(attempt, options, signal);
  return {
    name: host.name,
    make: (given) => again(() => host.make(given), given),
    isMade: (given) => again(() => host.isMade(given), given),
    size: (path, given) => again(() => host.size(path, given), given),
    put: (path, content, given) => again(() => host.put(path, content, given), given),
    replace: (path, bytes, given) => again(() => host.replace(path, bytes, given), given),
    read: (path, range, given) => again(() => host.read(path, range, given), given),
    remove: (path, given) => again(() => host.remove(path, given), given),
    close: () => host.close(),
  };
}
