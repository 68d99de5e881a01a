// Goal: a body whose length nobody said, and which another worker stores on the disk in common, reaches every client here whole. Method: two walks at one desk of leases, one of them over a disk tier.
import t, { type Test } from 'tap';
import { SPILL_FROM_BYTES } from '../../lib/base/disk-limits.js';
import { DISK_CHUNK_BYTES } from '../../lib/store/disk-keys.js';
import { FakeClock } from '../kit/clock.js';
import { type DiskBench, openDisk } from '../kit/disk.js';
import { LeaseDesk, lyingBelow, PlayedBody, turns } from '../kit/lease-desk.js';
import { makeWalk, type Walk } from '../kit/walk.js';

const FIELDS = { 'Cache-Control': 'max-age=60', ETag: '"1"' };
const MB = 1024 * 1024;
/** Each place of it tells where it is. */
const PIECES = Array.from({ length: (2 * SPILL_FROM_BYTES) / MB + 2 }, (_, piece) =>
  Array.from({ length: MB / 8 }, (_, at) => `${piece * MB + at * 8} `.padStart(9, '.').slice(1)).join(''),
);
const WHOLE = PIECES.join('');

/** Two clients, the first of whom takes all at once, follow what another worker gets. */
async function following(t: Test) {
  const clock = new FakeClock();
  const desk = new LeaseDesk(clock);
  const here = makeWalk({ clock, leases: desk });
  const bench = openDisk(t, { clock, memoryBytes: 64 * MB });
  const there = makeWalk({ clock, leases: desk, store: bench.store });
  here.get('/a');
  await turns();
  const clients = { fast: there.get('/a'), slow: there.send({ target: '/a' }, {}, true) };
  await turns();
  here.origin.last.head(200, FIELDS);
  const [response] = desk.opened;
  if (response === undefined) throw new Error('nothing was opened');
  const bytes = new PlayedBody();
  const found = lyingBelow(response, 0, bytes);
  desk.notify({
    kind: 'arriving',
    found: { ...found, writer: 'elsewhere', body: { bytes: undefined, open: async () => bytes } },
  });
  await turns();
  return { bench, there, bytes, ...clients };
}

function readAll(client: ReturnType<Walk['get']>): void {
  for (let before = -1; before < client.body.length; ) {
    before = client.body.length;
    client.read();
  }
}

function chunksIn({ file }: DiskBench): number {
  file.refresh();
  let chunks = 0;
  file.tables.bodies.range(Buffer.of(0), Buffer.alloc(16, 0xff), () => {
    chunks++;
    return true;
  });
  return chunks;
}

t.test('decision 0009: a slow client is not cut off where a copy outgrows memory and there is a disk', async (t) => {
  const { bench, there, bytes, fast, slow } = await following(t);
  for (const [at, text] of PIECES.entries()) {
    bytes.data(text);
    await bench.tier.settled();
    t.equal(fast.body.length, (at + 1) * MB, 'as it comes');
  }
  bytes.end();
  await bench.tier.settled();
  t.ok(fast.body === WHOLE);
  readAll(slow);
  t.match([slow.ending, slow.body.length], ['finished', WHOLE.length]);
  t.ok(slow.body === WHOLE);
  t.equal(there.origin.count, 0);
  t.equal(bench.tier.stats.records, 0, 'who asked writes it, nobody else');
  t.equal(there.engine.parts.store.peek('http://example.test/a'), undefined);
});

t.test('decision 0009: such a copy goes to disk no further than what is stored there may', async (t) => {
  const { bench, bytes, fast, slow } = await following(t);
  const mostBytes = SPILL_FROM_BYTES + 2 * MB;
  Object.defineProperty(bench.store, 'maxObjectBytes', { value: mostBytes });
  for (const text of PIECES) {
    bytes.data(text);
    await bench.tier.settled();
  }
  t.ok(chunksIn(bench) * DISK_CHUNK_BYTES <= mostBytes + MB, 'a stream without an end would push out all else');
  bytes.end();
  await bench.tier.settled();
  t.ok(fast.body === WHOLE);
  readAll(slow);
  t.ok(slow.body === WHOLE, 'who is behind reads there what is there');
});

t.test('decision 0009: such a copy is given up once nobody reads it', async (t) => {
  const { bench, bytes, fast, slow } = await following(t);
  for (const text of PIECES.slice(0, -2)) bytes.data(text);
  fast.leave();
  slow.leave();
  bytes.data(PIECES.at(-2) ?? '');
  t.ok(bytes.isAborted);
  await bench.tier.settled();
  t.equal(chunksIn(bench), 0, 'nothing is left of it on disk');
});
