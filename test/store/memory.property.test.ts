// Goal: the memory tier's promises hold under any order of calls. Method: fast-check drives it beside a plain model.
import fc from 'fast-check';
import t from 'tap';
import { MAX_VARIANTS } from '../../lib/base/limits.js';
import { Fields } from '../../lib/http/fields.js';
import { type StoredResponse, storedBytes } from '../../lib/object/stored.js';
import { type Events, SILENT } from '../../lib/observe/events.js';
import type { Place, Store } from '../../lib/store/contract.js';
import { createMemoryStore } from '../../lib/store/memory.js';
import { FakeClock } from '../kit/clock.js';
import { freshened, makeStored } from './make-stored.js';

const KEYS = 12;

type Step =
  | { readonly do: 'put'; key: number; language: number; bytes: number; lifeMs: number; replaces: boolean }
  | { readonly do: 'swap'; pick: number; growth: number }
  | { readonly do: 'touch' | 'remove'; pick: number }
  | { readonly do: 'removeKey'; key: number }
  | { readonly do: 'reserve'; bytes: number }
  | { readonly do: 'release' }
  | { readonly do: 'advance'; ms: number };

const awakeCount = fc.constantFrom(1, 2, 1000);
const key = fc.nat(KEYS - 1);
const pick = fc.nat(1000);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('put' as const),
      key,
      language: fc.nat(80),
      bytes: fc.nat(9000),
      lifeMs: fc.nat(20_000),
      replaces: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('swap' as const), pick, growth: fc.nat(3000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('touch' as const, 'remove' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('removeKey' as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reserve' as const), bytes: fc.nat(20_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.nat(15_000) }) },
);

/** A place and what was there when it was asked for. */
interface Kept {
  readonly place: Place;
  readonly list: readonly StoredResponse[];
  readonly copy: readonly StoredResponse[];
}

class Walk {
  readonly clock = new FakeClock();
  /** Every record that was ever put or swapped in. */
  readonly seen: StoredResponse[] = [];
  readonly reservations: number[] = [];
  readonly places = new Map<string, Kept[]>();
  readonly store: Store;
  removedBytes = 0;
  putBytes = 0;
  #serial = 0;

  /** `awakeCount`: keys whose responses stay objects; those of all others are made anew of bytes. */
  constructor(budgetBytes: number, awakeCount: number) {
    const events: Events = {
      ...SILENT,
      removed: (_, bytes) => {
        this.removedBytes += bytes;
      },
    };
    this.store = createMemoryStore({ budgetBytes, clock: this.clock, events, awakeCount });
  }

  take(step: Step): void {
    const { store, clock, seen } = this;
    switch (step.do) {
      case 'put': {
        const name = `k${step.key}`;
        const stored = makeStored({
          key: name,
          language: `${step.language}`,
          bodyBytes: step.bytes,
          // By the fake clock many are received at one instant, and nothing else would tell them apart.
          fields: Fields.of({ ETag: `"${this.#serial++}"` }),
          bornAt: clock.now(),
          ttlMs: step.lifeMs,
          graceMs: step.lifeMs / 2,
          keepMs: step.lifeMs,
        });
        const old = step.replaces ? store.peek(name)?.[0] : undefined;
        if (!store.put(stored, old)) break;
        this.putBytes += storedBytes(stored);
        seen.push(stored);
        if (old !== undefined && store.holds(old)) throw new Error('a replaced response is still held');
        if (!store.holds(stored)) throw new Error('a put that was accepted is not held');
        break;
      }
      case 'swap': {
        const current = seen[step.pick % Math.max(1, seen.length)];
        if (current === undefined) break;
        const held = store.holds(current);
        const fields = Fields.of({ ETag: `"${this.#serial++}"`, 'X-More': 'm'.repeat(step.growth) });
        const next = freshened(current, clock.now(), fields);
        const swapped = store.swap(current, next);
        if (swapped !== held) throw new Error('swap() must say whether the record was the stored one');
        if (!swapped) break;
        this.putBytes += storedBytes(next) - storedBytes(current);
        seen.push(next);
        if (store.holds(current)) throw new Error('the record that was swapped out is still held');
        break;
      }
      case 'touch':
      case 'remove': {
        const stored = seen[step.pick % Math.max(1, seen.length)];
        if (stored === undefined) break;
        if (step.do === 'touch') store.touch(stored, step.pick % 2 === 0 ? store.place(stored.key) : undefined);
        else if (store.remove(stored, 'purged') && store.holds(stored)) throw new Error('removed, yet held');
        break;
      }
      case 'removeKey': {
        const name = `k${step.key}`;
        const before = seen.filter((stored) => stored.key === name && store.holds(stored));
        if (store.removeKey(name, 'purged') !== before.length) throw new Error('removeKey() must count what went');
        for (const stored of before)
          if (store.swap(stored, freshened(stored, clock.now())))
            throw new Error('a late 304 brought a purged one back');
        if (store.peek(name) !== undefined) throw new Error('a purged key is found');
        break;
      }
      case 'reserve':
        if (store.reserve(step.bytes)) this.reservations.push(step.bytes);
        break;
      case 'release':
        store.release(this.reservations.pop() ?? 0);
        break;
      case 'advance':
        clock.advance(step.ms);
    }
  }

  /** Whoever kept a place and its list may go by the two being the same: then nothing has changed. */
  #checkPlaces(name: string, list: readonly StoredResponse[] | undefined): void {
    const kept = this.places.get(name) ?? [];
    for (const one of kept) {
      if (one.place.list !== one.list) continue;
      if (list !== one.list) throw new Error('a place still has a list that is not what is stored');
      if (one.copy.length !== list.length || one.copy.some((stored, at) => stored !== list[at]))
        throw new Error('a list was changed');
    }
    const place = this.store.place(name);
    if (place?.list !== list) throw new Error('a key and its place do not have the same');
    if (place === undefined || list === undefined || kept.some((one) => one.list === list)) return;
    this.places.set(name, [...kept, { place, list, copy: [...list] }]);
  }

  check(): void {
    const { store } = this;
    const { stats } = store;
    if (stats.bytes + stats.reservedBytes > stats.budgetBytes) throw new Error('the budget is exceeded');
    let objects = 0;
    let bytes = 0;
    for (let at = 0; at < KEYS; at++) {
      const name = `k${at}`;
      const list = store.peek(name);
      this.#checkPlaces(name, list);
      if (list === undefined) continue;
      if (list.length === 0 || list.length > MAX_VARIANTS) throw new Error(`${list.length} variants`);
      objects += list.length;
      for (const stored of list) bytes += storedBytes(stored);
      if (new Set(list.map((stored) => stored.selection.values[0])).size !== list.length)
        throw new Error('one selection is there twice');
    }
    if (objects !== stats.objects || bytes !== stats.bytes) throw new Error('the accounts do not match what is held');
    if (this.putBytes - this.removedBytes !== stats.bytes) throw new Error('the events do not add up');
  }
}

t.test('eviction never exceeds the budget, accounts match, purges win over late 304s, variants are bounded', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 20_000, max: 120_000 }),
      awakeCount,
      fc.array(step, { maxLength: 150 }),
      (budget, awake, steps) => {
        const walk = new Walk(budget, awake);
        for (const one of steps) {
          walk.take(one);
          walk.check();
        }
      },
    ),
    { numRuns: 500 },
  );
  t.end();
});

t.test('the accounts return to zero when all is removed', (t) => {
  fc.assert(
    fc.property(awakeCount, fc.array(step, { maxLength: 100 }), (awake, steps) => {
      const walk = new Walk(80_000, awake);
      for (const one of steps) walk.take(one);
      for (const bytes of walk.reservations) walk.store.release(bytes);
      for (let at = 0; at < KEYS; at++) walk.store.removeKey(`k${at}`, 'purged');
      const { objects, bytes, reservedBytes } = walk.store.stats;
      return objects === 0 && bytes === 0 && reservedBytes === 0;
    }),
    { numRuns: 100 },
  );
  t.end();
});

t.test('whatever was put is swept once its keep has ended', (t) => {
  fc.assert(
    fc.property(awakeCount, fc.array(step, { maxLength: 80 }), (awake, steps) => {
      const walk = new Walk(80_000, awake);
      for (const one of steps) walk.take(one);
      walk.clock.advance(100_000);
      return walk.store.stats.objects === 0 && walk.clock.pendingCount === 0;
    }),
    { numRuns: 100 },
  );
  t.end();
});
