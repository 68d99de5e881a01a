/**
 * The socket of one connection to the origin: dialled whenever it is needed and gone, read into the intake of whoever uses it, and
 * the one time limit that it has at a time. What is said on it is the business of connection.ts.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.js';
import { OriginError } from '../base/errors.js';
import { ORIGIN_CONNECTION_TTL_MS } from '../base/limits.js';
import type { Deadlines } from './deadlines.js';
import { type Dialler, wasCut } from './dial.js';
import { connectFailure, withoutEnd } from './failure.js';
import { Intake, type IntakeOwner } from './intake.js';

export interface DialledOptions {
  readonly clock: Clock;
  readonly dialler: Dialler;
  readonly deadlines: Deadlines;
}

const NEVER = Number.POSITIVE_INFINITY;

export abstract class Dialled implements IntakeOwner {
  protected readonly clock: Clock;
  readonly #dialler: Dialler;
  readonly #deadlines: Deadlines;
  protected intake = new Intake(this);
  /** The present one, from the moment that it is dialled. */
  protected socket: Socket | undefined;
  #isOpen = false;
  #openedAt = 0;
  /** When what the connection waits for has taken too long. */
  deadlineAt = NEVER;

  constructor({ clock, dialler, deadlines }: DialledOptions) {
    this.clock = clock;
    this.#dialler = dialler;
    this.#deadlines = deadlines;
  }

  abstract take(bytes: Buffer, length: number): boolean;
  abstract readonly expectedBytes: number;

  /** The present socket can be written to from now on. */
  protected abstract opened(now: number): void;
  /** No connection came to be, or what it was in the midst of is over. */
  protected abstract fail(failure: OriginError): void;
  /** The present socket, which was open, has told of its end. */
  protected abstract closed(how: 'clean' | Error): void;

  get isOpen(): boolean {
    return this.#isOpen;
  }

  protected get isSecure(): boolean {
    return this.#dialler.isSecure;
  }

  /** Whether it has been open for so long that the name is to be looked up anew. */
  protected isOld(now: number): boolean {
    return this.#isOpen && now - this.#openedAt > ORIGIN_CONNECTION_TTL_MS;
  }

  protected dial(): void {
    const intake = new Intake(this);
    this.intake = intake;
    let socket: Socket;
    try {
      socket = this.#dialler.dial((failure) => this.#dialled(socket, failure), intake);
    } catch (error) {
      // Before the first byte, from certificates that cannot be read.
      queueMicrotask(() => this.fail(connectFailure(error, 'securing')));
      return;
    }
    this.socket = socket;
    socket.on('error', (error) => this.#ended(socket, error));
    socket.on('end', () => this.#ended(socket, wasCut(socket) ? withoutEnd() : 'clean'));
    socket.on('close', () => this.#ended(socket, withoutEnd()));
  }

  #dialled(socket: Socket, failure: OriginError | undefined): void {
    if (socket !== this.socket) return;
    if (failure !== undefined) {
      this.fail(failure);
      return;
    }
    if (this.isSecure) {
      socket.on('data', (chunk: Buffer) => {
        if (socket === this.socket && !this.take(chunk, chunk.length)) socket.pause();
      });
    }
    this.#isOpen = true;
    this.#openedAt = this.clock.steady();
    this.opened(this.#openedAt);
  }

  #ended(socket: Socket, how: 'clean' | Error): void {
    // How far a dial came is told by the dialler.
    if (socket === this.socket && this.#isOpen) this.closed(how);
  }

  /** What is waited for now may take this long from now on. */
  protected limit(ms: number, now = this.clock.steady()): void {
    this.deadlineAt = now + ms;
    this.#deadlines.note(this.deadlineAt, now);
  }

  /** What is waited for now may take as long as it likes. */
  protected unlimit(): void {
    this.deadlineAt = NEVER;
  }

  /** The socket can be used no more, though what it was in the midst of may be. */
  protected shut(): void {
    this.#isOpen = false;
  }

  protected drop(): void {
    const { socket } = this;
    this.socket = undefined;
    this.#isOpen = false;
    this.deadlineAt = NEVER;
    socket?.destroy();
  }

  /** Cuts the connection; resolves once it is closed. */
  async close(): Promise<void> {
    const { socket } = this;
    if (socket === undefined) return;
    // One that ended behind what waits for the reader has told so already.
    const closed = socket.closed ? undefined : new Promise<void>((resolve) => socket.once('close', () => resolve()));
    this.fail(new OriginError('origin-aborted', 'the origin client is closing'));
    await closed;
  }
}
