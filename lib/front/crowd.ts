/** The clients' connections that are open: how many of them have a place, and which gives way to one that comes. */
import type { Socket } from 'node:net';
import { MAX_REFUSED_CONNECTIONS } from '../base/limits.js';
import type { ClientConnection } from './connection.js';

export class Crowd {
  readonly #all = new Map<Socket, ClientConnection>();
  /** Of these, those to which nothing more is said and whose last bytes are still going out, oldest first. */
  readonly #ending = new Set<ClientConnection>();
  /** And those of which only the client's end is waited for. */
  readonly #over = new Set<ClientConnection>();

  get count(): number {
    return this.#all.size;
  }

  /** One that only ends takes nobody's place: a client often asks anew on a new one as soon as it has seen the end of the last. */
  get servedCount(): number {
    return this.#all.size - this.#ending.size - this.#over.size;
  }

  [Symbol.iterator](): IterableIterator<ClientConnection> {
    return this.#all.values();
  }

  of(socket: Socket): ClientConnection | undefined {
    return this.#all.get(socket);
  }

  add(connection: ClientConnection): void {
    this.#all.set(connection.socket, connection);
  }

  delete(connection: ClientConnection): void {
    this.#all.delete(connection.socket);
    this.#ending.delete(connection);
    this.#over.delete(connection);
  }

  /** Nothing more is said on it. */
  ends(connection: ClientConnection): void {
    if (connection.isOver) this.#over.add(connection);
    else {
      this.#ending.add(connection);
      connection.socket.once('finish', () => {
        if (this.#ending.delete(connection)) this.#over.add(connection);
      });
    }
  }

  /**
   * Whether there is room for one more where `limit` have a place: what is told that it is one too many is bounded as well, and so
   * is what only ends, of which the oldest gives way.
   */
  makesRoom(limit: number): boolean {
    if (this.#all.size < limit + MAX_REFUSED_CONNECTIONS) return true;
    // One that still takes the last of its reply gives way after all that wait for nothing.
    const [oldest] = this.#over.size > 0 ? this.#over : this.#ending;
    if (oldest === undefined || this.servedCount >= limit) return false;
    this.delete(oldest);
    oldest.endAtOnce();
    return true;
  }
}
