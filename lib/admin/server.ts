/**
 * The operator's listener, apart from the clients' one: its own socket, its own limits, so that it answers while the
 * other is full. Implements RFC 9110 §7.4, §9.3.2 and RFC 9112 §3.2.2 as far as an origin server has to.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.js';
import {
  ADMIN_CLOSE_TIMEOUT_MS,
  ADMIN_KEEP_ALIVE_MS,
  ADMIN_MAX_CONNECTIONS,
  ADMIN_MAX_HEAD_BYTES,
  ADMIN_REQUEST_TIMEOUT_MS,
  ADMIN_SWEEP_MS,
} from '../base/limits.js';
import type { Address } from '../config/address.js';
import type { Events } from '../observe/events.js';
import { makeHostCheck } from './authority.js';
import { type AdminReply, makeProblem } from './problem.js';
import { type AdminSources, answerFrom, makeRoutes, type Route } from './routes.js';

export interface AdminOptions {
  readonly listen: Address;
  readonly sources: AdminSources;
  readonly clock: Clock;
  readonly events: Events;
}

export interface Admin {
  /** Resolves with the address once it listens; rejects with the error of the listening socket. */
  start(): Promise<Address>;
  /** Stops listening; running requests get a moment to finish. */
  close(): Promise<void>;
}

/** Fields of every reply: what it says is true now, and is for nobody but who asked. */
const COMMON_FIELDS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' } as const;

/** Path, query and authority of a request, or undefined where the target is none of ours. */
function readTarget(req: IncomingMessage): { path: string; query: URLSearchParams; authority: string } | undefined {
  const target = req.url ?? '';
  // RFC 9112 §3.2.2: an absolute-form target is to be taken, and its authority counts instead of Host.
  const match = /^(?:https?:\/\/([^/?#]*))?(\/[^?#]*)?(?:\?([^#]*))?$/i.exec(target);
  if (match === null || (match[1] === undefined && match[2] === undefined)) return undefined;
  return {
    path: match[2] ?? '/',
    query: new URLSearchParams(match[3] ?? ''),
    authority: match[1] ?? req.headers.host ?? '',
  };
}

/** RFC 9112 §3.2: more than one Host field is an attack or a fault; node:http keeps the first and says nothing. */
function countHosts(req: IncomingMessage): number {
  return req.headersDistinct['host']?.length ?? 0;
}

function send(res: ServerResponse, reply: AdminReply): void {
  res.writeHead(reply.status, {
    ...COMMON_FIELDS,
    'Content-Type': reply.contentType,
    'Content-Length': Buffer.byteLength(reply.body),
    ...reply.fields,
  });
  res.end(reply.body);
}

/** What is answered to bytes that are not a request. */
function replyToClientError(code: string | undefined): AdminReply {
  if (code === 'HPE_HEADER_OVERFLOW')
    return makeProblem(431, `The request head exceeds ${ADMIN_MAX_HEAD_BYTES} bytes.`);
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return makeProblem(408, 'The request was not received in time.');
  return makeProblem(400, 'The request is not valid HTTP.');
}

function sendRaw(socket: Duplex, reply: AdminReply): void {
  const head = [
    `HTTP/1.1 ${reply.status} ${STATUS_CODES[reply.status] ?? ''}`,
    ...Object.entries(COMMON_FIELDS).map(([name, value]) => `${name}: ${value}`),
    `Content-Type: ${reply.contentType}`,
    `Content-Length: ${Buffer.byteLength(reply.body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${reply.body}`);
}

class AdminServer implements Admin {
  readonly #listen: Address;
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #routes: readonly Route[];
  readonly #server: Server;
  #mayUseHost: (authority: string) => boolean = () => false;

  constructor(options: AdminOptions) {
    this.#listen = options.listen;
    this.#clock = options.clock;
    this.#events = options.events;
    this.#routes = makeRoutes(options.sources);
    this.#server = createServer(
      {
        maxHeaderSize: ADMIN_MAX_HEAD_BYTES,
        headersTimeout: ADMIN_REQUEST_TIMEOUT_MS,
        requestTimeout: ADMIN_REQUEST_TIMEOUT_MS,
        keepAliveTimeout: ADMIN_KEEP_ALIVE_MS,
        connectionsCheckingInterval: ADMIN_SWEEP_MS,
      },
      (req, res) => void this.#answer(req, res),
    );
    this.#server.maxConnections = ADMIN_MAX_CONNECTIONS;
    // A peer that neither sends nor takes a byte; running requests here take milliseconds.
    this.#server.timeout = ADMIN_REQUEST_TIMEOUT_MS;
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (!socket.writable || error.code === 'ECONNRESET') socket.destroy();
      else sendRaw(socket, replyToClientError(error.code));
    });
  }

  start(): Promise<Address> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: this.#listen.host, port: this.#listen.port }, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => {
          this.#events.notice('error', 'admin-listener-failed', 'The admin listener failed.', { error });
        });
        // A listener on a TCP port has an AddressInfo; only pipes have a string here.
        const bound = this.#server.address() as AddressInfo;
        this.#mayUseHost = makeHostCheck(bound.address, this.#listen.host);
        resolve({ host: bound.address, port: bound.port });
      });
    });
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    let reply: AdminReply;
    try {
      reply = await this.#replyTo(req);
    } catch (error) {
      this.#events.notice('error', 'admin-request-failed', 'A request to the admin listener failed.', {
        error,
        target: req.url,
      });
      reply = makeProblem(500, 'This failed; the log says how.');
    }
    // A connection that stays open would hold up close().
    if (!this.#server.listening) res.shouldKeepAlive = false;
    send(res, reply);
  }

  async #replyTo(req: IncomingMessage): Promise<AdminReply> {
    const target = readTarget(req);
    if (target === undefined) return makeProblem(400, 'The request target is not a path.');
    if (countHosts(req) > 1) return makeProblem(400, 'The request has several Host fields.');
    if (!this.#mayUseHost(target.authority)) {
      // RFC 9110 §15.5.20: this server does not answer for that name.
      return makeProblem(421, 'This listener is for loopback; ask for localhost, or for its configured name.');
    }
    return answerFrom(this.#routes, { method: req.method ?? '', path: target.path, query: target.query });
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#server.closeIdleConnections();
    const deadline = this.#clock.after(ADMIN_CLOSE_TIMEOUT_MS, () => this.#server.closeAllConnections());
    await closed;
    deadline.cancel();
  }
}

export function createAdmin(options: AdminOptions): Admin {
  return new AdminServer(options);
}
