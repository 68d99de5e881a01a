/**
 * The fast lane: reads plain requests off a client's socket without node:http. GET or HEAD, HTTP/1.1, one valid Host, no
 * body, every byte in the strict grammar of head-scan.ts; anything else goes to the full lane, the socket and what is
 * unread, and stays there. And REFRESH where operators may send it, which node:http does not know. What both take they answer alike (test/front/lanes.test.ts).
 * Implements RFC 9112 §2.2, §3, §9.3 (pipelining), §9.6.
 */
import type { Socket } from 'node:net';
import { stackOf } from '../base/errors.js';
import { MAX_HELD_HEAD_BYTES, MAX_UNSENT_BEFORE_PAUSE_BYTES } from '../base/limits.js';
import type { ReadyReply } from '../engine/contract.js';
import { NO_BYTES } from '../object/chunks.js';
import type { ClientConnection } from './connection.js';
import type { Lane } from './contract.js';
import type { Held } from './door.js';
import { Exchange } from './exchange.js';
import { FieldMemo } from './field-memo.js';
import { FOREIGN, HeadScan, INCOMPLETE } from './head-scan.js';
import { sendReady } from './ready-hit.js';
import { REFUSALS } from './refusal.js';
import { Targets } from './targets.js';
import { Turns } from './turns.js';

/** What the lane needs of the front. */
export interface FastFront extends Lane {
  /** The full lane takes the connection, with bytes that were read of it and not used. */
  handOver(connection: ClientConnection, unread: Buffer): void;
  /** Whether what is read is to be held until all are in who come just now, and where to say so. */
  readonly isHolding: boolean;
  hold(one: Held): void;
}

const scan = new HeadScan();
const targets = new Targets();
/** The one that was made last, for whichever connection: the first request of the next often says the same. */
let newest: FieldMemo | undefined;

/** Reads one connection, until it hands it over. */
export class FastReader implements Held {
  readonly #front: FastFront;
  #connection!: ClientConnection;
  #socket!: Socket;
  #turns!: Turns;
  /** What the field section of the last request said. */
  #memo: FieldMemo | undefined;
  /** Bytes that were read and not used: a head that is not complete, or requests that wait for room. */
  #held: Buffer = NO_BYTES;
  /** `blocked`: what is held may be whole requests; `leaving`: what is held begins with what is not for here. */
  #state: 'reading' | 'blocked' | 'leaving' | 'gone' = 'reading';
  /** When the last request came. */
  #lastAt = 0;

  constructor(front: FastFront) {
    this.#front = front;
  }

  /** Called before the first bytes come. */
  attach(connection: ClientConnection): void {
    const { socket } = connection;
    this.#connection = connection;
    connection.reader = this;
    this.#socket = socket;
    this.#turns = new Turns(socket, this);
    socket.on('error', this.#onError);
    socket.on('end', this.#onEnd);
    socket.on('drain', this.#onDrain);
  }

  readonly #onError = (): void => void this.#socket.destroy();
  readonly #onEnd = (): void => this.#ended();
  readonly #onDrain = (): void => {
    this.#turns.drained();
    this.goOn();
  };

  /** Bytes that are no use to anybody but the next request. */
  get heldBytes(): number {
    return this.#held.length;
  }

  get lastAt(): number {
    return this.#lastAt;
  }

  /** Takes what was read. Says whether it wants more now. */
  take(bytes: Buffer, length: number): boolean {
    if (this.#state === 'gone') return this.#socket.push(Buffer.from(bytes.subarray(0, length)));
    if (this.#connection.isClosing) return this.#connection.dropped();
    if (this.#front.isHolding && this.#hold(bytes, length)) return false;
    if (this.#held.length === 0) return this.#run(bytes, length, false);
    const joined = Buffer.concat([this.#held, bytes.subarray(0, length)]);
    if (this.#state === 'reading') return this.#run(joined, joined.length, true);
    this.#held = joined;
    return false;
  }

  /** Keeps what came for the end of the hold, until when nothing more is read. False where it is more than a head. */
  #hold(bytes: Buffer, length: number): boolean {
    if (this.#state !== 'reading' || this.#held.length + length > MAX_HELD_HEAD_BYTES) return false;
    this.#held = Buffer.concat([this.#held, bytes.subarray(0, length)]);
    this.#front.hold(this);
    return true;
  }

  release(): void {
    if (this.#socket.destroyed) return;
    if (this.#run(this.#held, this.#held.length, true)) this.#socket.resume();
  }

  /** Uses what there is and holds the rest. `isOwn`: the bytes are good for longer than this call. */
  #run(bytes: Buffer, length: number, isOwn: boolean): boolean {
    this.#held = NO_BYTES;
    const used = this.#use(bytes, length);
    if (used < length) {
      this.#held = isOwn && used === 0 ? bytes : Buffer.from(bytes.subarray(used, length));
      // What grows beyond a head of common size is for node:http to take or to refuse.
      if (this.#state === 'reading' && length - used > MAX_HELD_HEAD_BYTES) this.#state = 'leaving';
      if (this.#state === 'leaving') this.#leave();
    }
    return this.isReading;
  }

  /** Whether bytes that come are taken. */
  get isReading(): boolean {
    return this.#state === 'reading' || this.#state === 'gone';
  }

  /** The last reply is out. */
  end(): void {
    this.#connection.end();
  }

  /** There may be room again for what is held. */
  goOn(): void {
    // What is held is for nobody then, and the connection must not rest unread.
    if (this.#connection.isClosing) return;
    if (this.#state === 'leaving') this.#leave();
    if (this.#state !== 'blocked' || this.#isFull()) return;
    this.#state = 'reading';
    if (this.#run(this.#held, this.#held.length, true)) this.#socket.resume();
  }

  /** Whether so much waits to be sent that nothing more is begun. */
  #isFull(): boolean {
    if (this.#socket.writableNeedDrain) return true;
    // So many replies are on their way out in this turn; with one that is still to come it is refused.
    if (this.#connection.isFull && this.#turns.areReplied) return true;
    return this.#turns.count > 0 && this.#turns.unsentBytes > MAX_UNSENT_BEFORE_PAUSE_BYTES;
  }

  /** Takes requests from `bytes`, as many as there are. Returns how many bytes are used. */
  #use(bytes: Buffer, length: number): number {
    let at = 0;
    while (at < length) {
      // After a last request nothing that follows is looked at (RFC 9112 §9.6).
      if (this.#connection.isClosing) return length;
      if (this.#isFull()) {
        this.#state = 'blocked';
        break;
      }
      const end = this.#readHead(bytes, at, length);
      if (end === INCOMPLETE) break;
      if (end === FOREIGN) {
        this.#state = 'leaving';
        break;
      }
      at = end;
      this.#request(bytes);
    }
    return at;
  }

  /** Reads one head: its line into `scan`, its fields into the memo. Returns where it ends, INCOMPLETE or FOREIGN. */
  #readHead(bytes: Buffer, from: number, until: number): number {
    const fieldsFrom = scan.readLine(bytes, from, until);
    const { limits, handler } = this.#front;
    // By its first byte: node:http tells the method that is not known by where the line was cut.
    if (scan.isRefresh && handler.takesRefresh !== true) return FOREIGN;
    if (fieldsFrom <= 0) return fieldsFrom;
    if (scan.targetUntil - scan.targetFrom > limits.targetBytes) return FOREIGN;
    let memo = this.#memo;
    let end = 0;
    if (memo?.isAt(bytes, fieldsFrom, until) === true) end = fieldsFrom + memo.length;
    else if (newest?.isAt(bytes, fieldsFrom, until) === true) {
      memo = newest;
      this.#memo = memo;
      end = fieldsFrom + memo.length;
    } else {
      end = scan.readFields(bytes, fieldsFrom, until);
      if (end <= 0) return end;
      memo = FieldMemo.of(bytes, scan, fieldsFrom, end);
      if (memo === undefined) return FOREIGN;
      this.#memo = memo;
      newest = memo;
    }
    const isWithin = memo.fieldsBytes <= limits.fieldsBytes && memo.fields.count <= limits.fieldCount;
    return isWithin ? end : FOREIGN;
  }

  /** The request whose head was read last. */
  #request(bytes: Buffer): void {
    const memo = this.#memo as FieldMemo;
    const { host, fields, isLast } = memo;
    const method = scan.isRefresh ? 'REFRESH' : scan.isHead ? 'HEAD' : 'GET';
    const target = targets.text(bytes, scan.targetFrom, scan.targetUntil, scan.targetHash);
    const connection = this.#connection;
    const now = this.#front.clock.now();
    this.#lastAt = now;
    if (memo.isPlain && !scan.isRefresh && this.#isReady(memo, target, now)) return;
    if (connection.isFull) {
      connection.refuse(REFUSALS.pipelined, { method, target, httpVersion: '1.1' });
      return;
    }
    const wire = this.#turns.take(method, target, fields, isLast);
    const admitted = { target, host, httpVersion: '1.1', fields, hasBody: false } as const;
    const exchange = new Exchange(connection, method, admitted, wire, now);
    if (isLast) connection.closeAfter();
    this.#front.hand(connection, exchange);
  }

  /** A plain request, answered with what is ready where there is something. */
  #isReady(memo: FieldMemo, target: string, startedAt: number): boolean {
    const { handler, isDraining } = this.#front;
    const connection = this.#connection;
    // In order, and with nothing to be said about the connection.
    if (handler.ready === undefined || isDraining || this.#turns.count > 0) return false;
    const { isHead } = scan;
    let ready: ReadyReply | undefined;
    try {
      ready = handler.ready(isHead, memo.host, target, memo.condition, startedAt, memo.part);
      return ready !== undefined && sendReady(connection, isHead, target, memo, startedAt, ready);
    } catch (error) {
      return this.#broke(memo.host, target, error, ready !== undefined);
    }
  }

  /** A broken invariant ends this request and no other: it goes the common way, unless its reply may have been begun. */
  #broke(host: string, target: string, error: unknown, isBegun: boolean): boolean {
    this.#front.events.notice('error', 'internal', 'A request could not be handled', {
      host,
      target,
      error: stackOf(error),
    });
    if (isBegun) this.#connection.cut();
    return isBegun;
  }

  /** Gives the connection away, once the requests before are answered. */
  #leave(): void {
    if (!this.#connection.isIdle || this.#turns.count > 0) {
      // RFC 9112 §9.3.2: requests are worked on together only where all of them are safe.
      this.#connection.isNextInLine = true;
      this.#socket.pause();
      return;
    }
    if (this.#connection.isClosing || this.#socket.destroyed) return;
    const socket = this.#socket;
    this.#state = 'gone';
    socket.off('error', this.#onError);
    socket.off('end', this.#onEnd);
    socket.off('drain', this.#onDrain);
    const unread = this.#held;
    this.#held = NO_BYTES;
    this.#memo = undefined;
    this.#front.handOver(this.#connection, unread);
  }

  /** The client has ended its side. */
  #ended(): void {
    if (this.#connection.isOver) this.#socket.destroy();
    else if (this.#held.length > 0 && !this.#connection.isClosing) this.#connection.refuse(REFUSALS.cutOff);
    else if (!this.#turns.endAfterNewest()) this.#socket.end();
  }
}
