/** The list of what was asked for most, as bytes: record keys, each with its hits, the hottest first. */
import { crc32 } from 'node:zlib';
import { MAX_HOT_KEYS, MAX_HOT_LIST_BYTES } from '../base/disk-limits.js';

export interface HotEntry {
  readonly recordKey: Buffer;
  readonly hits: number;
}

const VERSION = 1;
/** Checksum of the rest, version, entries. */
const HEAD_BYTES = 12;
/** Of an entry: hits, length of the record key. */
const ENTRY_HEAD_BYTES = 6;
const MAX_UINT32 = 0xffffffff;

/** As many of the hottest as there is room for. */
export function encodeHotList(entries: readonly HotEntry[]): Buffer {
  const runs: Buffer[] = [];
  let bytes = HEAD_BYTES;
  for (const { recordKey, hits } of [...entries].sort((a, b) => b.hits - a.hits)) {
    bytes += ENTRY_HEAD_BYTES + recordKey.length;
    if (runs.length / 2 >= MAX_HOT_KEYS || bytes > MAX_HOT_LIST_BYTES) break;
    const head = Buffer.allocUnsafe(ENTRY_HEAD_BYTES);
    head.writeUInt32LE(Math.min(MAX_UINT32, hits));
    head.writeUInt16LE(recordKey.length, 4);
    runs.push(head, recordKey);
  }
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(VERSION, 4);
  head.writeUInt32LE(runs.length / 2, 8);
  const list = Buffer.concat([head, ...runs]);
  list.writeUInt32LE(crc32(list.subarray(4)));
  return list;
}

/** Undefined where it is damaged, or of another version. */
export function decodeHotList(list: Buffer): HotEntry[] | undefined {
  if (list.length < HEAD_BYTES || list.length > MAX_HOT_LIST_BYTES) return undefined;
  if (crc32(list.subarray(4)) !== list.readUInt32LE(0) || list.readUInt32LE(4) !== VERSION) return undefined;
  const entries: HotEntry[] = [];
  let at = HEAD_BYTES;
  for (let left = list.readUInt32LE(8); left > 0; left--) {
    if (at + ENTRY_HEAD_BYTES > list.length) return undefined;
    const from = at + ENTRY_HEAD_BYTES;
    const until = from + list.readUInt16LE(at + 4);
    if (until > list.length) return undefined;
    entries.push({ hits: list.readUInt32LE(at), recordKey: Buffer.from(list.subarray(from, until)) });
    at = until;
  }
  return entries;
}
