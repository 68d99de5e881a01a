/** Proofs that the options of the refresh queue act, for the test of the whole option table. */
import type { Test } from 'tap';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { openProxy } from '../kit/proxy-kit.js';
import type { Life } from './rule-keys.js';

/** `refresh_ahead`, by what the origin is asked with no visitor. */
export const REFRESH_LIVES: Readonly<Record<string, Life>> = {
  refresh_ahead: {
    value: { hits: 3, within: '10m' },
    fields: ['Cache-Control', 'max-age=60', 'ETag', '"1"'],
    afterSec: 1,
    tell: async (house, target) => {
      for (let n = 0; n < 3; n++) await house.get(target);
      for (let sec = 1; sec < 59; sec++) {
        house.clock.advance(1_000);
        await turns(3);
      }
      return house.origin.requests.filter((one) => one.target === target).length;
    },
    expected: { without: 1, with: 2 },
  },
};

/** What no `refresh_ahead` is. */
const BAD_AHEAD: readonly unknown[] = [
  '!?',
  '',
  null,
  true,
  7,
  [['!?']],
  {},
  { zzz: 1 },
  { hits: 3 },
  { within: '1m' },
  { hits: 0, within: '1m' },
  { hits: 1.5, within: '1m' },
  { hits: -3, within: '1m' },
  { hits: 1_000_000_001, within: '1m' },
  { hits: 3, within: '999ms' },
  { hits: 3, within: '25h' },
  { hits: 3, within: 60 },
  { hits: 3, within: '1m', zzz: 1 },
];

export const BAD_REFRESH_VALUES: Readonly<Record<string, readonly unknown[]>> = {
  'defaults.refresh_ahead': BAD_AHEAD,
  'rules[].refresh_ahead': BAD_AHEAD,
};

type Budget = Readonly<Record<string, number>>;

/** Requests to the origin for six responses that clients are served stale while the origin hangs, and those `laterMs` after. */
async function refreshesUnder(t: Test, refresh: Budget, laterMs: number, connections = 64): Promise<[number, number]> {
  const clock = new FakeClock();
  const house = await openProxy(t, { clock, conf: { origin: { refresh, connections } } });
  let isHanging = false;
  const never = new Promise<never>(() => {});
  house.origin.respond(() => {
    return isHanging ? never : { fields: ['Cache-Control', 'max-age=1, stale-while-revalidate=60', 'ETag', '"1"'] };
  });
  const targets = ['/1', '/2', '/3', '/4', '/5', '/6'];
  for (const target of targets) await house.get(target);
  clock.advance(2_000);
  isHanging = true;
  const before = house.origin.requestCount;
  for (const target of targets) t.equal((await house.get(target)).field('cdn-cache'), 'UPDATING');
  await turns(50);
  const atOnce = house.origin.requestCount - before;
  clock.advance(laterMs);
  await turns(50);
  return [atOnce, house.origin.requestCount - before];
}

export const REFRESH_PROOFS: Readonly<Record<string, (t: Test) => Promise<void>>> = {
  'origin.refresh.rate': async (t) => {
    t.strictSame(await refreshesUnder(t, { rate: 1 }, 1_000), [1, 2]);
    t.strictSame(await refreshesUnder(t, { rate: 100 }, 1_000), [6, 6]);
  },
  'origin.refresh.concurrency': async (t) => {
    t.strictSame(await refreshesUnder(t, { concurrency: 2 }, 1_000), [2, 2]);
    t.strictSame(await refreshesUnder(t, { concurrency: 6 }, 1_000), [6, 6]);
    t.strictSame(await refreshesUnder(t, { concurrency: 6 }, 1_000, 4), [3, 3], 'one connection is left to clients');
  },
};
