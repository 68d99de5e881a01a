// Goal: decision 0022, a small response is found on disk in one look, and never wrongly. Method: a tier on a directory of its own, looked at both ways.
import t from 'tap';
import { DISK_ABSENT_MS, DISK_INLINE_BODY_BYTES } from '../../lib/base/disk-limits.js';
import { Fields } from '../../lib/http/fields.js';
import { Body } from '../../lib/object/body.js';
import { oneMaker } from '../../lib/object/made-by.js';
import { FROM_RECORD } from '../../lib/object/record-stored.js';
import { Segments } from '../../lib/object/segments.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { recordKey } from '../../lib/store/disk-keys.js';
import type { DiskBench } from '../kit/disk.js';
import { setUp } from './disk-walk.kit.js';
import { freshened } from './make-stored.js';

const KB = 1024;
const KEY = 'http://a.test/';

/** What a lookup finds below, as the engine asks for it. */
function recalled(bench: DiskBench, key = KEY): StoredResponse | undefined {
  return bench.store.recall(key, ([one]) => one);
}

/** Changes a byte of an entry in the file behind the tier's back. */
function damage(bench: DiskBench, key: Buffer, at: number): void {
  const { records } = bench.file.tables;
  bench.file.write(() => {
    const value = records.get(key);
    if (value === undefined) throw new Error('there is nothing to damage');
    value[at] = (value[at] as number) ^ 0xff;
    records.put(key, value);
  });
  bench.file.refresh();
}

t.test(
  'decision 0022: a damaged byte anywhere in the entry of a small response makes it a miss, for either way to look',
  async (t) => {
    const { bench, make } = setUp(t);
    bench.store.put(make({ bodyBytes: 30 }));
    const again = await bench.reopened();
    const place = recordKey(KEY, { names: [], values: [] });
    const whole = again.file.tables.records.get(place) ?? Buffer.alloc(0);
    t.ok(whole.length > 100);
    for (let at = 0; at < whole.length; at++) {
      damage(again, place, at);
      if (again.store.below?.glance(KEY) !== undefined) t.fail(`it is given with byte ${at} damaged`);
      damage(again, place, at);
    }
    t.ok(again.store.below?.glance(KEY));
    damage(again, place, whole.length - 1);
    t.equal(recalled(again), undefined);
    t.equal(again.tier.stats.unreadable.checksum, 1);
  },
);

t.test(
  'decision 0022: one look gives what is whole, small, alone under its key, and written; anything else takes more',
  async (t) => {
    const { clock, bench, make } = setUp(t, { memoryBytes: 64 * KB });
    const evict = (key: string): unknown => bench.memory.removeKey(key, 'evicted');
    bench.store.put(make({ bodyBytes: 100 }));
    evict(KEY);
    t.equal(bench.store.below?.glance(KEY), undefined, 'it waits to be written');
    await bench.tier.settled();
    const found = bench.store.below?.glance(KEY);
    t.equal(found?.stored?.body.receivedBytes, 100);
    t.equal(bench.store.peek(KEY), undefined, 'nothing is promoted by a look');
    t.equal(bench.store.below?.glance(`${KEY}other`), undefined);
    bench.store.put(make({ key: `${KEY}large`, bodyBytes: DISK_INLINE_BODY_BYTES + 1 }));
    bench.store.put(make({ key: `${KEY}varied`, language: 'de', bodyBytes: 1 }));
    const run = { from: 0, until: 1, chunks: [Buffer.alloc(1)] };
    bench.store.put({ ...make({ key: `${KEY}part` }), body: Body.empty, partial: Segments.of(run, 3) });
    bench.store.put(make({ key: `${KEY}first`, bodyBytes: 1 }));
    await bench.tier.settled();
    bench.store.put(make({ key: `${KEY}second`, language: 'de', bodyBytes: 1 }));
    bench.store.put(make({ key: `${KEY}first`, language: 'de', bodyBytes: 1 }));
    await bench.tier.settled();
    bench.store.put(make({ key: `${KEY}second`, bodyBytes: 1 }));
    await bench.tier.settled();
    for (const name of ['large', 'varied', 'part', 'first', 'second']) {
      evict(`${KEY}${name}`);
      t.equal(bench.store.below?.glance(`${KEY}${name}`), undefined, name);
      t.ok(recalled(bench, `${KEY}${name}`), `${name} is there`);
    }
    clock.advance(10);
    bench.store.removeKey(KEY, 'purged');
    t.equal(bench.store.below?.glance(KEY), undefined, 'a purge holds at once');
    await bench.tier.settled();
    t.equal(bench.store.below?.glance(KEY), undefined);
  },
);

t.test('decision 0022: a key that is given in two parts is the one that they are together', async (t) => {
  const { bench, make } = setUp(t);
  const rests = ['', 'x', 'x/é', '€', 'y'.repeat(90), 'z'.repeat(400)];
  for (const rest of rests) bench.store.put(make({ key: `${KEY}${rest}`, bodyBytes: 1 + rest.length }));
  await bench.tier.settled();
  for (const rest of rests) bench.memory.removeKey(`${KEY}${rest}`, 'evicted');
  for (const rest of rests) {
    const whole = `${KEY}${rest}`;
    const found = bench.store.below?.glance(whole)?.stored;
    t.equal(found === undefined, whole.length > 256, 'one that is cut on disk takes more than a look');
    for (const at of [0, 7, KEY.length, whole.length]) {
      const seen = bench.store.below?.glance(whole.slice(0, at), whole.slice(at));
      t.strictSame([seen?.key, seen?.stored?.body.receivedBytes], [found?.key, found?.body.receivedBytes], whole);
      t.equal(bench.store.below?.glance(whole.slice(0, at), `${whole.slice(at)}+`), undefined);
    }
  }
});

t.test(
  'decision 0022: what one look gave is promoted while memory has room, and then at its second use within a while',
  async (t) => {
    const { bench, make } = setUp(t, { memoryBytes: 64 * KB });
    const keys = Array.from({ length: 60 }, (_, at) => `${KEY}${at}`);
    for (const key of keys) bench.store.put(make({ key, bodyBytes: 2 * KB }));
    await bench.tier.settled();
    const use = (key: string): boolean => {
      const found = bench.store.below?.glance(key);
      if (found !== undefined) bench.store.below?.glanced();
      return bench.store.peek(key) !== undefined;
    };
    const below = keys.filter((key) => bench.store.peek(key) === undefined);
    t.ok(below.length > 20);
    t.notOk(below.some(use), 'memory is full of what was used as often');
    const { hits } = bench.tier.stats;
    t.equal(hits, below.length);
    const [again = ''] = below;
    t.ok(use(again));
    for (const key of keys) bench.memory.removeKey(key, 'evicted');
    const { body } = make({ bodyBytes: 60 * KB });
    body.take();
    bench.memory.leaveOut(body);
    t.notOk(use(keys[58] ?? ''), 'clients hold all of it');
    body.giveBack();
    t.ok(use(keys[59] ?? ''), 'memory is empty');
  },
);

t.test(
  'decision 0022: a header record that comes without its small body is put around the one that is there',
  async (t) => {
    const { clock, bench, make } = setUp(t);
    const content = Buffer.from(Array.from({ length: 1500 }, (_, at) => at * 7));
    const body = Body.of([content]);
    const stored = make({ body });
    bench.store.put(stored);
    await bench.tier.settled();
    clock.advance(1000);
    const fields = Fields.of({ ETag: '"1"', 'X-New': 'a value that makes the record longer' });
    bench.store.swap(stored, freshened(stored, clock.now(), fields));
    await bench.tier.settled();
    t.equal(bench.tier.stats.writes.header, 1);
    const again = await bench.reopened();
    const found = again.store.below?.glance(KEY)?.stored;
    t.equal(found?.fields.get('x-new'), 'a value that makes the record longer');
    t.ok(Buffer.concat(found?.body.wholeChunks ?? []).equals(content));
  },
);

t.test('decision 0022: what a rule made is known to be of it after a restart, where it says the same', async (t) => {
  const { bench, make } = setUp(t);
  const rule = oneMaker({ name: 'one' }, 'ttl of the one');
  t.equal(oneMaker({ name: 'one' }, 'ttl of the one'), rule);
  t.not(oneMaker({ name: 'two' }, 'ttl of the other'), rule);
  bench.store.put({ ...make(), madeBy: rule });
  bench.store.put({ ...make({ key: `${KEY}unknown` }), madeBy: { name: 'never told of' } });
  const again = await bench.reopened();
  t.equal(recalled(again)?.madeBy, rule);
  t.equal(recalled(again, `${KEY}unknown`)?.madeBy, FROM_RECORD);
});

t.test('issue 5: a damaged entry that nobody asks for goes when its time comes', async (t) => {
  const { clock, bench, make } = setUp(t);
  bench.store.put(make({ ttlMs: 1000, graceMs: 0, keepMs: 0 }));
  await bench.tier.settled();
  damage(bench, recordKey(KEY, { names: [], values: [] }), 70);
  clock.advance(200_000);
  while (bench.tier.stats.records > 0) {
    clock.advance(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(bench.tier.stats.removed.damaged, 1);
});

/** What is looked up in the file from now on, by table. */
function countLooks({ file }: DiskBench): Record<'records' | 'varied', number> {
  const looks = { records: 0, varied: 0 };
  for (const name of ['records', 'varied'] as const) {
    const table = file.tables[name];
    for (const way of ['get', 'view', 'look', 'has'] as const) {
      const look = table[way] as (key: Uint8Array) => unknown;
      Object.assign(table, { [way]: (key: Uint8Array) => looks[name]++ >= 0 && look(key) });
    }
  }
  return looks;
}

t.test('decision 0022: a miss looks once for what stands under its key, and once for its variants', async (t) => {
  const { bench, clock, make } = setUp(t);
  bench.store.put(make({ key: `${KEY}other` }));
  const again = await bench.reopened();
  const looks = countLooks(again);
  const miss = (): void => {
    t.equal(again.store.below?.glance('http://a.test', '/'), undefined);
    t.equal(recalled(again), undefined);
    for (let times = 0; times < 2; times++) t.same(again.store.known(KEY, true), []);
  };
  miss();
  t.same(looks, { records: 1, varied: 1 });
  t.same(again.store.known(KEY), [], 'who does not come from a miss looks anew');
  t.same(looks, { records: 2, varied: 2 });
  clock.advance(DISK_ABSENT_MS + 1);
  t.same(again.store.known(KEY, true), [], 'and so does who comes late');
  t.same(looks, { records: 3, varied: 3 });
});

t.test('decision 0022: what is stored after a miss has looked for it is known at once, written or not', async (t) => {
  const { bench, make } = setUp(t);
  t.equal(bench.store.below?.glance(KEY), undefined);
  t.equal(recalled(bench), undefined);
  bench.store.put(make({ bodyBytes: 10 }));
  bench.memory.removeKey(KEY, 'evicted');
  t.equal(bench.store.known(KEY, true).length, 1, 'it waits to be written');
  await bench.tier.settled();
  t.equal(bench.store.known(KEY, true).length, 1, 'it is written');
  t.equal(recalled(bench)?.key, KEY);
});

t.test('decision 0022: a glance at one key says nothing of another', async (t) => {
  const { bench, make } = setUp(t);
  bench.store.put(make({ key: `${KEY}ab`, bodyBytes: 10 }));
  const again = await bench.reopened();
  t.equal(again.store.below?.glance(KEY, 'bb'), undefined);
  t.equal(recalled(again, `${KEY}ab`)?.key, `${KEY}ab`);
});
