/** One large stored response to many clients at once. */
import { rateScenario } from '../kit/rate.js';
import { pathOf } from '../kit/swift.js';

const BYTES = 100_000_000;
const path = pathOf(BYTES, 3600, 'large');

export const many = rateScenario({
  name: 'many-100m',
  about: 'hits of 100 MB; the bare server writes the same bytes from one buffer',
  connections: 8,
  isLong: true,
  settings: { ttlSec: 'origin', graceSec: 0, memoryMB: 512 },
  warm: () => [path],
  traffic: () => ({ kind: 'one', path }),
  sample: { path, status: 200, bodyBytes: BYTES },
  originShare: { least: 0, most: 0 },
  seconds: { full: 5, quick: 4 },
  hasBare: true,
  ratios: { 'bare node:http': 0.9 },
});
