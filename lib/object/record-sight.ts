/**
 * The record of a plain response, read where it lies: nothing is made of it but what its next reader asks for. For
 * what is sent once, as it stands, and kept by nobody.
 */
import { doubleAt, uint32At } from '../base/bytes.js';
import { NO_BYTES } from './chunks.js';
import {
  ALWAYS_VALIDATE,
  FORBIDDANCES,
  HAS,
  HAS_REQUESTED_AT,
  LIFE_INSTANTS,
  MAGIC,
  PREFIX_BYTES,
  RECORD_VERSION,
  SENDABLE,
  TTL_SOURCES,
  VALIDATE_BY_RULE,
} from './record.js';
import { TAIL_BYTES } from './record-bytes.js';
import type { Life, StaleForbiddance, TtlSource } from './stored.js';

const NUMBER_BYTES = 8;
/** No count has more groups of bits than that. */
const MAX_SCALE = 0x80 ** 8;
/** Places among the numbers: first the instants, in the order of instantsOf(). */
const [BORN_AT, STALE_AT, GRACE_UNTIL, OFFLINE_GRACE_UNTIL, KEEP_UNTIL, ERROR_UNTIL, UNREACHABLE_UNTIL, CEILING_AT] = [
  0, 1, 2, 3, 4, 5, 6, 7,
];
/** Behind the instants: when it was fetched, when that was by the wall clock, and the mark. */
const FETCHED_AT = LIFE_INSTANTS;
const MARK = LIFE_INSTANTS + 2;

/** One record after another: what was read is good until the next one is, and while its bytes are. */
export class RecordSight implements Life {
  bytes: Buffer = NO_BYTES;
  status = 0;
  bodyBytes = 0;
  /** Of the rule that gave the lifetimes (made-by.ts); 0: none. */
  mark = 0;
  /** From the reason phrase to the end of the last field line, as HTTP/1.1 writes them. */
  headFrom = 0;
  headUntil = 0;
  #bits = 0;
  #lifeAt = 0;
  #ttlSource = 0;
  #forbiddance = 0;
  /** Where the optional numbers end. */
  #moreEnd = 0;
  #at = 0;

  /**
   * Reads the record from `start` to `end`, of which a checksum has told that it is what was written. False where it is
   * of another version, is not about `key` with `rest` behind it, or is not plain: selected by a field, a part, or not to
   * be sent as it stands.
   */
  over(bytes: Buffer, start: number, end: number, key: string, rest: string): boolean {
    const tailAt = end - TAIL_BYTES;
    if (tailAt - start <= PREFIX_BYTES || bytes[start] !== MAGIC || bytes[start + 1] !== RECORD_VERSION) return false;
    this.bytes = bytes;
    this.#at = start + PREFIX_BYTES;
    this.#bits = this.#count();
    const isWide = bytes[tailAt + 6] !== 0;
    if ((this.#bits & SENDABLE) === 0 || isWide) return false;
    this.status = this.#count();
    this.bodyBytes = this.#count();
    this.#lifeAt = this.#at;
    this.#at = this.#lifeAt + (MARK + 1) * NUMBER_BYTES;
    this.mark = this.#number(MARK);
    for (const bit of OPTIONAL_NUMBERS) if ((this.#bits & bit) !== 0) this.#at += NUMBER_BYTES;
    this.#moreEnd = this.#at;
    this.#ttlSource = this.#count();
    this.#forbiddance = this.#count();
    return this.#findHead(start + uint32At(bytes, tailAt), key, rest);
  }

  /** The texts, of which only their lengths stand among the numbers. */
  #findHead(textsAt: number, key: string, rest: string): boolean {
    const length = this.#count();
    if (length !== key.length + rest.length) return false;
    let at = this.#behind(key, textsAt);
    if (at !== textsAt + key.length) return false;
    at = this.#behind(rest, at);
    if (at !== textsAt + length) return false;
    at += this.#count();
    if ((this.#bits & HAS.madeTag) !== 0) at += this.#count();
    const selecting = this.#count();
    this.headFrom = at;
    at += this.#count();
    // The number of lines.
    this.#count();
    this.headUntil = at + this.#count();
    return selecting === 0;
  }

  /** Where a text ends that stands there; -1 where another one does. */
  #behind(text: string, from: number): number {
    const { bytes } = this;
    const { length } = text;
    for (let at = 0; at < length; at++) if (bytes[from + at] !== text.charCodeAt(at)) return -1;
    return from + length;
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
    return (this.#bits & ALWAYS_VALIDATE) !== 0;
  }

  get validateByRule(): boolean {
    return (this.#bits & VALIDATE_BY_RULE) !== 0;
  }

  get ttlSource(): TtlSource {
    return TTL_SOURCES[this.#ttlSource] ?? 'none';
  }

  get staleForbiddenBy(): StaleForbiddance | undefined {
    return FORBIDDANCES[this.#forbiddance - 1];
  }

  get fetchedAt(): number {
    return this.#number(FETCHED_AT);
  }

  get requestedAt(): number | undefined {
    // The last of the optional numbers.
    return (this.#bits & HAS_REQUESTED_AT) === 0 ? undefined : doubleAt(this.bytes, this.#moreEnd - NUMBER_BYTES);
  }

  #number(index: number): number {
    return doubleAt(this.bytes, this.#lifeAt + index * NUMBER_BYTES);
  }

  #count(): number {
    const { bytes } = this;
    let value = 0;
    for (let scale = 1; scale < MAX_SCALE; scale *= 0x80) {
      const byte = bytes[this.#at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    return value;
  }
}

/** In the order in which they stand there. */
const OPTIONAL_NUMBERS = [HAS.expiredAt, HAS.receivedAt, HAS.chance, HAS_REQUESTED_AT] as const;
