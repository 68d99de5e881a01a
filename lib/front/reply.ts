/**
 * Writes a reply to a client: head and body in one write where the body is small and here, piece by piece as the
 * client takes it where not, and never with a clean end where the body broke off.
 * Implements RFC 9112 §6 (framing), §7.1.2 (trailers), §8 (incomplete messages), §9.3 (persistence).
 */
import type { ServerResponse } from 'node:http';
import { FOLLOW_PIECE_BYTES, MAX_KNOWN_FIELD_NAMES, WRITE_AT_ONCE_BYTES, WRITE_PIECE_BYTES } from '../base/limits.js';
import type { Payload, Reply, TrailerSource } from '../engine/contract.js';
import type { Fields } from '../http/fields.js';
import { isValue } from '../http/lines.js';
import { isToken, splitList } from '../http/tokens.js';
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
export function isBodiless(method: string, status: number): boolean {
  return method === 'HEAD' || status === 304 || status === 204;
}

/**
 * What ServerResponse.writeHead() leaves behind in node:http, from version 0.x to this day: the head as text, and how
 * the message ends. Written directly, because writeHead() checks, lowers and matches each name and value anew: a
 * tenth of the cost of a hit (test/front/reply.test.ts fails where a version of Node takes this otherwise).
 */
interface HeadState {
  _header: string;
  /** Close the connection behind this message. */
  _last: boolean;
  _hasBody: boolean;
  _expect_continue: boolean;
  _sent100: boolean;
}

/** Whether 100 (Continue) was said (RFC 9110 §10.1.1): behind others it waits for the connection. */
export function wasToldToGoOn(res: ServerResponse): boolean {
  return (res as unknown as HeadState)._sent100 && res.socket !== null;
}

/** A reply that cannot be sent: a field of it is none. */
export class UnwritableField extends Error {
  override readonly name = 'UnwritableField';
}

/**
 * Puts the head into `res`, to be sent with the first bytes of the body. Returns the payload that is to follow.
 * Throws UnwritableField before anything is changed.
 */
export function writeReplyHead(res: ServerResponse, reply: Reply, context: ReplyContext): Payload {
  const { status } = reply;
  const isBare = isBodiless(context.method, status);
  const payload = isBare ? NO_PAYLOAD : reply.payload;
  const isSized = !isUnsized(payload);
  const state = res as unknown as HeadState;
  const isLast =
    context.isLast ||
    !res.shouldKeepAlive ||
    // RFC 9112 §6.1: no chunked coding to HTTP/1.0; the end of the connection ends the body.
    (!isSized && context.httpVersion === '1.0') ||
    // RFC 9110 §10.1.1: a client that was not told to go on may send the body nevertheless, or the next request.
    (state._expect_continue && !state._sent100);
  let head = headOf(reply, payload, context);
  if (context.debugHeader !== undefined) head += `${context.debugHeader}: ${reply.note.outcome}\r\n`;
  if (!isSized && context.httpVersion === '1.1') head += 'Transfer-Encoding: chunked\r\n';
  if (isLast) head += 'Connection: close\r\n';
  else if (context.httpVersion === '1.0') head += 'Connection: keep-alive\r\n';
  res.statusCode = status;
  res.chunkedEncoding = !isSized && context.httpVersion === '1.1';
  state._header = `${head}\r\n`;
  // It may be set already: a client that has ended its side gets this reply and no further one.
  if (isLast) state._last = true;
  if (isBare) state._hasBody = false;
  if (isBare && reply.payload.kind === 'reader') reply.payload.reader.close();
  return payload;
}

/** `framing`: ours to write; `length`: ours too, but told where there is no body to measure; `plain`: as it is. */
type LineKind = 'plain' | 'length' | 'framing';

/** What was found out about a field name, by the name as it is written. The same few names come with every reply. */
const LINE_KINDS = new Map<string, LineKind>();

function lineKind(name: string): LineKind {
  const known = LINE_KINDS.get(name);
  if (known !== undefined) return known;
  if (!isToken(name)) throw new UnwritableField(`${JSON.stringify(name)} is no field name`);
  // An origin that makes names up costs the others their place, not memory.
  if (LINE_KINDS.size >= MAX_KNOWN_FIELD_NAMES) LINE_KINDS.clear();
  const kind = FRAMING.get(name.toLowerCase()) ?? 'plain';
  LINE_KINDS.set(name, kind);
  return kind;
}

const FRAMING: ReadonlyMap<string, LineKind> = new Map([
  ['content-length', 'length'],
  ['connection', 'framing'],
  ['keep-alive', 'framing'],
  ['transfer-encoding', 'framing'],
]);

/** A reply to an HTTP/1.1 client: its whole head. Throws UnwritableField. */
export function plainHead(reply: Reply, method: string, debugHeader: string | undefined, isLast = false): string {
  const payload = isBodiless(method, reply.status) ? NO_PAYLOAD : reply.payload;
  let head = headOf(reply, payload, { method, debugHeader });
  if (debugHeader !== undefined) head += `${debugHeader}: ${reply.note.outcome}\r\n`;
  if (isUnsized(payload)) head += 'Transfer-Encoding: chunked\r\n';
  return isLast ? `${head}Connection: close\r\n\r\n` : `${head}\r\n`;
}

/** Whether nobody knows yet how long it will be. */
export function isUnsized(payload: Payload): boolean {
  return payload.kind === 'reader' && payload.length === undefined;
}

/** Status line and field lines, with the Content-Length that the payload makes and no other framing. */
function headOf(
  reply: Reply,
  payload: Payload,
  { method, debugHeader }: Pick<ReplyContext, 'method' | 'debugHeader'>,
): string {
  const { raw } = reply.fields;
  if (!isValue(reply.reasonPhrase)) throw new UnwritableField('the reason phrase has a control byte');
  let head = `HTTP/1.1 ${reply.status} ${reply.reasonPhrase}\r\n`;
  let told: string | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    const kind = lineKind(name);
    if (kind === 'plain') {
      // What a cache of the same name behind us said is not what happened here.
      if (debugHeader !== undefined && isSameName(name, debugHeader)) continue;
      if (!isValue(value)) throw new UnwritableField(`${name} has a control byte in its value`);
      head += `${name}: ${value}\r\n`;
    } else if (kind === 'length') told ??= value;
  }
  const length = contentLength(reply, payload, method, told);
  return length === undefined ? head : `${head}Content-Length: ${length}\r\n`;
}

function isSameName(name: string, other: string): boolean {
  return name.length === other.length && name.toLowerCase() === other.toLowerCase();
}

function contentLength(reply: Reply, payload: Payload, method: string, told: string | undefined): string | undefined {
  // RFC 9110 §8.6: none on 204.
  if (reply.status === 204) return undefined;
  if (payload.kind !== 'none') return payload.length === undefined ? undefined : String(payload.length);
  // RFC 9110 §8.6: on the answer to HEAD, and on 304, it is the length that a GET would have had, or it is absent.
  if (method !== 'HEAD' && reply.status !== 304) return '0';
  const whole = reply.payload;
  if (whole.kind !== 'none' && whole.length !== undefined) return String(whole.length);
  return told !== undefined && DIGITS.test(told) ? told : undefined;
}

const DIGITS = /^\d+$/;

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
  /** Something threw in the midst of it. */
  faulted(error: unknown): void;
}

/** What a body is pumped into: node's reply object, or the socket (direct-out.ts). */
export interface ReplyOut {
  readonly chunkedEncoding: boolean;
  /** end() is called before uncork(), and takes its place. */
  readonly endsCorked?: boolean;
  /** Whether to wait for `drain`, behind uncork(); else the last write() says so. */
  readonly isFull?: boolean;
  /** Whether the kernel has all that was written, and nobody looks at those bytes any more; undefined where that is not known. */
  readonly isTaken?: boolean;
  on(event: 'drain', run: () => void): unknown;
  cork(): void;
  uncork(): void;
  write(bytes: Buffer): boolean;
  addTrailers(lines: [string, string][]): void;
  end(done: (error?: Error | null) => void): unknown;
}

/** Follows a body at the pace of the client. */
export class BodyPump {
  readonly #res: ReplyOut;
  readonly #reader: BodyReader;
  readonly #length: number | undefined;
  readonly #trailers: TrailerSource | undefined;
  readonly #listener: PumpListener;
  readonly #pieceBytes: number;
  #isBlocked = false;
  #isRunning = false;
  #isOver = false;
  /** Body bytes handed to the socket. */
  sentBytes = 0;

  /** `sendsTrailers`: the client takes them. */
  constructor(res: ReplyOut, payload: Payload, sendsTrailers: boolean, listener: PumpListener) {
    this.#res = res;
    this.#length = payload.kind === 'none' ? 0 : payload.length;
    this.#reader =
      payload.kind === 'reader' ? payload.reader : new Pieces(payload.kind === 'bytes' ? payload.chunks : []);
    this.#trailers = sendsTrailers && payload.kind === 'reader' ? payload.trailers : undefined;
    this.#listener = listener;
    this.#pieceBytes = payload.kind === 'reader' ? FOLLOW_PIECE_BYTES : WRITE_PIECE_BYTES;
  }

  start(): void {
    if (this.#res.isTaken !== undefined) this.#reader.borrow?.();
    this.#res.on('drain', () => {
      this.#isBlocked = false;
      this.#settle();
      this.#goOn();
    });
    this.#reader.onReadable(() => {
      // A read may itself make the source deliver more: those bytes come after the ones that were just read.
      if (!this.#isBlocked && !this.#isRunning) this.#goOn();
    });
    this.#run();
    // The head goes out at once, though no byte of the body is here yet. An empty write sends it as it is;
    // flushHeaders() would write bytes beyond ASCII as UTF-8.
    if (!this.#isOver && this.sentBytes === 0) this.#res.write(NOTHING);
  }

  /** Woken by who brings the bytes, or takes them: what throws here is no fault of theirs. */
  #goOn(): void {
    try {
      this.#run();
    } catch (error) {
      this.stop();
      this.#listener.faulted(error);
    }
  }

  #run(): void {
    this.#isRunning = true;
    this.#copy();
    this.#isRunning = false;
  }

  #copy(): void {
    let isMore = true;
    while (isMore && !this.#isOver && !this.#isBlocked) isMore = this.#copyPiece();
  }

  /** What is here goes out in one write of many chunks, up to a bound. Returns whether there may be more just now. */
  #copyPiece(): boolean {
    const until = this.sentBytes + this.#pieceBytes;
    this.#res.cork();
    let last: ReturnType<BodyReader['read']> = NOTHING;
    while (!this.#isOver && this.sentBytes < until) {
      last = this.#reader.read();
      if (typeof last === 'string') break;
      if (this.#write(last)) continue;
      last = 'failed';
      break;
    }
    const isWhole = last === 'end' && (this.#length === undefined || this.sentBytes >= this.#length);
    if (!isWhole || this.#res.endsCorked !== true) this.#res.uncork();
    if (this.sentBytes > until - this.#pieceBytes) this.#isBlocked = this.#res.isFull ?? this.#isBlocked;
    if (!isWhole) this.#settle();
    if (isWhole) this.#end();
    else if (last === 'failed' || last === 'end') this.#break();
    return last !== 'later';
  }

  /** False where it is more than was promised, which would be taken for the next response. */
  #write(bytes: Buffer): boolean {
    if (this.#length !== undefined && this.sentBytes + bytes.length > this.#length) return false;
    this.sentBytes += bytes.length;
    this.#isBlocked = !this.#res.write(bytes);
    return true;
  }

  #end(): void {
    this.stop();
    if (this.#trailers !== undefined && this.#res.chunkedEncoding) addTrailers(this.#res, this.#trailers.trailers);
    this.#res.end((error) => (error == null ? this.#listener.pumped() : this.#listener.broke()));
    this.#settle();
  }

  /** Has the buffers of what the kernel has taken read into again. */
  #settle(): void {
    if (this.#res.isTaken === true) this.#reader.done?.();
  }

  #break(): void {
    this.stop();
    this.#listener.broke();
  }

  /** Reads no more. */
  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#reader.close();
  }
}

/** RFC 9110 §10.1.4: whether a request asks for the trailers of its reply. */
export function takesTrailers(fields: Fields): boolean {
  const te = fields.get('te');
  return te !== undefined && splitList(te).some((coding) => coding.toLowerCase() === 'trailers');
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

function addTrailers(res: ReplyOut, fields: Fields): void {
  const lines = [...fields].filter(
    ([name, value]) => !NOT_IN_TRAILERS.has(name.toLowerCase()) && isToken(name) && isValue(value),
  );
  if (lines.length > 0) res.addTrailers(lines);
}
