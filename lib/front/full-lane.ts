/**
 * The full lane: clients' connections on node:http, for any request that there is. The only file of the front that
 * makes node:http objects; what they let through is judged in intake.ts, what they tell is spoken in connection.ts.
 * Implements RFC 9112 §2, §3, §9 and RFC 9110 §7.8 (Upgrade), §10.1.1 (Expect).
 */
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Clock, Timer } from '../base/clock.js';
import {
  CONNECTION_SWEEP_MS,
  DRAIN_REST_MS,
  LISTEN_BACKLOG,
  MAX_REFUSED_CONNECTIONS,
  TURNS_BEFORE_DRAIN,
} from '../base/limits.js';
import type { RequestHandler } from '../engine/contract.js';
import { splitList } from '../http/tokens.js';
import type { Events } from '../observe/events.js';
import { ClientConnection, type RequestLine } from './connection.js';
import {
  DEFAULT_LIMITS,
  type Front,
  type FrontLimits,
  type FrontOptions,
  type FrontSettings,
  type Lane,
  type Move,
} from './contract.js';
import { Exchange, type UpgradeSocket } from './exchange.js';
import { Intake, isRefused } from './intake.js';
import { readParserFault } from './parser-fault.js';
import type { Tunnel } from './pass-lane.js';
import { REFUSALS, type RefusalStyle } from './refusal.js';

export type { Front, FrontLimits, FrontOptions } from './contract.js';

/** Node's own look at timeouts, which is not used: setInterval's longest interval. */
const NEVER_MS = 2 ** 31 - 1;

class FullLane implements Front, Lane {
  readonly handler: RequestHandler;
  readonly tunnel: Tunnel;
  readonly clock: Clock;
  readonly events: Events;
  limits: FrontLimits;
  debugHeader: string | undefined;
  style: RefusalStyle;
  isDraining = false;
  readonly #listen: FrontOptions['listen'];
  readonly #defaultHost: string | undefined;
  /** The address, for HTTP/1.0 requests that name no host. */
  #address = '';
  #server: Server;
  readonly #connections = new Map<Socket, ClientConnection>();
  #intake: Intake;
  #sweep: Timer | undefined;
  #isOverfull = false;
  #whenEmpty: (() => void) | undefined;

  constructor(options: FrontOptions) {
    this.handler = options.handler;
    this.tunnel = options.tunnel;
    this.clock = options.clock;
    this.events = options.events;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.debugHeader = options.debugHeader;
    this.style = { debugHeader: options.debugHeader, via: options.via };
    this.#listen = options.listen;
    this.#defaultHost = options.defaultHost;
    this.#intake = new Intake(this.limits, options.defaultHost ?? '');
    this.#server = this.#makeServer();
  }

  get connections(): number {
    return this.#connections.size;
  }

  #makeServer(): Server {
    const { targetBytes, fieldsBytes, connections } = this.limits;
    const server = createServer({
      // Whatever NODE_OPTIONS say: leniency in the grammar is how requests are smuggled.
      insecureHTTPParser: false,
      // The intake counts exactly and says which of the two it was; beyond both, the parser gives up.
      maxHeaderSize: targetBytes + fieldsBytes,
      // Each of these is watched by the sweep, by our clock and without a timer for each request.
      headersTimeout: 0,
      requestTimeout: 0,
      keepAliveTimeout: 0,
      connectionsCheckingInterval: NEVER_MS,
      // The intake judges Host, and says what is wrong with it.
      requireHostHeader: false,
      noDelay: true,
    });
    // Node would leave out the fields beyond this number and pass the request on without them.
    server.maxHeadersCount = 0;
    // A client that ends its side after the request waits for the answer (RFC 9112 §9.6).
    (server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
    // Part of close(): it would cut off connections that a drain gives a moment more.
    server.closeIdleConnections = () => {};
    server.maxConnections = connections + MAX_REFUSED_CONNECTIONS;
    server.on('connection', (socket: Socket) => this.#connected(socket));
    server.on('request', (req, res) => this.#requested(req, res));
    // The tunnel lets the client go on once the origin does (RFC 9110 §10.1.1).
    server.on('checkContinue', (req, res) => this.#requested(req, res));
    server.on('checkExpectation', (req, res) => this.#requested(req, res));
    server.on('upgrade', (req: IncomingMessage, socket: Socket, head: Buffer) => this.#upgraded(req, socket, head));
    server.on('connect', (req: IncomingMessage, socket: Socket) => this.#connectAsked(req, socket));
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => this.#faulted(error, socket));
    server.on('drop', () => this.#noticeOverfull());
    return server;
  }

  async start(): Promise<string> {
    this.#arrived(await this.#open(this.#server, this.#listen));
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
    const bound = server.address() as AddressInfo;
    return bound.address.includes(':') ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
  }

  #arrived(address: string): void {
    this.#address = address;
    this.#intake = new Intake(this.limits, this.#defaultHost ?? address);
  }

  async moveTo(listen: FrontOptions['listen']): Promise<Move> {
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
      leave: () => next.close(),
    };
  }

  /** Where the new address could not be had after all. */
  async #listenAgain(): Promise<void> {
    const { host, port } = addressOf(this.#address);
    this.#server = this.#makeServer();
    await this.#open(this.#server, { host, port });
  }

  reconfigure({ limits, debugHeader, via }: FrontSettings): void {
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.debugHeader = debugHeader;
    this.style = { debugHeader, via };
    this.#intake = new Intake(this.limits, this.#defaultHost ?? this.#address);
    this.#server.maxConnections = this.limits.connections + MAX_REFUSED_CONNECTIONS;
    // Node reads it when a connection begins; those that are open keep what they began with.
    Object.assign(this.#server, { maxHeaderSize: this.limits.targetBytes + this.limits.fieldsBytes });
  }

  #sweepAll(): void {
    const now = this.clock.now();
    for (const connection of this.#connections.values()) connection.sweep(now);
  }

  #connected(socket: Socket): void {
    const connection = new ClientConnection(this, socket);
    this.#connections.set(socket, connection);
    socket.on('close', () => {
      this.#connections.delete(socket);
      connection.closed();
      if (this.#connections.size <= this.limits.connections) this.#isOverfull = false;
      if (this.#connections.size === 0) this.#whenEmpty?.();
    });
    if (this.#connections.size > this.limits.connections) {
      this.#noticeOverfull();
      connection.refuse(REFUSALS.connections);
    }
  }

  /** Once for each time that the limit is reached, not for each connection beyond it. */
  #noticeOverfull(): void {
    if (this.#isOverfull) return;
    this.#isOverfull = true;
    this.events.notice('warn', 'too-many-connections', 'Client connections are refused: the limit is reached', {
      limit: this.limits.connections,
    });
  }

  #requested(req: IncomingMessage, res: ServerResponse): void {
    const connection = this.#connections.get(req.socket);
    // After a last reply, what was read ahead is no longer answered (RFC 9112 §9.6).
    if (connection === undefined || connection.isClosing) {
      req.resume();
      return;
    }
    const verdict = this.#intake.judge({
      method: req.method as string,
      target: req.url as string,
      httpVersion: req.httpVersion,
      raw: req.rawHeaders,
    });
    if (isRefused(verdict) || connection.isFull) {
      connection.refuse(isRefused(verdict) ? verdict : REFUSALS.pipelined, requestLine(req));
      // What is left of its body is read past while the connection lingers.
      req.resume();
      return;
    }
    this.#hand(connection, new Exchange(connection, verdict, req, res));
  }

  #hand(connection: ClientConnection, exchange: Exchange): void {
    connection.began(exchange);
    try {
      this.handler.handle(exchange, exchange);
    } catch (error) {
      // A broken invariant ends this request and no other.
      this.events.notice('error', 'internal', 'A request could not be handled', {
        host: exchange.host,
        target: exchange.target,
        error: error instanceof Error ? error.stack : String(error),
      });
      if (exchange.isReplyBegun) connection.cut(false);
      else exchange.refuse(REFUSALS.internal);
    }
  }

  #upgraded(req: IncomingMessage, socket: Socket, head: Buffer): void {
    // node:http has taken its listeners away; without one, a reset would end the process.
    socket.on('error', () => socket.destroy());
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.isClosing) return;
    const request = requestLine(req);
    if (!connection.isIdle) {
      connection.relayDrain();
      connection.refuse(REFUSALS.upgradeInPipeline, request);
      return;
    }
    const verdict = this.#intake.judge({ ...request, raw: req.rawHeaders });
    if (isRefused(verdict)) {
      connection.refuse(verdict, request);
      return;
    }
    // The parser has let go, so a body could not be told from what follows the switch.
    if (verdict.hasBody) {
      connection.refuse(REFUSALS.upgradeWithBody, request);
      return;
    }
    const upgrade: UpgradeSocket = { socket, head };
    const exchange = new Exchange(connection, verdict, req, new ServerResponse(req), upgrade, isSwitch(verdict));
    this.#hand(connection, exchange);
  }

  #connectAsked(req: IncomingMessage, socket: Socket): void {
    socket.on('error', () => socket.destroy());
    this.#connections.get(socket)?.refuse(REFUSALS.method, requestLine(req));
  }

  /** node:http could not read on: a fault in the grammar, or in the connection. */
  #faulted(error: NodeJS.ErrnoException, socket: Socket): void {
    const connection = this.#connections.get(socket);
    const fault = readParserFault(error);
    if (connection === undefined || fault === 'broken') {
      socket.destroy();
      return;
    }
    if (fault === 'surplus' || connection.isClosing) return;
    if (connection.isReceiving) connection.breakOff(fault);
    else connection.refuse(fault);
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
    for (const socket of this.#connections.keys()) socket.destroy();
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

function addressOf(written: string): { host: string; port: number } {
  const colon = written.lastIndexOf(':');
  return { host: written.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(written.slice(colon + 1)) };
}

function requestLine(req: IncomingMessage): RequestLine {
  return { method: req.method ?? '', target: req.url ?? '', httpVersion: req.httpVersion };
}

/**
 * Whether the connection is to be switched. RFC 9110 §7.8: Upgrade in HTTP/1.0 is ignored. So is h2c, which RFC 9113
 * withdrew: through a proxy it would carry requests past the cache that nobody looks at.
 */
function isSwitch(admitted: { readonly httpVersion: string; readonly fields: Exchange['fields'] }): boolean {
  if (admitted.httpVersion === '1.0') return false;
  const protocols = splitList(admitted.fields.get('upgrade') ?? '');
  return protocols.length > 0 && !protocols.some((protocol) => protocol.toLowerCase().startsWith('h2'));
}

export function createFront(options: FrontOptions): Front {
  return new FullLane(options);
}
