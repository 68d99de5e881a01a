/** One large stored response to many clients at once, from memory and from disk. */
import { startContestant } from '../kit/fleet.js';
import { compareRates, type RateOrder } from '../kit/rate.js';
import type { Scenario } from '../kit/scenario.js';
import { pathOf } from '../kit/swift.js';

const BYTES = 100_000_000;
const path = pathOf(BYTES, 3600, 'large');
const FROM_DISK = 'itself from disk';

const order: RateOrder = {
  name: 'many-100m',
  about: 'hits of 100 MB; the bare server writes the same bytes from one buffer, nginx sends files that are in memory',
  connections: 8,
  warm: () => [path],
  traffic: () => ({ kind: 'one', path }),
  sample: { path, status: 200, bodyBytes: BYTES },
  originShare: { least: 0, most: 0 },
  seconds: { full: 5, quick: 2 },
  hasBare: true,
  ratios: { 'bare node:http': 0.9 },
};

export const many: Scenario = {
  name: order.name,
  about: `${order.about}; ${order.connections} connections`,
  hasRivals: true,
  isLong: true,
  rate: order,
  async run(bench) {
    // Memory large enough for the body; with a disk every body of more than a few MB is there alone.
    const settings = { ttlSec: 'origin', graceSec: 0, memoryMB: 512 } as const;
    const fleet = await bench.fleet(settings);
    const disked = { ...settings, originPort: fleet.origin.port, diskMB: 1024 };
    const fromDisk = await startContestant(bench.scope, 'patina', disked, FROM_DISK);
    // The first is judged, the others are what it is compared with.
    const [own, ...others] = fleet.contestants;
    const contestants = own === undefined ? [fromDisk] : [own, fromDisk, ...others];
    return compareRates(bench, order, { ...fleet, contestants });
  },
};
