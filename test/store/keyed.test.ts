// Goal: node-cache never deletes by itself, and tells of keys past their ttl; keys of one hash are told apart. Method: the map alone, with ttls that end at once by the real clock; keys found to collide, and a model.
import fc from 'fast-check';
import t from 'tap';
import { hashOf } from '../../lib/base/hash.js';
import { createKeyedMap } from '../../lib/store/keyed.js';

t.test('a key past its ttl is still given, and told of', async (t) => {
  const lapsed: string[] = [];
  const map = createKeyedMap<{ key: string }>(({ key }) => lapsed.push(key));
  const [short, past, long, endless] = ['short', 'past', 'long', 'endless'].map((key) => ({ key })) as [
    { key: string },
    { key: string },
    { key: string },
    { key: string },
  ];
  map.set('short', short, 1);
  map.set('past', past, -5000);
  map.set('long', long, 60_000);
  map.set('endless', endless, Number.POSITIVE_INFINITY);
  const startedAt = Date.now();
  while (Date.now() < startedAt + 3) {
    // The wall clock is node-cache's own; there is no other way to let two milliseconds of it pass.
  }
  t.equal(map.get('short'), short);
  t.equal(map.get('past'), past);
  t.equal(map.get('long'), long);
  t.equal(map.get('endless'), endless);
  t.strictSame(lapsed, ['short', 'past']);
  map.delete('short');
  map.delete('short');
  t.equal(map.get('short'), undefined);
});

t.test('values are given back as they are, not cloned', (t) => {
  const map = createKeyedMap<{ key: string }>(() => {});
  const value = { key: 'a', deep: { er: 1 } };
  map.set('a', value, 1000);
  t.equal(map.get('a'), value);
  map.set('a', { key: 'a', other: 1 } as { key: string }, 1000);
  t.not(map.get('a'), value);
  t.end();
});

/** Keys of which several share the 31 bits that the map goes by. */
function collidingKeys(): string[][] {
  const byHash = new Map<number, string[]>();
  // The birthday bound: of so many some hundred pairs collide.
  for (let at = 0; at < 700_000; at++) {
    const key = `http://a.test/${Math.imul(at, 0x9e3779b1).toString(36)}/${at}`;
    const hash = hashOf(key) & 0x7fffffff;
    const same = byHash.get(hash);
    if (same === undefined) byHash.set(hash, [key]);
    else same.push(key);
  }
  return [...byHash.values()].filter((keys) => keys.length > 1);
}

t.test(
  'keys of one hash, and keys that are the digits of a hash, have their own values under any order of calls',
  (t) => {
    const pairs = collidingKeys().slice(0, 3);
    t.equal(pairs.length, 3, 'there are such keys');
    const keys = pairs.flatMap((pair) => [...pair, String(hashOf(pair[0] as string) & 0x7fffffff)]);
    const step = fc.record({ do: fc.constantFrom('set', 'delete', 'get'), at: fc.nat(keys.length - 1) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const map = createKeyedMap<{ key: string }>(() => {});
        const model = new Map<string, { key: string }>();
        for (const { do: what, at } of steps) {
          const key = keys[at] as string;
          if (what === 'set') {
            const value = { key };
            map.set(key, value, 60_000);
            model.set(key, value);
          } else if (what === 'delete') {
            map.delete(key);
            model.delete(key);
          }
          for (const each of keys) if (map.get(each) !== model.get(each)) return false;
        }
        return true;
      }),
      { numRuns: 500 },
    );
    t.end();
  },
);
