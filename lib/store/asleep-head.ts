/**
 * What there is to know of a stored response beside its fields and its body, as bytes in memory, and what many responses
 * have in common, once for all of them. Not a record (lib/object/record.ts): no other process reads it, and it is read and
 * written ten times as fast.
 */

import { doubleAt } from '../base/bytes.js';
import { MAX_IN_SLAB_BYTES } from '../base/slab.js';
import type { Fields } from '../http/fields.js';
import type { Body } from '../object/body.js';
import { NO_BYTES } from '../object/chunks.js';
import { compactLife, instantsOf } from '../object/life.js';
import type { Mutable } from '../object/record.js';
import type { Life, Selection, StoredResponse } from '../object/stored.js';
import type { Common } from './asleep-terms.js';

/** The numbers of a head: eight instants of a life, in the order of instantsOf(), then those of the record. */
const BORN_AT = 0;
const STALE_AT = 1;
const GRACE_UNTIL = 2;
const OFFLINE_GRACE_UNTIL = 3;
const KEEP_UNTIL = 4;
const ERROR_UNTIL = 5;
const UNREACHABLE_UNTIL = 6;
const CEILING_AT = 7;
const INSTANTS = 8;
const FETCHED_AT = INSTANTS;
const RECEIVED_WALL = 9;
const RECEIVED_AT = 10;
const REQUESTED_AT = 11;
const CHANCE = 12;
const EXPIRED_AT = 13;
const NUMBERS = 14;
const NUMBER_BYTES = 8;

/** Length of the key, how many selecting fields there are, whether there is a made tag, which values are absent. */
const COUNTS_AT = NUMBERS * NUMBER_BYTES;
const TEXTS_AT = COUNTS_AT + 8;
/** Between texts behind the key: none of them holds it. */
const BETWEEN = '\n';
const BETWEEN_CODE = 10;
const NO_SELECTION: Selection = { names: [], values: [] };

/** Of the head that is written or read. NaN: absent. */
const numbers = new Float64Array(NUMBERS);
const numberBytes = new Uint8Array(numbers.buffer);

/** Bytes that the head takes; 0 where it cannot be kept so. */
export function headLength({ key, selection, madeTag }: StoredResponse): number {
  let length = TEXTS_AT + key.length + (madeTag === undefined ? 0 : madeTag.length);
  if (selection.names.length > 0) length += selectionText(selection).length;
  return length > MAX_IN_SLAB_BYTES ? 0 : length;
}

function selectionText({ names, values }: Selection): string {
  let text = '';
  for (const [at, name] of names.entries()) text += `${BETWEEN}${name}${BETWEEN}${values[at] ?? ''}`;
  return text;
}

/** Writes a head of headLength() bytes. False where it cannot be kept so; what was written then means nothing. */
export function writeHead(stored: StoredResponse, bytes: Buffer, at: number): boolean {
  const { key, selection, madeTag } = stored;
  const keyBytes = key.length;
  const textsAt = at + TEXTS_AT;
  for (let i = 0; i < keyBytes; i++) {
    const code = key.charCodeAt(i);
    if (code > 0xff) return false;
    bytes[textsAt + i] = code;
  }
  takeNumbers(stored);
  bytes.set(numberBytes, at);
  const nameCount = selection.names.length;
  const countsAt = at + COUNTS_AT;
  bytes[countsAt] = keyBytes & 0xff;
  bytes[countsAt + 1] = keyBytes >>> 8;
  bytes[countsAt + 2] = nameCount;
  bytes[countsAt + 3] = madeTag === undefined ? 0 : 1;
  const absent = nameCount === 0 ? 0 : absentIn(selection);
  bytes[countsAt + 4] = absent & 0xff;
  bytes[countsAt + 5] = (absent >>> 8) & 0xff;
  bytes[countsAt + 6] = (absent >>> 16) & 0xff;
  bytes[countsAt + 7] = absent >>> 24;
  if (nameCount === 0 && madeTag === undefined) return true;
  const rest = `${madeTag ?? ''}${selectionText(selection)}`;
  if (countBetween(rest) !== nameCount * 2) return false;
  bytes.write(rest, textsAt + keyBytes, 'latin1');
  return true;
}

/** A bit for each value that is absent. */
function absentIn({ names, values }: Selection): number {
  let absent = 0;
  for (let at = 0; at < names.length; at++) if (values[at] === undefined) absent |= 1 << at;
  return absent;
}

export function graceUntilIn(bytes: Buffer, at: number): number {
  return bytes.readDoubleLE(at + GRACE_UNTIL * NUMBER_BYTES);
}

export function keepUntilIn(bytes: Buffer, at: number): number {
  return bytes.readDoubleLE(at + KEEP_UNTIL * NUMBER_BYTES);
}

/** Whether the key is these two texts together. */
export function isHeadOfBoth(first: string, second: string, bytes: Buffer, at: number): boolean {
  const length = (bytes[at + COUNTS_AT] as number) | ((bytes[at + COUNTS_AT + 1] as number) << 8);
  if (length !== first.length + second.length) return false;
  const secondAt = at + TEXTS_AT + first.length;
  // Keys differ behind the origin more often than in it.
  return isTextAt(second, bytes, secondAt) && isTextAt(first, bytes, at + TEXTS_AT);
}

function isTextAt(text: string, bytes: Buffer, from: number): boolean {
  const { length } = text;
  for (let at = 0; at < length; at++) if (bytes[from + at] !== text.charCodeAt(at)) return false;
  return true;
}

/** Whether the head has the numbers of this record: no two records of a key have all of them in common but by chance. */
export function isHeadOfMoment(bytes: Buffer, at: number, stored: StoredResponse): boolean {
  takeNumbers(stored);
  for (let i = 0; i < COUNTS_AT; i++) if (bytes[at + i] !== numberBytes[i]) return false;
  return true;
}

function takeNumbers(stored: StoredResponse): void {
  // One by one: to set() numbers of an array takes a call out of compiled code.
  const instants = instantsOf(stored.life);
  for (let i = 0; i < INSTANTS; i++) numbers[i] = instants[i] as number;
  numbers[FETCHED_AT] = stored.fetchedAt;
  numbers[RECEIVED_WALL] = stored.receivedWall;
  numbers[RECEIVED_AT] = stored.receivedAt ?? Number.NaN;
  numbers[REQUESTED_AT] = stored.requestedAt ?? Number.NaN;
  numbers[CHANCE] = stored.chance ?? Number.NaN;
  numbers[EXPIRED_AT] = stored.expiredAt ?? Number.NaN;
}

export function hasSelection(bytes: Buffer, at: number): boolean {
  return bytes[at + COUNTS_AT + 2] !== 0;
}

/** The life in one head after another, read as far as somebody asks. */
export class LifeInHead implements Life {
  #bytes: Buffer = NO_BYTES;
  #at = 0;
  #common!: Common;

  in(bytes: Buffer, at: number, common: Common): this {
    this.#bytes = bytes;
    this.#at = at;
    this.#common = common;
    return this;
  }

  #number(index: number): number {
    return doubleAt(this.#bytes, this.#at + index * NUMBER_BYTES);
  }

  get bornAt(): number {
    return this.#number(BORN_AT);
  }

  get staleAt(): number {
    return this.#number(STALE_AT);
  }

  get graceUntil(): number {
    return this.#number(GRACE_UNTIL);
  }

  get offlineGraceUntil(): number {
    return this.#number(OFFLINE_GRACE_UNTIL);
  }

  get keepUntil(): number {
    return this.#number(KEEP_UNTIL);
  }

  get errorUntil(): number {
    return this.#number(ERROR_UNTIL);
  }

  get unreachableUntil(): number {
    return this.#number(UNREACHABLE_UNTIL);
  }

  get ceilingAt(): number {
    return this.#number(CEILING_AT);
  }

  get alwaysValidate(): boolean {
    return this.#common.alwaysValidate;
  }

  get validateByRule(): boolean {
    return this.#common.validateByRule;
  }

  get staleForbiddenBy(): Life['staleForbiddenBy'] {
    return this.#common.staleForbiddenBy;
  }

  get ttlSource(): Life['ttlSource'] {
    return this.#common.ttlSource;
  }
}

/** The response again. `key`: where that is known. */
export function readHead(
  bytes: Buffer,
  at: number,
  length: number,
  common: Common,
  fields: Fields,
  body: Body,
  key: string | undefined,
): StoredResponse {
  bytes.copy(numberBytes, 0, at, at + numberBytes.length);
  const textsAt = at + TEXTS_AT;
  const keyEnd = textsAt + bytes.readUInt16LE(at + COUNTS_AT);
  const nameCount = bytes[at + COUNTS_AT + 2] as number;
  const hasMadeTag = bytes[at + COUNTS_AT + 3] === 1;
  const rest = nameCount > 0 || hasMadeTag ? bytes.toString('latin1', keyEnd, at + length).split(BETWEEN) : NO_TEXTS;
  const { status, reasonPhrase, rule, madeBy, despite, pushed, receivedVersion } = common;
  const stored: Mutable<StoredResponse> = {
    key: key ?? bytes.toString('latin1', textsAt, keyEnd),
    selection: nameCount === 0 ? NO_SELECTION : selectionOf(rest, bytes.readInt32LE(at + COUNTS_AT + 4)),
    status,
    reasonPhrase,
    fields,
    body,
    partial: undefined,
    life: lifeOf(common),
    tags: undefined,
    madeTag: hasMadeTag ? rest[0] : undefined,
    expiredAt: known(numbers[EXPIRED_AT]),
    rule,
    madeBy,
    despite,
    fetchedAt: numbers[FETCHED_AT] as number,
    receivedWall: numbers[RECEIVED_WALL] as number,
  };
  // Where one of these is absent it stays so.
  const receivedAt = known(numbers[RECEIVED_AT]);
  const requestedAt = known(numbers[REQUESTED_AT]);
  const chance = known(numbers[CHANCE]);
  if (receivedAt !== undefined) stored.receivedAt = receivedAt;
  if (requestedAt !== undefined) stored.requestedAt = requestedAt;
  if (chance !== undefined) stored.chance = chance;
  if (pushed !== undefined) stored.pushed = pushed;
  if (receivedVersion !== undefined) stored.receivedVersion = receivedVersion;
  return stored;
}

const NO_TEXTS: readonly string[] = [];

function known(value: number | undefined): number | undefined {
  return value === undefined || Number.isNaN(value) ? undefined : value;
}

function selectionOf(rest: readonly string[], absent: number): Selection {
  const names: string[] = [];
  const values: (string | undefined)[] = [];
  for (let at = 1; at < rest.length; at += 2) {
    values.push((absent & (1 << names.length)) === 0 ? rest[at + 1] : undefined);
    names.push(rest[at] as string);
  }
  return { names, values };
}

function lifeOf({ alwaysValidate, validateByRule, staleForbiddenBy, ttlSource }: Common): Life {
  return compactLife({
    bornAt: numbers[BORN_AT] as number,
    staleAt: numbers[STALE_AT] as number,
    graceUntil: numbers[GRACE_UNTIL] as number,
    offlineGraceUntil: numbers[OFFLINE_GRACE_UNTIL] as number,
    keepUntil: numbers[KEEP_UNTIL] as number,
    errorUntil: numbers[ERROR_UNTIL] as number,
    unreachableUntil: numbers[UNREACHABLE_UNTIL] as number,
    ceilingAt: numbers[CEILING_AT] as number,
    alwaysValidate,
    validateByRule,
    staleForbiddenBy,
    ttlSource,
  });
}

/** How often a text holds what stands between texts; -1 where one byte is not enough for each character. */
function countBetween(text: string): number {
  let count = 0;
  const { length } = text;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0xff) return -1;
    if (code === BETWEEN_CODE) count++;
  }
  return count;
}
