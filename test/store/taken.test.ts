// Goal: bytes that clients still take stay charged to the budget of memory, whatever becomes of what they belong to, and
// what nobody takes gives way before. Method: a store on a fake clock, with takers by hand; and a property beside a model.
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { STORE_STEP_DELAY_MS, SWEEP_EVERY_MS } from '../../lib/base/limits.js';
import { Fields } from '../../lib/http/fields.js';
import { Body } from '../../lib/object/body.js';
import { Segments } from '../../lib/object/segments.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { SILENT } from '../../lib/observe/events.js';
import type { Store } from '../../lib/store/contract.js';
import { createMemoryStore } from '../../lib/store/memory.js';
import { FakeClock } from '../kit/clock.js';
import { freshened, makeStored, type StoredShape } from './make-stored.js';

const KB = 1024;
const BODY = 100 * KB;

interface Bench {
  readonly clock: FakeClock;
  readonly store: Store;
  make(key: string, shape?: Partial<StoredShape>): StoredResponse;
}

function setUp(budgetBytes: number, awakeCount?: number): Bench {
  const clock = new FakeClock();
  const store = createMemoryStore({ budgetBytes, clock, events: SILENT, ...(awakeCount && { awakeCount }) });
  const make = (key: string, shape?: Partial<StoredShape>): StoredResponse =>
    makeStored({ key, bodyBytes: BODY, bornAt: clock.now(), ...shape });
  return { clock, store, make };
}

function within(t: Test, { stats }: Store, what = 'within the budget'): void {
  t.ok(stats.bytes + stats.reservedBytes + stats.heldBytes <= stats.budgetBytes, what);
}

t.test('what is taken and leaves the store stays charged until the last of its clients has it', (t) => {
  for (const reason of ['purged', 'expired', 'invalidated', 'replaced', 'evicted'] as const) {
    const { store, make } = setUp(1000 * KB);
    const stored = make('a');
    store.put(stored);
    t.equal(store.stats.heldBytes, 0);
    stored.body.take();
    stored.body.take();
    t.equal(store.stats.heldBytes, 0, 'it is charged as stored');
    t.ok(store.remove(stored, reason));
    t.match(store.stats, { objects: 0, bytes: 0, heldBytes: BODY }, reason);
    stored.body.giveBack();
    t.equal(store.stats.heldBytes, BODY, 'one is left');
    stored.body.giveBack();
    t.equal(store.stats.heldBytes, 0);
  }
  t.end();
});

t.test('one who begins to take what has just gone is charged as well', (t) => {
  const { store, make } = setUp(1000 * KB);
  const stored = make('a');
  store.put(stored);
  store.removeKey('a', 'purged');
  stored.body.take();
  t.equal(store.stats.heldBytes, BODY);
  t.ok(store.put(stored), 'and as stored where it comes again');
  t.match(store.stats, { objects: 1, heldBytes: 0 });
  store.removeKey('a', 'purged');
  t.equal(store.stats.heldBytes, BODY);
  stored.body.giveBack();
  t.equal(store.stats.heldBytes, 0);
  t.end();
});

t.test('what sleeps as bytes is known by its body', (t) => {
  const { store, make } = setUp(4000 * KB, 1);
  const all = Array.from({ length: 10 }, (_, at) => make(`k${at}`));
  for (const stored of all) t.ok(store.put(stored));
  for (const { body } of all) body.take();
  for (const { key } of all) store.removeKey(key, 'purged');
  t.match(store.stats, { objects: 0, bytes: 0, heldBytes: 10 * BODY });
  for (const { body } of all) body.giveBack();
  t.equal(store.stats.heldBytes, 0);
  t.end();
});

t.test('what is replaced twice while it is taken is charged each time', (t) => {
  const { store, make } = setUp(1000 * KB);
  const [first, second, third] = [make('a'), make('a'), make('a')];
  for (const stored of [first, second, third]) {
    t.ok(store.put(stored));
    stored.body.take();
  }
  t.match(store.stats, { objects: 1, heldBytes: 2 * BODY });
  for (const { body } of [first, second, third]) body.giveBack();
  t.match(store.stats, { objects: 1, heldBytes: 0 });
  t.end();
});

t.test('a 304 changes nothing of it: the body is the same', (t) => {
  const { store, make } = setUp(1000 * KB);
  const stored = make('a');
  store.put(stored);
  stored.body.take();
  const next = freshened(stored, stored.life.bornAt + 1000);
  t.ok(store.swap(stored, next));
  t.equal(store.stats.heldBytes, 0);
  store.remove(next, 'purged');
  t.equal(store.stats.heldBytes, BODY);
  stored.body.giveBack();
  t.equal(store.stats.heldBytes, 0);
  t.end();
});

t.test(
  'RFC 9111 §4.3.4: a body that a 304 made that of two responses is charged as stored until both have gone',
  (t) => {
    const { store, make } = setUp(1000 * KB);
    const first = make('a');
    const second = make('b', { body: first.body });
    t.ok(store.put(first));
    t.ok(store.put(second));
    const next = freshened(second, second.life.bornAt + 1000);
    t.ok(store.swap(second, next));
    first.body.take();
    store.remove(first, 'purged');
    t.match(store.stats, { objects: 1, heldBytes: 0 }, 'one is left');
    first.body.giveBack();
    first.body.take();
    t.equal(store.stats.heldBytes, 0);
    store.remove(next, 'purged');
    t.match(store.stats, { objects: 0, heldBytes: BODY });
    first.body.giveBack();
    t.equal(store.stats.heldBytes, 0);
    t.end();
  },
);

t.test('what is taken and comes back takes no room once more: as it was, or around the same body', (t) => {
  const { store, make } = setUp(1000 * KB);
  const large = make('a', { bodyBytes: 400 * KB });
  const others = Array.from({ length: 4 }, (_, at) => make(`other ${at}`));
  for (const stored of [large, ...others]) t.ok(store.put(stored));
  large.body.take();
  const again = freshened(large, large.life.bornAt + 1000);
  t.ok(store.put(again), 'in its own place');
  store.remove(again, 'evicted');
  t.equal(store.stats.heldBytes, 400 * KB);
  t.ok(store.put(again), 'and where it had been evicted meanwhile');
  t.match(store.stats, { objects: 5, heldBytes: 0 }, 'nothing else has gone for it');
  t.end();
});

t.test('parts are charged like bodies', (t) => {
  const { store, make } = setUp(1000 * KB);
  const partial = Segments.of({ from: 0, until: BODY, chunks: [Buffer.alloc(BODY)] }, 2 * BODY);
  const stored = { ...make('a', { body: Body.empty }), partial };
  t.ok(store.put(stored));
  partial.take();
  store.removeKey('a', 'purged');
  t.equal(store.stats.heldBytes, BODY);
  partial.giveBack();
  t.equal(store.stats.heldBytes, 0);
  t.end();
});

t.test('what never was stored is charged once it is complete, and only while it is taken', (t) => {
  const { store, make } = setUp(1000 * KB);
  const { body } = make('a');
  store.leaveOut(body);
  t.equal(store.stats.heldBytes, 0);
  body.take();
  t.equal(store.stats.heldBytes, BODY);
  body.giveBack();
  t.equal(store.stats.heldBytes, 0);
  const stored = make('b');
  store.put(stored);
  stored.body.take();
  store.leaveOut(stored.body);
  t.equal(store.stats.heldBytes, 0, 'what is stored is charged for that');
  t.end();
});

t.test('what arrives, flows or lies below is charged elsewhere, or bounded by its window', (t) => {
  const { store } = setUp(1000 * KB);
  const flowing = new Body({ mode: 'flow', highWaterBytes: KB });
  const below = Body.below(BODY, { read: () => undefined });
  for (const body of [flowing, below, Body.empty]) {
    body.take();
    store.leaveOut(body);
    t.equal(store.stats.heldBytes, 0);
    body.giveBack();
  }
  t.end();
});

t.test('what nobody takes is evicted before what is taken', (t) => {
  const { store, make } = setUp(1000 * KB);
  const taken = ['a', 'b', 'c'].map((key) => make(key));
  for (const stored of taken) {
    store.put(stored);
    stored.body.take();
  }
  for (let at = 0; at < 50; at++) t.ok(store.put(make(`other ${at}`)), 'there is room for others');
  for (const stored of taken) t.ok(store.holds(stored), 'they are stored still');
  t.equal(store.stats.heldBytes, 0);
  within(t, store);
  t.end();
});

t.test('what nobody takes is evicted before what is taken, however many of those stand before it', (t) => {
  const { store, make } = setUp(1000 * KB);
  const taken = Array.from({ length: 85 }, (_, at) => make(`taken ${at}`, { bodyBytes: 10 * KB }));
  for (const stored of taken) {
    t.ok(store.put(stored));
    stored.body.take();
  }
  for (let at = 0; at < 50; at++) t.ok(store.put(make(`other ${at}`, { bodyBytes: 10 * KB })), 'there is room');
  t.ok(taken.every((stored) => store.holds(stored)));
  t.match(store.stats, { heldBytes: 0 });
  within(t, store);
  t.end();
});

t.test('where all is taken nothing else is given up for what cannot have room', (t) => {
  const { store, make, clock } = setUp(1000 * KB);
  for (let at = 0; at < 7; at++) {
    const stored = make(`large ${at}`);
    t.ok(store.put(stored));
    stored.body.take();
  }
  const small = make('small', { bodyBytes: 10 * KB });
  t.ok(store.put(small));
  t.notOk(store.put(make('more', { bodyBytes: 300 * KB })));
  clock.advance(100 * STORE_STEP_DELAY_MS);
  t.ok(store.holds(small), 'nor in the background');
  t.equal(store.stats.objects, 8);
  for (let at = 0; at < 50; at++) t.ok(store.put(make(`small ${at}`, { bodyBytes: 10 * KB })), 'the rest is in use');
  within(t, store);
  t.end();
});

t.test('what is taken is not pruned for fills in flight, and is once nobody takes it', (t) => {
  const { store, make, clock } = setUp(1000 * KB);
  const taken = Array.from({ length: 6 }, (_, at) => make(`large ${at}`));
  for (const stored of taken) {
    t.ok(store.put(stored));
    stored.body.take();
  }
  for (let at = 0; at < 36; at++) t.ok(store.reserve(10 * KB));
  clock.advance(100 * STORE_STEP_DELAY_MS);
  t.match(store.stats, { objects: 6, heldBytes: 0 }, 'it would give nothing back');
  for (const { body } of taken) body.giveBack();
  clock.advance(2 * SWEEP_EVERY_MS);
  t.ok(store.stats.objects < 6);
  within(t, store);
  t.end();
});

t.test('what is large is not taken in where clients take as much as leaves room for the small alone', (t) => {
  const { store, make } = setUp(1000 * KB);
  for (let at = 0; at < 6; at++) {
    const stored = make(`large ${at}`);
    store.put(stored);
    stored.body.take();
  }
  t.ok(store.reserve(150 * KB), 'up to three quarters');
  store.release(150 * KB);
  t.notOk(store.reserve(151 * KB), 'not beyond');
  for (let at = 0; at < 20; at++) t.ok(store.reserve(10 * KB), 'the small is');
  t.end();
});

t.test(
  'where too little is left beside what is taken, some of that goes, and its room comes back with its clients',
  (t) => {
    const { store, make } = setUp(1000 * KB);
    const large = Array.from({ length: 9 }, (_, at) => make(`large ${at}`));
    for (const stored of large) t.ok(store.put(stored));
    const small = make('small', { bodyBytes: 10 * KB });
    t.ok(store.put(small));
    for (const { body } of large) body.take();
    t.notOk(store.put(make('more')));
    t.match(store.stats, { objects: 9, heldBytes: BODY }, 'one gives way');
    t.notOk(store.put(make('more')));
    t.match(store.stats, { objects: 8, heldBytes: 2 * BODY });
    t.notOk(store.put(make('more')));
    t.match(store.stats, { objects: 8, heldBytes: 2 * BODY }, 'the rest may stay');
    t.ok(store.holds(small), 'and what nobody takes');
    for (const { body } of large.filter((one) => !store.holds(one))) body.giveBack();
    t.ok(store.put(make('more')));
    within(t, store);
    t.end();
  },
);

t.test('what takes the place of something taken needs room of its own', (t) => {
  const { store, make } = setUp(1000 * KB);
  const first = make('a', { bodyBytes: 400 * KB });
  t.ok(store.put(first));
  first.body.take();
  const second = make('a', { bodyBytes: 400 * KB });
  t.ok(store.put(second, first));
  second.body.take();
  t.match(store.stats, { objects: 1, heldBytes: 400 * KB });
  within(t, store);
  t.notOk(store.put(make('a', { bodyBytes: 400 * KB }), second), 'a third time there is none');
  within(t, store);
  first.body.giveBack();
  t.ok(store.put(make('a', { bodyBytes: 400 * KB }), second));
  within(t, store);
  t.end();
});

t.test('a smaller budget lets go what nobody takes, and takes in nothing that it has no room for', (t) => {
  const { store, make, clock } = setUp(1000 * KB);
  const taken = ['a', 'b', 'c', 'd'].map((key) => make(key));
  for (const stored of taken) {
    store.put(stored);
    stored.body.take();
  }
  for (let at = 0; at < 4; at++) store.put(make(`other ${at}`));
  store.resize(300 * KB);
  clock.advance(1000 * STORE_STEP_DELAY_MS);
  const { bytes, heldBytes } = store.stats;
  t.ok(bytes + heldBytes < 5 * BODY, 'what is taken is all that is left');
  t.notOk(store.reserve(KB));
  for (const { body } of taken) body.giveBack();
  clock.advance(1000 * STORE_STEP_DELAY_MS);
  t.equal(store.stats.heldBytes, 0);
  t.ok(store.reserve(KB));
  within(t, store);
  t.end();
});

type Step = {
  readonly do: 'put' | 'share' | 'take' | 'giveBack' | 'remove' | 'reserve' | 'release' | 'advance';
  readonly pick: number;
};
const step: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom('put', 'put', 'share', 'take', 'take', 'giveBack', 'remove', 'reserve', 'release', 'advance'),
  pick: fc.nat(1000),
});

t.test('property: what is stored, reserved and held never exceeds the budget, and comes to nothing in the end', (t) => {
  fc.assert(
    fc.property(fc.constantFrom(1, 1000), fc.array(step, { maxLength: 200 }), (awakeCount, steps) => {
      const { store, make, clock } = setUp(200 * KB, awakeCount);
      const [seen, taken, reserved]: [StoredResponse[], Body[], number[]] = [[], [], []];
      for (const { do: what, pick } of steps) {
        const stored = seen[pick % Math.max(1, seen.length)];
        if (what === 'put') {
          // Of one instant, and one size, nothing else would tell two apart.
          const fields = Fields.of({ ETag: `"${seen.length}"` });
          const made = make(`k${pick % 20}`, { bodyBytes: 5 * KB + (pick % 30) * KB, fields });
          if (store.put(made)) seen.push(made);
        } else if (what === 'share' && stored !== undefined) {
          const fields = Fields.of({ ETag: `"${seen.length}"` });
          const made = make(`k${pick % 20}`, { body: stored.body, fields });
          if (store.put(made)) seen.push(made);
        } else if (what === 'take' && stored !== undefined && store.holds(stored)) {
          stored.body.take();
          taken.push(stored.body);
        } else if (what === 'giveBack') taken.splice(pick % Math.max(1, taken.length), 1)[0]?.giveBack();
        else if (what === 'remove' && stored !== undefined) store.remove(stored, 'purged');
        else if (what === 'reserve' && store.reserve(pick * 50)) reserved.push(pick * 50);
        else if (what === 'release') store.release(reserved.pop() ?? 0);
        else if (what === 'advance') clock.advance(pick);
        const { bytes, reservedBytes, heldBytes, budgetBytes } = store.stats;
        if (bytes + reservedBytes + heldBytes > budgetBytes) throw new Error('the budget is exceeded');
        const gone = new Set(taken.filter((body) => !seen.some((one) => one.body === body && store.holds(one))));
        let goneBytes = 0;
        for (const body of gone) goneBytes += body.receivedBytes;
        if (goneBytes !== heldBytes) throw new Error(`${heldBytes} bytes are held, and ${goneBytes} are`);
      }
      for (const body of taken) body.giveBack();
      for (let at = 0; at < 20; at++) store.removeKey(`k${at}`, 'purged');
      for (const bytes of reserved) store.release(bytes);
      return store.stats.heldBytes === 0 && store.stats.bytes === 0;
    }),
    { numRuns: 300 },
  );
  t.end();
});
