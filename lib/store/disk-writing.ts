/**
 * Writes for the disk tier: carries out orders, and has room made for them (disk-room.ts). Each job is one
 * transaction, so that neither a crash nor another process ever sees half of it; but for one that brings what takes pages of its own and
 * takes it away again (decision 0017), which goes in several: its orders are done in turn, and one is never done by half.
 */
import { constants } from 'node:os';
import { DISK_USE_STALE_MS } from '../base/disk-limits.js';
import { SECOND_MS } from '../base/units.js';
import { NO_BYTES } from '../object/chunks.js';
import { isLaterStanding, standingIn } from '../object/record.js';
import type { DiskRemoval } from '../observe/disk-meters.js';
import { type DiskOrder, ordersIn, type PutOrder } from './disk-batch.js';
import { DiskChunks } from './disk-chunks.js';
import { DiskFailure, type DiskJob, type DiskReport } from './disk-contract.js';
import { DiskDone } from './disk-done.js';
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
import { BEHIND_ALL, type DiskFile, type DiskTable, TABLES, type TableName, takesPages } from './disk-file.js';
import { placeByNumber, splitVaried, variedKeys } from './disk-keys.js';
import { DiskRoom } from './disk-room.js';

const PRESENT = Buffer.of(1);
const FIRST = Buffer.of(0);
/** How lmdb says that it cannot tell which pages are free, and has written nothing. */
const REFUSED = /\bMDB_BAD_TXN\b/;
/** In `meta`: the latest instant that was ever written by. */
export const NOW_KEY = Buffer.from('now');
/** In `meta`: the record keys to begin with after a restart. */
export const HOT_KEY = Buffer.from('hot');

export class DiskWriting {
  readonly #file: DiskFile;
  readonly #done = new DiskDone();
  readonly #chunks: DiskChunks;
  readonly #breathe: () => void;
  readonly #room: DiskRoom;
  /** Whether there is anything in `varied`; undefined: this transaction has not looked. */
  #anyVaried: boolean | undefined;
  /** Keys of what this transaction has put that takes pages of its own. */
  readonly #large = new Set<string>();
  #now = 0;

  /** `breathe` is called between any two changes of the file, and before they are committed. */
  constructor(file: DiskFile, sizeBytes: number, breathe: () => void = () => {}) {
    this.#file = file;
    this.#breathe = breathe;
    this.#chunks = new DiskChunks(file);
    const remove = (key: Uint8Array, reason: DiskRemoval): void => this.#remove(key, reason);
    this.#room = new DiskRoom({ file, sizeBytes, chunks: this.#chunks, remove, breathe });
  }

  /** Throws a DiskFailure where not all was done. */
  do(job: DiskJob): DiskReport {
    this.#now = job.now;
    this.#done.begin();
    try {
      return this.#try(job);
    } catch (error) {
      const failure = this.#failureOf(error);
      if (!REFUSED.test(failure.message)) throw failure;
    }
    // lmdb has read its list of free pages anew by then, from the file, which is as the last commit left it.
    this.#done.rollBack();
    try {
      return this.#try(job);
    } catch (error) {
      throw this.#failureOf(error);
    }
  }

  #try({ batch, now }: DiskJob): DiskReport {
    this.#chunks.begin(now);
    let hasMore = false;
    if (batch !== undefined) {
      this.#room.mindSpace(batch.byteLength);
      this.#room.evictAhead(batch.byteLength);
      this.#done.commit();
    }
    // What is free on the device may be more than this process may have, or gone by then.
    this.#file.makeRoom(batch?.byteLength ?? 0, this.#breathe);
    if (batch !== undefined) this.#carryOut(batch);
    else {
      this.#write(() => {
        hasMore = this.#room.tidy(now);
      });
    }
    const records = this.#table('records').count;
    const { removed, left, isFull } = this.#done.soFar;
    return { records, removed, ...left, isFull: isFull === true, hasMore };
  }

  /** A write that the end of the filesystem cuts short is an input/output error to lmdb, which sounds like a broken device. */
  #failureOf(error: unknown): DiskFailure {
    const failure = failureOf(error);
    if (failure.code !== String(constants.errno.EIO)) return failure;
    try {
      this.#room.mindSpace(0);
    } catch (short) {
      return failureOf(short);
    }
    return failure;
  }

  #write(run: () => void): void {
    this.#file.write(() => {
      this.#anyVaried = undefined;
      this.#large.clear();
      this.#chunks.begin(this.#now);
      run();
      this.#noteNow();
      this.#breathe();
    });
    this.#done.commit();
  }

  #table(name: TableName): DiskTable {
    return this.#file.tables[name];
  }

  #noteNow(): void {
    const value = Buffer.allocUnsafe(8);
    value.writeDoubleLE(this.#now);
    this.#table('meta').put(NOW_KEY, value);
  }

  /** Where there is no room for what is new, what is to go goes all the same. */
  #carryOut(batch: Uint8Array): void {
    const orders = ordersIn(batch);
    let next = orders.next();
    // What was committed before a commit was refused is not done again: a body that has got its record would count as new, and go.
    for (let count = this.#done.soFar.orders; count > 0; count--) next = orders.next();
    for (let isFirst = true; isFirst || next.done !== true; isFirst = false) {
      if (!isFirst) this.#file.makeRoom(batch.byteLength, this.#breathe);
      this.#write(() => {
        const done = this.#done.soFar;
        done.isFull ??= !this.#room.make(batch.byteLength);
        for (; next.done !== true && !this.#mustWait(next.value); next = orders.next()) {
          const order = next.value;
          if (order.kind === 'put') this.#putIfWanted(order, done.isFull);
          else if (!done.isFull || order.kind !== 'chunk') this.#one(order);
          done.orders++;
          this.#breathe();
        }
        this.#chunks.end();
      });
    }
  }

  /** Whether it would take away what this transaction has put and what takes pages of its own. */
  #mustWait(order: DiskOrder): boolean {
    if (order.kind === 'clear') return this.#large.size > 0 || this.#chunks.hasWritten;
    if (this.#large.size === 0) return false;
    const key = order.kind === 'hot' ? HOT_KEY : 'key' in order ? order.key : undefined;
    return key !== undefined && this.#large.has(textOf(key));
  }

  #noteLarge(key: Uint8Array, value: Uint8Array): void {
    if (takesPages(key, value)) this.#large.add(textOf(key));
  }

  #putIfWanted(order: PutOrder, isFull: boolean): void {
    if (!isFull && isWhole(order) && this.#putNew(order)) return;
    const { key, bodyId } = order;
    const bytes = this.#table('records').get(key);
    const there = bytes === undefined ? undefined : Entry.over(bytes);
    if (isOutdated(order, there)) {
      this.#done.leave(key, 'outdated');
      this.#chunks.disown(bodyId);
    } else if (!isFull || there?.bodyId.equals(bodyId) === true) {
      // A header record around a body that is there already works on a full disk too.
      this.#put(order, there);
    } else {
      this.#done.leave(key, 'refused');
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
        this.#noteLarge(HOT_KEY, order.list);
        return;
      case 'clear':
        for (const name of TABLES) if (name !== 'meta') this.#table(name).clear();
        return;
      case 'mark':
        return;
    }
  }

  /** Most of what comes with its body is not there yet, and to look first takes as long as to find that out. False where something is there. */
  #putNew(order: PutOrder): boolean {
    const { key, isVaried } = order;
    const prefix = this.#prefixOf(order);
    const entry = writeEntry(prefix, order.record, order.inline);
    if (!this.#table('records').add(key, entry)) return false;
    this.#done.written(key);
    this.#noteLarge(key, entry);
    this.#link(key, prefix, undefined);
    if (isVaried) this.#enterVaried(key);
    return true;
  }

  #prefixOf({ key, expiryMinute, chunks, isVaried, bodyId, tagHashes }: PutOrder): EntryPrefix {
    const isAccompanied =
      !isVaried && this.#isAnyVaried && this.#table('varied').has(key.subarray(0, key.length - FIRST.length));
    return { epoch: this.#epoch, expiryMinute, chunks, isVaried, isAccompanied, bodyId, tagHashes };
  }

  /** Where request fields select nothing at all, nothing that they select is looked for. */
  get #isAnyVaried(): boolean {
    if (this.#anyVaried === undefined) {
      this.#anyVaried = false;
      this.#table('varied').range(FIRST, BEHIND_ALL, () => {
        this.#anyVaried = true;
        return false;
      });
    }
    return this.#anyVaried;
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
      this.#done.leave(key, 'bodiless');
      // Another process's, which would be lost if this one ended before it has sent the body.
      if (!order.isRepeatable) this.#remove(key, 'replaced');
      return;
    }
    if (chunks > 0 && !isSameBody) this.#chunks.adopt(bodyId);
    const prefix = this.#prefixOf(order);
    this.#link(key, prefix, old);
    const bytes = writeEntry(prefix, order.record, inline);
    this.#table('records').put(key, bytes);
    this.#done.written(key);
    this.#noteLarge(key, bytes);
    if (isVaried && old === undefined) this.#enterVaried(key);
    if (old === undefined || isSameBody) return;
    this.#chunks.release(old);
    this.#done.count('replaced');
  }

  /** Whoever looks for its key finds it from now on. */
  #enterVaried(key: Uint8Array): void {
    this.#anyVaried = true;
    const [stem, selection] = splitVaried(key);
    const others = this.#table('varied').get(stem) ?? NO_BYTES;
    const isThere = variedKeys(stem, others).some((one) => one.equals(key));
    if (!isThere) this.#table('varied').put(stem, Buffer.concat([others, selection]));
    const plainKey = Buffer.concat([stem, FIRST]);
    const plain = this.#table('records').get(plainKey);
    if (plain === undefined || Entry.over(plain)?.isAccompanied !== false) return;
    this.#table('records').put(plainKey, accompanied(plain));
  }

  #leaveVaried(key: Uint8Array): void {
    const [stem] = splitVaried(key);
    const others = variedKeys(stem, this.#table('varied').get(stem) ?? NO_BYTES).filter((one) => !one.equals(key));
    if (others.length === 0) this.#table('varied').remove(stem);
    else this.#table('varied').put(stem, Buffer.concat(others.map((one) => splitVaried(one)[1])));
  }

  get #epoch(): number {
    return Math.floor(this.#now / SECOND_MS) >>> 0;
  }

  /** Enters a record into what it is found by; `old` is what stood there. */
  #link(key: Uint8Array, next: EntryPrefix, old: EntryPrefix | undefined): void {
    if (old?.epoch !== next.epoch) {
      if (old !== undefined) this.#table('uses').remove(placeByNumber(old.epoch, key));
      this.#table('uses').put(placeByNumber(next.epoch, key), PRESENT);
    }
    if (old?.expiryMinute !== next.expiryMinute) {
      if (old !== undefined) this.#table('expiries').remove(placeByNumber(old.expiryMinute, key));
      this.#table('expiries').put(placeByNumber(next.expiryMinute, key), PRESENT);
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
    this.#done.count(reason);
    // Without a sound prefix the places in which it stands are not known: they are found to be empty in their turn.
    const prefix = readPrefix(entry);
    if (prefix === undefined) return;
    this.#table('uses').remove(placeByNumber(prefix.epoch, key));
    this.#table('expiries').remove(placeByNumber(prefix.expiryMinute, key));
    for (const hash of hashesIn(prefix.tagHashes)) this.#table('tags').remove(Buffer.concat([hash, key]));
    if (prefix.isVaried) this.#leaveVaried(key);
    this.#chunks.release(prefix);
  }

  #use(key: Uint8Array): void {
    const entry = this.#table('records').get(key);
    const old = readPrefix(entry);
    if (old === undefined || entry === undefined) return;
    if (this.#epoch - old.epoch < DISK_USE_STALE_MS / SECOND_MS) return;
    this.#link(key, { ...old, epoch: this.#epoch }, old);
    this.#table('records').put(key, withEpoch(entry, this.#epoch));
  }
}

/** Another process that has this file wrote what is later than this: its older form must not take that place. */
function isOutdated({ record }: PutOrder, there: Entry | undefined): boolean {
  const standing = there === undefined ? undefined : standingIn(there.record);
  const own = standing === undefined ? undefined : standingIn(record);
  return standing !== undefined && own !== undefined && isLaterStanding(standing, own);
}

/** Whether all of it is in the order. */
function isWhole({ chunks, hasBody, inline }: PutOrder): boolean {
  return chunks === 0 && (!hasBody || inline.length > 0);
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}

function failureOf(error: unknown): DiskFailure {
  if (error instanceof DiskFailure) return error;
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  return new DiskFailure(code === undefined ? 'unknown' : String(code), String(message ?? error));
}
