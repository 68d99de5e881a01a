/**
 * Where clients connect: the address that is listened at, and its move to another one while connections stay. Who comes in there
 * is the business of the front.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { LISTEN_BACKLOG } from '../base/limits.js';
import type { Events } from '../observe/events.js';
import type { FrontOptions, Move } from './contract.js';
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
  readonly #newcomers: Newcomers;
  #server: Server;
  #address = '';

  constructor({ listen, isHanded = false, events }: FrontOptions, newcomers: Newcomers) {
    this.#listen = listen;
    this.#isHanded = isHanded;
    this.#events = events;
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
    server.on('connection', (socket: Socket) => this.#newcomers.accepted(socket));
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
    acceptHandles(server, (handle) => this.#newcomers.acceptedHandle(handle));
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
    const next = this.#makeServer();
    const { port } = this.#server.address() as AddressInfo;
    // `0.0.0.0` and `127.0.0.1` cannot both have one port: the old one has to go first, for an instant.
    if (listen.port === port) this.stop();
    let address: string;
    try {
      address = await this.#open(next, listen);
    } catch (error) {
      if (listen.port === port) await this.#listenAgain();
      throw error;
    }
    return {
      address,
      take: () => {
        this.stop();
        this.#server = next;
        this.#arrived(address);
      },
      leave: async () => {
        next.close();
        if (listen.port === port) await this.#listenAgain();
      },
    };
  }

  /** Where the new address could not be had after all. */
  async #listenAgain(): Promise<void> {
    this.#server = this.#makeServer();
    await this.#open(this.#server, read(this.#address));
  }

  /** Accepts nothing more. */
  stop(): void {
    if (this.#server.listening) this.#server.close();
  }
}

function written(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function read(address: string): Listen {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
