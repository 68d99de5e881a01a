// Goal: the memory tier keeps the contract of lib/store/contract.ts and its byte budget. Method: a store on a fake clock, walked by hand.
import t, { type Test } from 'tap';
import {
  MAX_EVICTIONS_AT_ONCE,
  MAX_VARIANTS,
  PRUNE_STEP_COUNT,
  STORE_STEP_DELAY_MS,
  SWEEP_STEP_COUNT,
} from '../../lib/base/limits.js';
import { Fields } from '../../lib/http/fields.js';
import { Body } from '../../lib/object/body.js';
import { isSameRecord, type StoredResponse, storedBytes } from '../../lib/object/stored.js';
import { type Events, SILENT } from '../../lib/observe/events.js';
import type { Store } from '../../lib/store/contract.js';
import { createMemoryStore } from '../../lib/store/memory.js';
import { FakeClock } from '../kit/clock.js';
import { freshened, makeStored, type StoredShape } from './make-stored.js';

const KB = 1024;

/** The store may have made objects anew: those mean the same records (decisions/0028). */
function sameRecords(
  t: Test,
  found: readonly StoredResponse[] | undefined,
  wanted: readonly StoredResponse[],
  what = '',
): void {
  t.same(
    found?.map(({ key, fields }) => [key, fields.raw]),
    wanted.map(({ key, fields }) => [key, fields.raw]),
    what,
  );
  for (const [at, stored] of (found ?? []).entries()) t.ok(isSameRecord(stored, wanted[at] as StoredResponse), what);
}

interface Bench {
  readonly clock: FakeClock;
  readonly store: Store;
  readonly removed: [reason: string, bytes: number][];
  make(shape?: Partial<StoredShape>): StoredResponse;
}

function setUp(budgetBytes: number, maxObjectBytes?: number): Bench {
  const clock = new FakeClock();
  const removed: [string, number][] = [];
  const events: Events = { ...SILENT, removed: (reason, bytes) => removed.push([reason, bytes]) };
  const store = createMemoryStore({
    budgetBytes,
    clock,
    events,
    ...(maxObjectBytes === undefined ? {} : { maxObjectBytes }),
  });
  return { clock, store, removed, make: (shape) => makeStored({ bornAt: clock.now(), ...shape }) };
}

t.test('a response that was put is found under its key, and charged with key, fields and body', (t) => {
  const { store, make } = setUp(100 * KB);
  const stored = make({ key: 'http://a.test/page', bodyBytes: 5000 });
  t.ok(store.put(stored));
  sameRecords(t, store.peek('http://a.test/page'), [stored]);
  t.ok(store.holds(stored));
  t.equal(store.peek('http://a.test/other'), undefined);
  t.match(store.stats, { objects: 1, bytes: storedBytes(stored), reservedBytes: 0, budgetBytes: 100 * KB });
  t.ok(storedBytes(stored) > 5000 + 'http://a.test/page'.length + 'ETag"1"'.length);
  t.end();
});

t.test('keys that an object has of its own are keys like any other', (t) => {
  const { store, make } = setUp(100 * KB);
  for (const key of ['__proto__', 'constructor', 'toString', '1', '']) {
    t.equal(store.peek(key), undefined, `nothing is under ${key} at first`);
    const stored = make({ key });
    t.ok(store.put(stored));
    sameRecords(t, store.peek(key), [stored]);
    t.equal(store.removeKey(key, 'purged'), 1);
    t.equal(store.peek(key), undefined);
  }
  t.end();
});

t.test('a body that is not complete is never stored', (t) => {
  const { store, make } = setUp(100 * KB);
  const body = new Body({ mode: 'retain', highWaterBytes: KB });
  t.notOk(store.put(make({ body })));
  body.fail();
  t.notOk(store.put(make({ body })));
  t.equal(store.stats.objects, 0);
  t.end();
});

t.test('RFC 9111 §4.1: responses of one key with different selections stand side by side, newest first', (t) => {
  const { store, make } = setUp(100 * KB);
  const english = make({ language: 'en' });
  const german = make({ language: 'de' });
  store.put(english);
  store.put(german);
  sameRecords(t, store.peek(german.key), [german, english]);
  const next = freshened(english, english.life.bornAt + 1000);
  t.ok(store.swap(english, next));
  sameRecords(t, store.peek(german.key), [next, german], 'a freshened response is the newest');
  t.end();
});

t.test('a response with the selection of another of its key replaces that one', (t) => {
  const { store, removed, make } = setUp(100 * KB);
  const first = make({ language: 'en', bodyBytes: 50 });
  const second = make({ language: 'en', bodyBytes: 70 });
  store.put(first);
  store.put(make({ language: 'de' }));
  store.put(second);
  t.equal(store.peek(first.key)?.length, 2);
  t.notOk(store.holds(first));
  t.strictSame(removed, [['replaced', storedBytes(first)]]);
  t.end();
});

t.test('what a put replaces goes in the same step, whatever its selection', (t) => {
  const { store, removed, make } = setUp(100 * KB);
  const old = make({ language: 'en' });
  store.put(old);
  const next = make();
  t.ok(store.put(next, old));
  sameRecords(t, store.peek(next.key), [next]);
  t.strictSame(removed, [['replaced', storedBytes(old)]]);
  t.ok(store.put(make(), old), 'a replaced response that is gone already hinders nothing');
  t.end();
});

t.test('a replacement needs only the room that it adds', (t) => {
  const { store, make } = setUp(20 * KB, 18 * KB);
  const old = make({ bodyBytes: 16 * KB });
  const next = make({ bodyBytes: 16 * KB });
  t.ok(store.put(old));
  t.ok(store.put(next));
  sameRecords(t, store.peek(next.key), [next]);
  t.end();
});

t.test('a replacement that finds no room leaves the older response in place', (t) => {
  const { store, make } = setUp(20 * KB);
  const old = make({ bodyBytes: 1 * KB });
  store.put(old);
  t.ok(store.reserve(9 * KB));
  t.ok(store.put(make({ key: 'other', bodyBytes: 4 * KB })));
  t.notOk(store.put(make({ bodyBytes: 11 * KB })), 'over half of the budget');
  t.ok(store.holds(old));
  t.equal(store.put(make({ bodyBytes: 9.9 * KB })), false, 'nothing more can be given with the reservation');
  t.ok(store.holds(old));
  t.end();
});

t.test('a response over maxObjectBytes is refused, by default over half of the budget', (t) => {
  const { store, make } = setUp(100 * KB);
  t.equal(store.maxObjectBytes, 50 * KB);
  t.notOk(store.put(make({ bodyBytes: 50 * KB })));
  t.ok(store.put(make({ bodyBytes: 48 * KB })));
  t.equal(setUp(100 * KB, 7 * KB).store.maxObjectBytes, 7 * KB);
  t.end();
});

t.test('at most MAX_VARIANTS responses of one key are stored; the oldest goes', (t) => {
  const { store, removed, make } = setUp(1024 * KB);
  const all = Array.from({ length: MAX_VARIANTS + 3 }, (_, at) => make({ language: `l${at}` }));
  for (const stored of all) t.ok(store.put(stored));
  sameRecords(t, store.peek(all[0]?.key ?? ''), all.slice(3).reverse());
  t.equal(removed.length, 3);
  t.ok(removed.every(([reason]) => reason === 'evicted'));
  t.end();
});

t.test('scar 8: a 304 shares the body by reference, is charged once, and works with a full cache', (t) => {
  const { store, make } = setUp(40 * KB);
  const big = make({ key: 'big', bodyBytes: 18 * KB });
  store.put(big);
  for (let at = 0; at < 60; at++) store.put(make({ key: `k${at}`, bodyBytes: KB }));
  if (!store.holds(big)) store.put(big);
  t.ok(store.reserve(15 * KB));
  t.ok(store.holds(big), 'still there');
  const before = store.stats.bytes;
  const next = freshened(big, big.life.bornAt + 5000);
  t.ok(store.swap(big, next));
  t.equal(next.body, big.body);
  t.equal(store.stats.bytes, before, 'the same fields and body cost the same');
  const longer = freshened(next, next.life.bornAt, Fields.of({ ETag: '"1"', 'X-More': 'm'.repeat(300) }));
  t.ok(store.swap(next, longer));
  t.ok(store.holds(longer));
  t.ok(store.stats.bytes + store.stats.reservedBytes <= store.stats.budgetBytes);
  t.end();
});

t.test('where fills in flight hold all the rest, a freshened record that grew beyond the budget is given up', (t) => {
  const { store, removed, make } = setUp(20 * KB);
  const stored = make({ bodyBytes: 8 * KB });
  t.ok(store.put(stored));
  t.ok(store.reserve(9.9 * KB));
  const next = freshened(stored, stored.life.bornAt, Fields.of({ 'X-More': 'm'.repeat(3000) }));
  t.ok(store.swap(stored, next));
  t.notOk(store.holds(next));
  t.equal(removed[0]?.[0], 'evicted');
  t.equal(store.stats.bytes, 0);
  t.end();
});

t.test('DESIGN 2: a purge or an update during the round trip wins over the 304 that ends it', (t) => {
  const { clock, store, make } = setUp(100 * KB);
  const stored = make();
  store.put(stored);
  store.removeKey(stored.key, 'purged');
  t.notOk(store.swap(stored, freshened(stored, stored.life.bornAt + 1)), 'purged');
  t.equal(store.peek(stored.key), undefined);
  store.put(stored);
  clock.advance(1);
  const update = make();
  store.put(update);
  t.notOk(store.swap(stored, freshened(stored, stored.life.bornAt + 1)), 'updated');
  sameRecords(t, store.peek(stored.key), [update]);
  t.end();
});

t.test('each removal is told with its reason and bytes', (t) => {
  const { store, removed, make } = setUp(100 * KB);
  const one = make({ language: 'en' });
  const two = make({ language: 'de' });
  store.put(one);
  store.put(two);
  t.ok(store.remove(one, 'invalidated'));
  t.notOk(store.remove(one, 'invalidated'), 'only once');
  t.equal(store.removeKey(one.key, 'purged'), 1);
  t.equal(store.removeKey(one.key, 'purged'), 0);
  t.strictSame(removed, [
    ['invalidated', storedBytes(one)],
    ['purged', storedBytes(two)],
  ]);
  t.match(store.stats, { objects: 0, bytes: 0 });
  t.end();
});

t.test('a list that peek() gave may be walked while its responses are removed', (t) => {
  const { store, make } = setUp(100 * KB);
  for (let at = 0; at < 5; at++) store.put(make({ language: `l${at}` }));
  let count = 0;
  for (const stored of store.peek('http://a.test/') ?? []) if (store.remove(stored, 'invalidated')) count++;
  t.equal(count, 5);
  t.equal(store.peek('http://a.test/'), undefined);
  t.end();
});

t.test('a full cache evicts for a put, and never exceeds its budget', (t) => {
  const { store, removed, make } = setUp(50 * KB);
  for (let at = 0; at < 500; at++) {
    t.ok(store.put(make({ key: `k${at}`, bodyBytes: KB })));
    if (store.stats.bytes > 50 * KB) t.fail('over the budget');
  }
  t.ok(removed.length > 400);
  t.equal(store.stats.objects, 500 - removed.length);
  t.end();
});

t.test(
  'fills in flight are charged: they make room by eviction, and are refused where the budget cannot give it',
  (t) => {
    const { store, removed, make } = setUp(100 * KB);
    for (let at = 0; at < 80; at++) store.put(make({ key: `k${at}`, bodyBytes: KB }));
    const before = removed.length;
    t.ok(store.reserve(40 * KB));
    t.ok(removed.length > before);
    t.ok(store.stats.bytes + store.stats.reservedBytes <= 100 * KB);
    t.notOk(store.reserve(11 * KB), 'all fills together get half of the budget');
    t.equal(store.stats.reservedBytes, 40 * KB);
    store.release(40 * KB);
    t.equal(store.stats.reservedBytes, 0);
    t.throws(() => store.release(1), /no more is given back/);
    t.end();
  },
);

t.test('a put evicts a bounded number at once', (t) => {
  const { store, removed, make } = setUp(64 * 1024 * KB);
  let at = 0;
  while (removed.length === 0) store.put(make({ key: `k${at++}`, bodyBytes: 10 }));
  removed.length = 0;
  t.notOk(store.put(make({ key: 'big', bodyBytes: 31 * 1024 * KB })));
  t.equal(removed.length, MAX_EVICTIONS_AT_ONCE);
  t.end();
});

t.test('pruning starts at 85 % of the budget, goes in small steps, and stops there', (t) => {
  const { store, clock, removed, make } = setUp(1000 * KB);
  for (let at = 0; store.stats.bytes < 970 * KB; at++) store.put(make({ key: `k${at}`, bodyBytes: 100 }));
  t.equal(removed.length, 0);
  clock.advance(2);
  t.equal(removed.length, PRUNE_STEP_COUNT, 'one step');
  clock.advance(500);
  t.ok(store.stats.bytes <= 850 * KB && store.stats.bytes > 845 * KB, `${store.stats.bytes} are held`);
  t.ok(removed.every(([reason]) => reason === 'evicted'));
  t.end();
});

t.test('a response past keep is swept within two seconds, in bounded steps', (t) => {
  const { store, clock, removed, make } = setUp(10_000 * KB);
  const short = { ttlMs: 1000, graceMs: 1000, keepMs: 3000 };
  for (let at = 0; at < 3 * SWEEP_STEP_COUNT; at++) store.put(make({ key: `s${at}`, bodyBytes: 10, ...short }));
  const long = make({ key: 'long' });
  store.put(long);
  clock.advance(4999);
  t.equal(removed.length, 0, 'nothing before keepUntil');
  for (let waitedMs = 0; removed.length === 0 && waitedMs < 2000; waitedMs++) clock.advance(1);
  t.equal(removed.length, SWEEP_STEP_COUNT, 'one step');
  clock.advance(STORE_STEP_DELAY_MS);
  t.equal(removed.length, 2 * SWEEP_STEP_COUNT, 'one more after a pause');
  clock.advance(1000);
  t.equal(removed.length, 3 * SWEEP_STEP_COUNT);
  t.ok(removed.every(([reason]) => reason === 'expired'));
  t.ok(store.holds(long));
  t.equal(store.stats.objects, 1);
  t.end();
});

t.test('a freshened response is swept by its new life', (t) => {
  const { store, clock, make } = setUp(100 * KB);
  const stored = make({ ttlMs: 1000, graceMs: 0, keepMs: 5000 });
  store.put(stored);
  clock.advance(5500);
  const next = freshened(stored, clock.now());
  t.ok(store.swap(stored, next));
  clock.advance(5900);
  t.ok(store.holds(next));
  clock.advance(1200);
  t.notOk(store.holds(next));
  t.end();
});

t.test('a life of any length is held to its end and swept after it', (t) => {
  for (const keepMs of [1, 999, 63_000, 64_000, 65_000, 4_096_000, 5_000_000, 3e8]) {
    const { store, clock, make } = setUp(1000 * KB);
    clock.advance(777);
    const stored = make({ ttlMs: 0, graceMs: 0, keepMs });
    store.put(stored);
    clock.advance(keepMs - 1);
    t.ok(store.holds(stored), `${keepMs} ms: held`);
    clock.advance(2000);
    t.notOk(store.holds(stored), `${keepMs} ms: swept`);
  }
  t.end();
});

t.test('a machine that slept for a year sweeps what ended meanwhile, and no more', (t) => {
  const clock = new FakeClock();
  let sleptMs = 0;
  const sleeper = {
    now: () => clock.now() + sleptMs,
    steady: () => clock.steady() + sleptMs,
    wall: () => clock.wall() + sleptMs,
    after: clock.after.bind(clock),
    every: clock.every.bind(clock),
  };
  const store = createMemoryStore({ budgetBytes: 1000 * KB, clock: sleeper, events: SILENT });
  const day = 86_400_000;
  const ended = makeStored({ key: 'ended', bornAt: clock.now(), keepMs: 100 * day });
  const kept = makeStored({ key: 'kept', bornAt: clock.now(), keepMs: 400 * day });
  store.put(ended);
  store.put(kept);
  sleptMs = 365 * day;
  clock.advance(1000);
  t.notOk(store.holds(ended));
  t.ok(store.holds(kept));
  sleptMs += 40 * day;
  clock.advance(1000);
  t.notOk(store.holds(kept));
  t.end();
});

t.test('eviction prefers what is past grace to what is fresh, in whatever order they came', (t) => {
  const { store, clock, make } = setUp(1150 * KB);
  const fresh: StoredResponse[] = [];
  const past: StoredResponse[] = [];
  for (let at = 0; at < 300; at++) {
    fresh.push(make({ key: `f${at}`, bodyBytes: KB }));
    past.push(make({ key: `p${at}`, bodyBytes: KB, ttlMs: 1000, graceMs: 1000 }));
  }
  for (const stored of [...fresh, ...past]) store.put(stored);
  clock.advance(4000);
  for (let at = 0; at < 250; at++) store.put(make({ key: `n${at}`, bodyBytes: KB }));
  clock.advance(100);
  t.equal(fresh.filter((stored) => store.holds(stored)).length, 300, 'all that are fresh are still there');
  const left = past.filter((stored) => store.holds(stored)).length;
  t.ok(left > 50 && left < 250, `${left} past grace are left`);
  t.end();
});

t.test('scar 5: what is validated on every use is evicted by its use, not for being always past grace', (t) => {
  const { store, clock, make } = setUp(1000 * KB);
  let hot = make({ key: 'hot', ttlMs: 0, graceMs: 0 });
  store.put(hot);
  for (let at = 0; at < 3000; at++) {
    store.put(make({ key: `n${at}`, bodyBytes: KB, ...(at % 2 === 0 ? {} : { ttlMs: 0, graceMs: 0 }) }));
    if (at % 100 === 0) clock.advance(50);
    if (at % 40 !== 0) continue;
    store.touch(hot);
    const next = freshened(hot, clock.now());
    t.ok(store.swap(hot, next));
    hot = next;
  }
  t.ok(store.holds(hot));
  t.end();
});

t.test('a crawler that touches every key once drives out nothing that is in use', (t) => {
  const { store, clock, make } = setUp(1000 * KB);
  const used = Array.from({ length: 200 }, (_, at) => make({ key: `u${at}`, bodyBytes: KB }));
  for (const stored of used) store.put(stored);
  for (let round = 0; round < 3; round++) for (const stored of used) store.touch(stored);
  for (let at = 0; at < 20_000; at++) {
    store.put(make({ key: `crawled${at}`, bodyBytes: KB }));
    if (at % 2000 === 0) for (const stored of used) store.touch(stored);
    if (at % 500 === 0) clock.advance(20);
  }
  t.ok(used.filter((stored) => store.holds(stored)).length >= 195);
  t.end();
});

t.test('a stepped wall clock loses nothing and keeps nothing', (t) => {
  const { store, clock, make } = setUp(100 * KB);
  const stored = make();
  store.put(stored);
  clock.stepWall(10 * 86_400_000);
  clock.advance(2000);
  sameRecords(t, store.peek(stored.key), [stored]);
  clock.stepWall(-20 * 86_400_000);
  clock.advance(4_000_000);
  t.notOk(store.holds(stored));
  t.end();
});

t.test('an empty store has no timer, a closed one neither, and it takes nothing more', (t) => {
  const { store, clock, make } = setUp(100 * KB);
  t.equal(clock.pendingCount, 0);
  const stored = make();
  store.put(stored);
  t.equal(clock.pendingCount, 1);
  store.remove(stored, 'purged');
  clock.advance(1000);
  t.equal(clock.pendingCount, 0, 'the sweep rests with nothing to sweep');
  for (let at = 0; at < 200; at++) store.put(make({ key: `k${at}`, bodyBytes: 500 }));
  t.equal(clock.pendingCount, 2);
  store.close();
  t.equal(clock.pendingCount, 0);
  t.notOk(store.put(make()));
  t.notOk(store.reserve(1));
  t.end();
});
