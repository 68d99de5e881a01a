/**
 * Writes for the disk tier: carries out orders, makes room, and takes away what is past its time. Each job is one
 * transaction, so that neither a crash nor another process ever sees half of it.
 */
import { statfsSync } from 'node:fs';
import {
  DISK_EVICT_FROM_SHARE,
  DISK_EVICT_TO_SHARE,
  DISK_EVICT_TO_SHARE_OVERGROWN,
  DISK_GROWTH_FACTOR,
  DISK_RESERVE_BYTES,
  DISK_STEP_COUNT,
  DISK_USE_STALE_MS,
  MAX_DISK_EVICTIONS_AT_ONCE,
} from '../base/disk-limits.js';
import { SECOND_MS } from '../base/units.js';
import { isLaterStanding, standingIn } from '../object/record.js';
import type { DiskRemoval } from '../observe/disk-meters.js';
import { type DiskOrder, ordersIn, type PutOrder } from './disk-batch.js';
import { DiskChunks } from './disk-chunks.js';
import { DiskFailure, type DiskJob, type DiskReport } from './disk-contract.js';
import {
  accompanied,
  Entry,
  type EntryPrefix,
  hashesIn,
  isSeen,
  readPrefix,
  withEpoch,
  writeEntry,
} from './disk-entry.js';
import { BEHIND_ALL, type DiskFile, type DiskTable, TABLES, type TableName } from './disk-file.js';
import { DISK_CHUNK_BYTES, minuteAfter, splitVaried, variedKeys, withNumber } from './disk-keys.js';

const PRESENT = Buffer.of(1);
const FIRST = Buffer.of(0);
const NOTHING = Buffer.alloc(0);
/** In `meta`: the latest instant that was ever written by. */
export const NOW_KEY = Buffer.from('now');
/** In `meta`: the record keys to begin with after a restart. */
export const HOT_KEY = Buffer.from('hot');

export class DiskWriting {
  readonly #file: DiskFile;
  readonly #directory: string;
  readonly #sizeBytes: number;
  #removed: Partial<Record<DiskRemoval, number>> = {};
  /** Record keys that were not written, by why. */
  #left: Record<'bodiless' | 'outdated' | 'refused', Uint8Array[]> = { bodiless: [], outdated: [], refused: [] };
  readonly #chunks: DiskChunks;
  readonly #breathe: () => void;
  #now = 0;
  /** What may be written before it is looked again how much is in use: to look takes as long as to write ten responses. */
  #roomBytes = 0;

  /** `breathe` is called between any two changes of the file, and before they are committed. */
  constructor(file: DiskFile, directory: string, sizeBytes: number, breathe: () => void = () => {}) {
    this.#file = file;
    this.#directory = directory;
    this.#sizeBytes = sizeBytes;
    this.#breathe = breathe;
    this.#chunks = new DiskChunks(file);
  }

  /** Throws a DiskFailure where nothing was changed. */
  do({ batch, now }: DiskJob): DiskReport {
    this.#begin(now);
    let isFull = false;
    let hasMore = false;
    try {
      if (batch !== undefined) {
        this.#mindSpace(batch.byteLength);
        this.#evictAhead(batch.byteLength);
      }
      const removed = this.#removed;
      this.#file.write(() => {
        this.#begin(now);
        this.#removed = { ...removed };
        if (batch === undefined) hasMore = this.#tidy();
        else isFull = this.#carryOut(batch);
        this.#noteNow();
        this.#breathe();
      });
    } catch (error) {
      throw failureOf(error);
    }
    const records = this.#table('records').count;
    return { records, removed: this.#removed, ...this.#left, isFull, hasMore };
  }

  #begin(now: number): void {
    this.#now = now;
    this.#removed = {};
    this.#left = { bodiless: [], outdated: [], refused: [] };
    this.#chunks.begin(now);
  }

  #table(name: TableName): DiskTable {
    return this.#file.tables[name];
  }

  /** The filesystem is not ours alone, and a commit that runs into its end costs more than to look first. */
  #mindSpace(bytes: number): void {
    const { bavail, bsize } = statfsSync(this.#directory);
    if (bavail * bsize < bytes + DISK_RESERVE_BYTES) throw new DiskFailure('ENOSPC', 'the filesystem is full');
  }

  #noteNow(): void {
    const value = Buffer.allocUnsafe(8);
    value.writeDoubleLE(this.#now);
    this.#table('meta').put(NOW_KEY, value);
  }

  /** Returns whether there was no room for what is new; what is to go goes all the same. */
  #carryOut(batch: Uint8Array): boolean {
    const isFull = !this.#makeRoom(batch.byteLength);
    for (const order of ordersIn(batch)) {
      if (order.kind === 'put') this.#putIfWanted(order, isFull);
      else if (!isFull || order.kind !== 'chunk') this.#one(order);
      this.#breathe();
    }
    this.#chunks.end();
    return isFull;
  }

  #putIfWanted(order: PutOrder, isFull: boolean): void {
    const { key, bodyId } = order;
    const bytes = this.#table('records').get(key);
    const there = bytes === undefined ? undefined : Entry.over(bytes);
    if (isOutdated(order, there)) {
      this.#left.outdated.push(Buffer.from(key));
      this.#chunks.disown(bodyId);
    } else if (!isFull || there?.bodyId.equals(bodyId) === true) {
      // A header record around a body that is there already works on a full disk too.
      this.#put(order, there);
    } else {
      this.#left.refused.push(Buffer.from(key));
      // What it was to take the place of is older than what is known now.
      this.#remove(key, 'replaced');
      this.#chunks.disown(bodyId);
    }
  }

  #one(order: Exclude<DiskOrder, PutOrder>): void {
    switch (order.kind) {
      case 'chunk':
        this.#chunks.put(order.key, order.value);
        return;
      case 'remove':
        this.#remove(order.key, order.reason);
        return;
      case 'remove-damaged':
        if (isSeen(this.#table('records').get(order.key), order.seen)) this.#remove(order.key, 'damaged');
        return;
      case 'use':
        this.#use(order.key);
        return;
      case 'drop-body':
        this.#chunks.drop(order.bodyId, order.chunks);
        return;
      case 'orphan':
        this.#chunks.disown(order.bodyId);
        return;
      case 'hot':
        this.#table('meta').put(HOT_KEY, order.list);
        return;
      case 'clear':
        for (const name of TABLES) if (name !== 'meta') this.#table(name).clear();
        return;
      case 'mark':
        return;
    }
  }

  /** `entry`: what is there, where it can be read. */
  #put(order: PutOrder, entry: Entry | undefined): void {
    const { key, bodyId, chunks, isVaried } = order;
    const old = entry?.prefix;
    const isSameBody = old !== undefined && old.chunks === chunks && old.bodyId.equals(bodyId);
    // A record that comes without its body is put around the one that is there.
    const inline = order.inline.length === 0 && isSameBody && entry !== undefined ? entry.body : order.inline;
    const isApartThere = isSameBody || (chunks > 0 && this.#chunks.has(bodyId, chunks));
    if (chunks > 0 ? !isApartThere : order.hasBody && inline.length === 0) {
      this.#left.bodiless.push(Buffer.from(key));
      // Another process's, which would be lost if this one ended before it has sent the body.
      if (!order.isRepeatable) this.#remove(key, 'replaced');
      return;
    }
    if (chunks > 0 && !isSameBody) this.#chunks.adopt(bodyId);
    const prefix = {
      epoch: this.#epoch,
      expiryMinute: order.expiryMinute,
      chunks,
      isVaried,
      isAccompanied: !isVaried && this.#table('varied').has(key.subarray(0, key.length - 1)),
      bodyId: viewOf(bodyId),
      tagHashes: viewOf(order.tagHashes),
    };
    this.#link(key, prefix, old);
    this.#table('records').put(key, writeEntry(prefix, order.record, inline));
    if (isVaried && old === undefined) this.#enterVaried(key);
    if (old === undefined || isSameBody) return;
    this.#chunks.release(old);
    this.#count('replaced');
  }

  /** Whoever looks for its key finds it from now on. */
  #enterVaried(key: Uint8Array): void {
    const [stem, selection] = splitVaried(key);
    const others = this.#table('varied').get(stem) ?? NOTHING;
    const isThere = variedKeys(stem, others).some((one) => one.equals(key));
    if (!isThere) this.#table('varied').put(stem, Buffer.concat([others, selection]));
    const plainKey = Buffer.concat([stem, FIRST]);
    const plain = this.#table('records').get(plainKey);
    if (plain === undefined || Entry.over(plain)?.isAccompanied !== false) return;
    this.#table('records').put(plainKey, accompanied(plain));
  }

  #leaveVaried(key: Uint8Array): void {
    const [stem] = splitVaried(key);
    const others = variedKeys(stem, this.#table('varied').get(stem) ?? NOTHING).filter((one) => !one.equals(key));
    if (others.length === 0) this.#table('varied').remove(stem);
    else this.#table('varied').put(stem, Buffer.concat(others.map((one) => splitVaried(one)[1])));
  }

  get #epoch(): number {
    return Math.floor(this.#now / SECOND_MS) >>> 0;
  }

  /** Enters a record into what it is found by; `old` is what stood there. */
  #link(key: Uint8Array, next: EntryPrefix, old: EntryPrefix | undefined): void {
    if (old?.epoch !== next.epoch) {
      if (old !== undefined) this.#table('uses').remove(withNumber(old.epoch, key));
      this.#table('uses').put(withNumber(next.epoch, key), PRESENT);
    }
    if (old?.expiryMinute !== next.expiryMinute) {
      if (old !== undefined) this.#table('expiries').remove(withNumber(old.expiryMinute, key));
      this.#table('expiries').put(withNumber(next.expiryMinute, key), PRESENT);
    }
    if (old?.tagHashes.equals(next.tagHashes) === true) return;
    const tags = this.#table('tags');
    if (old !== undefined) for (const hash of hashesIn(old.tagHashes)) tags.remove(Buffer.concat([hash, key]));
    for (const hash of hashesIn(next.tagHashes)) tags.put(Buffer.concat([hash, key]), PRESENT);
  }

  #remove(key: Uint8Array, reason: DiskRemoval): void {
    const entry = this.#table('records').get(key);
    if (entry === undefined) return;
    this.#table('records').remove(key);
    this.#count(reason);
    // Without a sound prefix the places in which it stands are not known: they are found to be empty in their turn.
    const prefix = readPrefix(entry);
    if (prefix === undefined) return;
    this.#table('uses').remove(withNumber(prefix.epoch, key));
    this.#table('expiries').remove(withNumber(prefix.expiryMinute, key));
    for (const hash of hashesIn(prefix.tagHashes)) this.#table('tags').remove(Buffer.concat([hash, key]));
    if (prefix.isVaried) this.#leaveVaried(key);
    this.#chunks.release(prefix);
  }

  #count(reason: DiskRemoval): void {
    this.#removed[reason] = (this.#removed[reason] ?? 0) + 1;
  }

  #use(key: Uint8Array): void {
    const entry = this.#table('records').get(key);
    const old = readPrefix(entry);
    if (old === undefined || entry === undefined) return;
    if (this.#epoch - old.epoch < DISK_USE_STALE_MS / SECOND_MS) return;
    this.#link(key, { ...old, epoch: this.#epoch }, old);
    this.#table('records').put(key, withEpoch(entry, this.#epoch));
  }

  /** Bytes from which on, and down to which, is evicted. */
  #bounds(): readonly [from: number, to: number] {
    const isOvergrown = this.#file.fileBytes > this.#sizeBytes;
    const to = isOvergrown ? DISK_EVICT_TO_SHARE_OVERGROWN : DISK_EVICT_TO_SHARE;
    return [this.#sizeBytes * (isOvergrown ? to : DISK_EVICT_FROM_SHARE), this.#sizeBytes * to];
  }

  /** What a batch pushes out loses its records before, in a transaction of its own: chunks go in a later one (disk-readers.ts). */
  #evictAhead(bytes: number): void {
    if (this.#roomBytes > bytes * DISK_GROWTH_FACTOR) return;
    this.#file.refresh();
    if (this.#surplusWith(bytes) > 0) this.#file.write(() => this.#free(bytes));
  }

  /** Bytes that are too many once so many more are written. */
  #surplusWith(bytes: number): number {
    return this.#file.usedBytes + bytes - this.#sizeBytes * DISK_EVICT_FROM_SHARE;
  }

  /** Returns whether there is room for `bytes`. */
  #makeRoom(bytes: number): boolean {
    this.#roomBytes -= bytes * DISK_GROWTH_FACTOR;
    return this.#roomBytes > 0 || this.#free(bytes);
  }

  /** The same, looked at. */
  #free(bytes: number): boolean {
    for (let evicted = 0; ; ) {
      const surplus = this.#surplusWith(bytes);
      if (surplus <= 0) {
        this.#roomBytes = -surplus;
        return true;
      }
      if (this.#chunks.dropDoomed(true)) continue;
      const left = surplus - this.#chunks.leavingBytes;
      const count = left <= 0 ? 0 : this.#evict(left);
      evicted += count;
      if (count === 0 || evicted >= MAX_DISK_EVICTIONS_AT_ONCE) return false;
    }
  }

  /** One small step; returns whether there is more to do. */
  #tidy(): boolean {
    const expired = this.#expire();
    const [from, to] = this.#bounds();
    const { usedBytes } = this.#file;
    const isShort = usedBytes > from;
    // Other processes may have written too.
    this.#roomBytes = Math.min(this.#roomBytes, this.#sizeBytes * DISK_EVICT_FROM_SHARE - usedBytes);
    const dropped = this.#chunks.dropDoomed(isShort);
    const evicted = isShort && !dropped ? this.#evict(usedBytes - to) : 0;
    return expired === DISK_STEP_COUNT || dropped || evicted > 0;
  }

  #expire(): number {
    const expiries = this.#table('expiries');
    const due = withNumber(minuteAfter(this.#now), FIRST);
    const places = keysOf(expiries, DISK_STEP_COUNT, due);
    for (const place of places) {
      const [minute, key] = [place.readUInt32BE(0), place.subarray(4)];
      expiries.remove(place);
      this.#removeDue(key, 'expired', (prefix) => prefix.expiryMinute === minute);
      this.#breathe();
    }
    return places.length;
  }

  /**
   * What cannot be read stands in no other place by which it would be found again, and goes too. Returns the bytes that this
   * frees, at most: a last chunk may be shorter, and a body may have another record.
   */
  #removeDue(key: Uint8Array, reason: DiskRemoval, isDue: (prefix: EntryPrefix) => boolean): number {
    const entry = this.#table('records').get(key);
    if (entry === undefined) return 0;
    const prefix = readPrefix(entry);
    if (prefix !== undefined && !isDue(prefix)) return 0;
    this.#remove(key, prefix === undefined ? 'damaged' : reason);
    return entry.length + (prefix === undefined ? 0 : prefix.chunks * DISK_CHUNK_BYTES);
  }

  /** Evicts, in a step, what was used longest ago, until so many bytes are free or will be; returns how many places that emptied. */
  #evict(bytes: number): number {
    const uses = this.#table('uses');
    let [freed, count] = [0, 0];
    for (const place of keysOf(uses, DISK_STEP_COUNT)) {
      if (freed >= bytes) break;
      const [epoch, key] = [place.readUInt32BE(0), place.subarray(4)];
      uses.remove(place);
      freed += this.#removeDue(key, 'evicted', (prefix) => prefix.epoch === epoch);
      count++;
      this.#breathe();
    }
    return count;
  }
}

/** Another process that has this file wrote what is later than this: its older form must not take that place. */
function isOutdated({ record }: PutOrder, there: Entry | undefined): boolean {
  const standing = there === undefined ? undefined : standingIn(there.record);
  const own = standing === undefined ? undefined : standingIn(viewOf(record));
  return standing !== undefined && own !== undefined && isLaterStanding(standing, own);
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
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

function failureOf(error: unknown): DiskFailure {
  if (error instanceof DiskFailure) return error;
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  return new DiskFailure(code === undefined ? 'unknown' : String(code), String(message ?? error));
}
