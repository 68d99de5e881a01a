/** What the access log costs: JSON lines to a file, beside the same Patina without. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { type Fleet, PLAIN_SETTINGS, startContestant } from '../kit/fleet.js';
import { compareRates, type RateOrder } from '../kit/rate.js';
import { judged, type Scenario } from '../kit/scenario.js';
import { pathOf, startSwiftOrigin } from '../kit/swift.js';

const BYTES = 1024;
const path = pathOf(BYTES, 3600, 'hit');
const WITHOUT = 'itself without';

const order: RateOrder = {
  name: 'access-log',
  about: 'fresh hits of 1 KB with the access log on, beside itself without',
  connections: 64,
  traffic: () => ({ kind: 'one', path }),
  sample: { path, status: 200, bodyBytes: BYTES },
  originShare: { least: 0, most: 0 },
  warmSeconds: { full: 2, quick: 1 },
  // Both share the core, so the rate says little that the CPU does not.
  cpuRatios: { [WITHOUT]: 0.8 },
};

async function countLines(file: string): Promise<number> {
  const NEWLINE = 10;
  let count = 0;
  for await (const chunk of createReadStream(file)) for (const byte of chunk as Buffer) if (byte === NEWLINE) count++;
  return count;
}

export const accessLog: Scenario = {
  name: order.name,
  about: `${order.about}; ${order.connections} connections`,
  hasRivals: false,
  async run(bench) {
    const origin = await startSwiftOrigin(bench.scope);
    const settings = { ...PLAIN_SETTINGS, originPort: origin.port };
    const accessLogFile = join(bench.scope.folder('log'), 'access.log');
    const on = await startContestant(bench.scope, 'patina', { ...settings, accessLogFile });
    const off = await startContestant(bench.scope, 'patina', settings, WITHOUT);
    const fleet: Fleet = { origin, contestants: [on, off], leftOut: [] };
    const { figures, leftOut, ownCount } = await compareRates(bench, order, fleet);
    await on.running.stop();
    const lines = await countLines(accessLogFile);
    return {
      figures: [
        ...figures,
        {
          subject: 'patina',
          what: 'lines in the log for a request',
          value: lines / ownCount,
          unit: '',
          target: judged(bench, 'patina', 'at least', 1),
          note: `${lines} lines`,
        },
      ],
      leftOut,
    };
  },
};
