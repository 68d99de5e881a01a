/**
 * Replies of the fast lane that need none of node's reply objects: all of the body is here, nothing is said about the
 * connection, and it is their turn. Head and body go out in one write, as if node:http had written them.
 */
import type { Socket } from 'node:net';
import { DIRECT_BODY_BYTES, ONE_BUFFER_BYTES } from '../base/limits.js';
import type { Payload, Reply } from '../engine/contract.js';
import type { BodyReader } from '../object/body.js';
import { isBodiless, plainHead, UnwritableField } from './reply.js';

/** A request's place among those of its connection, where a reply may go out directly. */
export interface DirectTurn {
  /** It is the first, the connection goes on behind it, and nobody has asked for node's reply object. */
  readonly isClear: boolean;
  /** All of its reply is written. */
  written(): void;
  /** The kernel has it: the next one has its turn. */
  sent(): void;
  /** There may be room for further requests. */
  moved(): void;
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

/** Writes a reply whose payload is none or bytes. False where a field of it cannot be written: nothing was, then. */
export function wroteDirectly(socket: Socket, reply: Reply, method: string, debugHeader: string | undefined): boolean {
  let head: string;
  try {
    head = plainHead(reply, method, debugHeader);
  } catch (error) {
    // The common way tells of it, and refuses.
    if (error instanceof UnwritableField) return false;
    throw error;
  }
  const chunks = chunksOf(reply.payload, isBodiless(method, reply.status));
  if (chunks.length === 0) socket.write(head, 'latin1');
  else writeAll(socket, head, chunks);
  return true;
}

function chunksOf(payload: Payload, isBare: boolean): readonly Buffer[] {
  return isBare || payload.kind !== 'bytes' || payload.length === 0 ? NO_CHUNKS : payload.chunks;
}

function writeAll(socket: Socket, head: string, chunks: readonly Buffer[]): void {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined && only.length <= ONE_BUFFER_BYTES) {
    // To copy a little is cheaper than a write of two pieces.
    const bytes = Buffer.allocUnsafe(head.length + only.length);
    bytes.write(head, 'latin1');
    only.copy(bytes, head.length);
    socket.write(bytes);
    return;
  }
  socket.cork();
  socket.write(head, 'latin1');
  for (const chunk of chunks) socket.write(chunk);
  socket.uncork();
}
