/** One reader of a body: where it stands, and what it is given next. */
import type { Lent } from './lent.js';

/** What a reader is given: bytes, `later` (none are there yet), `end` of what was asked for, `failed` (the rest never comes). */
export type ReadResult = Buffer | 'later' | 'end' | 'failed';

export interface BodyReader {
  /**
   * The next bytes. `later` when none is there yet (onReadable tells when to ask again), `end` after the last byte
   * that was asked for, `failed` when the rest will never come (the reply must not end cleanly then).
   */
  read(): ReadResult;
  /** Calls `run` each time that read() may give something else than `later`. One listener for each reader. */
  onReadable(run: () => void): void;
  /** The reader wants no more. Safe to call twice. */
  close(): void;
  /** From now on it will be told by done() what is not needed any more, which may then be written over. */
  borrow?(): void;
  /** Of all that was given so far nothing is needed any more. Good after close() too. */
  done?(): void;
  /** Who takes what is read, where that may have to wait for others. */
  takenBy?(taker: Taker): void;
}

/** A client that other bytes go to first, so far. */
export interface Taker {
  /** Whether it is that client who takes nothing: of these bytes, or of those before them. */
  readonly hasTurn: boolean;
}

/** Where the bytes of a body are that memory does not hold. */
export interface BodyBelow {
  /** Bytes from `from` on, some or all up to `until`; undefined where they are lost or damaged. */
  read(from: number, until: number): Buffer | undefined;
}

/** What a reader sees of its body. */
export interface ReadableChunks {
  readonly state: 'streaming' | 'complete' | 'failed';
  /** Where those bytes are that are held no more; undefined: nowhere. */
  readonly elsewhere: BodyBelow | undefined;
  /** Bytes, and chunks, at the start of the body that are held no more. */
  readonly droppedBytes: number;
  readonly droppedChunks: number;
  /** By number from the start of the body. */
  chunkAt(index: number): Buffer | undefined;
  /** The reader took bytes; it stood at `from` before. */
  taken(reader: Reader, from: number): void;
  closeReader(reader: Reader): void;
  /** Where what is lent to this reader is kept account of; undefined where it is not the only one. */
  lendTo(reader: Reader): Lent | undefined;
}

export class Reader implements BodyReader {
  /** Next byte to give, counted from the start of the body. */
  position: number;
  readonly #body: ReadableChunks;
  readonly #until: number;
  /** The chunk where the last read stopped and its first byte's position, so that reading is not quadratic. */
  #chunkIndex = 0;
  #chunkStart = 0;
  #listener: (() => void) | undefined;
  #lent: Lent | undefined;
  #taker: Taker | undefined;

  constructor(body: ReadableChunks, from: number, until: number) {
    this.#body = body;
    this.position = from;
    this.#until = until;
  }

  /** Has been given all that it asked for. */
  get isSatisfied(): boolean {
    return this.position >= this.#until;
  }

  read(): ReadResult {
    const body = this.#body;
    const from = this.position;
    if (this.isSatisfied) return 'end';
    if (from < body.droppedBytes) return this.#readBelow(from);
    const chunk = this.#seek();
    if (chunk === undefined) {
      if (body.state === 'streaming') return 'later';
      return body.state === 'complete' ? 'end' : 'failed';
    }
    const start = from - this.#chunkStart;
    const end = Math.min(chunk.length, this.#until - this.#chunkStart);
    this.position = this.#chunkStart + end;
    body.taken(this, from);
    return start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end);
  }

  #readBelow(from: number): ReadResult {
    const { elsewhere, droppedBytes } = this.#body;
    // A reader that fell out of the kept window can never be given the right bytes again, unless they are below.
    const bytes = elsewhere?.read(from, Math.min(this.#until, droppedBytes));
    if (bytes === undefined || bytes.length === 0) return 'failed';
    this.position += bytes.length;
    return bytes;
  }

  /** The chunk that holds the byte at `position`, where it is here already. */
  #seek(): Buffer | undefined {
    const body = this.#body;
    if (this.#chunkIndex < body.droppedChunks) {
      this.#chunkIndex = body.droppedChunks;
      this.#chunkStart = body.droppedBytes;
    }
    for (;;) {
      const chunk = body.chunkAt(this.#chunkIndex);
      if (chunk === undefined || this.position < this.#chunkStart + chunk.length) return chunk;
      // The last chunk may still grow, so nothing is passed before there is one after it.
      if (body.chunkAt(this.#chunkIndex + 1) === undefined) return undefined;
      this.#chunkIndex++;
      this.#chunkStart += chunk.length;
    }
  }

  /** The body's chunks became one. */
  rebase(): void {
    this.#chunkIndex = 0;
    this.#chunkStart = 0;
  }

  onReadable(run: () => void): void {
    this.#listener = run;
  }

  wake(): void {
    this.#listener?.();
  }

  close(): void {
    this.#listener = undefined;
    this.#body.closeReader(this);
  }

  takenBy(taker: Taker): void {
    this.#taker = taker;
  }

  get hasTurn(): boolean {
    return this.#taker?.hasTurn ?? true;
  }

  borrow(): void {
    this.#lent = this.#body.lendTo(this);
  }

  done(): void {
    this.#lent?.done(this.position);
  }
}
