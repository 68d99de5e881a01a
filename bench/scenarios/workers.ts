/** What a second worker costs where it can bring nothing: two on one core beside one on that core. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Contestant, type Fleet, PLAIN_SETTINGS, startContestant } from '../kit/fleet.js';
import { descendants } from '../kit/proxies.js';
import { compareRates, type RateOrder } from '../kit/rate.js';
import type { Scenario } from '../kit/scenario.js';
import { pathOf, startSwiftOrigin } from '../kit/swift.js';

const BYTES = 1024;
const path = pathOf(BYTES, 3600, 'hit');
const WORKERS = 2;
const START_TIMEOUT_MS = 20_000;
const POLL_MS = 50;
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
  // Two processes compile the same code, each with half of the requests: what that takes is no cost of a request.
  warmSeconds: { full: 6, quick: 1 },
  // A new connection costs several times as much with workers (decision 0020); each run makes all of them anew.
  seconds: { full: 5, quick: 1 },
  cpuRatios: { [ONE]: 0.9 },
};

/** The port is open as soon as the first of them listens; the CPU of all is to be counted. */
async function allRunning({ running }: Contestant): Promise<void> {
  const giveUpAt = performance.now() + START_TIMEOUT_MS;
  while (descendants(running.pid).length < 1 + WORKERS) {
    if (performance.now() > giveUpAt) throw new Error(`there are not ${WORKERS} workers\n${running.output}`);
    await pause(POLL_MS);
  }
}

export const workers: Scenario = {
  name: order.name,
  about: `${order.about}; ${order.connections} connections`,
  hasRivals: false,
  async run(bench) {
    const origin = await startSwiftOrigin(bench.scope);
    const settings = { ...PLAIN_SETTINGS, originPort: origin.port };
    const two = await startContestant(bench.scope, 'patina', { ...settings, extraConf: `workers: ${WORKERS}` });
    const one = await startContestant(bench.scope, 'patina', settings, ONE);
    await allRunning(two);
    const fleet: Fleet = { origin, contestants: [{ ...two, pids: descendants(two.running.pid) }, one], leftOut: [] };
    return compareRates(bench, order, fleet);
  },
};
