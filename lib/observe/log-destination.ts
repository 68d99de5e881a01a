/** Where log lines are written: a descriptor, a file by its path, or a stream. It keeps no line, and counts none. */
import { closeSync, fstatSync, openSync, write, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { LineBatch } from './line-batch.js';

/** A stream that takes log lines, such as process.stdout or a stub. */
export interface LogStream {
  write(bytes: Uint8Array, done: (error?: Error | null) => void): unknown;
  on?(event: 'error', listener: (error: Error) => void): unknown;
}

/** A file descriptor, the path of a file to append to, or a stream. */
export type LogDestination = number | string | LogStream;

/** Owner and group: a log names clients and what they asked for. */
const FILE_MODE = 0o640;

export class OpenDestination {
  readonly #stream: LogStream | undefined;
  readonly #path: string | undefined;
  #fd: number;
  /** A descriptor that reopen() replaced. */
  #retiredFd: number | undefined;

  /** Throws what opening the file throws. */
  constructor(destination: LogDestination) {
    this.#stream = typeof destination === 'object' ? destination : undefined;
    this.#path = typeof destination === 'string' ? destination : undefined;
    this.#fd = this.#path === undefined ? -1 : openSync(this.#path, 'a', FILE_MODE);
    if (typeof destination === 'number') this.#fd = destination;
    // The write that failed is told as well; this event, unheard, would end the process.
    this.#stream?.on?.('error', () => {});
  }

  /** A stream may look at bytes for longer than it says, and cannot be written to without waiting. */
  get isStream(): boolean {
    return this.#stream !== undefined;
  }

  /** Whether it is a file that was opened here. */
  get hasPath(): boolean {
    return this.#path !== undefined;
  }

  /** Whether a person may be reading. */
  get isTerminal(): boolean {
    if (this.#stream !== undefined) return 'isTTY' in this.#stream && this.#stream.isTTY === true;
    return isatty(this.#fd);
  }

  /** Of a descriptor: whether it is a file, in which no write can be blocked. */
  get isFile(): boolean {
    return fstatSync(this.#fd).isFile();
  }

  /** Writes what a batch has from this byte on, or the first of it. `wrote` hears how much, or why not; from a stream it may hear twice. */
  write(batch: LineBatch, from: number, wrote: (error: unknown, written: number) => void): void {
    const length = batch.length - from;
    if (this.#stream === undefined) {
      write(this.#fd, batch.bytes, from, length, null, (error, written) => {
        this.closeRetired();
        wrote(error, written);
      });
      return;
    }
    try {
      this.#stream.write(batch.bytes.subarray(from, batch.length), (error) => wrote(error, length));
    } catch (error) {
      wrote(error, 0);
    }
  }

  /** Writes all of a batch to a descriptor before it returns. Throws what that throws. */
  writeNow({ bytes, length }: LineBatch): void {
    for (let at = 0; at < length; ) at += writeSync(this.#fd, bytes, at, length - at);
  }

  /** Opens the file of its name anew, after it was moved away. Throws what that throws. */
  reopen(): void {
    if (this.#path === undefined) return;
    const fd = openSync(this.#path, 'a', FILE_MODE);
    this.#retiredFd ??= this.#fd;
    if (this.#retiredFd !== this.#fd) closeSync(this.#fd);
    this.#fd = fd;
  }

  /** Closes what reopen() replaced. Where a write to it is under way, that does it when it ends. */
  closeRetired(): void {
    if (this.#retiredFd === undefined) return;
    const fd = this.#retiredFd;
    this.#retiredFd = undefined;
    closeSync(fd);
  }

  /** Closes the file. What was opened elsewhere is left as it is. */
  close(): void {
    if (this.#path === undefined || this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }
}
