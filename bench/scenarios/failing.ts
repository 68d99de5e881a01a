/** An origin that answers 503 to everything, under steady traffic on one stale key: asked by the clock, not by traffic. */
import { setTimeout as pause } from 'node:timers/promises';
import { load } from '../kit/load.js';
import { startOrigin } from '../kit/origin.js';
import { startProxy } from '../kit/proxies.js';
import { judged, type Scenario, warm } from '../kit/scenario.js';

const RATE = 1_000;
const CONNECTIONS = 32;
const UNTIL_STALE_MS = 1_500;
/** Below this share of the requests the load did not come about, and the numbers say nothing. */
const LEAST_SHARE = 0.9;

export const failing: Scenario = {
  name: 'failing',
  about: `${RATE} requests a second on one stale key, origin answers 503`,
  hasRivals: false,
  isLong: true,
  async run(bench) {
    const subject = bench.subjects[0] ?? 'patina';
    const lifetime = 'max-age=1, stale-while-revalidate=3600, stale-if-error=3600';
    const origin = await startOrigin(bench.scope, { fields: { 'Cache-Control': lifetime, ETag: '"v1"' } });
    const settings = { originPort: origin.port, ttlSec: 'origin', graceSec: 3600, memoryMB: 64 } as const;
    const proxy = await startProxy(bench.scope, subject, settings);
    const url = `http://127.0.0.1:${proxy.port}/page`;
    await warm(url);
    await pause(UNTIL_STALE_MS);
    await origin.behave({ status: 503 });
    await origin.take();
    const seconds = bench.pick(10, 5);
    const result = await load(bench.scope, {
      port: proxy.port,
      traffic: { kind: 'one', path: '/page' },
      connections: CONNECTIONS,
      seconds,
      run: 0,
      status: 200,
      rate: RATE,
    });
    const asked = await origin.take();
    return [
      {
        subject,
        what: `origin attempts in ${seconds} s`,
        value: asked.length,
        unit: '',
        target: judged(bench, subject, 'at most', 6),
      },
      {
        subject,
        what: 'clients not served',
        value: result.badCount,
        unit: '',
        target: judged(bench, subject, 'exactly', 0),
      },
      {
        subject,
        what: 'requests',
        value: result.count,
        unit: '',
        target: judged(bench, subject, 'at least', RATE * seconds * LEAST_SHARE),
        note: result.tool,
      },
    ];
  },
};
