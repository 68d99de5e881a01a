/**
 * The circuit breaker: after some failures in a row to reach the origin it is asked by the clock alone, with one
 * request at a time, until it answers again. An error status is an answer: the origin was reached.
 *
 * While closed, requests pass. While open, they fail at once. Once that time is over, the next request is the probe
 * (half-open); where none comes, a HEAD of our own is, so that an idle proxy finds out too. A bare connect would not
 * do: an origin that hangs accepts connections as well.
 */
import type { Clock, Timer } from '../base/clock.js';
import { OriginError, type OriginFailure } from '../base/errors.js';
import {
  BREAKER_FAILURES,
  BREAKER_IDLE_PROBE_MS,
  BREAKER_JITTER,
  BREAKER_OPEN_FIRST_MS,
  BREAKER_OPEN_MAX_MS,
} from '../base/limits.js';
import type { ReadBuffer } from '../base/read-buffer.js';
import { Fields } from '../http/fields.js';
import type { Events } from '../observe/events.js';
import type { OriginClient, OriginExchange, OriginListener, OriginRequest, OriginResponseHead } from './contract.js';

/** Failures to reach the origin. The others are either answers, however broken, or our own doing. */
const UNREACHED: ReadonlySet<OriginFailure> = new Set([
  'origin-unresolvable',
  'origin-refused',
  'origin-tls',
  'origin-connect-timeout',
  'origin-headers-timeout',
]);

/**
 * Failures that say nothing of whether the origin can be reached. A reset is one of them: somebody took the connection,
 * and that one resource makes it drop connections is no reason to stop asking for all others.
 */
const NEUTRAL: ReadonlySet<OriginFailure> = new Set([
  'origin-reset',
  'origin-breaker-open',
  'origin-queue-full',
  'origin-aborted',
]);

type Closed = { readonly kind: 'closed'; failureCount: number };
type Open = { readonly kind: 'open'; readonly until: number; readonly openings: number };
type HalfOpen = { readonly kind: 'half-open'; readonly openings: number; isProbing: boolean };
export type BreakerState = Closed | Open | HalfOpen;

/** A request may go. It belongs to the state that let it: a result that comes after the state has changed is late, and ignored. */
export interface Permit {
  readonly kind: 'permit';
  readonly state: BreakerState;
}

export interface Refusal {
  readonly kind: 'refusal';
  readonly retryAfterMs: number;
}

export interface BreakerOptions {
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly changed: (state: BreakerState, reason: string, error?: string) => void;
}

export class Breaker {
  readonly #options: BreakerOptions;
  #state: BreakerState = { kind: 'closed', failureCount: 0 };
  /** What all requests get that one closed state lets through. */
  #permit: Permit = { kind: 'permit', state: this.#state };

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Whether admit() would give a permit now. */
  get isPassable(): boolean {
    const state = this.#state;
    if (state.kind === 'open') return this.#options.clock.now() >= state.until;
    return state.kind === 'closed' || !state.isProbing;
  }

  admit(): Permit | Refusal {
    const state = this.#state;
    if (state.kind === 'closed') return this.#permit;
    if (state.kind === 'open') {
      const leftMs = state.until - this.#options.clock.now();
      if (leftMs > 0) return { kind: 'refusal', retryAfterMs: leftMs };
      return this.#beginProbe(this.#become({ kind: 'half-open', openings: state.openings, isProbing: false }, 'probe'));
    }
    if (state.isProbing) return { kind: 'refusal', retryAfterMs: BREAKER_OPEN_FIRST_MS };
    return this.#beginProbe(state);
  }

  /** A permit for a probe before the time, where none is running. */
  admitProbe(): Permit | undefined {
    const state = this.#state;
    if (state.kind === 'open') {
      return this.#beginProbe(this.#become({ kind: 'half-open', openings: state.openings, isProbing: false }, 'probe'));
    }
    return state.kind === 'half-open' && !state.isProbing ? this.#beginProbe(state) : undefined;
  }

  #beginProbe(state: HalfOpen): Permit {
    state.isProbing = true;
    return { kind: 'permit', state };
  }

  reached(permit: Permit): void {
    const state = this.#state;
    if (permit.state !== state) return;
    if (state.kind === 'closed') state.failureCount = 0;
    else if (state.kind === 'half-open') this.#become({ kind: 'closed', failureCount: 0 }, 'reached');
  }

  /** `error`: what there is to say of it beyond the reason. */
  failed(permit: Permit, reason: OriginFailure, error?: string): void {
    const state = this.#state;
    if (permit.state !== state) return;
    if (state.kind === 'half-open') this.#open(state.openings + 1, reason, error);
    else if (state.kind === 'closed') {
      state.failureCount++;
      if (state.failureCount >= BREAKER_FAILURES) this.#open(1, reason, error);
    }
  }

  /** The request ended without telling anything about the origin. */
  released(permit: Permit): void {
    const state = this.#state;
    if (permit.state === state && state.kind === 'half-open') state.isProbing = false;
  }

  #open(openings: number, reason: string, error: string | undefined): void {
    const ms = Math.min(BREAKER_OPEN_FIRST_MS * 2 ** (openings - 1), BREAKER_OPEN_MAX_MS);
    const jitter = 1 + BREAKER_JITTER * (2 * this.#options.random() - 1);
    this.#become({ kind: 'open', until: this.#options.clock.now() + ms * jitter, openings }, reason, error);
  }

  #become<S extends BreakerState>(next: S, reason: string, error?: string): S {
    this.#state = next;
    if (next.kind === 'closed') this.#permit = { kind: 'permit', state: next };
    this.#options.changed(next, reason, error);
    return next;
  }
}

export interface GuardOptions {
  readonly clock: Clock;
  readonly events: Events;
  readonly random: () => number;
}

export interface GuardedOrigin extends OriginClient {
  /** Asks the origin for a sign of life now, unless that is being done. Resolves with whether the breaker is closed after it. */
  probe(): Promise<boolean>;
}

/** What the probe asks: HEAD of the root, with the Host of the origin's URL. */
const PROBE: OriginRequest = { method: 'HEAD', target: '/', fields: Fields.of({ 'User-Agent': 'patina-probe' }) };

class Guard implements GuardedOrigin {
  readonly #client: OriginClient;
  readonly #options: GuardOptions;
  readonly #breaker: Breaker;
  #probeTimer: Timer | undefined;

  constructor(client: OriginClient, options: GuardOptions) {
    this.#client = client;
    this.#options = options;
    this.#breaker = new Breaker({ ...options, changed: (...change) => this.#changed(...change) });
  }

  get healthy(): boolean {
    return this.#breaker.state.kind === 'closed';
  }

  get reachable(): boolean {
    return this.#breaker.isPassable;
  }

  get stats(): OriginClient['stats'] {
    return this.#client.stats;
  }

  fetch(request: OriginRequest, listener: OriginListener): OriginExchange {
    const verdict = this.#breaker.admit();
    if (verdict.kind === 'refusal') return refuse(listener, verdict.retryAfterMs);
    return this.#send(request, listener, verdict);
  }

  #send(request: OriginRequest, listener: OriginListener, permit: Permit): OriginExchange {
    // Two calls, of which V8 makes each a part of this: one of either class would be a call by way of the stack.
    const watch =
      listener.whole === undefined
        ? new Watch(listener, this.#breaker, permit, this.#released)
        : new WholeWatch(listener, this.#breaker, permit, this.#released);
    watch.exchange = this.#client.fetch(request, watch);
    return watch;
  }

  readonly #released = (): void => this.#scheduleProbe(BREAKER_IDLE_PROBE_MS);

  #changed(state: BreakerState, reason: string, error?: string): void {
    this.#probeTimer?.cancel();
    this.#probeTimer = undefined;
    if (state.kind === 'open') this.#scheduleProbe(state.until - this.#options.clock.now() + BREAKER_IDLE_PROBE_MS);
    this.#options.events.breaker(state.kind, reason, error);
  }

  #scheduleProbe(afterMs: number): void {
    if (this.#breaker.state.kind === 'closed') return;
    this.#probeTimer?.cancel();
    this.#probeTimer = this.#options.clock.after(afterMs, () => void this.probe());
  }

  probe(): Promise<boolean> {
    const permit = this.#breaker.admitProbe();
    if (permit === undefined) return Promise.resolve(this.#breaker.state.kind === 'closed');
    return new Promise((resolve) => {
      const settle = (): void => resolve(this.#breaker.state.kind === 'closed');
      this.#send(PROBE, { inform() {}, head() {}, data() {}, end: settle, fail: settle }, permit);
    });
  }

  close(graceMs?: number): Promise<void> {
    this.#probeTimer?.cancel();
    return this.#client.close(graceMs);
  }
}

/** Tells the breaker, once, what an exchange showed of the origin. */
class Watch implements OriginListener, OriginExchange {
  /** What is watched; nothing is told from within fetch(), so it is there before anything is. */
  exchange: OriginExchange | undefined;
  protected readonly listener: OriginListener;
  readonly #breaker: Breaker;
  readonly #permit: Permit;
  readonly #released: () => void;
  #isTold = false;

  constructor(listener: OriginListener, breaker: Breaker, permit: Permit, released: () => void) {
    this.listener = listener;
    this.#breaker = breaker;
    this.#permit = permit;
    this.#released = released;
  }

  protected tell(failure?: OriginFailure, error?: string): void {
    if (this.#isTold) return;
    this.#isTold = true;
    if (failure === undefined) this.#breaker.reached(this.#permit);
    else if (UNREACHED.has(failure)) this.#breaker.failed(this.#permit, failure, error);
    else if (failure === 'origin-reset' && this.#permit.state.kind === 'half-open') {
      // A probe, though, is to bring an answer.
      this.#breaker.failed(this.#permit, failure, error);
    } else if (NEUTRAL.has(failure)) {
      this.#breaker.released(this.#permit);
      this.#released();
    } else this.#breaker.reached(this.#permit);
  }

  get isAwaited(): boolean {
    return this.exchange?.isAwaited === true;
  }

  pause(): void {
    this.exchange?.pause();
  }

  resume(): void {
    this.exchange?.resume();
  }

  abort(): void {
    this.tell('origin-aborted');
    this.exchange?.abort();
  }

  inform(status: number, fields: Fields): void {
    this.tell();
    this.listener.inform(status, fields);
  }

  head(head: OriginResponseHead): void {
    this.tell();
    this.listener.head(head);
  }

  data(chunk: Buffer, buffer?: ReadBuffer): void {
    this.listener.data(chunk, buffer);
  }

  end(trailers: Fields): void {
    this.listener.end(trailers);
  }

  fail(error: OriginError): void {
    this.tell(error.code, error.message);
    this.listener.fail(error);
  }
}

/** The same of a listener that takes whole answers. */
class WholeWatch extends Watch {
  whole(head: OriginResponseHead, content: Buffer): void {
    this.tell();
    this.listener.whole?.(head, content);
  }
}

function refuse(listener: OriginListener, retryAfterMs: number): OriginExchange {
  let isAborted = false;
  const retryAfterSec = Math.max(1, Math.ceil(retryAfterMs / 1000));
  queueMicrotask(() => {
    if (isAborted) return;
    const message = `the origin could not be reached lately; it is asked again in ${retryAfterSec} s`;
    listener.fail(new OriginError('origin-breaker-open', message, { retryAfterSec }));
  });
  return {
    isAwaited: false,
    pause() {},
    resume() {},
    abort() {
      isAborted = true;
    },
  };
}

/** The same client behind a circuit breaker. */
export function guardOrigin(client: OriginClient, options: GuardOptions): GuardedOrigin {
  return new Guard(client, options);
}
