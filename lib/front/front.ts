/**
 * The front: listens, keeps account of the clients' connections, and gives each to the lane that reads it.
 * Implements RFC 9112 §9.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Clock, Timer } from '../base/clock.js';
import { stackOf } from '../base/errors.js';
import {
  CONNECTION_SWEEP_MS,
  DRAIN_REST_MS,
  LISTEN_BACKLOG,
  MAX_REFUSED_CONNECTIONS,
  TURNS_BEFORE_DRAIN,
} from '../base/limits.js';
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
import type { Exchange } from './exchange.js';
import { type FastFront, FastReader } from './fast-lane.js';
import { type FullFront, FullLane } from './full-lane.js';
import { Intake } from './intake.js';
import type { Tunnel } from './pass-lane.js';
import { acceptHandles, type Handle, handleOf, pausedSocket, readInto } from './read-into.js';
import { REFUSALS, type RefusalStyle } from './refusal.js';

export type { Front, FrontLimits, FrontOptions } from './contract.js';

class ClientFront implements Front, FastFront, FullFront {
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
  readonly #listen: FrontOptions['listen'];
  readonly #defaultHost: string | undefined;
  readonly #isHanded: boolean;
  readonly #fullLane: FullLane;
  #hasFastLane: boolean;
  /** The address, for HTTP/1.0 requests that name no host. */
  #address = '';
  #server: Server;
  readonly #connections = new Map<Socket, ClientConnection>();
  /** Of these, those to which nothing more is said and whose last bytes are still going out, oldest first. */
  readonly #ending = new Set<ClientConnection>();
  /** And those of which only the client's end is waited for. */
  readonly #over = new Set<ClientConnection>();
  #sweep: Timer | undefined;
  #isOverfull = false;
  #whenEmpty: (() => void) | undefined;

  constructor(options: FrontOptions) {
    this.handler = options.handler;
    this.tunnel = options.tunnel;
    this.clock = options.clock;
    this.wallLead = options.clock.wall() - options.clock.now();
    this.#steadyLead = options.clock.now() - options.clock.steady();
    this.events = options.events;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.debugHeader = options.debugHeader;
    this.style = { debugHeader: options.debugHeader, via: options.via };
    this.#listen = options.listen;
    this.#defaultHost = options.defaultHost;
    this.#isHanded = options.isHanded ?? false;
    this.#hasFastLane = options.fastLane ?? true;
    this.intake = new Intake(this.limits, options.defaultHost ?? '');
    this.#fullLane = new FullLane(this);
    this.#server = this.#makeServer();
  }

  get connections(): number {
    return this.#connections.size;
  }

  get fastConnections(): number {
    let count = 0;
    for (const { reader } of this.#connections.values()) if (reader !== undefined) count++;
    return count;
  }

  /** Accepts paused: who reads is told below. A client that ends its side after the request waits for the answer. */
  #makeServer(): Server {
    const server = createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true });
    server.on('connection', (socket: Socket) => this.#accepted(socket));
    return server;
  }

  async start(): Promise<string> {
    const { host, port } = this.#listen;
    this.#arrived(this.#isHanded ? written(host, port) : await this.#open(this.#server, this.#listen));
    this.#sweep = this.clock.every(CONNECTION_SWEEP_MS, () => this.#sweepAll());
    return this.#address;
  }

  async #open(server: Server, { host, port }: FrontOptions['listen']): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, backlog: LISTEN_BACKLOG }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    server.on('error', (error) => this.events.notice('error', 'accept-failed', error.message));
    acceptHandles(server, (handle) => this.#acceptedHandle(handle));
    const bound = server.address() as AddressInfo;
    return written(bound.address, bound.port);
  }

  #arrived(address: string): void {
    this.#address = address;
    this.intake = new Intake(this.limits, this.#defaultHost ?? address);
  }

  async moveTo(listen: FrontOptions['listen']): Promise<Move> {
    if (this.#isHanded) {
      const address = written(listen.host, listen.port);
      return { address, take: () => this.#arrived(address), leave: async () => {} };
    }
    const next = this.#makeServer();
    const { port } = this.#server.address() as AddressInfo;
    // `0.0.0.0` and `127.0.0.1` cannot both have one port: the old one has to go first, for an instant.
    if (listen.port === port) this.#stopAccepting();
    let address: string;
    try {
      address = await this.#open(next, listen);
    } catch (error) {
      if (listen.port === port) await this.#listenAgain();
      throw error;
    }
    return {
      address,
      take: () => {
        this.#stopAccepting();
        this.#server = next;
        this.#arrived(address);
      },
      leave: async () => {
        next.close();
        if (listen.port === port) await this.#listenAgain();
      },
    };
  }

  /** Where the new address could not be had after all. */
  async #listenAgain(): Promise<void> {
    const { host, port } = addressOf(this.#address);
    this.#server = this.#makeServer();
    await this.#open(this.#server, { host, port });
  }

  take(handle: Handle): void {
    if (this.isDraining) handle.close();
    else if (!this.#acceptedHandle(handle)) this.#accepted(pausedSocket(handle));
  }

  reconfigure({ limits, debugHeader, via, fastLane }: FrontSettings): void {
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.debugHeader = debugHeader;
    this.style = { debugHeader, via };
    this.#hasFastLane = fastLane;
    this.intake = new Intake(this.limits, this.#defaultHost ?? this.#address);
    this.#fullLane.reconfigure();
  }

  #sweepAll(): void {
    const now = this.clock.now();
    this.wallLead = this.clock.wall() - now;
    const steadyLead = now - this.clock.steady();
    const jumpedMs = steadyLead - this.#steadyLead;
    this.#steadyLead = steadyLead;
    for (const connection of this.#connections.values()) {
      if (jumpedMs >= 1) connection.excuse(jumpedMs, now);
      connection.sweep(now);
    }
  }

  #accepted(accepted: Socket): void {
    if (this.#isBeyondAll()) accepted.destroy();
    else if (this.#hasFastLane) this.#read(handleOf(accepted));
    else this.#admit(accepted, undefined);
  }

  /** The same before there is a socket. False where the server is to make one. */
  #acceptedHandle(handle: Handle): boolean {
    if (!this.#hasFastLane) return false;
    if (this.#isBeyondAll()) handle.close();
    else {
      handle.setNoDelay(true);
      this.#read(handle);
    }
    return true;
  }

  #read(handle: Handle | null): void {
    const reader = new FastReader(this);
    const socket = readInto(handle, (bytes, length) => reader.take(bytes, length));
    this.#admit(socket, reader);
  }

  /** What is told below that it is one too many is bounded as well, and so is what only ends. */
  #isBeyondAll(): boolean {
    if (this.#connections.size < this.limits.connections + MAX_REFUSED_CONNECTIONS) return false;
    // One that still takes the last of its reply gives way after all that wait for nothing.
    const [oldest] = this.#over.size > 0 ? this.#over : this.#ending;
    if (oldest !== undefined && this.#servedCount < this.limits.connections) {
      this.#forget(oldest);
      oldest.endAtOnce();
      return false;
    }
    this.#noticeOverfull();
    return true;
  }

  /** One that only ends takes nobody's place: a client often asks anew on a new one as soon as it has seen the end of the last. */
  get #servedCount(): number {
    return this.#connections.size - this.#ending.size - this.#over.size;
  }

  ends(connection: ClientConnection): void {
    if (connection.isOver) this.#over.add(connection);
    else {
      this.#ending.add(connection);
      connection.socket.once('finish', () => {
        if (this.#ending.delete(connection)) this.#over.add(connection);
      });
    }
  }

  #forget(connection: ClientConnection): void {
    this.#connections.delete(connection.socket);
    this.#ending.delete(connection);
    this.#over.delete(connection);
  }

  #admit(socket: Socket, reader: FastReader | undefined): void {
    const connection = new ClientConnection(this, socket);
    this.#connections.set(socket, connection);
    socket.on('close', () => this.#closed(connection));
    if (reader === undefined) this.#fullLane.take(socket);
    else reader.attach(connection);
    if (this.#servedCount > this.limits.connections) {
      this.#noticeOverfull();
      connection.refuse(REFUSALS.connections);
    }
  }

  #closed(connection: ClientConnection): void {
    this.#forget(connection);
    connection.closed();
    if (this.#connections.size <= this.limits.connections) this.#isOverfull = false;
    if (this.#connections.size === 0) this.#whenEmpty?.();
  }

  connectionOf(socket: Socket): ClientConnection | undefined {
    return this.#connections.get(socket);
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
      this.faulted(connection, exchange, error);
    }
  }

  attempt(connection: ClientConnection, exchange: Exchange, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.faulted(connection, exchange, error);
    }
  }

  /** A broken invariant ends this request and no other. */
  faulted(connection: ClientConnection, exchange: Exchange, error: unknown): void {
    this.events.notice('error', 'internal', 'A request could not be handled', {
      host: exchange.host,
      target: exchange.target,
      error: stackOf(error),
    });
    if (exchange.isReplyBegun) connection.cut();
    else exchange.refuse(REFUSALS.internal);
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
    await readWhatArrived();
    this.#stopAccepting();
    this.#endResting();
    const looks = this.clock.every(DRAIN_REST_MS, () => this.#endResting());
    if (this.#connections.size > 0 && !isTimeUp) {
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
    for (const connection of this.#connections.values()) connection.drain();
  }

  async close(): Promise<void> {
    this.isDraining = true;
    this.#stopAccepting();
    this.#sweep?.cancel();
    for (const connection of this.#connections.values()) connection.endAtOnce();
    if (this.#connections.size > 0) {
      await new Promise<void>((resolve) => {
        this.#whenEmpty = resolve;
      });
    }
  }

  #stopAccepting(): void {
    if (this.#server.listening) this.#server.close();
  }
}

/**
 * Lets the event loop read what has arrived already. A connection that is closed with a request unread is reset, and
 * so is one that the kernel has accepted and we have not: both would cost a client its answer.
 */
async function readWhatArrived(): Promise<void> {
  for (let turn = 0; turn < TURNS_BEFORE_DRAIN; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

function written(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function addressOf(written: string): { host: string; port: number } {
  const colon = written.lastIndexOf(':');
  return { host: written.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(written.slice(colon + 1)) };
}

export function createFront(options: FrontOptions): Front {
  return new ClientFront(options);
}
