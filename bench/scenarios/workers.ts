/** What a second worker costs where it can bring nothing: two on one core beside one on that core. */
import { type Fleet, PLAIN_SETTINGS, startContestant } from '../kit/fleet.js';
import { compareRates, type RateOrder } from '../kit/rate.js';
import type { Scenario } from '../kit/scenario.js';
import { pathOf, startSwiftOrigin } from '../kit/swift.js';

const BYTES = 1024;
const path = pathOf(BYTES, 3600, 'hit');
const ONE = 'itself with one worker';

const order: RateOrder = {
  name: 'workers',
  about: 'fresh hits of 1 KB from two workers on one core, beside one worker there',
  connections: 64,
  traffic: () => ({ kind: 'one', path }),
  // Asked until every worker has it.
  warm: () => Array.from({ length: 256 }, () => path),
  sample: { path, status: 200, bodyBytes: BYTES },
  originShare: { least: 0, most: 0.01 },
  ratios: { [ONE]: 0.9 },
};

export const workers: Scenario = {
  name: order.name,
  about: `${order.about}; ${order.connections} connections`,
  hasRivals: false,
  isLong: true,
  async run(bench) {
    const origin = await startSwiftOrigin(bench.scope);
    const settings = { ...PLAIN_SETTINGS, originPort: origin.port };
    const two = await startContestant(bench.scope, 'patina', { ...settings, extraConf: 'workers: 2' });
    const one = await startContestant(bench.scope, 'patina', settings, ONE);
    const fleet: Fleet = { origin, contestants: [two, one], leftOut: [] };
    return compareRates(bench, order, fleet);
  },
};
