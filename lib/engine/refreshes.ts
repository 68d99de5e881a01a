/**
 * What the engine puts into the refresh queue (issue 5, SYSTEMS row 3), and how each of it is asked for when its turn
 * comes: by what is stored and by the rules that hold then, not by those of the moment when it was put in.
 */
import { REFRESH_RECHECK_MS } from '../base/refresh-limits.js';
import { Fields } from '../http/fields.js';
import type { Selection, StoredResponse } from '../object/stored.js';
import { requestKey } from '../policy/key.js';
import { backoffMs } from '../store/failures.js';
import { AheadRules } from './ahead.js';
import { anybodysRequest, isColdFailure } from './cold-retry.js';
import type { ClientRequest } from './contract.js';
import type { Engine } from './engine.js';
import type { Fill } from './fill.js';
import type { FillEnd } from './fill-contract.js';
import { markerKeyOf } from './fill-order.js';
import { requestOfKey, requestOfUrl } from './own-request.js';
import { currentAmong, currentOf, type StoredPlace } from './reach.js';
import type { Begun, Enqueued, QueueStats, RefreshEnd, RefreshJob } from './refresh-contract.js';
import { RefreshQueue } from './refresh-queue.js';

export type { Enqueued, RefreshEnd } from './refresh-contract.js';

/** What a request costs in memory beside its fields and its key. */
const JOB_OVERHEAD_BYTES = 600;

/** What is to be had warm. */
export interface WarmOrder {
  /** An absolute URL, or where a response is stored. */
  readonly what: string | StoredPlace;
  /** What the request for a URL has beside its Host; default: nothing. */
  readonly fields?: Fields;
  /** The URL of a place whose key leaves out a part of it. */
  readonly url?: string;
  /**
   * `fill`: asked for where nothing fresh is stored. `validate`: what is stored is asked about although it is fresh, since
   * something newer is known of.
   */
  readonly how: 'fill' | 'validate';
  /** Of what is warmed up the hottest goes first; default 0. */
  readonly heat?: number;
}

/** `ahead`: although it is fresh, unless that is being done. */
type How = WarmOrder['how'] | 'ahead';

export class Refreshes {
  readonly #engine: Engine;
  readonly #queue: RefreshQueue;

  constructor(engine: Engine) {
    this.#engine = engine;
    const { clock, events, origin, pace, live } = engine.parts;
    this.#queue = new RefreshQueue({ clock, events, origin, pace, budget: live.refresh });
    this.#watchDemand();
  }

  /** Where a rule refreshes ahead, the store tells what is popular and about to expire. */
  #watchDemand(): void {
    const { live, store } = this.#engine.parts;
    const ahead = new AheadRules(live.rules);
    store.watchDemand(ahead.watch((stored, hits) => this.#refreshAhead(ahead, stored, hits)));
  }

  #refreshAhead(ahead: AheadRules, { key, selection }: StoredResponse, hits: number): void {
    const { parts } = this.#engine;
    const request = requestOfKey(key, parts.live.rules, parts.clock.now(), selection);
    if (request === undefined) return;
    this.#enqueue('ahead', idOf({ key, selection }), hits, request, (ended) => {
      const current = currentOf(parts.store, { key, selection });
      const plan = current === undefined ? undefined : ahead.planFor(current);
      // Somebody else has freshened it meanwhile.
      if (plan === undefined || plan.at > parts.clock.now()) return 'needless';
      return this.#refresh({ key, selection }, request, 'ahead', ended);
    });
  }

  get stats(): QueueStats {
    return this.#queue.stats;
  }

  /** A stale response was served that somebody is to refresh. */
  touched(stored: StoredResponse, request: ClientRequest): void {
    const { key, selection } = stored;
    this.#enqueue('stale', idOf(stored), this.#engine.parts.store.usage(stored)?.hits ?? 0, request, (ended) =>
      this.#refresh({ key, selection }, request, 'fill', ended),
    );
  }

  /** Whether a refresh of what was served stale waits for its turn already, or is under way. */
  isAwaited(stored: StoredResponse): boolean {
    return this.#queue.hasInTurn(idOf(stored), 'stale');
  }

  /** The end of any fill: where it failed at what nobody has, it is tried again, so that the next visitor finds it warm. */
  noteEnd(fill: Fill, end: FillEnd, retryAfterSec: number | undefined): void {
    if (!isColdFailure(fill, end)) return;
    const { parts } = this.#engine;
    const { key } = fill.spec;
    const request = anybodysRequest(fill.spec.request, key, parts.live.rules);
    if (request === undefined || this.#engine.select(key, request) !== undefined) return;
    const retryAt = this.#retryAt(key, 1, (retryAfterSec ?? 0) * 1000);
    this.#enqueue('cold', key, 0, request, (ended) => this.#fillAnew(key, request, ended), retryAt);
  }

  /**
   * Has something fetched or validated when nothing more urgent is to do. `told` hears of the end, once: at once where
   * the answer is `full` or `over`, later elsewhere. What is known under several URLs or to several wishes is asked for once.
   */
  warm(order: WarmOrder, told: (end: RefreshEnd) => void): Enqueued {
    const asked = this.#askedBy(order);
    if (asked === undefined) {
      told('needless');
      return 'over';
    }
    const { id, key, request } = asked;
    const { what, how, heat = 0 } = order;
    const selection = typeof what === 'string' ? undefined : what.selection;
    const begin = (ended: (end: FillEnd) => void): Begun => this.#warmNow(key, selection, request, how, ended);
    return this.#enqueue('warm', id, heat, request, begin, 0, told);
  }

  /** Takes out what was to be warmed up and has not begun. */
  cancelWarm(order: Omit<WarmOrder, 'how'>): void {
    const asked = this.#askedBy(order);
    if (asked !== undefined) this.#queue.drop(asked.id, 'withdrawn', 'warm');
  }

  /** What an order to warm something up asks for; undefined where it does not tell. */
  #askedBy({ what, fields = Fields.empty, url }: Omit<WarmOrder, 'how'>) {
    const { clock, live } = this.#engine.parts;
    const { rules } = live;
    if (typeof what !== 'string') {
      const request = requestOfKey(what.key, rules, clock.now(), what.selection, url);
      return request === undefined ? undefined : { id: idOf(what), key: what.key, request };
    }
    const request = requestOfUrl(what, fields, rules, clock.now());
    if (request === undefined) return undefined;
    const key = requestKey(request, rules.ruleFor(request.received ?? request));
    return { id: key, key, request };
  }

  /** A client that waits asks for it itself. */
  overtaken(key: string): void {
    this.#queue.drop(key, 'overtaken', 'cold');
  }

  /** What failed under a key is nobody's wish any more: it was purged, or pushed. */
  forget(key: string): void {
    this.#queue.drop(key, 'purged', 'cold');
  }

  forgetUnder(prefix: string): void {
    this.#queue.dropUnder(prefix, 'cold');
  }

  reconfigure(): void {
    this.#queue.reconfigure(this.#engine.parts.live.refresh);
    this.#watchDemand();
  }

  close(): void {
    this.#queue.close();
  }

  #enqueue(
    priority: RefreshJob['priority'],
    id: string,
    heat: number,
    request: ClientRequest,
    begin: RefreshJob['begin'],
    notBefore = 0,
    told?: (end: RefreshEnd) => void,
  ): Enqueued {
    const between = id.indexOf('\n');
    const key = between < 0 ? id : id.slice(0, between);
    const contentBytes = request.content?.bytes.length ?? 0;
    const bytes = JOB_OVERHEAD_BYTES + id.length + request.target.length + request.fields.bytes + contentBytes;
    const job = { id, priority, heat, bytes, notBefore, begin, retryAt: (n: number) => this.#retryAt(key, n, 0) };
    return this.#queue.enqueue(job, told);
  }

  /** By the clock of the key, where its failure counts for all, else by one of its own. */
  #retryAt(key: string, tries: number, retryAfterMs: number): number {
    const { clock, failures, random } = this.#engine.parts;
    return Math.max(failures.pending(key)?.retryAt ?? 0, clock.now() + backoffMs(tries, retryAfterMs, random));
  }

  /** Nothing is asked of a key whose time has not come, whoever failed at it. */
  #heldUntil(key: string): Begun | undefined {
    const { clock, failures } = this.#engine.parts;
    const pending = failures.pending(key);
    if (pending !== undefined) return { later: pending.retryAt };
    return this.#engine.collapse.isFull ? { later: clock.now() + REFRESH_RECHECK_MS } : undefined;
  }

  #refresh(place: StoredPlace, request: ClientRequest, how: How, ended: (end: FillEnd) => void): Begun {
    const { parts, collapse } = this.#engine;
    const known = parts.store.known(place.key);
    const current = currentAmong(known, place);
    const rule = parts.live.rules.ruleFor(request);
    if (current === undefined || rule.pass || rule.push !== 'off') return 'needless';
    if (how === 'fill' && parts.clock.now() < current.life.staleAt) return 'needless';
    if (collapse.isRefreshing(current, request.fields)) {
      // What is under way may have been asked before something newer was known of.
      return how !== 'validate' ? 'needless' : { later: parts.clock.now() + REFRESH_RECHECK_MS };
    }
    const held = this.#heldUntil(place.key);
    if (held !== undefined) return held;
    this.#engine.refresh(current, request, ended, known);
    return 'running';
  }

  #fillAnew(key: string, request: ClientRequest, ended: (end: FillEnd) => void): Begun {
    const engine = this.#engine;
    const { markers, live } = engine.parts;
    const asked = anybodysRequest(request, key, live.rules);
    if (asked === undefined || engine.select(key, asked) !== undefined) return 'needless';
    // It has turned out that its answers cannot be shared: then nobody is better off for one more.
    if (markers.isMarked(markerKeyOf(key, asked)) || engine.collapse.find(key, asked.fields) !== undefined) {
      return 'needless';
    }
    const held = this.#heldUntil(key);
    if (held !== undefined) return held;
    const fill = engine.makeFill({
      key,
      collapseKey: key,
      request: asked,
      method: 'GET',
      basis: undefined,
      conditions: 'stored',
      askedFor: 'fill',
      leader: undefined,
    });
    engine.collapse.whenEnded(fill, ended);
    fill.start();
    return 'running';
  }

  #warmNow(
    key: string,
    selection: Selection | undefined,
    request: ClientRequest,
    how: WarmOrder['how'],
    ended: (end: FillEnd) => void,
  ): Begun {
    const chosen = selection ?? this.#engine.select(key, request)?.selection;
    if (chosen !== undefined) return this.#refresh({ key, selection: chosen }, request, how, ended);
    return this.#fillAnew(key, request, ended);
  }
}

/** One for each stored response; what has no variants goes by its key, as what is not stored does. */
function idOf({ key, selection }: StoredPlace): string {
  return selection.names.length === 0 ? key : `${key}\n${JSON.stringify([selection.names, selection.values])}`;
}
