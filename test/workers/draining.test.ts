// Goal: a drain has one deadline, within which whoever was accepted gets to a worker. Method: workers that are told and do nothing, a clock that is moved, clients on the loopback.
import t from 'tap';
import { ACCEPTS_SHARE_OF_DRAIN } from '../../lib/base/limits.js';
import {
  LAST_ANSWERS_MS,
  LAST_ANSWERS_SHARE,
  MAX_HANDOVERS,
  WORKER_CLOSE_TIMEOUT_MS,
} from '../../lib/base/worker-limits.js';
import { until } from '../front/house.js';
import { turns } from '../kit/barrier.js';
import { openPrimary, type Primary } from './primary.kit.js';

const DRAIN_MS = 10_000;

/** What workers get to answer, once they were told to drain. */
async function leftToAnswer(primary: Primary): Promise<readonly object[]> {
  await until(() => primary.asked.length > 0);
  return primary.asked.filter(({ name }) => name === 'drain').map(({ asked }) => asked);
}

t.test('drain: to hand over takes as long as it has to, and workers have the rest of the time', async (t) => {
  const primary = await openPrimary(t, { workers: 2 });
  const count = MAX_HANDOVERS * 6;
  primary.come(count);
  const drained = primary.crew.drain(DRAIN_MS);
  await until(() => primary.crew.handovers.count === count);
  for (let step = 0; step < 2; step++) {
    await until(() => primary.given.length === MAX_HANDOVERS * 2);
    primary.clock.advance(3_000);
    await turns(5);
    t.same(primary.asked, [], 'nobody is told to drain while somebody waits');
    primary.takeAll();
  }
  await until(() => primary.given.length === MAX_HANDOVERS * 2);
  primary.takeAll();
  t.same(await leftToAnswer(primary), [{ timeoutMs: DRAIN_MS - 6_000 }, { timeoutMs: DRAIN_MS - 6_000 }]);
  for (const worker of [1, 2]) primary.ends(worker);
  await drained;
  t.equal(primary.crew.handovers.count, 0);
});

t.test('limits: workers that take nothing hold up no drain, and what is kept for answers is left', async (t) => {
  const primary = await openPrimary(t, { workers: 2 });
  primary.come(MAX_HANDOVERS * 4);
  const drained = primary.crew.drain(DRAIN_MS);
  await until(() => primary.given.length === MAX_HANDOVERS * 2);
  await turns(5);
  primary.clock.advance(DRAIN_MS - LAST_ANSWERS_MS - 1);
  await turns(5);
  t.same(primary.asked, []);
  primary.clock.advance(1);
  t.same(await leftToAnswer(primary), [{ timeoutMs: LAST_ANSWERS_MS }, { timeoutMs: LAST_ANSWERS_MS }]);
  primary.clock.advance(LAST_ANSWERS_MS + WORKER_CLOSE_TIMEOUT_MS - 1);
  t.same(primary.killed, []);
  primary.clock.advance(1);
  t.same(primary.killed, [1, 2]);
  await drained;
});

t.test(
  'limits: clients that come all the time have a share of a short drain, and lengthen it by nothing',
  async (t) => {
    const primary = await openPrimary(t, { workers: 1 });
    primary.areQuick = true;
    const shortMs = 100;
    const begunAt = primary.clock.steady();
    const drained = primary.crew.drain(shortMs);
    while (primary.asked.length === 0) {
      // Nobody can come any more once it listens no more.
      if (primary.clock.steady() - begunAt < shortMs * ACCEPTS_SHARE_OF_DRAIN) primary.come(1);
      primary.clock.advance(1);
      await turns(1);
    }
    const tookMs = primary.clock.steady() - begunAt;
    t.ok(tookMs <= shortMs * (1 - LAST_ANSWERS_SHARE) + 1, `${tookMs} ms`);
    const [told] = primary.asked;
    t.same(told?.asked, { timeoutMs: shortMs - tookMs });
    primary.ends(1);
    await drained;
  },
);
