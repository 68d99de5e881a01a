// Goal: what an origin says of itself is said of all ways to it that are in use, those too that a reload has replaced. Method: ways that a test plays.
import t from 'tap';
import type { OriginClient } from '../../lib/origin/contract.js';
import { type OriginWays, ReplaceableOrigin } from '../../lib/origin/replaceable.js';

interface Played extends OriginWays {
  close(): void;
}

function play(connected: number, running: number, queued: number): Played {
  let close = (): void => {};
  const closed = new Promise<void>((resolve) => {
    close = resolve;
  });
  const client: OriginClient = {
    healthy: true,
    reachable: true,
    stats: { connected, running, queued },
    fetch: () => {
      throw new Error('nobody asks');
    },
    close: () => closed,
  };
  return { client, tunnel: { web() {}, upgrade() {}, retire() {}, close: async () => {} }, close };
}

t.test('requests that wait, run and have connections after a reload are counted until they are over', async (t) => {
  const [before, after] = [play(3, 2, 5), play(1, 1, 0)];
  const origin = new ReplaceableOrigin(before);
  t.same(origin.stats, { connected: 3, running: 2, queued: 5 });
  origin.replace(after, 1_000);
  t.same(origin.stats, { connected: 4, running: 3, queued: 5 });
  before.close();
  await new Promise((resolve) => setImmediate(resolve));
  t.same(origin.stats, { connected: 1, running: 1, queued: 0 });
  t.same(after.client.stats, { connected: 1, running: 1, queued: 0 });
});
