// Goal: a heap gives the first of what is in it, whatever is taken out of its middle. Method: fast-check beside a sorted list.
import fc from 'fast-check';
import t from 'tap';
import { Heap, type Heaped } from '../../lib/base/heap.js';

interface Item extends Heaped {
  readonly value: number;
}

t.test('a heap and a sorted list agree under any order of pushes and removals', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(20), fc.nat(1000)), { maxLength: 200 }), (steps) => {
      const heap = new Heap<Item>((one, other) => one.value < other.value);
      const items: Item[] = [];
      for (const [isPush, value, pick] of steps) {
        if (isPush || items.length === 0) {
          const item = { value, heapAt: -1 };
          items.push(item);
          heap.push(item);
        } else {
          const [item] = items.splice(pick % items.length, 1);
          if (item !== undefined) heap.remove(item);
          if (item !== undefined) heap.remove(item);
        }
        const least = items.length === 0 ? undefined : Math.min(...items.map((item) => item.value));
        if (heap.first?.value !== least) throw new Error(`${heap.first?.value} is first, not ${least}`);
        if (heap.size !== items.length || [...heap].length !== items.length) throw new Error('the sizes differ');
        if (items.length > 1 && heap.leaf === heap.first) throw new Error('the leaf is the first');
      }
    }),
  );
  t.pass('held');
});
