/** The one port: the primary process accepts there, reads nothing, and gives each connection on. */
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { Clock } from '../base/clock.js';
import { LISTEN_BACKLOG } from '../base/limits.js';
import type { Address } from '../config/address.js';
import { readWhatArrived } from '../front/door.js';
import { Leaving } from '../front/leaving.js';
import { acceptHandles, type Handle, handleOf } from '../front/read-into.js';
import type { Events } from '../observe/events.js';
import type { BoundAddress } from './messages.js';

/** An address that is listened at and not yet the only one. */
export interface NewAddress {
  readonly address: BoundAddress;
  take(): void;
  leave(): Promise<void>;
}

export class Listening {
  readonly #events: Events;
  readonly #clock: Clock;
  readonly #accepted: (handle: Handle) => void;
  #server: Server | undefined;
  /** The one at the address before. */
  readonly #leaving: Leaving;
  #acceptedCount = 0;
  /** Nobody is let in any more. */
  #isOver = false;
  #address: BoundAddress = { host: '', port: 0 };

  constructor(events: Events, clock: Clock, accepted: (handle: Handle) => void) {
    this.#events = events;
    this.#clock = clock;
    this.#accepted = accepted;
    this.#leaving = new Leaving(clock, () => this.#acceptedCount);
  }

  /** Where it listens. */
  get address(): BoundAddress {
    return this.#address;
  }

  /** Rejects with Node's error where the address cannot be had. */
  async open(listen: Address): Promise<void> {
    this.#server = await this.#listen(listen);
    this.#address = addressOf(this.#server);
  }

  async #listen({ host, port }: Address): Promise<Server> {
    // Paused: who reads is the worker.
    const server = createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true });
    // Where this version of Node does not give handles, they are taken out of its sockets.
    server.on('connection', (socket) => {
      const handle = handleOf(socket);
      if (handle !== null) this.#take(handle);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, backlog: LISTEN_BACKLOG }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    acceptHandles(server, (handle) => {
      this.#take(handle);
      return true;
    });
    server.on('error', (error) => this.#events.notice('error', 'accept-failed', error.message));
    return server;
  }

  #take(handle: Handle): void {
    this.#acceptedCount++;
    this.#accepted(handle);
  }

  /** Listens at another address as well. Where only the host of it is another, the old one is given up first. */
  async moveTo(listen: Address): Promise<NewAddress> {
    // What the last move has left may be what is wanted now.
    await this.#leaving.closed;
    const before = this.#server;
    const isSamePort = listen.port === this.#address.port;
    if (isSamePort && before !== undefined) await this.#leaving.leave(before);
    let next: Server;
    try {
      next = await this.#listen(listen);
      if (this.#isOver) {
        next.close();
        throw new Error('the proxy ends');
      }
    } catch (error) {
      if (isSamePort) await this.#listenAgain();
      throw error;
    }
    const address = addressOf(next);
    return {
      address,
      take: () => {
        this.#server = next;
        this.#address = address;
        if (this.#isOver) next.close();
        else if (!isSamePort && before !== undefined) void this.#leaving.leave(before);
      },
      leave: async () => {
        await this.#leaving.leave(next);
        if (isSamePort) await this.#listenAgain();
      },
    };
  }

  /** Where the new address could not be had after all. */
  async #listenAgain(): Promise<void> {
    if (this.#isOver) return;
    this.#server = await this.#listen(this.#address);
    if (this.#isOver) this.#server.close();
  }

  /** Accepts what has arrived already, for so long at most, then nothing more. */
  async stop(atMostMs: number): Promise<void> {
    await readWhatArrived(() => this.#acceptedCount, this.#clock, atMostMs);
    this.#isOver = true;
    if (this.#server?.listening === true) this.#server.close();
    this.#leaving.close();
  }
}

function addressOf(server: Server): BoundAddress {
  const { address, port } = server.address() as AddressInfo;
  return { host: address, port };
}
