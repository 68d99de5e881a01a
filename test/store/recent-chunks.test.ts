// Goal: issue 6, many readers of one large body read, check and copy its chunks once. Method: chunks by name and a clock that the test moves.
import t from 'tap';
import { DISK_SHARED_CHUNKS_MS } from '../../lib/base/disk-limits.js';
import { RecentChunks } from '../../lib/store/recent-chunks.js';
import { FakeClock } from '../kit/clock.js';

const MOST = 16;

t.test('issue 6: who reads a little behind is given what was read, up to so many chunks behind', (t) => {
  const recent = new RecentChunks(new FakeClock(), MOST);
  let reads = 0;
  const read = (): Buffer => Buffer.of(reads++);
  const first = recent.get('a 0', read);
  t.equal(recent.get('a 0', read), first);
  t.not(recent.get('a 1', read), first);
  t.equal(reads, 2);
  for (let n = 0; n < MOST - 2; n++) recent.get(`b ${n}`, read);
  t.equal(recent.get('a 0', read), first, 'the last place');
  recent.get('b more', read);
  t.not(recent.get('a 0', read), first);
  t.end();
});

t.test('issue 6: what is lost or damaged is asked for again', (t) => {
  const recent = new RecentChunks(new FakeClock(), MOST);
  t.equal(
    recent.get('a 0', () => undefined),
    undefined,
  );
  const bytes = Buffer.of(1);
  t.equal(
    recent.get('a 0', () => bytes),
    bytes,
  );
  t.end();
});

t.test('issue 6: nothing is kept once nobody reads', (t) => {
  const clock = new FakeClock();
  const recent = new RecentChunks(clock, MOST);
  const bytes = Buffer.of(1);
  recent.get('a 0', () => bytes);
  clock.advance(DISK_SHARED_CHUNKS_MS);
  t.equal(
    recent.get('a 0', () => undefined),
    bytes,
    'it was used meanwhile',
  );
  clock.advance(DISK_SHARED_CHUNKS_MS);
  clock.advance(DISK_SHARED_CHUNKS_MS);
  t.equal(
    recent.get('a 0', () => undefined),
    undefined,
  );
  t.end();
});

t.test('issue 6: another bound counts at once, for what is kept and for what comes', (t) => {
  const recent = new RecentChunks(new FakeClock(), MOST);
  let reads = 0;
  const read = (): Buffer => Buffer.of(reads++);
  for (let n = 0; n < 4; n++) recent.get(`a ${n}`, read);
  recent.resize(2);
  for (let n = 2; n < 4; n++) recent.get(`a ${n}`, read);
  t.equal(reads, 4, 'the last two stayed');
  recent.get('a 0', read);
  t.equal(reads, 5);
  recent.resize(0);
  recent.get('a 0', read);
  t.equal(reads, 6);
  t.end();
});
