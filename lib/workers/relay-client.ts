/** Takes from another worker what it has: the head first, then the body as it comes, at the pace of who reads it here. */
import { connect, type Socket } from 'node:net';
import type { Clock } from '../base/clock.js';
import { MAX_RELAY_HEAD_BYTES, RELAY_HEAD_TIMEOUT_MS } from '../base/worker-limits.js';
import type { FoundBytes } from '../engine/leases-contract.js';
import type { StoredResponse } from '../object/stored.js';
import { responseOf } from './lease-wire.js';
import { FRAME, type FrameKind, FrameReader, frame, type RelayAsk, readHeadPayload } from './relay-frames.js';

/** A response that another worker has. */
export interface Relayed {
  /** Its body is empty: it comes by `bytes`. */
  readonly response: StoredResponse;
  readonly totalBytes: number | undefined;
  /** To be read soon, or aborted; what nobody reads is given up after a while. */
  readonly bytes: FoundBytes;
}

/** `superseded`: what it has must not be given any more. `broken`: it is gone, or too slow. */
export type RelayAnswer = Relayed | 'none' | 'superseded' | 'broken';

type ReadTo = Parameters<FoundBytes['read']>[0];

/** Resolves once the head is here, or it is known that it will not come. */
export function relay(path: string, ask: RelayAsk, clock: Clock): Promise<RelayAnswer> {
  return new Promise((resolve) => {
    new Relay(path, ask, clock, resolve);
  });
}

class Relay implements FoundBytes {
  readonly #socket: Socket;
  readonly #settle: (answer: RelayAnswer) => void;
  readonly #frames: FrameReader;
  #to: ReadTo | undefined;
  #isSettled = false;
  #isOver = false;
  readonly #timer;

  constructor(path: string, ask: RelayAsk, clock: Clock, settle: (answer: RelayAnswer) => void) {
    this.#settle = settle;
    // Until the head is here, and then until somebody reads.
    this.#timer = clock.after(RELAY_HEAD_TIMEOUT_MS, () => this.#broke());
    this.#socket = connect(path);
    this.#frames = new FrameReader(MAX_RELAY_HEAD_BYTES, {
      data: (bytes) => this.#to?.data(Buffer.from(bytes)),
      whole: (kind, payload) => this.#whole(kind, payload),
      broken: () => this.#broke(),
    });
    this.#socket.on('data', (piece) => this.#frames.push(piece));
    this.#socket.on('error', () => this.#broke());
    this.#socket.on('close', () => this.#broke());
    this.#socket.write(frame(FRAME.ask, Buffer.from(JSON.stringify(ask))));
  }

  #whole(kind: FrameKind, payload: Buffer): void {
    switch (kind) {
      case FRAME.head:
        this.#headed(payload);
        return;
      case FRAME.none:
        this.#answer(payload.toString('latin1') === 'superseded' ? 'superseded' : 'none');
        this.abort();
        return;
      case FRAME.end:
        this.#over()?.end();
        this.#socket.destroy();
        return;
      default:
        this.#broke();
    }
  }

  #headed(payload: Buffer): void {
    const read = readHeadPayload(payload);
    const response = read === undefined ? undefined : responseOf(read.record);
    if (read === undefined || response === undefined) {
      this.#broke();
      return;
    }
    // What comes behind it in the same piece waits as well.
    this.#frames.hold();
    this.#socket.pause();
    this.#answer({ response, totalBytes: read.totalBytes, bytes: this });
  }

  #answer(answer: RelayAnswer): void {
    if (!this.#isSettled) this.#settle(answer);
    this.#isSettled = true;
  }

  /** Who is to be told that it is over, once. */
  #over(): ReadTo | undefined {
    this.#timer.cancel();
    const to = this.#isOver ? undefined : this.#to;
    this.#isOver = true;
    return to;
  }

  #broke(): void {
    this.#over()?.fail();
    this.#answer('broken');
    this.#socket.destroy();
  }

  /** It is this worker's own from now on. */
  fills(): void {}

  read(to: ReadTo): void {
    if (this.#isOver) {
      queueMicrotask(() => to.fail());
      return;
    }
    this.#timer.cancel();
    this.#to = to;
    queueMicrotask(() => {
      if (this.#isOver) return;
      this.#frames.goOn();
      this.#socket.resume();
    });
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  abort(): void {
    this.#over();
    this.#socket.destroy();
  }
}
