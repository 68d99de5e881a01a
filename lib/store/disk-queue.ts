/**
 * What waits to be written to disk: gathered, bounded, sent to the writer one batch after another. Whoever reads asks here
 * first, so that what was put or removed is so at once, long before the disk knows.
 *
 * While the disk cannot be written nothing new waits for it; what is to go does, since it must not come back.
 */
import type { Clock, Timer } from '../base/clock.js';
import {
  DISK_BATCH_BYTES,
  DISK_BATCH_ORDERS,
  DISK_FLUSH_MS,
  DISK_RETRY_FIRST_MS,
  DISK_RETRY_MAX_MS,
  DISK_SETTLE_ROUNDS,
  DISK_TIDY_EVERY_MS,
  DISK_TIDY_STEP_MS,
  DISK_URGENT_ORDERS,
  DISK_USE_FLUSH_MS,
  MAX_DISK_PENDING_BYTES,
  MAX_DISK_PENDING_ORDERS,
  MAX_DISK_PENDING_USES,
} from '../base/disk-limits.js';
import type { DiskRemoval } from '../observe/disk-meters.js';
import { BatchWriter, type DiskOrder, wordedAtOnce } from './disk-batch.js';
import type { DiskFailure, DiskPort, DiskReport } from './disk-contract.js';
import {
  bytesOf,
  type GoneItem,
  type Item,
  isSameBody,
  type NewPut,
  ORDER_BYTES,
  type PutItem,
  placesOf,
} from './disk-queued.js';

const FIRST_BATCH_BYTES = 64 * 1024;

/** In place of the key of a record that cannot be read. */
export const UNREAD = '\0unread';

export interface QueueParts {
  readonly port: DiskPort;
  readonly clock: Clock;
  /** Now, on the scale of what is on disk. */
  readonly now: () => number;
  /** Writes a response, its body included where that is not there yet. */
  encode(item: PutItem, to: BatchWriter): void;
  /** Something later took its place before it was written. */
  overtaken(item: PutItem, to: BatchWriter): void;
  /** It is not on disk, and nothing of it. */
  unwritten(item: PutItem, reason: 'failed' | 'full' | 'bodiless' | 'outdated'): void;
  /** Whether the disk may have something under a record key. */
  mayHold(recordKey: Buffer): boolean;
  reported(report: DiskReport): void;
  /** `isNews`: the job before it was done. */
  failed(failure: DiskFailure, isNews: boolean): void;
  recovered(): void;
}

export class DiskQueue {
  readonly #parts: QueueParts;
  #items: Item[] = [];
  #inFlight: Item[] = [];
  #isBusy = false;
  /** The next batch, while it is put into words. */
  #batch: BatchWriter | undefined;
  #timer: Timer | undefined;
  #tidyTimer: Timer | undefined;
  #retryTimer: Timer | undefined;
  #useTimer: Timer | undefined;
  #retryMs = DISK_RETRY_FIRST_MS;
  /** When it could be written again, the last time. */
  #recoveredAt = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  /** What waits, by key and record key. */
  readonly #byKey = new Map<string, Map<string, PutItem | GoneItem>>();
  readonly #uses = new Map<string, Buffer>();
  /** Somebody waits for what waits. */
  #isUrgent = false;
  /** Orders so far. */
  #count = 0;
  pendingBytes = 0;
  isWritable = true;
  /** Too much was to be taken away while nothing could be: what is on disk counts as nothing. */
  isBlind = false;
  droppedUses = 0;

  constructor(parts: QueueParts) {
    this.#parts = parts;
    this.#tidyLater(DISK_TIDY_EVERY_MS);
  }

  /** What waits under a key, by record key as latin1. */
  pendingOf(key: string): ReadonlyMap<string, PutItem | GoneItem> | undefined {
    return this.#byKey.get(key);
  }

  /** Whether nothing about a key waits, nor anything that is not told by its key. `rest`: the end of it. */
  isQuiet(key: string, rest: string): boolean {
    return !this.isBlind && (this.#byKey.size === 0 || !(this.#byKey.has(key + rest) || this.#byKey.has(UNREAD)));
  }

  /** All that waits. */
  *pending(): IterableIterator<PutItem | GoneItem> {
    for (const items of this.#byKey.values()) yield* items.values();
  }

  get pendingCount(): number {
    return this.#items.length + this.#inFlight.length;
  }

  /** Whether there is room for `bytes` more. */
  hasRoom(bytes: number): boolean {
    return this.isWritable && !this.#isClosed && this.pendingBytes + bytes <= MAX_DISK_PENDING_BYTES;
  }

  /** Queues a response. Returns false where it is stored in memory alone; what it takes the place of goes all the same, unless it may stay. */
  put({ stored, recordKey, bodyBytes, mayStay, isAgain }: NewPut): boolean {
    const { key } = stored;
    const waiting = this.#waiting(key, recordKey);
    if (waiting?.kind === 'put' && !waiting.isSent && isSameBody(waiting.stored, stored)) {
      waiting.stored = stored;
      return true;
    }
    const bytes = bodyBytes + ORDER_BYTES;
    // A header record alone is small, and there is one for each key at most.
    if (bodyBytes > 0 || !this.isWritable ? !this.hasRoom(bytes) : this.#isClosed) {
      if (!mayStay) this.remove(key, recordKey, 'replaced');
      return false;
    }
    // Whoever waits for what this comes again of waits for this.
    const since = isAgain ? 0 : this.#sinceFor(waiting);
    this.#add(
      { kind: 'put', key, recordKey, stored, bytes, mayStay, isAgain, isVoid: false, isSent: false, since },
      bytes,
    );
    return true;
  }

  /** Queues the removal of whatever is, or waits to be, under a record key; with `seen`, of what is damaged there and nothing later. */
  remove(key: string, recordKey: Buffer, reason: DiskRemoval, seen?: Uint8Array): void {
    const waiting = this.#waiting(key, recordKey);
    // What is damaged goes only while it is what is there: somebody may have put something else in its place.
    if (waiting !== undefined && (seen !== undefined || (waiting.kind === 'gone' && waiting.seen === undefined)))
      return;
    if (this.#isClosed || (waiting === undefined && !this.#parts.mayHold(recordKey))) return;
    if (!this.isWritable && this.#items.length >= MAX_DISK_PENDING_ORDERS) {
      this.#giveUp();
      return;
    }
    const since = this.#sinceFor(waiting);
    this.#add({ kind: 'gone', key, recordKey, reason, seen, isVoid: false, isSent: false, since }, ORDER_BYTES);
  }

  #sinceFor(before: PutItem | GoneItem | undefined): number {
    this.#count++;
    return before === undefined || before.isSent ? this.#count : before.since;
  }

  /** Queues any other order; `over` hears whether it was written. */
  order(order: DiskOrder, bytes: number, over?: (isWritten: boolean) => void): void {
    if (!this.isWritable || this.#isClosed) {
      over?.(false);
      return;
    }
    this.#items.push({ kind: 'plain', order, bytes: bytes + ORDER_BYTES, over, isVoid: false });
    this.#charge(bytes + ORDER_BYTES);
  }

  /** Whether there is time to note another use. */
  takesUse(): boolean {
    if (!this.isWritable) return false;
    // With whatever else is written, or alone after a while.
    this.#useTimer ??= this.#parts.clock.after(DISK_USE_FLUSH_MS, () => {
      this.#useTimer = undefined;
      if (this.#uses.size > 0) this.#flush();
    });
    if (this.#uses.size < MAX_DISK_PENDING_USES) return true;
    this.droppedUses++;
    return false;
  }

  /** Notes a use, as far as there is time for it. */
  use(recordKey: Buffer): void {
    if (this.takesUse()) this.#uses.set(recordKey.toString('latin1'), recordKey);
  }

  /** Resolves when what waits now is written, or what took its place. False where that cannot be done for now. */
  async settled(): Promise<boolean> {
    if (this.pendingCount === 0 && !this.#isBusy && this.#batch === undefined) return true;
    const last = this.#count;
    for (let round = 0; round < DISK_SETTLE_ROUNDS && this.isWritable; round++) {
      await this.#marked();
      // What took the place of something that waited may be behind the mark.
      if (this.isWritable && !this.#waitsSince(last)) return true;
    }
    // What cannot be stored is given up: all that still waits is to be taken away.
    return !this.isWritable && this.pendingCount === 0;
  }

  #waitsSince(last: number): boolean {
    const isOlder = (item: Item): boolean => item.kind !== 'plain' && !item.isVoid && item.since <= last;
    return this.#items.some(isOlder) || this.#inFlight.some(isOlder);
  }

  #marked(): Promise<void> {
    return new Promise((resolve) => {
      // Behind what waits, so that it is told in its turn.
      this.order({ kind: 'mark' }, 0, () => resolve());
      this.#isUrgent = true;
      this.#flush();
    });
  }

  /** Writes what waits, and ends. */
  async close(): Promise<void> {
    this.#retryTimer?.cancel();
    this.#tidyTimer?.cancel();
    this.#useTimer?.cancel();
    await this.settled();
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#parts.port.close();
  }

  #waiting(key: string, recordKey: Buffer): PutItem | GoneItem | undefined {
    return this.#byKey.get(key)?.get(recordKey.toString('latin1'));
  }

  #add(item: PutItem | GoneItem, bytes: number): void {
    const place = item.recordKey.toString('latin1');
    let items = this.#byKey.get(item.key);
    if (items === undefined) {
      items = new Map();
      this.#byKey.set(item.key, items);
    }
    const before = items.get(place);
    if (before !== undefined) before.isVoid = true;
    items.set(place, item);
    this.#items.push(item);
    this.#charge(bytes);
  }

  #charge(bytes: number): void {
    this.pendingBytes += bytes;
    if (!this.isWritable || this.#isBusy) return;
    const isMuch = this.pendingBytes >= DISK_BATCH_BYTES || this.#items.length >= DISK_BATCH_ORDERS;
    if (isMuch && this.#timer !== undefined) {
      this.#timer.cancel();
      this.#timer = undefined;
    }
    this.#timer ??= this.#parts.clock.after(isMuch ? 0 : DISK_FLUSH_MS, () => this.#flush());
  }

  /** It is not waited for any more. */
  #settle(item: Item): void {
    this.pendingBytes -= bytesOf(item);
    if (item.kind === 'plain') return;
    const items = this.#byKey.get(item.key);
    const place = item.recordKey.toString('latin1');
    if (items?.get(place) !== item) return;
    items.delete(place);
    if (items.size === 0) this.#byKey.delete(item.key);
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#isBusy || this.#isClosed) return;
    this.#batch ??= new BatchWriter(FIRST_BATCH_BYTES);
    this.#word(this.#batch);
    const hasRoom = this.#inFlight.length < DISK_BATCH_ORDERS && this.#batch.byteLength < DISK_BATCH_BYTES;
    if (hasRoom && !this.#isUrgent && this.#items.length > 0) {
      this.#timer = this.#parts.clock.after(0, () => this.#flush());
      return;
    }
    for (const key of this.#uses.values()) this.#batch.add({ kind: 'use', key });
    this.#uses.clear();
    const batch = this.#batch.take();
    this.#batch = undefined;
    this.#send(batch);
  }

  /** Puts some of what waits into words, and more of it where somebody waits for that: to do so takes time from requests. */
  #word(to: BatchWriter): void {
    const most = this.#isUrgent ? DISK_URGENT_ORDERS : wordedAtOnce(this.#items.length);
    let count = 0;
    while (count < most && this.#inFlight.length < DISK_BATCH_ORDERS && to.byteLength < DISK_BATCH_BYTES) {
      const item = this.#items[count++];
      if (item === undefined) break;
      if (item.isVoid) {
        this.#settle(item);
        if (item.kind === 'put') this.#parts.overtaken(item, to);
      } else {
        this.#write(item, to);
        this.#inFlight.push(item);
      }
    }
    this.#items.splice(0, count);
  }

  #write(item: Item, to: BatchWriter): void {
    if (item.kind !== 'plain') item.isSent = true;
    if (item.kind === 'put') {
      this.#parts.encode(item, to);
    } else if (item.kind === 'plain') to.add(item.order);
    else if (item.seen === undefined) to.add({ kind: 'remove', key: item.recordKey, reason: item.reason });
    else to.add({ kind: 'remove-damaged', key: item.recordKey, seen: item.seen });
  }

  #send(batch: Uint8Array<ArrayBuffer> | undefined): void {
    const { port, now } = this.#parts;
    this.#isBusy = true;
    port.send({ batch, now: now() }).then(
      (report) => this.#done(report),
      (failure: DiskFailure) => this.#undone(failure),
    );
  }

  #done(report: DiskReport): void {
    this.#isBusy = false;
    const items = this.#inFlight;
    this.#inFlight = [];
    this.#parts.reported(report);
    const [bodiless, refused, outdated] = [report.bodiless, report.refused, report.outdated].map(placesOf);
    for (const item of items) {
      this.#settle(item);
      if (item.kind === 'put') {
        const place = item.recordKey.toString('latin1');
        if (bodiless?.has(place) === true) this.#parts.unwritten(item, 'bodiless');
        else if (refused?.has(place) === true) this.#parts.unwritten(item, 'full');
        else if (outdated?.has(place) === true) this.#parts.unwritten(item, 'outdated');
      } else if (item.kind === 'plain') item.over?.(!report.isFull || item.order.kind !== 'chunk');
    }
    if (!this.isWritable) {
      this.isWritable = true;
      this.isBlind = false;
      this.#recoveredAt = this.#parts.clock.now();
      this.#parts.recovered();
    }
    if (report.hasMore) this.#tidyLater(DISK_TIDY_STEP_MS);
    if (this.#items.length === 0) this.#isUrgent = false;
    else if (this.#isUrgent) this.#flush();
    else this.#charge(0);
  }

  /** Nothing of the batch was written: what was to be taken away still is. */
  #undone(failure: DiskFailure): void {
    this.#isBusy = false;
    const items = [...this.#inFlight, ...this.#items];
    this.#inFlight = [];
    this.#items = [];
    const isNews = this.isWritable;
    // Where a filesystem is nearly full, what is small goes through and the next batch does not: that is no recovery.
    if (isNews && this.#parts.clock.now() - this.#recoveredAt >= DISK_RETRY_MAX_MS) this.#retryMs = DISK_RETRY_FIRST_MS;
    this.isWritable = false;
    this.#isUrgent = false;
    this.#uses.clear();
    for (const item of items) {
      if (item.isVoid || item.kind === 'plain') {
        this.#settle(item);
        if (item.kind === 'plain') item.over?.(false);
      } else if (item.kind === 'gone') this.#items.push(item);
      else {
        this.#settle(item);
        this.#parts.unwritten(item, 'failed');
        // What it was to take the place of is out of date.
        if (!item.mayStay) this.remove(item.key, item.recordKey, 'replaced');
      }
    }
    this.#parts.failed(failure, isNews);
    this.#retryTimer = this.#parts.clock.after(this.#retryMs, () => this.#flush());
    this.#retryMs = Math.min(this.#retryMs * 2, DISK_RETRY_MAX_MS);
  }

  #giveUp(): void {
    this.isBlind = true;
    for (const item of this.#items) this.#settle(item);
    this.#byKey.clear();
    this.#items = [{ kind: 'plain', order: { kind: 'clear' }, bytes: 0, over: undefined, isVoid: false }];
  }

  #tidyLater(delayMs: number): void {
    this.#tidyTimer?.cancel();
    this.#tidyTimer = this.#parts.clock.after(delayMs, () => {
      this.#tidyLater(DISK_TIDY_EVERY_MS);
      if (!this.#isBusy && this.#batch === undefined && this.isWritable && !this.#isClosed) this.#send(undefined);
    });
  }
}
