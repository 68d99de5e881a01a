/**
 * What a pumped body is written into where none of node's reply objects is needed: the socket itself, with the head in
 * front of the first bytes and the chunks of RFC 9112 §7.1 around each piece.
 */
import type { Socket } from 'node:net';
import type { DirectTurn } from './direct.js';
import type { ReplyOut } from './reply.js';

const NOTHING = Buffer.alloc(0);

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

  constructor(socket: Socket, turn: DirectTurn, head: string, isChunked: boolean) {
    this.#socket = socket;
    this.#turn = turn;
    this.#before = head;
    this.chunkedEncoding = isChunked;
  }

  on(_event: 'drain', run: () => void): void {
    this.#turn.onDrain(run);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#closeChunk();
    this.#say();
    this.#socket.uncork();
  }

  write(bytes: Buffer): boolean {
    if (bytes.length === 0) {
      // A chunk of no length would be the end.
      this.#say();
      return !this.#socket.writableNeedDrain;
    }
    if (this.chunkedEncoding) {
      this.#closeChunk();
      this.#before += `${bytes.length.toString(16)}\r\n`;
      this.#isChunkOpen = true;
    }
    this.#say();
    return this.#socket.write(bytes);
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
    this.#say();
    this.#socket.uncork();
    this.#turn.written();
    whenTaken(this.#socket, done);
  }

  #closeChunk(): void {
    if (this.#isChunkOpen) this.#before += '\r\n';
    this.#isChunkOpen = false;
  }

  #say(): void {
    const text = this.#before;
    this.#before = '';
    if (text.length > 0) this.#socket.write(text, 'latin1');
  }
}

/** Runs once the kernel has all that was written: nearly always it has by now. */
export function whenTaken(socket: Socket, run: (error?: Error | null) => void): void {
  if (socket.writableLength === 0) run();
  else socket.write(NOTHING, run);
}
