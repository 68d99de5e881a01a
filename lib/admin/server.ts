/**
 * The operator's listener, apart from the clients' one: its own socket, its own limits, so that it answers while the
 * other is full. Implements RFC 9110 §7.4, §9.3.2 and RFC 9112 §3.2.2 as far as an origin server has to.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  ADMIN_BODY_TIMEOUT_MS,
  ADMIN_CLOSE_TIMEOUT_MS,
  ADMIN_KEEP_ALIVE_MS,
  ADMIN_MAX_CONNECTIONS,
  ADMIN_MAX_HEAD_BYTES,
  ADMIN_MAX_WAIT_MS,
  ADMIN_REQUEST_TIMEOUT_MS,
  ADMIN_SWEEP_MS,
} from '../base/admin-limits.js';
import type { Clock } from '../base/clock.js';
import { isLoopbackAddress } from '../base/loopback.js';
import type { Address } from '../config/address.js';
import type { Events } from '../observe/events.js';
import { refusalOf } from './access.js';
import { makeHostCheck } from './authority.js';
import { bodyOf } from './body.js';
import { type AdminReply, makeProblem } from './problem.js';
import { type AdminSources, handlerFor, makeRoutes, type Route } from './routes.js';

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

/** Whether a body follows the head (RFC 9112 §6.3). */
function hasBody(req: IncomingMessage): boolean {
  return req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
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
  readonly #sources: AdminSources;
  readonly #routes: readonly Route[];
  readonly #server: Server;
  /** Requests that are not answered yet, by the connection they came by. */
  readonly #running = new WeakMap<Duplex, number>();
  #isLoopback = false;
  #mayUseHost: (authority: string) => boolean = () => false;

  constructor(options: AdminOptions) {
    this.#listen = options.listen;
    this.#clock = options.clock;
    this.#events = options.events;
    this.#sources = options.sources;
    this.#routes = makeRoutes(options.sources);
    this.#server = createServer(
      {
        maxHeaderSize: ADMIN_MAX_HEAD_BYTES,
        headersTimeout: ADMIN_REQUEST_TIMEOUT_MS,
        requestTimeout: ADMIN_BODY_TIMEOUT_MS,
        keepAliveTimeout: ADMIN_KEEP_ALIVE_MS,
        connectionsCheckingInterval: ADMIN_SWEEP_MS,
        // It is refused below, with words.
        requireHostHeader: false,
      },
      (req, res) => void this.#answer(req, res, false),
    );
    // RFC 9110 §10.1.1: a body is asked for once it is known that it is wanted.
    this.#server.on('checkContinue', (req, res) => void this.#answer(req, res, true));
    this.#server.on('connect', (_req, socket) => this.#refuseTunnel(socket));
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
        this.#isLoopback = isLoopbackAddress(bound.address);
        this.#mayUseHost = makeHostCheck(bound.address, this.#listen.host);
        resolve({ host: bound.address, port: bound.port });
      });
    });
  }

  async #answer(req: IncomingMessage, res: ServerResponse, awaitsContinue: boolean): Promise<void> {
    const { socket } = req;
    this.#running.set(socket, (this.#running.get(socket) ?? 0) + 1);
    res.once('close', () => this.#running.set(socket, (this.#running.get(socket) ?? 1) - 1));
    let reply: AdminReply;
    try {
      reply = await this.#replyTo(req, res, awaitsContinue);
    } catch (error) {
      // Whoever broke off does not hear what we think of it.
      if (req.destroyed && !req.complete) return;
      this.#events.notice('error', 'admin-request-failed', 'A request to the admin listener failed.', {
        error,
        target: req.url,
      });
      reply = makeProblem(500, 'This failed; the log says how.');
    }
    // A connection that stays open would hold up close(); so would one with a body that nobody reads.
    if (!this.#server.listening || (!req.complete && hasBody(req))) res.shouldKeepAlive = false;
    send(res, reply);
  }

  async #replyTo(req: IncomingMessage, res: ServerResponse, awaitsContinue: boolean): Promise<AdminReply> {
    const target = readTarget(req);
    if (target === undefined) return makeProblem(400, 'The request target is not a path.');
    // RFC 9112 §3.2: of each request of HTTP/1.1 exactly one, and of none more.
    const hosts = countHosts(req);
    if (hosts > 1) return makeProblem(400, 'The request has several Host fields.');
    if (hosts === 0 && req.httpVersion !== '1.0') return makeProblem(400, 'The request has no Host field.');
    if (!this.#mayUseHost(target.authority)) {
      // RFC 9110 §15.5.20: this server does not answer for that name.
      return makeProblem(421, 'This listener is for loopback; ask for localhost, or for its configured name.');
    }
    const method = req.method ?? '';
    const { path, query } = target;
    const handler = handlerFor(this.#routes, method, path);
    if (!('run' in handler)) return handler;
    const authorization = req.headersDistinct['authorization'];
    const visit = {
      access: handler.access,
      isLoopback: this.#isLoopback,
      // Two of them are none: which one a proxy in front of us looked at cannot be told.
      authorization: authorization?.length === 1 ? authorization[0] : undefined,
    };
    const remoteAddress = req.socket.remoteAddress ?? '';
    const refusal = refusalOf(visit, this.#sources.token());
    if (refusal !== undefined) {
      const facts = { by: remoteAddress, target: `${method} ${path}`, status: refusal.status };
      this.#events.notice('warn', 'operator-refused', 'Somebody without the token tried to operate this proxy.', facts);
      return refusal;
    }
    // Node cuts idle sockets; one that waits for the end of an operation is idle on purpose.
    req.socket.setTimeout(ADMIN_REQUEST_TIMEOUT_MS + (handler.access === 'change' ? ADMIN_MAX_WAIT_MS : 0));
    const body = bodyOf(req, res, awaitsContinue);
    return handler.run({ method, path, query, remoteAddress, rawFields: req.rawHeaders, body });
  }

  /** RFC 9110 §9.3.6, §15.6.2. Node lets go of the connection: what becomes of it is seen to here. */
  #refuseTunnel(socket: Duplex): void {
    socket.on('error', () => socket.destroy());
    // It would be taken for the answer to the request before it.
    if ((this.#running.get(socket) ?? 0) > 0) {
      socket.destroy();
      return;
    }
    sendRaw(socket, makeProblem(501, 'There is no way through here: this listener takes no CONNECT.'));
    // What was sent on unread would make a reset of the end, and the answer be lost by that.
    socket.resume();
    const deadline = this.#clock.after(ADMIN_CLOSE_TIMEOUT_MS, () => socket.destroy());
    socket.once('close', () => deadline.cancel());
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
