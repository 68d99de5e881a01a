/**
 * A reply as bytes in one piece, without a text of its head and without a buffer of its own: for what is asked for so
 * seldom that nothing of it is worth keeping. A stored section goes from its slab to here as it is. What this does not know to
 * write is left to plainHead() of reply-head.ts, which says the same (test/front/reply-bytes.test.ts compares the two).
 */
import { putNumber } from '../base/bytes.js';
import { ONE_BUFFER_BYTES } from '../base/limits.js';
import { MAX_ONE_PIECE_BYTES } from '../base/ready-limits.js';
import { Views } from '../base/views.js';
import type { BytesHeld, HitLines, Reply } from '../engine/contract.js';
import { isContentSumIn } from '../http/content-sums.js';
import { BETWEEN_CODE, type Fields, FollowedFields, type RawFields } from '../http/fields.js';
import { isFramingIn, isNameIn } from '../http/lines.js';
import { IN_NAME, IN_VALUE, OCTETS } from '../http/octets.js';
import type { ByteRange } from '../http/ranges.js';

/** It cannot be written here: it has no room, or a line that takes more than to be copied. */
const NOT_HERE = -1;

/** Lines that are kept in case the next reply says them too. */
const MAX_KNOWN_LINES_BYTES = 512;
const NO_LINES: RawFields = [];

const COLON = 0x3a;
const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;

export class ReplyBytes {
  #bytes = Buffer.allocUnsafeSlow(MAX_ONE_PIECE_BYTES);
  #views = new Views(this.#bytes);
  #debugHeader: string | undefined;
  /** In lower case. */
  #debugName = '';
  /** The lines that were written last, and their bytes. */
  #linesOf = NO_LINES;
  #linesLength = 0;
  readonly #lineBytes = new Uint8Array(MAX_KNOWN_LINES_BYTES);

  /**
   * Head and body; undefined where it is not for here. What it gave is good until the next call, or, once it is lent, for
   * good. `isLast`: the connection ends behind it.
   */
  of(reply: Reply, isHead: boolean, debugHeader: string | undefined, isLast: boolean): Buffer | undefined {
    const { payload, fields, status } = reply;
    this.#heed(debugHeader);
    if (!(fields instanceof FollowedFields) || payload.kind === 'reader' || status === 204) return undefined;
    const hasBody = payload.kind === 'bytes' && !isHead;
    // Without content there is none to leave out: the store gives none to HEAD.
    if (hasBody ? status === 304 : payload.kind !== 'none' || !(isHead || status === 304)) return undefined;
    if (hasBody && payload.length > ONE_BUFFER_BYTES) return undefined;
    const length = hasBody ? String(payload.length) : isHead ? toldLength(fields) : undefined;
    let at = this.#statusLine(status, reply.reasonPhrase);
    at = this.#section(fields.base, at);
    at = this.#lines(
      fields.behind,
      isHead && length !== undefined ? fields.behind.length - 2 : fields.behind.length,
      at,
    );
    if (length !== undefined) at = this.#line('Content-Length', length, at);
    if (debugHeader !== undefined) at = this.#line(debugHeader, reply.note.outcome, at);
    if (isLast) at = this.#line('Connection', 'close', at);
    at = this.#end(at);
    if (at === NOT_HERE) return undefined;
    return hasBody ? this.#withBody(at, payload.chunks, payload.length) : this.#views.until(at);
  }

  /** A reply to GET of the parts that memory holds; else as of(). */
  held(held: BytesHeld, debugHeader: string | undefined, outcome: string): Buffer | undefined {
    const { sight, part, bodyBytes } = held;
    if (bodyBytes > ONE_BUFFER_BYTES) return undefined;
    const at = this.#headOfHeld(held, debugHeader, outcome);
    if (at === NOT_HERE || at + bodyBytes > MAX_ONE_PIECE_BYTES) return undefined;
    const { slab } = sight;
    if (slab !== undefined) {
      const bodyFrom = sight.bodyFrom + (part === undefined ? 0 : part.from);
      this.#bytes.set(slab.subarray(bodyFrom, bodyFrom + bodyBytes), at);
    } else if (part !== undefined) this.#putPart(sight.chunks, part, at);
    else return this.#withBody(at, sight.chunks, bodyBytes);
    return this.#views.until(at + bodyBytes);
  }

  /** The head of it alone, where the body lies in chunks. */
  headOfHeld(held: BytesHeld, debugHeader: string | undefined, outcome: string): Buffer | undefined {
    if (held.sight.slab !== undefined) return undefined;
    const at = this.#headOfHeld(held, debugHeader, outcome);
    return at === NOT_HERE ? undefined : this.#views.until(at);
  }

  #headOfHeld(
    { sight, status, reasonPhrase, part, bodyBytes, ageSec, ttlSec, lines }: BytesHeld,
    debugHeader: string | undefined,
    outcome: string,
  ): number {
    this.#heed(debugHeader);
    let at = this.#statusLine(status, reasonPhrase);
    at = this.#packed(sight.section, sight.sectionFrom, sight.sectionUntil, at, part !== undefined);
    at = this.#hitLines(lines, ageSec, ttlSec, at);
    if (part !== undefined) at = this.#contentRange(part, sight.bodyBytes, at);
    at = this.#text('Content-Length: ', at);
    at = this.#end(this.#number(bodyBytes, at));
    if (debugHeader !== undefined) at = this.#line(debugHeader, outcome, at);
    return this.#end(at);
  }

  /** A head with the body behind it; undefined where that is too much for one piece. */
  joined(head: Buffer, chunks: readonly Buffer[], length: number): Buffer | undefined {
    if (head.length + length > MAX_ONE_PIECE_BYTES || length > ONE_BUFFER_BYTES) return undefined;
    this.#bytes.set(head, 0);
    return this.#withBody(head.length, chunks, length);
  }

  /** What was given last is on its way still: it must stay as it is. */
  lend(): void {
    this.#bytes = Buffer.allocUnsafeSlow(MAX_ONE_PIECE_BYTES);
    this.#views = new Views(this.#bytes);
  }

  #heed(debugHeader: string | undefined): void {
    if (debugHeader === this.#debugHeader) return;
    this.#debugName = debugHeader?.toLowerCase() ?? '';
    this.#debugHeader = debugHeader;
    // A line of that name is left out.
    this.#linesOf = NO_LINES;
  }

  #statusLine(status: number, reasonPhrase: string): number {
    let at = this.#text('HTTP/1.1 ', 0);
    at = this.#number(status, at);
    this.#bytes[at++] = SPACE;
    return this.#end(this.#text(reasonPhrase, at));
  }

  #hitLines({ via, beforeTtl, behindTtl }: HitLines, ageSec: number, ttlSec: number, from: number): number {
    let at = this.#end(this.#number(ageSec, this.#text('Age: ', from)));
    at = this.#end(this.#text(via, this.#text('Via: ', at)));
    at = this.#text(beforeTtl, this.#text('Cache-Status: ', at));
    return this.#end(this.#text(behindTtl, this.#number(ttlSec, at)));
  }

  /** The line of contentRange() in policy/range.ts. */
  #contentRange({ from, until }: ByteRange, totalBytes: number, start: number): number {
    let at = this.#number(from, this.#text('Content-Range: bytes ', start));
    at = this.#number(until - 1, this.#text('-', at));
    return this.#end(this.#number(totalBytes, this.#text('/', at)));
  }

  /** What sliceChunks() gives, without views of it. */
  #putPart(chunks: readonly Buffer[], { from, until }: ByteRange, start: number): void {
    let before = 0;
    for (const chunk of chunks) {
      const end = before + chunk.length;
      const first = Math.max(from, before);
      if (first < end && first < until) {
        chunk.copy(this.#bytes, start + first - from, first - before, Math.min(until, end) - before);
      }
      if (end >= until) return;
      before = end;
    }
  }

  #withBody(from: number, chunks: readonly Buffer[], length: number): Buffer | undefined {
    if (from + length > MAX_ONE_PIECE_BYTES) return undefined;
    let at = from;
    for (const chunk of chunks) {
      this.#bytes.set(chunk, at);
      at += chunk.length;
    }
    return this.#views.until(at);
  }

  /** The lines of a section. Each of these functions returns where it ends, or NOT_HERE, also where it is given that. */
  #section(fields: Fields, at: number): number {
    const { slab } = fields;
    if (slab === undefined) return this.#newLines(fields.raw, fields.raw.length, at);
    return this.#packed(slab.bytes, fields.slabAt, fields.slabAt + fields.packableBytes, at);
  }

  /** `isPart`: what is said of the whole content is left out. */
  #packed(from: Buffer, start: number, until: number, into: number, isPart = false): number {
    // A line grows by two bytes at most, and has two at least.
    if (into === NOT_HERE || into + (until - start) * 2 + MAX_REST_BYTES > MAX_ONE_PIECE_BYTES) return NOT_HERE;
    const bytes = this.#bytes;
    let at = into;
    for (let read = start; read < until; ) {
      const nameAt = at;
      let code = from[read++] as number;
      for (; code !== BETWEEN_CODE; code = from[read++] as number) {
        if (((OCTETS[code] as number) & IN_NAME) === 0 || read >= until) return NOT_HERE;
        bytes[at++] = code;
      }
      if (at === nameAt) return NOT_HERE;
      const isLeftOut = this.#isDebugHeader(nameAt, at) || (isPart && isContentSumIn(bytes, nameAt, at));
      if (isFramingIn(bytes, nameAt, at)) return NOT_HERE;
      bytes[at++] = COLON;
      bytes[at++] = SPACE;
      for (; read < until; read++) {
        code = from[read] as number;
        if (code === BETWEEN_CODE) break;
        if (((OCTETS[code] as number) & IN_VALUE) === 0) return NOT_HERE;
        bytes[at++] = code;
      }
      read++;
      bytes[at++] = CR;
      bytes[at++] = LF;
      // What a cache of the same name behind us said is not what happened here.
      if (isLeftOut) at = nameAt;
    }
    return at;
  }

  #lines(raw: RawFields, count: number, from: number): number {
    if (count > 0 && count === this.#linesOf.length && from !== NOT_HERE && this.#isSaidAgain(raw)) {
      return this.#sayAgain(from);
    }
    const until = this.#newLines(raw, count, from);
    this.#note(raw, count, from, until);
    return until;
  }

  #isSaidAgain(raw: RawFields): boolean {
    const known = this.#linesOf;
    for (let i = 0; i < known.length; i++) if (raw[i] !== known[i]) return false;
    return true;
  }

  #sayAgain(from: number): number {
    const bytes = this.#bytes;
    const lines = this.#lineBytes;
    const length = this.#linesLength;
    if (from + length + MAX_REST_BYTES > MAX_ONE_PIECE_BYTES) return NOT_HERE;
    for (let i = 0; i < length; i++) bytes[from + i] = lines[i] as number;
    return from + length;
  }

  /** What one reply says behind what is stored, the next often says as well. */
  #note(raw: RawFields, count: number, from: number, until: number): void {
    const length = until - from;
    this.#linesOf = until === NOT_HERE || length > MAX_KNOWN_LINES_BYTES ? NO_LINES : raw.slice(0, count);
    if (this.#linesOf.length === 0) return;
    for (let i = 0; i < length; i++) this.#lineBytes[i] = this.#bytes[from + i] as number;
    this.#linesLength = length;
  }

  #newLines(raw: RawFields, count: number, from: number): number {
    let at = from;
    for (let i = 0; i < count; i += 2) {
      const start = at;
      at = this.#line(raw[i] as string, raw[i + 1] as string, at);
      if (at === NOT_HERE) return NOT_HERE;
      const nameUntil = start + (raw[i] as string).length;
      if (isFramingIn(this.#bytes, start, nameUntil)) return NOT_HERE;
      if (this.#isDebugHeader(start, nameUntil)) at = start;
    }
    return at;
  }

  #line(name: string, value: string, from: number): number {
    let at = this.#text(name, from);
    if (at === NOT_HERE || at === from) return NOT_HERE;
    for (let i = from; i < at; i++) if (((OCTETS[this.#bytes[i] as number] as number) & IN_NAME) === 0) return NOT_HERE;
    this.#bytes[at++] = COLON;
    this.#bytes[at++] = SPACE;
    at = this.#text(value, at);
    return this.#end(at);
  }

  #text(text: string, from: number): number {
    const { length } = text;
    if (from === NOT_HERE || from + length + MAX_REST_BYTES > MAX_ONE_PIECE_BYTES) return NOT_HERE;
    const bytes = this.#bytes;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0xff || ((OCTETS[code] as number) & IN_VALUE) === 0) return NOT_HERE;
      bytes[from + i] = code;
    }
    return from + length;
  }

  #number(value: number, at: number): number {
    return at === NOT_HERE ? NOT_HERE : putNumber(this.#bytes, value, at);
  }

  #end(at: number): number {
    if (at === NOT_HERE) return NOT_HERE;
    this.#bytes[at] = CR;
    this.#bytes[at + 1] = LF;
    return at + 2;
  }

  #isDebugHeader(from: number, until: number): boolean {
    return (
      this.#debugName.length === until - from &&
      this.#debugHeader !== undefined &&
      isNameIn(this.#bytes, from, this.#debugName)
    );
  }
}

/** The Content-Length that a reply to HEAD says last of all, where the store knows it. */
function toldLength({ behind }: FollowedFields): string | undefined {
  return behind[behind.length - 2] === 'Content-Length' ? behind[behind.length - 1] : undefined;
}

/** Room that is left behind every text: for the end of a head. */
const MAX_REST_BYTES = 128;
