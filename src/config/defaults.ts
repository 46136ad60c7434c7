/** What a config need not say. The samples in `config/` explain each key. */

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const MIB = 1024 * 1024;

export const MASTER_DEFAULTS = {
  shares: { k: 4, n: 6 },
  duplicity: {
    engine: "run",
    /** Small volumes keep the memory of a backup low; ranges make the size unimportant for replicas. */
    volumeSizeBytes: 25 * MIB,
    fullEveryMs: 30 * DAY_MS,
    encryption: "none",
    timeoutMs: DAY_MS,
  },
  watch: false,
  /** A tree that changes is backed up when it has been quiet for so long. */
  watchDelayMs: 2 * SECOND_MS,
  guard: { maxShrinkPercent: 50 },
  /** Longer than a weekend without its admin; how long a source can pass off an old head as the newest. */
  headLifetimeMs: 7 * DAY_MS,
  /** A replica that reads the older chain while a new one begins can finish. */
  retain: { chains: 2, graceMs: DAY_MS },
} as const;

export const REPLICA_DEFAULTS = {
  poll: { everyMs: MINUTE_MS, jitter: 0.2 },
  delete: { maxPercent: 5, maxFiles: 50_000 },
  /** Nobody looks after a mirror for a year: what is wrong is mended, under the guard for deletes. */
  verify: { repair: true },
  limits: {
    connectMs: 10 * SECOND_MS,
    /** A disk that sleeps, or an object store that looks for the object: some seconds. */
    firstByteMs: 20 * SECOND_MS,
    idleMs: 30 * SECOND_MS,
    totalMs: 10 * MINUTE_MS,
    lowSpeedBytesPerSecond: 1024,
  },
  /**
   * Files that name others: nobody must see them before what they name. Each kind of repository is entered by its last
   * file, whose signature comes right before it.
   */
  publishLast: [
    // Debian: packages in the pool, then their indexes, then what names those by hash.
    "**/dists/**",
    "Packages.[gxbl]z*",
    "Sources.[gxbl]z*",
    "**/*.diff/Index",
    "Release.gpg",
    "Release",
    "InRelease",
    // RPM
    "**/repodata/**",
    "**/repodata/repomd.xml.key",
    "**/repodata/repomd.xml.asc",
    "**/repodata/repomd.xml",
    // Arch
    "*.files.tar.*",
    "*.files.sig",
    "*.files",
    "*.db.tar.*",
    "*.db.sig",
    "*.db",
    // Alpine
    "APKINDEX.tar.gz",
    // What says that all is there.
    "**/project/trace/**",
    "lastupdate",
    "lastsync",
    "last-updated",
  ],
} as const;

/** Only root can give files away: the names decide there, as ids differ from host to host. */
export function defaultOwners(): "names" | "none" {
  return process.getuid?.() === 0 ? "names" : "none";
}
