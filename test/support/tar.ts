/** Writes tar streams in duplicity's flavours, right and wrong ones, for tests of readers. */
import { ascii } from "./bytes.js";

export interface TarFields {
  readonly name: string;
  readonly type?: string;
  readonly mode?: string;
  readonly uid?: string;
  readonly gid?: string;
  readonly mtime?: string;
  readonly link?: string;
  readonly userName?: string;
  readonly groupName?: string;
  readonly major?: string;
  readonly minor?: string;
  readonly prefix?: string;
  readonly magic?: string;
  /** Instead of the size of the data. */
  readonly size?: string;
  readonly data?: Uint8Array;
}

/** A header block and its padded data. Strings are latin1. */
export function tarEntry(fields: TarFields): Uint8Array {
  const data = fields.data ?? new Uint8Array();
  const block = Buffer.alloc(512);
  const put = (at: number, text: string) => block.write(text, at, "latin1");
  put(0, fields.name.slice(0, 100));
  put(100, fields.mode ?? "0000644\0");
  put(108, fields.uid ?? "0000000\0");
  put(116, fields.gid ?? "0000000\0");
  put(124, fields.size ?? `${data.length.toString(8).padStart(11, "0")}\0`);
  put(136, fields.mtime ?? "13727410000\0");
  put(156, fields.type ?? "0");
  put(157, fields.link ?? "");
  put(257, fields.magic ?? "ustar\0" + "00");
  put(265, fields.userName ?? "root");
  put(297, fields.groupName ?? "root");
  put(329, fields.major ?? "");
  put(337, fields.minor ?? "");
  put(345, fields.prefix ?? "");
  put(148, `${checksum(block).toString(8).padStart(6, "0")}\0 `);
  return concat(block, data, new Uint8Array((512 - (data.length % 512)) % 512));
}

/** An extended header with these records. */
export function paxHeader(records: Readonly<Record<string, string>>): Uint8Array {
  const body = Object.entries(records).map(([key, value]) => paxRecord(key, value));
  return tarEntry({ name: "././@PaxHeader", type: "x", data: ascii(body.join("")) });
}

/** An entry of the name that follows, in GNU's way; `K` for a link's text. */
export function longName(text: string, type: "L" | "K" = "L"): Uint8Array {
  return tarEntry({ name: "././@LongLink", type, magic: "ustar  \0", data: ascii(`${text}\0`) });
}

export function deletion(path: string): Uint8Array {
  return tarEntry({ name: `deleted/${path}`, mtime: "00000000000\0", userName: "", groupName: "" });
}

export function directory(path: string): Uint8Array {
  return tarEntry({ name: `snapshot/${path}/`, type: "5", mode: "0000755\0" });
}

/** A file's content as duplicity stores it: whole, or in pieces of 65536 bytes. */
export function fileEntries(
  kind: "snapshot" | "diff",
  path: string,
  data: Uint8Array,
): Uint8Array[] {
  if (data.length < 65536) return [tarEntry({ name: `${kind}/${path}`, data })];
  return Array.from({ length: Math.floor(data.length / 65536) + 1 }, (_, at) =>
    tarEntry({
      name: `multivol_${kind}/${path}/${at + 1}`,
      data: data.subarray(at * 65536, (at + 1) * 65536),
    }),
  );
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const length = rest.length + String(rest.length).length;
  return `${rest.length + String(length).length}${rest}`;
}

function checksum(block: Uint8Array): number {
  return block.reduce((sum, byte) => sum + byte, 8 * 0x20);
}
