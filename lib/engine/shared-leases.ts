/**
 * Leases among machines by the tier that they share, and what they tell each other: who asks, what came of it, what
 * operators did. Where the tier is gone, everybody who waits for another machine is sent on at once.
 */

import type { Clock, Timer } from '../base/clock.js';
import { isOriginFailure, stackOf } from '../base/errors.js';
import { askedAt } from '../object/asked-at.js';
import type { Selection, StoredResponse } from '../object/stored.js';
import type { Events } from '../observe/events.js';
import { noticeEnd } from '../observe/states.js';
import type { Writer } from '../store/contract.js';
import type { LeasePlace } from '../store/shared-contract.js';
import type { SharedFound } from '../store/shared-finding.js';
import type { News } from '../store/shared-news.js';
import type { SharedOp } from '../store/shared-ops.js';
import { variantOf } from '../store/shared-record.js';
import type { SharedTier, SharedTierListener } from '../store/shared-tier.js';
import type { Engine } from './engine.js';
import type { Effect } from './fate.js';
import type {
  Cancel,
  Lease,
  LeaseAnswer,
  LeaseNotice,
  LeaseOrder,
  LeaseOutcome,
  LeasesBeyond,
} from './leases-contract.js';
import type { Peers } from './peers-contract.js';
import type { Reach } from './reach.js';
import { applyShared, dropAliases, takeNews } from './shared-effects.js';

/** Keys in one operation that is told to others. */
const KEYS_PER_OP = 100;
/** A lease is renewed this often within its time. */
const RENEWALS_PER_LEASE = 3;

type Told = (notice: LeaseNotice) => void;

export class SharedLeases implements LeasesBeyond, Peers, SharedTierListener {
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #tier: SharedTier;
  readonly #writer: Writer;
  #engine: Engine | undefined;
  /** The tier is there, or is not. */
  #known: () => void = () => {};
  /** What came in the place of this one by a reload. */
  #next: SharedLeases | undefined;
  /** Who waits for news of a lease, by key and variant. */
  readonly #waiting = new Map<string, Set<Told>>();

  /** `writer`: who writes what other machines tell to the disk that the processes of this one have in common. */
  constructor(tier: SharedTier, clock: Clock, events: Events, writer: Writer) {
    this.#writer = writer;
    this.#tier = tier;
    this.#clock = clock;
    this.#events = events;
  }

  get tier(): SharedTier {
    return this.#tier;
  }

  /**
   * Begins, with the engine that all of it is about. Resolves once what other machines did meanwhile has been done here, or it is known
   * that this cannot be learned now, or `atMostMs` have passed.
   */
  open(engine: Engine, atMostMs = 0): Promise<void> {
    this.#engine = engine;
    const known = new Promise<void>((resolve) => {
      const timer = this.#clock.after(atMostMs, resolve);
      this.#known = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#tier.open(this);
    return known;
  }

  /** Another, or none, is in its place by a reload: it has what waits to be told to others, and the leases that were taken here. */
  replacedBy(next: SharedLeases | undefined): void {
    this.#next = next;
    this.#tellAll({ kind: 'look' });
    this.#tier.replacedBy(next?.tier);
  }

  get waitingCount(): number {
    let sum = 0;
    for (const told of this.#waiting.values()) sum += told.size;
    return sum;
  }

  async take(order: LeaseOrder): Promise<LeaseAnswer> {
    const tier = this.#tier;
    if (!tier.isUp) return { kind: 'unavailable' };
    const name = `${order.key} ${variantOf(order.selection)}`;
    // News may be here before the answer that says to wait for them.
    let early: LeaseNotice | undefined;
    let told: Told = (notice) => {
      early ??= notice;
    };
    const hear: Told = (notice) => told(notice);
    this.#add(name, hear);
    const answer = await tier.take(order);
    if (answer.kind !== 'elsewhere') this.#delete(name, hear);
    switch (answer.kind) {
      case 'held':
        return { kind: 'held', lease: this.#lease(answer.place, order.key) };
      case 'elsewhere': {
        // Also where nobody comes to wait.
        const lapsed = this.#clock.after(answer.leftMs, () => {
          this.#delete(name, hear);
          hear({ kind: 'look' });
        });
        const cancel = (): void => {
          lapsed.cancel();
          this.#delete(name, hear);
          told = () => {};
        };
        const wait = (to: Told): Cancel => {
          told = (notice) => {
            cancel();
            to(notice);
          };
          if (early !== undefined) queueMicrotask(() => hear(early ?? { kind: 'look' }));
          return cancel;
        };
        return { kind: 'elsewhere', isNear: false, wait };
      }
      case 'found':
        return { kind: 'found', found: answer.found.map((one) => ({ ...one, writer: 'here' })) };
      default:
        return { kind: 'unavailable' };
    }
  }

  #add(name: string, told: Told): void {
    const waiting = this.#waiting.get(name);
    if (waiting === undefined) this.#waiting.set(name, new Set([told]));
    else waiting.add(told);
  }

  #delete(name: string, told: Told): void {
    const waiting = this.#waiting.get(name);
    waiting?.delete(told);
    if (waiting?.size === 0) this.#waiting.delete(name);
  }

  #tell(name: string, notice: LeaseNotice): void {
    for (const told of [...(this.#waiting.get(name) ?? [])]) told(notice);
  }

  #tellAll(notice: LeaseNotice): void {
    for (const name of [...this.#waiting.keys()]) this.#tell(name, notice);
  }

  /** The tier of now. */
  get #current(): SharedTier {
    let last: SharedLeases = this;
    while (last.#next !== undefined) last = last.#next;
    return last.#tier;
  }

  #lease(place: LeasePlace, key: string): Lease {
    const everyMs = this.#tier.leaseMs / RENEWALS_PER_LEASE;
    let renewing: Timer | undefined = this.#clock.every(everyMs, () => void this.#current.renew(place));
    const over = (): void => {
      renewing?.cancel();
      renewing = undefined;
    };
    return {
      opened: ({ body }) => {
        const tier = this.#current;
        if ((body.totalBytes ?? 0) <= tier.maxBodyBytes) return;
        over();
        void tier.release(place, key, 'alone');
      },
      release: async (outcome) => {
        if (renewing === undefined) return;
        const tier = this.#current;
        await released(tier, place, key, outcome);
        over();
        await tier.settled(place);
      },
    };
  }

  async releaseOf(member: number, key: string, selection: Selection): Promise<void> {
    await this.#tier.releaseOf(member, key, selection);
    // News of one's own are not heard.
    this.#tell(`${key} ${variantOf(selection)}`, { kind: 'look' });
  }

  operated(effect: Effect, reach: Reach, isPassing: boolean, mark = this.#tier.clock.mark()): void {
    if (reach.kind !== 'keys') {
      this.#tier.operate(effect, reach, isPassing, mark);
      return;
    }
    for (let at = 0; at < reach.keys.length; at += KEYS_PER_OP) {
      const keys = reach.keys.slice(at, at + KEYS_PER_OP);
      this.#tier.operate(effect, { ...reach, keys }, isPassing, mark);
    }
  }

  noted(effect: Effect, reach: Reach): void {
    this.#tier.log.remember(effect, reach);
  }

  told(): Promise<boolean> {
    return this.#tier.log.isWritten();
  }

  /** A tier that does not say who asks is not burdened with what came of it: others learn of it by their own request. */
  announce(): void {}

  stored(response: StoredResponse, isPush: boolean, before?: StoredResponse): void {
    // Others are told of this very moment: the response itself must not count as older than it.
    const mark = this.#tier.clock.markOf(askedAt(response));
    const kept = this.#tier.keep(response, undefined, isPush);
    if (isPush) void kept.then((isKept) => this.#toldOfPush(response, isKept, mark, before));
  }

  /**
   * Who hears of it drops what the origin had sent for other selecting fields. Those who do not, and Redis, are told where there is
   * such a thing: who pushes a whole site would push the operations out of their log.
   */
  async #toldOfPush(
    { key, selection }: StoredResponse,
    isKept: boolean,
    mark: number,
    before: StoredResponse | undefined,
  ): Promise<void> {
    const reach = { kind: 'keys', keys: [key], but: 'pushed' } as const;
    // What the others have is older, though they cannot have this: what was pushed there before, too.
    const pushedAt = before === undefined ? undefined : askedAt(before);
    if (!isKept) this.operated('purge', { ...reach, earlier: { key, selection, pushedAt } }, false, mark);
    else if (await this.#tier.hasFetched(key, mark)) this.operated('purge', reach, false, mark);
  }

  news(news: News, found: SharedFound | undefined): void {
    if (this.#engine !== undefined) this.#take(this.#engine, news, found);
    this.#tell(`${news.key} ${news.variant}`, noticeOf(news));
  }

  #take(engine: Engine, news: News, found: SharedFound | undefined): void {
    takeNews(engine, this.#tier, news, found, this.#writer);
    const aliases = news.what === 'pushed' ? dropAliases(engine, this.#tier.clock, news, found) : [];
    if (aliases.length > 0) this.operated('purge', { kind: 'keys', keys: aliases, but: 'pushed' }, false);
  }

  operations(ops: readonly SharedOp[]): void {
    if (this.#engine !== undefined) applyShared(this.#engine, this.#tier.clock, ops);
  }

  changed(isUp: boolean, reason: string): void {
    this.#known();
    if (isUp) {
      noticeEnd(this.#events, 'shared-down');
      return;
    }
    const message = 'The tier that machines share cannot be used: this machine goes on alone until it is back.';
    this.#events.notice('warn', 'shared-down', message, { reason });
    this.#tellAll({ kind: 'look' });
  }

  faulted(error: unknown): void {
    const told = { error: stackOf(error) };
    this.#events.notice('error', 'internal', 'Something could not be done with the tier that machines share', told);
  }

  refusing(isRefusing: boolean, reason: string): void {
    if (isRefusing) {
      const message = `The tier that machines share refuses a part of what it is asked (${reason}): for that part this machine goes on alone.`;
      this.#events.notice('warn', 'shared-refusing', message, { reason });
    } else if (this.#tier.isUp) {
      noticeEnd(this.#events, 'shared-refusing');
    }
  }

  unguarded(): void {
    const message =
      'The tier that machines share wants no password, though one is configured: whoever reaches it can change what is served.';
    this.#events.notice('warn', 'shared-unguarded', message);
  }

  close(): void {
    this.#known();
    this.#tellAll({ kind: 'look' });
    this.#tier.close();
  }
}

async function released(tier: SharedTier, place: LeasePlace, key: string, outcome: LeaseOutcome): Promise<void> {
  switch (outcome.kind) {
    case 'stored':
    case 'freshened':
      await tier.keep(outcome.response, place);
      return;
    case 'uncacheable': {
      const { reason, markerKey = null } = outcome;
      await tier.release(place, key, 'uncacheable', { reason, markerKey });
      return;
    }
    case 'failed': {
      const { kind: _, ...how } = outcome;
      await tier.release(place, key, 'failed', how);
      return;
    }
    case 'left':
      await tier.release(place, key, 'left');
  }
}

/** What news say to those who wait; whatever makes no sense says to look. */
function noticeOf({ what, how }: News): LeaseNotice {
  const { reason, markerKey, failure, status, code, message, retryAfterMs } = how;
  const afterMs = typeof retryAfterMs === 'number' && retryAfterMs >= 0 ? retryAfterMs : undefined;
  if (what === 'alone') return { kind: 'alone' };
  if (what === 'uncacheable' && typeof reason === 'string') {
    return { kind: 'uncacheable', reason, markerKey: typeof markerKey === 'string' ? markerKey : undefined };
  }
  if (what === 'failed' && failure === 'error-status' && typeof status === 'number') {
    return { kind: 'failed', failure, status, retryAfterMs: afterMs };
  }
  if (what === 'failed' && failure === 'unreachable' && isOriginFailure(code) && typeof message === 'string') {
    return { kind: 'failed', failure, code, message, retryAfterMs: afterMs };
  }
  return { kind: 'look' };
}
