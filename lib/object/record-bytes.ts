/**
 * Numbers and texts as the bytes of a record: numbers in their order, and all texts as one run behind them, so that both
 * ways the texts cost one copy.
 */

import { Views } from '../base/views.js';
import { BETWEEN_CODE } from '../http/fields.js';

const FIRST_BYTES = 512;
const NUMBER_BYTES = 8;
/** A count of up to 2^53 in groups of seven bits. */
const MAX_COUNT_BYTES = 8;
/** Lengths of the run of texts, of the note, and how the texts are written. */
export const TAIL_BYTES = 9;
const MAX_NOTE_BYTES = 0xffff;
const LINE_END = '\r\n';
const BEHIND_NAME = ': ';
/** In place of the length of a name, which is never 0 in the run of lines: this one stands behind it. */
const ASIDE = 0;
const COLON = 0x3a;
const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;

/** What is being written: one record at a time, so that only a finished one that is kept takes memory of its own. */
let scratch: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
let scratchViews = new Views(scratch);
/** Its texts, a byte for each character. */
let textScratch: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
let textScratchViews = new Views(textScratch);
const MAX_SCRATCH_BYTES = 64 * 1024;

/** Texts are written byte by byte: to join them first, and to have the whole written, took three times as long. */
export class RecordWriter {
  #bytes: Buffer = scratch;
  #at: number;
  #textBytes: Buffer = textScratch;
  #textAt = 0;
  /** All texts so far, where one of them has a character that is no byte: that is rare. */
  #wide: string | undefined;

  /** Leaves `prefixBytes` free in front. */
  constructor(prefixBytes: number) {
    this.#at = prefixBytes;
  }

  /** A whole number from 0 to 2^53 - 1. */
  count(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is no count`);
    this.#makeRoom(MAX_COUNT_BYTES);
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at++] = rest;
  }

  /** Any number, infinities included. */
  number(value: number): void {
    this.#makeRoom(NUMBER_BYTES);
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
  }

  text(value: string): void {
    this.count(value.length);
    this.#put(value);
  }

  texts(values: readonly string[]): void {
    this.count(values.length);
    for (const value of values) this.text(value);
  }

  /**
   * Field lines as HTTP/1.1 writes them, behind the end of the line before them: who sends them takes them as they are.
   * Those that `isAside` are texts behind that run, and no part of it.
   */
  lines(raw: readonly string[], isAside: (name: string) => boolean): void {
    let length = LINE_END.length;
    let asideCount = 0;
    for (let at = 0; at < raw.length; at += 2) {
      const [name, value] = [raw[at] as string, raw[at + 1] as string];
      if (name === '' || isAside(name)) asideCount++;
      else length += name.length + BEHIND_NAME.length + value.length + LINE_END.length;
    }
    this.count(raw.length >> 1);
    this.count(length);
    this.#makeTextRoom(length);
    this.#endLine();
    for (let at = 0; at < raw.length; at += 2) {
      const [name, value] = [raw[at] as string, raw[at + 1] as string];
      const isHere = asideCount === 0 || !(name === '' || isAside(name));
      if (!isHere) this.count(ASIDE);
      this.count(name.length);
      this.count(value.length);
      if (isHere) this.#line(name, value);
    }
    for (let at = 0; at < raw.length && asideCount > 0; at += 2) {
      const name = raw[at] as string;
      if (name !== '' && !isAside(name)) continue;
      this.#put(name);
      this.#put(raw[at + 1] as string);
    }
  }

  /** The same of a section that is packed there, and has so many lines, none of them aside. */
  section(packed: Buffer, from: number, until: number, lines: number): void {
    this.count(lines);
    // Behind a name stands one byte more than there, behind a value too, and behind the last value two.
    const length = LINE_END.length + (until - from) + (lines === 0 ? 0 : lines * 2 + 1);
    this.count(length);
    this.#makeTextRoom(length);
    this.#endLine();
    for (let at = from; at < until; at++) {
      const valueAt = this.#until(packed, at, until) + 1;
      const end = this.#until(packed, valueAt, until);
      this.count(valueAt - 1 - at);
      this.count(end - valueAt);
      if (this.#wide === undefined) this.#lineOf(packed, at, valueAt, end);
      else this.#line(packed.toString('latin1', at, valueAt - 1), packed.toString('latin1', valueAt, end));
      at = end;
    }
  }

  #until(packed: Buffer, from: number, until: number): number {
    let at = from;
    while (at < until && packed[at] !== BETWEEN_CODE) at++;
    return at;
  }

  /** There is room for it. */
  #lineOf(packed: Buffer, nameAt: number, valueAt: number, end: number): void {
    const bytes = this.#textBytes;
    let at = this.#textAt;
    for (let from = nameAt; from < valueAt - 1; from++) bytes[at++] = packed[from] as number;
    bytes[at++] = COLON;
    bytes[at++] = SPACE;
    for (let from = valueAt; from < end; from++) bytes[at++] = packed[from] as number;
    this.#textAt = at;
    this.#endLine();
  }

  /** There is room for it. */
  #line(name: string, value: string): void {
    this.#put(name);
    if (this.#wide === undefined) {
      this.#textBytes[this.#textAt++] = COLON;
      this.#textBytes[this.#textAt++] = SPACE;
    } else this.#wide += BEHIND_NAME;
    this.#put(value);
    this.#endLine();
  }

  #endLine(): void {
    if (this.#wide === undefined) {
      this.#textBytes[this.#textAt++] = CR;
      this.#textBytes[this.#textAt++] = LF;
    } else this.#wide += LINE_END;
  }

  #put(text: string): void {
    if (this.#wide !== undefined) {
      this.#wide += text;
      return;
    }
    const { length } = text;
    this.#makeTextRoom(length);
    const bytes = this.#textBytes;
    const from = this.#textAt;
    for (let at = 0; at < length; at++) {
      const code = text.charCodeAt(at);
      if (code > 0xff) {
        this.#wide = bytes.toString('latin1', 0, from) + text;
        return;
      }
      bytes[from + at] = code;
    }
    this.#textAt = from + length;
  }

  /** The whole, `note` at its end, in bytes that are good until another is written. Nothing can be written after it. */
  finish(note: Uint8Array): Buffer {
    if (note.length > MAX_NOTE_BYTES) throw new RangeError(`a note of ${note.length} bytes is too long`);
    const wide = this.#wide;
    const textBytes = wide === undefined ? this.#textAt : wide.length * 2;
    const end = this.#at + textBytes + note.length;
    this.#makeRoom(end + TAIL_BYTES - this.#at);
    const whole = this.#bytes;
    if (wide === undefined) whole.set(viewIn(textScratchViews, this.#textBytes, textBytes), this.#at);
    else whole.write(wide, this.#at, 'utf16le');
    whole.set(note, this.#at + textBytes);
    whole.writeUInt32LE(this.#at, end);
    whole.writeUInt16LE(note.length, end + 4);
    whole[end + 6] = wide === undefined ? 0 : 1;
    // Two bytes in reserve.
    whole.writeUInt16LE(0, end + 7);
    this.#keepScratch();
    return viewIn(scratchViews, whole, end + TAIL_BYTES);
  }

  #keepScratch(): void {
    if (this.#bytes !== scratch && this.#bytes.length <= MAX_SCRATCH_BYTES) {
      scratch = this.#bytes;
      scratchViews = new Views(scratch);
    }
    if (this.#textBytes !== textScratch && this.#textBytes.length <= MAX_SCRATCH_BYTES) {
      textScratch = this.#textBytes;
      textScratchViews = new Views(textScratch);
    }
  }

  #makeRoom(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length) this.#bytes = grown(this.#bytes, this.#at, bytes);
  }

  #makeTextRoom(bytes: number): void {
    if (this.#textAt + bytes > this.#textBytes.length) this.#textBytes = grown(this.#textBytes, this.#textAt, bytes);
  }
}

/** The first bytes of a run, which `views` may be of. */
function viewIn(views: Views, bytes: Buffer, length: number): Buffer {
  return views.bytes === bytes ? views.until(length) : bytes.subarray(0, length);
}

/** With room for so many bytes behind those that are used. */
function grown(bytes: Buffer, used: number, more: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(Math.max(bytes.length * 2, used + more));
  bytes.copy(larger, 0, 0, used);
  return larger;
}

/** Reads what a RecordWriter wrote. What does not fit makes it unsound, and reads as nothing. */
export class RecordReader {
  readonly #bytes: Buffer;
  readonly #numbersEnd: number;
  readonly #texts: string;
  readonly #noteAt: number;
  readonly #noteEnd: number;
  #at: number;
  #textAt = 0;
  #isSound = true;

  private constructor(bytes: Buffer, from: number, numbersEnd: number, texts: string, noteAt: number, noteEnd: number) {
    this.#bytes = bytes;
    this.#at = from;
    this.#numbersEnd = numbersEnd;
    this.#texts = texts;
    this.#noteAt = noteAt;
    this.#noteEnd = noteEnd;
  }

  /** Undefined where the bytes are not laid out as they should be. They begin at `start`, what is to be read at `from`. */
  static over(bytes: Buffer, from: number, start = 0, until = bytes.length): RecordReader | undefined {
    const end = until - TAIL_BYTES;
    if (end < from) return undefined;
    const numbersEnd = start + bytes.readUInt32LE(end);
    const noteAt = end - bytes.readUInt16LE(end + 4);
    if (numbersEnd < from || numbersEnd > noteAt) return undefined;
    const texts =
      bytes[end + 6] === 1
        ? bytes.toString('utf16le', numbersEnd, noteAt)
        : bytes.toString('latin1', numbersEnd, noteAt);
    return new RecordReader(bytes, from, numbersEnd, texts, noteAt, end);
  }

  /** The same for who reads no texts. */
  static ofNumbers(bytes: Buffer, from: number): RecordReader | undefined {
    const end = bytes.length - TAIL_BYTES;
    if (end < from) return undefined;
    const numbersEnd = bytes.readUInt32LE(end);
    return numbersEnd < from || numbersEnd > end ? undefined : new RecordReader(bytes, from, numbersEnd, '', end, end);
  }

  /** Whether all that was read was there, and nothing else is. */
  get isSound(): boolean {
    return this.#isSound && this.#at === this.#numbersEnd && this.#textAt === this.#texts.length;
  }

  count(): number {
    const bytes = this.#bytes;
    if (this.#at < this.#numbersEnd) {
      const only = bytes[this.#at] as number;
      if (only < 0x80) {
        this.#at++;
        return only;
      }
    }
    let value = 0;
    let scale = 1;
    for (let read = 0; read < MAX_COUNT_BYTES && this.#at < this.#numbersEnd; read++) {
      const byte = bytes[this.#at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    this.#isSound = false;
    return 0;
  }

  number(): number {
    const at = this.#at;
    if (at + NUMBER_BYTES > this.#numbersEnd) {
      this.#isSound = false;
      return 0;
    }
    this.#at = at + NUMBER_BYTES;
    return this.#bytes.readDoubleLE(at);
  }

  text(): string {
    const from = this.#textAt;
    const end = from + this.count();
    if (end > this.#texts.length) {
      this.#isSound = false;
      return '';
    }
    this.#textAt = end;
    return this.#texts.slice(from, end);
  }

  /** The text where it is this one; undefined where it is another. */
  textLike(expected: string): string | undefined {
    const from = this.#textAt;
    this.#textAt = from + this.count();
    return this.#textAt - from === expected.length && this.#texts.startsWith(expected, from) ? expected : undefined;
  }

  /** The length of a list whose members take a byte each at least. */
  length(): number {
    const length = this.count();
    if (length <= this.#numbersEnd - this.#at) return length;
    this.#isSound = false;
    return 0;
  }

  texts(): string[] {
    const length = this.length();
    if (length === 0) return [];
    const texts = new Array<string>(length);
    for (let at = 0; at < length; at++) texts[at] = this.text();
    return texts;
  }

  /** Names and values in turn, of lines(). */
  lines(): string[] {
    const lines = this.length();
    let at = this.#textAt + LINE_END.length;
    const end = this.#textAt + this.count();
    this.#textAt = end;
    const raw = new Array<string>(lines * 2);
    for (let line = 0; line < lines; line++) {
      const length = this.count();
      if (length === ASIDE) {
        raw[line * 2] = this.text();
        raw[line * 2 + 1] = this.text();
      } else {
        const valueAt = at + length + BEHIND_NAME.length;
        const valueEnd = valueAt + this.count();
        raw[line * 2] = this.#texts.slice(at, at + length);
        raw[line * 2 + 1] = this.#texts.slice(valueAt, valueEnd);
        at = valueEnd + LINE_END.length;
      }
    }
    if (at !== end) this.#isSound = false;
    return raw;
  }

  /** A copy. */
  note(): Buffer {
    return Buffer.from(this.#bytes.subarray(this.#noteAt, this.#noteEnd));
  }
}
