/** What waits to be written to disk, piece by piece. */
import type { Clock } from '../base/clock.js';
import type { StoredResponse } from '../object/stored.js';
import type { DiskRemoval } from '../observe/disk-meters.js';
import type { BatchWriter, DiskOrder } from './disk-batch.js';
import type { DiskFailure, DiskPort, DiskReport } from './disk-contract.js';
import type { GatheringParts } from './disk-gathering.js';
import { isPlainKey, recordKey } from './disk-keys.js';

/** Bytes that an order takes beside what it carries. */
export const ORDER_BYTES = 200;

/** In place of the key of a record that cannot be read. */
export const UNREAD = '\0unread';

/** A response that waits to be written. */
export interface PutItem {
  readonly kind: 'put';
  readonly key: string;
  /** The record key, as placeOf() has it. */
  readonly place: string;
  /** Undefined where its words tell it: what waits is copied by each garbage collection meanwhile, so there is to be little of it. */
  stored: StoredResponse | undefined;
  /** The batch that its words are in, and where there; undefined: they do not tell all of it. */
  wordsIn: BatchWriter | undefined;
  wordsAt: number;
  readonly bytes: number;
  /** Where this is not written, what is there now is better than nothing. */
  readonly mayStay: boolean;
  /** A second try, after its body turned out not to be there. */
  readonly isAgain: boolean;
  /** Its body is written with it, whatever number that has. */
  readonly isWithBody: boolean;
  /** Something later took its place. */
  isVoid: boolean;
  /** It is in words, as it was then. */
  isWorded: boolean;
  /** The number of the first of the orders that it stands for: it takes the place of those that were not in words. */
  readonly since: number;
}

/** A response to be queued; `bodyBytes`: what is to be written of its body. */
export interface NewPut extends Pick<PutItem, 'place' | 'mayStay' | 'isAgain' | 'isWithBody'> {
  readonly stored: StoredResponse;
  readonly bodyBytes: number;
}

/** A record that waits to be taken away. */
export interface GoneItem {
  readonly kind: 'gone';
  readonly key: string;
  readonly place: string;
  readonly reason: DiskRemoval;
  /** Where it is damaged: what was seen of it. */
  readonly seen: Uint8Array | undefined;
  isVoid: boolean;
  isWorded: boolean;
  /** As for PutItem. */
  readonly since: number;
}

/** `mayStay`: that of `put`, as far as what waits in its place leaves it so. */
export function putItem(put: NewPut, mayStay: boolean, since: number): PutItem {
  const { stored, place, bodyBytes, isAgain, isWithBody } = put;
  return {
    kind: 'put',
    key: stored.key,
    place,
    stored,
    wordsIn: undefined,
    wordsAt: 0,
    bytes: bodyBytes + ORDER_BYTES,
    mayStay,
    isAgain,
    isWithBody,
    isVoid: false,
    isWorded: false,
    since,
  };
}

export function goneItem(
  key: string,
  place: string,
  reason: DiskRemoval,
  seen: Uint8Array | undefined,
  since: number,
): GoneItem {
  return { kind: 'gone', key, place, reason, seen, isVoid: false, isWorded: false, since };
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

/** A record key as it is compared. */
export function placeOf(recordKey: Uint8Array): string {
  return Buffer.from(recordKey.buffer, recordKey.byteOffset, recordKey.byteLength).toString('latin1');
}

/** The same of a response, of which no bytes are made where it is a byte for each character. */
export function placeFor({ key, selection }: StoredResponse): string {
  return isPlainKey(key, selection) ? `${key}\0` : placeOf(recordKey(key, selection));
}

/** The record key that placeOf() was asked for. */
export function recordKeyOf({ place }: Pick<PutItem, 'place'>): Buffer {
  return Buffer.from(place, 'latin1');
}

/** Why what stands in these places was not written; undefined where all of it was. */
export function leftIn({ bodiless, refused, outdated }: DiskReport): ReadonlyMap<string, Left> | undefined {
  if (bodiless.length + refused.length + outdated.length === 0) return undefined;
  const left = new Map<string, Left>();
  for (const recordKey of outdated) left.set(placeOf(recordKey), 'outdated');
  for (const recordKey of refused) left.set(placeOf(recordKey), 'full');
  for (const recordKey of bodiless) left.set(placeOf(recordKey), 'bodiless');
  return left;
}

type Left = 'bodiless' | 'full' | 'outdated';

export function bytesOf(item: Item): number {
  return item.kind === 'gone' ? ORDER_BYTES : item.bytes;
}

export function isSameBody(one: StoredResponse | undefined, other: StoredResponse): boolean {
  return one !== undefined && one.body === other.body && one.partial === other.partial;
}

/** What a queue is given. */
export interface QueueParts extends Pick<GatheringParts, 'encode' | 'overtaken'> {
  readonly port: DiskPort;
  readonly clock: Clock;
  /** Now, on the scale of what is on disk. */
  readonly now: () => number;
  /** It is not on disk, and nothing of it. */
  unwritten(item: PutItem, reason: 'failed' | 'full' | 'bodiless' | 'outdated'): void;
  /** A broken invariant: what it was to say cannot be said. */
  unwordable(item: Item, error: unknown): void;
  /** Whether the disk may have something under a record key. */
  mayHold(recordKey: Buffer): boolean;
  reported(report: DiskReport): void;
  /** `isNews`: the job before it was done. */
  failed(failure: DiskFailure, isNews: boolean): void;
  recovered(): void;
}
