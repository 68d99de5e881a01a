/**
 * One connection to the origin, opened again whenever it is needed and gone: an undici Client with no pipelining.
 * Implements RFC 9112 §8, §9.3 on the client side. undici is imported here alone.
 */
import type { Socket } from 'node:net';
import { Client } from 'undici';
import type { Clock } from '../base/clock.js';
import { MAX_RESPONSE_FIELDS_BYTES, ORIGIN_CONNECTION_TTL_MS, ORIGIN_KEEP_ALIVE_MS } from '../base/limits.js';
import type { Fields } from '../http/fields.js';
import { Attempt, type AttemptListener } from './attempt.js';
import type { OriginRequest } from './contract.js';
import { type Dialler, wasCut } from './dial.js';
import { HeadSift } from './head-sift.js';

export interface ConnectionOptions {
  readonly url: URL;
  readonly clock: Clock;
  readonly dialler: Dialler;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

/** What the socket's own errors are called, so that undici cannot take a reset for the clean end of a body. */
const CUT_CODE = 'UND_ERR_SOCKET';

/** Fields that the connection writes itself, or that undici refuses to send; none is end to end but Content-Length of a body that is not there. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'content-length',
  'upgrade',
  'expect',
]);

/**
 * undici takes another server name for another connection; ours is chosen at the dial, and is the same for every Host.
 */
const ONE_SERVER_NAME = 'origin';

function wireFields(fields: Fields): string[] {
  const out: string[] = [];
  const raw = fields.raw;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    if (!OWN_FIELDS.has(name.toLowerCase())) out.push(name, raw[i + 1] as string);
  }
  return out;
}

export class OriginConnection {
  readonly #options: ConnectionOptions;
  readonly #client: Client;
  #socket: Socket | undefined;
  #openedAt = 0;
  /** Requests sent on the present socket. */
  #sentCount = 0;
  /** What ended the present socket otherwise than by a clean FIN. */
  #cutBy: Error | undefined;
  #sift = new HeadSift();

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#client = new Client(options.url.origin, {
      connect: (_target, ready) => this.#connect(ready),
      pipelining: 1,
      maxHeaderSize: MAX_RESPONSE_FIELDS_BYTES,
      keepAliveTimeout: ORIGIN_KEEP_ALIVE_MS,
      keepAliveMaxTimeout: ORIGIN_KEEP_ALIVE_MS,
      keepAliveTimeoutThreshold: 1000,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  get isOpen(): boolean {
    return this.#socket !== undefined;
  }

  #connect(ready: (...result: [null, Socket] | [Error, null]) => void): void {
    const socket = this.#options.dialler.dial((failure) => {
      if (failure !== undefined) {
        ready(failure, null);
        return;
      }
      this.#socket = socket;
      this.#openedAt = this.#options.clock.now();
      this.#sentCount = 0;
      this.#cutBy = undefined;
      this.#siftReads(socket);
      ready(null, socket);
    });
    // These run before undici's own listeners, which are added later. A reset within a body that ends with the
    // connection would count as its end (RFC 9112 §8 says it is incomplete), and while paused would be a crash.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#socket === socket) this.#cutBy = error;
      if (error.code === 'ECONNRESET') error.code = CUT_CODE;
    });
    socket.on('end', () => {
      if (this.#socket === socket && wasCut(socket)) this.#cutBy ??= new Error('reset behind its last bytes');
    });
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      if (!socket.readableEnded && this.#cutBy === undefined) {
        // Told as an error, or undici would take this too for the end.
        socket.emit('error', Object.assign(new Error('closed without an end'), { code: CUT_CODE }));
      }
      this.#socket = undefined;
    });
  }

  /** undici takes its bytes with read(), which is the one place between the socket and its parser. */
  #siftReads(socket: Socket): void {
    const sift = new HeadSift();
    this.#sift = sift;
    const read = socket.read.bind(socket);
    socket.read = (size?: number): Buffer | null => {
      const chunk: Buffer | null = read(size);
      return chunk === null ? null : sift.pass(chunk);
    };
  }

  /** Sends one request; the one before must have told `free`. */
  send(request: OriginRequest, listener: AttemptListener): Attempt {
    const { clock, headersTimeoutMs, idleTimeoutMs } = this.#options;
    const attempt = new Attempt(request.method, listener, { clock, headersTimeoutMs, idleTimeoutMs }, this);
    const isOld = this.isOpen && clock.now() - this.#openedAt > ORIGIN_CONNECTION_TTL_MS;
    this.#client.dispatch(
      {
        path: request.target,
        method: request.method,
        headers: wireFields(request.fields),
        ...(request.content === undefined ? undefined : { body: request.content }),
        ...(isOld ? { reset: true } : undefined),
        ...({ servername: ONE_SERVER_NAME } as object),
      },
      attempt,
    );
    attempt.dispatched();
    return attempt;
  }

  /** A request is written to the present socket. Says whether the socket had carried one before. */
  noteSent(): boolean {
    this.#sift.expect();
    return this.#sentCount++ > 0;
  }

  get cutBy(): Error | undefined {
    return this.#cutBy;
  }

  /** The HTTP version that the present answer begins with. */
  get answerVersion(): string {
    return this.#sift.version;
  }

  async close(): Promise<void> {
    await this.#client.destroy();
  }
}
