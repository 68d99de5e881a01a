/**
 * What is gathered for the next batch. What is small is put into words as it comes (decision 0037), and is told from these from then
 * on; what is large, or comes too fast, later and a few at a time. Batches take turns in two runs of bytes.
 */
import {
  DISK_BATCH_BYTES,
  DISK_BATCH_ORDERS,
  DISK_URGENT_ORDERS,
  DISK_WORDED_AT_ONCE_BYTES,
  DISK_WORDED_TOGETHER,
} from '../base/disk-limits.js';
import { BatchWriter, wordedAtOnce } from './disk-batch.js';
import { bytesOf, type Item, type PutItem, recordKeyOf } from './disk-queued.js';

export interface GatheringParts {
  /** Writes a response, its body included where that is not there yet. Returns whether these words tell all of it. */
  encode(item: PutItem, to: BatchWriter): boolean;
  /** Something later took its place before it was written. */
  overtaken(item: PutItem, to: BatchWriter): void;
  /** It is waited for no more. */
  settled(item: Item): void;
  /** It cannot be put into words. */
  unwordable(item: Item, error: unknown): void;
}

/** A batch, and what is in it. */
export interface Gathered {
  readonly items: readonly Item[];
  readonly batch: BatchWriter;
}

export class DiskGathering {
  readonly #parts: GatheringParts;
  /** Not in words yet. */
  #items: Item[] = [];
  readonly #unwordable: [item: Item, error: unknown][] = [];
  /** In words, in the next batch. */
  #worded: Item[] = [];
  #batch: BatchWriter | undefined;
  /** Of a batch that has been carried out. */
  #spare: BatchWriter | undefined;

  constructor(parts: GatheringParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#items.length + this.#worded.length;
  }

  /** How many are not in words. */
  get unwordedCount(): number {
    return this.#items.length;
  }

  /** Whether there is a batch to be sent, be it empty of what is waited for. */
  get hasBegun(): boolean {
    return this.#batch !== undefined;
  }

  /** Whether the next batch takes more. */
  get hasRoom(): boolean {
    return this.#worded.length < DISK_BATCH_ORDERS && (this.#batch?.byteLength ?? 0) < DISK_BATCH_BYTES;
  }

  some(isMeant: (item: Item) => boolean): boolean {
    return this.#items.some(isMeant) || this.#worded.some(isMeant);
  }

  /**
   * `mayWord`: into words soon, where that takes no longer than a moment. Several go together: each alone takes three times as long, for
   * what it needs of the processor's caches is gone again by the next.
   */
  add(item: Item, mayWord: boolean): void {
    this.#items.push(item);
    if (!mayWord || this.#items.length < DISK_WORDED_TOGETHER) return;
    let count = 0;
    while (count < DISK_WORDED_TOGETHER && this.hasRoom) {
      const next = this.#items[count];
      if (next === undefined || bytesOf(next) > DISK_WORDED_AT_ONCE_BYTES) break;
      count++;
      this.#word(next);
    }
    this.#items.splice(0, count);
    this.#tellUnwordable();
  }

  /** Puts some of what waits into words, and more of it where somebody waits for that: to do so takes time from requests. */
  wordSome(isUrgent: boolean): void {
    const most = isUrgent ? DISK_URGENT_ORDERS : wordedAtOnce(this.#items.length);
    let count = 0;
    while (count < most && this.hasRoom) {
      const item = this.#items[count++];
      if (item === undefined) break;
      this.#word(item);
    }
    this.#items.splice(0, count);
    this.#tellUnwordable();
  }

  /** Once no list is gone through: who is told may have more to be written. */
  #tellUnwordable(): void {
    for (let one = this.#unwordable.pop(); one !== undefined; one = this.#unwordable.pop())
      this.#parts.unwordable(...one);
  }

  /** What is in words, and these uses with it: its bytes are read elsewhere until they are given back. */
  take(uses: Iterable<Uint8Array>): Gathered {
    const batch = this.#begun();
    for (const key of uses) batch.add({ kind: 'use', key });
    const items = this.#worded;
    this.#worded = [];
    this.#batch = undefined;
    return { items, batch };
  }

  /** Nobody reads it any more, nor tells anything from it. */
  giveBack(batch: BatchWriter): void {
    if (batch.clear()) this.#spare = batch;
  }

  /** All that is gathered, as if it had never been put into words. */
  takeAll(): Item[] {
    const all = [...this.#worded, ...this.#items];
    this.#worded = [];
    this.#items = [];
    this.#batch = undefined;
    return all;
  }

  #begun(): BatchWriter {
    this.#batch ??= this.#spare ?? new BatchWriter();
    this.#spare = undefined;
    return this.#batch;
  }

  #word(item: Item): void {
    const batch = this.#begun();
    if (item.isVoid) {
      this.#parts.settled(item);
      if (item.kind === 'put') this.#parts.overtaken(item, batch);
      return;
    }
    const at = batch.byteLength;
    try {
      this.#write(item, batch);
    } catch (error) {
      // All that is behind it is to be written nevertheless.
      batch.cutTo(at);
      this.#unwordable.push([item, error]);
      return;
    }
    this.#worded.push(item);
  }

  #write(item: Item, to: BatchWriter): void {
    if (item.kind !== 'plain') item.isWorded = true;
    if (item.kind === 'put') {
      const at = to.byteLength;
      if (!this.#parts.encode(item, to)) return;
      item.wordsIn = to;
      item.wordsAt = at;
      item.stored = undefined;
    } else if (item.kind === 'plain') to.add(item.order);
    else if (item.seen === undefined) to.add({ kind: 'remove', key: recordKeyOf(item), reason: item.reason });
    else to.add({ kind: 'remove-damaged', key: recordKeyOf(item), seen: item.seen });
  }
}
