// Goal: a stored response that was kept as bytes comes back as what it was, and whoever held the object from before is understood. Method: memory with one key awake; any records by fast-check; the table beside a Map.
import fc from 'fast-check';
import t from 'tap';
import { PACK_WASTE_BYTES } from '../../lib/base/limits.js';
import { MAX_COMMON_TERMS } from '../../lib/base/memory-limits.js';
import { SLAB_BYTES } from '../../lib/base/slab.js';
import { Fields } from '../../lib/http/fields.js';
import { Body } from '../../lib/object/body.js';
import { compactLife } from '../../lib/object/life.js';
import { isSameRecord, type StoredResponse } from '../../lib/object/stored.js';
import { SILENT } from '../../lib/observe/events.js';
import { AsleepTable } from '../../lib/store/asleep-table.js';
import { CommonTerms, NO_TERMS } from '../../lib/store/asleep-terms.js';
import type { Store } from '../../lib/store/contract.js';
import { NO_SLOT } from '../../lib/store/links.js';
import { createMemoryStore } from '../../lib/store/memory.js';
import { FakeClock } from '../kit/clock.js';
import { freshened, makeStored } from './make-stored.js';

const BUDGET = 4 * 1024 * 1024;

interface Bench {
  readonly clock: FakeClock;
  readonly store: Store;
}

function bench(more: { readonly keepsBodies?: boolean } = {}): Bench {
  const clock = new FakeClock();
  return { clock, store: createMemoryStore({ budgetBytes: BUDGET, clock, events: SILENT, awakeCount: 1, ...more }) };
}

/** Others are asked for until nothing that was there before is awake. */
function sleep({ store, clock }: Bench): void {
  for (let n = 0; n < 3; n++) {
    const other = makeStored({ key: `other${n}`, bornAt: clock.now() });
    store.put(other);
    store.peek(other.key);
    store.touch(other);
  }
}

function bytesOf({ body }: StoredResponse): string {
  return Buffer.concat(body.wholeChunks ?? []).toString('latin1');
}

/** All that a record says. */
function said(stored: StoredResponse): object {
  const { life, fields, body, ...rest } = stored;
  const told = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return { ...told, life: JSON.stringify(life), fields: fields.raw, body: bytesOf(stored), length: body.totalBytes };
}

const instant = fc.oneof(fc.double({ noNaN: true, min: 0, max: 1e15 }), fc.constant(Number.POSITIVE_INFINITY));
const text = fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom('é', 'a\nb', '€', ''));
const record = fc.record({
  life: fc.record({
    bornAt: instant,
    staleAt: instant,
    graceUntil: instant,
    offlineGraceUntil: instant,
    keepUntil: instant,
    errorUntil: instant,
    unreachableUntil: instant,
    ceilingAt: instant,
    alwaysValidate: fc.boolean(),
    validateByRule: fc.boolean(),
    staleForbiddenBy: fc.constantFrom(undefined, 'no-cache' as const, 's-maxage' as const),
    ttlSource: fc.constantFrom('max-age' as const, 'heuristic' as const),
  }),
  key: text,
  names: fc.array(fc.tuple(text, fc.option(text, { nil: undefined })), { maxLength: 3 }),
  madeTag: fc.option(text, { nil: undefined }),
  fields: fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 4 }),
  bodyBytes: fc.constantFrom(0, 1, 100, 4096, 4097, 20_000),
  status: fc.constantFrom(200, 404),
  pushed: fc.constantFrom(undefined, true, false),
  receivedVersion: fc.constantFrom(undefined, '1.0' as const),
  despite: fc.constantFrom(undefined, [], ['sharePrivate' as const]),
  tags: fc.constantFrom(undefined, ['a', 'b']),
  more: fc.record(
    { expiredAt: instant, receivedAt: instant, chance: instant, requestedAt: instant },
    { requiredKeys: [] },
  ),
});

t.test('a response that was asleep says in every member what it said before', (t) => {
  const rule = { name: 'a rule' };
  fc.assert(
    fc.property(record, ({ life, key, names, fields, bodyBytes, pushed, receivedVersion, tags, more, ...one }) => {
      const all = bench();
      const stored: StoredResponse = {
        ...makeStored({ bornAt: 0, bodyBytes }),
        ...one,
        ...more,
        ...(pushed === undefined ? {} : { pushed }),
        ...(receivedVersion === undefined ? {} : { receivedVersion }),
        key: `k${key}`,
        selection: { names: names.map(([name]) => name), values: names.map(([, value]) => value) },
        fields: new Fields(fields.flat()),
        life: compactLife(life),
        tags,
        madeBy: rule,
      };
      const before = said(stored);
      all.store.put(stored);
      sleep(all);
      const [found] = all.store.peek(stored.key) ?? [];
      if (found === undefined) throw new Error('it is gone');
      t.strictSame(said(found), before);
      t.equal(found.madeBy, rule);
      t.ok(isSameRecord(found, stored));
    }),
    { numRuns: 300 },
  );
  t.end();
});

t.test('RFC 9111 §4.3.4: a late 304 finds the record that fell asleep meanwhile, and no other', (t) => {
  const all = bench();
  const { store, clock } = all;
  const stored = makeStored({ key: 'k', bornAt: clock.now() });
  store.put(stored);
  sleep(all);
  t.not(store.peek('k')?.[0], stored, 'it was asleep');
  t.ok(store.holds(stored));
  const next = freshened(stored, clock.now() + 5);
  t.ok(store.swap(stored, next));
  t.equal(store.peek('k')?.[0], next);
  sleep(all);
  t.notOk(store.swap(stored, freshened(stored, clock.now() + 9)), 'it was replaced');
  t.ok(store.holds(next));
  store.removeKey('k', 'purged');
  clock.advance(1);
  store.put(makeStored({ key: 'k', bornAt: clock.now() }));
  sleep(all);
  t.notOk(store.swap(next, freshened(next, clock.now())), 'it was purged');
  t.end();
});

t.test('RFC 9111 §4.3.4: what is asleep is freshened as bytes, around the body where it lies', (t) => {
  const all = bench();
  const { store, clock } = all;
  const stored = makeStored({ key: 'k', bornAt: clock.now(), bodyBytes: 100 });
  store.put(stored);
  sleep(all);
  const basis = store.known('k')[0] as StoredResponse;
  const slab = basis.body.slab;
  t.ok(slab !== undefined);
  const next = { ...freshened(basis, clock.now() + 5), fields: Fields.of({ ETag: '"1"', Date: 'later' }) };
  t.ok(store.swap(basis, next));
  const [found] = store.known('k');
  t.not(found, next, 'it is still asleep');
  t.ok(found !== undefined && isSameRecord(found, next));
  t.equal(found?.body.slab, slab, 'its body was not copied');
  t.equal(found?.body.slabAt, basis.body.slabAt);
  t.notOk(store.holds(basis), 'the one before is stored no more');
  t.ok(store.holds(next));
  const again = freshened(next, clock.now() + 9);
  t.ok(store.swap(next, again), 'whoever has the object means what is asleep');
  t.same(said(store.peek('k')?.[0] as StoredResponse), said(again));
  t.ok(store.remove(again, 'purged'));
  t.equal(store.peek('k'), undefined);
  t.end();
});

t.test('what is asleep and is freshened to what cannot be bytes is an object from then on', (t) => {
  const all = bench();
  const { store, clock } = all;
  store.put(makeStored({ key: 'k', bornAt: clock.now() }));
  sleep(all);
  const basis = store.known('k')[0] as StoredResponse;
  const next = { ...freshened(basis, clock.now() + 5), tags: ['a'] };
  t.ok(store.swap(basis, next));
  t.equal(store.known('k')[0], next);
  t.equal(store.known('k').length, 1);
  t.same(store.tagged('a'), [next]);
  t.equal(store.removeKey('k', 'purged'), 1);
  t.equal(store.peek('k'), undefined);
  t.end();
});

t.test('a record of other fields with the same instants is not the one that is asleep', (t) => {
  const all = bench();
  const { store, clock } = all;
  const stored = makeStored({ key: 'k', bornAt: clock.now(), fields: Fields.of({ ETag: '"1"' }) });
  store.put(stored);
  sleep(all);
  t.ok(store.holds({ ...stored, fields: Fields.of({ ETag: '"1"' }) }), 'wherever its fields lie');
  t.notOk(store.holds({ ...stored, fields: Fields.of({ ETag: '"2"' }) }));
  t.notOk(store.holds({ ...stored, status: 404 }));
  t.notOk(store.holds({ ...stored, madeBy: {} }));
  t.notOk(store.holds({ ...stored, expiredAt: 1 }));
  t.notOk(store.holds({ ...stored, body: makeStored({ bornAt: 0, bodyBytes: 7 }).body }));
  t.ok(store.holds(stored), 'and none of this woke it');
  t.end();
});

t.test('what comes in is bytes from the first, and the first who asks for it finds it there', (t) => {
  const { store, clock } = bench();
  t.equal(store.place('k', true), undefined);
  t.equal(store.peek('k'), undefined);
  const stored = makeStored({ key: 'k', bornAt: clock.now() });
  t.ok(store.put(stored));
  const look = store.place('k', true)?.list[0];
  t.not(look, stored, 'there is no object for it');
  t.ok(look !== undefined && isSameRecord(look, stored));
  t.not(store.peek('k')?.[0], look, 'a look made none');
  t.equal(store.peek('k')?.[0], store.peek('k')?.[0], 'who asks does');
  t.equal(store.removeKey('k', 'purged'), 1);
  t.equal(store.peek('k'), undefined);
  t.ok(store.put(stored));
  t.ok(store.holds(stored));
  t.end();
});

t.test('what cannot be bytes is objects from the first', (t) => {
  const { store, clock } = bench();
  const tagged = { ...makeStored({ key: 'k', bornAt: clock.now() }), tags: ['a'] };
  t.equal(store.peek('k'), undefined);
  t.ok(store.put(tagged));
  t.equal(store.peek('k')?.[0], tagged);
  t.same(store.tagged('a'), [tagged]);
  t.end();
});

t.test('a place is given up when its key falls asleep: who kept it looks again', (t) => {
  const all = bench();
  const { store, clock } = all;
  store.put(makeStored({ key: 'k', bornAt: clock.now() }));
  const place = store.place('k');
  const list = place?.list;
  sleep(all);
  t.not(place?.list, list);
  t.end();
});

t.test('a look at what is asleep wakes nothing, and a use by it counts', (t) => {
  const all = bench();
  const { store, clock } = all;
  const stored = makeStored({ key: 'k', bornAt: clock.now() });
  store.put(stored);
  sleep(all);
  const one = store.place('k', true);
  const [found] = one?.list ?? [];
  t.ok(found !== undefined && isSameRecord(found, stored));
  if (found !== undefined) store.touch(found, one);
  t.not(store.place('k', true)?.list[0], found, 'it is still asleep');
  t.equal(store.usage(stored)?.hits, 1);
  t.end();
});

t.test('a scan shows what is asleep, and what it shows can be asked about, replaced and taken out', (t) => {
  const all = bench();
  const { store, clock } = all;
  for (let n = 0; n < 6; n++) store.put(makeStored({ key: `k${n}`, bornAt: clock.now() }));
  sleep(all);
  const shown: string[] = [];
  store.scan(0, 100, (stored) => {
    shown.push(stored.key);
    if (store.usage(stored) === undefined || !store.holds(stored)) throw new Error('what is shown is stored');
    if (stored.key === 'k1') store.remove(stored, 'purged');
    if (stored.key === 'k1' && store.holds(stored)) throw new Error('it was taken out');
    if (stored.key !== 'k2') return;
    const next = freshened(stored, clock.now() + 1);
    if (!store.swap(stored, next) || store.holds(stored) || !store.holds(next)) throw new Error('it was replaced');
  });
  t.same(shown, ['k0', 'k1', 'k2', 'k3', 'k4', 'k5', 'other0', 'other1', 'other2']);
  t.equal(store.peek('k1'), undefined);
  t.equal(store.peek('k2')?.[0]?.life.bornAt, clock.now() + 1);
  t.end();
});

t.test('of the variants of a key that is asleep each can go, and the others stay', (t) => {
  for (const gone of ['a', 'b', 'c']) {
    const all = bench();
    const { store, clock } = all;
    for (const language of ['c', 'b', 'a'])
      store.put(makeStored({ key: 'k', language, bornAt: clock.now(), keepMs: language === gone ? 1_000 : 3_600_000 }));
    sleep(all);
    clock.advance(125_000);
    const left = store.peek('k')?.map(({ selection }) => selection.values[0]);
    t.same(
      left,
      ['a', 'b', 'c'].filter((language) => language !== gone),
    );
  }
  t.end();
});

t.test(
  'a body is the same object after it was asleep where a tier below knows it by that, or it is in no slab',
  (t) => {
    for (const [keepsBodies, bodyBytes, isSame] of [
      [true, 10, true],
      [false, 10, false],
      [false, 10_000, true],
    ] as const) {
      const all = bench({ keepsBodies });
      const stored = makeStored({ key: 'k', bornAt: 0, bodyBytes });
      all.store.put(stored);
      sleep(all);
      t.equal(all.store.peek('k')?.[0]?.body === stored.body, isSame);
    }
    t.end();
  },
);

t.test(
  'bodies that are kept as objects are moved together with the rest: none pins a slab of which most is gone',
  (t) => {
    const clock = new FakeClock();
    const budgetBytes = PACK_WASTE_BYTES * 8;
    const store = createMemoryStore({ budgetBytes, clock, events: SILENT, awakeCount: 1, keepsBodies: true });
    const all = Array.from({ length: Math.ceil((PACK_WASTE_BYTES * 2) / 1000) }, (_, n) =>
      makeStored({ key: `k${n}`, bornAt: clock.now(), bodyBytes: 1000 }),
    );
    for (const stored of all) store.put(stored);
    for (const [n, stored] of all.entries()) if (n % 20 > 0) store.remove(stored, 'purged');
    clock.advance(60_000);
    const kept = all.filter((_, n) => n % 20 === 0);
    const slabs = new Set(kept.map(({ body }) => body.slab));
    t.ok(slabs.size <= Math.ceil((kept.length * 2000) / SLAB_BYTES), `${slabs.size} slabs for ${kept.length} bodies`);
    for (const { key, body } of kept) t.equal(store.peek(key)?.[0]?.body, body);
    t.end();
  },
);

t.test('who reads a body goes on reading it when it falls asleep and is evicted', (t) => {
  const all = bench();
  const stored = makeStored({ key: 'k', bornAt: 0, body: Body.of([Buffer.from('all of it')]) });
  all.store.put(stored);
  sleep(all);
  const [woken] = all.store.peek('k') ?? [];
  all.store.removeKey('k', 'purged');
  t.equal(woken === undefined ? '' : bytesOf(woken), 'all of it');
  t.equal(bytesOf(stored), 'all of it');
  t.end();
});

t.test('combinations of what is in common are bounded, and given back', (t) => {
  const terms = new CommonTerms();
  const withStatus = (status: number) => ({ ...makeStored({ bornAt: 0 }), status });
  const numbers = Array.from({ length: MAX_COMMON_TERMS }, (_, n) => terms.take(withStatus(200 + n)));
  t.equal(new Set(numbers).size, MAX_COMMON_TERMS);
  t.equal(terms.take(withStatus(999)), NO_TERMS);
  t.equal(terms.take(withStatus(200)), numbers[0], 'a known one is not another');
  terms.give(numbers[0] as number);
  t.equal(terms.take(withStatus(999)), NO_TERMS, 'one response has it still');
  terms.give(numbers[0] as number);
  t.equal(terms.at(terms.take(withStatus(999))).status, 999);
  t.end();
});

t.test('the table finds what is in it and nothing else, under any order of calls', (t) => {
  const call = fc.record({ do: fc.constantFrom('add', 'add', 'remove', 'replace'), slot: fc.nat(200) });
  fc.assert(
    fc.property(fc.array(call, { maxLength: 400 }), fc.constantFrom(3, 40, 1000), (calls, hashes) => {
      const table = new AsleepTable();
      const model = new Map<number, number>();
      const hashOfSlot = (slot: number) => Math.imul(slot % hashes, 0x9e3779b1) >>> 0;
      for (const { do: what, slot } of calls) {
        const hash = hashOfSlot(slot);
        if (what === 'add' && !model.has(slot)) {
          if (table.add(hash, slot)) model.set(slot, hash);
          else if ([...model.values()].filter((one) => one === hash).length < 8) throw new Error('there was room');
        } else if (what === 'remove' && model.delete(slot)) table.remove(hash, slot);
        else if (what === 'replace' && model.has(slot)) {
          const by = slot + hashes * 1000;
          if (model.has(by)) continue;
          table.replace(hash, slot, by);
          model.delete(slot);
          model.set(by, hash);
        }
      }
      for (const [slot, hash] of model) if (table.find(hash, (one) => one === slot) !== slot) return false;
      for (let slot = 0; slot < 200; slot++)
        if (!model.has(slot) && table.find(hashOfSlot(slot), (one) => one === slot) !== NO_SLOT) return false;
      return true;
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test(
  'of what has one hash only a few fall asleep: a client that chooses its keys so cannot make a lookup long',
  (t) => {
    const table = new AsleepTable();
    const taken = Array.from({ length: 100 }, (_, slot) => table.add(7, slot)).filter((isTaken) => isTaken);
    t.equal(taken.length, 8);
    t.end();
  },
);
