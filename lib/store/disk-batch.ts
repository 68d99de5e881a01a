/** What is to be written to disk, as one run of bytes that goes to the writing thread without being copied again. */
import {
  DISK_BATCH_BYTES,
  DISK_WORDED_TURNS,
  MAX_DISK_WORDED_ORDERS,
  MIN_DISK_WORDED_ORDERS,
} from '../base/disk-limits.js';
import { NO_BYTES } from '../object/chunks.js';
import { DISK_REMOVALS, type DiskRemoval } from '../observe/disk-meters.js';
import { BODY_ID_BYTES } from './disk-keys.js';

/** One change. Later ones win over earlier ones. */
export type DiskOrder =
  /** A record and what goes with it. Of a body that is written already, `chunks` are none. */
  | {
      readonly kind: 'put';
      readonly key: Buffer;
      readonly record: Buffer;
      readonly expiryMinute: number;
      readonly bodyId: Buffer;
      readonly isVaried: boolean;
      readonly hasBody: boolean;
      /** Where the disk has not the body that this leaves out, it comes again with it: what is there stays until then. */
      readonly isRepeatable: boolean;
      /** Of the body, in all, where it is kept apart. */
      readonly chunks: number;
      readonly tagHashes: Buffer;
      /** A small body; empty where it is written already, or kept apart. */
      readonly inline: Buffer;
    }
  /** A chunk of a body, checksum and all. Its record follows, or it is given up after a while. */
  | { readonly kind: 'chunk'; readonly key: Uint8Array; readonly value: Uint8Array }
  /** Whatever is under this record key. */
  | { readonly kind: 'remove'; readonly key: Uint8Array; readonly reason: DiskRemoval }
  /** What was found to be damaged under this record key, by what seen() told of it, or by the id of its body: not what another process has put there since. */
  | { readonly kind: 'remove-damaged'; readonly key: Uint8Array; readonly seen: Uint8Array }
  /** It was used. */
  | { readonly kind: 'use'; readonly key: Uint8Array }
  /** Chunks of a body that gets no record. */
  | { readonly kind: 'drop-body'; readonly bodyId: Uint8Array; readonly chunks: number }
  /** A body that is written gets no record, unless it has one already. */
  | { readonly kind: 'orphan'; readonly bodyId: Uint8Array }
  /** The record keys to begin with after a restart. */
  | { readonly kind: 'hot'; readonly list: Uint8Array }
  /** Everything. */
  | { readonly kind: 'clear' }
  /** Nothing: that it was done tells that all before it was. */
  | { readonly kind: 'mark' };

const KINDS = [
  'put',
  'chunk',
  'remove',
  'use',
  'drop-body',
  'hot',
  'clear',
  'mark',
  'orphan',
  'remove-damaged',
] as const;
const VARIED = 1;
const HAS_BODY = 2;
const REPEATABLE = 4;

const PUT = KINDS.indexOf('put');
/** Kind, minute, flags, chunks, and the length of each of its five runs. */
const PUT_HEAD_BYTES = 9 * 4;
/** What is no longer is copied byte by byte: to call for it takes longer. */
const SHORT_BYTES = 16;

export type PutOrder = Extract<DiskOrder, { kind: 'put' }>;
/** All of it but under which record key. */
export type PutWords = Omit<PutOrder, 'kind' | 'key'>;

function flagsOf({ isVaried, hasBody, isRepeatable }: PutWords): number {
  return (isVaried ? VARIED : 0) | (hasBody ? HAS_BODY : 0) | (isRepeatable ? REPEATABLE : 0);
}

const FIRST_BATCH_BYTES = 64 * 1024;

/** A longer run than this is not kept for the next batch. */
const MAX_KEPT_BYTES = 2 * DISK_BATCH_BYTES;

/**
 * Gathers orders until it is sent. The thread that carries them out reads the very same bytes: what stands in them can be told
 * here too until it is done.
 */
export class BatchWriter {
  #bytes: Buffer<SharedArrayBuffer>;
  #at = 0;

  constructor(firstBytes = FIRST_BATCH_BYTES) {
    this.#bytes = Buffer.from(new SharedArrayBuffer(firstBytes));
  }

  get byteLength(): number {
    return this.#at;
  }

  add(order: DiskOrder): void {
    if (order.kind === 'put') {
      this.put(order.key.toString('latin1'), order);
      return;
    }
    this.#number(KINDS.indexOf(order.kind));
    switch (order.kind) {
      case 'chunk':
        this.#run(order.key);
        this.#run(order.value);
        return;
      case 'remove':
        this.#number(DISK_REMOVALS.indexOf(order.reason));
        this.#run(order.key);
        return;
      case 'remove-damaged':
        this.#run(order.key);
        this.#run(order.seen);
        return;
      case 'use':
        this.#run(order.key);
        return;
      case 'drop-body':
        this.#number(order.chunks);
        this.#run(order.bodyId);
        return;
      case 'orphan':
        this.#run(order.bodyId);
        return;
      case 'hot':
        this.#run(order.list);
        return;
      case 'clear':
      case 'mark':
        this.#run(NO_BYTES);
    }
  }

  /** A put, in a place as placeOf() has it. */
  put(place: string, order: PutWords): void {
    const { bodyId, tagHashes, record, inline } = order;
    this.#makeRoom(PUT_HEAD_BYTES + place.length + bodyId.length + tagHashes.length + record.length + inline.length);
    const bytes = this.#bytes;
    let at = bytes.writeUInt32LE(PUT, this.#at);
    at = bytes.writeUInt32LE(order.expiryMinute, at);
    at = bytes.writeUInt32LE(flagsOf(order), at);
    at = bytes.writeUInt32LE(order.chunks, at);
    at = bytes.writeUInt32LE(place.length, at);
    at = latin1Into(bytes, at, place);
    at = copyInto(bytes, bytes.writeUInt32LE(bodyId.length, at), bodyId);
    at = copyInto(bytes, bytes.writeUInt32LE(tagHashes.length, at), tagHashes);
    at = copyInto(bytes, bytes.writeUInt32LE(record.length, at), record);
    this.#at = copyInto(bytes, bytes.writeUInt32LE(inline.length, at), inline);
  }

  /** The bytes of all orders: nothing may be added until who gets them has read them. */
  take(): Uint8Array<SharedArrayBuffer> {
    return new Uint8Array(this.#bytes.buffer, 0, this.#at);
  }

  /** What is to be put by the order that begins there, in bytes that are good until the next order comes. */
  putAt(at: number): PutOrder {
    for (const order of ordersIn(this.#bytes.subarray(at, this.#at))) if (order.kind === 'put') return order;
    throw new RangeError('a put begins where one was written');
  }

  /** Takes back what was added since it had so many bytes, half an order too: what follows would be read as the rest of that. */
  cutTo(byteLength: number): void {
    this.#at = byteLength;
  }

  /** Begins anew in the same bytes. Returns false where they are not worth keeping. */
  clear(): boolean {
    this.#at = 0;
    return this.#bytes.length <= MAX_KEPT_BYTES;
  }

  #number(value: number): void {
    this.#makeRoom(4);
    this.#at = this.#bytes.writeUInt32LE(value, this.#at);
  }

  #run(bytes: Uint8Array): void {
    const { length } = bytes;
    this.#number(length);
    if (length === 0) return;
    this.#makeRoom(length);
    this.#bytes.set(bytes, this.#at);
    this.#at += length;
  }

  #makeRoom(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const grown = Buffer.from(new SharedArrayBuffer(Math.max(this.#bytes.length * 2, this.#at + bytes)));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}

/** Returns where it ends. */
function latin1Into(bytes: Buffer, from: number, text: string): number {
  const { length } = text;
  for (let at = 0; at < length; at++) bytes[from + at] = text.charCodeAt(at);
  return from + length;
}

function copyInto(bytes: Buffer, from: number, run: Uint8Array): number {
  const { length } = run;
  if (length > SHORT_BYTES) bytes.set(run, from);
  else for (let at = 0; at < length; at++) bytes[from + at] = run[at] as number;
  return from + length;
}

/** Its parts as they stand, one after another. */
function putIn(number: () => number, run: () => Buffer): PutOrder {
  const expiryMinute = number();
  const flags = number();
  return {
    kind: 'put',
    expiryMinute,
    isVaried: (flags & VARIED) !== 0,
    hasBody: (flags & HAS_BODY) !== 0,
    isRepeatable: (flags & REPEATABLE) !== 0,
    chunks: number(),
    key: run(),
    bodyId: run(),
    tagHashes: run(),
    record: run(),
    inline: run(),
  };
}

/** The orders of a batch, as views of it. */
export function* ordersIn(batch: Uint8Array): IterableIterator<DiskOrder> {
  const bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength);
  let at = 0;
  const number = (): number => {
    const value = bytes.readUInt32LE(at);
    at += 4;
    return value;
  };
  const run = (): Buffer => {
    const length = number();
    if (length === 0) return NO_BYTES;
    const value = bytes.subarray(at, at + length);
    at += length;
    return value;
  };
  while (at < bytes.length) {
    const kind = KINDS[number()];
    switch (kind) {
      case 'put':
        yield putIn(number, run);
        break;
      case 'chunk':
        yield { kind, key: run(), value: run() };
        break;
      case 'remove':
        yield { kind, reason: DISK_REMOVALS[number()] ?? 'replaced', key: run() };
        break;
      case 'remove-damaged':
        yield { kind, key: run(), seen: run() };
        break;
      case 'use':
        yield { kind, key: run() };
        break;
      case 'drop-body':
        yield { kind, chunks: number(), bodyId: run() };
        break;
      case 'orphan':
        yield { kind, bodyId: run() };
        break;
      case 'hot':
        yield { kind, list: run() };
        break;
      case 'clear':
      case 'mark':
        run();
        yield { kind };
        break;
      case undefined:
        throw new RangeError('a batch of orders is broken');
    }
  }
}

/** The body that a chunk belongs to. */
export function bodyOfChunk(key: Uint8Array): Uint8Array {
  return key.subarray(0, BODY_ID_BYTES);
}

/** How many orders are put into words in one turn: few where few wait, so that no request notices; more where they come faster. */
export function wordedAtOnce(waiting: number): number {
  const share = Math.ceil(waiting / DISK_WORDED_TURNS);
  return Math.min(MAX_DISK_WORDED_ORDERS, Math.max(MIN_DISK_WORDED_ORDERS, share));
}
