/** File systems hold times between a first and a last second of their own; what lies beyond becomes that second. */

/** Whether a file system may show `held` for an object whose time was set to `wanted`. */
export function holdsTime(held: number, wanted: number): boolean {
  if (held === wanted) return true;
  return wanted > held ? LAST_SECONDS.has(held) : FIRST_SECONDS.has(held);
}

/** Of file systems of Linux, as they show them. */
const LAST_SECONDS: ReadonlySet<number> = new Set([
  2 ** 31 - 1, // ext2, ext3, ext4 with inodes of 128 bytes, xfs without bigtime
  2 ** 32 - 1, // NFS 3, UBIFS
  4_354_819_199, // exFAT
  4_354_819_198, // FAT
  15_032_385_535, // ext4: 34 bits
  16_299_260_424, // xfs with bigtime
]);

const FIRST_SECONDS: ReadonlySet<number> = new Set([
  -(2 ** 31), // ext2 to ext4, xfs
  0, // NFS 3, UBIFS
  315_532_800, // FAT, exFAT: 1980
]);
