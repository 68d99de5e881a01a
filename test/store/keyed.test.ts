// Goal: node-cache never deletes by itself, and tells of keys past their ttl. Method: the map alone, with ttls that end at once by the real clock.
import t from 'tap';
import { createKeyedMap } from '../../lib/store/keyed.js';

t.test('a key past its ttl is still given, and told of', async (t) => {
  const lapsed: [string, number][] = [];
  const map = createKeyedMap<number>((key, value) => lapsed.push([key, value]));
  map.set('short', 1, 1);
  map.set('past', 2, -5000);
  map.set('long', 3, 60_000);
  map.set('endless', 4, Number.POSITIVE_INFINITY);
  const startedAt = Date.now();
  while (Date.now() < startedAt + 3) {
    // The wall clock is node-cache's own; there is no other way to let two milliseconds of it pass.
  }
  t.strictSame([map.get('short'), map.get('past'), map.get('long'), map.get('endless')], [1, 2, 3, 4]);
  t.strictSame(lapsed, [
    ['short', 1],
    ['past', 2],
  ]);
  map.delete('short');
  map.delete('short');
  t.equal(map.get('short'), undefined);
});

t.test('values are given back as they are, not cloned', (t) => {
  const map = createKeyedMap<object>(() => {});
  const value = { deep: { er: 1 } };
  map.set('a', value, 1000);
  t.equal(map.get('a'), value);
  map.set('a', { other: 1 }, 1000);
  t.not(map.get('a'), value);
  t.end();
});
