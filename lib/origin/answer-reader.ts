/**
 * Reads the answers of one connection to the origin, however their bytes are split. Implements RFC 9112 §4, §6, §7, §8
 * and RFC 9110 §15.2 on the client side: a state machine without input or output of its own.
 */
import { MAX_INTERIM_RESPONSES, MAX_RESPONSE_FIELDS_BYTES } from '../base/limits.js';
import { Fields } from '../http/fields.js';
import { splitList } from '../http/tokens.js';
import { codingFault, isBodiless } from './answer-head.js';
import { Chunked } from './chunked.js';
import type { OriginResponseHead } from './contract.js';
import type { AnswerProgress } from './failure.js';
import { reasonOf } from './field-names.js';
import { FieldSection } from './field-section.js';
import { Lines } from './lines.js';

/** Hears one answer: interim*, head, data*, then complete, or interim*, whole; refuse may come at any point before, and is the last then. */
export interface AnswerHandler {
  /** 100 too, but not 101. */
  interim(status: number, fields: Fields): void;
  head(head: OriginResponseHead): void;
  /** Content from `from` up to but not including `until`; the bytes are good until this returns. */
  data(bytes: Buffer, from: number, until: number): void;
  complete(trailers: Fields): void;
  /** Whether it hears an answer as a whole that is here at once. */
  readonly takesWhole: boolean;
  /** In the place of head, data and complete; the content as for data, also where there is none. */
  whole(head: OriginResponseHead, bytes: Buffer, from: number, until: number): void;
  /** The answer breaks the grammar, or a limit. */
  refuse(why: string): void;
}

type State = 'status' | 'fields' | 'length' | 'chunks' | 'close' | 'trailers' | 'complete' | 'stopped';

const PREFIX = Buffer.from('HTTP/1.', 'latin1');
const SPACE = 0x20;
const ZERO = 0x30;
/** Length of `HTTP/1.1 200`. */
const STATUS_END = 12;

export class AnswerReader {
  readonly #handler: AnswerHandler;
  readonly #lines = new Lines();
  readonly #section = new FieldSection();
  readonly #chunked = new Chunked(this.#lines);
  #state: State = 'stopped';
  #method = '';
  #progress: AnswerProgress = 'none';
  #interimCount = 0;
  #sectionBytes = 0;
  #minor = 1;
  #status = 0;
  #reason = '';
  #leftBytes = 0;
  #keepsAlive = false;
  #keepAliveMs: number | undefined;
  /** No content is told beyond the piece that is being told: read() leaves it. */
  isPaused = false;

  constructor(handler: AnswerHandler) {
    this.#handler = handler;
  }

  /** The next bytes answer a request with this method. */
  begin(method: string): void {
    this.#method = method;
    this.#progress = 'none';
    this.#interimCount = 0;
    this.isPaused = false;
    this.#beginHead();
  }

  #beginHead(): void {
    this.#state = 'status';
    this.#sectionBytes = 0;
    this.#lines.clear();
  }

  /** Tells nothing more. */
  stop(): void {
    this.#state = 'stopped';
    this.#lines.clear();
  }

  get progress(): AnswerProgress {
    return this.#progress;
  }

  /** Of a complete answer: whether another may follow it on its connection (RFC 9112 §9.3). */
  get keepsAlive(): boolean {
    return this.#keepsAlive;
  }

  /** For how long the origin keeps the connection without a request, where it says so. */
  get keepAliveMs(): number | undefined {
    return this.#keepAliveMs;
  }

  /** How much content is still to come; Infinity where only its end tells. */
  get expectedBytes(): number {
    if (this.#state === 'length') return this.#leftBytes;
    return this.#state === 'chunks' || this.#state === 'close' ? Number.POSITIVE_INFINITY : 0;
  }

  /**
   * Reads the bytes from `from` up to but not including `until`, which it may write over. Returns the position behind
   * what it took: less than all where the answer is complete or refused, or content must wait.
   */
  read(bytes: Buffer, from: number, until: number): number {
    let at = from;
    if (at < until && this.#progress === 'none' && this.#state === 'status') this.#progress = 'begun';
    while (at < until) {
      switch (this.#state) {
        case 'status':
        case 'fields':
        case 'trailers':
          at = this.#readLine(bytes, at, until);
          break;
        case 'length':
        case 'chunks':
        case 'close':
          if (this.isPaused) return at;
          at = this.#readContent(bytes, at, until);
          break;
        case 'complete':
        case 'stopped':
          return at;
      }
    }
    return at;
  }

  /** The connection ended cleanly. Returns whether that ends the answer (RFC 9112 §6.3, rule 8); else it is incomplete. */
  ended(): boolean {
    if (this.#state !== 'close') return false;
    this.#complete(Fields.empty);
    return true;
  }

  #readLine(bytes: Buffer, at: number, until: number): number {
    const lines = this.#lines;
    const next = lines.take(bytes, at, until);
    if (next < 0) {
      if (this.#sectionBytes + lines.heldBytes > MAX_RESPONSE_FIELDS_BYTES) this.#refuse('a head that is too large');
      else if (this.#state === 'status' && !mayBegin(lines.held)) this.#refuse('no status line');
      return until;
    }
    this.#sectionBytes += lines.until - lines.from;
    if (this.#sectionBytes > MAX_RESPONSE_FIELDS_BYTES) this.#refuse('a head that is too large');
    // RFC 9112 §2.2 lets a recipient take it for an end; one that does not would see another message here.
    else if (lines.isBare) this.#refuse('a line that ends with LF alone');
    else if (this.#state === 'status') this.#readStatus(lines.line, lines.from, lines.until);
    else if (lines.from === lines.until) return this.#endSection(bytes, next, until);
    else {
      const fault = this.#section.add(lines.line, lines.from, lines.until);
      if (fault !== undefined) this.#refuse(fault);
    }
    return next;
  }

  /** RFC 9112 §4. The blank before an empty reason phrase is often left out. */
  #readStatus(line: Buffer, from: number, until: number): void {
    const length = until - from;
    const minor = (line[from + 7] as number) - ZERO;
    const isOurs = length >= STATUS_END && startsWith(line, from, PREFIX.length) && minor >= 0 && minor <= 9;
    if (!isOurs || line[from + 8] !== SPACE || (length > STATUS_END && line[from + STATUS_END] !== SPACE)) {
      this.#refuse('no status line');
      return;
    }
    let status = 0;
    for (let at = from + 9; at < from + STATUS_END; at++) {
      const digit = (line[at] as number) - ZERO;
      status = digit >= 0 && digit <= 9 ? status * 10 + digit : Number.NaN;
    }
    // RFC 9110 §15: three digits of which the first is a class.
    if (!(status >= 100)) this.#refuse('a status that is none');
    else {
      this.#minor = minor;
      this.#status = status;
      this.#reason = length > STATUS_END + 1 ? reasonOf(line, from + STATUS_END + 1, until) : '';
      this.#section.begin();
      this.#state = 'fields';
    }
  }

  /** At the bytes behind it. Returns the position behind what else was taken. */
  #endSection(bytes: Buffer, at: number, until: number): number {
    if (this.#state === 'trailers') this.#complete(this.#section.takeFields());
    else {
      const fault = this.#headFault();
      if (fault !== undefined) this.#refuse(fault);
      else if (this.#status < 200) this.#endInterim();
      else return this.#endHead(bytes, at, until);
    }
    return at;
  }

  #headFault(): string | undefined {
    const { transferEncoding, contentLength } = this.#section;
    if (this.#status === 101) return 'an upgrade that was not asked for';
    if (Number.isNaN(contentLength)) return 'a length that is none';
    if (transferEncoding === undefined) return undefined;
    // HTTP/1.0 knows no transfer coding: its framing is faulty then (RFC 9112 §6.1).
    if (this.#minor === 0) return 'Transfer-Encoding in HTTP/1.0';
    return codingFault(transferEncoding, contentLength !== undefined);
  }

  #endInterim(): void {
    this.#interimCount++;
    if (this.#interimCount > MAX_INTERIM_RESPONSES) {
      this.#refuse('too many interim responses');
      return;
    }
    const fields = this.#section.takeFields();
    this.#beginHead();
    this.#handler.interim(this.#status, fields);
  }

  #endHead(bytes: Buffer, at: number, until: number): number {
    const { contentLength, isLengthListed } = this.#section;
    let fields = this.#section.takeFields();
    // RFC 9112 §6.3, rule 5: equal lengths are one, and go on as one.
    if (isLengthListed) fields = fields.set('Content-Length', String(contentLength));
    this.#progress = 'head';
    this.#chooseFraming();
    this.#judgeKeepAlive();
    const status = this.#status;
    const reasonPhrase = this.#reason;
    const head: OriginResponseHead =
      this.#minor > 0 ? { status, reasonPhrase, fields } : { status, reasonPhrase, fields, receivedVersion: '1.0' };
    const end = at + this.#leftBytes;
    if (this.#state === 'length' && end <= until && !this.isPaused && this.#handler.takesWhole) {
      this.#state = 'complete';
      this.#lines.clear();
      this.#handler.whole(head, bytes, at, end);
      return end;
    }
    const isBodiless = this.#state === 'length' && this.#leftBytes === 0;
    this.#handler.head(head);
    if (isBodiless && this.#state === 'length') this.#complete(Fields.empty);
    return at;
  }

  /** RFC 9112 §6.3. */
  #chooseFraming(): void {
    const { transferEncoding, contentLength } = this.#section;
    if (isBodiless(this.#method, this.#status)) {
      this.#state = 'length';
      this.#leftBytes = 0;
    } else if (transferEncoding?.toLowerCase() === 'chunked') {
      this.#state = 'chunks';
      this.#chunked.begin();
    } else if (transferEncoding === undefined && contentLength !== undefined) {
      this.#state = 'length';
      this.#leftBytes = contentLength;
    } else this.#state = 'close';
  }

  /**
   * RFC 9112 §9.3. A connection whose end is that of the body is good for no more, whatever it says. Nor, where the
   * answer to HEAD has no framing, is one whose end would be that of the same body: such an origin is closing it already.
   */
  #judgeKeepAlive(): void {
    const { connection, keepAlive, contentLength, transferEncoding } = this.#section;
    const isUnframed = this.#method === 'HEAD' && contentLength === undefined && transferEncoding === undefined;
    const isKept = connection === undefined ? this.#minor > 0 : isKeptBy(connection, this.#minor);
    this.#keepsAlive = isKept && this.#state !== 'close' && !(isUnframed && !isBodiless('GET', this.#status));
    this.#keepAliveMs = keepAlive === undefined ? undefined : timeoutOf(keepAlive);
  }

  #readContent(bytes: Buffer, at: number, until: number): number {
    if (this.#state === 'chunks') return this.#readChunks(bytes, at, until);
    const end = this.#state === 'close' ? until : Math.min(until, at + this.#leftBytes);
    this.#leftBytes -= end - at;
    this.#handler.data(bytes, at, end);
    if (this.#state === 'length' && this.#leftBytes === 0) this.#complete(Fields.empty);
    return end;
  }

  #readChunks(bytes: Buffer, at: number, until: number): number {
    const chunked = this.#chunked;
    const next = chunked.read(bytes, at, until);
    if (chunked.until > chunked.from) this.#handler.data(bytes, chunked.from, chunked.until);
    if (this.#state !== 'chunks') return next;
    if (chunked.fault !== undefined) this.#refuse(chunked.fault);
    else if (chunked.isOver) {
      this.#sectionBytes = 0;
      this.#section.begin();
      this.#state = 'trailers';
    }
    return next;
  }

  #complete(trailers: Fields): void {
    this.#state = 'complete';
    this.#lines.clear();
    this.#handler.complete(trailers);
  }

  #refuse(why: string): void {
    this.stop();
    this.#handler.refuse(why);
  }
}

function isKeptBy(connection: string, minor: number): boolean {
  const options = splitList(connection.toLowerCase());
  return !options.includes('close') && (minor > 0 || options.includes('keep-alive'));
}

function timeoutOf(keepAlive: string): number | undefined {
  const seconds = /(?:^|[,\s])timeout\s*=\s*(\d{1,9})/i.exec(keepAlive)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}

function startsWith(bytes: Buffer, from: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[from + i] !== PREFIX[i]) return false;
  return true;
}

/** Whether a status line may begin so: else no end of a line need be waited for. */
function mayBegin(held: Buffer): boolean {
  return startsWith(held, 0, Math.min(held.length, PREFIX.length));
}
