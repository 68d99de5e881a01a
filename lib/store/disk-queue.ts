/**
 * What waits to be written to disk: bounded, sent to the writer one batch after another. Whoever reads asks here first, so that
 * what was put or removed is so at once, long before the disk knows.
 *
 * While the disk cannot be written nothing new waits for it; what is to go does, since it must not come back.
 */
import type { Timer } from '../base/clock.js';
import {
  DISK_BATCH_BYTES,
  DISK_BATCH_ORDERS,
  DISK_FLUSH_MS,
  DISK_SETTLE_ROUNDS,
  MAX_DISK_PENDING_BYTES,
  MAX_DISK_PENDING_ORDERS,
} from '../base/disk-limits.js';
import type { DiskRemoval } from '../observe/disk-meters.js';
import type { DiskOrder } from './disk-batch.js';
import type { DiskFailure, DiskReport } from './disk-contract.js';
import { DiskGathering, type Gathered } from './disk-gathering.js';
import {
  bytesOf,
  type GoneItem,
  goneItem,
  type Item,
  isSameBody,
  leftIn,
  type NewPut,
  ORDER_BYTES,
  type PutItem,
  placeOf,
  putItem,
  type QueueParts,
  recordKeyOf,
  UNREAD,
} from './disk-queued.js';
import { DiskTidying } from './disk-tidying.js';
import { DiskTrying } from './disk-trying.js';
import { DiskUses } from './disk-uses.js';
import { DiskWaiting } from './disk-waiting.js';

export class DiskQueue {
  readonly #parts: QueueParts;
  readonly #gathering: DiskGathering;
  readonly #trying: DiskTrying;
  /** The batch that is being written. */
  #inFlight: Gathered | undefined;
  /** Places that a batch which was given up may be written to all the same, by a writer that is still at it. */
  readonly #late = new Set<string>();
  #isBusy = false;
  #timer: Timer | undefined;
  readonly #tidying: DiskTidying;
  #isClosed = false;
  readonly #waiting = new DiskWaiting();
  readonly #uses: DiskUses;
  /** What waits was to be sent while another job was under way. */
  #isDue = false;
  /** Somebody waits for what waits. */
  #isUrgent = false;
  /** Orders so far. */
  #count = 0;
  pendingBytes = 0;
  /** Too much was to be taken away while nothing could be: what is on disk counts as nothing. */
  isBlind = false;

  constructor(parts: QueueParts) {
    this.#parts = parts;
    this.#gathering = new DiskGathering({
      encode: (item, to) => parts.encode(item, to),
      overtaken: (item, to) => parts.overtaken(item, to),
      settled: (item) => this.#settle(item),
      unwordable: (item, error) => {
        parts.unwordable(item, error);
        this.#leave(item);
      },
    });
    this.#trying = new DiskTrying(parts.clock, () => this.#flush());
    this.#uses = new DiskUses(parts.clock, () => this.#flush());
    this.#tidying = new DiskTidying(parts.clock, () => {
      if (!this.#isBusy && this.isWritable && !this.#isClosed) this.#send(undefined);
    });
  }

  get isWritable(): boolean {
    return this.#trying.isWritable;
  }

  /** How often what waits has changed. */
  get changes(): number {
    return this.#waiting.changes;
  }

  /** What waits under a key, the latest first; undefined where nothing does. */
  pendingOf(key: string): readonly (PutItem | GoneItem)[] | undefined {
    return this.#waiting.of(key);
  }

  /** What waits under a record key. */
  pendingAt(key: string, recordKey: Uint8Array): PutItem | GoneItem | undefined {
    return this.#waiting.hasKey(key) ? this.#waiting.at(key, placeOf(recordKey)) : undefined;
  }

  /** Whether nothing about a key waits, nor anything that is not told by its key. `rest`: the end of it. */
  isQuiet(key: string, rest: string): boolean {
    if (this.isBlind) return false;
    const waiting = this.#waiting;
    return waiting.size === 0 || !(waiting.hasBoth(key, rest) || waiting.hasKey(UNREAD));
  }

  /** What waits to be written under the record keys from one on, and up to another, itself included. */
  *between(from: Uint8Array, until: Uint8Array | undefined): IterableIterator<PutItem> {
    const [first, last] = [placeOf(from), until === undefined ? undefined : placeOf(until)];
    // First of all: of what is to go a great many may wait.
    for (const item of this.#waiting.all())
      if (item.kind === 'put' && item.place >= first && (last === undefined || item.place <= last)) yield item;
  }

  get pendingCount(): number {
    return this.#gathering.count + (this.#inFlight?.items.length ?? 0);
  }

  /** Whether there is room for `bytes` more. */
  hasRoom(bytes: number): boolean {
    return this.isWritable && !this.#isClosed && this.pendingBytes + bytes <= MAX_DISK_PENDING_BYTES;
  }

  /** Queues a response. Returns false where it is stored in memory alone; what it takes the place of goes all the same, unless it may stay. */
  put(put: NewPut): boolean {
    const { stored, place, bodyBytes, mayStay, isAgain } = put;
    const waiting = this.#waiting.at(stored.key, place);
    if (waiting?.kind === 'put' && !waiting.isWorded && isSameBody(waiting.stored, stored)) {
      this.#waiting.renew(waiting, stored);
      return true;
    }
    const bytes = bodyBytes + ORDER_BYTES;
    // A header record alone is small, and there is one for each key at most.
    if (bodyBytes > 0 || !this.isWritable ? !this.hasRoom(bytes) : this.#isClosed) {
      if (!mayStay) this.remove(stored.key, recordKeyOf({ place }), 'replaced');
      return false;
    }
    // What waited to go, or for its place, was to do so whatever becomes of this.
    const mayStayStill = mayStay && (waiting === undefined || (waiting.kind === 'put' && waiting.mayStay));
    // Whoever waits for what this comes again of waits for this.
    this.#add(putItem(put, mayStayStill, isAgain ? 0 : this.#sinceFor(waiting)), waiting);
    return true;
  }

  /** Queues the removal of whatever is, or waits to be, under a record key; with `seen`, of what is damaged there and nothing later. */
  remove(key: string, recordKey: Buffer, reason: DiskRemoval, seen?: Uint8Array): void {
    const place = placeOf(recordKey);
    const waiting = this.#waiting.at(key, place);
    // What is damaged goes only while it is what is there: somebody may have put something else in its place.
    const isGoing = waiting?.kind === 'gone' && waiting.seen === undefined;
    if (isGoing || (waiting !== undefined && seen !== undefined)) return;
    if (this.#isClosed || (waiting === undefined && !this.#mayHold(place))) return;
    if (!this.isWritable && this.#gathering.count >= MAX_DISK_PENDING_ORDERS) {
      this.#giveUp();
      return;
    }
    this.#add(goneItem(key, place, reason, seen, this.#sinceFor(waiting)), waiting);
  }

  /** Whether the disk has something in a place, or may have it yet. */
  #mayHold(place: string): boolean {
    return this.#late.has(place) || this.#parts.mayHold(recordKeyOf({ place }));
  }

  #sinceFor(before: PutItem | GoneItem | undefined): number {
    this.#count++;
    return before === undefined || before.isWorded ? this.#count : before.since;
  }

  /** Queues any other order; `over` hears whether it was written. */
  order(order: DiskOrder, bytes: number, over?: (isWritten: boolean) => void): void {
    if (!this.isWritable || this.#isClosed) {
      over?.(false);
      return;
    }
    this.#gathering.add({ kind: 'plain', order, bytes: bytes + ORDER_BYTES, over, isVoid: false }, true);
    this.#charge(bytes + ORDER_BYTES);
  }

  /** Whether there is time to note another use. */
  takesUse(): boolean {
    return this.isWritable && this.#uses.takes();
  }

  /** Notes a use, as far as there is time for it. */
  use(recordKey: Buffer): void {
    if (this.takesUse()) this.#uses.note(recordKey);
  }

  get droppedUses(): number {
    return this.#uses.dropped;
  }

  /** Resolves when what waits now is written, or what took its place. False where that cannot be done for now. */
  async settled(): Promise<boolean> {
    if (this.pendingCount === 0 && !this.#isBusy && !this.#gathering.hasBegun) return true;
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
    return this.#gathering.some(isOlder) || this.#inFlight?.items.some(isOlder) === true;
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
    this.#trying.stop();
    this.#tidying.stop();
    this.#uses.stop();
    await this.settled();
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#parts.port.close();
  }

  /** `before`: what waits in its place. */
  #add(item: PutItem | GoneItem, before: PutItem | GoneItem | undefined): void {
    if (before !== undefined) {
      before.isVoid = true;
      this.#waiting.delete(before);
    }
    this.#waiting.add(item);
    this.#gathering.add(item, this.isWritable);
    this.#charge(bytesOf(item));
  }

  #charge(bytes: number): void {
    this.pendingBytes += bytes;
    if (!this.isWritable || this.#isBusy) return;
    const isMuch = this.pendingBytes >= DISK_BATCH_BYTES || this.pendingCount >= DISK_BATCH_ORDERS;
    if (isMuch && this.#timer !== undefined) {
      this.#timer.cancel();
      this.#timer = undefined;
    }
    this.#timer ??= this.#parts.clock.after(isMuch ? 0 : DISK_FLUSH_MS, () => this.#flush());
  }

  /** It is not waited for any more. */
  #settle(item: Item): void {
    this.pendingBytes -= bytesOf(item);
    if (item.kind !== 'plain') this.#waiting.delete(item);
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#isDue = this.#isBusy;
    if (this.#isBusy || this.#isClosed) return;
    this.#gathering.wordSome(this.#isUrgent);
    if (this.#gathering.hasRoom && !this.#isUrgent && this.#gathering.unwordedCount > 0) {
      this.#timer = this.#parts.clock.after(0, () => this.#flush());
      return;
    }
    this.#inFlight = this.#gathering.take(this.#uses.take());
    this.#send(this.#inFlight.batch.take());
  }

  #send(batch: Uint8Array | undefined): void {
    const { port, now } = this.#parts;
    this.#isBusy = true;
    port.send({ batch, now: now() }).then(
      (report) => this.#done(report),
      (failure: DiskFailure) => this.#undone(failure),
    );
  }

  #done(report: DiskReport): void {
    this.#isBusy = false;
    const sent = this.#inFlight;
    this.#inFlight = undefined;
    this.#late.clear();
    this.#parts.reported(report);
    const left = leftIn(report);
    for (const item of sent?.items ?? []) {
      this.#settle(item);
      if (item.kind === 'put') {
        const reason = left === undefined ? undefined : left.get(item.place);
        if (reason !== undefined) this.#parts.unwritten(item, reason);
      } else if (item.kind === 'plain') item.over?.(!report.isFull || item.order.kind !== 'chunk');
    }
    if (sent !== undefined) this.#gathering.giveBack(sent.batch);
    if (this.#trying.succeeded()) this.#parts.recovered();
    // What was sent before it was given up may be written before it is cleared.
    if (this.isBlind) this.isBlind = this.#gathering.some(isClearing);
    if (report.hasMore) this.#tidying.soon();
    if (this.#gathering.count === 0) this.#isUrgent = false;
    else if (this.#isUrgent || this.#isDue) this.#flush();
    else this.#charge(0);
  }

  /** Not all of the batch was written, or not yet: what was to be taken away still is. */
  #undone(failure: DiskFailure): void {
    this.#isBusy = false;
    const sent = this.#inFlight;
    const items = [...(sent?.items ?? []), ...this.#gathering.takeAll()];
    this.#inFlight = undefined;
    const isNews = this.#trying.failed();
    this.#isUrgent = false;
    this.#uses.take();
    const late = failure.isUnderWay ? putsIn(sent) : [];
    for (const { place } of late) this.#late.add(place);
    for (const item of items) {
      // Without it all that was to be taken away would be there again.
      if (isClearing(item)) this.#gathering.add(item, false);
      else if (item.kind === 'gone' && !item.isVoid) {
        item.isWorded = false;
        this.#gathering.add(item, false);
      } else this.#leave(item);
    }
    // What comes to be there after all was given up, and no purge would find it until then: it goes.
    for (const item of late) {
      const recordKey = recordKeyOf(item);
      if (!this.#parts.mayHold(recordKey)) this.remove(item.key, recordKey, 'replaced');
    }
    if (sent !== undefined && !failure.isUnderWay) this.#gathering.giveBack(sent.batch);
    this.#parts.failed(failure, isNews);
  }

  /** It will not be written. */
  #leave(item: Item): void {
    this.#settle(item);
    if (item.kind === 'plain') item.over?.(false);
    else if (item.kind === 'put' && !item.isVoid) {
      this.#parts.unwritten(item, 'failed');
      // What it was to take the place of is out of date.
      if (!item.mayStay) this.remove(item.key, recordKeyOf(item), 'replaced');
    }
  }

  #giveUp(): void {
    this.isBlind = true;
    for (const item of this.#gathering.takeAll()) this.#settle(item);
    this.#waiting.clear();
    this.#gathering.add({ kind: 'plain', order: { kind: 'clear' }, bytes: 0, over: undefined, isVoid: false }, false);
  }
}

function putsIn(sent: Gathered | undefined): PutItem[] {
  return (sent?.items ?? []).filter((item) => item.kind === 'put');
}

/** Whether it takes away all that is on a disk that was given up. */
function isClearing(item: Item): boolean {
  return item.kind === 'plain' && item.order.kind === 'clear';
}
