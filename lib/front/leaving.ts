/**
 * A server whose address is given up while the proxy goes on. The kernel has accepted clients for it that nobody has read yet, and resets
 * them with the socket that listens: so it is read empty before it is closed, as at a drain (decision 0047).
 */
import type { Server } from 'node:net';
import type { Clock } from '../base/clock.js';
import { MAX_ACCEPTS_BEFORE_DRAIN_MS } from '../base/limits.js';
import { readWhatArrived } from './door.js';

export class Leaving {
  readonly #clock: Clock;
  readonly #acceptedCount: () => number;
  #server: Server | undefined;
  #closed: Promise<void> = Promise.resolve();

  /** `acceptedCount`: as for readWhatArrived(). */
  constructor(clock: Clock, acceptedCount: () => number) {
    this.#clock = clock;
    this.#acceptedCount = acceptedCount;
  }

  /** Resolves once the last one is closed. Before that its address cannot be had again, and no other may leave. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  /** Resolves once it is closed. */
  leave(server: Server): Promise<void> {
    this.#server = server;
    this.#closed = this.#closeOnceEmpty(server);
    return this.#closed;
  }

  async #closeOnceEmpty(server: Server): Promise<void> {
    await readWhatArrived(this.#acceptedCount, this.#clock, MAX_ACCEPTS_BEFORE_DRAIN_MS);
    if (server.listening) server.close();
  }

  /** At once. */
  close(): void {
    if (this.#server?.listening === true) this.#server.close();
  }
}
