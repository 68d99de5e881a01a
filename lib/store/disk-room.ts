/**
 * Makes room in the disk tier: what was used longest ago goes where what is new needs its place, and what is past its time goes in
 * small steps. Called by the writer, inside its transactions where nothing else is said.
 */
import {
  DISK_EVICT_FROM_SHARE,
  DISK_EVICT_TO_SHARE,
  DISK_EVICT_TO_SHARE_OVERGROWN,
  DISK_GROWTH_FACTOR,
  DISK_LOOKS_PAST_READ,
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

/** A record that may go. */
interface Due {
  readonly key: Buffer;
  readonly isDamaged: boolean;
  /** Its body is being read, and stays for a while without it. */
  readonly isRead: boolean;
  /** Bytes that its going frees, rather too few: what goes for a batch is to be enough. A body may have another record. */
  readonly bytes: number;
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
      const count = this.#evictDownTo(this.#sizeBytes * DISK_EVICT_FROM_SHARE - bytes);
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
    const evicted = isShort && !dropped ? this.#evictDownTo(to) : 0;
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
    const places = keysOf(expiries, DISK_STEP_COUNT, withNumber(minuteAfter(now), FIRST));
    for (const place of places) {
      const [minute, key] = [place.readUInt32BE(0), place.subarray(4)];
      const due = this.#dueAt(key, (prefix) => prefix.expiryMinute === minute);
      expiries.remove(place);
      if (due !== undefined) this.#take(due, 'expired');
      this.#parts.breathe();
    }
    return places.length;
  }

  /** As #evict(), once what is doomed has gone as far as it can, until no more than so many bytes are in use, or will be before long. */
  #evictDownTo(bytes: number): number {
    const { leavingBytes, stayingBytes } = this.#parts.chunks;
    // Where what stays is too much by itself, nothing that goes is of use.
    return stayingBytes > bytes ? 0 : this.#evict(this.#file.usedBytes - leavingBytes - bytes);
  }

  /** Evicts, in a step, what was used longest ago, until so many bytes are free or will be; returns how many places that emptied. */
  #evict(bytes: number): number {
    const places = keysOf(this.#file.tables.uses, DISK_STEP_COUNT);
    let [freed, count, mayPass] = [0, 0, true];
    for (const [at, place] of places.entries()) {
      if (freed >= bytes) break;
      const due = this.#dueIn(place);
      if (mayPass && due?.isRead === true) {
        const behind = places.slice(at + 1, at + 1 + DISK_LOOKS_PAST_READ);
        const others = this.#roomAmong(behind, bytes - freed);
        for (const [other, otherDue] of others) this.#evictFrom(other, otherDue);
        if (others.length > 0) return count + others.length;
        mayPass = false;
      }
      freed += this.#evictFrom(place, due);
      count++;
    }
    return count;
  }

  /**
   * Those of a few places that make room for so many bytes at once; none where they do not suffice: many small ones are not to go for a
   * large one that is read, since what comes may be larger than what is known of it yet.
   */
  #roomAmong(places: readonly Buffer[], bytes: number): [place: Buffer, due: Due][] {
    const found: [Buffer, Due][] = [];
    let room = 0;
    for (const place of places) {
      const due = this.#dueIn(place);
      if (due === undefined || due.isRead) continue;
      found.push([place, due]);
      room += due.bytes;
      if (room >= bytes) return found;
    }
    return [];
  }

  #evictFrom(place: Buffer, due: Due | undefined): number {
    this.#file.tables.uses.remove(place);
    if (due !== undefined) this.#take(due, 'evicted');
    this.#parts.breathe();
    return due?.bytes ?? 0;
  }

  /** What was last used as a place in `uses` says. */
  #dueIn(place: Buffer): Due | undefined {
    const epoch = place.readUInt32BE(0);
    return this.#dueAt(place.subarray(4), (prefix) => prefix.epoch === epoch);
  }

  #dueAt(key: Buffer, isDue: (prefix: EntryPrefix) => boolean): Due | undefined {
    const entry = this.#file.tables.records.get(key);
    if (entry === undefined) return undefined;
    const prefix = readPrefix(entry);
    if (prefix === undefined) return { key, isDamaged: true, isRead: false, bytes: entry.length };
    if (!isDue(prefix)) return undefined;
    const bytes = entry.length + prefix.chunks * DISK_CHUNK_BYTES;
    return { key, isDamaged: false, isRead: this.#parts.chunks.isRead(prefix), bytes };
  }

  /** What cannot be read stands in no other place by which it would be found again, and goes too. */
  #take({ key, isDamaged }: Due, reason: DiskRemoval): void {
    this.#parts.remove(key, isDamaged ? 'damaged' : reason);
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
