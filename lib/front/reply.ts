/**
 * Writes a reply to a client: head and body in one write where the body is small and here, piece by piece as the
 * client takes it where not, and never with a clean end where the body broke off.
 * Implements RFC 9112 §6 (framing), §7.1.2 (trailers), §8 (incomplete messages), §9.3 (persistence).
 */
import type { ServerResponse } from 'node:http';
import { WRITE_AT_ONCE_BYTES, WRITE_PIECE_BYTES } from '../base/limits.js';
import type { Payload, Reply } from '../engine/contract.js';
import type { Fields, RawFields } from '../http/fields.js';
import { isToken } from '../http/tokens.js';
import type { BodyReader } from '../object/body.js';

export type ReplyEnding = 'finished' | 'aborted';

/** What the writer wants to know about the request. */
export interface ReplyContext {
  readonly method: string;
  readonly httpVersion: '1.0' | '1.1';
  /** Close the connection after this reply. */
  readonly isLast: boolean;
  readonly debugHeader: string | undefined;
}

const NOTHING = Buffer.alloc(0);
const NO_PAYLOAD: Payload = { kind: 'none' };

/** RFC 9110 §6.4.1: answers to HEAD, and these, have no content whatever their fields say. */
function isBodiless(method: string, status: number): boolean {
  return method === 'HEAD' || status === 304 || status === 204;
}

/**
 * Writes the head into `res`, to be sent with the first bytes of the body. Returns the payload that is to follow.
 * Throws where a field cannot be written.
 */
export function writeReplyHead(res: ServerResponse, reply: Reply, context: ReplyContext): Payload {
  const { status } = reply;
  const payload = isBodiless(context.method, status) ? NO_PAYLOAD : reply.payload;
  const raw = endToEndLines(reply.fields.raw, reply, payload, context.method);
  if (context.debugHeader !== undefined) raw.push(context.debugHeader, reply.note.outcome);
  const isSized = payload.kind !== 'reader' || payload.length !== undefined;
  if (!isSized && context.httpVersion === '1.0') {
    // RFC 9112 §6.1: no chunked coding to HTTP/1.0; the end of the connection ends the body.
    res.useChunkedEncodingByDefault = false;
  }
  if (context.isLast) res.shouldKeepAlive = false;
  // Date is among the fields: the origin's, or one that was supplied when they were stored.
  res.sendDate = false;
  res.writeHead(status, reply.reasonPhrase, raw);
  if (payload.kind === 'none' && reply.payload.kind === 'reader') reply.payload.reader.close();
  return payload;
}

/** The lines of the reply with the Content-Length that the payload makes, and no other framing. */
function endToEndLines(fields: RawFields, reply: Reply, payload: Payload, method: string): string[] {
  const raw: string[] = [];
  let told: string | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const length = name.length;
    if (length === 10 || length === 14 || length === 17) {
      const lower = name.toLowerCase();
      if (lower === 'content-length') {
        told ??= fields[i + 1];
        continue;
      }
      if (lower === 'transfer-encoding' || lower === 'connection' || lower === 'keep-alive') continue;
    }
    raw.push(name, fields[i + 1] as string);
  }
  const length = contentLength(reply, payload, method, told);
  if (length !== undefined) raw.push('Content-Length', length);
  return raw;
}

function contentLength(reply: Reply, payload: Payload, method: string, told: string | undefined): string | undefined {
  // RFC 9110 §8.6: none on 204.
  if (reply.status === 204) return undefined;
  if (payload.kind !== 'none') return payload.length === undefined ? undefined : String(payload.length);
  // RFC 9110 §8.6: on the answer to HEAD, and on 304, it is the length that a GET would have had, or it is absent.
  if (method !== 'HEAD' && reply.status !== 304) return '0';
  const whole = reply.payload;
  return whole.kind === 'none' || whole.length === undefined ? told : String(whole.length);
}

/** Whether a payload goes out in one go, without a pump. */
export function isWrittenAtOnce(payload: Payload): boolean {
  return payload.kind === 'none' || (payload.kind === 'bytes' && payload.length <= WRITE_AT_ONCE_BYTES);
}

/** Ends the reply with a payload that isWrittenAtOnce(). One chunk goes out in one write with the head. */
export function writeAtOnce(res: ServerResponse, payload: Payload): void {
  if (payload.kind !== 'bytes' || payload.length === 0) {
    res.end();
    return;
  }
  const { chunks } = payload;
  const last = chunks.length - 1;
  // Node corks the socket at the first write and uncorks it at the end: one writev without a copy.
  for (let i = 0; i < last; i++) res.write(chunks[i]);
  res.end(chunks[last]);
}

/** Reads a payload of bytes piece by piece, like a body that is here. */
class Pieces implements BodyReader {
  readonly #chunks: readonly Buffer[];
  #chunkIndex = 0;
  #offset = 0;

  constructor(chunks: readonly Buffer[]) {
    this.#chunks = chunks;
  }

  read(): Buffer | 'end' {
    const chunk = this.#chunks[this.#chunkIndex];
    if (chunk === undefined) return 'end';
    const from = this.#offset;
    const until = Math.min(chunk.length, from + WRITE_PIECE_BYTES);
    if (until === chunk.length) {
      this.#chunkIndex++;
      this.#offset = 0;
    } else {
      this.#offset = until;
    }
    return from === 0 && until === chunk.length ? chunk : chunk.subarray(from, until);
  }

  onReadable(): void {
    // Every piece is here: read() never says `later`.
  }

  close(): void {
    this.#chunkIndex = this.#chunks.length;
  }
}

/** Hears how a pumped body ended. */
export interface PumpListener {
  /** The whole reply was handed to the kernel. */
  pumped(): void;
  /** The body broke off; the connection has to be cut, so that the client can tell. */
  broke(): void;
}

/** Follows a body at the pace of the client. */
export class BodyPump {
  readonly #res: ServerResponse;
  readonly #reader: BodyReader;
  readonly #length: number | undefined;
  readonly #trailers: (() => Fields) | undefined;
  readonly #listener: PumpListener;
  #isBlocked = false;
  #isRunning = false;
  #isOver = false;
  /** Body bytes handed to the socket. */
  sentBytes = 0;

  /** `takesTrailers`: the client said `TE: trailers` (RFC 9110 §10.1.4). */
  constructor(res: ServerResponse, payload: Payload, takesTrailers: boolean, listener: PumpListener) {
    this.#res = res;
    this.#length = payload.kind === 'none' ? 0 : payload.length;
    this.#reader =
      payload.kind === 'reader' ? payload.reader : new Pieces(payload.kind === 'bytes' ? payload.chunks : []);
    this.#trailers = takesTrailers && payload.kind === 'reader' ? payload.trailers : undefined;
    this.#listener = listener;
  }

  start(): void {
    this.#res.on('drain', () => {
      this.#isBlocked = false;
      this.#run();
    });
    this.#reader.onReadable(() => {
      // A read may itself make the source deliver more: those bytes come after the ones that were just read.
      if (!this.#isBlocked && !this.#isRunning) this.#run();
    });
    this.#run();
    // The head goes out at once, though no byte of the body is here yet. An empty write sends it as it is;
    // flushHeaders() would write bytes beyond ASCII as UTF-8.
    if (!this.#isOver && this.sentBytes === 0) this.#res.write(NOTHING);
  }

  #run(): void {
    this.#isRunning = true;
    this.#copy();
    this.#isRunning = false;
  }

  #copy(): void {
    while (!this.#isOver) {
      const bytes = this.#reader.read();
      if (bytes === 'later') return;
      if (bytes === 'failed') this.#break();
      else if (bytes === 'end') this.#end();
      else this.#write(bytes);
      if (this.#isBlocked) return;
    }
  }

  #write(bytes: Buffer): void {
    // More than was promised would be taken for the next response.
    if (this.#length !== undefined && this.sentBytes + bytes.length > this.#length) {
      this.#break();
      return;
    }
    this.sentBytes += bytes.length;
    this.#isBlocked = !this.#res.write(bytes);
  }

  #end(): void {
    if (this.#length !== undefined && this.sentBytes < this.#length) {
      this.#break();
      return;
    }
    this.stop();
    if (this.#trailers !== undefined && this.#res.chunkedEncoding) addTrailers(this.#res, this.#trailers());
    this.#res.end(() => this.#listener.pumped());
  }

  #break(): void {
    this.stop();
    this.#listener.broke();
  }

  /** Whether the client was told a length. */
  get isSized(): boolean {
    return this.#length !== undefined;
  }

  /** Reads no more. */
  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#reader.close();
  }
}

/** RFC 9110 §6.5.1: what frames, routes, or is needed before the content, means nothing after it. */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  'authorization',
  'cache-control',
  'connection',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'host',
  'keep-alive',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

function addTrailers(res: ServerResponse, fields: Fields): void {
  const lines = [...fields].filter(
    ([name, value]) => !NOT_IN_TRAILERS.has(name.toLowerCase()) && isToken(name) && FIELD_VALUE.test(value),
  );
  if (lines.length > 0) res.addTrailers(lines);
}
