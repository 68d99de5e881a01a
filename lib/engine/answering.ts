/**
 * One request that the store could not answer at once, and the ways in which it is answered in the end: from what is stored, with
 * what the origin gave, or with an error. By which of them is the choice of a Transaction.
 */
import type { CacheStatusEntry } from '../http/cache-status.js';
import type { StoredResponse } from '../object/stored.js';
import type { Outcome } from '../observe/events.js';
import type { RequestDirectives } from '../policy/request-directives.js';
import { type FailureKind, judgeReuse, mayServeOnFailure, type ReuseVerdict } from '../policy/reuse.js';
import type { ClientRequest, ReplySink } from './contract.js';
import { coversRanges } from './deliver.js';
import type { Engine } from './engine.js';
import type { Fill } from './fill.js';
import type { FillResult } from './fill-contract.js';
import type { Need } from './need.js';
import type { SynthError } from './synth.js';
import { ttlSecAt } from './told.js';

export abstract class Answering {
  readonly request: ClientRequest;
  protected readonly engine: Engine;
  protected readonly sink: ReplySink;
  protected readonly key: string;
  protected readonly directives: RequestDirectives;
  protected need: Need;
  /** Another's exchange is to answer it; false: one did not, and it asks by itself after all (RFC 9211 §2.6). */
  protected collapsed: boolean | undefined;
  /** It is answered, or its client has left. */
  protected isDone = false;

  constructor(
    engine: Engine,
    request: ClientRequest,
    sink: ReplySink,
    key: string,
    directives: RequestDirectives,
    need: Need,
  ) {
    this.engine = engine;
    this.request = request;
    this.sink = sink;
    this.key = key;
    this.directives = directives;
    this.need = need;
  }

  /** With what is stored by now, where that may be used. Returns whether it was; if not, it is what is needed from here on. */
  protected lookAgain(): boolean {
    const found = this.engine.select(this.key, this.request);
    this.need = { ...this.need, stale: found?.partial === undefined ? found : undefined, begun: undefined };
    if (found === undefined || !coversRanges(found, this.request)) return false;
    const verdict = this.judge(found);
    if (verdict.kind !== 'serve') return false;
    this.deliverStored(found, verdict);
    return true;
  }

  protected judge(stored: StoredResponse): ReuseVerdict {
    const { clock, origin } = this.engine.parts;
    return judgeReuse(stored.life, this.directives, clock.now(), !origin.healthy);
  }

  protected deliverStored(stored: StoredResponse, verdict: ReuseVerdict & { kind: 'serve' }): void {
    const { clock, store } = this.engine.parts;
    store.touch(stored);
    this.#deliverHit(stored, verdict.phase === 'fresh' ? 'HIT' : 'STALE', verdict.reason, clock.now());
  }

  /** Serves what is stored although the origin could not confirm it, where that is allowed (RFC 9111 §4.2.4). */
  protected serveStale(failure: FailureKind, reason: string): boolean {
    const { clock, store } = this.engine.parts;
    const now = clock.now();
    const stale = this.#newestStale();
    if (stale === undefined || !mayServeOnFailure(stale.life, failure, this.directives, now)) return false;
    store.touch(stale);
    this.#deliverHit(stale, 'STALE', reason, now);
    return true;
  }

  /** What another exchange stored meanwhile is newer than what this request found when it came. */
  #newestStale(): StoredResponse | undefined {
    const { stale } = this.need;
    const current = stale === undefined ? undefined : this.engine.select(this.key, this.request);
    return current === undefined || current.partial !== undefined ? stale : current;
  }

  #deliverHit(stored: StoredResponse, outcome: Outcome, detail: string, now: number): void {
    this.#deliver(stored, outcome, { kind: 'hit', ttlSec: ttlSecAt(stored.life, now), detail }, true, undefined, now);
  }

  /** With what a fill got for all who asked for it. */
  protected deliverShared(fill: Fill, { response, revalidated, stored }: FillResult & { kind: 'shared' }): void {
    const now = this.engine.parts.clock.now();
    this.#deliver(
      response,
      this.#outcomeOf(revalidated),
      {
        kind: 'fwd',
        fwd: this.need.fwd,
        fwdStatus: revalidated ? 304 : (fill.course.status ?? response.status),
        ttlSec: ttlSecAt(response.life, now),
        stored,
        collapsed: this.collapsed,
        detail: revalidated ? 'revalidated' : this.need.reason,
      },
      this.collapsed === true || revalidated,
      fill,
      now,
    );
  }

  /** With what it got for this request alone. */
  protected deliverAlone(fill: Fill, { response, revalidated, reason }: FillResult & { kind: 'alone' }): void {
    const status = this.#unstored(revalidated ? 304 : response.status, reason);
    this.#deliver(response, this.#outcomeOf(revalidated), status, false, fill);
  }

  /** With the error answer of the origin. */
  protected deliverError(fill: Fill, response: StoredResponse, status: number, reason: string): void {
    this.#deliver(response, 'ERROR', this.#unstored(status, reason), false, fill);
  }

  #outcomeOf(revalidated: boolean): Outcome {
    if (revalidated) return 'REVALIDATED';
    return this.need.stale === undefined ? 'MISS' : 'EXPIRED';
  }

  /** What went to the origin and is not stored. */
  #unstored(fwdStatus: number, detail: string): CacheStatusEntry {
    return { kind: 'fwd', fwd: this.need.fwd, fwdStatus, collapsed: this.collapsed, detail };
  }

  /** `fill`: whose body it is, where that may still arrive. */
  #deliver(
    stored: StoredResponse,
    outcome: Outcome,
    status: CacheStatusEntry,
    fromStore: boolean,
    fill: Fill | undefined,
    now = this.engine.parts.clock.now(),
  ): void {
    this.isDone = true;
    const collapsed = this.collapsed !== undefined;
    const delivery = { outcome, status, rule: stored.rule, collapsed, fromStore, trailers: fill };
    this.engine.reply(this.request, this.sink, stored, delivery, now);
  }

  protected synth(spec: SynthError): void {
    this.isDone = true;
    const rule = this.engine.parts.live.rules.ruleFor(this.request).name;
    this.engine.synth(this.request, this.sink, { ...spec, rule, collapsed: this.collapsed !== undefined });
  }
}
