/**
 * The body of one response, complete or still arriving, read by any number of readers at their own pace.
 *
 * A body is shared by reference: a 304 makes a new header record around the same body (Varnish copies it).
 * While it arrives it is in one of three modes. `retain` keeps every byte for the store, so a slow reader delays
 * nobody. `flow` keeps only what the readers have not yet taken, and asks the origin to pause while they are full.
 * `spill` hands every byte on to a tier below and keeps only what is not there yet: whoever reads what memory holds no
 * more reads it from there, and the origin pauses while that tier is behind.
 */
import type { ReadBuffer } from '../base/read-buffer.js';
import { MAX_IN_SLAB_BYTES, type Slab } from '../base/slab.js';
import {
  ARRIVED,
  type BodyOptions,
  type BodySink,
  type BodySource,
  type BodyState,
  dropUpTo,
  type Flight,
  NO_SOURCE,
  newFlight,
  pace,
} from './body-flight.js';
import { appendChunk, compacted, filled, joined, NO_CHUNKS, sealTail } from './chunks.js';
import type { Lent } from './lent.js';
import { Packable } from './packable.js';
import { type BodyBelow, type BodyReader, type ReadableChunks, Reader } from './reader.js';

export type { BodyOptions, BodySink, BodySinkListener, BodySource, BodyState } from './body-flight.js';
export type { BodyBelow, BodyReader } from './reader.js';

export class Body extends Packable implements ReadableChunks {
  #state: BodyState = 'streaming';
  #mode: 'retain' | 'flow' | 'spill';
  #below: BodyBelow | undefined;
  /** Of a body that is not stored after all: all that memory dropped is still there, for those who are that far behind. */
  #remains: BodyBelow | undefined;
  /** The tier that knows it, by this number or, at -1, as this object: set by that alone. A map of all bodies is work for the garbage collector. */
  knower: object | undefined;
  knownAs = -1;
  #droppedBytes = 0;
  #expectedBytes: number | undefined;
  #flight: Flight | undefined;

  constructor(options: BodyOptions) {
    super();
    this.#mode = options.mode;
    this.#expectedBytes = options.expectedBytes;
    if (options !== ARRIVED) this.#flight = newFlight(options.highWaterBytes);
  }

  static readonly empty: Body = Body.of([]);

  /** A body whose bytes are all here. */
  static of(chunks: readonly Buffer[]): Body {
    const body = new Body(ARRIVED);
    body.chunks = filled(chunks);
    for (const chunk of chunks) body.received += chunk.length;
    body.#state = 'complete';
    return body;
  }

  /** A body whose bytes are packed already. */
  static packedIn(slab: Slab, at: number, bytes: number): Body {
    const body = Body.of([]);
    body.received = bytes;
    body.slab = slab;
    body.slabAt = at;
    body.chunks = NO_CHUNKS;
    return body;
  }

  /** A body whose bytes are all in a tier below. */
  static below(totalBytes: number, below: BodyBelow): Body {
    const body = Body.of([]);
    body.#mode = 'spill';
    body.#below = below;
    body.received = totalBytes;
    body.#droppedBytes = totalBytes;
    return body;
  }

  /** A body of which only what comes from a place on arrives here: what is before it has been given to its one reader. */
  static rest(from: number, options: BodyOptions): Body {
    const body = new Body(options);
    body.received = from;
    body.#droppedBytes = from;
    if (body.#flight !== undefined) body.#flight.droppedChunks = 1;
    return body;
  }

  get state(): BodyState {
    return this.#state;
  }

  get mode(): 'retain' | 'flow' | 'spill' {
    return this.#mode;
  }

  get below(): BodyBelow | undefined {
    return this.#below;
  }

  get elsewhere(): BodyBelow | undefined {
    return this.#below ?? this.#remains;
  }

  /** Complete, and each of its bytes can be had for as long as it is stored. */
  get isWhole(): boolean {
    return this.#state === 'complete' && (this.#mode === 'retain' || this.#below !== undefined);
  }

  /** Bytes that this body holds in memory now. */
  get heldBytes(): number {
    return this.received - this.#droppedBytes;
  }

  /** What arrives is charged as reserved, what lies in a slab is copied for each client, and all else is held for readers as they need it. */
  get lastingBytes(): number {
    return this.#mode === 'retain' && this.slab === undefined ? this.heldBytes : 0;
  }

  /** Length of the whole body: known once complete, or where Content-Length promised it. */
  get totalBytes(): number | undefined {
    return this.#state === 'complete' ? this.received : this.#expectedBytes;
  }

  get isHeldWhole(): boolean {
    return this.#state === 'complete' && this.#mode === 'retain';
  }

  get droppedBytes(): number {
    return this.#droppedBytes;
  }

  get droppedChunks(): number {
    return this.#flight?.droppedChunks ?? 0;
  }

  /** Readers of a body that still arrives, or of which unread bytes are held. */
  get readerCount(): number {
    return this.#flight?.readers.count ?? 0;
  }

  /** Where pauses and the news of having no reader go. */
  attach(source: BodySource): void {
    if (this.#flight !== undefined) this.#flight.source = source;
  }

  chunkAt(index: number): Buffer | undefined {
    if (this.slab !== undefined) return index === 0 ? this.bytesIn(this.slab) : undefined;
    const flight = this.#flight;
    return this.chunks[flight === undefined ? index : index - flight.droppedChunks + flight.emptyPlaces];
  }

  /** Reads bytes from `from` up to but not including `until` (default: to the end). */
  open(from = 0, until: number = Number.POSITIVE_INFINITY): BodyReader {
    const reader = new Reader(this, from, until);
    this.#flight?.readers.add(reader, this.#firstEnd(this.#flight));
    return reader;
  }

  lendTo(reader: Reader): Lent | undefined {
    return this.#flight?.readers.lendTo(reader);
  }

  closeReader(reader: Reader): void {
    const flight = this.#flight;
    if (flight?.readers.remove(reader) !== true || this.#mode !== 'flow') return;
    if (flight.readers.count > 0) this.#trim(flight);
    else if (this.#state === 'streaming') flight.source.abandoned();
    else this.#letGo();
  }

  /** Appends bytes that arrived. `buffer`: held for what lies in it, and to be read into again once it is let go. */
  write(chunk: Buffer, buffer?: ReadBuffer): void {
    const flight = this.#flight;
    if (this.#state !== 'streaming' || flight === undefined || chunk.length === 0) return;
    this.received += chunk.length;
    if (this.#mode === 'retain') {
      // A small one that comes whole is copied once, into its slab: it is stored in this very turn, or not at all.
      if (chunk.length === this.#expectedBytes && chunk.length <= MAX_IN_SLAB_BYTES) this.chunks.push(chunk);
      else flight.tail = appendChunk(this.chunks, flight.tail, chunk);
      flight.readers.wake();
      return;
    }
    const isLent = this.#mode === 'flow' && flight.readers.borrow(buffer, this.received);
    this.chunks.push(isLent ? chunk : compacted(chunk));
    flight.sink?.write(chunk);
    flight.readers.wake();
    if (this.#mode === 'flow') this.#trim(flight);
    else this.#pace(flight);
  }

  /** Hands all bytes, those that are here and those that come, on to a tier below; `windowBytes`: how far that may be behind. */
  spill(sink: BodySink, windowBytes: number): void {
    const flight = this.#flight;
    if (this.#state !== 'streaming' || this.#mode !== 'retain' || flight === undefined) return;
    this.#mode = 'spill';
    this.#below = sink.below;
    flight.tail = sealTail(this.chunks, flight.tail);
    flight.sink = sink;
    flight.highWaterBytes = windowBytes;
    sink.listener = { stored: (bytes) => this.#stored(bytes), lost: () => this.#lost() };
    for (const chunk of this.chunks) sink.write(chunk);
    this.#pace(flight);
  }

  /** The tier below has all bytes before this position. */
  #stored(bytes: number): void {
    const flight = this.#flight;
    if (this.#mode !== 'spill' || flight === undefined) return;
    this.#droppedBytes = dropUpTo(flight, this.chunks, this.#droppedBytes, bytes);
    if (flight.readers.isAnyBefore(this.#droppedBytes)) flight.sink?.needed();
    if (this.#state === 'complete' && bytes >= this.received) this.#letGo();
    else this.#pace(flight);
  }

  /** The tier below gave up: whoever reads goes on with what is here and there, and what comes, and nothing is stored. */
  #lost(): void {
    const flight = this.#flight;
    if (this.#mode !== 'spill' || flight === undefined) return;
    if (this.#state === 'streaming') this.stopRetaining();
    else {
      this.#mode = 'flow';
      this.#leaveBelow(flight);
      this.#trim(flight);
    }
  }

  /** Nothing more goes below, and what did is given up once nobody reads it. */
  #leaveBelow(flight: Flight): void {
    if (flight.readers.isAnyBefore(this.#droppedBytes)) {
      this.#remains = this.#below;
      flight.sink?.leave();
    } else flight.sink?.abort();
    flight.sink = undefined;
    this.#below = undefined;
  }

  /** Stops keeping bytes for the store: from now on only what readers still want is held. */
  stopRetaining(): void {
    const flight = this.#flight;
    if (this.#mode === 'flow' || flight === undefined) return;
    this.#mode = 'flow';
    this.#leaveBelow(flight);
    flight.tail = sealTail(this.chunks, flight.tail);
    if (flight.readers.count === 0) flight.source.abandoned();
    else this.#trim(flight);
  }

  /**
   * The last byte has arrived. Small bodies become one chunk, so that a hit is one write. Where Content-Length
   * promised another length the body has failed: a broken one never ends cleanly (RFC 9112 §8).
   */
  complete(joinUpToBytes: number): void {
    const flight = this.#flight;
    if (this.#state !== 'streaming' || flight === undefined) return;
    if (this.#expectedBytes !== undefined && this.#expectedBytes !== this.received) {
      this.fail();
      return;
    }
    this.#state = 'complete';
    flight.tail = sealTail(this.chunks, flight.tail);
    if (this.#mode === 'retain' && this.chunks.length > 1 && this.received <= joinUpToBytes) {
      this.chunks = [joined(this.chunks, this.received)];
      flight.readers.rebase();
    }
    this.#land(flight);
  }

  /** The rest will never come. `isCutOff`: and what is here is kept for nobody. */
  fail(isCutOff = false): void {
    const flight = this.#flight;
    if (this.#state !== 'streaming' || flight === undefined) return;
    this.#state = 'failed';
    flight.sink?.abort();
    flight.sink = undefined;
    this.#land(flight);
    if (isCutOff) this.#letGo();
  }

  /** A reader took bytes: in `flow` mode, lets go what nobody needs any more. */
  taken(reader: Reader, from: number): void {
    const flight = this.#flight;
    if (flight === undefined || this.#mode !== 'flow' || !flight.readers.has(reader)) return;
    const told = flight.readers.took(reader, from, this.#firstEnd(flight));
    if (told === 'all-past') this.#trim(flight);
    else if (told === 'some-left') this.#pace(flight);
  }

  /** No more bytes come. A body in `flow` mode is still held for its readers, one in `retain` mode needs none to be known. */
  #land(flight: Flight): void {
    // The source's closures would keep the whole exchange with the origin alive for as long as the body is stored.
    flight.source = NO_SOURCE;
    if (this.#mode === 'retain') {
      this.#flight = undefined;
      // A list that grew keeps places for more; this one is held for long.
      this.chunks = this.chunks.slice();
    }
    // It may be told at once that all is stored.
    flight.sink?.end();
    flight.readers.wake();
    if (this.#mode !== 'flow') return;
    if (flight.readers.count === 0) this.#letGo();
    else this.#trim(flight);
  }

  /** Nobody reads a body in `flow` mode any more, or the tier below has all of it. */
  #letGo(): void {
    this.#remains = undefined;
    this.#droppedBytes = this.received;
    this.chunks = [];
    this.#flight?.readers.lent?.dropped(this.#droppedBytes);
    this.#flight = undefined;
  }

  /** Position after the first kept chunk. */
  #firstEnd(flight: Flight): number {
    return this.#droppedBytes + (this.chunks[flight.emptyPlaces]?.length ?? 0);
  }

  /** Drops chunks that no reader needs, and cuts off readers that fell behind. */
  #trim(flight: Flight): void {
    const { readers, highWaterBytes } = flight;
    if (readers.count === 0) return;
    const droppedBefore = this.#droppedBytes;
    const floor = readers.keptFrom(droppedBefore, this.received, highWaterBytes);
    this.#droppedBytes = dropUpTo(flight, this.chunks, droppedBefore, floor);
    // What is dropped from here on is nowhere: who has not come so far would find a gap.
    if (this.#droppedBytes > droppedBefore) this.#remains = undefined;
    readers.cutOff(this.#remains === undefined ? this.#droppedBytes : 0, this.#firstEnd(flight));
    this.#pace(flight);
  }

  #pace(flight: Flight): void {
    if (this.#state !== 'streaming') return;
    pace(flight, this.received - (this.#mode === 'spill' ? this.#droppedBytes : flight.readers.fastest));
  }
}
