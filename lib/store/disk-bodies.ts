/** Bodies on disk: which id a body has there, and how its bytes are read and checked. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.js';
import { DISK_CHUNKS_AT_ONCE, DISK_READ_AHEAD_CHUNKS } from '../base/disk-limits.js';
import { lasting } from '../base/lasting.js';
import { Body, type BodyBelow } from '../object/body.js';
import { joined } from '../object/chunks.js';
import { recordBodyBytes } from '../object/record.js';
import type { StoredResponse } from '../object/stored.js';
import type { DiskTable } from './disk-file.js';
import { isInline } from './disk-forms.js';
import { BODY_ID_BYTES, chunkCount, chunkKey, DISK_CHUNK_BYTES, openChunk } from './disk-keys.js';
import type { DiskReaders } from './disk-readers.js';
import { RecentChunks } from './recent-chunks.js';

/** A body, or the parts of one, whose chunks are on disk, or in front of whatever is written next. */
export interface BodyRef {
  readonly id: Buffer;
  readonly bytes: number;
  /** It stands with its record, and has no chunks. */
  readonly isInline: boolean;
}

/** What stands for the bytes of a response: a 304 makes another record around the same one. */
type Holder = object;

export class DiskBodies {
  readonly #table: DiskTable;
  /** Of what got its id here its body knows the number: most are never asked for on disk while there is an object of them. */
  readonly #refs = new WeakMap<Holder, BodyRef>();
  /** Ids are never given twice, by no process and no start: ascending in time, so that neighbours lie together. */
  readonly #idStem: Buffer;
  #idCount = 0;
  readonly #begunId: Buffer;
  readonly #recent: RecentChunks;
  readonly #readers: DiskReaders;

  /** `now`: on the scale of the file. */
  constructor(table: DiskTable, readers: DiskReaders, clock: Clock, now: number) {
    this.#table = table;
    this.#readers = readers;
    this.#recent = new RecentChunks(clock, 0);
    this.#idStem = Buffer.alloc(BODY_ID_BYTES);
    this.#idStem.writeUInt32BE(Math.floor(now / 1000) >>> 0);
    randomBytes(4).copy(this.#idStem, 4);
    this.#begunId = Buffer.from(this.#idStem);
  }

  /** So much of what was read last is kept for who reads the same a little behind: nothing until this is said. */
  resizeShared(bytes: number): void {
    this.#recent.resize(Math.ceil(bytes / DISK_CHUNK_BYTES));
  }

  newId(): Buffer {
    return lasting(this.#idOf(this.#idCount++));
  }

  #idOf(count: number): Buffer {
    const id = Buffer.from(this.#idStem);
    id.writeUInt32BE(count >>> 0, 8);
    return id;
  }

  refOf(stored: StoredResponse): BodyRef | undefined {
    const holder = holderOf(stored);
    return this.#isNumbered(holder)
      ? refTo(this.#idOf(holder.knownAs), recordBodyBytes(stored))
      : this.#refs.get(holder);
  }

  #isNumbered(holder: Holder): holder is Body {
    return holder instanceof Body && holder.knower === this && holder.knownAs >= 0;
  }

  /**
   * Gives a body that the disk has not got the number that it will have there: memory keeps it with what is asleep, and what is stored is
   * so at once, and in words later. Returns whether the disk has its bytes, or is to have them.
   */
  number(stored: StoredResponse): boolean {
    const holder = holderOf(stored);
    if (this.#isNumbered(holder) || this.#refs.has(holder)) return true;
    // The empty one is everybody's.
    if (holder instanceof Body && holder.receivedBytes > 0) this.#numberAnew(holder);
    return false;
  }

  #numberAnew(body: Body): void {
    body.knower = this;
    body.knownAs = this.#idCount++;
  }

  /** The bytes of a response, which are in memory, are written now, under their number. What it gives is good until the next one begins. */
  begin(stored: StoredResponse, bytes: number): BodyRef {
    const holder = holderOf(stored);
    if (holder instanceof Body && !this.#isNumbered(holder)) this.#numberAnew(holder);
    const number = this.#isNumbered(holder) ? holder.knownAs : this.#idCount++;
    this.#begunId.writeUInt32BE(number >>> 0, BODY_ID_BYTES - 4);
    if (!(holder instanceof Body)) this.#refs.set(holder, refTo(this.#idOf(number), bytes));
    return refTo(this.#begunId, bytes);
  }

  note(stored: StoredResponse, ref: BodyRef): void {
    const holder = holderOf(stored);
    if (holder instanceof Body) {
      holder.knower = this;
      holder.knownAs = -1;
    }
    this.#refs.set(holder, ref);
  }

  /** The same, by where its bytes are read. */
  noteBelow(below: BodyBelow, ref: BodyRef): void {
    this.#refs.set(below, ref);
  }

  forget(stored: StoredResponse): void {
    const holder = holderOf(stored);
    this.#refs.delete(holder);
    // What stands with its record has the same number when it is written again: memory knows it by that.
    const isKept = this.#isNumbered(holder) && isInline(recordBodyBytes(stored));
    if (holder instanceof Body && holder.knower === this && !isKept) holder.knower = undefined;
  }

  /** The bytes of a whole chunk; undefined where it is not there, or damaged. */
  chunk({ id, bytes }: Pick<BodyRef, 'id' | 'bytes'>, index: number): Buffer | undefined {
    const key = chunkKey(id, index);
    // One buffer takes all that is looked up: a buffer of lmdb's own for each chunk costs more than the copy.
    const value = this.#table.view(key);
    const chunk = value === undefined ? undefined : openChunk(key, value);
    const expected = Math.min(DISK_CHUNK_BYTES, bytes - index * DISK_CHUNK_BYTES);
    if (chunk?.length !== expected) return undefined;
    const own = Buffer.allocUnsafeSlow(expected);
    chunk.copy(own);
    return own;
  }

  /** Whether the last chunk is there. */
  hasEnd({ id, bytes }: Pick<BodyRef, 'id' | 'bytes'>): boolean {
    return this.#table.has(chunkKey(id, chunkCount(bytes) - 1));
  }

  /** A body all of whose bytes are in memory now; undefined where one of them is lost. */
  load(ref: Pick<BodyRef, 'id' | 'bytes'>): Body | undefined {
    const chunks: Buffer[] = [];
    for (let index = 0; index < chunkCount(ref.bytes); index++) {
      const chunk = this.chunk(ref, index);
      if (chunk === undefined) return undefined;
      chunks.push(chunk);
    }
    return Body.of(chunks.length === 0 ? [] : [joined(chunks, ref.bytes)]);
  }

  /** A body that is read from disk piece by piece, each one checked as it is read. */
  below(ref: Pick<BodyRef, 'id' | 'bytes'>, onLost: () => void): Body {
    return Body.below(
      ref.bytes,
      this.reading(ref, () => ref.bytes, onLost),
    );
  }

  /** `availableBytes`: how far it is written. */
  reading(ref: Pick<BodyRef, 'id'>, availableBytes: () => number, onLost: () => void): BodyBelow {
    let heldIndex = -1;
    let held: Buffer | undefined;
    const name = ref.id.toString('latin1');
    return {
      read: (from, until) => {
        const bytes = availableBytes();
        const index = Math.floor(from / DISK_CHUNK_BYTES);
        if (from >= bytes) return undefined;
        if (index !== heldIndex || held === undefined) {
          const read = (): Buffer | undefined => {
            // Whoever is given what another one has read needs nothing of the disk just now.
            this.#fetchAhead(ref.id, index + 1, chunkCount(bytes));
            return this.chunk({ id: ref.id, bytes }, index);
          };
          // The last chunk of what is still being written may get longer.
          const isWhole = (index + 1) * DISK_CHUNK_BYTES <= bytes;
          held = isWhole ? this.#recent.get(`${name} ${index}`, read) : read();
          if (chunkCount(bytes) > DISK_CHUNKS_AT_ONCE) this.#readers.tell(ref.id);
          heldIndex = index;
        }
        if (held === undefined) {
          onLost();
          return undefined;
        }
        const start = index * DISK_CHUNK_BYTES;
        return held.subarray(from - start, Math.min(held.length, until - start));
      },
    };
  }

  /** A body that is being written is read from behind: others must not take its room. */
  tellReading(id: Buffer): void {
    this.#readers.tell(id);
  }

  #fetchAhead(id: Buffer, from: number, end: number): void {
    if (from % DISK_READ_AHEAD_CHUNKS !== 0 || from >= end) return;
    const until = Math.min(end, from + DISK_READ_AHEAD_CHUNKS * 2);
    this.#table.prefetch(Array.from({ length: until - from }, (_, at) => chunkKey(id, from + at)));
  }
}

function refTo(id: Buffer, bytes: number): BodyRef {
  return { id, bytes, isInline: isInline(bytes) };
}

function holderOf(stored: StoredResponse): Holder {
  return stored.partial ?? stored.body.below ?? stored.body;
}
