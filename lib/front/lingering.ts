/**
 * The last stage of a client's connection: our side is ended, and what the client still sends is read and dropped until it
 * ends its own, or until a bound. To close at once with bytes unread, or before further ones arrive, would be a reset, which
 * takes from the client what it has not read of its replies. Implements RFC 9112 §9.6.
 */
import type { Socket } from 'node:net';
import { DRAIN_LINGER_MS, LINGER_MS, MAX_LINGER_BYTES, MAX_LINGER_MS, MAX_SURPLUS_BYTES } from '../base/limits.js';

export class Lingering {
  readonly #socket: Socket;
  readonly #bytesBefore: number;
  #bytesSeen: number;
  /** When the last byte was out, ours or the client's. */
  #movedAt: number;
  /** When our last byte was out; for as long as it is not, this moves on. */
  #endedAt: number;

  constructor(socket: Socket, now: number) {
    this.#socket = socket;
    this.#bytesBefore = socket.bytesRead;
    this.#bytesSeen = this.#bytesBefore;
    this.#movedAt = now;
    this.#endedAt = now;
    socket.end();
  }

  /** Whether the client has sent more than is read for nothing. */
  get isTooMuch(): boolean {
    return this.#socket.bytesRead - this.#bytesBefore > MAX_LINGER_BYTES;
  }

  /** Whether the client had its time. Asked at every look at the connection. */
  isOver(now: number, isDraining: boolean): boolean {
    const { bytesRead, writableFinished } = this.#socket;
    // What is still to be sent has a bound of its own (patience.ts).
    if (!writableFinished) {
      this.#endedAt = now;
      this.#movedAt = now;
      return false;
    }
    if (bytesRead !== this.#bytesSeen) {
      this.#bytesSeen = bytesRead;
      this.#movedAt = now;
    }
    const endedMs = now - this.#endedAt;
    if (isDraining && endedMs >= DRAIN_LINGER_MS) return true;
    return endedMs >= MAX_LINGER_MS || now - this.#movedAt >= LINGER_MS;
  }

  /** The clock was set forward by so much, and nobody has waited for that long. */
  excuse(ms: number, now: number): void {
    this.#endedAt = Math.min(this.#endedAt + ms, now);
    this.#movedAt = Math.min(this.#movedAt + ms, now);
  }
}

/**
 * What comes behind a last request while its reply is still going out. Beyond a bound it is not read before that is out,
 * and nobody is cut off for it: bytes that wait unread do no harm before the connection is closed.
 * A client that goes away meanwhile is noticed where the reply is written on, which the origin's timeouts bound.
 */
export class Surplus {
  readonly #socket: Socket;
  #bytesBefore: number | undefined;
  #isHeldUp = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Bytes came. Returns whether more are wanted now. */
  take(): boolean {
    const socket = this.#socket;
    if (socket.writableFinished) return true;
    this.#bytesBefore ??= socket.bytesRead;
    if (socket.bytesRead - this.#bytesBefore <= MAX_SURPLUS_BYTES) return true;
    if (!this.#isHeldUp) socket.once('finish', () => socket.resume());
    this.#isHeldUp = true;
    return false;
  }
}

/** node's own marks of a connection that its server reads (test/front/lingering.test.ts fails where a version of Node has others). */
interface ReadByServer {
  /** Nothing is read before replies that wait are out. */
  _paused: boolean;
}

/**
 * Has node:http read no further request: its parser would make objects of each, which wait for replies that never come.
 * `took` hears of what is dropped, and says whether to read on.
 */
export function dropUnparsed(socket: Socket, took: () => boolean): void {
  (socket as unknown as ReadByServer)._paused = false;
  // node:http's own listener sets the handle going, and is gone with the parser.
  socket.emit('resume');
  const listeners = socket.listeners('data');
  // Whoever listens takes the handle from the parser.
  socket.on('data', () => {
    if (!took()) socket.pause();
  });
  for (const listener of listeners) socket.off('data', listener as (bytes: Buffer) => void);
}
