/**
 * An origin at the level of sockets that plays a script for each request and records what it was sent.
 *
 *   const origin = await startScriptedOrigin();                       // or {tls: {key, cert}}
 *   origin.script(send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab'), until(barrier), send('cd'));
 *   origin.script(reset());                                            // the next request
 *   origin.respond((request) => ({ status: 200, fields: ['ETag', '"a"'], body: 'hello' }));   // all that no script is left for
 *   origin.perform((request) => [send(headOf(request)), reset()]);     // the same with steps
 *   const request = await origin.seen(1);                              // the first request, once its head arrived
 *   t.equal(origin.requestCount, 1);
 *   await origin.close();
 *
 * Scripts are taken in the order in which requests arrive, over all connections. A step is a function, so a test may
 * write its own: (socket, request) => void | Promise<void>. After a script the connection stays open for the next
 * request unless a step ended it. A request without script or responder is left hanging.
 */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { cutOff } from '../../lib/origin/cut-off.js';
import type { Barrier } from './barrier.js';
import { type Arrivals, createArrivals } from './barrier.js';
import { BodyScanner, fieldOf, framingOf, Inbox, parseHead } from './message.js';

export interface RecordedRequest {
  /** Start line and field lines as sent, latin1, without the final empty line. */
  readonly head: string;
  readonly method: string;
  readonly target: string;
  /** Names and values in turn, as sent. */
  readonly fields: readonly string[];
  /** All lines of a field joined, or undefined. */
  field(name: string): string | undefined;
  /** Body bytes received up to now. */
  readonly body: Buffer;
  readonly trailers: readonly string[];
  /** How the body ended: the whole message came, or the connection ended before that. */
  readonly ending: Promise<'complete' | 'cut-off'>;
  /** Number of the connection, from 1 on. */
  readonly connection: number;
}

export type Step = (socket: Socket, request: RecordedRequest) => void | Promise<void>;

/** Sends these bytes as they are (a string is latin1). */
export function send(bytes: string | Buffer): Step {
  const buffer = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
  return (socket) =>
    new Promise((resolve) => {
      // A peer that is gone makes the callback an error; the script then runs on into the void.
      socket.write(buffer, () => resolve());
    });
}

/** Goes on when the test opens the barrier. */
export function until(barrier: Barrier): Step {
  return () => barrier.passed;
}

/** Goes on when the request's body has arrived whole or was cut off. */
export function readBody(): Step {
  return async (_socket, request) => {
    await request.ending;
  };
}

/** Ends the connection cleanly (FIN) behind what was sent. */
export function finish(): Step {
  return (socket) => {
    socket.end();
  };
}

/** Cuts the connection (RST; over TLS, without its farewell). */
export function reset(): Step {
  return (socket) => cutOff(socket);
}

/** Never answers; the connection stays open until the other side ends it. */
export function hang(): Step {
  return (socket) =>
    new Promise((resolve) => {
      if (socket.readableEnded || socket.destroyed) resolve();
      socket.once('end', resolve);
      socket.once('close', () => resolve());
    });
}

export interface Answer {
  readonly status?: number;
  readonly reason?: string;
  /** Names and values in turn. Content-Length is added unless a framing field is among them. */
  readonly fields?: readonly string[];
  readonly body?: string | Buffer;
}

export type Responder = (request: RecordedRequest) => Answer | Promise<Answer>;

/** The bytes of a well-formed answer; no body for HEAD, 204 and 304. */
export function answerBytes(answer: Answer, method = 'GET'): Buffer {
  const status = answer.status ?? 200;
  const fields = [...(answer.fields ?? [])];
  const body = Buffer.from(answer.body ?? '');
  const bodiless = status === 204 || status === 304;
  const framed = fieldOf(fields, 'content-length') ?? fieldOf(fields, 'transfer-encoding');
  if (!bodiless && framed === undefined) fields.push('Content-Length', String(body.length));
  let head = `HTTP/1.1 ${status} ${answer.reason ?? 'Scripted'}\r\n`;
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  const bytes = Buffer.from(`${head}\r\n`, 'latin1');
  return bodiless || method === 'HEAD' ? bytes : Buffer.concat([bytes, body]);
}

export interface ScriptedOriginOptions {
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly host?: string;
  readonly port?: number;
}

export class ScriptedOrigin {
  readonly #options: ScriptedOriginOptions;
  readonly #sockets = new Set<Socket>();
  /** The sockets beneath TLS. */
  readonly #handshaking = new Set<Socket>();
  readonly #arrivals: Arrivals = createArrivals();
  readonly #connected: Arrivals = createArrivals();
  readonly #departed: Arrivals = createArrivals();
  readonly #scripts: (readonly Step[])[] = [];
  readonly #greetings: (readonly Step[])[] = [];
  #chooser: ((request: RecordedRequest) => readonly Step[] | Promise<readonly Step[]>) | undefined;
  #server: Server;
  #port = 0;
  /** Every request whose head arrived, in order. */
  readonly requests: RecordedRequest[] = [];

  constructor(options: ScriptedOriginOptions) {
    this.#options = options;
    this.#server = this.#makeServer();
  }

  #makeServer(): Server {
    const accept = (socket: Socket): void => this.#accept(socket);
    const tls = this.#options.tls;
    if (tls === undefined) return createServer({ allowHalfOpen: true, noDelay: true }, accept);
    const server = createTlsServer({ ...tls, allowHalfOpen: true }, accept);
    // Also those whose handshake never ends well.
    server.on('connection', (socket: Socket) => {
      this.#handshaking.add(socket);
      socket.on('close', () => this.#handshaking.delete(socket));
    });
    return server;
  }

  async listen(): Promise<void> {
    const port = this.#port === 0 ? (this.#options.port ?? 0) : this.#port;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, this.#options.host ?? '127.0.0.1', () => resolve());
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  get port(): number {
    return this.#port;
  }

  get url(): URL {
    const host = this.#options.host ?? '127.0.0.1';
    const scheme = this.#options.tls === undefined ? 'http' : 'https';
    return new URL(`${scheme}://${host.includes(':') ? `[${host}]` : host}:${this.#port}`);
  }

  get requestCount(): number {
    return this.requests.length;
  }

  /** Connections accepted up to now. */
  get connectionCount(): number {
    return this.#connected.count;
  }

  /** Connections open now. */
  get openCount(): number {
    return this.#sockets.size;
  }

  /** What the next request without a script gets. */
  script(...steps: Step[]): this {
    this.#scripts.push(steps);
    return this;
  }

  /** What is done on the next connection as soon as it is accepted, before any request. */
  greet(...steps: Step[]): this {
    this.#greetings.push(steps);
    return this;
  }

  /** Answers every request that no script is left for. */
  respond(responder: Responder): this {
    return this.perform(async (request) => [send(answerBytes(await responder(request), request.method))]);
  }

  /** Plays these steps for every request that no script is left for. */
  perform(choose: (request: RecordedRequest) => readonly Step[] | Promise<readonly Step[]>): this {
    this.#chooser = choose;
    return this;
  }

  /** The n-th request, once its head has arrived. */
  async seen(count: number): Promise<RecordedRequest> {
    await this.#arrivals.reached(count);
    return this.requests[count - 1] as RecordedRequest;
  }

  /** Resolves once `count` connections were accepted. */
  connected(count: number): Promise<void> {
    return this.#connected.reached(count);
  }

  /** Resolves once `count` connections are gone. */
  departed(count: number): Promise<void> {
    return this.#departed.reached(count);
  }

  /** Cuts all connections and stops listening, as an origin that died: connecting is refused. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.dropConnections();
    await closed;
  }

  /** Listens again, on the same port. */
  async restart(): Promise<void> {
    this.#server = this.#makeServer();
    await this.listen();
  }

  dropConnections(): void {
    for (const socket of this.#sockets) cutOff(socket);
    for (const socket of this.#handshaking) socket.destroy();
  }

  async close(): Promise<void> {
    if (this.#server.listening) await this.stop();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    this.#connected.arrive();
    const conversation = new Conversation(socket, this.#connected.count, (request) => this.#play(socket, request));
    socket.on('close', () => {
      this.#sockets.delete(socket);
      conversation.close();
      this.#departed.arrive();
    });
    // A peer that resets is part of many scripts; 'close' follows and tells what matters.
    socket.on('error', () => socket.destroy());
    const greeting = this.#greetings.shift();
    if (greeting !== undefined) void runSteps(greeting, socket, conversation.greeted);
  }

  async #play(socket: Socket, request: RecordedRequest): Promise<void> {
    const steps = this.#scripts.shift();
    this.requests.push(request);
    this.#arrivals.arrive();
    return runSteps(steps ?? (await this.#chooser?.(request)) ?? [hang()], socket, request);
  }
}

async function runSteps(steps: readonly Step[], socket: Socket, request: RecordedRequest): Promise<void> {
  for (const step of steps) await step(socket, request);
}

/** The requests of one connection, one after another. */
class Conversation {
  readonly #socket: Socket;
  readonly #number: number;
  readonly #play: (request: RecordedRequest) => Promise<void>;
  readonly #inbox = new Inbox();
  #scanner: BodyScanner | undefined;
  #settle: (ending: 'complete' | 'cut-off') => void = () => {};
  #busy = false;
  /** Stands for the request in a greeting. */
  readonly greeted: RecordedRequest;

  constructor(socket: Socket, number: number, play: (request: RecordedRequest) => Promise<void>) {
    this.#socket = socket;
    this.#number = number;
    this.#play = play;
    this.greeted = this.#record('', new BodyScanner({ kind: 'none' }));
    socket.on('data', (chunk: Buffer) => {
      this.#inbox.add(chunk);
      this.#advance();
    });
    // The other side may have ended its half only; one that waits for nothing more gets ours.
    socket.on('end', () => {
      this.close();
      if (!this.#busy) socket.end();
    });
  }

  close(): void {
    this.#settle('cut-off');
  }

  #record(head: string, scanner: BodyScanner): RecordedRequest {
    const { startLine, raw } = head === '' ? { startLine: '', raw: [] } : parseHead(head);
    const [method = '', target = ''] = startLine.split(' ');
    const ending = new Promise<'complete' | 'cut-off'>((resolve) => {
      this.#settle = resolve;
    });
    if (scanner.isComplete) this.#settle('complete');
    return {
      head,
      method,
      target,
      fields: raw,
      field: (name) => fieldOf(raw, name),
      get body() {
        return scanner.bytes;
      },
      get trailers() {
        return scanner.trailers;
      },
      ending,
      connection: this.#number,
    };
  }

  #advance(): void {
    if (this.#scanner !== undefined) this.#feed(this.#scanner);
    if (this.#busy || (this.#scanner !== undefined && !this.#scanner.isComplete)) return;
    const text = this.#inbox.takeThrough('\r\n\r\n');
    if (text === undefined) return;
    const head = text.slice(0, -4);
    const scanner = new BodyScanner(framingOf(parseHead(head).raw, 'none'));
    this.#scanner = scanner;
    const request = this.#record(head, scanner);
    this.#busy = true;
    this.#feed(scanner);
    void this.#play(request).then(() => {
      this.#busy = false;
      if (this.#socket.readableEnded) this.#socket.end();
      else this.#advance();
    });
  }

  #feed(scanner: BodyScanner): void {
    if (scanner.isComplete) return;
    scanner.feed(this.#inbox);
    if (scanner.isComplete) this.#settle('complete');
  }
}

export async function startScriptedOrigin(options: ScriptedOriginOptions = {}): Promise<ScriptedOrigin> {
  const origin = new ScriptedOrigin(options);
  await origin.listen();
  return origin;
}
