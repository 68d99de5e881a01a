/**
 * The body of one response, complete or still arriving, read by any number of readers at their own pace.
 *
 * A body is shared by reference: a 304 makes a new header record around the same body (Varnish copies it).
 * While it arrives it is in one of two modes. `retain` keeps every byte for the store, so a slow reader delays
 * nobody. `flow` keeps only what the readers have not yet taken, and asks the origin to pause while they are full.
 */
import { appendChunk, compacted, joined, sealTail, type Tail } from './chunks.js';
import { type BodyReader, type ReadableChunks, Reader } from './reader.js';

export type { BodyReader } from './reader.js';

export type BodyState = 'streaming' | 'complete' | 'failed';

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

const NO_SOURCE: BodySource = { pause() {}, resume() {}, abandoned() {} };

/** Dropped chunks that may stay in front of the kept ones, as empty places, before the list is cut. */
const MAX_EMPTY_PLACES = 64;
const NOTHING = Buffer.alloc(0);

/** What a body needs only until its last byte is here and read: a stored body does not pay for it. */
interface Flight {
  readonly highWaterBytes: number;
  readonly readers: Set<Reader>;
  source: BodySource;
  /** The last chunk, while small ones are gathered in it. */
  tail: Tail | undefined;
  isPaused: boolean;
  /** Inside a round of waking readers: what they take is accounted for once, at its end. */
  isWaking: boolean;
  /** Chunks dropped in all, and empty places in front of the list. */
  droppedChunks: number;
  emptyPlaces: number;
  /** Position of the fastest reader, at most what has arrived. */
  fastest: number;
  /** In `flow` mode: readers that still need the first kept chunk. Only when none is left is there anything to drop. */
  atFirst: number;
}

export class Body implements ReadableChunks {
  #state: BodyState = 'streaming';
  #mode: 'retain' | 'flow';
  #chunks: Buffer[] = [];
  #receivedBytes = 0;
  #droppedBytes = 0;
  #expectedBytes: number | undefined;
  #flight: Flight | undefined;

  constructor(options: BodyOptions) {
    this.#mode = options.mode;
    this.#expectedBytes = options.expectedBytes;
    this.#flight = {
      highWaterBytes: options.highWaterBytes,
      readers: new Set(),
      source: NO_SOURCE,
      tail: undefined,
      isPaused: false,
      isWaking: false,
      droppedChunks: 0,
      emptyPlaces: 0,
      fastest: 0,
      atFirst: 0,
    };
  }

  static readonly empty: Body = Body.of([]);

  /** A body whose bytes are all here. */
  static of(chunks: readonly Buffer[]): Body {
    const body = new Body({ mode: 'retain', highWaterBytes: Number.POSITIVE_INFINITY });
    // A list made by filter() keeps places for more.
    body.#chunks = chunks.filter((chunk) => chunk.length > 0).slice();
    for (const chunk of chunks) body.#receivedBytes += chunk.length;
    body.#state = 'complete';
    body.#flight = undefined;
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

  /** All chunks, where the body is complete and held whole for good: what one write can send. */
  get wholeChunks(): readonly Buffer[] | undefined {
    return this.#state === 'complete' && this.#mode === 'retain' ? this.#chunks : undefined;
  }

  get droppedBytes(): number {
    return this.#droppedBytes;
  }

  get droppedChunks(): number {
    return this.#flight?.droppedChunks ?? 0;
  }

  /** Readers of a body that still arrives, or of which unread bytes are held. */
  get readerCount(): number {
    return this.#flight?.readers.size ?? 0;
  }

  /** Where pauses and the news of having no reader go. */
  attach(source: BodySource): void {
    if (this.#flight !== undefined) this.#flight.source = source;
  }

  chunkAt(index: number): Buffer | undefined {
    const flight = this.#flight;
    return this.#chunks[flight === undefined ? index : index - flight.droppedChunks + flight.emptyPlaces];
  }

  /** Reads bytes from `from` up to but not including `until` (default: to the end). */
  open(from = 0, until: number = Number.POSITIVE_INFINITY): BodyReader {
    const reader = new Reader(this, from, until);
    const flight = this.#flight;
    if (flight !== undefined) {
      flight.readers.add(reader);
      if (from < this.#firstEnd(flight)) flight.atFirst++;
    }
    return reader;
  }

  closeReader(reader: Reader): void {
    const flight = this.#flight;
    if (flight?.readers.delete(reader) !== true || this.#mode !== 'flow') return;
    if (flight.readers.size > 0) this.#trim(flight);
    else if (this.#state === 'streaming') flight.source.abandoned();
    else this.#letGo();
  }

  /** Appends bytes that arrived. */
  write(chunk: Buffer): void {
    const flight = this.#flight;
    if (this.#state !== 'streaming' || flight === undefined || chunk.length === 0) return;
    this.#receivedBytes += chunk.length;
    if (this.#mode === 'retain') {
      flight.tail = appendChunk(this.#chunks, flight.tail, chunk);
      this.#wakeAll(flight);
      return;
    }
    this.#chunks.push(compacted(chunk));
    this.#wakeAll(flight);
    this.#trim(flight);
  }

  /** Stops keeping bytes for the store: from now on only what readers still want is held. */
  stopRetaining(): void {
    const flight = this.#flight;
    if (this.#mode === 'flow' || flight === undefined) return;
    this.#mode = 'flow';
    flight.tail = sealTail(this.#chunks, flight.tail);
    if (flight.readers.size === 0) flight.source.abandoned();
    else this.#trim(flight);
  }

  /**
   * The last byte has arrived. Small bodies become one chunk, so that a hit is one write. Where Content-Length
   * promised another length the body has failed: a broken one never ends cleanly (RFC 9112 §8).
   */
  complete(joinUpToBytes: number): void {
    const flight = this.#flight;
    if (this.#state !== 'streaming' || flight === undefined) return;
    if (this.#expectedBytes !== undefined && this.#expectedBytes !== this.#receivedBytes) {
      this.fail();
      return;
    }
    this.#state = 'complete';
    flight.tail = sealTail(this.#chunks, flight.tail);
    if (this.#mode === 'retain' && this.#chunks.length > 1 && this.#receivedBytes <= joinUpToBytes) {
      this.#chunks = [joined(this.#chunks, this.#receivedBytes)];
      for (const reader of flight.readers) reader.rebase();
    }
    this.#land(flight);
  }

  /** The rest will never come. */
  fail(): void {
    const flight = this.#flight;
    if (this.#state !== 'streaming' || flight === undefined) return;
    this.#state = 'failed';
    this.#land(flight);
  }

  /** A reader took bytes: in `flow` mode, lets go what nobody needs any more. */
  taken(reader: Reader, from: number): void {
    const flight = this.#flight;
    if (flight === undefined || this.#mode !== 'flow' || !flight.readers.has(reader)) return;
    if (reader.position > flight.fastest) flight.fastest = reader.position;
    if (flight.isWaking) return;
    const firstEnd = this.#firstEnd(flight);
    const isPastFirst = reader.position >= firstEnd || reader.isSatisfied;
    if (from < firstEnd && isPastFirst && --flight.atFirst === 0) this.#trim(flight);
    else this.#pace(flight);
  }

  /** No more bytes come. A body in `flow` mode is still held for its readers, one in `retain` mode needs none to be known. */
  #land(flight: Flight): void {
    // The source's closures would keep the whole exchange with the origin alive for as long as the body is stored.
    flight.source = NO_SOURCE;
    if (this.#mode === 'retain') {
      this.#flight = undefined;
      // A list that grew keeps places for more; this one is held for long.
      this.#chunks = this.#chunks.slice();
    }
    this.#wakeAll(flight);
    if (this.#mode !== 'flow') return;
    if (flight.readers.size === 0) this.#letGo();
    else this.#trim(flight);
  }

  /** Nobody reads a body in `flow` mode any more. */
  #letGo(): void {
    this.#droppedBytes = this.#receivedBytes;
    this.#chunks = [];
    this.#flight = undefined;
  }

  /** Position after the first kept chunk. */
  #firstEnd(flight: Flight): number {
    return this.#droppedBytes + (this.#chunks[flight.emptyPlaces]?.length ?? 0);
  }

  /**
   * Drops chunks that no reader needs, and cuts off readers that fell behind. Looks at every reader, so it is called
   * once for each chunk that arrives or is dropped, and not at each read.
   */
  #trim(flight: Flight): void {
    if (flight.readers.size === 0) return;
    let slowest = Number.POSITIVE_INFINITY;
    let fastest = this.#droppedBytes;
    for (const reader of flight.readers) {
      // One that has all it asked for neither needs anything nor sets a pace.
      if (reader.isSatisfied) continue;
      // One that waits for a later range needs none of what is here, and has not outrun what arrived.
      const position = Math.min(reader.position, this.#receivedBytes);
      if (position < slowest) slowest = position;
      if (position > fastest) fastest = position;
    }
    flight.fastest = slowest === Number.POSITIVE_INFINITY ? this.#receivedBytes : fastest;
    // The pace is the fastest reader's. One that falls behind by more than the window is cut off (its read() says
    // `failed`): to wait for it would delay the others, and to keep all for it would be memory without a bound.
    this.#dropUpTo(flight, Math.max(slowest, fastest - flight.highWaterBytes));
    const firstEnd = this.#firstEnd(flight);
    flight.atFirst = 0;
    for (const reader of flight.readers) {
      if (reader.isSatisfied) continue;
      if (reader.position < this.#droppedBytes) {
        // It counts no more. Where its client takes bytes it hears of it now, else when the client does.
        flight.readers.delete(reader);
        reader.wake();
      } else if (reader.position < firstEnd) flight.atFirst++;
    }
    this.#pace(flight);
  }

  /** Drops the chunks that end at or before `floor`. */
  #dropUpTo(flight: Flight, floor: number): void {
    for (;;) {
      const first = this.#chunks[flight.emptyPlaces];
      if (first === undefined || this.#droppedBytes + first.length > floor) break;
      this.#chunks[flight.emptyPlaces++] = NOTHING;
      flight.droppedChunks++;
      this.#droppedBytes += first.length;
    }
    // Cutting the list moves all that is kept, so it waits until that is the smaller part.
    if (flight.emptyPlaces < MAX_EMPTY_PLACES || flight.emptyPlaces * 2 < this.#chunks.length) return;
    this.#chunks.splice(0, flight.emptyPlaces);
    flight.emptyPlaces = 0;
  }

  #pace(flight: Flight): void {
    if (this.#state !== 'streaming') return;
    const unreadBytes = this.#receivedBytes - flight.fastest;
    if (!flight.isPaused && unreadBytes > flight.highWaterBytes) {
      flight.isPaused = true;
      flight.source.pause();
    } else if (flight.isPaused && unreadBytes <= flight.highWaterBytes / 2) {
      flight.isPaused = false;
      flight.source.resume();
    }
  }

  #wakeAll(flight: Flight): void {
    const wasWaking = flight.isWaking;
    flight.isWaking = true;
    for (const reader of flight.readers) reader.wake();
    flight.isWaking = wasWaking;
  }
}
