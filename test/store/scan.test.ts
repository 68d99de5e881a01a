// Goal: an operator finds what is stored: by place, by tag, with its use. Method: the memory store on a fake clock.
import t from 'tap';
import type { StoredResponse } from '../../lib/object/stored.js';
import { isSameRecord, storedBytes } from '../../lib/object/stored.js';
import { SILENT } from '../../lib/observe/events.js';
import type { Store } from '../../lib/store/contract.js';
import { createMemoryStore } from '../../lib/store/memory.js';
import { FakeClock } from '../kit/clock.js';
import { freshened, makeStored } from './make-stored.js';

function open(budgetBytes = 1024 * 1024) {
  const clock = new FakeClock();
  const store = createMemoryStore({ budgetBytes, clock, events: SILENT });
  const put = (key: string, more: Partial<StoredResponse> = {}): StoredResponse => {
    const stored = { ...makeStored({ key, bornAt: clock.now() }), ...more };
    t.ok(store.put(stored));
    return stored;
  };
  return { clock, store, put };
}

/** All keys, in steps of `count` places. `between` runs after each step. */
function scanAll(store: Store, count: number, between: () => void = () => {}): string[] {
  const keys: string[] = [];
  let from: number | undefined = 0;
  while (from !== undefined) {
    from = store.scan(from, count, ({ key }) => keys.push(key));
    between();
  }
  return keys;
}

t.test('a scan in steps sees each stored response once', async (t) => {
  const { store, put } = open();
  t.same(scanAll(store, 3), [], 'nothing is stored');
  for (let at = 0; at < 10; at++) put(`http://a.test/${at}`);
  t.same(
    scanAll(store, 3),
    Array.from({ length: 10 }, (_, at) => `http://a.test/${at}`),
  );
  t.equal(scanAll(store, 10).length, 10, 'a step that ends where the places end');
});

t.test('what was there throughout a scan is seen, whatever is taken out and put in meanwhile', async (t) => {
  const { store, put } = open();
  const all = Array.from({ length: 10 }, (_, at) => put(`http://a.test/${at}`));
  let at = 9;
  const keys = scanAll(store, 2, () => {
    const gone = all[at--];
    if (gone !== undefined) store.remove(gone, 'purged');
    put(`http://a.test/new-${at}`);
  });
  for (let kept = 0; kept < 5; kept++) t.ok(keys.includes(`http://a.test/${kept}`), String(kept));
  t.equal(new Set(keys).size, keys.length, 'and nothing twice');
});

t.test('a freshened response keeps its place, so that a scan cannot pass it by', async (t) => {
  const { clock, store, put } = open();
  put('http://a.test/0');
  const old = put('http://a.test/1');
  put('http://a.test/2');
  const next = freshened(old, clock.now() + 1);
  const seen: StoredResponse[] = [];
  const from = store.scan(0, 1, () => {});
  store.swap(old, next);
  store.scan(from ?? 0, 10, (stored) => seen.push(stored));
  t.ok(seen.some((one) => isSameRecord(one, next)));
});

t.test('what a scan is shown may be taken out there and then', async (t) => {
  const { store, put } = open();
  for (let at = 0; at < 5; at++) put(`http://a.test/${at}`);
  store.scan(0, 100, (stored) => store.remove(stored, 'purged'));
  t.equal(store.stats.objects, 0);
});

t.test('a tag finds all that carries it, and nothing that has gone', async (t) => {
  const { clock, store, put } = open();
  const one = put('http://a.test/1', { tags: ['a', 'b'] });
  const two = put('http://a.test/2', { tags: ['b'] });
  put('http://a.test/3');
  t.same(store.tagged('a'), [one]);
  t.same(store.tagged('b'), [one, two]);
  t.same(store.tagged('c'), []);
  const next = { ...freshened(one, clock.now()), tags: ['c'] };
  store.swap(one, next);
  t.same([store.tagged('a'), store.tagged('b'), store.tagged('c')], [[], [two], [next]], 'a 304 may change the tags');
  const newer = put('http://a.test/2', { tags: ['d'] });
  t.same([store.tagged('b'), store.tagged('d')], [[], [newer]], 'so may a replacement');
  store.removeKey('http://a.test/2', 'purged');
  store.remove(next, 'purged');
  t.same([store.tagged('c'), store.tagged('d')], [[], []]);
});

t.test('evicted and expired responses leave the tag index', async (t) => {
  const { clock, store, put } = open(64 * 1024);
  const bodyOf = (key: string): StoredResponse => makeStored({ key, bodyBytes: 20_000, bornAt: clock.now() });
  for (let at = 0; at < 10; at++) put(`http://a.test/${at}`, { ...bodyOf(`http://a.test/${at}`), tags: ['a'] });
  t.equal(store.tagged('a').length, store.stats.objects);
  clock.advance(7_200_000);
  t.equal(store.stats.objects, 0);
  t.same(store.tagged('a'), []);
});

t.test('tags are charged to the budget', async (t) => {
  const plain = makeStored({ bornAt: 0 });
  const tags = ['product-1', 'product-2'];
  const more = storedBytes({ ...plain, tags }) - storedBytes(plain);
  t.ok(more >= tags.join('').length + 2 * 150, String(more));
});

t.test('uses are counted for as long as a key is stored, replacements and refreshes included', async (t) => {
  const { clock, store, put } = open();
  const first = put('http://a.test/1');
  clock.advance(1);
  t.match(store.usage(first), { hits: 0, bytes: storedBytes(first) });
  for (let at = 0; at < 10; at++) store.touch(first);
  const next = freshened(first, clock.now());
  store.swap(first, next);
  store.touch(next);
  t.match(store.usage(next), { hits: 11 });
  t.equal(store.usage(first), undefined, 'the record of before is not stored any more');
  const replaced = put('http://a.test/1');
  t.match(store.usage(replaced), { hits: 11 });
  store.remove(replaced, 'purged');
  t.match(store.usage(put('http://a.test/1')), { hits: 0 }, 'a purge starts anew');
});

t.test('a scan for what is used passes over what is not', async (t) => {
  const { store, put } = open();
  const all = Array.from({ length: 4 }, (_, at) => put(`http://a.test/${at}`));
  for (const at of [1, 3, 3]) store.touch(all[at] as StoredResponse);
  const usedAtLeast = (least: number): string[] => {
    const keys: string[] = [];
    t.equal(
      store.scan(0, 10, ({ key }) => keys.push(key), least),
      undefined,
    );
    return keys;
  };
  t.same(usedAtLeast(1), ['http://a.test/1', 'http://a.test/3']);
  t.same(usedAtLeast(2), ['http://a.test/3']);
  t.equal(usedAtLeast(0).length, 4);
});
