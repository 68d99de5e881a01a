/**
 * Takes the chunked coding off a body. Implements RFC 9112 §7.1: the grammar to the letter, extensions read over and
 * bounded. The content is moved together within the bytes that were read, so that many small chunks are one piece.
 */
import { MAX_CHUNK_EXTENSION_BYTES, MAX_CHUNK_LINE_BYTES } from '../base/origin-limits.js';
import type { Lines } from './lines.js';

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const SEMICOLON = 0x3b;
const DEL = 0x7f;

type State = 'size' | 'content' | 'cr' | 'lf' | 'last';

export class Chunked {
  readonly #lines: Lines;
  #state: State = 'size';
  #leftBytes = 0;
  #extensionBytes = 0;
  /** Where the content found by the last call lies in its bytes. */
  from = 0;
  until = 0;
  /** Why the coding is broken; undefined while it is not. */
  fault: string | undefined;

  constructor(lines: Lines) {
    this.#lines = lines;
  }

  begin(): void {
    this.#state = 'size';
    this.#extensionBytes = 0;
    this.fault = undefined;
  }

  /** The last chunk was read: trailers follow. */
  get isOver(): boolean {
    return this.#state === 'last';
  }

  /** Reads on from `at`. The position behind what was read: all, but where the last chunk or a fault came first. */
  read(bytes: Buffer, at: number, until: number): number {
    let next = at;
    this.from = at;
    this.until = at;
    while (next < until && this.#state !== 'last' && this.fault === undefined) {
      if (this.#state === 'content') next = this.#takeContent(bytes, next, until);
      else if (this.#state === 'size') next = this.#takeSize(bytes, next, until);
      else next = this.#takeEnd(bytes, next);
    }
    return next;
  }

  #takeContent(bytes: Buffer, at: number, until: number): number {
    const length = Math.min(this.#leftBytes, until - at);
    if (this.until === this.from) {
      this.from = at;
      this.until = at;
    } else bytes.copyWithin(this.until, at, at + length);
    this.until += length;
    this.#leftBytes -= length;
    if (this.#leftBytes === 0) this.#state = 'cr';
    return at + length;
  }

  /** The CRLF behind the content of a chunk. */
  #takeEnd(bytes: Buffer, at: number): number {
    const expected = this.#state === 'cr' ? CR : LF;
    if (bytes[at] !== expected) {
      this.fault = 'a chunk that is longer than its size';
      return at;
    }
    this.#state = this.#state === 'cr' ? 'lf' : 'size';
    return at + 1;
  }

  #takeSize(bytes: Buffer, at: number, until: number): number {
    const next = this.#lines.take(bytes, at, until);
    if (next < 0) {
      if (this.#lines.heldBytes > MAX_CHUNK_LINE_BYTES) this.fault = 'a chunk size line that is too long';
      return until;
    }
    this.fault = this.#readSize();
    return next;
  }

  #readSize(): string | undefined {
    const { line, from, until, isBare } = this.#lines;
    if (isBare) return 'a chunk size line that ends with LF alone';
    if (until - from > MAX_CHUNK_LINE_BYTES) return 'a chunk size line that is too long';
    let size = 0;
    let at = from;
    for (; at < until; at++) {
      const digit = hexDigit(line[at] as number);
      if (digit < 0) break;
      size = size * 16 + digit;
      if (size > Number.MAX_SAFE_INTEGER) return 'a chunk size beyond all numbers';
    }
    if (at === from) return 'a chunk size that is no number';
    const fault = this.#readExtension(line, at, until);
    if (fault !== undefined) return fault;
    this.#leftBytes = size;
    this.#state = size === 0 ? 'last' : 'content';
    return undefined;
  }

  /** RFC 9112 §7.1.1: what is not known is read over; blanks may only stand before a semicolon that is there. */
  #readExtension(line: Buffer, from: number, until: number): string | undefined {
    if (from === until) return undefined;
    this.#extensionBytes += until - from;
    if (this.#extensionBytes > MAX_CHUNK_EXTENSION_BYTES) return 'chunk extensions that are too long';
    let at = from;
    while (at < until && (line[at] === SPACE || line[at] === TAB)) at++;
    if (line[at] !== SEMICOLON || at === until) return 'a chunk size that is no number';
    for (; at < until; at++) {
      const byte = line[at] as number;
      if ((byte < SPACE && byte !== TAB) || byte === DEL) return 'a control byte in a chunk extension';
    }
    return undefined;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
