/** What waits to be written to disk, piece by piece. */
import type { StoredResponse } from '../object/stored.js';
import type { DiskRemoval } from '../observe/disk-meters.js';
import type { DiskOrder } from './disk-batch.js';

/** Bytes that an order takes beside what it carries. */
export const ORDER_BYTES = 200;

/** A response that waits to be written. */
export interface PutItem {
  readonly kind: 'put';
  readonly key: string;
  readonly recordKey: Buffer;
  stored: StoredResponse;
  readonly bytes: number;
  /** Where this is not written, what is there now is better than nothing. */
  readonly mayStay: boolean;
  /** A second try, after its body turned out not to be there. */
  readonly isAgain: boolean;
  /** Something later took its place. */
  isVoid: boolean;
  /** It is on its way, as it was then. */
  isSent: boolean;
  /** The number of the first of the orders that it stands for: it takes the place of those that were not sent. */
  readonly since: number;
}

/** A response to be queued; `bodyBytes`: what is to be written of its body. */
export type NewPut = Pick<PutItem, 'stored' | 'recordKey' | 'mayStay' | 'isAgain'> & { readonly bodyBytes: number };

/** A record that waits to be taken away. */
export interface GoneItem {
  readonly kind: 'gone';
  readonly key: string;
  readonly recordKey: Buffer;
  readonly reason: DiskRemoval;
  /** Where it is damaged: what was seen of it. */
  readonly seen: Uint8Array | undefined;
  isVoid: boolean;
  isSent: boolean;
  /** As for PutItem. */
  readonly since: number;
}

/** Any other order. */
export interface PlainItem {
  readonly kind: 'plain';
  readonly order: DiskOrder;
  readonly bytes: number;
  /** Told once whether it was written. */
  readonly over: ((isWritten: boolean) => void) | undefined;
  isVoid: boolean;
}

export type Item = PutItem | GoneItem | PlainItem;

/** Record keys as they are compared. */
export function placesOf(recordKeys: readonly Uint8Array[]): ReadonlySet<string> {
  return new Set(recordKeys.map((key) => Buffer.from(key).toString('latin1')));
}

export function bytesOf(item: Item): number {
  return item.kind === 'gone' ? ORDER_BYTES : item.bytes;
}

export function isSameBody(one: StoredResponse, other: StoredResponse): boolean {
  return one.body === other.body && one.partial === other.partial;
}
