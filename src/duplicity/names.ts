import type { SetId } from "./set-id.js";

/** A file that duplicity keeps in a repository, as its name tells (duplicity-format 1.1 to 1.4). */
export interface RepositoryFile {
  /** latin1 */
  readonly name: string;
  readonly set: SetId;
  readonly role: FileRole;
  /** Volume number from 1; 0 for other roles. */
  readonly number: number;
  readonly wrapping: Wrapping;
  /** Left by an unfinished backup (`.part`). */
  readonly partial: boolean;
}

export type FileRole = "volume" | "manifest" | "signatures";

/** How the bytes inside are wrapped: decides whether a stripe can be read by itself. */
export type Wrapping = "plain" | "gzip" | "gpg";
