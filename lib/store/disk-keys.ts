/**
 * How the tables of the disk tier are keyed, and what stands in them.
 *
 * records   record key -> prefix, header record
 * bodies    body id, number of the chunk -> checksum, bytes
 * uses      epoch of the last use, record key: what is evicted first stands first
 * expiries  minute of the end of keep, record key: what is gone first stands first
 * tags      hash of a tag, record key
 * doomed    body id -> from when on its chunks may go, how many there are
 * shares    body id -> records that have it, where it is more than one
 * meta      what concerns the whole
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Selection } from '../object/stored.js';
import { DISK_PAGE_BYTES } from './disk-file.js';

/** Longest part of a key that stands in a record key as it is: what is under a prefix is found by it. */
const STEM_BYTES = 256;
const CUT_STEM_BYTES = 224;
const DIGEST_BYTES = 16;
const SELECTION_BYTES = 8;
const NUL = Buffer.of(0);
const ONE = Buffer.of(1);

export const BODY_ID_BYTES = 12;
const CHUNK_HEAD_BYTES = 4;
/** Pages that a full chunk takes: one run of this length is found again for the next. */
const CHUNK_PAGES = 8;
const PAGE_HEAD_BYTES = 16;
/** Bytes of a body in one chunk; the last one may be shorter. */
export const DISK_CHUNK_BYTES = CHUNK_PAGES * DISK_PAGE_BYTES - PAGE_HEAD_BYTES - CHUNK_HEAD_BYTES;

function stemOf(key: string): Buffer {
  const bytes = Buffer.from(key, 'utf8');
  if (bytes.length <= STEM_BYTES) return bytes;
  const digest = createHash('sha256').update(bytes).digest().subarray(0, DIGEST_BYTES);
  return Buffer.concat([bytes.subarray(0, CUT_STEM_BYTES), digest]);
}

/** The bounds of all records of a key: from the first up to but not including the second. */
export function recordRange(key: string): readonly [from: Buffer, until: Buffer] {
  const stem = stemOf(key);
  return [Buffer.concat([stem, NUL]), Buffer.concat([stem, ONE])];
}

/** The bounds of all records whose key may begin with `prefix`; where it is long, of others too. */
export function prefixRange(prefix: string): readonly [from: Buffer, until: Buffer] {
  const bytes = Buffer.from(prefix, 'utf8').subarray(0, CUT_STEM_BYTES);
  return [bytes.length === 0 ? NUL : bytes, Buffer.concat([bytes, Buffer.of(0xff)])];
}

/** Under which a response is written: its key, and what selects it among the variants. */
export function recordKey(key: string, selection: Selection): Buffer {
  const stem = stemOf(key);
  if (selection.names.length === 0) return Buffer.concat([stem, NUL]);
  const hash = createHash('sha256').update(
    JSON.stringify([selection.names, selection.values.map((one) => one ?? null)]),
  );
  return Buffer.concat([stem, NUL, hash.digest().subarray(0, SELECTION_BYTES)]);
}

export function chunkKey(bodyId: Uint8Array, index: number): Buffer {
  const key = Buffer.allocUnsafe(BODY_ID_BYTES + 4);
  key.set(bodyId);
  key.writeUInt32BE(index, BODY_ID_BYTES);
  return key;
}

export function chunkCount(bodyBytes: number): number {
  return Math.ceil(bodyBytes / DISK_CHUNK_BYTES);
}

/** The checksum of a chunk is of its place too: a chunk in a wrong place is as bad as a damaged one. */
export function sealChunk(key: Uint8Array, bytes: Uint8Array): Buffer {
  const value = Buffer.allocUnsafe(CHUNK_HEAD_BYTES + bytes.length);
  value.writeUInt32LE(crc32(bytes, crc32(key)));
  value.set(bytes, CHUNK_HEAD_BYTES);
  return value;
}

/** The bytes of a chunk; undefined where they are damaged. */
export function openChunk(key: Uint8Array, value: Buffer): Buffer | undefined {
  if (value.length < CHUNK_HEAD_BYTES) return undefined;
  const bytes = value.subarray(CHUNK_HEAD_BYTES);
  return crc32(bytes, crc32(key)) === value.readUInt32LE(0) ? bytes : undefined;
}

export function withNumber(number: number, rest: Uint8Array): Buffer {
  const key = Buffer.allocUnsafe(4 + rest.length);
  key.writeUInt32BE(number);
  key.set(rest, 4);
  return key;
}

const TAG_HASH_BYTES = 8;

export function tagHash(tag: string): Buffer {
  return createHash('sha256').update(tag).digest().subarray(0, TAG_HASH_BYTES);
}

/** What the writer needs of an entry of `records` without reading its record. */
export interface EntryPrefix {
  readonly epoch: number;
  readonly expiryMinute: number;
  readonly bodyId: Buffer;
  readonly chunks: number;
  readonly tagHashes: Buffer;
}

/** Checksum of the rest, epoch, minute, chunks, length of the tag hashes, body id. */
const PREFIX_BYTES = 4 + 4 + 4 + 4 + 4 + BODY_ID_BYTES;

export function writeEntry(prefix: EntryPrefix, record: Uint8Array): Buffer {
  const { epoch, expiryMinute, bodyId, chunks, tagHashes } = prefix;
  const head = PREFIX_BYTES + tagHashes.length;
  const entry = Buffer.allocUnsafe(head + record.length);
  entry.writeUInt32LE(epoch, 4);
  entry.writeUInt32LE(expiryMinute, 8);
  entry.writeUInt32LE(chunks, 12);
  entry.writeUInt32LE(tagHashes.length, 16);
  entry.set(bodyId, 20);
  entry.set(tagHashes, PREFIX_BYTES);
  entry.writeUInt32LE(crc32(entry.subarray(4, head)));
  entry.set(record, head);
  return entry;
}

/** Undefined where it is damaged. */
export function readPrefix(entry: Buffer): EntryPrefix | undefined {
  if (entry.length < PREFIX_BYTES) return undefined;
  const head = PREFIX_BYTES + entry.readUInt32LE(16);
  if (head > entry.length || crc32(entry.subarray(4, head)) !== entry.readUInt32LE(0)) return undefined;
  return {
    epoch: entry.readUInt32LE(4),
    expiryMinute: entry.readUInt32LE(8),
    chunks: entry.readUInt32LE(12),
    bodyId: entry.subarray(20, PREFIX_BYTES),
    tagHashes: entry.subarray(PREFIX_BYTES, head),
  };
}

/** The record behind the prefix; undefined where there is no room for one. */
export function recordIn(entry: Buffer): Buffer | undefined {
  if (entry.length < PREFIX_BYTES) return undefined;
  const head = PREFIX_BYTES + entry.readUInt32LE(16);
  return head > entry.length ? undefined : entry.subarray(head);
}

/** Each hash of a tag. */
export function* hashesIn(tagHashes: Buffer): IterableIterator<Buffer> {
  for (let at = 0; at < tagHashes.length; at += TAG_HASH_BYTES) yield tagHashes.subarray(at, at + TAG_HASH_BYTES);
}

const MINUTE_MS = 60_000;
const MAX_UINT32 = 0xffffffff;

/** The minute in which an instant lies, the next full one: what is due by it is past. */
export function minuteAfter(instant: number): number {
  return Math.min(MAX_UINT32, Math.max(0, Math.ceil(instant / MINUTE_MS)));
}
