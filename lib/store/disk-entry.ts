/**
 * An entry of the table of records: what the writer keeps its indexes by, then the header record, then the body where
 * that is small. One checksum is of all of it, so that a hit reads and checks an entry in one go.
 */
import { crc32 } from 'node:zlib';
import { uint32At } from '../base/bytes.js';
import { Views } from '../base/views.js';
import { NO_BYTES } from '../object/chunks.js';
import { type RecordHead, readTrusted } from '../object/record.js';
import { BODY_ID_BYTES, TAG_HASH_BYTES } from './disk-keys.js';

/** What stands in front of the record. */
export interface EntryPrefix {
  /** Second of the last use. */
  readonly epoch: number;
  readonly expiryMinute: number;
  readonly bodyId: Buffer;
  /** Of the body, where it is kept apart. */
  readonly chunks: number;
  readonly tagHashes: Buffer;
  /** Request fields select it. */
  readonly isVaried: boolean;
  /** Nothing selects it, and there are, or were, others of its key that something does. */
  readonly isAccompanied: boolean;
}

/** Checksum of the rest, epoch, minute, chunks, flags with the length of the tag hashes, body id, length of the body behind the record. */
const AT = { epoch: 4, expiryMinute: 8, chunks: 12, flags: 16, bodyId: 20, bodyBytes: 20 + BODY_ID_BYTES };
const PREFIX_BYTES = AT.bodyBytes + 4;
/** In front of all that the checksum is of. */
export const CHECK_BYTES = 4;
const VARIED = 0x80000000;
const ACCOMPANIED = 0x40000000;
const TAG_BYTES = 0x3fffffff;
/** An entry that is longer has memory of its own. */
const SCRATCH_BYTES = 8 * 1024;

/** Where one entry after another is put together. */
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
const scratchViews = new Views(scratch);
const checkedViews = new Views(scratch, CHECK_BYTES);

/** `body`: where it stands behind the record. What it gives is good until the next one is written. */
export function writeEntry(prefix: EntryPrefix, record: Uint8Array, body: Uint8Array = NO_BYTES): Buffer {
  const { epoch, expiryMinute, bodyId, chunks, tagHashes, isVaried, isAccompanied } = prefix;
  const head = PREFIX_BYTES + tagHashes.length;
  const length = head + record.length + body.length;
  const isSmall = length <= SCRATCH_BYTES;
  const entry = isSmall ? scratchViews.until(length) : Buffer.allocUnsafe(length);
  entry.writeUInt32LE(epoch, AT.epoch);
  entry.writeUInt32LE(expiryMinute, AT.expiryMinute);
  entry.writeUInt32LE(chunks, AT.chunks);
  const flags = (isVaried ? VARIED : 0) | (isAccompanied ? ACCOMPANIED : 0) | tagHashes.length;
  entry.writeUInt32LE(flags >>> 0, AT.flags);
  entry.set(bodyId, AT.bodyId);
  entry.writeUInt32LE(body.length, AT.bodyBytes);
  entry.set(tagHashes, PREFIX_BYTES);
  entry.set(record, head);
  entry.set(body, head + record.length);
  return sealed(entry, isSmall ? checkedViews.until(length) : entry.subarray(CHECK_BYTES));
}

function sealed(entry: Buffer, checked = entry.subarray(CHECK_BYTES)): Buffer {
  entry.writeUInt32LE(crc32(checked));
  return entry;
}

/** The same entry, last used at another time. */
export function withEpoch(entry: Buffer, epoch: number): Buffer {
  const next = Buffer.from(entry);
  next.writeUInt32LE(epoch, AT.epoch);
  return sealed(next);
}

/** The same entry, of a key that has others. */
export function accompanied(entry: Buffer): Buffer {
  const next = Buffer.from(entry);
  next.writeUInt32LE((next.readUInt32LE(AT.flags) | ACCOMPANIED) >>> 0, AT.flags);
  return sealed(next);
}

/** An entry that is not damaged. */
export class Entry {
  readonly bytes: Buffer;
  /** Where the record begins. */
  readonly recordAt: number;
  /** Where it ends, and the body begins. */
  readonly bodyAt: number;

  private constructor(bytes: Buffer, recordAt: number, bodyAt: number) {
    this.bytes = bytes;
    this.recordAt = recordAt;
    this.bodyAt = bodyAt;
  }

  /** Undefined where it is damaged. Keeps to `bytes`. `checked`: the same behind the checksum. */
  static over(bytes: Buffer, checked = bytes.subarray(CHECK_BYTES)): Entry | undefined {
    if (bytes.length < PREFIX_BYTES || crc32(checked) !== uint32At(bytes, 0)) return undefined;
    return Entry.unchecked(bytes);
  }

  /** The same of one that may be damaged, for who compares its record with one that was not. */
  static unchecked(bytes: Buffer): Entry | undefined {
    if (bytes.length < PREFIX_BYTES) return undefined;
    const recordAt = PREFIX_BYTES + (uint32At(bytes, AT.flags) & TAG_BYTES);
    const bodyAt = bytes.length - uint32At(bytes, AT.bodyBytes);
    return recordAt > bodyAt ? undefined : new Entry(bytes, recordAt, bodyAt);
  }

  /** Its checksum: what tells it from others, near enough. */
  get check(): number {
    return uint32At(this.bytes, 0);
  }

  get epoch(): number {
    return uint32At(this.bytes, AT.epoch);
  }

  get isAccompanied(): boolean {
    return (uint32At(this.bytes, AT.flags) & ACCOMPANIED) !== 0;
  }

  get bodyId(): Buffer {
    return this.bytes.subarray(AT.bodyId, AT.bodyId + BODY_ID_BYTES);
  }

  /** The head in its record, where that is about this key. */
  headAbout(key: string): Omit<RecordHead, 'note'> | undefined {
    return readTrusted(this.bytes, this.recordAt, this.bodyAt, key);
  }

  get bodyBytes(): number {
    return this.bytes.length - this.bodyAt;
  }

  copyBody(to: Buffer): void {
    this.bytes.copy(to, 0, this.bodyAt);
  }

  get record(): Buffer {
    return this.bytes.subarray(this.recordAt, this.bodyAt);
  }

  /** The body behind the record; empty where there is none. */
  get body(): Buffer {
    return this.bytes.subarray(this.bodyAt);
  }

  get prefix(): EntryPrefix {
    const bytes = this.bytes;
    const flags = uint32At(bytes, AT.flags);
    return {
      epoch: this.epoch,
      expiryMinute: uint32At(bytes, AT.expiryMinute),
      chunks: uint32At(bytes, AT.chunks),
      bodyId: this.bodyId,
      tagHashes: bytes.subarray(PREFIX_BYTES, this.recordAt),
      isVaried: (flags & VARIED) !== 0,
      isAccompanied: (flags & ACCOMPANIED) !== 0,
    };
  }
}

/** What tells an entry that cannot be read from any that takes its place. */
export function seen(entry: Buffer): Buffer {
  const check = Buffer.allocUnsafe(4);
  check.writeUInt32LE(crc32(entry));
  return check;
}

/** Whether it is the entry that seen() told of, or one around the body of this id. */
export function isSeen(entry: Buffer | undefined, what: Uint8Array): boolean {
  if (entry === undefined) return false;
  return what.length === BODY_ID_BYTES ? readPrefix(entry)?.bodyId.equals(what) === true : seen(entry).equals(what);
}

/** Undefined where the entry is damaged. */
export function readPrefix(entry: Buffer | undefined): EntryPrefix | undefined {
  return entry === undefined ? undefined : Entry.over(entry)?.prefix;
}

/** Each hash of a tag. */
export function* hashesIn(tagHashes: Buffer): IterableIterator<Buffer> {
  for (let at = 0; at < tagHashes.length; at += TAG_HASH_BYTES) yield tagHashes.subarray(at, at + TAG_HASH_BYTES);
}
