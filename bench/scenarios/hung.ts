/** An origin that accepts and never answers, while what is asked for is in grace: as fast as fresh hits. */
import { setTimeout as pause } from 'node:timers/promises';
import { load } from '../kit/load.js';
import type { LoadResult } from '../kit/load-order.js';
import { startOrigin } from '../kit/origin.js';
import { startProxy } from '../kit/proxies.js';
import { judged, type Scenario, warm } from '../kit/scenario.js';
import { median, spread } from '../kit/stats.js';

const CONNECTIONS = 64;
const UNTIL_STALE_MS = 1_500;

export const hung: Scenario = {
  name: 'hung',
  about: 'stale hits while the origin hangs, beside fresh hits in the same process, in interleaved pairs',
  hasRivals: false,
  isLong: true,
  async run(bench) {
    const subject = bench.subjects[0] ?? 'patina';
    const origin = await startOrigin(bench.scope, { fields: { 'Cache-Control': 'max-age=3600', ETag: '"f"' } });
    const settings = { originPort: origin.port, ttlSec: 'origin', graceSec: 3600, memoryMB: 64 } as const;
    const proxy = await startProxy(bench.scope, subject, settings);
    const base = `http://127.0.0.1:${proxy.port}`;
    await warm(`${base}/fresh`);
    await origin.behave({ fields: { 'Cache-Control': 'max-age=1, stale-while-revalidate=3600', ETag: '"g"' } });
    await warm(`${base}/grace`);
    await pause(UNTIL_STALE_MS);
    await origin.behave({ hangs: true });
    const measure = (path: string): Promise<LoadResult> =>
      load(bench.scope, {
        port: proxy.port,
        traffic: { kind: 'one', path },
        connections: CONNECTIONS,
        seconds: bench.pick(3, 0.5),
        run: 0,
        status: 200,
      });
    await measure('/fresh');
    await measure('/grace');
    const fresh: LoadResult[] = [];
    const grace: LoadResult[] = [];
    for (let pair = 0; pair < bench.pick(7, 5); pair++) {
      fresh.push(await measure('/fresh'));
      grace.push(await measure('/grace'));
    }
    const ratios = grace.map((one, i) => one.p99Ms / (fresh[i]?.p99Ms ?? Number.NaN));
    const bad = grace.reduce((sum, one) => sum + one.badCount, 0);
    return [
      { subject, what: 'p99 of fresh hits', value: median(fresh.map((one) => one.p99Ms)), unit: 'ms' },
      { subject, what: 'p99 of hits in grace, origin hung', value: median(grace.map((one) => one.p99Ms)), unit: 'ms' },
      {
        subject,
        what: 'ratio of the two',
        value: median(ratios),
        unit: '',
        target: judged(bench, subject, 'at most', 1.2),
        note: spread(ratios, 2),
      },
      { subject, what: 'bad answers to clients', value: bad, unit: '', target: judged(bench, subject, 'exactly', 0) },
    ];
  },
};
