/**
 * What a pumped body is written into where none of node's reply objects is needed: the socket itself, with the head in
 * front of the first bytes and the chunks of RFC 9112 §7.1 around each piece. A piece that goes alone goes past node's stream.
 */
import type { Socket } from 'node:net';
import { NO_BYTES } from '../object/chunks.js';
import { writeStraight } from '../origin/straight.js';
import type { ReplyOut } from './body-pump.js';
import type { DirectTurn } from './direct.js';

export class DirectOut implements ReplyOut {
  readonly chunkedEncoding: boolean;
  /** The end of the body goes out in one write with what came before it. */
  readonly endsCorked = true;
  readonly #socket: Socket;
  readonly #turn: DirectTurn;
  /** Text that goes before the next bytes. */
  #before: string;
  /** The line end behind the data of a chunk is still to be written. */
  #isChunkOpen = false;
  #trailers = '';
  #isCorked = false;
  /** The socket is corked. */
  #isHeld = false;
  /** A piece that may be the only one before uncork(). */
  #alone: Buffer | undefined;
  /** Something was written here, so that an empty stream tells of what others have written before, too. */
  #isBegun = false;
  /** The kernel has not all of a piece that went past the stream. */
  #isUnfinished = false;
  #drained: () => void = () => {};

  constructor(socket: Socket, turn: DirectTurn, head: string, isChunked: boolean) {
    this.#socket = socket;
    this.#turn = turn;
    this.#before = head;
    this.chunkedEncoding = isChunked;
  }

  on(_event: 'drain', run: () => void): void {
    this.#drained = run;
    this.#turn.onDrain(run);
  }

  get isFull(): boolean {
    return this.#isUnfinished || (this.#socket.writableNeedDrain && this.#socket.writableLength > 0);
  }

  get isTaken(): boolean {
    return !this.#isUnfinished && this.#socket.writableLength === 0 && !this.#socket.destroyed;
  }

  cork(): void {
    this.#isCorked = true;
  }

  uncork(): void {
    const piece = this.#alone;
    this.#alone = undefined;
    if (piece !== undefined) this.#writeAlone(piece);
    this.#closeChunk();
    this.#say();
    this.#isCorked = false;
    if (this.#isHeld) this.#socket.uncork();
    this.#isHeld = false;
  }

  write(bytes: Buffer): boolean {
    if (bytes.length === 0) {
      // A chunk of no length would be the end.
      this.#say();
      return !this.isFull;
    }
    if (this.chunkedEncoding) {
      this.#closeChunk();
      this.#before += `${bytes.length.toString(16)}\r\n`;
      this.#isChunkOpen = true;
    }
    const first = this.#alone;
    this.#alone = undefined;
    if (first !== undefined) this.#write(first);
    else if (this.#isCorked && this.#isBegun && this.#before === '') {
      this.#alone = bytes;
      return true;
    }
    this.#say();
    this.#write(bytes);
    return !this.isFull;
  }

  addTrailers(lines: [string, string][]): void {
    for (const [name, value] of lines) this.#trailers += `${name}: ${value}\r\n`;
  }

  /** Called corked. */
  end(done: (error?: Error | null) => void): void {
    if (this.chunkedEncoding) {
      this.#closeChunk();
      this.#before += `0\r\n${this.#trailers}\r\n`;
    }
    this.uncork();
    this.#turn.written();
    if (this.isTaken) done();
    else this.#socket.write(NO_BYTES, done);
  }

  #closeChunk(): void {
    if (this.#isChunkOpen) this.#before += '\r\n';
    this.#isChunkOpen = false;
  }

  #say(): void {
    const text = this.#before;
    this.#before = '';
    if (text.length > 0) this.#write(text);
  }

  #write(bytes: Buffer | string): void {
    if (this.#isCorked && !this.#isHeld) {
      this.#isHeld = true;
      this.#socket.cork();
    }
    this.#isBegun = true;
    if (typeof bytes === 'string') this.#socket.write(bytes, 'latin1');
    else this.#socket.write(bytes);
  }

  #writeAlone(piece: Buffer): void {
    const went = this.#isUnfinished ? 'not' : writeStraight(this.#socket, piece);
    if (went === 'not') this.#socket.write(piece);
    else if (went === 'begun') {
      this.#isUnfinished = true;
      this.#socket.write(NO_BYTES, (error) => {
        this.#isUnfinished = false;
        if (error == null) this.#drained();
      });
    }
  }
}

/** Runs once the kernel has all that was written: nearly always it has by now. */
export function whenTaken(socket: Socket, run: (error?: Error | null) => void): void {
  if (socket.writableLength === 0) run();
  else socket.write(NO_BYTES, run);
}
