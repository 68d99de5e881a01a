/**
 * Writes replies that the engine has ready: bytes that were put together for the first request of a second go out for
 * the others as they are. What is told of them is what the exchange of a common reply tells.
 */
import { putNumber } from '../base/bytes.js';
import { READY_BODY_BYTES } from '../base/ready-limits.js';
import type { BytesHeld, ClientRequest, ReadyReply, Reply, ReplyNote } from '../engine/contract.js';
import { CACHE_NAME } from '../http/cache-status.js';
import type { Fields } from '../http/fields.js';
import { NO_BYTES } from '../object/chunks.js';
import { sliceChunks } from '../object/slice.js';
import type { Taken } from '../object/taken.js';
import type { AnsweredEvent, Outcome } from '../observe/events.js';
import { type Straight, writeStraight } from '../origin/straight.js';
import { bytesAsStored, lendAsStored } from './as-stored.js';
import { isWrittenAtOnce } from './body-pump.js';
import type { ClientConnection, Running } from './connection.js';
import { ReplyBytes } from './reply-bytes.js';
import { plainHead, UnwritableField } from './reply-head.js';

const NO_CHUNKS: readonly Buffer[] = [];
const onePiece = new ReplyBytes();

/** The bytes of one reply. */
class Written {
  readonly debugHeader: string | undefined;
  /** The head, and a small body behind it. */
  bytes: Buffer;
  /** The rest of the body. */
  readonly chunks: readonly Buffer[];
  readonly bodyBytes: number;
  /** Whose bytes the rest is. */
  readonly taken: Taken | undefined;
  /** The bytes are on their way somewhere still: they must stay as they are. */
  isLent = false;
  ageSec: number;
  ttlSec: number;
  /** Where these two stand in the head; -1 where they are not found there. */
  readonly #ageAt: number;
  readonly #ttlAt: number;

  /** `reply`: that of `ready`. */
  constructor(ready: ReadyReply, reply: Reply, isHead: boolean, debugHeader: string | undefined) {
    this.debugHeader = debugHeader;
    this.ageSec = ready.ageSec;
    this.ttlSec = ready.ttlSec;
    const head = plainHead(reply, isHead ? 'HEAD' : 'GET', debugHeader);
    this.#ageAt = placeIn(head, '\r\nAge: ', ready.ageSec, '\r\nVia: ');
    this.#ttlAt = placeIn(head, `\r\nCache-Status: ${CACHE_NAME}; hit; ttl=`, ready.ttlSec, '; detail=');
    const { payload } = reply;
    const hasBody = !isHead && payload.kind === 'bytes';
    this.bodyBytes = hasBody ? payload.length : 0;
    const isSmall = this.bodyBytes <= READY_BODY_BYTES;
    this.chunks = hasBody && !isSmall ? payload.chunks : NO_CHUNKS;
    this.taken = hasBody && !isSmall ? payload.taken : undefined;
    const bytes = Buffer.allocUnsafe(head.length + (isSmall ? this.bodyBytes : 0));
    let at = bytes.write(head, 'latin1');
    if (hasBody && isSmall) for (const chunk of payload.chunks) at += chunk.copy(bytes, at);
    this.bytes = bytes;
  }

  /** Says what `ready` says now. False where that takes another head. */
  follow({ isSteady, ageSec, ttlSec }: ReadyReply): boolean {
    if (ageSec === this.ageSec && ttlSec === this.ttlSec) return true;
    if (!isSteady || this.#ageAt < 0 || this.#ttlAt < 0) return false;
    if (digitsOf(ageSec) !== digitsOf(this.ageSec) || digitsOf(ttlSec) !== digitsOf(this.ttlSec)) return false;
    if (this.isLent) this.bytes = Buffer.from(this.bytes);
    this.isLent = false;
    putNumber(this.bytes, ageSec, this.#ageAt);
    putNumber(this.bytes, ttlSec, this.#ttlAt);
    this.ageSec = ageSec;
    this.ttlSec = ttlSec;
    return true;
  }
}

/** Where a number stands between these two texts in the last of the places that look so, which is ours; else -1. */
function placeIn(head: string, before: string, value: number, behind: string): number {
  const at = head.lastIndexOf(before + value + behind);
  return at < 0 ? at : at + before.length;
}

/** -1 for what is not written by digits alone. */
function digitsOf(value: number): number {
  if (value < 0) return -1;
  let count = 1;
  for (let rest = value; rest >= 10; rest /= 10) count++;
  return count;
}

/** The bytes of a reply that is ready; undefined where it is for the common way, because of its size or of a field. */
function writtenOf(ready: ReadyReply, isHead: boolean, debugHeader: string | undefined): Written | undefined {
  const known = ready.written;
  if (known instanceof Written && known.debugHeader === debugHeader && known.follow(ready)) return known;
  const { reply } = ready;
  if (!isHead && !isWrittenAtOnce(reply.payload)) return undefined;
  try {
    const written = new Written(ready, reply, isHead, debugHeader);
    ready.written = written;
    return written;
  } catch (error) {
    // The common way tells of it, and refuses.
    if (error instanceof UnwritableField) return undefined;
    throw error;
  }
}

/** A request whose fields say nothing to a cache. */
export interface PlainAsker {
  readonly host: string;
  readonly fields: Fields;
  /** Its client wants no further reply on this connection. */
  readonly isLast: boolean;
  readonly userAgent: string | undefined;
  readonly referer: string | undefined;
}

/** Sends what is ready. False where it cannot be sent like this, and nothing has happened then. */
export function sendReady(
  connection: ClientConnection,
  isHead: boolean,
  target: string,
  asker: PlainAsker,
  startedAt: number,
  ready: ReadyReply,
): boolean {
  const { lane } = connection;
  const { status, note } = ready;
  let bodyBytes = 0;
  let went: Went | undefined;
  let taken: Taken | undefined;
  const piece = pieceOf(ready, isHead, asker.isLast, lane.debugHeader);
  if (piece !== undefined) {
    if (asker.isLast) connection.closeAfter();
    bodyBytes = isHead ? 0 : pieceBodyBytes(ready);
    went = sendPiece(connection, piece, ready.asStored === undefined || asker.isLast ? lendOne : lendAsStored);
  } else if (!asker.isLast && ready.held !== undefined) {
    bodyBytes = ready.held.bodyBytes;
    taken = ready.held.sight.taken;
    went = sendLarge(connection, ready.held, note.outcome);
  }
  if (went === undefined) {
    const written = asker.isLast ? undefined : writtenOf(ready, isHead, lane.debugHeader);
    if (written === undefined) return false;
    bodyBytes = written.bodyBytes;
    taken = written.taken;
    went = sendWritten(connection, written);
  }
  const hit = new ReadyHit(connection, isHead, target, asker, startedAt, status, note, bodyBytes);
  if (went === 'begun') new Unsent(connection, hit, taken).wait();
  else {
    if (went === 'failed') hit.ending = 'aborted';
    lane.events.answered(hit);
    if (asker.isLast) connection.linger();
  }
  ready.refresh?.(asRequest(connection, isHead, target, asker, startedAt));
  return true;
}

/** What is put together for one reply alone: where nothing of it is kept, or more than what is kept is to be said. */
function pieceOf(
  ready: ReadyReply,
  isHead: boolean,
  isLast: boolean,
  debugHeader: string | undefined,
): Buffer | undefined {
  if (ready.isKept && !isLast) return undefined;
  const { asStored, held, status, note } = ready;
  if (held !== undefined && !isLast) return onePiece.held(held, debugHeader, note.outcome);
  if (asStored !== undefined && !isLast) return bytesAsStored(asStored, status, debugHeader, note.outcome);
  return onePiece.of(ready.reply, isHead, debugHeader, isLast);
}

function pieceBodyBytes(ready: ReadyReply): number {
  if (ready.asStored !== undefined) return ready.asStored.bodyBytes;
  if (ready.held !== undefined) return ready.held.bodyBytes;
  // Of what goes out as it is stored a reply is made when it is asked for: not by taking it out beside the other.
  const { reply } = ready;
  return reply.payload.kind === 'bytes' ? reply.payload.length : 0;
}

/** The same request as the engine takes it. */
function asRequest(
  { remoteAddress }: ClientConnection,
  isHead: boolean,
  target: string,
  { host, fields }: PlainAsker,
  startedAt: number,
): ClientRequest {
  // All members in one literal: of one that is joined from two most lie apart, in arrays that grow as they are added.
  return {
    method: isHead ? 'HEAD' : 'GET',
    target,
    scheme: 'http',
    host,
    fields,
    httpVersion: '1.1',
    hasBody: false,
    isUpgrade: false,
    remoteAddress,
    startedAt,
  };
}

function sendWritten(connection: ClientConnection, written: Written): Went {
  const { bytes, chunks, bodyBytes } = written;
  const piece = chunks.length === 0 ? undefined : onePiece.joined(bytes, chunks, bodyBytes);
  if (piece !== undefined) return sendPiece(connection, piece, lendOne);
  const went = chunks.length === 0 ? sendBytes(connection, bytes) : sendChunks(connection, bytes, chunks);
  if (went !== 'taken') written.isLent = true;
  return went;
}

const lendOne = (): void => onePiece.lend();

/** Sends what lies in a place that others share; `lend` leaves that to whoever writes it. */
function sendPiece(connection: ClientConnection, bytes: Buffer, lend: () => void): Went {
  // What waits behind others waits in bytes of its own size: the place that all share is larger than most replies by far.
  const isAlone = connection.isIdle && connection.socket.writableLength === 0;
  const went = sendBytes(connection, isAlone ? bytes : Buffer.from(bytes));
  if (went !== 'taken' && isAlone) lend();
  return went;
}

type Went = Exclude<Straight, 'not'>;

function sendBytes(connection: ClientConnection, bytes: Buffer): Went {
  const { socket } = connection;
  // Where one before it is unfinished the stream queues, which knows when that is too much.
  const went = connection.isIdle ? writeStraight(socket, bytes) : 'not';
  if (went !== 'not') return went;
  socket.write(bytes);
  return socket.writableLength === 0 ? 'taken' : 'begun';
}

/** Sends what lies in memory in chunks of its own; undefined where its head is for the common way. */
function sendLarge(connection: ClientConnection, held: BytesHeld, outcome: Outcome): Went | undefined {
  const { part, sight } = held;
  const head = onePiece.headOfHeld(held, connection.lane.debugHeader, outcome);
  if (head === undefined) return undefined;
  const chunks = part === undefined ? sight.chunks : sliceChunks(sight.chunks, part.from, part.until);
  return sendChunks(connection, Buffer.from(head), chunks);
}

function sendChunks({ socket }: ClientConnection, bytes: Buffer, chunks: readonly Buffer[]): Went {
  socket.cork();
  socket.write(bytes);
  for (const chunk of chunks) socket.write(chunk);
  socket.uncork();
  return socket.writableLength === 0 ? 'taken' : 'begun';
}

/** What is told of a request whose reply was written: made by a constructor, which costs less than a literal of so many members. */
class ReadyHit implements AnsweredEvent {
  readonly method: 'GET' | 'HEAD';
  readonly host: string;
  readonly target: string;
  readonly remoteAddress: string;
  readonly httpVersion = '1.1';
  readonly status: number;
  readonly outcome: Outcome;
  readonly reason: string;
  readonly rule: string;
  readonly ageSec: number | undefined;
  readonly bodyBytes: number;
  durationMs: number;
  readonly collapsed: boolean;
  ending: AnsweredEvent['ending'] = 'finished';
  readonly userAgent: string | undefined;
  readonly referer: string | undefined;
  readonly startedWall: number;

  constructor(
    { lane, remoteAddress }: ClientConnection,
    isHead: boolean,
    target: string,
    asker: PlainAsker,
    startedAt: number,
    status: number,
    note: ReplyNote,
    bodyBytes: number,
  ) {
    this.method = isHead ? 'HEAD' : 'GET';
    this.host = asker.host;
    this.target = target;
    this.remoteAddress = remoteAddress;
    this.status = status;
    this.outcome = note.outcome;
    this.reason = note.reason;
    this.rule = note.rule;
    this.ageSec = note.ageSec;
    this.bodyBytes = bodyBytes;
    this.durationMs = lane.clock.now() - startedAt;
    this.collapsed = note.collapsed;
    this.userAgent = asker.userAgent;
    this.referer = asker.referer;
    this.startedWall = Math.floor(startedAt + lane.wallLead);
  }
}

/** A reply of which the kernel has not taken all: its client takes bytes slower than they come, as nearly none does. */
class Unsent implements Running {
  readonly hasBody = false;
  readonly isReceiving = false;
  readonly hasUntakenBytes = false;
  readonly expectsContinue = false;
  readonly isReplyBegun = true;
  readonly isDelimitedByClose = false;
  readonly #connection: ClientConnection;
  readonly #hit: ReadyHit;
  readonly #writtenAt: number;
  readonly #taken: Taken | undefined;
  #isSettled = false;

  constructor(connection: ClientConnection, hit: ReadyHit, taken: Taken | undefined) {
    this.#connection = connection;
    this.#hit = hit;
    this.#writtenAt = connection.lane.clock.now();
    this.#taken = taken;
    taken?.take();
  }

  get method(): string {
    return this.#hit.method;
  }

  wait(): void {
    this.#connection.began(this);
    this.#connection.socket.write(NO_BYTES, (error) => this.#settle(error == null ? 'finished' : 'aborted'));
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
    this.#taken?.giveBack();
    const { lane } = this.#connection;
    const now = lane.clock.now();
    this.#hit.ending = ending;
    this.#hit.durationMs += now - this.#writtenAt;
    lane.events.answered(this.#hit);
    this.#connection.settled(this, now);
  }
}
