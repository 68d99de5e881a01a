// Goal: issue 5, whether anything waits under a key is told alike whether the key is in one piece or in two. Method: random orders come and go, compared with what is known of each.
import fc from 'fast-check';
import t from 'tap';
import { goneItem } from '../../lib/store/disk-queued.js';
import { DiskWaiting } from '../../lib/store/disk-waiting.js';

const key = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 9 });
const step = fc.record({ key, place: fc.constantFrom('1', '2'), isCleared: fc.boolean() });

t.test('issue 5: a key in two pieces waits exactly where the whole one does', async (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.array(key), fc.nat(9), (steps, others, cut) => {
      const waiting = new DiskWaiting();
      for (const { key, place, isCleared } of steps) {
        const there = waiting.at(key, place);
        if (there !== undefined) waiting.delete(there);
        else waiting.add(goneItem(key, place, 'purged', undefined, 0));
        if (isCleared && steps.length > 50) waiting.clear();
        for (const one of [key, ...others])
          if (waiting.hasBoth(one.slice(0, cut), one.slice(cut)) !== waiting.hasKey(one)) return false;
      }
      return true;
    }),
  );
  t.end();
});
