/**
 * Gives other workers what this one has: a response that is stored, or that arrives, as it arrives. On a socket in a
 * directory of this user alone, one connection for each.
 */
import { chmodSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { MAX_RELAY_HEAD_BYTES, MAX_RELAYS } from '../base/worker-limits.js';
import type { BodyReader } from '../object/body.js';
import { NO_BYTES } from '../object/chunks.js';
import { encodeRecord } from '../object/record.js';
import type { StoredResponse } from '../object/stored.js';
import {
  FRAME,
  type FrameKind,
  FrameReader,
  frame,
  framePrefix,
  headPayload,
  type RelayAsk,
  readAsk,
} from './relay-frames.js';

/** A response for another worker, or in a word why there is none. */
export type Give = (ask: RelayAsk) => StoredResponse | 'none' | 'superseded';

export class RelayServer {
  readonly #give: Give;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(give: Give) {
    this.#give = give;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Responses that are being given. */
  get count(): number {
    return this.#sockets.size;
  }

  async open(path: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      // Of this process alone: in a cluster the primary process would listen in its place.
      this.#server.listen({ path, exclusive: true }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    chmodSync(path, 0o600);
  }

  #accept(socket: Socket): void {
    // Who asked is gone, or broke off: nothing is lost here.
    socket.on('error', () => socket.destroy());
    if (this.#sockets.size >= MAX_RELAYS) {
      socket.end(frame(FRAME.none, Buffer.from('none')));
      return;
    }
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    const reader = new FrameReader(MAX_RELAY_HEAD_BYTES, {
      data: () => socket.destroy(),
      broken: () => socket.destroy(),
      whole: (kind, payload) => this.#asked(socket, kind, payload),
    });
    socket.on('data', (piece) => reader.push(piece));
  }

  #asked(socket: Socket, kind: FrameKind, payload: Buffer): void {
    const ask = kind === FRAME.ask ? readAsk(payload) : undefined;
    if (ask === undefined) {
      socket.destroy();
      return;
    }
    const given = this.#give(ask);
    if (typeof given === 'string') {
      socket.end(frame(FRAME.none, Buffer.from(given)));
      return;
    }
    socket.write(frame(FRAME.head, headPayload(encodeRecord(given), given.body.totalBytes)));
    given.body.take();
    socket.on('close', () => given.body.giveBack());
    pump(socket, given.body.open());
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Writes what is there, and what comes, as fast as the other worker takes it. */
function pump(socket: Socket, body: BodyReader): void {
  let isWaiting = false;
  const write = (): void => {
    while (!isWaiting && !socket.destroyed) {
      const read = body.read();
      if (read === 'later') return;
      if (read === 'end') {
        socket.end(frame(FRAME.end, NO_BYTES));
        body.close();
        return;
      }
      if (read === 'failed') {
        socket.destroy();
        return;
      }
      socket.write(framePrefix(FRAME.data, read.length));
      isWaiting = !socket.write(read);
    }
  };
  socket.on('drain', () => {
    isWaiting = false;
    write();
  });
  socket.on('close', () => body.close());
  body.onReadable(write);
  write();
}
