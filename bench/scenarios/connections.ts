/** A flood of connections: each brings one request and is gone. */
import { rateScenario } from '../kit/rate.js';
import { pathOf } from '../kit/swift.js';

const BYTES = 1024;
const path = pathOf(BYTES, 3600, 'once');

export const connections = rateScenario({
  name: 'connections',
  about: 'a connection for every request, fresh hits of 1 KB',
  connections: 64,
  warm: () => [path],
  traffic: () => ({ kind: 'one', path, headers: { Connection: 'close' } }),
  sample: { path, status: 200, bodyBytes: BYTES },
  originShare: { least: 0, most: 0 },
});
