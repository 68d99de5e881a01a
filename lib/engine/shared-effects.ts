/** What other machines did, done here: their operations, and the records of what they stored. */
import { SHARED_CLOCK_MARGIN_MS } from '../base/shared-limits.js';
import { askedAt, SAME_INSTANT_MS } from '../object/asked-at.js';
import { type StoredResponse, urlInKey } from '../object/stored.js';
import { expiredResponse } from '../policy/expire.js';
import type { Writer } from '../store/contract.js';
import type { SharedClock } from '../store/shared-clock.js';
import type { SharedFound } from '../store/shared-finding.js';
import type { News } from '../store/shared-news.js';
import type { SharedOp, SharedReach } from '../store/shared-ops.js';
import { variantOf } from '../store/shared-record.js';
import type { SharedTier } from '../store/shared-tier.js';
import { isSamePlace } from '../store/variants.js';
import type { Engine } from './engine.js';
import type { Effect } from './fate.js';
import { outdatedBy } from './keeping.js';
import { affectInFlight, changeUnseen, eachBelow, eachStored, forgetNotes, isSpared, type Reach } from './reach.js';
import { behind } from './steps.js';

/** What is meant, and when it was asked for. */
interface Meant {
  readonly reach: Reach;
  /** What was told, which says what is left out of it. */
  readonly told: SharedReach;
  /** What was asked for up to then is meant. */
  readonly until: number;
  /** The same of what was pushed before in the place of what is pushed now, where that differs. */
  readonly earlierUntil?: number | undefined;
}

/** An operation, as it is done here. */
interface Order extends Meant {
  readonly effect: Effect;
}

/** Each of these with what was asked for before it. Those that name no key take their walks one after the other. */
export function applyShared(engine: Engine, clock: SharedClock, ops: readonly SharedOp[]): void {
  const orders = new Map<string, Order>();
  for (const { effect, reach: told, at, since } of ops) {
    const until = clock.toHere(at) + clock.errorMs + SHARED_CLOCK_MARGIN_MS;
    const earlierUntil = since === undefined ? until : clock.toHere(since) - clock.errorMs;
    for (const reach of reachesHere(engine, told)) {
      const order = { effect, reach, told, until, earlierUntil };
      affectInFlight(engine, reach, effect, until, (stored) => isMeant(stored, order));
      if (told.kind !== 'all') forgetNotes(engine, reach);
      changeUnseen(engine, reach, (stored) =>
        isMeant(stored, order) ? affected(engine, stored, effect, until) : stored,
      );
      if (reach.kind === 'keys') void behind(engine.parts.events, walk(engine, [order]));
      else {
        // The later one of two that are alike means all that the earlier one does.
        const what = JSON.stringify([effect, reach, told.kind === 'keys' ? [told.but, told.earlier] : []]);
        if (until >= (orders.get(what)?.until ?? until)) orders.set(what, order);
      }
    }
  }
  void behind(engine.parts.events, walk(engine, orders.values()));
}

/** One after the other: after a long time apart there may be thousands, and each has its turns of the event loop. */
async function walk(engine: Engine, orders: Iterable<Order>): Promise<void> {
  for (const order of orders) {
    const { effect, reach, until } = order;
    await eachStored(engine, reach, (stored) => {
      if (isMeant(stored, order)) affectStored(engine, stored, effect, until);
    });
  }
}

function isMeant(stored: StoredResponse, { told, until, earlierUntil = until }: Omit<Meant, 'reach'>): boolean {
  return askedAt(stored) <= (stored.pushed === true ? earlierUntil : until) && !isSpared(told, stored);
}

function affectStored(engine: Engine, stored: StoredResponse, effect: Effect, until: number): void {
  const next = affected(engine, stored, effect, until);
  if (next === undefined) engine.parts.store.remove(stored, 'purged');
  else engine.parts.store.swap(stored, next);
}

/** Undefined: it goes. */
function affected(
  { parts }: Engine,
  stored: StoredResponse,
  effect: Effect,
  until: number,
): StoredResponse | undefined {
  return effect === 'purge' ? undefined : expiredResponse(stored, Math.min(until, parts.clock.now()));
}

/** Here the keys may have other aliases than there, and more below than are looked for at once. */
function reachesHere(engine: Engine, reach: SharedReach): readonly Reach[] {
  if (reach.kind === 'all') return [{ kind: 'prefix', prefixes: [''] }];
  if (reach.kind !== 'keys') return [reach];
  const found = reach.keys.map((key) => engine.purging.at(key));
  const keys = [...new Set([...reach.keys, ...found.flatMap((at) => at.keys)])];
  const further = [...new Set(found.flatMap((at) => at.further.map(({ beginning }) => beginning)))];
  const all: Reach = { ...reach, keys };
  return further.length === 0 ? [all] : [all, { kind: 'prefix', prefixes: further }];
}

/**
 * Another machine stored something: the new record is taken over where the body is the one that is here; else what is
 * here counts as stale, and the next use finds the newer one below. `writer`: of the processes of this machine, which all
 * hear of it, one writes to the disk that they have in common, also what it has there alone.
 */
export function takeNews(
  engine: Engine,
  tier: Pick<SharedTier, 'around' | 'clock'>,
  news: News,
  found: SharedFound | undefined,
  writer: Writer,
): void {
  const { what, key } = news;
  if (what !== 'kept' && what !== 'pushed') return;
  const { store, clock } = engine.parts;
  engine.purging.forget(key);
  if (what === 'pushed') {
    const until = found === undefined ? undefined : pushedUntil(tier.clock, found);
    const isMeant = (stored: StoredResponse): boolean => isBefore(stored, tier.clock, news, found);
    affectInFlight(engine, { kind: 'keys', keys: [key] }, 'purge', until, isMeant);
  }
  const variant = found === undefined ? news.variant : variantOf(found.response.selection);
  const isBelow = writer === 'here' && store.below !== undefined;
  const storedFor = (wanted: string): StoredResponse | undefined => {
    const isOfIt = ({ selection }: StoredResponse): boolean => variantOf(selection) === wanted;
    return store.peek(key)?.find(isOfIt) ?? (isBelow ? store.known(key).find(isOfIt) : undefined);
  };
  // It answers what another one was stored for, which would be chosen before it (RFC 9111 §4.1). What has no Vary is for others too.
  const passed = found === undefined || news.variant === variant ? undefined : storedFor(news.variant);
  if (found !== undefined && passed !== undefined && passed.selection.names.length > 0) {
    if (!isNewer(passed, tier.clock, what, found)) store.remove(passed, outdatedBy(writer));
  }
  const stored = storedFor(variant);
  if (stored === undefined || (found !== undefined && isNewer(stored, tier.clock, what, found))) return;
  const next = found === undefined || stored.partial !== undefined ? undefined : tier.around(stored, found);
  if (next !== undefined) store.swap(stored, next, writer);
  else if (what === 'pushed') store.remove(stored, 'replaced');
  else store.swap(stored, expiredResponse(stored, clock.now()), writer);
}

/** Up to when what the origin was asked for is older than what was pushed: what differs by less counts as the same time, and is asked for once more. */
function pushedUntil(clock: SharedClock, { response }: SharedFound): number {
  return askedAt(response) + clock.errorMs + SHARED_CLOCK_MARGIN_MS;
}

/** Whether what is about to be taken is older than what was pushed: who takes the very push may hear the news of it after that. */
function isBefore(
  stored: StoredResponse,
  clock: SharedClock,
  { variant }: News,
  found: SharedFound | undefined,
): boolean {
  if (found === undefined) return stored.pushed !== true || variantOf(stored.selection) === variant;
  if (stored.pushed !== true) return askedAt(stored) <= pushedUntil(clock, found);
  // Both were read by the clock of the server, whose measure may have become a better one in between.
  const isOlder = askedAt(stored) < askedAt(found.response) - 2 * clock.errorMs - SAME_INSTANT_MS;
  return isOlder && isSamePlace(stored, found.response);
}

function isNewer(stored: StoredResponse, clock: SharedClock, what: 'kept' | 'pushed', found: SharedFound): boolean {
  if (what === 'pushed' && stored.pushed !== true) return askedAt(stored) > pushedUntil(clock, found);
  return askedAt(stored) >= askedAt(found.response);
}

/**
 * Another machine stored what was pushed for a URL: what the origin had sent for other selecting fields, or under what headers, cookies
 * and forwarding fields made of it here, goes: that one may never have seen it. Returns these other keys: they are to be told to all.
 */
export function dropAliases(
  engine: Engine,
  clock: SharedClock,
  { key }: News,
  found: SharedFound | undefined,
): readonly string[] {
  const { purging, parts } = engine;
  const url = urlInKey(key);
  const at = purging.at(url);
  const keys = [key, ...at.keys.filter((alias) => alias !== key && alias.startsWith(`${url} `))];
  const until = found === undefined ? parts.clock.now() : pushedUntil(clock, found);
  const told = { kind: 'keys', keys, but: 'pushed' } as const;
  const isOlder = (stored: StoredResponse): boolean => isMeant(stored, { told, until });
  affectInFlight(engine, told, 'purge', until, isOlder);
  forgetNotes(engine, told);
  changeUnseen(engine, told, (stored) => (isOlder(stored) ? undefined : stored));
  const drop = (stored: StoredResponse): void => {
    if (isOlder(stored)) parts.store.remove(stored, 'replaced');
  };
  for (const alias of keys) parts.store.known(alias).forEach(drop);
  const further = at.further.filter(({ beginning }) => beginning === `${url} `);
  for (const { beginning: prefix } of further) {
    void behind(parts.events, eachBelow(engine, { kind: 'prefix', prefix }, drop));
  }
  // Of a key, what lies behind it is meant too: there may be thousands.
  return further.length === 0 ? keys.slice(1) : [url];
}
