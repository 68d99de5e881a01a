/**
 * How a request that a fresh hit or a graced one could not answer comes to its answer: it joins a fill, leads one, or goes alone,
 * and goes on by how that ended. Each step is a function of its own; `#round` is the loop that drives them.
 */
import type { Timer } from '../base/clock.js';
import { MAX_COPIES_AT_ONCE, MAX_LOOKUPS_PER_REQUEST } from '../base/limits.js';
import type { Fields } from '../http/fields.js';
import type { StoredResponse } from '../object/stored.js';
import { isConditional } from '../policy/precondition.js';
import { type FailureKind, judgeReuse } from '../policy/reuse.js';
import { isBoundToRequest } from '../policy/storable.js';
import { isSelectedBy } from '../policy/vary.js';
import { Answering } from './answering.js';
import { coversRanges, hasReachedRanges } from './deliver.js';
import type { Fill } from './fill.js';
import type { Conditions, FillResult, Waiter } from './fill-contract.js';
import { markerKeyOf } from './fill-order.js';
import { collapseKeyOf } from './need.js';
import { refreshIfStale } from './refreshing.js';
import { type SynthError, sharedError, TOO_MANY_WAITERS, WAITED_TOO_LONG } from './synth.js';

export class Transaction extends Answering implements Waiter {
  #fill: Fill | undefined;
  #timer: Timer | undefined;
  #waitUntil: number | undefined;
  #lookups = 0;
  /** Of these, how many others were given what is not kept here since it last waited for the end of one. */
  #copiesOfOthers = 0;

  start(): void {
    this.sink.onGone(() => this.#leave());
    this.#round();
  }

  /** Chooses how to get an answer: from a failing origin's clock, by joining, leading, or alone. */
  #round(): void {
    if (++this.#lookups > MAX_LOOKUPS_PER_REQUEST) {
      this.#goAlone('client');
      return;
    }
    if (this.#heldBack()) return;
    const joined = this.#joinable();
    if (joined !== undefined) {
      this.#join(joined);
      return;
    }
    const mayCollapse = !this.directives.noStore && !this.engine.collapse.isFull && !this.#isMarked();
    if (mayCollapse) this.#lead();
    else this.#goAlone(this.need.stale === undefined ? 'client' : 'stored');
  }

  /**
   * A failing origin is asked by a clock, not by traffic (promise 4): while a key's retry is not due, stale content
   * is served where that is allowed. A key with nothing to serve gets an error only after several failures in a row.
   */
  #heldBack(): boolean {
    const { failures, clock, origin } = this.engine.parts;
    const failure = failures.pending(this.key);
    if (failure === undefined || failure.kind === 'declined') return false;
    const kind: FailureKind = origin.healthy && origin.reachable ? failure.kind : 'unreachable';
    if (this.serveStale(kind, 'stale-origin-backoff')) return true;
    // Credentials, or a page that is everyone's own, may fare better than the requests that failed.
    const isAnybodys = markerKeyOf(this.key, this.request) === this.key && !this.#isMarked();
    if (!failure.isPersistent || !isAnybodys || this.directives.noStore) return false;
    this.synth({
      status: failure.kind === 'unreachable' ? 504 : 503,
      reason: 'origin-backoff',
      sentence: 'The origin failed several times for this resource; it is asked again later.',
      retryAfterSec: (failure.retryAt - clock.now()) / 1000,
    });
    return true;
  }

  /** Remembered as uncacheable, for requests like this one. */
  #isMarked(): boolean {
    return this.engine.parts.markers.isMarked(markerKeyOf(this.key, this.request));
  }

  #joinable(): Fill | undefined {
    if (this.directives.noStore) return undefined;
    const { collapse } = this.engine;
    const collapseKey = collapseKeyOf(this.need, this.request, this.key);
    if (!collapse.isJoinable(collapseKey) && !collapse.isJoinable(this.key)) return undefined;
    const mayJoin = (fill: Fill): boolean => (fill.state === 'opened' && !fill.spec.isUnasked) || this.#mayFollow(fill);
    return collapse.find(collapseKey, this.request.fields, mayJoin) ?? this.#arrivingWhole();
  }

  /** What arrives already is like what is stored: usable as long as it is fresh, or stale by leave (RFC 9111 §4). */
  #mayFollow({ state, response }: Fill): boolean {
    // Of what is not kept the beginning may be gone.
    if (response === undefined || state !== 'streaming' || response.body.mode === 'flow') return false;
    return judgeReuse(response.life, this.directives, this.engine.parts.clock.now()).kind === 'serve';
  }

  /** For a HEAD, and for a range that has begun to come: the fill of the whole (design, section 3). */
  #arrivingWhole(): Fill | undefined {
    return this.engine.collapse.find(this.key, this.request.fields, (fill) => {
      return fill.response !== undefined && this.#mayFollow(fill) && hasReachedRanges(fill.response, this.request);
    });
  }

  #join(fill: Fill): void {
    this.collapsed = true;
    if (fill.response !== undefined) {
      const { response } = fill;
      const shared = { kind: 'shared', response, revalidated: false, stored: true } as const;
      this.#answer(fill, fill.isFound ? { kind: 'found', response } : shared);
      return;
    }
    if (fill.waiterCount >= this.engine.parts.live.limits.waitersPerFill) {
      this.#giveUp(TOO_MANY_WAITERS);
      return;
    }
    this.#fill = fill;
    fill.join(this);
    this.#timeOut(() => fill.leave(this));
  }

  /** The limit is the request's, however many fills it waits on one after another. */
  #timeOut(leave: () => void): void {
    const { clock, live } = this.engine.parts;
    this.#waitUntil ??= clock.steady() + live.limits.waitMs;
    this.#timer = clock.after(Math.max(0, this.#waitUntil - clock.steady()), () => {
      leave();
      this.#attempt(() => this.#giveUp(WAITED_TOO_LONG));
    });
  }

  /**
   * It has begun to come from another worker, for one client alone: this one has it sent from there as well, which asks nobody anything
   * that was not asked. Where many have it so already it waits until one is through, and never goes to the origin for that.
   */
  #waitForCopy(fill: Fill): void {
    this.#lookups--;
    if (++this.#copiesOfOthers <= MAX_COPIES_AT_ONCE || fill.state !== 'streaming') {
      this.#round();
      return;
    }
    this.#copiesOfOthers = 0;
    this.#timeOut(() => {});
    this.engine.collapse.whenEnded(fill, () => {
      this.#timer?.cancel();
      this.#attempt(() => this.#goOn());
    });
  }

  #lead(): void {
    const { stale, begun } = this.need;
    if (this.collapsed) this.collapsed = false;
    const isPlain = stale === undefined && begun === undefined;
    // The client's conditions would be answered to all who wait.
    const isRange = isPlain && this.request.method === 'GET' && this.request.fields.has('range');
    if (isRange && isConditional(this.request.fields)) {
      this.#goAlone('client');
      return;
    }
    const fill = this.engine.makeFill({
      key: this.key,
      collapseKey: collapseKeyOf(this.need, this.request, this.key),
      request: this.request,
      method: this.request.method === 'HEAD' && stale === undefined ? 'HEAD' : 'GET',
      basis: stale ?? begun,
      conditions: isRange ? 'client' : begun === undefined ? 'stored' : 'rest',
      askedFor: stale === undefined ? 'fill' : 'validate',
      leader: this,
    });
    this.#fill = fill;
    fill.start();
  }

  /** Uncollapsed: nobody waits on this exchange, and the client's own conditions and ranges may go along. */
  #goAlone(conditions: Conditions): void {
    if (this.collapsed) this.collapsed = false;
    const isHead = this.request.method === 'HEAD';
    const fill = this.engine.makeFill({
      key: this.key,
      collapseKey: undefined,
      request: this.request,
      method: isHead ? 'HEAD' : 'GET',
      basis: isHead ? undefined : this.need.stale,
      conditions: isHead ? 'client' : conditions,
      askedFor: 'uncacheable',
      leader: this,
    });
    this.#fill = fill;
    fill.start();
  }

  inform(status: number, fields: Fields): void {
    this.sink.inform(status, fields);
  }

  broke(error: unknown): void {
    this.#leave();
    this.sink.faulted(error);
  }

  #attempt(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.broke(error);
    }
  }

  settled(fill: Fill, result: FillResult): void {
    this.#timer?.cancel();
    this.#fill = undefined;
    if (!this.isDone) this.#answer(fill, result);
  }

  #answer(fill: Fill, result: FillResult): void {
    switch (result.kind) {
      case 'shared':
        this.#answerShared(fill, result);
        return;
      case 'alone':
        this.deliverAlone(fill, result);
        return;
      case 'found':
        this.#answerFound(fill, result.response);
        return;
      case 'turned-away':
        // Known to be uncacheable now: everyone goes at once, nobody queues behind anybody (PEERS scar 30).
        // Where it was the leader's own request that forbade it, the others may well share.
        if (this.lookAgain()) return;
        if (result.reason === 'not-kept') {
          this.#waitForCopy(fill);
          return;
        }
        if (isBoundToRequest(result.reason) || result.reason === 'superseded') this.#round();
        else this.#goAlone('client');
        return;
      case 'failed':
        this.#answerFailed(fill, result);
    }
  }

  #answerShared(fill: Fill, result: FillResult & { kind: 'shared' }): void {
    const { response } = result;
    const isAnothers = this.collapsed && !isSelectedBy(response.selection, this.request.fields);
    // RFC 9111 §3.3: what was refreshed for no client's sake may be a part.
    if (isAnothers || (this.collapsed && !coversRanges(response, this.request))) {
      if (!this.lookAgain()) this.#round();
      return;
    }
    this.deliverShared(fill, result);
  }

  /** It was stored all along, or lies in a tier below: by its phase, like any other. */
  #answerFound(fill: Fill, response: StoredResponse): void {
    const { collapse } = this.engine;
    const verdict = this.judge(response);
    const isSelected = !this.collapsed || isSelectedBy(response.selection, this.request.fields);
    if (isSelected && verdict.kind === 'serve' && coversRanges(response, this.request)) {
      this.deliverStored(response, verdict);
      if (!verdict.refresh || this.collapsed) return;
      if (fill.state !== 'streaming') refreshIfStale(this.engine, this.key, this.request);
      else void collapse.endOf(fill).then(() => refreshIfStale(this.engine, this.key, this.request));
    } else if (fill.state === 'streaming') {
      // What this client has to have validated must be whole first.
      void collapse.endOf(fill).then(() => this.#attempt(() => this.#goOn()));
    } else if (!this.lookAgain()) this.#round();
  }

  #goOn(): void {
    if (!this.isDone && !this.lookAgain()) this.#round();
  }

  #answerFailed(fill: Fill, result: FillResult & { kind: 'failed' }): void {
    const reason = result.failure === 'unreachable' ? result.error.code : 'origin-error-status';
    // A copy that was purged while the origin was asked is nobody's any more.
    const kind: FailureKind = this.engine.parts.origin.healthy ? result.failure : 'unreachable';
    if (!fill.fate.wasSuperseded && this.serveStale(kind, `stale-${reason}`)) return;
    if (result.failure === 'unreachable') {
      this.synth({
        status: result.error.status,
        reason,
        sentence: result.error.sentence,
        retryAfterSec: result.error.retryAfterSec,
      });
      return;
    }
    if (result.response !== undefined) {
      this.deliverError(fill, result.response, result.status, reason);
      return;
    }
    this.synth(sharedError(result.status, result.retryAfterSec));
  }

  /** Waiting is over: stale where that is allowed, else the error. */
  #giveUp(error: SynthError): void {
    const isPurged = this.#fill?.fate.wasSuperseded === true;
    this.#fill = undefined;
    if (isPurged || !this.serveStale('unreachable', `stale-${error.reason}`)) this.synth(error);
  }

  #leave(): void {
    this.isDone = true;
    this.#timer?.cancel();
    this.#fill?.leave(this);
    this.#fill = undefined;
  }
}
