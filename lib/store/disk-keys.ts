/**
 * How the tables of the disk tier are keyed, and what stands in them.
 *
 * records   record key -> entry (disk-entry.ts): header record, small bodies with it
 * varied    key -> what is behind it in the record keys of the responses that a request field selects
 * bodies    body id, number of the chunk -> checksum, bytes
 * uses      epoch of the last use, record key: what is evicted first stands first
 * expiries  minute of the end of keep, record key: what is gone first stands first
 * tags      hash of a tag, record key
 * doomed    body id -> from when on its chunks may go, how many there are
 * shares    body id -> records that have it, where it is more than one
 * holds     body id -> until when it counts as being read
 * meta      what concerns the whole
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { Views } from '../base/views.js';
import type { Selection } from '../object/stored.js';
import { DISK_PAGE_BYTES } from './disk-file.js';

/** Longest part of a key that stands in a record key as it is: what is under a prefix is found by it. */
const STEM_BYTES = 256;
const CUT_STEM_BYTES = 224;
const DIGEST_BYTES = 16;
/** What is behind the stem in the record key of a response that request fields select. */
export const SELECTION_BYTES = 8;
const NUL = Buffer.of(0);

export const BODY_ID_BYTES = 12;
const CHUNK_HEAD_BYTES = 4;
/** Pages that a full chunk takes: one run of this length is found again for the next. */
const CHUNK_PAGES = 8;
const PAGE_HEAD_BYTES = 16;
/** Bytes of a body in one chunk; the last one may be shorter. */
export const DISK_CHUNK_BYTES = CHUNK_PAGES * DISK_PAGE_BYTES - PAGE_HEAD_BYTES - CHUNK_HEAD_BYTES;
/** Bytes of the file that a chunk takes, at most: lmdb's own head of a page is longer than was reckoned with, and takes one more page. */
export const DISK_CHUNK_ROOM_BYTES = (CHUNK_PAGES + 1) * DISK_PAGE_BYTES;

/** What the record keys of a key begin with. */
export function stemOf(key: string): Buffer {
  const bytes = Buffer.from(key, 'utf8');
  if (bytes.length <= STEM_BYTES) return bytes;
  const digest = createHash('sha256').update(bytes).digest().subarray(0, DIGEST_BYTES);
  return Buffer.concat([bytes.subarray(0, CUT_STEM_BYTES), digest]);
}

/** No text has such a byte, and a digest may begin with one. */
const BEHIND_DIGEST = Buffer.alloc(DIGEST_BYTES + 1, 0xff);

/** The bounds of all records whose key may begin with `prefix`; where it is long, of others too. */
export function prefixRange(prefix: string): readonly [from: Buffer, until: Buffer] {
  const bytes = Buffer.from(prefix, 'utf8').subarray(0, CUT_STEM_BYTES);
  return [bytes.length === 0 ? NUL : bytes, Buffer.concat([bytes, BEHIND_DIGEST])];
}

/** Under which a response is written: its key, and what selects it among the variants. */
export function recordKey(key: string, selection: Selection): Buffer {
  if (selection.names.length === 0) {
    const whole = Buffer.from(`${key}\0`, 'utf8');
    if (whole.length <= STEM_BYTES + NUL.length) return whole;
  }
  const stem = stemOf(key);
  if (selection.names.length === 0) return Buffer.concat([stem, NUL]);
  const hash = createHash('sha256').update(
    JSON.stringify([selection.names, selection.values.map((one) => one ?? null)]),
  );
  return Buffer.concat([stem, NUL, hash.digest().subarray(0, SELECTION_BYTES)]);
}

/** With a stem that is cut, and nothing selects it, or something does. */
const CUT_LENGTHS: readonly number[] = [0, SELECTION_BYTES].map(
  (selection) => CUT_STEM_BYTES + DIGEST_BYTES + NUL.length + selection,
);

/** The key that a record key is made of; undefined where only its entry tells: what is cut, and what is as long as if it were. */
export function keyIn(recordKey: Buffer): string | undefined {
  if (CUT_LENGTHS.includes(recordKey.length)) return undefined;
  return recordKey.toString('utf8', 0, recordKey.indexOf(0));
}

/** Whether the record key is the key as it is, a byte for each character, and a NUL. */
export function isPlainKey(key: string, selection: Selection): boolean {
  const { length } = key;
  if (selection.names.length > 0 || length > STEM_BYTES) return false;
  for (let at = 0; at < length; at++) if (key.charCodeAt(at) > 0x7f) return false;
  return true;
}

/** The key of `varied` that a record key belongs to, and its own part of it. */
export function splitVaried(variedKey: Uint8Array): readonly [stem: Uint8Array, selection: Uint8Array] {
  const at = variedKey.length - SELECTION_BYTES;
  return [variedKey.subarray(0, at - NUL.length), variedKey.subarray(at)];
}

/** The record keys that a value of `varied` means. */
export function variedKeys(stem: Uint8Array, selections: Uint8Array): Buffer[] {
  const keys: Buffer[] = [];
  for (let at = 0; at + SELECTION_BYTES <= selections.length; at += SELECTION_BYTES)
    keys.push(Buffer.concat([stem, NUL, selections.subarray(at, at + SELECTION_BYTES)]));
  return keys;
}

const scratch = Buffer.alloc(STEM_BYTES + 1);
const scratchViews = new Views(scratch);

/**
 * The record key of a response that no request field selects, where it is the key as it is; undefined where it is not.
 * Good until the next call: for one lookup. `rest`: the end of the key.
 */
export function plainRecordKey(key: string, rest: string): Uint8Array | undefined {
  const length = key.length + rest.length;
  // A character takes three bytes at most.
  if (length * 3 > STEM_BYTES && Buffer.byteLength(key) + Buffer.byteLength(rest) > STEM_BYTES) return undefined;
  // One after another where each is a byte: to have them written takes longer.
  let bytes = putAscii(rest, putAscii(key, 0));
  if (bytes < length) bytes = scratch.write(key + rest, 0);
  scratch[bytes] = 0;
  return scratchViews.until(bytes + 1);
}

/** The same for stemOf(), of a key that is apart from nothing. */
export function plainStem(key: string): Uint8Array | undefined {
  const whole = plainRecordKey(key, '');
  return whole === undefined ? undefined : scratchViews.until(whole.length - NUL.length);
}

/** Up to the first character that takes more than a byte. Returns where it ends. */
function putAscii(text: string, from: number): number {
  const { length } = text;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0x7f) return from + at;
    scratch[from + at] = code;
  }
  return from + length;
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

/** A record key has no more. */
const MAX_RECORD_KEY_BYTES = STEM_BYTES + NUL.length + SELECTION_BYTES;
const numbered = Buffer.alloc(4 + MAX_RECORD_KEY_BYTES);
const numberedViews = new Views(numbered);

/** withNumber() of a record key, good until the next call. */
export function placeByNumber(number: number, recordKey: Uint8Array): Buffer {
  numbered.writeUInt32BE(number);
  numbered.set(recordKey, 4);
  return numberedViews.until(4 + recordKey.length);
}

export const TAG_HASH_BYTES = 8;

export function tagHash(tag: string): Buffer {
  return createHash('sha256').update(tag).digest().subarray(0, TAG_HASH_BYTES);
}

const MINUTE_MS = 60_000;
const MAX_UINT32 = 0xffffffff;

/** The minute in which an instant lies, the next full one: what is due by it is past. */
export function minuteAfter(instant: number): number {
  return Math.min(MAX_UINT32, Math.max(0, Math.ceil(instant / MINUTE_MS)));
}
