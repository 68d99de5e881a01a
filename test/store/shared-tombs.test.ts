// Goal: however many unsafe requests visitors send, the shared tier is purged at a bounded rate, and each key once for all that came meanwhile. Method: the part alone, a fake clock, a table that counts.
import t from 'tap';
import {
  MAX_SHARED_TOMBS,
  SHARED_LOG_EVERY_MS,
  SHARED_TOMB_STEP_MS,
  SHARED_TOMBS_AT_ONCE,
} from '../../lib/base/shared-limits.js';
import { SharedTombs } from '../../lib/store/shared-tombs.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';

function make() {
  const clock = new FakeClock();
  const purged: { name: string; at: number; isKnownOnly: boolean }[] = [];
  const server = { isUp: true, fails: false };
  const tombs = new SharedTombs({
    clock,
    guard: {
      get isUp() {
        return server.isUp;
      },
      background: async (work) => (server.fails ? undefined : { value: await work() }),
    },
    table: {
      purgeName: async (name, at, _, isKnownOnly) => {
        purged.push({ name, at, isKnownOnly });
        return 0;
      },
    },
  });
  return { clock, purged, server, tombs };
}

t.test('issue 5: one request is purged at once, and nothing is noted of what is not there', async (t) => {
  const { clock, purged, tombs } = make();
  tombs.note(['a', 'b'], 1);
  t.same(purged, [
    { name: 'a', at: 1, isKnownOnly: true },
    { name: 'b', at: 1, isKnownOnly: true },
  ]);
  clock.advance(SHARED_TOMB_STEP_MS);
  t.equal(clock.pendingCount, 0, 'and then nothing runs on');
});

t.test('issue 5: many requests for one key are one purge a step, of the latest of them', async (t) => {
  const { clock, purged, tombs } = make();
  for (let at = 1; at <= 1_000; at++) tombs.note(['a'], at);
  tombs.note(['a'], 5);
  clock.advance(SHARED_TOMB_STEP_MS);
  t.same(
    purged.map(({ at }) => at),
    [1, 1_000],
  );
});

t.test('issue 5: of many keys so many are purged in one step, and those beyond the bound are counted', async (t) => {
  const { clock, purged, tombs } = make();
  const count = MAX_SHARED_TOMBS + 500;
  for (let at = 0; at < count; at++) tombs.note([`k${at}`], at);
  t.equal(purged.length, 1);
  t.equal(tombs.waitingCount, MAX_SHARED_TOMBS);
  t.equal(tombs.dropped, count - 1 - MAX_SHARED_TOMBS);
  for (let step = 1; step <= 3; step++) {
    clock.advance(SHARED_TOMB_STEP_MS);
    t.equal(purged.length, 1 + step * SHARED_TOMBS_AT_ONCE);
  }
  tombs.close();
  clock.advance(SHARED_TOMB_STEP_MS);
  t.equal(purged.length, 1 + 3 * SHARED_TOMBS_AT_ONCE);
});

t.test('issue 5: what could not be purged is purged once the tier is back', async (t) => {
  const { clock, purged, server, tombs } = make();
  server.fails = true;
  tombs.note(['a'], 1);
  await turns();
  server.isUp = false;
  clock.advance(SHARED_LOG_EVERY_MS);
  tombs.note(['b'], 2);
  t.same([purged.length, tombs.waitingCount], [0, 2]);
  server.isUp = true;
  server.fails = false;
  clock.advance(SHARED_LOG_EVERY_MS);
  t.same(
    purged.map(({ name, at }) => [name, at]),
    [
      ['a', 1],
      ['b', 2],
    ],
  );
});

t.test('issue 5: what a tier has to purge yet is purged by the one that a reload puts in its place', async (t) => {
  const [before, next] = [make(), make()];
  before.server.fails = true;
  before.tombs.note(['a'], 1);
  before.server.isUp = false;
  before.tombs.note(['b'], 2);
  next.tombs.takeOver(before.tombs);
  before.tombs.close();
  await turns();
  t.same(
    next.purged.map(({ name }) => name),
    ['b'],
  );
  next.clock.advance(SHARED_TOMB_STEP_MS);
  t.same(
    next.purged.map(({ name }) => name),
    ['b', 'a'],
  );
});
