/**
 * One client connection: the requests that run on it, how it ends, and what its client may take its time for.
 * Time is looked at once a sweep for all connections together, so that a request starts no timer.
 * Implements RFC 9112 §9.3 (persistence), §9.6 (closing, with a lingering read) and RFC 9110 §15.5.9 (408).
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.js';
import { LINGER_MS } from '../base/limits.js';
import type { RequestHandler } from '../engine/contract.js';
import type { AnsweredEvent, Events } from '../observe/events.js';
import type { Exchange } from './exchange.js';
import type { IntakeLimits } from './intake.js';
import type { Tunnel } from './pass-lane.js';
import { REFUSALS, type Refusal, type RefusalStyle, refusalBytes } from './refusal.js';

export interface FrontLimits extends IntakeLimits {
  readonly headTimeoutMs: number;
  readonly bodyIdleMs: number;
  readonly replyIdleMs: number;
  readonly keepAliveMs: number;
  readonly connections: number;
}

/** What all connections of one front share. */
export interface Lane {
  readonly handler: RequestHandler;
  readonly tunnel: Tunnel;
  readonly clock: Clock;
  readonly events: Events;
  readonly limits: FrontLimits;
  readonly debugHeader: string | undefined;
  readonly style: RefusalStyle;
  readonly isDraining: boolean;
}

/** What is known of a request that was refused before it became an exchange. */
export interface RefusedRequest {
  readonly method: string;
  readonly host: string;
  readonly target: string;
  readonly httpVersion: string;
}

const NOTHING_KNOWN: RefusedRequest = { method: '', host: '', target: '', httpVersion: '' };

export class ClientConnection {
  readonly lane: Lane;
  readonly socket: Socket;
  #remoteAddress: string | undefined;
  /** Exchanges that are not settled, oldest first. Requests are read ahead, so there may be several (RFC 9112 §9.3.2). */
  readonly #running: Exchange[] = [];
  /** Nothing that comes from now on is looked at. */
  #isClosing = false;
  #isTunnelled = false;
  /** Replied once every running exchange is settled. */
  #refusalAfter: Refusal | undefined;
  #lingerUntil: number | undefined;

  /** Bytes read when the last head was complete: more than these, with nothing running, are part of the next. */
  #bytesAtRest = 0;
  #idleSince: number;
  #headSince: number | undefined;
  #bodyBytesSeen = 0;
  #bodyMovedAt = 0;
  #unsentSeen = 0;
  #writtenSeen = 0;
  #replyMovedAt = 0;

  constructor(lane: Lane, socket: Socket) {
    this.lane = lane;
    this.socket = socket;
    this.#idleSince = lane.clock.now();
  }

  get remoteAddress(): string {
    this.#remoteAddress ??= this.socket.remoteAddress ?? '';
    return this.#remoteAddress;
  }

  /** Whether the next reply is the last one on this connection. */
  get isLast(): boolean {
    return (this.#isClosing && this.#refusalAfter === undefined) || this.lane.isDraining;
  }

  /** Whether requests that still come are to be ignored. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** Whether the newest request's body is still to come. */
  get isReceiving(): boolean {
    return this.#running[this.#running.length - 1]?.isReceiving === true;
  }

  get isIdle(): boolean {
    return this.#running.length === 0 && !this.#isTunnelled;
  }

  /** A request begins. */
  began(exchange: Exchange): void {
    this.#running.push(exchange);
    this.#bytesAtRest = this.socket.bytesRead;
    this.#headSince = undefined;
    this.#bodyBytesSeen = 0;
  }

  /** A request is over. */
  settled(exchange: Exchange, now: number): void {
    const at = this.#running.indexOf(exchange);
    if (at >= 0) this.#running.splice(at, 1);
    if (this.#running.length > 0) return;
    this.#idleSince = now;
    if (exchange.hasBody) this.#bytesAtRest = this.socket.bytesRead;
    // While draining, the reply before it has said that it is the last.
    if (this.#refusalAfter !== undefined && !this.lane.isDraining) this.#refuseNow(this.#refusalAfter);
  }

  /** The reply that is being written is the last. `isUnread`: with a part of the request unread. */
  closeAfter(isUnread: boolean): void {
    this.#isClosing = true;
    // Node ends the connection by destroySoon() after the last reply. With bytes unread, that would be a reset, which
    // can take the reply from the client's hands (RFC 9112 §9.6).
    if (isUnread) this.socket.destroySoon = () => this.linger();
  }

  /** node:http let go of the socket of an upgrade request; here is an ordinary last reply to it nevertheless. */
  takeBack(res: ServerResponse, socket: Socket): void {
    if (socket.destroyed) return;
    res.assignSocket(socket);
    this.relayDrain();
    res.once('finish', () => this.linger());
    socket.resume();
  }

  /** node:http, which let go of the socket, no longer tells replies that the client takes bytes again. */
  relayDrain(): void {
    this.socket.on('drain', () => this.#running[0]?.drained());
  }

  /** The pass lane has the socket from now on, with its own timeouts. */
  tunnelled(): void {
    this.#isTunnelled = true;
    this.#isClosing = true;
  }

  /** Ends this side, and reads on for a moment what the client may still be sending. */
  linger(): void {
    this.#isClosing = true;
    if (this.#lingerUntil !== undefined || this.socket.destroyed) return;
    this.#lingerUntil = this.lane.clock.now() + LINGER_MS;
    this.socket.end();
    this.socket.resume();
  }

  /** Breaks the connection off in the middle of a reply. */
  cut(byReset: boolean): void {
    this.#isClosing = true;
    if (byReset) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  /** The socket is closed. */
  closed(): void {
    this.#isClosing = true;
    for (const exchange of this.#running.splice(0)) exchange.left();
  }

  /** What came is no request. Whatever runs is answered first. */
  refuse(refused: Refusal, request: RefusedRequest = NOTHING_KNOWN): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.tellRefused(refused, request);
    if (this.#running.length === 0) this.#refuseNow(refused);
    else this.#refusalAfter = refused;
  }

  /** The body of the request that is being received cannot be read on. */
  breakOff(refused: Refusal): void {
    const exchange = this.#running[0];
    // With others before it, or a reply begun, there is no place for a 400 that the client would not misread.
    if (exchange === undefined || this.#running.length > 1 || exchange.isReplyBegun || !this.socket.writable) {
      this.cut(false);
      return;
    }
    this.#isClosing = true;
    this.socket.write(refusalBytes(refused, this.lane.clock.wall(), this.lane.style));
    exchange.left(refused);
    // The end of the connection is what tells the pass lane that the rest will not come.
    this.socket.destroySoon();
  }

  #refuseNow(refused: Refusal): void {
    this.#refusalAfter = undefined;
    if (!this.socket.writable) {
      this.socket.destroy();
      return;
    }
    this.socket.write(refusalBytes(refused, this.lane.clock.wall(), this.lane.style));
    this.linger();
  }

  /** One refused request, for the log and the counters. */
  tellRefused(refused: Refusal, request: RefusedRequest): void {
    const event: AnsweredEvent = {
      method: request.method,
      host: request.host,
      target: request.target,
      remoteAddress: this.remoteAddress,
      httpVersion: request.httpVersion,
      status: refused.status,
      outcome: 'ERROR',
      reason: refused.reason,
      rule: '',
      ageSec: undefined,
      bodyBytes: refused.sentence.length + 1,
      durationMs: 0,
      collapsed: false,
      ending: 'finished',
      userAgent: undefined,
      referer: undefined,
      startedWall: this.lane.clock.wall(),
    };
    this.lane.events.answered(event);
  }

  /** The proxy shuts down: a connection on which nothing runs has no reason to stay. */
  drain(): void {
    if (!this.isIdle || this.#lingerUntil !== undefined) return;
    // A head that is on its way is a request: it gets its answer, within the head timeout.
    if (this.socket.bytesRead > this.#bytesAtRest) return;
    this.#isClosing = true;
    this.socket.destroySoon();
  }

  /** Looks for what has taken too long. */
  sweep(now: number): void {
    if (this.#lingerUntil !== undefined) {
      if (now >= this.#lingerUntil) this.socket.destroy();
      return;
    }
    if (this.#isTunnelled) return;
    if (this.#isReplyStuck(now)) {
      this.lane.events.notice('info', 'reply-idle', 'A client took no byte of its reply and was cut off', {
        remoteAddress: this.remoteAddress,
      });
      this.cut(false);
      return;
    }
    const newest = this.#running[this.#running.length - 1];
    if (newest === undefined) this.#sweepIdle(now);
    else if (newest.isReceiving) this.#sweepBody(newest, now);
  }

  #sweepIdle(now: number): void {
    const { limits } = this.lane;
    if (this.socket.bytesRead > this.#bytesAtRest && !this.#isClosing) {
      this.#headSince ??= now;
      if (now - this.#headSince >= limits.headTimeoutMs) this.refuse(REFUSALS.headTimeout);
    } else if (now - this.#idleSince >= limits.keepAliveMs || this.lane.isDraining) {
      this.#isClosing = true;
      this.socket.destroySoon();
    }
  }

  #sweepBody(exchange: Exchange, now: number): void {
    const { bytesRead } = this.socket;
    // RFC 9110 §10.1.1: a client that waits for 100 (Continue) sends nothing before it, and is not late.
    const isWaitingForUs = exchange.hasUntakenBytes || (exchange.expectsContinue && bytesRead === this.#bytesAtRest);
    if (bytesRead !== this.#bodyBytesSeen || isWaitingForUs) {
      this.#bodyBytesSeen = bytesRead;
      this.#bodyMovedAt = now;
    } else if (now - this.#bodyMovedAt >= this.lane.limits.bodyIdleMs) {
      this.breakOff(REFUSALS.bodyTimeout);
    }
  }

  /** Whether bytes wait here for a client that has taken none for too long. */
  #isReplyStuck(now: number): boolean {
    const unsent = unsentBytes(this.socket);
    if (unsent === 0) {
      this.#unsentSeen = 0;
      return false;
    }
    const written = this.socket.bytesWritten;
    if (unsent !== this.#unsentSeen || written !== this.#writtenSeen) {
      this.#unsentSeen = unsent;
      this.#writtenSeen = written;
      this.#replyMovedAt = now;
      return false;
    }
    return now - this.#replyMovedAt >= this.lane.limits.replyIdleMs;
  }
}

/**
 * Bytes that the kernel has not taken. What Node counts as unsent moves only as a whole write is done, which for a
 * large write to a slow client takes minutes; the handle beneath knows how much of the write is left.
 */
function unsentBytes(socket: Socket): number {
  const buffered = socket.writableLength;
  if (buffered === 0) return 0;
  const handle = (socket as { _handle?: { writeQueueSize?: number } | null })._handle;
  return handle?.writeQueueSize ?? buffered;
}
