/** Clients that have it already: a 304 for their If-None-Match, from what is stored. */
import { rateScenario } from '../kit/rate.js';
import { pathOf } from '../kit/swift.js';

const BYTES = 4096;
const path = pathOf(BYTES, 3600, 'known');
const headers = { 'If-None-Match': '"v1"' };

export const notModified = rateScenario({
  name: 'not-modified',
  about: `a 304 to a client that has the stored response of ${BYTES} bytes`,
  connections: 64,
  warm: () => [path],
  traffic: () => ({ kind: 'one', path, headers }),
  sample: { path, headers, status: 304, bodyBytes: 0 },
  originShare: { least: 0, most: 0 },
  ratios: { nginx: 1.15 },
});
