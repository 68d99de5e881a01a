// Goal: issue 5, whatever is on disk under a prefix is found by it, however long both are. Method: keys of which only a digest stands in the record key, among them one whose digest is behind all that a text can be.
import t from 'tap';
import { keyIn, prefixRange, recordKey, stemOf } from '../../lib/store/disk-keys.js';
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
  t.same(bench.store.keysBelow(LONG, 10), { keys: [key], next: undefined });
});

t.test('a record key tells the key that it is made of, unless that is cut', (t) => {
  const [varied, prefix] = [{ names: ['accept'], values: ['a'] }, 'http://a.test/'];
  for (let length = prefix.length; length < 300; length++) {
    for (const letter of ['a', 'é']) {
      const key = prefix.padEnd(length, letter);
      const told = [NO_SELECTION, varied].map((selection) => keyIn(recordKey(key, selection)));
      const isCut = Buffer.byteLength(key) > 256;
      for (const one of told) if (one !== undefined || isCut) t.equal(one, isCut ? undefined : key, `${length}`);
      if (length < 100) t.same(told, [key, key]);
    }
  }
  t.end();
});

t.test('issue 5: keys on disk are found without a look at what lies under them', async (t) => {
  const { bench, make } = setUp(t);
  const keys = Array.from({ length: 20 }, (_, at) => `http://a.test/${String(at).padStart(2, '0')}`);
  for (const key of keys) {
    bench.store.put(make({ key, language: 'de' }));
    bench.store.put(make({ key, language: 'en' }));
  }
  const again = await bench.reopened();
  const { records } = again.file.tables;
  for (const way of ['get', 'view', 'range'] as const) Object.assign(records, { [way]: () => t.fail(way) });
  t.same(again.store.keysBelow('http://a.test/', 100), { keys, next: undefined });
  const first = again.store.keysBelow('http://a.test/', 10);
  t.same(first.keys, keys.slice(0, 5));
  t.same(again.store.keysBelow('http://a.test/', 100, first.next).keys, keys.slice(5));
});
