/** Bounds on everything that comes from outside, each with its reason. */

const KIB = 1024;
const MIB = 1024 * KIB;

/** A stripe of a volume before compression: large enough to compress well, small enough to fetch for one file. */
export const STRIPE_SIZE_BYTES = 1 * MIB;

/** The head is polled by everybody, always: one packet or two. */
export const HEAD_MAX_BYTES = 4 * KIB;

/** A line of the ledger; a full set of a terabyte needs about 110 KiB of page references. */
export const LEDGER_LINE_MAX_BYTES = 4 * MIB;

/** A chain's ledger: ten thousand increments of a kilobyte, and a very large full set. */
export const LEDGER_MAX_BYTES = 64 * MIB;

/** A page of contents or of a file table, before and after decompression. */
export const PAGE_STORED_MAX_BYTES = 4 * MIB;
export const PAGE_MAX_BYTES = 8 * MIB;

/** A table that compresses to no more than this stands in the ledger line itself. */
export const INLINE_TABLE_MAX_BYTES = 4 * KIB;

/** Entries in a page of contents: a page of a million-file tree stays below PAGE_MAX_BYTES. */
export const CONTENTS_PAGE_ENTRIES = 4096;

/** Bounds of @ronomon/reed-solomon. */
export const MAX_K = 24;
export const MAX_M = 6;

/** Linux: PATH_MAX is 4096 including the NUL; a longer path cannot have been backed up. */
export const PATH_MAX_BYTES = 4095;
export const NAME_MAX_BYTES = 255;

/** A share's pack is closed once it has grown to this: an object store must rewrite an open pack whole. */
export const PACK_SIZE_BYTES = 16 * MIB;
