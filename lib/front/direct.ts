/**
 * Replies of the fast lane, which need none of node's reply objects: what is here goes out in one write of head and
 * body, as if node:http had written them; what still arrives is pumped (direct-out.ts).
 */
import type { Socket } from 'node:net';
import { DIRECT_BODY_BYTES, ONE_BUFFER_BYTES } from '../base/limits.js';
import type { Payload, Reply } from '../engine/contract.js';
import type { BodyReader } from '../object/body.js';
import { type Straight, writeStraight } from '../origin/straight.js';
import { ReplyBytes } from './reply-bytes.js';
import { isBodiless, NO_PAYLOAD } from './reply-head.js';

/** A request's place among those of its connection, as far as its reply goes out directly. */
export interface DirectTurn {
  /** Nobody has asked for node's reply object, and there is somebody to write to. */
  readonly isFree: boolean;
  /** Those before it are out. */
  readonly isFirst: boolean;
  /** The client wants no further reply. */
  readonly isLast: boolean;
  /** Runs when those before it are out. `wholeBytes`: what waits so long, where all of it is here. */
  whenFirst(run: () => void, wholeBytes: number | undefined): void;
  /** Runs each time that the client takes bytes again. */
  onDrain(run: () => void): void;
  /** All of its reply is written. */
  written(): void;
  /** The kernel has it. */
  sent(): void;
  /** The next one has its turn, and there may be room for further requests; or the connection ends behind it. */
  moved(endsConnection: boolean): void;
}

const NO_CHUNKS: readonly Buffer[] = [];

/** Whether a body that still arrives may be here whole at the end of this turn: small ones mostly come with their head. */
export function mayComeWhole({ status, payload }: Reply): boolean {
  if (payload.kind !== 'reader' || payload.length === undefined || payload.length > DIRECT_BODY_BYTES) return false;
  return status !== 204 && status !== 304;
}

/** Reads on from what was read already. */
class Begun implements BodyReader {
  readonly #chunks: Buffer[];
  readonly #rest: BodyReader;

  constructor(chunks: Buffer[], rest: BodyReader) {
    this.#chunks = chunks;
    this.#rest = rest;
  }

  read(): ReturnType<BodyReader['read']> {
    return this.#chunks.shift() ?? this.#rest.read();
  }

  onReadable(run: () => void): void {
    this.#rest.onReadable(run);
  }

  close(): void {
    this.#chunks.length = 0;
    this.#rest.close();
  }
}

/** The same reply with its body as bytes where it has come whole, else with a reader that gives all of it. */
export function asFarAsHere(reply: Reply): Reply {
  const { payload } = reply;
  if (payload.kind !== 'reader') return reply;
  const { reader, length } = payload;
  const chunks: Buffer[] = [];
  let received = 0;
  let last = reader.read();
  for (; typeof last !== 'string'; last = reader.read()) {
    chunks.push(last);
    received += last.length;
  }
  if (last !== 'end' || received !== length) {
    return { ...reply, payload: { ...payload, reader: new Begun(chunks, reader) } };
  }
  reader.close();
  return { ...reply, payload: { kind: 'bytes', chunks, length: received } };
}

/** How much of a reply is here, where that is all of it. */
export function wholeBytesOf(payload: Payload): number | undefined {
  if (payload.kind === 'reader') return undefined;
  return payload.kind === 'bytes' ? payload.length : 0;
}

/** Writes a reply of which all is here. `isAlone`: nothing that was begun on its connection is unfinished. */
export function writeDirectly(
  socket: Socket,
  head: string,
  payload: Payload,
  isAlone: boolean,
): Exclude<Straight, 'not'> {
  const chunks = payload.kind !== 'bytes' || payload.length === 0 ? NO_CHUNKS : payload.chunks;
  const piece = onePiece(head, chunks);
  if (piece === undefined) writeAll(socket, head, chunks);
  else {
    const went = isAlone ? writeStraight(socket, piece) : 'not';
    if (went !== 'not') return went;
    socket.write(piece);
  }
  return socket.writableLength === 0 ? 'taken' : 'begun';
}

const replies = new ReplyBytes();

/**
 * Writes a reply that ReplyBytes knows to write, where nothing waits before it: without a text of its head, and from bytes
 * that are used again for the next one. Undefined where it has to be written by writeDirectly(), and nothing has happened.
 */
export function writeAsBytes(
  socket: Socket,
  reply: Reply,
  isHead: boolean,
  debugHeader: string | undefined,
  isLast: boolean,
): Exclude<Straight, 'not'> | undefined {
  if (socket.writableLength > 0) return undefined;
  const piece = replies.of(reply, isHead, debugHeader, isLast);
  if (piece === undefined) return undefined;
  let went = writeStraight(socket, piece);
  if (went === 'not') {
    socket.write(piece);
    went = socket.writableLength === 0 ? 'taken' : 'begun';
  }
  if (went !== 'taken') replies.lend();
  return went;
}

/** Head and body in one buffer, where that is small: to copy a little is cheaper than a write of two pieces. */
function onePiece(head: string, chunks: readonly Buffer[]): Buffer | undefined {
  const [only] = chunks;
  if (chunks.length > 1 || (only !== undefined && only.length > ONE_BUFFER_BYTES)) return undefined;
  const bytes = Buffer.allocUnsafe(head.length + (only?.length ?? 0));
  bytes.write(head, 'latin1');
  if (only !== undefined) bytes.set(only, head.length);
  return bytes;
}

/** The payload of a reply that is sent; of one without content (RFC 9110 §6.4.1) nothing is, and nothing of it is read. */
export function sentPayload({ payload, status }: Reply, method: string): Payload {
  if (!isBodiless(method, status)) return payload;
  if (payload.kind === 'reader') payload.reader.close();
  return NO_PAYLOAD;
}

function writeAll(socket: Socket, head: string, chunks: readonly Buffer[]): void {
  socket.cork();
  socket.write(head, 'latin1');
  for (const chunk of chunks) socket.write(chunk);
  socket.uncork();
}
