/**
 * Who asks the origin, where others could as well: workers of one machine, machines with a tier in common. The engine
 * takes a lease at one place (leasing.ts), before a fill or a refresh goes to the origin. Without leases it asks at once.
 */
import type { OriginFailure } from '../base/errors.js';
import type { Body } from '../object/body.js';
import type { Selection, StoredResponse } from '../object/stored.js';
import type { Writer } from '../store/contract.js';

export interface LeaseOrder {
  readonly key: string;
  /** Which variant of the key is asked for, as far as that is known before the answer is here. */
  readonly selection: Selection;
  /** `refresh`: nobody waits for it. */
  readonly kind: 'fill' | 'refresh';
  /** What is stored here for it. What lies below is of use only where it is newer than this. */
  readonly known: StoredResponse | undefined;
  /** What lies below turned out to be of no use: only the lease is wanted. */
  readonly isBlind: boolean;
}

export interface Leases {
  /** Never rejects, and takes a bounded time: who cannot be reached makes the answer `unavailable`. */
  take(order: LeaseOrder): Promise<LeaseAnswer>;
  /** It was asked for without a lease, and stored: others have something older. */
  announce(outcome: LeaseOutcome & { readonly kind: 'stored' | 'freshened' }): void;
}

export type LeaseAnswer =
  /** Ours: ask the origin, then release it. */
  | { readonly kind: 'held'; readonly lease: Lease }
  /**
   * Somebody else asks. `isNear`: by the same way to the same origin, so that to ask as well would only double it; where it
   * cannot go on, its lease is free at once.
   */
  | { readonly kind: 'elsewhere'; readonly isNear: boolean; wait(told: (notice: LeaseNotice) => void): Cancel }
  /** Somebody else asked already. All variants of the key that lie below and are newer than what is known. */
  | { readonly kind: 'found'; readonly found: readonly Found[] }
  /** Nobody can tell: go on alone. */
  | { readonly kind: 'unavailable' };

/** Stops waiting; nothing is told after it. */
export type Cancel = () => void;

/** Expires by itself where its holder dies; until it is released the holder's side keeps it alive. */
export interface Lease {
  /** What will be stored has begun to arrive; the body of `response` can be read as it comes. */
  opened(response: StoredResponse): void;
  /** Once. Resolves when it has been given back, or has lapsed; never rejects. */
  release(outcome: LeaseOutcome): Promise<void>;
}

/** Leases that the processes of one machine take from the same place. */
export interface LeasesBeyond extends Leases {
  /** Gives back what another of these processes, which is gone, may have held. Never rejects. */
  releaseOf(member: number, key: string, selection: Selection): Promise<void>;
}

export type LeaseOutcome =
  /** A new response, stored here. */
  | { readonly kind: 'stored'; readonly response: StoredResponse }
  /** A 304 was merged: another header record around the body that others may have. */
  | { readonly kind: 'freshened'; readonly response: StoredResponse }
  /** It may not be shared: who waits goes alone, at once. `markerKey`: under which the key is remembered so, if it is. */
  | { readonly kind: 'uncacheable'; readonly reason: string; readonly markerKey: string | undefined }
  /** The origin failed: who waits shares that, and its backoff. */
  | ({ readonly kind: 'failed' } & LeaseFailure)
  /** Nothing came of it: one of those who wait asks in its place. */
  | { readonly kind: 'left' };

export type LeaseFailure =
  | {
      readonly failure: 'unreachable';
      readonly code: OriginFailure;
      readonly message: string;
      readonly retryAfterMs: number | undefined;
    }
  | { readonly failure: 'error-status'; readonly status: number; readonly retryAfterMs: number | undefined };

/** What those who wait hear, once. */
export type LeaseNotice =
  /** It is over, or its time is: look again, here and below. */
  | { readonly kind: 'look' }
  /** It has begun to arrive there, and can be followed. */
  | { readonly kind: 'arriving'; readonly found: Found }
  | Extract<LeaseOutcome, { readonly kind: 'uncacheable' | 'failed' }>
  /** What comes will not be had from there: everybody asks for its own. */
  | { readonly kind: 'alone' };

/** A stored response that lies below. */
export interface Found {
  /** Its body is empty where `body` says how to get it. */
  readonly response: StoredResponse;
  /** Undefined: that of `response` is whole. */
  readonly body: FoundBody | undefined;
  /** `elsewhere`: another process of this machine has it, and writes it to the tiers below: here it is for memory alone. */
  readonly writer: Writer;
}

export interface FoundBody {
  /** Undefined: not known yet. */
  readonly bytes: number | undefined;
  /** Resolves once the beginning is here and checked; undefined where it cannot be had. Never rejects. */
  open(): Promise<FoundBytes | undefined>;
}

/** Nothing is told after abort(). */
export interface FoundBytes {
  /** Told before read(): what its bytes go into. */
  fills(body: Body): void;
  /** `data` any number of times, then one of `end` and `fail`. Only what was checked is told. */
  read(to: { data(chunk: Buffer): void; end(): void; fail(): void }): void;
  pause(): void;
  resume(): void;
  abort(): void;
}
