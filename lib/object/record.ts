/**
 * The header record of a stored response as bytes, for the tiers below memory: versioned, compact, checksummed. The body
 * is kept apart from it, so that a 304 rewrites these few hundred bytes alone.
 *
 * Whatever cannot be read for certain, be it damage or the work of another version, is no record: a miss, never an error.
 */
import { crc32 } from 'node:zlib';
import { Fields } from '../http/fields.js';
import { isFraming, isSendable, isValue, sendableLinesIn } from '../http/lines.js';
import { NO_BYTES } from './chunks.js';
import { compactLife, instantsOf } from './life.js';
import { markOf } from './made-by.js';
import { RecordReader, RecordWriter } from './record-bytes.js';
import {
  type Life,
  SAFETY_OVERRIDES,
  type Selection,
  type StaleForbiddance,
  type StoredResponse,
  type TtlSource,
} from './stored.js';

/** Of what is written now. A reader that meets another one leaves it alone: there is no guessing. */
export const RECORD_VERSION = 3;

/**
 * What becomes of each member of a stored response: `record`: it is written; `body`: it is kept apart; `mark`: it means
 * something to one process alone, and what other processes know it by is written. A member that is not listed does not compile.
 */
export const RECORD_MEMBERS: Readonly<Record<keyof StoredResponse, 'record' | 'body' | 'mark'>> = {
  key: 'record',
  selection: 'record',
  status: 'record',
  reasonPhrase: 'record',
  fields: 'record',
  body: 'body',
  partial: 'body',
  life: 'record',
  tags: 'record',
  pushed: 'record',
  receivedVersion: 'record',
  madeTag: 'record',
  expiredAt: 'record',
  rule: 'record',
  madeBy: 'mark',
  receivedAt: 'record',
  chance: 'record',
  despite: 'record',
  requestedAt: 'record',
  fetchedAt: 'record',
  receivedWall: 'record',
};

/** Where the bytes of a partial response belong. In the tiers below they stand one behind the other. */
export interface RecordParts {
  readonly totalBytes: number | undefined;
  /** Pairs of from and until, in order. */
  readonly runs: readonly (readonly [from: number, until: number])[];
}

/** All of a stored response but its bytes. */
export interface RecordHead extends Omit<StoredResponse, 'body' | 'partial' | 'madeBy'> {
  /** Bytes that are kept for it: of the body, or of its parts. */
  readonly bodyBytes: number;
  readonly parts: RecordParts | undefined;
  /** Of the rule that gave the lifetimes (made-by.ts); 0: none. */
  readonly mark: number;
  /** What the tier wrote beside it, such as where the body is. */
  readonly note: Buffer;
}

/** Why bytes are no record. */
export type UnreadableReason = 'short' | 'foreign' | 'version' | 'checksum' | 'malformed';

export type RecordReading =
  | { readonly head: RecordHead; readonly reason?: undefined }
  | { readonly head?: undefined; readonly reason: UnreadableReason };

/** Append only: what is stored names them by their place. */
export const TTL_SOURCES: readonly TtlSource[] = [
  'rule',
  'cdn-cache-control',
  'surrogate-control',
  's-maxage',
  'max-age',
  'expires',
  'heuristic',
  'default',
  'none',
];
export const FORBIDDANCES: readonly StaleForbiddance[] = [
  'must-revalidate',
  'proxy-revalidate',
  'no-cache',
  's-maxage',
];

/** First byte of each record. */
export const MAGIC = 0xc9;
/** Magic, version, checksum of all that follows. */
export const PREFIX_BYTES = 6;
/** As instantsOf() has them. */
export const LIFE_INSTANTS = 8;

/** Members that may be absent: one bit each. */
export const HAS = {
  partial: 1,
  tags: 2,
  pushed: 4,
  madeTag: 8,
  expiredAt: 16,
  receivedAt: 32,
  chance: 64,
  despite: 128,
};
export const HAS_REQUESTED_AT = 256;
export const ALWAYS_VALIDATE = 512;
export const VALIDATE_BY_RULE = 1024;
const PUSHED = 2048;
/** Its field lines may go out as they stand. */
export const SENDABLE = 4096;
/** It came by HTTP/1.0. */
const RECEIVED_1_0 = 8192;

/** The bytes of a complete response, in order: of its body, or of its parts. Undefined where they are not all in memory. */
export function recordChunks({ body, partial }: StoredResponse): readonly Buffer[] | undefined {
  return partial === undefined ? body.wholeChunks : partial.runs.flatMap((run) => run.chunks);
}

/** Whether they are. */
export function hasRecordChunks({ body, partial }: StoredResponse): boolean {
  return partial !== undefined || body.isHeldWhole;
}

/** How many bytes that are. */
export function recordBodyBytes({ body, partial }: StoredResponse): number {
  return partial?.heldBytes ?? body.receivedBytes;
}

/** Of two forms of one response the later truth is told by when it was asked for, then by an operator's word. */
export interface Standing {
  readonly askedAt: number;
  /** 0: no operator made it stale. */
  readonly expiredAt: number;
}

/** That of a record, without reading its texts; undefined where it cannot be read for certain. */
export function standingIn(bytes: Buffer): Standing | undefined {
  if (readingProblem(bytes) !== undefined) return undefined;
  const from = RecordReader.ofNumbers(bytes, PREFIX_BYTES);
  if (from === undefined) return undefined;
  const bits = from.count();
  for (let skipped = 0; skipped < 2; skipped++) from.count();
  for (let skipped = 0; skipped < LIFE_INSTANTS; skipped++) from.number();
  const fetchedAt = from.number();
  // When it was received by the wall clock, and the mark.
  for (let skipped = 0; skipped < 2; skipped++) from.number();
  const optional = (bit: number): number | undefined => ((bits & bit) === 0 ? undefined : from.number());
  const expiredAt = optional(HAS.expiredAt) ?? 0;
  optional(HAS.receivedAt);
  optional(HAS.chance);
  return { askedAt: optional(HAS_REQUESTED_AT) ?? fetchedAt, expiredAt };
}

export function isLaterStanding(one: Standing, other: Standing): boolean {
  if (one.askedAt !== other.askedAt) return one.askedAt > other.askedAt;
  return one.expiredAt > other.expiredAt;
}

/** The record of a response whose body is complete. `note`: what the tier wants to find beside it; at most 64 KB. */
export function encodeRecord(stored: StoredResponse, note: Uint8Array = NO_BYTES): Buffer {
  return Buffer.from(encodedRecord(stored, note));
}

/** The same in bytes that are good until the next record is encoded. */
export function encodedRecord(stored: StoredResponse, note: Uint8Array = NO_BYTES): Buffer {
  const to = new RecordWriter(PREFIX_BYTES);
  writeHead(to, stored);
  const bytes = to.finish(note);
  bytes[0] = MAGIC;
  bytes[1] = RECORD_VERSION;
  bytes.writeUInt32LE(crc32(bytes.subarray(PREFIX_BYTES)), 2);
  return bytes;
}

function writeHead(to: RecordWriter, stored: StoredResponse): void {
  const { life, selection, partial, tags, pushed, madeTag, expiredAt, receivedAt, chance, despite, requestedAt } =
    stored;
  let bits = life.alwaysValidate ? ALWAYS_VALIDATE : 0;
  if (life.validateByRule) bits |= VALIDATE_BY_RULE;
  if (partial !== undefined) bits |= HAS.partial;
  if (tags !== undefined) bits |= HAS.tags;
  if (pushed !== undefined) bits |= HAS.pushed | (pushed ? PUSHED : 0);
  if (madeTag !== undefined) bits |= HAS.madeTag;
  if (expiredAt !== undefined) bits |= HAS.expiredAt;
  if (receivedAt !== undefined) bits |= HAS.receivedAt;
  if (chance !== undefined) bits |= HAS.chance;
  if (despite !== undefined) bits |= HAS.despite;
  if (requestedAt !== undefined) bits |= HAS_REQUESTED_AT;
  if (stored.receivedVersion !== undefined) bits |= RECEIVED_1_0;
  const { fields } = stored;
  const { slab, slabAt } = fields;
  const slabUntil = slab === undefined ? 0 : slabAt + fields.packableBytes;
  /** Of what is packed, and goes from there to here; -1: it is written line by line. */
  const lines = slab === undefined ? -1 : sendableLinesIn(slab.bytes, slabAt, slabUntil);
  const isPlain = partial === undefined && selection.names.length === 0 && stored.receivedVersion === undefined;
  const isSound = lines < 0 ? isSendable(stored.reasonPhrase, fields.raw) : isValue(stored.reasonPhrase);
  if (isPlain && isSound) bits |= SENDABLE;
  to.count(bits);
  to.count(stored.status);
  to.count(recordBodyBytes(stored));
  for (const instant of instantsOf(life)) to.number(instant);
  to.number(stored.fetchedAt);
  to.number(stored.receivedWall);
  to.number(markOf(stored.madeBy));
  if (expiredAt !== undefined) to.number(expiredAt);
  if (receivedAt !== undefined) to.number(receivedAt);
  if (chance !== undefined) to.number(chance);
  if (requestedAt !== undefined) to.number(requestedAt);
  to.count(TTL_SOURCES.indexOf(life.ttlSource));
  to.count(life.staleForbiddenBy === undefined ? 0 : FORBIDDANCES.indexOf(life.staleForbiddenBy) + 1);
  to.text(stored.key);
  to.text(stored.rule);
  if (madeTag !== undefined) to.text(madeTag);
  to.texts(selection.names);
  for (const value of selection.values) {
    to.count(value === undefined ? 0 : 1);
    if (value !== undefined) to.text(value);
  }
  to.text(stored.reasonPhrase);
  if (slab !== undefined && lines >= 0) to.section(slab.bytes, slabAt, slabUntil, lines);
  else to.lines(fields.raw, isFraming);
  if (tags !== undefined) to.texts(tags);
  if (despite !== undefined) to.count(SAFETY_OVERRIDES.reduce((sum, one, at) => sum + bitOf(despite, one, at), 0));
  if (partial !== undefined) {
    to.count(partial.totalBytes === undefined ? 0 : partial.totalBytes + 1);
    to.count(partial.runs.length);
    for (const { from, until } of partial.runs) {
      to.count(from);
      to.count(until);
    }
  }
}

function bitOf(among: readonly string[], one: string, at: number): number {
  return among.includes(one) ? 1 << at : 0;
}

/** Reads a record; where that cannot be done for certain, why. Keeps no reference to `bytes`. */
export function decodeRecord(bytes: Buffer): RecordReading {
  const reason = readingProblem(bytes);
  if (reason !== undefined) return { reason };
  const from = RecordReader.over(bytes, PREFIX_BYTES);
  const head = from === undefined ? undefined : readHead(from);
  if (head === undefined || from?.isSound !== true) return { reason: 'malformed' };
  return { head: Object.assign(head, { note: from.note() }) };
}

function readingProblem(bytes: Buffer): UnreadableReason | undefined {
  if (bytes.length <= PREFIX_BYTES) return 'short';
  if (bytes[0] !== MAGIC) return 'foreign';
  if (bytes[1] !== RECORD_VERSION) return 'version';
  return crc32(bytes.subarray(PREFIX_BYTES)) === bytes.readUInt32LE(2) ? undefined : 'checksum';
}

/**
 * Reads the record at `start` in `bytes`, of which another checksum has told that they are what was written, without its note; undefined where
 * it is not of this version, or is not about this key.
 */
export function readTrusted(
  bytes: Buffer,
  start: number,
  end: number,
  key: string,
): Omit<RecordHead, 'note'> | undefined {
  if (end - start <= PREFIX_BYTES || bytes[start] !== MAGIC || bytes[start + 1] !== RECORD_VERSION) return undefined;
  const from = RecordReader.over(bytes, start + PREFIX_BYTES, start, end);
  const head = from === undefined ? undefined : readHead(from, key);
  return from?.isSound === true ? head : undefined;
}

/** `about`: the key that it must have. */
function readHead(from: RecordReader, about?: string): Mutable<Omit<RecordHead, 'note'>> | undefined {
  const bits = from.count();
  const status = from.count();
  const bodyBytes = from.count();
  readInstants(from);
  const fetchedAt = from.number();
  const receivedWall = from.number();
  const mark = from.number();
  const expiredAt = (bits & HAS.expiredAt) === 0 ? undefined : from.number();
  const receivedAt = (bits & HAS.receivedAt) === 0 ? undefined : from.number();
  const chance = (bits & HAS.chance) === 0 ? undefined : from.number();
  const requestedAt = (bits & HAS_REQUESTED_AT) === 0 ? undefined : from.number();
  const life = lifeOf(bits, TTL_SOURCES[from.count()], from.count());
  const key = about === undefined ? from.text() : from.textLike(about);
  if (key === undefined) return undefined;
  const rule = from.text();
  const madeTag = (bits & HAS.madeTag) === 0 ? undefined : from.text();
  const selection = readSelection(from);
  const reasonPhrase = from.text();
  const fields = new Fields(from.lines());
  const tags = (bits & HAS.tags) === 0 ? undefined : from.texts();
  const despiteBits = (bits & HAS.despite) === 0 ? undefined : from.count();
  const parts = (bits & HAS.partial) === 0 ? undefined : readParts(from);
  if (life === undefined) return undefined;
  const head: Mutable<Omit<RecordHead, 'note'>> = {
    key,
    selection,
    status,
    reasonPhrase,
    fields,
    life,
    rule,
    fetchedAt,
    receivedWall,
    bodyBytes,
    parts,
    mark,
  };
  // Where a member is absent it stays so.
  if (receivedAt !== undefined) head.receivedAt = receivedAt;
  if (requestedAt !== undefined) head.requestedAt = requestedAt;
  if (chance !== undefined) head.chance = chance;
  if (tags !== undefined) head.tags = tags;
  if ((bits & HAS.pushed) !== 0) head.pushed = (bits & PUSHED) !== 0;
  if ((bits & RECEIVED_1_0) !== 0) head.receivedVersion = '1.0';
  if (madeTag !== undefined) head.madeTag = madeTag;
  if (expiredAt !== undefined) head.expiredAt = expiredAt;
  if (despiteBits !== undefined) head.despite = SAFETY_OVERRIDES.filter((_, at) => despiteBits & (1 << at));
  return head;
}

export type Mutable<T> = { -readonly [Member in keyof T]: T[Member] };

/** The selection of nearly every response: read often, never changed. */
const NO_SELECTION: Selection = { names: [], values: [] };

function readSelection(from: RecordReader): Selection {
  const names = from.texts();
  if (names.length === 0) return NO_SELECTION;
  return { names, values: names.map(() => (from.count() === 0 ? undefined : from.text())) };
}

/** In the order of instantsOf(), of the record that is being read. */
const instants = new Float64Array(LIFE_INSTANTS);

function readInstants(from: RecordReader): void {
  for (let at = 0; at < LIFE_INSTANTS; at++) instants[at] = from.number();
}

function lifeOf(bits: number, ttlSource: TtlSource | undefined, forbiddance: number): Life | undefined {
  const staleForbiddenBy = forbiddance === 0 ? undefined : FORBIDDANCES[forbiddance - 1];
  if (ttlSource === undefined || (forbiddance !== 0 && staleForbiddenBy === undefined)) return undefined;
  return compactLife({
    bornAt: instants[0] as number,
    staleAt: instants[1] as number,
    graceUntil: instants[2] as number,
    offlineGraceUntil: instants[3] as number,
    keepUntil: instants[4] as number,
    errorUntil: instants[5] as number,
    unreachableUntil: instants[6] as number,
    ceilingAt: instants[7] as number,
    alwaysValidate: (bits & ALWAYS_VALIDATE) !== 0,
    validateByRule: (bits & VALIDATE_BY_RULE) !== 0,
    staleForbiddenBy,
    ttlSource,
  });
}

function readParts(from: RecordReader): RecordParts {
  const total = from.count();
  const runs = Array.from({ length: from.length() }, () => [from.count(), from.count()] as const);
  return { totalBytes: total === 0 ? undefined : total - 1, runs };
}
