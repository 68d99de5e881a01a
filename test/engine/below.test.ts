// Goal: a 304 that picks what lies on disk alone is answered with bytes that are at hand. Method: walks over a memory and a disk tier; the disk loses what it had at the worst moment.
import t, { type Test } from 'tap';
import { MAX_DISK_KEYS } from '../../lib/base/disk-limits.js';
import { OPERATION_BELOW_STEP_COUNT, STORE_STEP_DELAY_MS } from '../../lib/base/limits.js';
import { applyShared, dropAliases } from '../../lib/engine/shared-effects.js';
import { Fields } from '../../lib/http/fields.js';
import { keysUnder } from '../../lib/store/disk-scan.js';
import { SharedClock } from '../../lib/store/shared-clock.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { openDisk } from '../kit/disk.js';
import { makeWalk } from '../kit/walk.js';
import { makeStored } from '../store/make-stored.js';

const VARIED = { 'Cache-Control': 'max-age=10', ETag: '"1"', Vary: 'Accept-Language' };
/** Too large to lie beside its record. */
const HELLO = 'hello'.repeat(20_000);
const KEY = 'http://example.test/a';

/** A German variant that is on disk alone, and a client that wants the English one: its request asks about the other. */
async function askedAbout(t: Test, isSlow = false) {
  const clock = new FakeClock();
  const bench = openDisk(t, { clock });
  const walk = makeWalk({ clock, store: bench.store });
  walk.get('/a', { 'Accept-Language': 'de' });
  walk.origin.last.respond(200, VARIED, HELLO);
  await bench.tier.settled();
  for (const stored of bench.store.peek(KEY) ?? []) bench.store.remove(stored, 'evicted');
  const client = walk.send({ target: '/a' }, { 'Accept-Language': 'en' }, isSlow);
  t.equal(walk.origin.last.field('if-none-match'), '"1"');
  return { bench, walk, client };
}

t.test(
  'RFC 9111 §4.3.4: the body that a 304 picks on disk is whole for its client, whatever the disk does then',
  async (t) => {
    const { bench, walk, client } = await askedAbout(t, true);
    walk.origin.last.respond(304, VARIED);
    t.equal(client.status, 200);
    await walk.engine.operations.purge({ kind: 'url', url: KEY });
    await bench.tier.settled();
    client.read();
    t.equal(client.body, HELLO);
    t.equal(client.ending, 'finished');
  },
);

t.test(
  'issue 5: where the disk has lost the body that a 304 picks, the origin is asked once more, without conditions',
  async (t) => {
    for (const isRecordThere of [true, false]) {
      const { bench, walk, client } = await askedAbout(t);
      bench.file.write(() => {
        bench.file.tables.bodies.clear();
        if (!isRecordThere) bench.file.tables.records.clear();
      });
      walk.origin.last.respond(304, VARIED);
      t.equal(client.status, undefined, 'nothing is promised that cannot be kept');
      t.equal(walk.origin.last.field('if-none-match'), undefined);
      walk.origin.last.respond(200, VARIED, 'hello again');
      t.equal(client.body, 'hello again');
      t.equal(client.ending, 'finished');
      t.equal(walk.origin.count, 3);
    }
  },
);

t.test('RFC 9211 §2.2: a variant that is on disk alone makes it a vary-miss, and nothing a uri-miss', async (t) => {
  const { bench, walk, client } = await askedAbout(t);
  walk.origin.last.respond(200, VARIED, 'hello');
  t.equal(client.reason, 'vary-miss');
  await bench.tier.settled();
  for (const stored of bench.store.known(KEY)) bench.store.remove(stored, 'purged');
  await bench.tier.settled();
  const next = walk.get('/a', { 'Accept-Language': 'en' });
  walk.origin.last.respond(200, VARIED, 'hello');
  t.equal(next.reason, 'uri-miss');
});

t.test('issue 5: a refresh that nobody waits for reads no body', async (t) => {
  const { bench, walk, client } = await askedAbout(t);
  client.leave();
  walk.origin.last.respond(304, VARIED);
  t.equal(bench.tier.stats.hits, 0);
  t.equal(bench.store.known(KEY)[0]?.life.staleAt, walk.clock.now() + 10_000, 'its record is freshened all the same');
});

t.test('issue 4: what is past keep and waits to be swept from disk is counted by no purge and no expiry', async (t) => {
  const clock = new FakeClock();
  const bench = openDisk(t, { clock });
  const walk = makeWalk({ clock, store: bench.store, rule: { keep: { kind: 'fixed', ms: 10_000 } } });
  const target = { kind: 'url', url: KEY } as const;
  walk.get('/a');
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=10', ETag: '"1"' }, HELLO);
  await bench.tier.settled();
  clock.advance(20_000);
  t.equal(bench.store.known(KEY).length, 1, 'it is there');
  t.same(await walk.engine.operations.expire(target), { objects: 0, fills: 0 });
  t.same(await walk.engine.operations.purge(target), { objects: 0, fills: 0 });
  t.equal(bench.store.known(KEY).length, 0, 'and goes all the same');
});

/** A URL with `count` further keys on disk, of which two are looked for at once. */
async function manyKeys(t: Test, count = 5) {
  const clock = new FakeClock();
  const bench = openDisk(t, { clock });
  const { store } = bench;
  const walk = makeWalk({ clock, store });
  const keys = Array.from({ length: count }, (_, at) => `${KEY} x="${at}"`);
  for (const key of [KEY, ...keys, `${KEY}b`]) store.put(makeStored({ key, bornAt: clock.now() }));
  await bench.tier.settled();
  for (const key of [KEY, ...keys, `${KEY}b`]) bench.memory.removeKey(key, 'evicted');
  store.keysBelow = (prefix, count, after) => keysUnder(bench.tier, prefix, count === MAX_DISK_KEYS ? 2 : count, after);
  /** Until nothing more is done, as by a clock that goes on. */
  const done = async (work: Promise<unknown>): Promise<void> => {
    let isOver = false;
    void work.then(() => {
      isOver = true;
    });
    for (let turn = 0; turn < 100 && !isOver; turn++) {
      clock.advance(STORE_STEP_DELAY_MS);
      await turns();
    }
    t.ok(isOver);
  };
  /** So many steps, as by a clock that goes on. */
  const steps = async (count: number): Promise<void> => {
    for (let step = 0; step < count; step++) {
      clock.advance(STORE_STEP_DELAY_MS);
      await turns();
    }
  };
  return { bench, walk, store, keys, done, steps };
}

t.test('a purge of a URL reaches more keys of it than are looked for at once', async (t) => {
  const { walk, store, keys, done } = await manyKeys(t);
  const purged = walk.engine.operations.purge({ kind: 'url', url: KEY });
  await done(purged);
  t.match(await purged, { objects: 6, fills: 0 });
  t.same(
    [KEY, ...keys].flatMap((key) => store.known(key)),
    [],
  );
  t.equal(store.known(`${KEY}b`).length, 1, 'and nothing that only begins like it');
});

t.test('an expiry of a URL reaches them too', async (t) => {
  const { walk, store, keys, done } = await manyKeys(t);
  const expired = walk.engine.operations.expire({ kind: 'url', url: KEY });
  await done(expired);
  t.match(await expired, { objects: 6 });
  for (const key of keys) t.ok((store.known(key)[0]?.life.staleAt ?? 0) <= walk.clock.now(), key);
  t.ok((store.known(`${KEY}b`)[0]?.life.staleAt ?? 0) > walk.clock.now());
});

t.test('RFC 9111 §4.4: an unsafe request invalidates them too, in steps', async (t) => {
  const { walk, store, keys, steps } = await manyKeys(t);
  walk.engine.purging.purgeKey(KEY, 'invalidated');
  await steps(3);
  t.same(
    [KEY, ...keys].flatMap((key) => store.known(key)),
    [],
  );
  t.equal(store.known(`${KEY}b`).length, 1);
});

t.test('RFC 9111 §4.4: what comes back behind such steps goes with the next unsafe request', async (t) => {
  const count = OPERATION_BELOW_STEP_COUNT * 2 + 1;
  const { walk, store, keys, steps } = await manyKeys(t, count);
  const { purging } = walk.engine;
  const early = keys[10] ?? '';
  purging.purgeKey(KEY, 'invalidated');
  await steps(1);
  t.same(store.known(early), []);
  const left = keys.filter((key) => store.known(key).length > 0).length;
  t.equal(left, OPERATION_BELOW_STEP_COUNT - 1, 'a step of it has been done');
  store.put(makeStored({ key: early, bornAt: walk.clock.now() }));
  purging.purgeKey(KEY, 'invalidated');
  await steps(6);
  t.same(
    keys.flatMap((key) => store.known(key)),
    [],
  );
});

t.test('RFC 9111 §4.4: so does what has come back before the place that the steps wait to go on from', async (t) => {
  const { walk, store, keys, bench, steps } = await manyKeys(t);
  const { purging } = walk.engine;
  for (let at = 0; at < 2; at++) purging.purgeKey(KEY, 'invalidated');
  // Before all others, and more than are looked for at once.
  const early = ['!1', '!2', '!3'].map((value) => `${KEY} x="${value}"`);
  for (const key of early) store.put(makeStored({ key, bornAt: walk.clock.now() }));
  await bench.tier.settled();
  for (const key of early) bench.memory.removeKey(key, 'evicted');
  purging.purgeKey(KEY, 'invalidated');
  await steps(6);
  t.same(
    [...early, ...keys].flatMap((key) => store.known(key)),
    [],
  );
});

t.test('RFC 9111 §4.4: where such a step breaks, the next unsafe request begins anew', async (t) => {
  const { walk, store, keys, steps } = await manyKeys(t);
  const { purging } = walk.engine;
  const { keysBelow } = store;
  store.keysBelow = (prefix, count, after) => {
    if (after !== undefined) throw new Error('broken');
    return keysBelow(prefix, count, after);
  };
  purging.purgeKey(KEY, 'invalidated');
  await steps(1);
  t.same(
    walk.notices.map(({ code }) => code),
    ['internal'],
    'it is told',
  );
  t.equal(purging.walked(), undefined);
  store.keysBelow = keysBelow;
  purging.purgeKey(KEY, 'invalidated');
  await steps(1);
  t.same(
    keys.flatMap((key) => store.known(key)),
    [],
  );
});

t.test('issue 5: a purge of a URL by another machine reaches them too', async (t) => {
  const { walk, store, keys, steps } = await manyKeys(t);
  const reach = { kind: 'keys', keys: [KEY] } as const;
  const op = { effect: 'purge', reach, at: walk.clock.now(), by: 'another' } as const;
  applyShared(walk.engine, new SharedClock(walk.clock), [op]);
  await steps(3);
  t.same(
    [KEY, ...keys].flatMap((key) => store.known(key)),
    [],
  );
  t.equal(store.known(`${KEY}b`).length, 1);
});

/** The same, with what was pushed under the last key, and what came later under the one before it. */
async function withNewer(t: Test) {
  const many = await manyKeys(t);
  const { walk, store, keys } = many;
  const [newer = '', pushed = ''] = keys.slice(-2);
  store.put({ ...makeStored({ key: pushed, bornAt: walk.clock.now() }), pushed: true });
  const comes = (): void => {
    walk.clock.advance(1_000);
    store.put(makeStored({ key: newer, bornAt: walk.clock.now() }));
  };
  const left = (): string[] => keys.filter((key) => store.known(key).length > 0);
  return { ...many, comes, left, newer, pushed };
}

t.test('issue 5: a push takes the place of what was fetched under them too, and of nothing else', async (t) => {
  const { walk, store, steps, comes, left, newer, pushed } = await withNewer(t);
  const fields = Fields.of({ 'Cache-Control': 'max-age=60' });
  const head = { status: 200, reasonPhrase: 'OK', fields, selecting: Fields.empty, bodyBytes: undefined };
  const pushing = walk.engine.operations.update(KEY, head);
  if ('refused' in pushing) throw new Error(pushing.refused);
  pushing.end();
  t.ok(walk.engine.purging.walked(), 'what goes in steps is waited for');
  comes();
  await steps(3);
  t.equal(walk.engine.purging.walked(), undefined);
  t.same(left(), [newer, pushed]);
  t.equal(store.known(KEY)[0]?.pushed, true);
  t.equal(store.known(`${KEY}b`).length, 1);
});

t.test('issue 5: so does one by another machine, whether that tells of it or is heard of', async (t) => {
  for (const isTold of [true, false]) {
    const { walk, steps, comes, left, newer, pushed } = await withNewer(t);
    const clock = new SharedClock(walk.clock);
    const reach = { kind: 'keys', keys: [KEY], but: 'pushed' } as const;
    const news = { by: 'another', key: KEY, variant: 'all', what: 'pushed', how: {}, record: undefined } as const;
    if (isTold) applyShared(walk.engine, clock, [{ effect: 'purge', reach, at: walk.clock.now(), by: 'another' }]);
    else t.same(dropAliases(walk.engine, clock, news, undefined), [KEY], 'all are told of by one word');
    comes();
    await steps(3);
    t.same(left(), [newer, pushed]);
  }
});

t.test(
  'issue 5: a push is over once it is on disk: what it takes the place of is not there again after a kill',
  async (t) => {
    const clock = new FakeClock();
    const bench = openDisk(t, { clock });
    const walk = makeWalk({ clock, store: bench.store });
    walk.get('/a');
    walk.origin.last.respond(200, { 'Cache-Control': 'max-age=600' }, 'from the origin');
    await bench.tier.settled();
    const fields = Fields.of({ 'Cache-Control': 'max-age=600' });
    const push = async (body: string): Promise<unknown> => {
      const head = { status: 200, reasonPhrase: 'OK', fields, selecting: Fields.empty, bodyBytes: undefined };
      const pushing = walk.engine.operations.update(KEY, head);
      if ('refused' in pushing) throw new Error(pushing.refused);
      pushing.write(Buffer.from(body));
      return pushing.end();
    };
    t.same(await push('pushed'), { fills: 0, bytes: 6, ttlMs: 600_000 });
    bench.fail = 'EIO';
    t.match(await push('pushed again'), { bytes: 12, pending: ['disk'] }, 'where that cannot be now it says so');
    const again = makeWalk({ clock, store: (await bench.killed()).store });
    const client = again.get('/a');
    t.equal(client.body, 'pushed');
  },
);
