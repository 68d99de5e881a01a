/**
 * One request on one connection to the origin: turns what undici calls into the words of the contract.
 * Implements RFC 9112 §6.3, §8 and RFC 9110 §15.2 on the client side. Timeouts are ours, on the Clock, for they must
 * not run while the reader has paused, and must say which kind they were.
 */
import type { Clock } from '../base/clock.js';
import { OriginError } from '../base/errors.js';
import { MAX_INTERIM_RESPONSES } from '../base/limits.js';
import { Fields } from '../http/fields.js';
import { framingFault, isBodiless, readFields, readReason, statusFault } from './answer-head.js';
import type { OriginResponseHead } from './contract.js';
import { Deadline } from './deadline.js';
import { type AnswerProgress, exchangeFailure, malformed } from './failure.js';

/** Hears one attempt. After `ended` or `failed` only `free` follows; it always comes, and comes last. */
export interface AttemptListener {
  inform(status: number, fields: Fields): void;
  head(head: OriginResponseHead): void;
  data(chunk: Buffer): void;
  ended(trailers: Fields): void;
  failed(error: OriginError, isRepeatable: boolean): void;
  /** The connection can take the next request. */
  free(): void;
}

/** The part of undici's controller that is used here. */
interface Controller {
  readonly rawHeaders?: unknown;
  readonly rawTrailers?: unknown;
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}

/** The connection as its attempt sees it. */
interface Carrier {
  /** A request is written to the present socket. Says whether the socket had carried one before. */
  noteSent(): boolean;
  /** What ended the present socket otherwise than by a clean FIN. */
  readonly cutBy: Error | undefined;
  /** The HTTP version that the present answer begins with. */
  readonly answerVersion: string;
}

function headFault(status: number, fields: Fields, version: string): string | undefined {
  // The parser lets HTTP/2.0 by in the form of HTTP/1 (RFC 9112 §2.3).
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') return `version ${version}`;
  // HTTP/1.0 knows no transfer coding: its framing is faulty then (RFC 9112 §6.1).
  if (version === 'HTTP/1.0' && fields.has('transfer-encoding')) return 'Transfer-Encoding in HTTP/1.0';
  return status === 101 ? 'an upgrade that was not asked for' : (statusFault(status) ?? framingFault(fields));
}

export interface AttemptTimes {
  readonly clock: Clock;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

/** One request on one connection. */
export class Attempt {
  readonly #method: string;
  readonly #listener: AttemptListener;
  readonly #times: AttemptTimes;
  readonly #connection: Carrier;
  #controller: Controller | undefined;
  #deadline: Deadline | undefined;
  #progress: AnswerProgress = 'none';
  #interimCount = 0;
  #isReused = false;
  #isDispatching = true;
  /** The listener has heard the end, or wants to hear nothing more. */
  #isSettled = false;
  #isFree = false;
  #isPaused = false;

  constructor(method: string, listener: AttemptListener, times: AttemptTimes, connection: Carrier) {
    this.#method = method;
    this.#listener = listener;
    this.#times = times;
    this.#connection = connection;
  }

  dispatched(): void {
    this.#isDispatching = false;
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#controller?.pause();
    // Until there is a head, it is the origin that keeps us waiting.
    if (this.#progress === 'head') this.#deadline?.stop();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    // Not at once: this may be called while the parser, which all connections share, is at work on another answer.
    queueMicrotask(() => {
      if (this.#isPaused || this.#isFree) return;
      if (!this.#isSettled && this.#progress === 'head') this.#deadline?.restart();
      this.#controller?.resume();
    });
  }

  /** The listener hears `free` and nothing else from now on. */
  abort(): void {
    this.#isSettled = true;
    this.#deadline?.stop();
    // Not yet on a connection: onRequestStart ends it.
    this.#controller?.abort(new Error('aborted'));
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    if (this.#isSettled) {
      controller.abort(new Error('aborted'));
      return;
    }
    if (this.#isPaused) controller.pause();
    this.#isReused = this.#connection.noteSent();
    const { clock, headersTimeoutMs } = this.#times;
    this.#deadline = new Deadline(clock, headersTimeoutMs, () => this.#timeOut());
  }

  onResponseStarted(): void {
    if (this.#progress === 'none') this.#progress = 'begun';
  }

  onResponseStart(controller: Controller, status: number, _: unknown, phrase?: string): void {
    if (this.#isSettled) return;
    const fields = readFields(controller.rawHeaders as Buffer[]);
    const fault =
      fields === undefined
        ? 'a control byte in a field value'
        : headFault(status, fields, this.#connection.answerVersion);
    if (fields === undefined || fault !== undefined) this.#refuse(fault ?? '');
    else if (status < 200) this.#hearInterim(status, fields);
    else this.#hearHead({ status, reasonPhrase: readReason(phrase), fields });
  }

  #hearHead(head: OriginResponseHead): void {
    this.#progress = 'head';
    this.#deadline?.restart(this.#times.idleTimeoutMs);
    if (this.#isPaused) this.#deadline?.stop();
    this.#listener.head(head);
    // Complete here and now (RFC 9112 §6.3). undici would go on to miss the body that a Content-Length in a 304
    // speaks of, which describes what a 200 would carry (RFC 9110 §8.6).
    if (!this.#isSettled && isBodiless(this.#method, head.status)) this.#end(Fields.empty);
  }

  #hearInterim(status: number, fields: Fields): void {
    this.#interimCount++;
    if (this.#interimCount > MAX_INTERIM_RESPONSES) {
      this.#refuse('too many interim responses');
      return;
    }
    this.#deadline?.touch();
    this.#listener.inform(status, fields);
  }

  onResponseData(_: Controller, chunk: Buffer): void {
    if (this.#isSettled) return;
    this.#deadline?.touch();
    this.#listener.data(chunk);
  }

  onResponseEnd(controller: Controller): void {
    const cutBy = this.#connection.cutBy;
    const trailers = readFields((controller.rawTrailers ?? []) as Buffer[]);
    if (cutBy !== undefined)
      this.#fail(new OriginError('origin-truncated', 'the connection was cut', { cause: cutBy }));
    else if (trailers === undefined) this.#fail(malformed('a control byte in a trailer'));
    else this.#end(trailers);
    this.#beFree();
  }

  onResponseError(_: Controller, error: Error): void {
    if (this.#isDispatching) {
      queueMicrotask(() => {
        this.#fail(error);
        this.#beFree();
      });
      return;
    }
    this.#fail(error);
    this.#beFree();
  }

  #timeOut(): void {
    const { headersTimeoutMs, idleTimeoutMs } = this.#times;
    const error =
      this.#progress === 'head'
        ? new OriginError('origin-idle-timeout', `the origin sent nothing for ${idleTimeoutMs} ms`)
        : new OriginError('origin-headers-timeout', `the origin did not answer within ${headersTimeoutMs} ms`);
    this.#controller?.abort(error);
  }

  #refuse(why: string): void {
    this.#controller?.abort(malformed(why));
  }

  #end(trailers: Fields): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#deadline?.stop();
    this.#listener.ended(trailers);
  }

  #fail(error: Error): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#deadline?.stop();
    const failure = exchangeFailure(error, this.#progress);
    this.#listener.failed(failure, this.#isRepeatable(error, failure));
  }

  /**
   * A connection that was used before may be closed by the origin at any moment, also just as a request is on its way
   * (RFC 9112 §9.3.1): then nothing says that the origin is in trouble. Nor does what a connection does before a
   * request was written to it.
   */
  #isRepeatable(error: Error, failure: OriginError): boolean {
    if (error instanceof OriginError || failure.code === 'origin-aborted') return false;
    if (this.#controller === undefined) return true;
    return this.#isReused && failure.code === 'origin-reset';
  }

  #beFree(): void {
    if (this.#isFree) return;
    this.#isFree = true;
    this.#listener.free();
  }
}
