/** Bounds on everything that comes from outside, each with its reason. */

const KIB = 1024;
const MIB = 1024 * KIB;

/** The largest stripe of a file before compression: it compresses well, and is small against all but small sets. */
export const STRIPE_SIZE_BYTES = 1 * MIB;

/** The smallest: what it takes beside the file that somebody wants is not worth a request; smaller ones compress badly. */
export const STRIPE_MIN_BYTES = 128 * KIB;

/** The head is polled by everybody, always: one packet or two. */
export const HEAD_MAX_BYTES = 4 * KIB;

/** A line of the ledger; a full set of a terabyte needs about 110 KiB of page references. */
export const LEDGER_LINE_MAX_BYTES = 4 * MIB;

/** A chain's ledger: ten thousand increments of a kilobyte, and a very large full set. */
export const LEDGER_MAX_BYTES = 64 * MIB;

/** A page of contents or of a file table, before and after decompression. */
export const PAGE_STORED_MAX_BYTES = 4 * MIB;
export const PAGE_MAX_BYTES = 8 * MIB;

/**
 * A table that compresses to no more than this stands in the ledger line itself: whoever follows needs
 * it anyway, and a week of small sets is then read with one request.
 */
export const INLINE_TABLE_MAX_BYTES = 32 * KIB;

/** A table of volumes is mostly hashes: the larger one of a full set is read by who needs something of that set. */
export const INLINE_VOLUMES_MAX_BYTES = 8 * KIB;

/** Entries in a page of contents: a page of a million-file tree stays below PAGE_MAX_BYTES. */
export const CONTENTS_PAGE_ENTRIES = 4096;

/** The first pages of a set are smaller: of a small tree a part is then not much more than its own entries. */
export const SMALL_PAGE_ENTRIES = 512;
export const SMALL_PAGES = 128;

/**
 * Runs of one file's pieces: a volume has one or two, so that a file of 3 TB in volumes of 25 MiB has them. As many fit
 * into a page of contents.
 */
export const FILE_RUNS_MAX = 256 * KIB;

/** Bounds of @ronomon/reed-solomon. */
export const MAX_K = 24;
export const MAX_M = 6;

/** Linux: PATH_MAX is 4096 including the NUL; a longer path cannot have been backed up. */
export const PATH_MAX_BYTES = 4095;
export const NAME_MAX_BYTES = 255;

/** A share's pack is closed once it has grown to this: an object store must rewrite an open pack whole. */
export const PACK_SIZE_BYTES = 16 * MIB;

/** An extended header of a tar entry: two paths, two names and some numbers are below 10 KiB. */
export const TAR_METADATA_MAX_BYTES = 64 * KIB;

/** Directories kept open at once below one tree; far below the usual limit of 1024 files, far above any depth. */
export const OPEN_DIRECTORIES_MAX = 256;

/** A small file of our own that is read whole: it holds a few numbers. */
export const WORKING_FILE_MAX_BYTES = 64 * KIB;

/** Requests to one source at the same time, and connections to it: enough to hide delays, few enough for a hundred replicas. */
export const SOURCE_REQUESTS_MAX = 6;

/** Headers of an HTTP answer; servers and caches send below 2 KiB. */
export const HTTP_HEADERS_MAX_BYTES = 16 * KIB;

/** From a mirror to its cache, and on to a signed address; more is a loop. */
export const HTTP_REDIRECTS_MAX = 3;

/** Of a server without ranges this much is read and thrown away to get at what was asked for. */
export const HTTP_SKIP_MAX_BYTES = 1 * MIB;

/** Of one share in one request: far above what a request costs, far below what losing one costs. */
export const RANGE_MAX_BYTES = 4 * MIB;

/** Of one share: reading this much that nobody asked for costs little more than the headers of another request. */
export const RANGE_GAP_MAX_BYTES = 1 * KIB;

/** Stripes of one range: a share's blocks of the smallest sets, for a week of one every quarter of an hour. */
export const RUN_STRIPES_MAX = 1024;

/**
 * Stripes read ahead of their replay: enough for both the network and the processors to be busy all the time.
 * More takes memory and is no faster: 48 MiB, for files at hand and over HTTP, took 60 MB more of the process.
 */
export const LOOKAHEAD_BYTES = 16 * MIB;

/** Ranges ahead, when they are small: enough to hide the delay of each. */
export const LOOKAHEAD_RUNS = 64;

/** A source that is so much later with its head than another one is not waited for: far beyond any way around the world. */
export const POLL_GRACE_MS = 2000;

/** A read that stands still for so long is asked for elsewhere too: a lost packet takes less, a person notices more. */
export const HEDGE_MIN_MS = 500;

/** The same while no read of the cycle has come to its end: a connection by TLS from the other end of the world takes a second. */
export const HEDGE_START_MS = 2000;

/** Of all that is read so much may be read twice; and so much in any case, so that whatever stalls first can be hedged. */
export const HEDGE_SHARE = 0.1;
export const HEDGE_FREE_BYTES = 2 * RANGE_MAX_BYTES;

/** Asking the last source left again: 0.5 s and then 1 s later, a restarting server is back. */
export const RETRY_ATTEMPTS = 3;
export const RETRY_DELAY_MS = 500;

/**
 * How long a host may take. What is sent waits in the buffers of both systems, unseen: a host that has taken nothing
 * for a minute is gone. The longest request is that for the pack of a very large signature file.
 */
export const HOST_LIMITS = {
  connectMs: 10_000,
  firstByteMs: 60_000,
  idleMs: 60_000,
  /** One that hands on what it takes, to an object store say, answers when that is done. */
  storeMs: 10 * 60_000,
  totalMs: 4 * 3_600_000,
  lowSpeedBytesPerSecond: 1024,
} as const;

/** What is sent at once: as much as moves in a minute at the lowest speed. */
export const HTTP_SEND_CHUNK_BYTES = 64 * KIB;

/** A source that wants to be left alone for longer is not waited for: the next cycle may find it ready. */
export const RETRY_REST_MAX_MS = 30_000;

/** A source that wants to be left alone for longer is asked again after this: its clock may be wrong, or it means us ill. */
export const RETRY_AFTER_MAX_MS = 60 * 60_000;

/** A read from a host that is a mounted folder, which may be dead. */
export const HOST_READ_MAX_MS = 60_000;

/** What is kept of the output of a program: its last words say what went wrong. */
export const PROGRAM_OUTPUT_MAX_BYTES = 64 * KIB;

/** A file that gpg decrypts more slowly than 1 MiB/s is not being decrypted; starting takes a second, on a busy machine some. */
export const DECRYPT_START_MS = 60_000;
export const DECRYPT_MIN_BYTES_PER_MS = 1049;

/**
 * Files just written that the master looks at once more: a tree that is unpacked while it is backed up has thousands, and
 * their list is read and written whole.
 */
export const SUSPECTS_MAX = 10_000;

/** Of them this much is read in one cycle: half a minute to a minute, so that cycles still follow each other. */
export const SUSPECTS_READ_MAX_BYTES = 4096 * MIB;

/** Warnings of one run of duplicity that are handed on: a tree without permissions has one for each file. */
export const PROGRAM_WARNINGS_MAX = 10;
