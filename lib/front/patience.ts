/**
 * How long a client has taken for what it is doing, told by one look a sweep: no timer is set or cleared by a request.
 * A look costs a few numbers; times are right to within one sweep, and never short.
 */
import type { Socket } from 'node:net';
import type { FrontLimits } from './contract.js';

/** The request whose body is still arriving. */
export interface Receiving {
  /** Bytes of the body wait here for whoever takes them: then it is not the client who is slow. */
  readonly hasUntakenBytes: boolean;
  /** The client may be waiting for 100 (Continue) before it sends the body (RFC 9110 §10.1.1). */
  readonly expectsContinue: boolean;
}

/** What took too long. */
export type Impatience = 'reply' | 'head' | 'body' | 'idle';

export class Patience {
  readonly #socket: Socket;
  /** Asked for anew each time: a reload may change them. */
  readonly #lane: { readonly limits: FrontLimits };
  /** Bytes read when the last head was complete: more than these, with nothing running, are part of the next. */
  #bytesAtRest = 0;
  #idleSince: number;
  #headSince: number | undefined;
  #bodyBytesSeen = 0;
  #bodyMovedAt = 0;
  #unsentSeen = 0;
  #writtenSeen = 0;
  #replyMovedAt = 0;

  constructor(socket: Socket, lane: { readonly limits: FrontLimits }, now: number) {
    this.#socket = socket;
    this.#lane = lane;
    this.#idleSince = now;
  }

  /** The head of a request is complete. */
  requestBegan(): void {
    this.#bytesAtRest = this.#socket.bytesRead;
    this.#headSince = undefined;
    this.#bodyBytesSeen = 0;
  }

  /** Nothing runs any more. */
  rests(now: number, hadBody: boolean): void {
    this.#idleSince = now;
    if (hadBody) this.#bytesAtRest = this.#socket.bytesRead;
  }

  /** The same as told by who reads the connection: bytes of a next head that wait, and when the last request came. */
  follow(heldBytes: number, lastAt: number): void {
    const bytesAtRest = this.#socket.bytesRead - heldBytes;
    if (bytesAtRest !== this.#bytesAtRest) this.#headSince = undefined;
    this.#bytesAtRest = bytesAtRest;
    if (lastAt > this.#idleSince) this.#idleSince = lastAt;
  }

  /** The clock was set forward by so much, and nobody has waited for that long. */
  excuse(ms: number, now: number): void {
    const moved = (at: number): number => Math.min(at + ms, now);
    this.#idleSince = moved(this.#idleSince);
    if (this.#headSince !== undefined) this.#headSince = moved(this.#headSince);
    this.#bodyMovedAt = moved(this.#bodyMovedAt);
    this.#replyMovedAt = moved(this.#replyMovedAt);
  }

  /** How long nothing has run. */
  restedMs(now: number): number {
    return now - this.#idleSince;
  }

  /** Whether, with nothing running, a part of a head has arrived. */
  get isHeadBegun(): boolean {
    return this.#socket.bytesRead > this.#bytesAtRest;
  }

  /** What the client has taken too long for, if anything. `receiving`: undefined where no body is on its way. */
  lookAt(now: number, isResting: boolean, receiving: Receiving | undefined): Impatience | undefined {
    if (this.isReplyStuck(now, isResting)) return 'reply';
    if (isResting) return this.#lookAtRest(now);
    return receiving !== undefined && this.#isBodyStuck(now, receiving) ? 'body' : undefined;
  }

  #lookAtRest(now: number): Impatience | undefined {
    if (this.isHeadBegun) {
      this.#headSince ??= now;
      return now - this.#headSince >= this.#lane.limits.headTimeoutMs ? 'head' : undefined;
    }
    return now - this.#idleSince >= this.#lane.limits.keepAliveMs ? 'idle' : undefined;
  }

  #isBodyStuck(now: number, receiving: Receiving): boolean {
    const { bytesRead } = this.#socket;
    const isWaitingForUs = receiving.hasUntakenBytes || (receiving.expectsContinue && bytesRead === this.#bytesAtRest);
    if (bytesRead !== this.#bodyBytesSeen || isWaitingForUs) {
      this.#bodyBytesSeen = bytesRead;
      this.#bodyMovedAt = now;
      return false;
    }
    return now - this.#bodyMovedAt >= this.#lane.limits.bodyIdleMs;
  }

  /** Whether bytes wait here for a client that has taken none for too long. */
  isReplyStuck(now: number, isResting: boolean): boolean {
    // What is written past the stream runs until the kernel has it. Idle connections are many, and the handle is not asked for nothing.
    const unsent = isResting && this.#socket.writableLength === 0 ? 0 : unsentBytes(this.#socket);
    if (unsent === 0) {
      this.#unsentSeen = 0;
      return false;
    }
    const written = this.#socket.bytesWritten;
    if (unsent !== this.#unsentSeen || written !== this.#writtenSeen) {
      this.#unsentSeen = unsent;
      this.#writtenSeen = written;
      this.#replyMovedAt = now;
      return false;
    }
    return now - this.#replyMovedAt >= this.#lane.limits.replyIdleMs;
  }
}

/**
 * Bytes that the kernel has not taken. What Node counts as unsent moves only as a whole write is done, which for a
 * large write to a slow client takes minutes, and not at all for what was written past the stream; the handle beneath knows
 * how much is left.
 */
export function unsentBytes(socket: Socket): number {
  const handle = (socket as { _handle?: { writeQueueSize?: number } | null })._handle;
  return handle?.writeQueueSize ?? socket.writableLength;
}
