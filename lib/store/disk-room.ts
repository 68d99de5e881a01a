/**
 * Makes room in the disk tier: what was used longest ago goes where what is new needs its place, and what is past its time goes in
 * small steps. Called by the writer, inside its transactions where nothing else is said.
 */
import {
  DISK_EVICT_FROM_SHARE,
  DISK_EVICT_TO_SHARE,
  DISK_EVICT_TO_SHARE_OVERGROWN,
  DISK_GROWTH_FACTOR,
  DISK_STEP_COUNT,
  MAX_DISK_EVICTIONS_AT_ONCE,
} from '../base/disk-limits.js';
import type { DiskRemoval } from '../observe/disk-meters.js';
import type { DiskChunks } from './disk-chunks.js';
import { type EntryPrefix, readPrefix } from './disk-entry.js';
import { BEHIND_ALL, type DiskFile, type DiskTable } from './disk-file.js';
import { mindSpace } from './disk-growth.js';
import { DISK_CHUNK_BYTES, minuteAfter, withNumber } from './disk-keys.js';

const FIRST = Buffer.of(0);

export interface RoomParts {
  readonly file: DiskFile;
  readonly sizeBytes: number;
  readonly chunks: DiskChunks;
  /** Takes a record away, and itself out of all that it is found by. */
  remove(key: Uint8Array, reason: DiskRemoval): void;
  /** As for DiskWriting. */
  breathe(): void;
}

export class DiskRoom {
  readonly #parts: RoomParts;
  readonly #file: DiskFile;
  readonly #sizeBytes: number;
  /** What may be written before it is looked again how much is in use: to look takes as long as to write ten responses. */
  #roomBytes = 0;

  constructor(parts: RoomParts) {
    this.#parts = parts;
    this.#file = parts.file;
    this.#sizeBytes = parts.sizeBytes;
  }

  /** The filesystem is not ours alone, and a commit that runs into its end costs more than to look first. */
  mindSpace(bytes: number): void {
    mindSpace(this.#file.directory, bytes);
  }

  /** What a batch pushes out loses its records before, in a transaction of its own: chunks go in a later one (disk-readers.ts). */
  evictAhead(bytes: number): void {
    if (this.#roomBytes > bytes * DISK_GROWTH_FACTOR) return;
    this.#file.refresh();
    if (this.#surplusWith(bytes) <= 0) return;
    this.#file.makeRoom(bytes, this.#parts.breathe);
    this.#file.write(() => this.#free(bytes));
  }

  /** Returns whether there is room for `bytes`. */
  make(bytes: number): boolean {
    this.#roomBytes -= bytes * DISK_GROWTH_FACTOR;
    return this.#roomBytes > 0 || this.#free(bytes);
  }

  /** The same, looked at. */
  #free(bytes: number): boolean {
    const { chunks } = this.#parts;
    for (let evicted = 0; ; ) {
      const surplus = this.#surplusWith(bytes);
      if (surplus <= 0) {
        this.#roomBytes = -surplus;
        return true;
      }
      if (chunks.dropDoomed(true)) continue;
      const left = surplus - chunks.leavingBytes;
      const count = left <= 0 ? 0 : this.#evict(left);
      evicted += count;
      if (count === 0 || evicted >= MAX_DISK_EVICTIONS_AT_ONCE) return false;
    }
  }

  /** Bytes that are too many once so many more are written. */
  #surplusWith(bytes: number): number {
    return this.#file.usedBytes + bytes - this.#sizeBytes * DISK_EVICT_FROM_SHARE;
  }

  /** One small step; returns whether there is more to do. */
  tidy(now: number): boolean {
    const expired = this.#expire(now);
    const [from, to] = this.#bounds();
    const { usedBytes } = this.#file;
    const isShort = usedBytes > from;
    // Other processes may have written too.
    this.#roomBytes = Math.min(this.#roomBytes, this.#sizeBytes * DISK_EVICT_FROM_SHARE - usedBytes);
    const dropped = this.#parts.chunks.dropDoomed(isShort);
    const evicted = isShort && !dropped ? this.#evict(usedBytes - to) : 0;
    return expired === DISK_STEP_COUNT || dropped || evicted > 0;
  }

  /** Bytes from which on, and down to which, is evicted. */
  #bounds(): readonly [from: number, to: number] {
    const isOvergrown = this.#file.fileBytes > this.#sizeBytes;
    const to = isOvergrown ? DISK_EVICT_TO_SHARE_OVERGROWN : DISK_EVICT_TO_SHARE;
    return [this.#sizeBytes * (isOvergrown ? to : DISK_EVICT_FROM_SHARE), this.#sizeBytes * to];
  }

  #expire(now: number): number {
    const { expiries } = this.#file.tables;
    const due = withNumber(minuteAfter(now), FIRST);
    const places = keysOf(expiries, DISK_STEP_COUNT, due);
    for (const place of places) {
      const [minute, key] = [place.readUInt32BE(0), place.subarray(4)];
      expiries.remove(place);
      this.#removeDue(key, 'expired', (prefix) => prefix.expiryMinute === minute);
      this.#parts.breathe();
    }
    return places.length;
  }

  /** Evicts, in a step, what was used longest ago, until so many bytes are free or will be; returns how many places that emptied. */
  #evict(bytes: number): number {
    const { uses } = this.#file.tables;
    let [freed, count] = [0, 0];
    for (const place of keysOf(uses, DISK_STEP_COUNT)) {
      if (freed >= bytes) break;
      const [epoch, key] = [place.readUInt32BE(0), place.subarray(4)];
      uses.remove(place);
      freed += this.#removeDue(key, 'evicted', (prefix) => prefix.epoch === epoch);
      count++;
      this.#parts.breathe();
    }
    return count;
  }

  /**
   * What cannot be read stands in no other place by which it would be found again, and goes too. Returns the bytes that this
   * frees, at most: a last chunk may be shorter, and a body may have another record.
   */
  #removeDue(key: Uint8Array, reason: DiskRemoval, isDue: (prefix: EntryPrefix) => boolean): number {
    const entry = this.#file.tables.records.get(key);
    if (entry === undefined) return 0;
    const prefix = readPrefix(entry);
    if (prefix !== undefined && !isDue(prefix)) return 0;
    this.#parts.remove(key, prefix === undefined ? 'damaged' : reason);
    return entry.length + (prefix === undefined ? 0 : prefix.chunks * DISK_CHUNK_BYTES);
  }
}

/** The first keys of a table, below `until`. */
function keysOf(table: DiskTable, most: number, until: Uint8Array = BEHIND_ALL): Buffer[] {
  const keys: Buffer[] = [];
  table.range(FIRST, until, (key) => {
    keys.push(key);
    return keys.length < most;
  });
  return keys;
}
