/**
 * Where clients connect: the address that is listened at, and its move to another one while connections stay. Who comes in there
 * is the business of the front.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../base/clock.js';
import { LISTEN_BACKLOG } from '../base/limits.js';
import type { Events } from '../observe/events.js';
import type { FrontOptions, Move } from './contract.js';
import { readWhatArrived } from './door.js';
import { Leaving } from './leaving.js';
import { acceptHandles, type Handle } from './read-into.js';

type Listen = FrontOptions['listen'];

/** Who takes what comes in, and hears where that is. */
export interface Newcomers {
  accepted(socket: Socket): void;
  /** The same before there is a socket. False where one is to be made. */
  acceptedHandle(handle: Handle): boolean;
  /** From now on clients come to this address. */
  arrived(address: string): void;
}

export class Listening {
  readonly #listen: Listen;
  /** Somebody else listens, and gives the connections to the front. */
  readonly #isHanded: boolean;
  readonly #events: Events;
  readonly #clock: Clock;
  readonly #newcomers: Newcomers;
  #server: Server;
  /** The one at the address before. */
  readonly #leaving: Leaving;
  #address = '';
  #acceptedCount = 0;
  /** Nobody is let in any more. */
  #isOver = false;

  constructor({ listen, isHanded = false, events, clock }: FrontOptions, newcomers: Newcomers) {
    this.#listen = listen;
    this.#isHanded = isHanded;
    this.#events = events;
    this.#clock = clock;
    this.#leaving = new Leaving(clock, () => this.#acceptedCount);
    this.#newcomers = newcomers;
    this.#server = this.#makeServer();
  }

  /** `HOST:PORT`; empty before start(). */
  get address(): string {
    return this.#address;
  }

  /** Accepts paused: who reads is told by whoever takes them. A client that ends its side after the request waits for the answer. */
  #makeServer(): Server {
    const server = createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true });
    server.on('connection', (socket: Socket) => {
      this.#acceptedCount++;
      this.#newcomers.accepted(socket);
    });
    return server;
  }

  async start(): Promise<string> {
    const { host, port } = this.#listen;
    this.#arrived(this.#isHanded ? written(host, port) : await this.#open(this.#server, this.#listen));
    return this.#address;
  }

  async #open(server: Server, { host, port }: Listen): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, backlog: LISTEN_BACKLOG }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    server.on('error', (error) => this.#events.notice('error', 'accept-failed', error.message));
    acceptHandles(server, (handle) => {
      const isTaken = this.#newcomers.acceptedHandle(handle);
      if (isTaken) this.#acceptedCount++;
      return isTaken;
    });
    const bound = server.address() as AddressInfo;
    return written(bound.address, bound.port);
  }

  #arrived(address: string): void {
    this.#address = address;
    this.#newcomers.arrived(address);
  }

  /** See Front.moveTo(). */
  async moveTo(listen: Listen): Promise<Move> {
    if (this.#isHanded) {
      const address = written(listen.host, listen.port);
      return { address, take: () => this.#arrived(address), leave: async () => {} };
    }
    // What the last move has left may be what is wanted now.
    await this.#leaving.closed;
    const before = this.#server;
    const isSamePort = listen.port === (before.address() as AddressInfo | null)?.port;
    // `0.0.0.0` and `127.0.0.1` cannot both have one port: the old one has to go first, for an instant.
    if (isSamePort) await this.#leaving.leave(before);
    const next = this.#makeServer();
    let address: string;
    try {
      address = await this.#open(next, listen);
      if (this.#isOver) {
        next.close();
        throw new Error('the proxy ends');
      }
    } catch (error) {
      if (isSamePort) await this.#listenAgain();
      throw error;
    }
    return {
      address,
      take: () => {
        this.#server = next;
        this.#arrived(address);
        if (this.#isOver) next.close();
        else if (!isSamePort) void this.#leaving.leave(before);
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
    this.#server = this.#makeServer();
    await this.#open(this.#server, read(this.#address));
    if (this.#isOver) this.close();
  }

  /** Accepts what has arrived already, for so long at most, then nothing more. */
  async stop(atMostMs: number): Promise<void> {
    await readWhatArrived(() => this.#acceptedCount, this.#clock, atMostMs);
    this.close();
  }

  /** Accepts nothing more. */
  close(): void {
    this.#isOver = true;
    if (this.#server.listening) this.#server.close();
    this.#leaving.close();
  }
}

function written(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function read(address: string): Listen {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
