/** Who is around a body: where its bytes come from, where they go, and what it needs to know while they come. */
import { NO_BYTES, type Tail } from './chunks.js';
import type { BodyBelow } from './reader.js';
import { Readers } from './readers.js';

export type BodyState = 'streaming' | 'complete' | 'failed';

export interface BodyOptions {
  /** What Content-Length promised, where it did. */
  readonly expectedBytes?: number | undefined;
  readonly mode: 'retain' | 'flow';
  /** In `flow` mode: unread bytes above which the source is asked to pause. */
  readonly highWaterBytes: number;
}

/** Of a body that needs nothing of what one needs that still arrives. */
export const ARRIVED: BodyOptions = { mode: 'retain', highWaterBytes: Number.POSITIVE_INFINITY };

/** Notices to the one who fills the body. */
export interface BodySource {
  /** They are behind, or a tier below is. */
  pause(readers: Readers): void;
  resume(): void;
  /** No reader is left on a body in `flow` mode: nobody wants the rest. */
  abandoned(): void;
}

/** A tier below that takes a body in while it arrives. */
export interface BodySink {
  /** Where what was taken in is read again. */
  readonly below: BodyBelow;
  /** Takes bytes. Calls back, later, as those up to a position can be read below, or once it cannot go on. */
  write(chunk: Buffer): void;
  /** That was the last byte. */
  end(): void;
  /** Somebody needs what was taken in, and has read none of it below yet. */
  needed(): void;
  /** The body is not wanted any more. */
  abort(): void;
  /** It is not to be stored any more; who reads it still wants what was taken in. In place of abort(). */
  leave(): void;
  /** Who is told. */
  listener: BodySinkListener | undefined;
}

export interface BodySinkListener {
  /** All bytes before this position can be read below. */
  stored(bytes: number): void;
  /** No more can be stored: abort() or leave() is to follow. */
  lost(): void;
}

/** Dropped chunks that may stay in front of the kept ones, as empty places, before the list is cut. */
const MAX_EMPTY_PLACES = 64;

export const NO_SOURCE: BodySource = { pause() {}, resume() {}, abandoned() {} };

/** What a body needs only until its last byte is here and read: a stored body does not pay for it. */
export interface Flight {
  highWaterBytes: number;
  readonly readers: Readers;
  source: BodySource;
  /** In `spill` mode, until all is there. */
  sink: BodySink | undefined;
  /** The last chunk, while small ones are gathered in it. */
  tail: Tail | undefined;
  isPaused: boolean;
  /** Chunks dropped in all, and empty places in front of the list. */
  droppedChunks: number;
  emptyPlaces: number;
}

export function newFlight(highWaterBytes: number): Flight {
  return {
    highWaterBytes,
    readers: new Readers(),
    source: NO_SOURCE,
    sink: undefined,
    tail: undefined,
    isPaused: false,
    droppedChunks: 0,
    emptyPlaces: 0,
  };
}

/** Has the source wait, or go on, by how much of what it gave is unread. */
export function pace(flight: Flight, unreadBytes: number): void {
  if (!flight.isPaused && unreadBytes > flight.highWaterBytes) {
    flight.isPaused = true;
    flight.source.pause(flight.readers);
  } else if (flight.isPaused && unreadBytes <= flight.highWaterBytes / 2) {
    flight.isPaused = false;
    flight.source.resume();
  }
}

/** Drops the chunks that end at or before `floor`. `droppedBytes`: of the body, so far; returns how many these are then. */
export function dropUpTo(flight: Flight, chunks: Buffer[], droppedBytes: number, floor: number): number {
  let dropped = droppedBytes;
  for (;;) {
    const first = chunks[flight.emptyPlaces];
    if (first === undefined || dropped + first.length > floor) break;
    chunks[flight.emptyPlaces++] = NO_BYTES;
    flight.droppedChunks++;
    dropped += first.length;
  }
  flight.readers.lent?.dropped(dropped);
  // Cutting the list moves all that is kept, so it waits until that is the smaller part.
  if (flight.emptyPlaces >= MAX_EMPTY_PLACES && flight.emptyPlaces * 2 >= chunks.length) {
    chunks.splice(0, flight.emptyPlaces);
    flight.emptyPlaces = 0;
  }
  return dropped;
}
