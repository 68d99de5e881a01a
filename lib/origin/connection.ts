/**
 * One connection to the origin, with one exchange at a time: a request goes out, its answer is read at the pace of whoever hears it.
 * Implements RFC 9112 §8, §9.3 on the client side. Timeouts are ours, on the Clock, for they must not run while the
 * reader has paused, and must say which kind they were.
 */
import type { Socket } from 'node:net';
import { OriginError, stackOf } from '../base/errors.js';
import { ORIGIN_KEEP_ALIVE_MS } from '../base/limits.js';
import { ORIGIN_KEEP_ALIVE_MARGIN_MS } from '../base/origin-limits.js';
import type { Fields } from '../http/fields.js';
import { NO_BYTES } from '../object/chunks.js';
import type { Events } from '../observe/events.js';
import { type AnswerHandler, AnswerReader } from './answer-reader.js';
import type { OriginListener, OriginRequest, OriginResponseHead } from './contract.js';
import { Dialled, type DialledOptions } from './dialled.js';
import { closedEarly, exchangeFailure, malformed } from './failure.js';
import { writeRequestHead } from './request-head.js';
import { writeStraight } from './straight.js';

/** Hears one exchange. After `ended`, `whole` or `failed` only `free` follows; it always comes, and comes last. */
export interface ExchangeListener {
  inform(status: number, fields: Fields): void;
  head(head: OriginResponseHead): void;
  readonly data: OriginListener['data'];
  readonly takesWhole: boolean;
  /** The content is good until this returns. */
  whole(head: OriginResponseHead, content: Buffer): void;
  ended(trailers: Fields): void;
  failed(error: OriginError, isRepeatable: boolean): void;
  /** The connection can take the next request. */
  free(): void;
}

export interface ConnectionOptions extends DialledOptions {
  readonly url: URL;
  readonly events: Events;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

/** A request that waits for the connection to be there. */
interface Unsent {
  readonly head: string;
  readonly request: OriginRequest;
}

export class OriginConnection extends Dialled implements AnswerHandler {
  readonly #options: ConnectionOptions;
  readonly #host: string;
  readonly #reader = new AnswerReader(this);
  /** Requests sent on the present socket. */
  #sentCount = 0;
  /** The running exchange. */
  #listener: ExchangeListener | undefined;
  #unsent: Unsent | undefined;
  #isReused = false;
  /** The kernel did not take all of a head that was written past the stream. */
  #isUnfinished = false;
  /** The request said that the connection closes after its answer. */
  #isLast = false;
  /** The reader of the answer is at work, further up the stack. */
  #isReading = false;
  /** What was read and must wait until the listener resumes. */
  #held: Buffer | undefined;
  /** How the socket ended while that waited. */
  #heldEnd: 'clean' | Error | undefined;

  constructor(options: ConnectionOptions) {
    super(options);
    this.#options = options;
    this.#host = options.url.host;
  }

  get expectedBytes(): number {
    return this.#reader.expectedBytes;
  }

  /** Sends one request; the one before must have told `free`. */
  send(request: OriginRequest, listener: ExchangeListener): void {
    this.#listener = listener;
    this.#reader.begin(request.method);
    // An old connection takes one last request, so that the name is looked up anew.
    const now = this.clock.steady();
    this.#isLast = this.isOld(now);
    const head = writeRequestHead(request, this.#host, this.#isLast);
    if (head === undefined) this.#refuseRequest(listener);
    else if (this.isOpen) this.#write(head, request, now);
    else {
      this.#unsent = { head, request };
      this.unlimit();
      // Not from within fetch(): what gives up at once costs no connection, and what began it may still move the clock.
      queueMicrotask(() => {
        if (this.#unsent !== undefined && this.socket === undefined) this.dial();
      });
    }
  }

  #refuseRequest(listener: ExchangeListener): void {
    this.#listener = undefined;
    queueMicrotask(() => {
      listener.failed(new OriginError('origin-aborted', 'the request cannot be written to the origin'), false);
      listener.free();
    });
  }

  protected opened(now: number): void {
    this.#sentCount = 0;
    const unsent = this.#unsent;
    this.#unsent = undefined;
    if (unsent !== undefined) this.#write(unsent.head, unsent.request, now);
    else this.#rest();
  }

  #write(head: string, request: OriginRequest, now: number): void {
    const socket = this.socket as Socket;
    this.#isReused = this.#sentCount++ > 0;
    this.limit(this.#options.headersTimeoutMs, now);
    if (request.content === undefined || request.content.length === 0) {
      // Over TLS no write is over when it returns.
      const went = this.isSecure ? 'not' : writeStraight(socket, head);
      if (went === 'not') socket.write(head, 'latin1');
      else this.#isUnfinished = went === 'begun';
      return;
    }
    socket.cork();
    socket.write(head, 'latin1');
    socket.write(request.content);
    socket.uncork();
  }

  /** The deadline has passed. */
  expire(): void {
    this.unlimit();
    const { headersTimeoutMs, idleTimeoutMs } = this.#options;
    if (this.#listener === undefined) this.drop();
    else if (this.#reader.progress === 'head')
      this.fail(new OriginError('origin-idle-timeout', `the origin sent nothing for ${idleTimeoutMs} ms`));
    else
      this.fail(new OriginError('origin-headers-timeout', `the origin did not answer within ${headersTimeoutMs} ms`));
  }

  /** No request runs: the connection waits for the next one. */
  #rest(): void {
    const hint = this.#reader.keepAliveMs;
    // The origin counts from earlier than we do, and must not close just as a request is on its way (RFC 9112 §9.3).
    const ms = hint === undefined ? ORIGIN_KEEP_ALIVE_MS : hint - ORIGIN_KEEP_ALIVE_MARGIN_MS;
    if (ms > 0) this.limit(Math.min(ms, ORIGIN_KEEP_ALIVE_MS));
    else this.drop();
  }

  take(bytes: Buffer, length: number): boolean {
    const socket = this.socket;
    try {
      // Bytes that nobody asked for can be no answer to whom asks next (RFC 9112 §9.3).
      if (this.#listener === undefined) this.drop();
      else if (this.#held !== undefined) this.#held = Buffer.concat([this.#held, bytes.subarray(0, length)]);
      else this.#read(bytes, length);
    } catch (error) {
      this.#faulted(error);
    }
    return socket === this.socket && !this.#holdsBack();
  }

  /** A broken invariant, here or where the answer is heard, ends this exchange and no other. */
  #faulted(error: unknown): void {
    this.#isReading = false;
    const { events } = this.#options;
    try {
      events.notice('error', 'internal', 'An answer could not be read', { error: stackOf(error) });
      this.fail(new OriginError('origin-aborted', 'the proxy failed on the answer of the origin', { cause: error }));
    } catch (further) {
      events.notice('error', 'internal', 'Nor could that be told', { error: stackOf(further) });
    }
  }

  /** Nothing more may be read: the listener has paused, and has its head. */
  #holdsBack(): boolean {
    return this.#reader.isPaused && this.#reader.progress === 'head';
  }

  #read(bytes: Buffer, length: number): void {
    const socket = this.socket;
    this.#isReading = true;
    const at = this.#reader.read(bytes, 0, length);
    this.#isReading = false;
    if (at === length || socket !== this.socket) return;
    if (this.#listener === undefined) this.drop();
    else this.#held = this.intake.keep(bytes, at, length);
  }

  interim(status: number, fields: Fields): void {
    this.limit(this.#options.headersTimeoutMs);
    // RFC 9110 §15.2.1: a 100 speaks to who waits with its content, and nobody does.
    if (status !== 100) this.#listener?.inform(status, fields);
  }

  head(head: OriginResponseHead): void {
    if (this.#reader.isPaused) this.unlimit();
    else this.limit(this.#options.idleTimeoutMs);
    this.#listener?.head(head);
  }

  data(bytes: Buffer, from: number, until: number): void {
    this.deadlineAt = this.clock.steady() + this.#options.idleTimeoutMs;
    this.#listener?.data(this.intake.keep(bytes, from, until), this.intake.lent);
  }

  get takesWhole(): boolean {
    return this.#listener?.takesWhole === true;
  }

  whole(head: OriginResponseHead, bytes: Buffer, from: number, until: number): void {
    const listener = this.#listener;
    if (listener === undefined) return;
    const content = from === until ? NO_BYTES : bytes.subarray(from, until);
    this.#settle();
    try {
      listener.whole(head, content);
    } finally {
      listener.free();
    }
  }

  complete(trailers: Fields): void {
    const listener = this.#listener;
    if (listener === undefined) return;
    this.#settle();
    try {
      listener.ended(trailers);
    } finally {
      listener.free();
    }
  }

  /** The answer is complete: the connection rests, or ends. */
  #settle(): void {
    const socket = this.socket;
    this.#listener = undefined;
    const wasPaused = this.#reader.isPaused;
    this.#reader.isPaused = false;
    // An answer may come before the whole request was taken: the rest of that must not precede another one.
    const isTaken = socket?.writableLength === 0 && !this.#isUnfinished;
    const isKept = this.#reader.keepsAlive && !this.#isLast && isTaken;
    if (isKept) this.#rest();
    else this.drop();
    // Nobody reads it, but its end must be seen.
    if (wasPaused && !this.#isReading) this.socket?.resume();
  }

  refuse(why: string): void {
    this.fail(malformed(why));
  }

  /** The socket has told of its end. Where that ended a body, it must have been a clean one (RFC 9112 §8). */
  protected closed(how: 'clean' | Error): void {
    if (this.#held !== undefined) {
      this.#heldEnd ??= how;
      return;
    }
    this.shut();
    if (this.#listener === undefined) this.drop();
    else if (how !== 'clean') this.fail(exchangeFailure(how, this.#reader.progress));
    else if (!this.#reader.ended()) this.fail(closedEarly(this.#reader.progress));
  }

  protected fail(failure: OriginError): void {
    const listener = this.#listener;
    this.#listener = undefined;
    // A connection that was used before may be closed by the origin at any moment, also just as a request is on its way
    // (RFC 9112 §9.3.1): then nothing says that the origin is in trouble.
    const isRepeatable = this.#isReused && failure.code === 'origin-reset';
    this.drop();
    try {
      listener?.failed(failure, isRepeatable);
    } finally {
      listener?.free();
    }
  }

  protected override drop(): void {
    this.#isReused = false;
    this.#isUnfinished = false;
    this.#unsent = undefined;
    this.#held = undefined;
    this.#heldEnd = undefined;
    this.#reader.stop();
    super.drop();
  }

  pause(listener: ExchangeListener): void {
    if (listener !== this.#listener || this.#reader.isPaused) return;
    this.#reader.isPaused = true;
    // Until there is a head, it is the origin that keeps us waiting, and the head is read.
    if (this.#reader.progress !== 'head') return;
    this.unlimit();
    if (!this.#isReading) this.socket?.pause();
  }

  resume(listener: ExchangeListener): void {
    if (listener !== this.#listener || !this.#reader.isPaused) return;
    // Not at once: this may be called from within what the listener does with the bytes before.
    queueMicrotask(() => {
      if (listener === this.#listener && this.#reader.isPaused) this.#goOn();
    });
  }

  #goOn(): void {
    const held = this.#held;
    const socket = this.socket;
    this.#reader.isPaused = false;
    this.#held = undefined;
    if (this.#reader.progress === 'head') this.limit(this.#options.idleTimeoutMs);
    if (held !== undefined) this.take(held, held.length);
    if (socket === undefined || socket !== this.socket || this.#held !== undefined) return;
    const end = this.#heldEnd;
    if (end !== undefined) this.closed(end);
    else if (this.#holdsBack()) socket.pause();
    else socket.resume();
  }

  /** The listener hears `free` and nothing else from now on. A connection that is not there yet is waited for. */
  abort(listener: ExchangeListener): void {
    if (listener !== this.#listener) return;
    this.#listener = undefined;
    if (this.isOpen) this.drop();
    else this.#unsent = undefined;
    listener.free();
  }
}
