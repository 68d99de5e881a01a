// Goal: decision 0037, what is small is put into words as it comes, what is large in its turn, and all in the order in which it came. Method: orders of known lengths, read back from the batches.
import t from 'tap';
import { DISK_BATCH_ORDERS, DISK_WORDED_AT_ONCE_BYTES } from '../../lib/base/disk-limits.js';
import { ordersIn } from '../../lib/store/disk-batch.js';
import { DiskGathering } from '../../lib/store/disk-gathering.js';
import type { Item, PlainItem } from '../../lib/store/disk-queued.js';

/** An order that is known again by a number. */
function numbered(number: number, bytes = 100): PlainItem {
  return { kind: 'plain', order: { kind: 'hot', list: Buffer.of(number) }, bytes, over: undefined, isVoid: false };
}

function setUp(): { gathering: DiskGathering; settled: Item[]; sent(): number[] } {
  const settled: Item[] = [];
  const gathering = new DiskGathering({
    encode: () => false,
    overtaken: () => undefined,
    settled: (item) => settled.push(item),
  });
  const sent = (): number[] => {
    const { batch } = gathering.take([]);
    const numbers = [...ordersIn(batch.take())].map((order) => (order.kind === 'hot' ? (order.list[0] ?? -1) : -1));
    gathering.giveBack(batch);
    return numbers;
  };
  return { gathering, settled, sent };
}

t.test('decision 0037: what is small is in the batch at once, what is large and all behind it in its turn', (t) => {
  const { gathering, sent } = setUp();
  gathering.add(numbered(1), true);
  t.equal(gathering.unwordedCount, 0);
  gathering.add(numbered(2, DISK_WORDED_AT_ONCE_BYTES + 1), true);
  gathering.add(numbered(3), true);
  t.equal(gathering.unwordedCount, 2);
  t.equal(gathering.count, 3);
  t.same(sent(), [1]);
  gathering.wordSome(false);
  t.equal(gathering.unwordedCount, 0);
  t.same(sent(), [2, 3]);
  t.end();
});

t.test('decision 0037: a batch takes so many orders, and what comes beyond goes with the next', (t) => {
  const { gathering, sent } = setUp();
  for (let at = 0; at <= DISK_BATCH_ORDERS; at++) gathering.add(numbered(at % 250), true);
  t.notOk(gathering.hasRoom);
  t.equal(gathering.unwordedCount, 1);
  t.equal(sent().length, DISK_BATCH_ORDERS);
  gathering.add(numbered(7), true);
  t.same(sent(), [DISK_BATCH_ORDERS % 250, 7]);
  t.end();
});

t.test('decision 0037: what something later took the place of is settled, and not written', (t) => {
  const { gathering, settled, sent } = setUp();
  const overtaken = numbered(1);
  gathering.add(overtaken, false);
  gathering.add(numbered(2), false);
  overtaken.isVoid = true;
  gathering.wordSome(false);
  t.same(settled, [overtaken]);
  t.same(sent(), [2]);
  t.end();
});

t.test(
  'issue 5: where a batch failed all that was gathered comes out again in its order, and nothing of it is sent',
  (t) => {
    const { gathering, sent } = setUp();
    const items = [numbered(1), numbered(2, DISK_WORDED_AT_ONCE_BYTES + 1), numbered(3)];
    for (const item of items) gathering.add(item, true);
    t.ok(gathering.hasBegun);
    t.same(gathering.takeAll(), items);
    t.equal(gathering.count, 0);
    t.notOk(gathering.hasBegun);
    t.same(sent(), []);
    t.end();
  },
);
