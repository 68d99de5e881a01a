/**
 * The full lane: clients' connections on node:http, for any request that there is. What node:http lets through is
 * judged in intake.ts, what it tells is spoken in connection.ts. Its server does not listen: connections are given to
 * it, from the start, or by the fast lane at a request that is not for that one.
 * Implements RFC 9112 §2, §3, §9 and RFC 9110 §7.8 (Upgrade), §10.1.1 (Expect).
 */
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { splitList } from '../http/tokens.js';
import type { ClientConnection, RequestLine } from './connection.js';
import type { Lane } from './contract.js';
import { Exchange } from './exchange.js';
import { type Intake, isRefused } from './intake.js';
import { readParserFault } from './parser-fault.js';
import type { UpgradeSocket } from './pass-lane.js';
import { REFUSALS } from './refusal.js';

/** What the lane needs of the front. */
export interface FullFront extends Lane {
  readonly intake: Intake;
  connectionOf(socket: Socket): ClientConnection | undefined;
}

/** Node's own look at timeouts, which is not used: setInterval's longest interval. */
const NEVER_MS = 2 ** 31 - 1;

export class FullLane {
  readonly #front: FullFront;
  readonly #server: Server;

  constructor(front: FullFront) {
    this.#front = front;
    this.#server = this.#makeServer();
  }

  #makeServer(): Server {
    const { targetBytes, fieldsBytes } = this.#front.limits;
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
    });
    // Node would leave out the fields beyond this number and pass the request on without them.
    server.maxHeadersCount = 0;
    // A client that ends its side after the request waits for the answer (RFC 9112 §9.6).
    (server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
    server.on('request', (req, res) => this.#requested(req, res));
    // The tunnel lets the client go on once the origin does (RFC 9110 §10.1.1).
    server.on('checkContinue', (req, res) => this.#requested(req, res));
    server.on('checkExpectation', (req, res) => this.#requested(req, res));
    server.on('upgrade', (req: IncomingMessage, socket: Socket, head: Buffer) => this.#upgraded(req, socket, head));
    server.on('connect', (req: IncomingMessage, socket: Socket) => this.#connectAsked(req, socket));
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => this.#faulted(error, socket));
    return server;
  }

  reconfigure(): void {
    const { targetBytes, fieldsBytes } = this.#front.limits;
    // Node reads it when a connection begins; those that are open keep what they began with.
    Object.assign(this.#server, { maxHeaderSize: targetBytes + fieldsBytes });
  }

  /** A connection that was accepted paused. */
  take(socket: Socket): void {
    // node:http ends the connection by this behind the last reply that it knows of.
    const connection = this.#front.connectionOf(socket);
    if (connection !== undefined) socket.destroySoon = () => connection.end();
    this.#server.emit('connection', socket);
    socket.resume();
  }

  /** A connection of which `unread` was read and not used. */
  takeOver(socket: Socket, unread: Buffer): void {
    // Said outright, so that node:http's listener for bytes does not set them going before everything is in its place.
    socket.pause();
    if (unread.length > 0) socket.unshift(unread);
    this.take(socket);
  }

  #requested(req: IncomingMessage, res: ServerResponse): void {
    const connection = this.#front.connectionOf(req.socket);
    // After a last reply, what was read ahead is no longer answered (RFC 9112 §9.6).
    if (connection === undefined || connection.isClosing) {
      req.resume();
      connection?.dropUnparsed();
      return;
    }
    const verdict = this.#front.intake.judge({
      method: req.method as string,
      target: req.url as string,
      httpVersion: req.httpVersion,
      raw: req.rawHeaders,
    });
    if (isRefused(verdict) || connection.isFull) {
      connection.refuse(isRefused(verdict) ? verdict : REFUSALS.pipelined, requestLine(req));
      // What is left of its body is for nobody.
      req.resume();
      connection.dropUnparsed();
      return;
    }
    connection.isNextInLine = false;
    this.#front.hand(
      connection,
      new Exchange(connection, req.method ?? '', verdict, { req, res, upgrade: undefined }, this.#front.clock.now()),
    );
  }

  #upgraded(req: IncomingMessage, socket: Socket, head: Buffer): void {
    // node:http has taken its listeners away; without one, a reset would end the process.
    socket.on('error', () => socket.destroy());
    const connection = this.#front.connectionOf(socket);
    // Also where this one is not looked at: a reply before it may still be going out.
    if (connection?.isIdle === false) connection.relayDrain();
    if (connection === undefined || connection.isClosing) return;
    const request = requestLine(req);
    if (!connection.isIdle || connection.isNextInLine) {
      connection.refuse(REFUSALS.upgradeInPipeline, request);
      return;
    }
    const verdict = this.#front.intake.judge({ ...request, raw: req.rawHeaders });
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
    const wire = { req, res: new ServerResponse(req), upgrade };
    this.#front.hand(
      connection,
      new Exchange(connection, req.method ?? '', verdict, wire, this.#front.clock.now(), isSwitch(verdict)),
    );
  }

  #connectAsked(req: IncomingMessage, socket: Socket): void {
    socket.on('error', () => socket.destroy());
    const connection = this.#front.connectionOf(socket);
    if (connection?.isIdle === false) connection.relayDrain();
    connection?.refuse(REFUSALS.method, requestLine(req));
  }

  /** node:http could not read on: a fault in the grammar, or in the connection. */
  #faulted(error: NodeJS.ErrnoException, socket: Socket): void {
    const connection = this.#front.connectionOf(socket);
    const fault = readParserFault(error);
    if (connection === undefined || fault === 'broken') {
      socket.destroy();
      return;
    }
    if (fault === 'surplus' || connection.isClosing) {
      connection.dropUnparsed();
      return;
    }
    if (connection.isReceiving) connection.breakOff(fault);
    else connection.refuse(fault);
  }
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
