/**
 * What both halves of the pass lane share: the plan that comes from above, the agent that opens connections, and the
 * head of the request to the origin. Implements RFC 9110 §6.5.1, §7.6.1 and RFC 9112 §3.2, §6.1-6.3.
 */
import { Agent, type ClientRequest, type IncomingMessage, type OutgoingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.js';
import { OriginError } from '../base/errors.js';
import { ORIGIN_CONNECTION_TTL_MS, PASS_KEEP_ALIVE_MS } from '../base/limits.js';
import { Fields } from '../http/fields.js';
import { framingFault, readFields, statusFault } from './answer-head.js';
import { type Dialler, wasCut } from './dial.js';

/** How a request went that the pass lane had. */
export interface PassEnd {
  readonly ending: 'finished' | 'aborted';
  /** Body bytes handed to the client's socket. */
  readonly bodyBytes: number;
}

/** A reply that takes the place of the origin's. */
export interface PassReply {
  readonly status: number;
  readonly reasonPhrase: string;
  /** Without framing. */
  readonly fields: Fields;
  readonly payload:
    | { readonly kind: 'none' }
    | { readonly kind: 'bytes'; readonly chunks: readonly Buffer[]; readonly length: number }
    | { readonly kind: 'reader'; readonly reader: { close(): void } };
  readonly close?: boolean;
}

/** Sees the body of the answer go by; one of end and fail is called, once. */
export interface AnswerTap {
  write(chunk: Buffer): void;
  end(): void;
  fail(): void;
}

/** How a request is to go: the part of the engine's PassPlan that is needed here. */
export interface TunnelPlan {
  /** End-to-end fields for the origin, Host among them. */
  readonly requestFields: Fields;
  respond(
    status: number,
    reasonPhrase: string,
    fields: Fields,
    /** Where the message was of an older version than 1.1. */
    receivedVersion?: '1.0',
  ): { readonly fields: Fields; readonly tap?: AnswerTap | undefined };
  upgraded(fields: Fields): { readonly fields: Fields };
  failed(error: OriginError): PassReply;
  /** Ends the client's connection behind a reply that is not whole; where there is no such, it is cut. */
  brokeOff?(): void;
}

/** Bytes of a reply of our own, or none; a reader is not for here. */
export function payloadBytes(reply: PassReply): Buffer {
  if (reply.payload.kind === 'bytes') return Buffer.concat([...reply.payload.chunks]);
  if (reply.payload.kind === 'reader') reply.payload.reader.close();
  return Buffer.alloc(0);
}

/** Connections of the pass lane, opened by the same dialler as the others. */
export class PassAgent extends Agent {
  readonly #dialler: Dialler;
  readonly #clock: Clock;
  readonly #openedAt = new WeakMap<Socket, number>();
  readonly #surplus = new WeakMap<Socket, () => void>();
  readonly #open = new Set<Socket>();

  constructor(dialler: Dialler, clock: Clock, options: { keepAlive: boolean; maxSockets: number }) {
    super({ ...options, maxFreeSockets: options.maxSockets, scheduling: 'lifo', timeout: PASS_KEEP_ALIVE_MS });
    this.#dialler = dialler;
    this.#clock = clock;
  }

  override createConnection(_options: unknown, done?: (error: Error | null, socket: Duplex) => void): undefined {
    this.#dialler.dial((failure, socket) => {
      if (failure === undefined) {
        this.#openedAt.set(socket, this.#clock.steady());
        this.#open.add(socket);
        socket.once('close', () => this.#open.delete(socket));
      }
      done?.(failure ?? null, socket);
    });
  }

  /** Says whether an idle connection is kept; node looks at the answer, which its types leave out. */
  override keepSocketAlive(socket: Socket): boolean {
    const age = this.#clock.steady() - (this.#openedAt.get(socket) ?? 0);
    // So that the name of the origin is looked up anew, now and then.
    if (age > ORIGIN_CONNECTION_TTL_MS || socket.destroyed) return false;
    super.keepSocketAlive(socket);
    // One that says something unasked cannot be trusted with a request.
    const surplus = (): void => void socket.destroy();
    this.#surplus.set(socket, surplus);
    socket.on('data', surplus);
    return true;
  }

  override reuseSocket(socket: Socket, request: ClientRequest): void {
    const surplus = this.#surplus.get(socket);
    if (surplus !== undefined) socket.off('data', surplus);
    super.reuseSocket(socket, request);
  }

  /** Cuts all connections, tunnels too. */
  override destroy(): void {
    super.destroy();
    for (const socket of this.#open) socket.destroy();
  }
}

export type RequestFraming = 'none' | 'length' | 'chunked';

/** How the body of a client's request is delimited; node's parser has refused what is not clear (RFC 9112 §6.3). */
export function requestFraming(req: IncomingMessage): RequestFraming {
  if (req.headers['transfer-encoding'] !== undefined) return 'chunked';
  const length = req.headers['content-length'];
  return length !== undefined && Number(length) > 0 ? 'length' : 'none';
}

/** The target as an origin server gets it, from absolute-form too (RFC 9112 §3.2.1, §3.2.2, §3.2.4). */
export function originForm(req: IncomingMessage): string {
  const url = req.url ?? '/';
  const absolute = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*/.exec(url);
  if (absolute === null) return url;
  const rest = url.slice(absolute[0].length);
  if (rest === '') return req.method === 'OPTIONS' ? '*' : '/';
  return rest.startsWith('/') ? rest : `/${rest}`;
}

const TARGET = /^[\x21-\xff]+$/;
/** Fields of the connection and of framing: written by the sender of each hop. */
const PER_HOP: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding']);

export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly fields: Fields;
  readonly framing: RequestFraming;
  readonly upgrade?: string | undefined;
}

/**
 * Makes `request` go out with exactly this head; lines of one name come together, at the place of the first.
 * Throws where it cannot be written.
 */
export function setHead(request: ClientRequest, head: RequestHead): void {
  if (!TARGET.test(head.target)) throw new OriginError('origin-aborted', 'the request target cannot be sent');
  for (const name of request.getHeaderNames()) request.removeHeader(name);
  request.method = head.method;
  request.path = head.target;
  // Any number: node would drop what is above its own limit without a word; bytes are bounded by the parser.
  request.maxHeadersCount = 0;
  const values = new Map<string, { name: string; lines: string[] }>();
  for (const [name, value] of head.fields) {
    const lower = name.toLowerCase();
    if (PER_HOP.has(lower) || lower === 'upgrade') continue;
    if (lower === 'content-length' && head.framing === 'chunked') continue;
    const known = values.get(lower);
    if (known === undefined) values.set(lower, { name, lines: [value] });
    else known.lines.push(value);
  }
  for (const { name, lines } of values.values()) request.setHeader(name, lines.length === 1 ? (lines[0] ?? '') : lines);
  if (head.framing === 'chunked') request.setHeader('Transfer-Encoding', 'chunked');
  if (head.upgrade !== undefined) {
    request.setHeader('Connection', 'Upgrade');
    request.setHeader('Upgrade', head.upgrade);
  }
}

/** Sends the head by itself. Not with flushHeaders(), which writes it as UTF-8: fields are latin1. */
export function sendHead(message: OutgoingMessage): void {
  message.write('', 'latin1');
}

/** The fields of an answer's head, or why it must not be passed on. */
export function judgeHead(answer: IncomingMessage): Fields | string {
  const fields = readFields(answer.rawHeaders);
  if (fields === undefined) return 'a control byte in a field value';
  if (answer.httpVersion !== '1.1' && answer.httpVersion !== '1.0') return `version HTTP/${answer.httpVersion}`;
  if (answer.httpVersion === '1.0' && fields.has('transfer-encoding')) return 'Transfer-Encoding in HTTP/1.0';
  return statusFault(answer.statusCode ?? 0) ?? framingFault(fields) ?? fields;
}

/** As TunnelPlan.respond() takes it. */
export function oldVersionOf({ httpVersion }: IncomingMessage): '1.0' | undefined {
  return httpVersion === '1.0' ? httpVersion : undefined;
}

/** Whether a body broke off though node says that it ended: one that ends with its connection, which was reset. */
export function brokeOff(answer: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': coding } = answer.headers;
  return length === undefined && coding?.toLowerCase() !== 'chunked' && wasCut(answer.socket);
}

/** Fields as they go to the client: those of this hop are written by node, and a 204 has no length (RFC 9110 §8.6). */
export function replyLines(status: number, fields: Fields): string[] {
  const isLengthless = status === 204;
  return [...fields.filter((name) => !PER_HOP.has(name) && !(isLengthless && name === 'content-length')).raw];
}

/** RFC 9110 §6.5.1: what frames, routes or authenticates has no effect, or a bad one, behind the content. */
const NO_TRAILERS: ReadonlySet<string> = new Set([
  ...PER_HOP,
  'authorization',
  'cache-control',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'expect',
  'host',
  'set-cookie',
  'te',
  'trailer',
  'upgrade',
]);

/** Trailers that may be passed on, as the pairs that node takes; undefined where there is none. */
export function trailerPairs(raw: readonly string[]): [string, string][] | undefined {
  const fields = readFields(raw) ?? Fields.empty;
  const pairs = [...fields].filter(([name]) => !NO_TRAILERS.has(name.toLowerCase()));
  return pairs.length === 0 ? undefined : pairs;
}

/** An interim response as bytes, without a length (RFC 9110 §8.6); control bytes are the caller's to exclude. */
export function interimBytes(status: number, phrase: string, fields: Fields): Buffer {
  let head = `HTTP/1.1 ${status} ${phrase}\r\n`;
  for (const [name, value] of fields) {
    const lower = name.toLowerCase();
    if (!PER_HOP.has(lower) && lower !== 'content-length') head += `${name}: ${value}\r\n`;
  }
  return Buffer.from(`${head}\r\n`, 'latin1');
}
