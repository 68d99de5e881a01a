/**
 * Writes replies that the engine has ready: bytes that were put together for the first request of a second go out for
 * the others as they are. What is told of them is what the exchange of a common reply tells.
 */
import { READY_BODY_BYTES } from '../base/limits.js';
import type { ReadyReply, Reply } from '../engine/contract.js';
import type { Fields } from '../http/fields.js';
import type { AnsweredEvent } from '../observe/events.js';
import type { ClientConnection, Running } from './connection.js';
import { isWrittenAtOnce, plainHead, UnwritableField } from './reply.js';

const NOTHING = Buffer.alloc(0);
const NO_CHUNKS: readonly Buffer[] = [];

/** The bytes of one reply. */
class Written {
  readonly debugHeader: string | undefined;
  /** The head, and a small body behind it. */
  readonly bytes: Buffer;
  /** The rest of the body. */
  readonly chunks: readonly Buffer[];
  readonly bodyBytes: number;

  constructor(reply: Reply, isHead: boolean, debugHeader: string | undefined) {
    this.debugHeader = debugHeader;
    const head = plainHead(reply, isHead ? 'HEAD' : 'GET', debugHeader);
    const { payload } = reply;
    const hasBody = !isHead && payload.kind === 'bytes';
    this.bodyBytes = hasBody ? payload.length : 0;
    const isSmall = this.bodyBytes <= READY_BODY_BYTES;
    this.chunks = hasBody && !isSmall ? payload.chunks : NO_CHUNKS;
    const bytes = Buffer.allocUnsafe(head.length + (isSmall ? this.bodyBytes : 0));
    let at = bytes.write(head, 'latin1');
    if (hasBody && isSmall) for (const chunk of payload.chunks) at += chunk.copy(bytes, at);
    this.bytes = bytes;
  }
}

/** The bytes of a reply that is ready; undefined where it is for the common way, because of its size or of a field. */
function writtenOf(ready: ReadyReply, isHead: boolean, debugHeader: string | undefined): Written | undefined {
  const known = ready.written;
  if (known instanceof Written && known.debugHeader === debugHeader) return known;
  if (!isHead && !isWrittenAtOnce(ready.reply.payload)) return undefined;
  try {
    const written = new Written(ready.reply, isHead, debugHeader);
    ready.written = written;
    return written;
  } catch (error) {
    // The common way tells of it, and refuses.
    if (error instanceof UnwritableField) return undefined;
    throw error;
  }
}

/** A request that is answered so. */
export interface PlainRequest {
  readonly isHead: boolean;
  readonly host: string;
  readonly target: string;
  readonly fields: Fields;
  readonly startedAt: number;
}

/** Sends what is ready. False where it cannot be sent like this, and nothing has happened then. */
export function sendReady(connection: ClientConnection, request: PlainRequest, ready: ReadyReply): boolean {
  const { lane, socket } = connection;
  const written = writtenOf(ready, request.isHead, lane.debugHeader);
  if (written === undefined) return false;
  const startedWall = lane.clock.wall();
  if (written.chunks.length === 0) socket.write(written.bytes);
  else {
    socket.cork();
    socket.write(written.bytes);
    for (const chunk of written.chunks) socket.write(chunk);
    socket.uncork();
  }
  const unsent = new Unsent(connection, request, ready.reply, written.bodyBytes, startedWall);
  if (socket.writableLength === 0) unsent.tell('finished');
  else unsent.wait();
  return true;
}

/** A reply that was written, until the kernel has taken all of it. */
class Unsent implements Running {
  readonly hasBody = false;
  readonly isReceiving = false;
  readonly hasUntakenBytes = false;
  readonly expectsContinue = false;
  readonly isReplyBegun = true;
  readonly #connection: ClientConnection;
  readonly #request: PlainRequest;
  readonly #reply: Reply;
  readonly #bodyBytes: number;
  readonly #startedWall: number;
  #isSettled = false;

  constructor(
    connection: ClientConnection,
    request: PlainRequest,
    reply: Reply,
    bodyBytes: number,
    startedWall: number,
  ) {
    this.#connection = connection;
    this.#request = request;
    this.#reply = reply;
    this.#bodyBytes = bodyBytes;
    this.#startedWall = startedWall;
  }

  get method(): string {
    return this.#request.isHead ? 'HEAD' : 'GET';
  }

  /** On the path of nearly no hit: the client takes bytes slower than they come. */
  wait(): void {
    this.#connection.began(this);
    this.#connection.socket.write(NOTHING, (error) => this.#settle(error == null ? 'finished' : 'aborted'));
  }

  left(): void {
    this.#settle('aborted');
  }

  drained(): void {
    // Nothing of it is still to be written.
  }

  #settle(ending: AnsweredEvent['ending']): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.tell(ending);
    this.#connection.settled(this, this.#connection.lane.clock.now());
  }

  tell(ending: AnsweredEvent['ending']): void {
    const { lane, remoteAddress } = this.#connection;
    const { host, target, fields, startedAt } = this.#request;
    const { status, note } = this.#reply;
    lane.events.answered({
      method: this.method,
      host,
      target,
      remoteAddress,
      httpVersion: '1.1',
      status,
      outcome: note.outcome,
      reason: note.reason,
      rule: note.rule,
      ageSec: note.ageSec,
      bodyBytes: this.#bodyBytes,
      durationMs: lane.clock.now() - startedAt,
      collapsed: note.collapsed,
      ending,
      userAgent: fields.first('user-agent'),
      referer: fields.first('referer'),
      startedWall: this.#startedWall,
    });
  }
}
