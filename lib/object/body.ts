/**
 * The body of one response, complete or still arriving, read by any number of readers at their own pace.
 *
 * A body is shared by reference: a 304 makes a new header record around the same body (Varnish copies it).
 * While it arrives it is in one of two modes. `retain` keeps every byte for the store, so a slow reader delays
 * nobody. `flow` keeps only what the readers have not yet taken, and asks the origin to pause while they are full.
 */

export type BodyState = 'streaming' | 'complete' | 'failed';

export interface BodyReader {
  /**
   * The next bytes. `later` when none is there yet (onReadable tells when to ask again), `end` after the last byte
   * that was asked for, `failed` when the rest will never come (the reply must not end cleanly then).
   */
  read(): Buffer | 'later' | 'end' | 'failed';
  /** Calls `run` each time that read() may give something else than `later`. One listener for each reader. */
  onReadable(run: () => void): void;
  /** The reader wants no more. Safe to call twice. */
  close(): void;
}

export interface BodyOptions {
  /** What Content-Length promised, where it did. */
  readonly expectedBytes?: number | undefined;
  readonly mode: 'retain' | 'flow';
  /** In `flow` mode: unread bytes above which the source is asked to pause. */
  readonly highWaterBytes: number;
}

/** Notices to the one who fills the body. */
export interface BodySource {
  pause(): void;
  resume(): void;
  /** No reader is left on a body in `flow` mode: nobody wants the rest. */
  abandoned(): void;
}

class Reader implements BodyReader {
  readonly #body: Body;
  /** Next byte to give, counted from the start of the body. */
  position: number;
  readonly #until: number;
  /** Index into the body's chunks where the last read stopped, so that reading is not quadratic. */
  #chunkIndex = 0;
  #chunkStart = 0;
  #listener: (() => void) | undefined;

  constructor(body: Body, from: number, until: number) {
    this.#body = body;
    this.position = from;
    this.#until = until;
    this.#chunkStart = body.droppedBytes;
    this.#chunkIndex = body.droppedChunks;
  }

  read(): Buffer | 'later' | 'end' | 'failed' {
    if (this.position >= this.#until) return 'end';
    // A reader that fell out of the kept window can never be given the right bytes again.
    if (this.position < this.#body.droppedBytes) return 'failed';
    for (;;) {
      const chunk = this.#body.chunkAt(this.#chunkIndex);
      if (chunk === undefined) break;
      const end = this.#chunkStart + chunk.length;
      if (this.position < end) {
        const from = this.position - this.#chunkStart;
        const to = Math.min(chunk.length, this.#until - this.#chunkStart);
        this.position = this.#chunkStart + to;
        if (to === chunk.length) this.#advance(chunk.length);
        const bytes = from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to);
        this.#body.taken();
        return bytes;
      }
      this.#advance(chunk.length);
    }
    if (this.#body.state === 'streaming') return 'later';
    return this.#body.state === 'complete' ? 'end' : 'failed';
  }

  #advance(bytes: number): void {
    this.#chunkIndex++;
    this.#chunkStart += bytes;
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
}

const NO_SOURCE: BodySource = { pause() {}, resume() {}, abandoned() {} };

export class Body {
  #state: BodyState = 'streaming';
  #mode: 'retain' | 'flow';
  #chunks: Buffer[] = [];
  #droppedChunks = 0;
  #droppedBytes = 0;
  #receivedBytes = 0;
  #expectedBytes: number | undefined;
  #highWaterBytes: number;
  #paused = false;
  #readers = new Set<Reader>();
  #source: BodySource = NO_SOURCE;

  constructor(options: BodyOptions) {
    this.#mode = options.mode;
    this.#expectedBytes = options.expectedBytes;
    this.#highWaterBytes = options.highWaterBytes;
  }

  static readonly empty: Body = Body.of([]);

  /** A body whose bytes are all here. */
  static of(chunks: readonly Buffer[]): Body {
    const body = new Body({ mode: 'retain', highWaterBytes: Number.POSITIVE_INFINITY });
    for (const chunk of chunks) {
      body.#chunks.push(chunk);
      body.#receivedBytes += chunk.length;
    }
    body.#state = 'complete';
    body.#expectedBytes = body.#receivedBytes;
    return body;
  }

  get state(): BodyState {
    return this.#state;
  }

  get mode(): 'retain' | 'flow' {
    return this.#mode;
  }

  /** Bytes that arrived so far, kept or not. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Bytes that this body holds in memory now. */
  get heldBytes(): number {
    return this.#receivedBytes - this.#droppedBytes;
  }

  /** Length of the whole body: known once complete, or where Content-Length promised it. */
  get totalBytes(): number | undefined {
    return this.#state === 'complete' ? this.#receivedBytes : this.#expectedBytes;
  }

  /** All chunks, where the body is complete and held whole: what one write can send. */
  get wholeChunks(): readonly Buffer[] | undefined {
    return this.#state === 'complete' && this.#droppedBytes === 0 ? this.#chunks : undefined;
  }

  get droppedBytes(): number {
    return this.#droppedBytes;
  }

  get droppedChunks(): number {
    return this.#droppedChunks;
  }

  get readerCount(): number {
    return this.#readers.size;
  }

  /** Where pauses and the news of having no reader go. */
  attach(source: BodySource): void {
    this.#source = source;
  }

  chunkAt(index: number): Buffer | undefined {
    return this.#chunks[index - this.#droppedChunks];
  }

  /** Reads bytes from `from` up to but not including `until` (default: to the end). */
  open(from = 0, until: number = Number.POSITIVE_INFINITY): BodyReader {
    const reader = new Reader(this, from, until);
    this.#readers.add(reader);
    return reader;
  }

  closeReader(reader: BodyReader): void {
    if (!this.#readers.delete(reader as Reader)) return;
    if (this.#mode !== 'flow' || this.#state !== 'streaming') return;
    if (this.#readers.size === 0) this.#source.abandoned();
    else this.taken();
  }

  /** Appends bytes that arrived. */
  write(chunk: Buffer): void {
    if (this.#state !== 'streaming' || chunk.length === 0) return;
    this.#chunks.push(this.#mode === 'retain' ? compact(chunk) : chunk);
    this.#receivedBytes += chunk.length;
    this.#wakeAll();
    if (this.#mode === 'flow') this.#regulate();
  }

  /** Stops keeping bytes for the store: from now on only what readers still want is held. */
  stopRetaining(): void {
    if (this.#mode === 'flow' || this.#state !== 'streaming') return;
    this.#mode = 'flow';
    if (this.#readers.size === 0) this.#source.abandoned();
    else this.#regulate();
  }

  /** The last byte has arrived. Small bodies become one chunk, so that a hit is one write. */
  complete(joinUpToBytes: number): void {
    if (this.#state !== 'streaming') return;
    this.#state = 'complete';
    if (
      this.#chunks.length > 1 &&
      this.#mode === 'retain' &&
      this.#receivedBytes <= joinUpToBytes &&
      this.#readers.size === 0
    ) {
      this.#chunks = [Buffer.concat(this.#chunks)];
    }
    this.#wakeAll();
  }

  /** The rest will never come. */
  fail(): void {
    if (this.#state !== 'streaming') return;
    this.#state = 'failed';
    this.#wakeAll();
  }

  /** A reader took bytes: in `flow` mode, lets go what nobody needs any more. */
  taken(): void {
    if (this.#mode === 'flow') this.#regulate();
  }

  #regulate(): void {
    let slowest = Number.POSITIVE_INFINITY;
    let fastest = this.#droppedBytes;
    for (const reader of this.#readers) {
      if (reader.position < slowest) slowest = reader.position;
      if (reader.position > fastest) fastest = reader.position;
    }
    // The pace is the fastest reader's. One that falls behind by more than the window is cut off (its read() says
    // `failed`) rather than let to delay the others; lib/decisions/0003 says why.
    const floor = Math.max(slowest, this.#readers.size > 1 ? fastest - this.#highWaterBytes : slowest);
    while (this.#chunks.length > 0) {
      const first = this.#chunks[0] as Buffer;
      if (this.#droppedBytes + first.length > floor) break;
      this.#chunks.shift();
      this.#droppedChunks++;
      this.#droppedBytes += first.length;
    }
    const unread = this.#receivedBytes - fastest;
    if (!this.#paused && unread > this.#highWaterBytes && this.#state === 'streaming') {
      this.#paused = true;
      this.#source.pause();
    } else if (this.#paused && unread <= this.#highWaterBytes / 2) {
      this.#paused = false;
      this.#source.resume();
    }
  }

  #wakeAll(): void {
    for (const reader of this.#readers) reader.wake();
  }
}

/** A small slice of a large receive buffer would pin all of it for as long as the body is stored. */
function compact(chunk: Buffer): Buffer {
  if (chunk.length * 2 > chunk.buffer.byteLength) return chunk;
  const copy = Buffer.allocUnsafeSlow(chunk.length);
  chunk.copy(copy);
  return copy;
}
