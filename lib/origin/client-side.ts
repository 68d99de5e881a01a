/** The end of a tunnel that http-proxy pipes into and out of, in the place of the client's socket. */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/**
 * The client's end of the tunnel as http-proxy gets it: pipes into it and out of it, and writes a head of its own
 * making to it, which is dropped because the real one was sent already.
 */
export class ClientSide extends Duplex {
  readonly #socket: Socket;
  #dropsNextWrite = false;
  /** Until there is a tunnel, nothing that http-proxy does here reaches the client. */
  #isOpen = false;
  moved: (bytes: number) => void = () => {};

  constructor(socket: Socket) {
    super({ allowHalfOpen: true, autoDestroy: false });
    this.#socket = socket;
    // Every way in which this ends is seen at the sockets.
    this.on('error', () => {});
  }

  open(head: Buffer): void {
    const socket = this.#socket;
    this.#isOpen = true;
    this.#dropsNextWrite = true;
    if (head.length > 0) this.push(head);
    socket.on('data', (chunk: Buffer) => {
      this.moved(0);
      if (!this.push(chunk)) socket.pause();
    });
    // A client may have said its last word while the origin was still asked.
    if (socket.readableEnded) this.push(null);
    else socket.once('end', () => this.push(null));
  }

  override _read(): void {
    if (this.#isOpen) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#dropsNextWrite || !this.#isOpen) {
      this.#dropsNextWrite = false;
      done();
      return;
    }
    this.moved(chunk.length);
    this.#socket.write(chunk, (error) => done(error ?? null));
  }

  override _final(done: () => void): void {
    if (this.#isOpen) this.#socket.end();
    done();
  }

  // What http-proxy sets on a socket.
  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    this.#socket.setNoDelay(true);
    return this;
  }

  setKeepAlive(): this {
    this.#socket.setKeepAlive(true);
    return this;
  }
}
