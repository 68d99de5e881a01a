/**
 * The origin client: a bounded set of connections, a bounded queue before it, and one repeat of a request whose
 * reused connection died before the first byte of an answer. Implements RFC 9112 §9.3.1, §9.4.
 */
import type { LookupFunction } from 'node:net';
import type { Clock } from '../base/clock.js';
import { OriginError, stackOf } from '../base/errors.js';
import {
  MAX_ORIGIN_QUEUE,
  MAX_ORIGIN_QUEUE_WAIT_MS,
  MAX_REUSE_RETRIES,
  ORIGIN_CLOSE_TIMEOUT_MS,
} from '../base/limits.js';
import type { ReadBuffer } from '../base/read-buffer.js';
import type { Fields } from '../http/fields.js';
import type { Events } from '../observe/events.js';
import { BusyPoll } from './busy-poll.js';
import { type ConnectionOptions, type ExchangeListener, OriginConnection } from './connection.js';
import type { OriginClient, OriginExchange, OriginListener, OriginRequest, OriginResponseHead } from './contract.js';
import { Deadlines } from './deadlines.js';
import { Dialler, type TlsSettings } from './dial.js';
import { type InLine, WaitingLine } from './waiting-line.js';

export interface OriginClientOptions {
  readonly url: URL;
  readonly clock: Clock;
  readonly events: Events;
  /** Connections at once. */
  readonly connections: number;
  readonly connectTimeoutMs: number;
  /** From the last byte of the request to the head of the answer; an interim response starts it again. */
  readonly headersTimeoutMs: number;
  /** Between two bytes of a body; does not run while the reader has paused. */
  readonly idleTimeoutMs: number;
  /** Requests that may wait for a connection. */
  readonly maxQueue?: number;
  readonly tls?: TlsSettings | undefined;
  readonly lookup?: LookupFunction | undefined;
}

class PooledClient implements OriginClient {
  readonly #options: OriginClientOptions;
  readonly #deadlines: Deadlines;
  /** One record for all connections: of copies each may have a form of its own, and then to read one member takes a search. */
  readonly #forConnections: ConnectionOptions;
  readonly #maxQueue: number;
  readonly #connections = new Set<OriginConnection>();
  /** Connections without a request; the one used last is at the end. */
  readonly #idle: OriginConnection[] = [];
  readonly #queue = new WaitingLine<Exchange>();
  readonly #busyPoll: BusyPoll;
  /** Connections that come free at the end of this turn of the event loop, in the order in which they were done. */
  readonly #settling: OriginConnection[] = [];
  /** How many these are: a list that is made shorter each time costs more than all that is done with it. */
  #settlingCount = 0;
  #isClosing = false;
  #closed: (() => void) | undefined;

  constructor(options: OriginClientOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock, (now) => this.#expire(now));
    this.#forConnections = {
      url: options.url,
      clock: options.clock,
      events: options.events,
      dialler: new Dialler(options),
      deadlines: this.#deadlines,
      headersTimeoutMs: options.headersTimeoutMs,
      idleTimeoutMs: options.idleTimeoutMs,
    };
    this.#maxQueue = options.maxQueue ?? MAX_ORIGIN_QUEUE;
    this.#busyPoll = new BusyPoll(options.clock);
  }

  get healthy(): boolean {
    return true;
  }

  get reachable(): boolean {
    return true;
  }

  get stats(): { connected: number; running: number; queued: number } {
    let connected = 0;
    for (const connection of this.#connections) if (connection.isOpen) connected++;
    // Those that come free at the end of this turn have somebody to go to.
    const queued = Math.max(0, this.#queue.count - this.#settlingCount);
    return { connected, running: this.#connections.size - this.#idle.length, queued };
  }

  fetch(request: OriginRequest, listener: OriginListener): OriginExchange {
    const exchange = new Exchange(request, listener, this);
    if (this.#isClosing) exchange.refuse(new OriginError('origin-aborted', 'the origin client is closing'));
    else {
      const connection = this.#takeOpen() ?? this.#takeClosed();
      if (connection !== undefined) this.#send(exchange, connection);
      else if (this.#queue.count >= this.#maxQueue + this.#settlingCount) {
        exchange.refuse(new OriginError('origin-queue-full', `${this.#maxQueue} requests wait for the origin already`));
      } else {
        this.#queue.join(exchange);
        const now = this.#options.clock.steady();
        exchange.waitsUntil = now + MAX_ORIGIN_QUEUE_WAIT_MS;
        this.#deadlines.note(exchange.waitsUntil, now);
      }
    }
    return exchange;
  }

  #send(exchange: Exchange, connection: OriginConnection): void {
    if (this.#connections.size - this.#idle.length === 1) this.#busyPoll.asked();
    else this.#busyPoll.crowded();
    exchange.sendOn(connection);
  }

  /** The open connection used last. */
  #takeOpen(): OriginConnection | undefined {
    const last = this.#idle.length - 1;
    if (this.#idle[last]?.isOpen === true) return this.#idle.pop();
    for (let i = last - 1; i >= 0; i--) {
      if (this.#idle[i]?.isOpen === true) return this.#idle.splice(i, 1)[0];
    }
    return undefined;
  }

  /** One to open; undefined where all are busy, or one comes free at the end of this turn. */
  #takeClosed(): OriginConnection | undefined {
    if (this.#settlingCount > this.#queue.count) return undefined;
    const closed = this.#idle.pop();
    if (closed !== undefined || this.#connections.size >= this.#options.connections) return closed;
    const connection = new OriginConnection(this.#forConnections);
    this.#connections.add(connection);
    return connection;
  }

  /** Ends what has taken too long. Returns the soonest deadline of the rest. */
  #expire(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const connection of this.#connections) {
      if (connection.deadlineAt <= now) this.#attempt(() => connection.expire());
      if (connection.deadlineAt < next) next = connection.deadlineAt;
    }
    // Who came first has waited longest.
    for (let exchange = this.#queue.first; exchange !== undefined; exchange = this.#queue.first) {
      if (exchange.waitsUntil > now) return Math.min(next, exchange.waitsUntil);
      this.#queue.leave(exchange);
      this.#attempt(() => exchange.waitedTooLong());
    }
    return next;
  }

  /** What one of them throws is no reason to forget the deadlines of the others. */
  #attempt(run: () => void): void {
    try {
      run();
    } catch (error) {
      const told = { error: stackOf(error) };
      this.#options.events.notice('error', 'internal', 'A request to the origin could not be ended', told);
    }
  }

  /** Not at once: bytes behind the end of an answer must be seen, and close the connection, before it is used again. */
  release(connection: OriginConnection): void {
    if (this.#busyPoll.awaitsAnswer) this.#busyPoll.answered();
    this.#settling[this.#settlingCount++] = connection;
    if (this.#settlingCount === 1) setImmediate(this.#settle);
  }

  readonly #settle = (): void => {
    for (let at = 0; at < this.#settlingCount; at++) this.#cameFree(this.#settling[at] as OriginConnection);
    this.#settlingCount = 0;
  };

  #cameFree(connection: OriginConnection): void {
    const next = this.#queue.first;
    if (next !== undefined) {
      this.#queue.leave(next);
      this.#send(next, connection);
      return;
    }
    this.#idle.push(connection);
    if (this.#idle.length === this.#connections.size) this.#closed?.();
  }

  leaveQueue(exchange: Exchange): void {
    this.#queue.leave(exchange);
  }

  /** Takes nothing new, lets what runs or waits finish for a moment, then cuts off what is left: an origin may hang. */
  async close(graceMs = ORIGIN_CLOSE_TIMEOUT_MS): Promise<void> {
    this.#isClosing = true;
    if (graceMs > 0 && this.#idle.length < this.#connections.size) {
      await new Promise<void>((resolve) => {
        const deadline = this.#options.clock.after(graceMs, resolve);
        this.#closed = () => {
          deadline.cancel();
          resolve();
        };
      });
    }
    for (let exchange = this.#queue.first; exchange !== undefined; exchange = this.#queue.first) {
      this.#queue.leave(exchange);
      exchange.refuse(new OriginError('origin-aborted', 'the origin client is closing'));
    }
    this.#deadlines.stop();
    await Promise.all([...this.#connections].map((connection) => connection.close()));
  }
}

/** One fetch: its wait, its first exchange, and the second where one is due. */
class Exchange implements OriginExchange, ExchangeListener, InLine<Exchange> {
  readonly #request: OriginRequest;
  readonly #listener: OriginListener;
  readonly #pool: PooledClient;
  #connection: OriginConnection | undefined;
  isInLine = false;
  ahead: Exchange | undefined;
  behind: Exchange | undefined;
  /** In the queue: when it has waited too long. */
  waitsUntil = 0;
  #retryCount = 0;
  /** It failed in a way that is to be repeated as soon as its connection is free. */
  #isDue = false;
  #isPaused = false;
  #isOver = false;

  constructor(request: OriginRequest, listener: OriginListener, pool: PooledClient) {
    this.#request = request;
    this.#listener = listener;
    this.#pool = pool;
  }

  refuse(error: OriginError): void {
    queueMicrotask(() => this.#fail(error));
  }

  waitedTooLong(): void {
    const ms = MAX_ORIGIN_QUEUE_WAIT_MS;
    this.#fail(new OriginError('origin-queue-full', `no connection to the origin became free within ${ms} ms`));
  }

  sendOn(connection: OriginConnection): void {
    this.#connection = connection;
    connection.send(this.#request, this);
    if (this.#isPaused) connection.pause(this);
  }

  get isAwaited(): boolean {
    return this.#connection !== undefined && this.#pool.stats.queued > 0;
  }

  pause(): void {
    this.#isPaused = true;
    this.#connection?.pause(this);
  }

  resume(): void {
    this.#isPaused = false;
    this.#connection?.resume(this);
  }

  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#pool.leaveQueue(this);
    this.#connection?.abort(this);
  }

  inform(status: number, fields: Fields): void {
    this.#listener.inform(status, fields);
  }

  head(head: OriginResponseHead): void {
    this.#listener.head(head);
  }

  data(chunk: Buffer, buffer?: ReadBuffer): void {
    this.#listener.data(chunk, buffer);
  }

  get takesWhole(): boolean {
    return this.#listener.whole !== undefined;
  }

  whole(head: OriginResponseHead, content: Buffer): void {
    this.#isOver = true;
    this.#listener.whole?.(head, content);
  }

  ended(trailers: Fields): void {
    this.#isOver = true;
    this.#listener.end(trailers);
  }

  failed(error: OriginError, isRepeatable: boolean): void {
    if (isRepeatable && this.#retryCount < MAX_REUSE_RETRIES) {
      this.#retryCount++;
      this.#isDue = true;
    } else this.#fail(error);
  }

  #fail(error: OriginError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listener.fail(error);
  }

  free(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    if (!this.#isDue || this.#isOver) {
      this.#pool.release(connection);
      return;
    }
    this.#isDue = false;
    // The connection has just lost its socket, so the repeat goes over a fresh one.
    setImmediate(() => {
      if (this.#isOver) this.#pool.release(connection);
      else this.sendOn(connection);
    });
  }
}

export function createOriginClient(options: OriginClientOptions): OriginClient {
  return new PooledClient(options);
}
