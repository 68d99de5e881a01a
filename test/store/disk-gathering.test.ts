// Goal: decision 0037, what is small is put into words as soon as there are several, what is large in its turn, and all in the order in which it came. Method: orders of known lengths, read back from the batches.
import t from 'tap';
import { DISK_BATCH_ORDERS, DISK_WORDED_AT_ONCE_BYTES, DISK_WORDED_TOGETHER } from '../../lib/base/disk-limits.js';
import { ordersIn } from '../../lib/store/disk-batch.js';
import { DiskGathering } from '../../lib/store/disk-gathering.js';
import { type Item, type PlainItem, putItem } from '../../lib/store/disk-queued.js';
import { makeStored } from './make-stored.js';

/** An order that is known again by a number. */
function numbered(number: number, bytes = 100): PlainItem {
  return { kind: 'plain', order: { kind: 'hot', list: Buffer.of(number) }, bytes, over: undefined, isVoid: false };
}

function setUp(): { gathering: DiskGathering; settled: Item[]; sent(): number[] } {
  const settled: Item[] = [];
  const unwordable: Item[] = [];
  const gathering = new DiskGathering({
    encode: () => false,
    overtaken: () => undefined,
    settled: (item) => settled.push(item),
    unwordable: (item) => unwordable.push(item),
  });
  const sent = (): number[] => {
    const { batch } = gathering.take([]);
    const numbers = [...ordersIn(batch.take())].map((order) => (order.kind === 'hot' ? (order.list[0] ?? -1) : -1));
    gathering.giveBack(batch);
    return numbers;
  };
  return { gathering, settled, sent };
}

t.test(
  'decision 0037: what is small goes into words several at a time, what is large and all behind it in its turn',
  (t) => {
    const { gathering, sent } = setUp();
    for (let at = 1; at < DISK_WORDED_TOGETHER; at++) gathering.add(numbered(at), true);
    t.equal(gathering.unwordedCount, DISK_WORDED_TOGETHER - 1);
    gathering.add(numbered(DISK_WORDED_TOGETHER), true);
    t.equal(gathering.unwordedCount, 0);
    gathering.add(numbered(100), true);
    gathering.add(numbered(101, DISK_WORDED_AT_ONCE_BYTES + 1), true);
    for (let at = 102; at < 100 + DISK_WORDED_TOGETHER; at++) gathering.add(numbered(at), true);
    t.equal(gathering.unwordedCount, DISK_WORDED_TOGETHER - 1, 'up to the large one');
    t.equal(gathering.count, DISK_WORDED_TOGETHER * 2);
    t.same(sent(), [1, 2, 3, 4, 5, 6, 7, 8, 100]);
    for (let turn = 0; turn < DISK_WORDED_TOGETHER; turn++) gathering.wordSome(false);
    t.equal(gathering.unwordedCount, 0);
    t.same(sent(), [101, 102, 103, 104, 105, 106, 107]);
    t.end();
  },
);

t.test('decision 0037: a batch takes so many orders, and what comes beyond goes with the next', (t) => {
  const { gathering, sent } = setUp();
  const all = DISK_BATCH_ORDERS + DISK_WORDED_TOGETHER;
  for (let at = 0; at < all; at++) gathering.add(numbered(at % 250), true);
  t.notOk(gathering.hasRoom);
  t.equal(gathering.unwordedCount, DISK_WORDED_TOGETHER);
  t.equal(sent().length, DISK_BATCH_ORDERS);
  gathering.add(numbered(7), true);
  const beyond = Array.from({ length: DISK_WORDED_TOGETHER }, (_, at) => (DISK_BATCH_ORDERS + at) % 250);
  t.same(sent(), beyond, 'as many as go together, with what comes');
  t.equal(gathering.unwordedCount, 1);
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
    const items = Array.from({ length: DISK_WORDED_TOGETHER }, (_, at) => numbered(at));
    items.push(numbered(98, DISK_WORDED_AT_ONCE_BYTES + 1), numbered(99));
    for (const item of items) gathering.add(item, true);
    t.ok(gathering.hasBegun);
    t.same(gathering.takeAll(), items);
    t.equal(gathering.count, 0);
    t.notOk(gathering.hasBegun);
    t.same(sent(), []);
    t.end();
  },
);

t.test('decision 0037: of what breaks on its way into words nothing is sent, and all around it is', (t) => {
  const broken: Item[] = [];
  const gathering = new DiskGathering({
    encode(_item, to) {
      to.add({ kind: 'chunk', key: Buffer.from('chunk'), value: Buffer.alloc(100_000) });
      // Only half of what is to be told of it.
      to.add({ kind: 'chunk', key: Buffer.from('chunk'), value: undefined as unknown as Buffer });
      return false;
    },
    overtaken: () => undefined,
    settled: () => undefined,
    unwordable: (item) => broken.push(item),
  });
  const bad = putItem(
    { stored: makeStored({ bornAt: 0 }), place: 'bad', bodyBytes: 0, mayStay: true, isAgain: false, isWithBody: true },
    true,
    0,
  );
  for (const item of [numbered(1), bad, numbered(2)]) gathering.add(item, false);
  for (let turn = 0; turn < 3; turn++) gathering.wordSome(true);
  t.same(broken, [bad]);
  const { batch, items } = gathering.take([]);
  t.equal(items.length, 2);
  const orders = [...ordersIn(batch.take())];
  t.same(
    orders.map((order) => order.kind === 'hot' && order.list[0]),
    [1, 2],
  );
  t.end();
});
