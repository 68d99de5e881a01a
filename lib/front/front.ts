/**
 * The front: takes each client that comes, gives its connection to the lane that reads it, and the requests of both to the engine;
 * looks after all connections, and ends them. Implements RFC 9112 §9.
 */
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../base/clock.js';
import { stackOf } from '../base/errors.js';
import { ACCEPTS_SHARE_OF_DRAIN, CONNECTION_SWEEP_MS, DRAIN_REST_MS } from '../base/limits.js';
import type { RequestHandler } from '../engine/contract.js';
import type { Events } from '../observe/events.js';
import { ClientConnection } from './connection.js';
import {
  DEFAULT_LIMITS,
  type Front,
  type FrontLimits,
  type FrontOptions,
  type FrontSettings,
  type Move,
} from './contract.js';
import { Crowd } from './crowd.js';
import { Door, type Held } from './door.js';
import type { Exchange } from './exchange.js';
import { type FastFront, FastReader } from './fast-lane.js';
import { type FullFront, FullLane } from './full-lane.js';
import { Intake } from './intake.js';
import { Listening, type Newcomers } from './listening.js';
import type { Tunnel } from './pass-lane.js';
import { type Handle, handleOf, pausedSocket, readInto } from './read-into.js';
import { REFUSALS, type RefusalStyle } from './refusal.js';

export type { Front, FrontLimits, FrontOptions } from './contract.js';

class ClientFront implements Front, FastFront, FullFront, Newcomers {
  readonly handler: RequestHandler;
  readonly tunnel: Tunnel;
  readonly clock: Clock;
  wallLead: number;
  /** What clock.now() is ahead of the steady clock. */
  #steadyLead: number;
  readonly events: Events;
  limits: FrontLimits;
  debugHeader: string | undefined;
  style: RefusalStyle;
  isDraining = false;
  intake: Intake;
  readonly #defaultHost: string | undefined;
  readonly #fullLane: FullLane;
  #hasFastLane: boolean;
  readonly #listening: Listening;
  readonly #crowd = new Crowd();
  readonly #door: Door;
  #sweep: Timer | undefined;
  #isOverfull = false;
  #whenEmpty: (() => void) | undefined;

  constructor(options: FrontOptions) {
    this.handler = options.handler;
    this.tunnel = options.tunnel;
    this.clock = options.clock;
    this.#door = new Door(options.clock);
    this.wallLead = options.clock.wall() - options.clock.now();
    this.#steadyLead = options.clock.now() - options.clock.steady();
    this.events = options.events;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.debugHeader = options.debugHeader;
    this.style = { debugHeader: options.debugHeader, via: options.via };
    this.#defaultHost = options.defaultHost;
    this.#hasFastLane = options.fastLane ?? true;
    this.intake = new Intake(this.limits, options.defaultHost ?? '');
    this.#fullLane = new FullLane(this);
    this.#listening = new Listening(options, this);
  }

  get connections(): number {
    return this.#crowd.count;
  }

  get fastConnections(): number {
    let count = 0;
    for (const { reader } of this.#crowd) if (reader !== undefined) count++;
    return count;
  }

  async start(): Promise<string> {
    const address = await this.#listening.start();
    this.#sweep = this.clock.every(CONNECTION_SWEEP_MS, () => this.#sweepAll());
    return address;
  }

  moveTo(listen: FrontOptions['listen']): Promise<Move> {
    return this.#listening.moveTo(listen);
  }

  arrived(address: string): void {
    this.intake = new Intake(this.limits, this.#defaultHost ?? address);
  }

  take(handle: Handle, isMore: boolean): void {
    const isLetIn = !this.isDraining && this.#hasRoom();
    this.#door.handedOver(isMore && isLetIn && this.#hasFastLane);
    if (!isLetIn) handle.close();
    else if (this.#hasFastLane) this.#readHandle(handle);
    else this.#takeSocket(pausedSocket(handle));
  }

  reconfigure({ limits, debugHeader, via, fastLane }: FrontSettings): void {
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.debugHeader = debugHeader;
    this.style = { debugHeader, via };
    this.#hasFastLane = fastLane;
    this.intake = new Intake(this.limits, this.#defaultHost ?? this.#listening.address);
    this.#fullLane.reconfigure();
  }

  #sweepAll(): void {
    const now = this.clock.now();
    this.wallLead = this.clock.wall() - now;
    const steadyLead = now - this.clock.steady();
    const jumpedMs = steadyLead - this.#steadyLead;
    this.#steadyLead = steadyLead;
    for (const connection of this.#crowd) {
      if (jumpedMs >= 1) connection.excuse(jumpedMs, now);
      connection.sweep(now);
    }
  }

  accepted(socket: Socket): void {
    if (this.#isLetIn()) this.#takeSocket(socket);
    else socket.destroy();
  }

  acceptedHandle(handle: Handle): boolean {
    if (!this.#hasFastLane) return false;
    if (this.#isLetIn()) this.#readHandle(handle);
    else handle.close();
    return true;
  }

  /** Whether there is room for who has just come. */
  #isLetIn(): boolean {
    if (!this.#hasRoom()) return false;
    // The full lane holds nothing; and nobody waits for those who are refused.
    if (this.#hasFastLane && this.#crowd.servedCount < this.limits.connections) this.#door.came();
    return true;
  }

  #takeSocket(socket: Socket): void {
    if (this.#hasFastLane) this.#read(handleOf(socket));
    else this.#admit(socket, undefined);
  }

  #readHandle(handle: Handle): void {
    handle.setNoDelay(true);
    this.#read(handle);
  }

  #hasRoom(): boolean {
    const hasRoom = this.#crowd.makesRoom(this.limits.connections);
    if (!hasRoom) this.#noticeOverfull();
    return hasRoom;
  }

  #read(handle: Handle | null): void {
    const reader = new FastReader(this);
    const socket = readInto(handle, (bytes, length) => reader.take(bytes, length));
    this.#admit(socket, reader);
  }

  get isHolding(): boolean {
    return this.#door.isHolding;
  }

  hold(one: Held): void {
    this.#door.hold(one);
  }

  ends(connection: ClientConnection): void {
    this.#crowd.ends(connection);
  }

  #admit(socket: Socket, reader: FastReader | undefined): void {
    const connection = new ClientConnection(this, socket);
    this.#crowd.add(connection);
    socket.on('close', () => this.#closed(connection));
    if (reader === undefined) this.#fullLane.take(socket);
    else reader.attach(connection);
    if (this.#crowd.servedCount > this.limits.connections) {
      this.#noticeOverfull();
      connection.refuse(REFUSALS.connections);
    }
  }

  #closed(connection: ClientConnection): void {
    this.#crowd.delete(connection);
    connection.closed();
    if (this.#crowd.count <= this.limits.connections) this.#isOverfull = false;
    if (this.#crowd.count === 0) this.#whenEmpty?.();
  }

  connectionOf(socket: Socket): ClientConnection | undefined {
    return this.#crowd.of(socket);
  }

  handOver(connection: ClientConnection, unread: Buffer): void {
    connection.leaveFastLane();
    this.#fullLane.takeOver(connection.socket, unread);
  }

  hand(connection: ClientConnection, exchange: Exchange): void {
    connection.began(exchange);
    try {
      this.handler.handle(exchange, exchange);
    } catch (error) {
      this.faulted(exchange, error);
    }
  }

  attempt(exchange: Exchange, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.faulted(exchange, error);
    }
  }

  /** A broken invariant ends this request and no other; where that throws in turn, its connection. */
  faulted(exchange: Exchange, error: unknown): void {
    try {
      this.#tell('A request could not be handled', exchange, error);
      exchange.fail();
    } catch (further) {
      exchange.cutOff();
      this.#tell('A request that could not be handled was cut off', exchange, further);
    }
  }

  #tell(sentence: string, { host, target }: Exchange, error: unknown): void {
    this.events.notice('error', 'internal', sentence, { host, target, error: stackOf(error) });
  }

  /** Once for each time that the limit is reached, not for each connection beyond it. */
  #noticeOverfull(): void {
    if (this.#isOverfull) return;
    this.#isOverfull = true;
    this.events.notice('warn', 'too-many-connections', 'Client connections are refused: the limit is reached', {
      limit: this.limits.connections,
    });
  }

  async drain(timeoutMs: number): Promise<void> {
    this.isDraining = true;
    let isTimeUp = false;
    let stopWaiting = (): void => {};
    const timer = this.clock.after(timeoutMs, () => {
      isTimeUp = true;
      stopWaiting();
    });
    await this.#listening.stop(timeoutMs * ACCEPTS_SHARE_OF_DRAIN);
    this.#endResting();
    const looks = this.clock.every(DRAIN_REST_MS, () => this.#endResting());
    if (this.#crowd.count > 0 && !isTimeUp) {
      await new Promise<void>((resolve) => {
        stopWaiting = resolve;
        this.#whenEmpty = resolve;
      });
    }
    timer.cancel();
    looks.cancel();
    await this.close();
  }

  #endResting(): void {
    for (const connection of this.#crowd) connection.drain();
  }

  async close(): Promise<void> {
    this.isDraining = true;
    this.#listening.close();
    this.#sweep?.cancel();
    for (const connection of this.#crowd) connection.endAtOnce();
    if (this.#crowd.count > 0) {
      await new Promise<void>((resolve) => {
        this.#whenEmpty = resolve;
      });
    }
  }
}

export function createFront(options: FrontOptions): Front {
  return new ClientFront(options);
}
