/** One part of a stored response. */
import { rateScenario } from '../kit/rate.js';
import { pathOf } from '../kit/swift.js';

const BYTES = 64 * 1024;
const PART_BYTES = 1000;
const path = pathOf(BYTES, 3600, 'part');
const headers = { Range: `bytes=20000-${20_000 + PART_BYTES - 1}` };

export const range = rateScenario({
  name: 'range',
  about: `${PART_BYTES} bytes out of a stored response of ${BYTES / 1024} KB`,
  connections: 64,
  warm: () => [path],
  traffic: () => ({ kind: 'one', path, headers }),
  sample: { path, headers, status: 206, bodyBytes: PART_BYTES },
  originShare: { least: 0, most: 0 },
});
