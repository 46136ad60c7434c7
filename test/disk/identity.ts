/** Who runs the tests: some facts need root, others need somebody else. */
export const isRoot = process.getuid?.() === 0;
export const uid = process.getuid?.() ?? 0;
export const gid = process.getgid?.() ?? 0;
