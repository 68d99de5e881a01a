/**
 * A stored response as it lies in the tier that machines share: 40 digits by which the server compares, then the header
 * record of object/record with a note of where the body is. Whatever does not fit to the last bit is no record.
 */

import { askedAt } from '../object/asked-at.js';
import { Body } from '../object/body.js';
import { decodeRecord, encodeRecord } from '../object/record.js';
import { storedAround } from '../object/record-stored.js';
import type { Selection, StoredResponse } from '../object/stored.js';
import { INSTANT_DIGITS } from './shared-scripts.js';
import { digestOf } from './shared-table.js';
import { shifted, type Timed } from './shifted.js';

/** Where a body lies: its id is the digest of its bytes. */
export interface BodyPlace {
  readonly id: string;
  readonly bytes: number;
  /** Until when it lies there, on the server's clock. */
  readonly until: number;
}

export interface SharedRecord {
  /** On this machine's clock; its body is empty. */
  readonly response: StoredResponse;
  readonly place: BodyPlace;
  /** When what it answers was asked for, on the server's clock. */
  readonly askedAt: number;
}

const ID = /^[\w-]{22}$/;
const NO_SELECTION = 'all';

/** All of a primary key lies under this. */
export function nameOf(key: string): string {
  return digestOf(key);
}

/** Which of the responses of a key: by the request fields that select it. */
export function variantOf({ names, values }: Selection): string {
  if (names.length === 0) return NO_SELECTION;
  return digestOf(JSON.stringify([names, values.map((value) => value ?? null)]));
}

export function encodeShared(stored: StoredResponse, place: BodyPlace, offsetMs: number): Buffer {
  const there = byOtherClock(stored, offsetMs);
  const note = Buffer.from(`${place.id} ${place.bytes} ${Math.floor(place.until)}`);
  const digits = instantDigits(there.life.keepUntil) + instantDigits(askedAt(there));
  return Buffer.concat([Buffer.from(digits, 'latin1'), encodeRecord(there, note)]);
}

/** Two machines differ in their wall clocks too. */
function byOtherClock<S extends Timed>(stored: S, byMs: number): S {
  return { ...shifted(stored, byMs), receivedWall: stored.receivedWall + byMs };
}

function instantDigits(ms: number): string {
  return Math.max(0, ms).toFixed(3).padStart(INSTANT_DIGITS, '0');
}

/** Undefined where it is damaged, of another version, or about another key than it lies under. */
export function decodeShared(bytes: Buffer, name: string, offsetMs: number): SharedRecord | undefined {
  const { head } = decodeRecord(bytes.subarray(2 * INSTANT_DIGITS));
  if (head === undefined || head.parts !== undefined || nameOf(head.key) !== name) return undefined;
  const [id = '', size, until] = head.note.toString('latin1').split(' ');
  if (!ID.test(id) || Number(size) !== head.bodyBytes || !Number.isFinite(Number(until))) return undefined;
  const digits = instantDigits(head.life.keepUntil) + instantDigits(askedAt(head));
  if (bytes.toString('latin1', 0, 2 * INSTANT_DIGITS) !== digits) return undefined;
  return {
    response: storedAround(byOtherClock(head, -offsetMs), Body.empty),
    place: { id, bytes: head.bodyBytes, until: Number(until) },
    askedAt: askedAt(head),
  };
}
