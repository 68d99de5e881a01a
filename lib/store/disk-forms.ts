/** Forms of what goes to disk: how a record is told from another one, and how a body is cut. */

import { uint32At } from '../base/bytes.js';
import { DISK_INLINE_BODY_BYTES } from '../base/disk-limits.js';
import { markOf } from '../object/made-by.js';
import { encodedRecord } from '../object/record.js';
import type { Life, StoredResponse } from '../object/stored.js';
import { DISK_CHUNK_BYTES } from './disk-keys.js';
import { shifted } from './shifted.js';

/** The record of a response, its instants `skewMs` ahead. `bodyId`: of its body. */
export function recordOf(stored: StoredResponse, skewMs = 0, bodyId?: Uint8Array): Buffer {
  return Buffer.from(recordForNow(stored, skewMs, bodyId));
}

/** The same in bytes that are good until the next record is made. */
export function recordForNow(stored: StoredResponse, skewMs: number, bodyId?: Uint8Array): Buffer {
  return encodedRecord(skewMs === 0 ? stored : shifted(stored, skewMs), bodyId);
}

const LENGTHS = 2 ** 20;

/** By which a record is known again: its own checksum, which is of all that it says, and its length. One number keeps that shortest. */
export function checkOf(record: Uint8Array): number {
  return uint32At(record, 2) * LENGTHS + (record.length % LENGTHS);
}

/** Whether a body that is in memory is to stand with its record. */
export function isInline(bodyBytes: number): boolean {
  return bodyBytes <= DISK_INLINE_BODY_BYTES;
}

/** Bytes in pieces of the size of a chunk. */
export function cut(chunks: readonly Buffer[]): Buffer[] {
  const [only] = chunks;
  if (only !== undefined && chunks.length === 1 && only.length <= DISK_CHUNK_BYTES) return [only];
  const whole = Buffer.concat(chunks as Buffer[]);
  const pieces: Buffer[] = [];
  for (let at = 0; at < whole.length; at += DISK_CHUNK_BYTES) pieces.push(whole.subarray(at, at + DISK_CHUNK_BYTES));
  return pieces;
}

/** A member that is not listed does not compile. */
const LIFE: Readonly<Record<keyof Life, true>> = {
  bornAt: true,
  staleAt: true,
  graceUntil: true,
  offlineGraceUntil: true,
  keepUntil: true,
  errorUntil: true,
  unreachableUntil: true,
  ceilingAt: true,
  alwaysValidate: true,
  validateByRule: true,
  staleForbiddenBy: true,
  ttlSource: true,
};
const LIFE_MEMBERS = Object.keys(LIFE) as (keyof Life)[];

/** The same rule made the life anew, and made the same of it: nothing has to be written. */
export function isSameLife(one: StoredResponse, other: StoredResponse): boolean {
  if (one.fields !== other.fields || one.body !== other.body || one.rule !== other.rule) return false;
  if (markOf(one.madeBy) !== markOf(other.madeBy)) return false;
  if (one.receivedAt !== other.receivedAt || one.expiredAt !== other.expiredAt) return false;
  if (one.tags !== other.tags && JSON.stringify(one.tags) !== JSON.stringify(other.tags)) return false;
  const [mine, theirs] = [one.life, other.life];
  return mine === theirs || LIFE_MEMBERS.every((member) => mine[member] === theirs[member]);
}
