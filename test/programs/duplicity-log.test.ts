import { describe, expect, it } from "vitest";
import { DuplicityLog } from "../../src/programs/duplicity-log.js";

/** From duplicity 0.8.22, run by a user who may not read all of the tree. */
const RECORDED = `
NOTICE 1
. Local and Remote metadata are synchronized, no sync needed.

NOTICE 1
. Last full backup date: none

WARNING 10 '/srv/tree/secret'
. Error accessing possibly locked file /srv/tree/secret

WARNING 9 '/srv/tree/closed'
. Error accessing possibly locked file /srv/tree/closed

NOTICE 1
. --------------[ Backup Statistics ]--------------
. StartTime 1795251823.16 (Sat Nov 21 09:03:43 2026)
. EndTime 1795251823.66 (Sat Nov 21 09:03:43 2026)
. ElapsedTime 0.50 (0.50 seconds)
. SourceFiles 7
. SourceFileSize 4099 (4.00 KB)
. NewFiles 2
. NewFileSize 4099 (4.00 KB)
. DeletedFiles 1
. ChangedFiles 3
. ChangedFileSize 0 (0 bytes)
. ChangedDeltaSize 0 (0 bytes)
. DeltaEntries 2
. RawDeltaSize 3 (3 bytes)
. TotalDestinationSizeChange 1536 (1.50 KB)
. Errors 2
. -------------------------------------------------
. 

`;

function read(text: string): DuplicityLog {
  const log = new DuplicityLog();
  for (const line of text.split("\n")) log.push(line);
  return log;
}

describe("the log of duplicity", () => {
  it("tells the statistics, with what could not be read", () => {
    expect(read(RECORDED).statistics).toEqual({
      errors: 2,
      sourceFiles: 7,
      sourceSizeBytes: 4099,
      newFiles: 2,
      deletedFiles: 1,
      changedFiles: 3,
      elapsedSeconds: 0.5,
      warnings: [
        "Error accessing possibly locked file /srv/tree/secret",
        "Error accessing possibly locked file /srv/tree/closed",
      ],
    });
  });

  it("tells no statistics before the last of them is there", () => {
    const [before] = RECORDED.split(". Errors");

    expect(read(before ?? "").statistics).toBeUndefined();
    expect(read("").statistics).toBeUndefined();
  });

  it("tells the last line of the last error, without advice", () => {
    const log = read(
      "ERROR 50 list\n. Giving up after 1 attempts.\n\n" +
        "ERROR 23\n. CommandLineError: no such option\n. Enter 'duplicity --help' for help screen.\n. \n\n",
    );

    expect(log.error).toBe("CommandLineError: no such option");
    expect(read(RECORDED).error).toBeUndefined();
  });

  it("keeps a few of many warnings, and passes over what it does not know", () => {
    const log = read(`${"WARNING 1\n. again\n\n".repeat(1000)}FATAL 9\n. x\n\nnoise\n${RECORDED}`);

    expect(log.statistics?.warnings).toHaveLength(10);
    expect(log.error).toBeUndefined();
  });
});
