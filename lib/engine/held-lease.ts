/**
 * The lease of a fill while it asks the origin: what comes of it is told to those who wait for it, once, and as soon as it is known. Who
 * asks without one announces what was stored.
 */
import type { OriginError } from '../base/errors.js';
import type { StoredResponse } from '../object/stored.js';
import { chooseVariant } from '../policy/vary.js';
import type { Ending, FillSpec } from './fill-contract.js';
import type { Lease, LeaseOutcome, Leases } from './leases-contract.js';
import type { EngineParts } from './parts.js';

/** How an answer of the origin may end that nobody else can make anything of: the next one may fare better. */
const OF_ONE_ANSWER: ReadonlySet<string> = new Set([
  'superseded',
  'no-room',
  'partial',
  'client-left',
  'client-slow',
  'not-wanted',
]);

export class HeldLease {
  readonly #parts: Pick<EngineParts, 'clock' | 'failures' | 'markers'>;
  readonly #leases: Pick<Leases, 'announce'>;
  readonly #spec: Pick<FillSpec, 'key' | 'markerKey'>;
  #lease: Lease | undefined;
  #hasHeld = false;

  constructor(
    parts: Pick<EngineParts, 'clock' | 'failures' | 'markers'>,
    leases: Pick<Leases, 'announce'>,
    spec: Pick<FillSpec, 'key' | 'markerKey'>,
  ) {
    this.#parts = parts;
    this.#leases = leases;
    this.#spec = spec;
  }

  took(lease: Lease): void {
    this.#lease = lease;
    this.#hasHeld = true;
  }

  /** Whether there was one, and how it ended is told. */
  get isReleased(): boolean {
    return this.#lease === undefined && this.#hasHeld;
  }

  /** The body of what will be stored has begun to arrive. */
  opened(response: StoredResponse): void {
    this.#lease?.opened(response);
  }

  /** The answer is for one alone; its body may be long in coming, and nobody need wait for its end. */
  uncacheable(reason: string): void {
    const { markerKey } = this.#spec;
    const isMarked = this.#parts.markers.isMarked(markerKey);
    if (OF_ONE_ANSWER.has(reason)) this.#release({ kind: 'left' });
    else this.#release({ kind: 'uncacheable', reason, markerKey: isMarked ? markerKey : undefined });
  }

  failed(error: OriginError | number): void {
    // This process ends, or could not send what it was to send: that is no word of the origin's.
    if (typeof error !== 'number' && error.code === 'origin-aborted') {
      this.#release({ kind: 'left' });
      return;
    }
    const { failures, clock } = this.#parts;
    const retryAt = failures.pending(this.#spec.key)?.retryAt;
    const retryAfterMs = retryAt === undefined ? undefined : Math.max(0, retryAt - clock.now());
    this.#release(
      typeof error === 'number'
        ? { kind: 'failed', failure: 'error-status', status: error, retryAfterMs }
        : { kind: 'failed', failure: 'unreachable', code: error.code, message: error.sentence, retryAfterMs },
    );
  }

  /** The fill is over, `requestedAt` being when it asked, and `stored` what is stored now. */
  ended(stored: StoredResponse | undefined, { end, reason }: Ending, requestedAt: number): void {
    const outcome = keptOutcome(stored, end, requestedAt);
    if (outcome !== undefined) {
      if (this.#hasHeld) this.#release(outcome);
      else this.#leases.announce(outcome);
    } else if (end === 'uncacheable') this.uncacheable(reason);
    else this.#release({ kind: 'left' });
  }

  #release(outcome: LeaseOutcome): void {
    const lease = this.#lease;
    this.#lease = undefined;
    void lease?.release(outcome);
  }
}

/** What is told to others of what was asked for at `requestedAt`, where that is what is `stored` now. */
function keptOutcome(
  stored: StoredResponse | undefined,
  end: Ending['end'],
  requestedAt: number,
): (LeaseOutcome & { readonly kind: 'stored' | 'freshened' }) | undefined {
  const isOurs = stored?.requestedAt === requestedAt && stored.body.state === 'complete';
  const kind = end === 'stored' ? end : end === 'not-modified' ? 'freshened' : undefined;
  return stored === undefined || !isOurs || kind === undefined ? undefined : { kind, response: stored };
}

/** Tells others of what a fill has stored that took no lease, since its answer was for one client alone to ask for. */
export function announceUnleased(
  { leases, store }: EngineParts,
  spec: FillSpec,
  { end }: Ending,
  requestedAt: number,
): void {
  if (leases === undefined) return;
  const outcome = keptOutcome(chooseVariant(store.peek(spec.key) ?? [], spec.request.fields), end, requestedAt);
  // Of a part others can make nothing.
  if (outcome !== undefined && outcome.response.partial === undefined) leases.announce(outcome);
}
