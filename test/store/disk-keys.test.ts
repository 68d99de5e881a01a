// Goal: issue 5, whatever is on disk under a prefix is found by it, however long both are. Method: keys of which only a digest stands in the record key, among them one whose digest is behind all that a text can be.
import t from 'tap';
import { prefixRange, recordKey, stemOf } from '../../lib/store/disk-keys.js';
import { setUp } from './disk-walk.kit.js';

const NO_SELECTION = { names: [], values: [] };
const LONG = `http://a.test/${'a'.repeat(250)}`;

/** One of those that begin with LONG, whose digest begins with this byte. */
function keyWith(first: number): string {
  for (let at = 0; ; at++) {
    const key = `${LONG}/${at}`;
    if (stemOf(key).at(-16) === first) return key;
  }
}

t.test('the range of a prefix has the record key of each key that begins with it', (t) => {
  for (const first of [0, 0x7f, 0xfe, 0xff]) {
    const key = keyWith(first);
    for (const length of [0, 1, 100, 223, 224, 225, key.length]) {
      const [from, until] = prefixRange(key.slice(0, length));
      for (const selection of [NO_SELECTION, { names: ['accept'], values: ['a'] }]) {
        const place = recordKey(key, selection);
        t.ok(from.compare(place) <= 0 && place.compare(until) < 0, `${first} ${length}`);
      }
    }
  }
  t.end();
});

t.test('issue 5: a purge of a long prefix reaches on disk what lies behind all others', async (t) => {
  const { bench, make } = setUp(t);
  const key = keyWith(0xff);
  bench.store.put(make({ key }));
  await bench.tier.settled();
  bench.memory.removeKey(key, 'evicted');
  const found: string[] = [];
  bench.store.scanBelow({ kind: 'prefix', prefix: LONG }, undefined, 10, (stored) => found.push(stored.key), 'all');
  t.same(found, [key]);
  t.same(bench.store.keysBelow(LONG), { keys: [key], areAll: true });
});
