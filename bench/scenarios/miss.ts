/** Nothing but misses: each request for a URL that nobody has asked for before, stored on its way through. */
import { rateScenario } from '../kit/rate.js';
import { pathOf } from '../kit/swift.js';
import { MISSES_UNTIL_COMPILED } from '../kit/traffic.js';

const BYTES = 1024;
/** Of load before anything is measured. */
const WARM_SECONDS = { full: 6, quick: 0.5 };

export const miss = rateScenario({
  name: 'miss',
  about: `distinct URLs of 1 KB, stored on the way through; each first for ${WARM_SECONDS.full} s unmeasured (${WARM_SECONDS.quick} s where quick)`,
  connections: 64,
  seconds: { full: 2, quick: 1 },
  traffic: () => ({ kind: 'distinct', prefix: pathOf(BYTES, 3600, 'miss-') }),
  sample: { path: pathOf(BYTES, 3600, 'sample-of-miss'), status: 200, bodyBytes: BYTES },
  // A proxy runs for days.
  warmSeconds: WARM_SECONDS,
  warmCount: MISSES_UNTIL_COMPILED,
  originShare: { least: 1, most: 1 },
  ratios: { nginx: 1 },
});
