/** Many clients on one key that expires again and again, with an origin that is 200 ms away. */
import { load } from '../kit/load.js';
import { type Asked, startOrigin } from '../kit/origin.js';
import { type ProxyName, startProxy } from '../kit/proxies.js';
import { type Bench, type Figure, judged, measureEach, type Scenario, warm } from '../kit/scenario.js';

const CONNECTIONS = 256;
const ORIGIN_DELAY_MS = 200;
/** Requests closer together than this are for the same expiry. */
const SAME_EXPIRY_MS = 500;

/** The most requests that one expiry caused. */
function mostAtOnce(asked: readonly Asked[]): number {
  let most = 0;
  let from = Number.NEGATIVE_INFINITY;
  let count = 0;
  for (const { atMs } of asked) {
    if (atMs - from > SAME_EXPIRY_MS) {
      from = atMs;
      count = 0;
    }
    most = Math.max(most, ++count);
  }
  return most;
}

async function measure(bench: Bench, subject: ProxyName): Promise<Figure[]> {
  const origin = await startOrigin(bench.scope, {
    fields: { 'Cache-Control': 'max-age=1, stale-while-revalidate=60', ETag: '"v1"' },
    delayMs: ORIGIN_DELAY_MS,
  });
  const settings = { originPort: origin.port, ttlSec: 'origin', graceSec: 60, memoryMB: 64 } as const;
  const proxy = await startProxy(bench.scope, subject, settings);
  const { port } = proxy;
  await warm(`http://127.0.0.1:${port}/page`);
  const traffic = { kind: 'one', path: '/page' } as const;
  const storm = (seconds: number) =>
    load(bench.scope, { port, traffic, connections: CONNECTIONS, seconds, run: 0, status: 200 });
  // A process that has just started compiles what it runs; that is not what a storm is about.
  await storm(bench.pick(3, 1.5));
  await origin.take();
  const seconds = bench.pick(10, 2.5);
  const result = await storm(seconds);
  const asked = await origin.take();
  await proxy.running.stop();
  const expiries = `${asked.length} in ${seconds} s`;
  return [
    {
      subject,
      what: 'latency p99',
      value: result.p99Ms,
      unit: 'ms',
      target: judged(bench, subject, 'at most', 20),
      note: `${Math.round(result.perSec)} req/s`,
    },
    {
      subject,
      what: 'origin requests for one expiry, at most',
      value: mostAtOnce(asked),
      unit: '',
      target: judged(bench, subject, 'exactly', 1),
      note: expiries,
    },
    {
      subject,
      what: 'origin requests not answered 304',
      value: asked.filter((one) => one.status !== 304).length,
      unit: '',
      target: judged(bench, subject, 'exactly', 0),
    },
    {
      subject,
      what: 'bad answers to clients',
      value: result.badCount,
      unit: '',
      target: judged(bench, subject, 'exactly', 0),
    },
  ];
}

export const storm: Scenario = {
  name: 'storm',
  about: `${CONNECTIONS} connections on one key, ttl 1 s, stale-while-revalidate, origin ${ORIGIN_DELAY_MS} ms away`,
  hasRivals: true,
  run: (bench) => measureEach(bench, (subject) => measure(bench, subject)),
};
