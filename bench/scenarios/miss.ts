/** Nothing but misses: each request for a URL that nobody has asked for before, stored on its way through. */
import { rateScenario } from '../kit/rate.js';
import { pathOf } from '../kit/swift.js';

const BYTES = 1024;

export const miss = rateScenario({
  name: 'miss',
  about: 'distinct URLs of 1 KB, stored on the way through',
  connections: 64,
  traffic: () => ({ kind: 'distinct', prefix: pathOf(BYTES, 3600, 'miss-') }),
  sample: { path: pathOf(BYTES, 3600, 'sample-of-miss'), status: 200, bodyBytes: BYTES },
  originShare: { least: 1, most: 1 },
  ratios: { nginx: 1 },
});
