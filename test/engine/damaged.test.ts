// Goal: issue 5, a reply in the middle of which the disk turns out to have lost a chunk goes on with what the origin gives. Method: walks over a disk tier that is damaged behind its back.
import t, { type Test } from 'tap';
import { MAX_COPIES_GOING_ON } from '../../lib/base/limits.js';
import { MAX_HELD_UP_MS } from '../../lib/base/origin-limits.js';
import { chunkKey, DISK_CHUNK_BYTES } from '../../lib/store/disk-keys.js';
import { FakeClock } from '../kit/clock.js';
import { type DiskBench, openDisk } from '../kit/disk.js';
import { makeWalk, type WalkOptions } from '../kit/walk.js';

const FRESH = { 'Cache-Control': 'max-age=60', ETag: '"1"' };
/** Too large to come into memory when it is asked for; each place of it tells where it is. */
const WHOLE = Array.from({ length: 256 * 1024 }, (_, at) => `${at} `.padStart(8, '.')).join('');
const CHUNKS = Math.ceil(WHOLE.length / DISK_CHUNK_BYTES);
const LOST = 2;
const FROM = LOST * DISK_CHUNK_BYTES;
const REST = { ETag: '"1"', 'Content-Range': `bytes ${FROM}-${WHOLE.length - 1}/${WHOLE.length}` };

/** Takes a chunk of the only body on disk away, or changes a byte of it, behind the tier's back. */
function harm(bench: DiskBench, index: number, how: 'gone' | 'changed'): void {
  let id: Buffer | undefined;
  bench.file.tables.bodies.range(Buffer.of(0), Buffer.alloc(16, 0xff), (key) => {
    id = Buffer.from(key.subarray(0, 12));
    return false;
  });
  if (id === undefined) throw new Error('there is no body');
  const key = chunkKey(id, index);
  bench.file.write(() => {
    const value = bench.file.tables.bodies.get(key);
    if (value === undefined) throw new Error('there is no such chunk');
    if (how === 'gone') bench.file.tables.bodies.remove(key);
    else bench.file.tables.bodies.put(key, value.fill(1, 5000, 5001));
  });
  bench.file.refresh();
}

/** A body on disk alone, as after a restart, that has lost its chunk number LOST. */
async function damaged(
  t: Test,
  { how = 'changed', fields = FRESH, ...more }: { how?: 'gone' | 'changed'; fields?: typeof FRESH } & WalkOptions = {},
) {
  const clock = new FakeClock();
  const first = openDisk(t, { clock });
  const before = makeWalk({ clock, store: first.store });
  before.get('/a');
  before.origin.last.respond(200, fields, WHOLE);
  const bench = await first.reopened();
  harm(bench, LOST, how);
  return { bench, walk: makeWalk({ clock, ...more, store: bench.store }) };
}

t.test('issue 5: where a chunk of a large body is damaged or gone, its reply goes on with the rest', async (t) => {
  for (const how of ['changed', 'gone'] as const) {
    const { bench, walk } = await damaged(t, { how });
    const client = walk.get('/a');
    t.match([client.status, client.outcome, client.ending], [200, 'HIT', 'streaming'], how);
    t.equal(client.body, WHOLE.slice(0, FROM), 'not one wrong byte');
    const { last } = walk.origin;
    t.match([last.field('range'), last.field('if-range')], [`bytes=${FROM}-`, '"1"']);
    last.head(206, REST).data(WHOLE.slice(FROM, FROM + 1000));
    t.equal(client.body.length, FROM + 1000, 'as it comes');
    last.data(WHOLE.slice(FROM + 1000)).end();
    t.equal(client.ending, 'finished');
    t.ok(client.body === WHOLE);
    t.equal(bench.tier.stats.unreadable.body, 1);
    await bench.tier.settled();
    t.match([bench.tier.stats.records, bench.tier.stats.removed.damaged], [0, 1]);
    t.equal(walk.get('/a').ending, 'waiting', 'a miss from then on');
    t.equal(walk.origin.count, 2);
    t.match(walk.asked, [{ end: 'uncacheable', status: undefined, background: false }]);
  }
});

t.test('issue 5: where the origin does not give the rest, the client is cut off', async (t) => {
  const total = WHOLE.length;
  const answers: readonly [what: string, status: number, fields: Record<string, string>][] = [
    ['no ranges', 200, FRESH],
    ['another one', 206, { ...REST, ETag: '"2"' }],
    ['no strong validator', 206, { ...REST, ETag: 'W/"1"' }],
    ['another length', 206, { ...REST, 'Content-Range': `bytes ${FROM}-${total}/${total + 1}` }],
    ['another place', 206, { ...REST, 'Content-Range': `bytes ${FROM + 1}-${total - 1}/${total}` }],
    ['not satisfiable', 416, {}],
    ['an error', 503, {}],
  ];
  for (const [what, status, fields] of answers) {
    const { walk } = await damaged(t);
    const client = walk.get('/a');
    walk.origin.last.head(status, fields);
    t.equal(client.ending, 'broken', what);
    t.equal(client.body.length, FROM);
    t.ok(walk.origin.last.isAborted, what);
    t.equal(walk.engine.stats.fills, 0);
    const next = walk.get('/a');
    walk.origin.last.respond(200, FRESH, WHOLE);
    t.ok(next.body === WHOLE, 'and the next one is a miss');
  }
});

t.test('issue 5: a rest that comes short never ends cleanly', async (t) => {
  const { walk } = await damaged(t);
  const client = walk.get('/a');
  walk.origin.last
    .head(206, REST)
    .data(WHOLE.slice(FROM, FROM + 10))
    .end();
  t.equal(client.ending, 'broken');
  t.equal(client.body.length, FROM + 10);
});

t.test('issue 5: a rest that breaks off is asked for once more, where it stood', async (t) => {
  const { walk } = await damaged(t);
  const client = walk.get('/a');
  walk.origin.last
    .head(206, REST)
    .data(WHOLE.slice(FROM, FROM + 10))
    .fail();
  t.equal(walk.origin.last.field('range'), `bytes=${FROM + 10}-`);
  const range = `bytes ${FROM + 10}-${WHOLE.length - 1}/${WHOLE.length}`;
  walk.origin.last.respond(206, { ...REST, 'Content-Range': range }, WHOLE.slice(FROM + 10));
  t.equal(client.ending, 'finished');
  t.ok(client.body === WHOLE);
});

t.test('issue 5: the rest is not asked for where it could not be told to be of the same body', async (t) => {
  for (const etag of ['W/"1"', 'none']) {
    const { walk } = await damaged(t, { fields: { ...FRESH, ETag: etag } });
    t.equal(walk.get('/a').ending, 'broken', etag);
    t.equal(walk.origin.count, 0);
  }
});

t.test('RFC 9111 §5.2.1.7: the rest is not asked for where the client wants what is stored alone', async (t) => {
  const { walk } = await damaged(t);
  t.equal(walk.send({ target: '/a' }, { 'Cache-Control': 'only-if-cached' }).ending, 'broken');
  t.equal(walk.origin.count, 0);
});

t.test('issue 5: a range over the damage is cut off, and one beside it is served', async (t) => {
  const { walk } = await damaged(t);
  const beside = walk.get('/a', { Range: `bytes=0-${FROM - 1}` });
  t.match([beside.status, beside.ending], [206, 'finished']);
  t.equal(walk.head('/a').ending, 'finished');
  t.equal(walk.get('/a', { Range: `bytes=10-${FROM + 10}` }).ending, 'broken');
  t.equal(walk.origin.count, 0);
});

t.test('issue 5: the rest comes at the pace of its client, and is given up where that one leaves', async (t) => {
  const { walk } = await damaged(t);
  const client = walk.send({ target: '/a' }, {}, true);
  t.equal(walk.origin.count, 0, 'not before it is wanted');
  client.read();
  walk.origin.last.head(206, REST);
  const { last } = walk.origin;
  for (let at = FROM; at < WHOLE.length && !last.isPaused; at += 4096) last.data(WHOLE.slice(at, at + 4096));
  t.ok(last.isPaused);
  client.read();
  t.notOk(last.isPaused);
  t.ok(client.body === WHOLE.slice(0, client.body.length));
  client.leave();
  t.ok(last.isAborted);
  t.equal(walk.engine.stats.fills, 0);
});

t.test('decision 0009: the rest gives way where others wait for a connection to the origin', async (t) => {
  const { walk } = await damaged(t);
  const client = walk.send({ target: '/a' }, {}, true);
  client.read();
  const { last } = walk.origin;
  last.head(206, REST);
  for (let at = FROM; !last.isPaused; at += 4096) last.data(WHOLE.slice(at, at + 4096));
  walk.clock.advance(MAX_HELD_UP_MS);
  t.notOk(last.isAborted, 'nobody waits');
  last.isAwaited = true;
  walk.clock.advance(MAX_HELD_UP_MS);
  t.ok(last.isAborted);
  client.read();
  t.equal(client.ending, 'broken');
});

t.test('MAX_COPIES_GOING_ON: clients beyond that are cut off', async (t) => {
  const { walk } = await damaged(t);
  const clients = Array.from({ length: MAX_COPIES_GOING_ON + 1 }, () => walk.send({ target: '/a' }, {}, true));
  for (const client of clients) client.read();
  t.equal(walk.origin.count, MAX_COPIES_GOING_ON);
  t.equal(clients.at(-1)?.ending, 'broken');
  for (const exchange of walk.origin.exchanges) exchange.respond(206, REST, WHOLE.slice(FROM));
  for (const client of clients.slice(0, -1)) {
    client.read();
    t.ok(client.body === WHOLE);
  }
});

t.test('MAX_COPIES_GOING_ON: one of these whose rest breaks off asks for what is still missing', async (t) => {
  const { walk } = await damaged(t);
  const clients = Array.from({ length: MAX_COPIES_GOING_ON }, () => walk.send({ target: '/a' }, {}, true));
  for (const client of clients) client.read();
  walk.origin.last
    .head(206, REST)
    .data(WHOLE.slice(FROM, FROM + 10))
    .fail();
  t.equal(walk.origin.count, MAX_COPIES_GOING_ON + 1);
  t.equal(walk.origin.last.field('range'), `bytes=${FROM + 10}-`);
});

t.test('promise 4: an origin that fails is asked by a clock, and for no rest', async (t) => {
  const { walk } = await damaged(t);
  walk.engine.parts.failures.note('http://example.test/a', undefined, 'unreachable');
  t.equal(walk.get('/a').ending, 'broken');
  t.equal(walk.origin.count, 0);
});

t.test('a body that is sound is read to its end, and the origin is not asked', async (t) => {
  t.ok(CHUNKS > LOST + 1);
  const clock = new FakeClock();
  const first = openDisk(t, { clock });
  const before = makeWalk({ clock, store: first.store });
  before.get('/a');
  before.origin.last.respond(200, FRESH, WHOLE);
  const bench = await first.reopened();
  const walk = makeWalk({ clock, store: bench.store });
  t.ok(walk.get('/a').body === WHOLE);
  t.equal(walk.origin.count, 0);
});

t.test(
  'RFC 9110 §14.6: several ranges of a body that is on disk alone are read there, one after another',
  async (t) => {
    const { walk } = await damaged(t);
    const asked = [
      [0, 9],
      [DISK_CHUNK_BYTES - 5, DISK_CHUNK_BYTES + 5],
      [WHOLE.length - 7, WHOLE.length - 1],
    ] as const;
    const client = walk.get('/a', { Range: `bytes=${asked.map((ends) => ends.join('-')).join()}` });
    t.match([client.status, client.outcome, client.ending], [206, 'HIT', 'finished']);
    const boundary = /^multipart\/byteranges; boundary=(.+)$/.exec(client.field('content-type') ?? '')?.[1];
    const parts = asked.map(
      ([from, last]) =>
        `--${boundary}\r\nContent-Range: bytes ${from}-${last}/${WHOLE.length}\r\n\r\n${WHOLE.slice(from, last + 1)}\r\n`,
    );
    t.equal(client.body, `${parts.join('')}--${boundary}--\r\n`);
    const payload = client.replied?.payload;
    t.match(payload, { kind: 'reader', length: client.body.length });
    const over = walk.get('/a', { Range: `bytes=0-9,${FROM + 1}-${FROM + 9}` });
    t.match([over.status, over.ending], [206, 'broken'], 'one that is damaged is cut off');
    t.equal(walk.origin.count, 0);
  },
);
