// Goal: what is kept side by side for each slot stays apart. Method: properties with a plain map beside the table.
import fc from 'fast-check';
import t from 'tap';
import { Slots } from '../../lib/store/slots.js';

const number = fc.nat({ max: 2 ** 32 - 1 });
const call = fc.oneof(
  fc.record({ kind: fc.constant('take' as const), hash: number }),
  fc.record({ kind: fc.constant('give' as const), of: fc.nat() }),
  fc.record({ kind: fc.constant('use' as const), of: fc.nat() }),
  fc.record({ kind: fc.constant('place' as const), of: fc.nat(), list: fc.nat({ max: 255 }) }),
  fc.record({ kind: fc.constant('hits' as const), of: fc.nat(), hits: number }),
);

interface Known {
  readonly hash: number;
  uses: number;
  hits: number;
  list: number;
}

t.test('hash, uses, hits, list and being in use of a slot change each by itself', (t) => {
  fc.assert(
    fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
      const slots = new Slots<string>();
      const known = new Map<number, Known>();
      for (const one of calls) {
        if (one.kind === 'take') {
          known.set(slots.take('held', 10, one.hash), { hash: one.hash, uses: 0, hits: 0, list: 0 });
          continue;
        }
        const [slot, own] = [...known][one.of % Math.max(1, known.size)] ?? [];
        if (slot === undefined || own === undefined) continue;
        if (one.kind === 'give') {
          slots.give(slot);
          known.delete(slot);
        } else if (one.kind === 'use') {
          slots.use(slot);
          own.uses = Math.min(3, own.uses + 1);
          own.hits = Math.min(2 ** 32 - 1, own.hits + 1);
        } else if (one.kind === 'place') {
          slots.setPlace(slot, one.list);
          own.list = one.list;
        } else {
          slots.setHits(slot, one.hits);
          own.hits = one.hits;
        }
      }
      for (let slot = 0; slot < slots.end; slot++) {
        const own = known.get(slot);
        if (slots.isUsed(slot) !== (own !== undefined)) return false;
        if (own === undefined) continue;
        if (slots.hash(slot) !== own.hash || slots.uses(slot) !== own.uses) return false;
        if (slots.hits(slot) !== own.hits || slots.place(slot) !== own.list) return false;
      }
      return slots.count === known.size;
    }),
  );
  t.end();
});
