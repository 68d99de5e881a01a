/**
 * One client connection: the requests that run on it, and how it ends.
 * Implements RFC 9112 §9.3 (persistence), §9.6 (closing in stages) and RFC 9110 §15.5.9 (408).
 */

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { DRAIN_REST_MS, MAX_PIPELINED_REQUESTS } from '../base/limits.js';
import type { AnsweredEvent } from '../observe/events.js';
import { cutOff } from '../origin/cut-off.js';
import type { Lane } from './contract.js';
import type { FastReader } from './fast-lane.js';
import { dropUnparsed, Lingering, Surplus } from './lingering.js';
import { Patience, type Receiving } from './patience.js';
import { REFUSALS, type Refusal, refusalBytes } from './refusal.js';

/** What a request that was refused called itself. */
export interface RequestLine {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
}

/** A request that is in work on a connection. */
export interface Running extends Receiving {
  readonly method: string;
  readonly hasBody: boolean;
  /** Its body has not arrived whole. */
  readonly isReceiving: boolean;
  readonly isReplyBegun: boolean;
  /** Its reply goes out, and nothing but the end of the connection ends it. */
  readonly isDelimitedByClose: boolean;
  /** The client takes bytes again. */
  drained(): void;
  /** The client left, or was cut off; `refused` says why, where it was told. */
  left(refused?: Refusal): void;
}

const UNREADABLE: RequestLine = { method: '', target: '', httpVersion: '' };

export class ClientConnection {
  readonly lane: Lane;
  readonly socket: Socket;
  readonly remoteAddress: string;
  /** Exchanges that are not settled, oldest first. Requests are read ahead, so there may be several (RFC 9112 §9.3.2). */
  readonly #running: Running[] = [];
  /** Nothing that comes from now on is looked at. */
  #isClosing = false;
  #isTunnelled = false;
  /** Replied once every running exchange is settled. */
  #refusalAfter: Buffer | undefined;
  #isRefusing = true;
  #lingering: Lingering | undefined;
  #surplus: Surplus | undefined;
  /** node:http reads nothing of it any more. */
  #isDropping = false;

  readonly #patience: Patience;
  /** Reads this connection, while it is in the fast lane. */
  reader: FastReader | undefined;
  /** The next request that node:http reads came while others of this connection were in work. */
  isNextInLine = false;

  constructor(lane: Lane, socket: Socket) {
    this.lane = lane;
    this.socket = socket;
    // Asked for now: a closed socket no longer knows.
    this.remoteAddress = socket.remoteAddress ?? '';
    this.#patience = new Patience(socket, lane, lane.clock.now());
  }

  /** Whether the reply to this one is the last on this connection: never one that has others behind it. */
  isLastReply(exchange: Running): boolean {
    if (!this.#isClosing && !this.lane.isDraining) return false;
    return this.#refusalAfter === undefined && this.#running[this.#running.length - 1] === exchange;
  }

  /** Whether requests that still come are to be ignored. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** Whether nothing is left but the client's end. */
  get isOver(): boolean {
    return this.#lingering !== undefined && this.socket.writableFinished;
  }

  /** Whether the newest request's body is still to come. */
  get isReceiving(): boolean {
    return this.#running[this.#running.length - 1]?.isReceiving === true;
  }

  /** Whether so many requests of this client are in work that no further one is taken. */
  get isFull(): boolean {
    return this.#running.length >= MAX_PIPELINED_REQUESTS;
  }

  get isIdle(): boolean {
    return this.#running.length === 0 && !this.#isTunnelled;
  }

  /** Whether no other request is in work on it. */
  isAlone(exchange: Running): boolean {
    return this.#running.length === 1 && this.#running[0] === exchange;
  }

  /** A request begins. */
  began(exchange: Running): void {
    this.#running.push(exchange);
    this.#patience.requestBegan();
  }

  /** A request is over. */
  settled(exchange: Running, now: number): void {
    const running = this.#running;
    if (running.length === 1 && running[0] === exchange) running.pop();
    else if (running.includes(exchange)) running.splice(running.indexOf(exchange), 1);
    if (this.#lingering !== undefined) this.#leaveAll();
    // Where the connection is gone already there is nothing left to end.
    if (running.length > 0 || this.socket.destroyed) return;
    this.#patience.rests(now, exchange.hasBody);
    if (this.#refusalAfter !== undefined) this.#writeLast(this.#refusalAfter);
    // node:http does this only where the last reply had said so, and it may have gone out before that was known.
    else if (this.#isClosing && !this.#isTunnelled) this.linger();
    else this.reader?.goOn();
  }

  /** What runs is answered, and then the connection ends. */
  closeAfter(): void {
    this.#isClosing = true;
  }

  /** node:http let go of the socket of an upgrade request; here is an ordinary last reply to it nevertheless. */
  takeBack(res: ServerResponse, socket: Socket): void {
    // It was already, where the reply to it has failed.
    if (socket.destroyed || res.socket !== null) return;
    res.assignSocket(socket);
    this.relayDrain();
    res.once('finish', () => this.linger());
    socket.resume();
  }

  /** node:http, which let go of the socket, no longer tells replies that the client takes bytes again. */
  relayDrain(): void {
    this.socket.on('drain', () => this.#running[0]?.drained());
  }

  /** The origin has switched: what passes now is no reply, and the pass lane has timeouts of its own for it. */
  tunnelled(): void {
    this.#isTunnelled = true;
  }

  /** All that is said is written, but for what a request is refused with. */
  end(): void {
    if (this.#refusalAfter === undefined) this.linger();
    else this.#writeLast(this.#refusalAfter);
  }

  /** Ends this side, and reads on for a while what the client may still be sending. */
  linger(): void {
    this.#isClosing = true;
    if (this.#lingering !== undefined || this.socket.destroyed) return;
    this.#lingering = new Lingering(this.socket, this.lane.clock.now());
    this.lane.ends(this);
    if (this.reader?.isReading === true) return;
    this.dropUnparsed();
    this.socket.resume();
  }

  /** What comes from now on is no request for node:http either. */
  dropUnparsed(): void {
    if (this.reader !== undefined || this.#isDropping) return;
    this.#isDropping = true;
    dropUnparsed(this.socket, () => this.dropped());
  }

  /** Bytes came that nobody looks at. Returns whether more are wanted now. */
  dropped(): boolean {
    if (this.#lingering?.isTooMuch === true) this.endAtOnce();
    this.#surplus ??= new Surplus(this.socket);
    return this.#surplus.take();
  }

  #leaveAll(): void {
    for (const exchange of this.#running.splice(0)) exchange.left();
  }

  /** A reply is not whole: nothing more is said behind it, which would be taken for the rest of it or for a reply in its place. */
  brokeOff(): void {
    this.#isClosing = true;
    this.refuseNoMore();
  }

  /** A reply has no end but that of the connection: a refusal behind it would be a part of it. */
  refuseNoMore(): void {
    this.#isRefusing = false;
    this.#refusalAfter = undefined;
  }

  /** Ends the connection with no word to what runs. */
  endAtOnce(): void {
    this.#isClosing = true;
    // RFC 9112 §8: such a reply would look whole; once our end is said, it is.
    if (!this.socket.writableFinished && this.#hasReplyDelimitedByClose) cutOff(this.socket);
    else this.socket.destroy();
  }

  get #hasReplyDelimitedByClose(): boolean {
    return this.#running.some((exchange) => exchange.isDelimitedByClose);
  }

  /** Breaks the connection off in the middle of a reply. */
  cut(): void {
    this.#isClosing = true;
    if (this.#isTunnelled || this.#hasReplyDelimitedByClose) this.endAtOnce();
    else {
      this.#refusalAfter = undefined;
      this.linger();
      this.#leaveAll();
    }
  }

  /** The socket is closed. */
  closed(): void {
    this.#isClosing = true;
    this.#leaveAll();
  }

  /** What came is no request. Whatever runs is answered first. */
  refuse(refused: Refusal, request: RequestLine = UNREADABLE): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#tellRefused(refused, request);
    const bytes = refusalBytes(refused, this.lane.clock.wall(), this.lane.style, request.method);
    if (this.#running.length === 0) this.#writeLast(bytes);
    else if (this.#isRefusing) this.#refusalAfter = bytes;
  }

  /** The body of the request that is being received cannot be read on. */
  breakOff(refused: Refusal): void {
    const exchange = this.#running[0];
    // With others before it, or a reply begun, there is no place for a 400 that the client would not misread.
    if (exchange === undefined || this.#running.length > 1 || exchange.isReplyBegun || !this.socket.writable) {
      this.cut();
      return;
    }
    this.#isClosing = true;
    this.socket.write(refusalBytes(refused, this.lane.clock.wall(), this.lane.style, exchange.method));
    exchange.left(refused);
    this.linger();
  }

  #writeLast(bytes: Buffer): void {
    this.#refusalAfter = undefined;
    if (!this.socket.writable) {
      this.socket.destroy();
      return;
    }
    this.socket.write(bytes);
    this.linger();
  }

  /** One refused request, for the log and the counters. */
  #tellRefused(refused: Refusal, request: RequestLine): void {
    const event: AnsweredEvent = {
      method: request.method,
      // Not one that a key could be made with.
      host: '',
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

  /** The proxy shuts down: a connection on which nothing runs has no reason to stay. Called again and again. */
  drain(): void {
    if (this.#lingering?.isOver(this.lane.clock.now(), true) === true) this.endAtOnce();
    if (!this.isIdle || this.#isClosing) return;
    this.#follow();
    // A head that is on its way is a request: it gets its answer, within the head timeout.
    if (this.#patience.isHeadBegun) return;
    // So is one that may be: a client that has its reply, and was not told that it is the last, often asks on at once.
    if (this.#patience.restedMs(this.lane.clock.now()) < DRAIN_REST_MS) return;
    this.linger();
  }

  /** The fast lane keeps no account of time at each request; it is asked for it where it matters. */
  #follow(): void {
    if (this.reader !== undefined) this.#patience.follow(this.reader.heldBytes, this.reader.lastAt);
  }

  /** From now on node:http reads this connection. */
  leaveFastLane(): void {
    this.#follow();
    this.reader = undefined;
  }

  /** The clock was set forward by so much: nothing has taken too long by that. */
  excuse(ms: number, now: number): void {
    this.#follow();
    this.#patience.excuse(ms, now);
    this.#lingering?.excuse(ms, now);
  }

  /** Looks for what has taken too long. */
  sweep(now: number): void {
    this.#follow();
    if (this.#isTunnelled) return;
    if (this.#lingering !== undefined) {
      const isStuck = this.#patience.isReplyStuck(now, false);
      if (isStuck || this.#lingering.isOver(now, this.lane.isDraining)) this.endAtOnce();
      return;
    }
    const newest = this.#running[this.#running.length - 1];
    const receiving = newest?.isReceiving === true ? newest : undefined;
    switch (this.#patience.lookAt(now, newest === undefined, receiving)) {
      case undefined:
        break;
      case 'reply':
        this.lane.events.notice('info', 'reply-idle', 'A client took no byte of its reply and was cut off', {
          remoteAddress: this.remoteAddress,
        });
        this.endAtOnce();
        break;
      case 'body':
        this.breakOff(REFUSALS.bodyTimeout);
        break;
      case 'head':
        this.refuse(REFUSALS.headTimeout);
        break;
      case 'idle':
        this.linger();
        break;
    }
  }
}
