// Goal: decision 0022, that memory has nothing under a key is never said where it has something: an older answer would be taken from below. Method: fast-check puts and takes out under few keys, some of one hash, beside a list of what is there.
import fc from 'fast-check';
import t from 'tap';
import { hashOf } from '../../lib/base/hash.js';
import { SILENT } from '../../lib/observe/events.js';
import { createMemoryStore } from '../../lib/store/memory.js';
import { FakeClock } from '../kit/clock.js';
import { makeStored } from './make-stored.js';

/** Two of one hash, two whose hashes differ in the highest bit alone, and two others. */
const KEYS = [
  'http://a.test/-oc7rwv/13633',
  'http://a.test/-43f93b/100873',
  'http://a.test/-xmwoal/82163',
  'http://a.test/-1x0f3v/82709',
  'http://a.test/plain',
  'http://a.test/é',
] as const;
const ORIGIN = 'http://a.test';

t.test('decision 0022: the keys of these tests share their hashes', (t) => {
  t.equal(hashOf(KEYS[0]), hashOf(KEYS[1]));
  t.equal((hashOf(KEYS[2]) ^ hashOf(KEYS[3])) >>> 0, 0x80000000);
  t.end();
});

const step = fc.record({
  do: fc.constantFrom('put', 'put', 'varied', 'remove', 'use', 'wake'),
  at: fc.nat(KEYS.length - 1),
});

t.test('decision 0022: memory is said to have nothing under a key where it has nothing, and nowhere else', (t) => {
  let said = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, keepsBodies) => {
      const clock = new FakeClock();
      const store = createMemoryStore({ budgetBytes: 4 << 20, clock, events: SILENT, awakeCount: 1, keepsBodies });
      const isThere = new Set<string>();
      for (const { do: what, at } of steps) {
        const key = KEYS[at] as string;
        if (what === 'put' || what === 'varied') {
          store.put(makeStored({ key, bornAt: clock.now(), ...(what === 'varied' ? { language: 'de' } : {}) }));
          isThere.add(key);
        } else if (what === 'remove') {
          store.removeKey(key, 'purged');
          isThere.delete(key);
        } else if (what === 'wake') store.place(key);
        else for (const stored of store.peek(key) ?? []) store.touch(stored);
        for (const each of KEYS) {
          store.sight(hashOf(each), ORIGIN, each.slice(ORIGIN.length));
          if (store.sightedNothing && isThere.has(each)) return false;
          if (store.sightedNothing) said++;
        }
      }
      return true;
    }),
    { numRuns: 400 },
  );
  t.ok(said > 1000, `it was said ${said} times`);
  const store = createMemoryStore({ budgetBytes: 4 << 20, clock: new FakeClock(), events: SILENT });
  store.sight(hashOf(KEYS[4]), ORIGIN, '/plain');
  t.ok(store.sightedNothing, 'of an empty one too');
  t.end();
});
