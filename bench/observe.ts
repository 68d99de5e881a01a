/**
 * What one answered request costs its listeners: the metrics, the access log as JSON lines and as text.
 * Run: node dist/bench/observe.js. Targets: metrics under 150 ns an event, a JSON line under 1 microsecond.
 */
import { setImmediate as immediate } from 'node:timers/promises';
import { systemClock } from '../lib/base/clock.js';
import { createAccessLog } from '../lib/observe/access-log.js';
import type { AnsweredEvent, Events } from '../lib/observe/events.js';
import { createMetrics, NO_GAUGES } from '../lib/observe/metrics.js';

const ROUNDS = 7;
const EVENTS_PER_ROUND = 400_000;

/** A thousand different requests, 90 % fresh hits, some stale, missed and passed. */
function makeTraffic(): AnsweredEvent[] {
  const kinds = [
    ...Array.from({ length: 18 }, () => ({ outcome: 'HIT', reason: 'fresh' }) as const),
    { outcome: 'STALE', reason: 'stale-while-revalidate' } as const,
    { outcome: 'MISS', reason: 'uri-miss' } as const,
  ];
  return Array.from({ length: 1000 }, (_, index) => {
    const kind = kinds[(index * 7) % kinds.length] ?? { outcome: 'HIT', reason: 'fresh' };
    return {
      method: index % 50 === 0 ? 'HEAD' : 'GET',
      host: 'www.example.com',
      target: `/article/${index}?page=${index % 10}`,
      remoteAddress: '127.0.0.1',
      httpVersion: '1.1',
      status: index % 40 === 0 ? 304 : 200,
      ...kind,
      rule: index % 3 === 0 ? 'assets' : 'defaults',
      ageSec: kind.outcome === 'MISS' ? undefined : index % 120,
      bodyBytes: 1024,
      durationMs: 0.05 + (index % 100) / 100,
      collapsed: index % 100 === 0,
      ending: 'finished',
      userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
      referer: undefined,
      startedWall: Date.UTC(2026, 0, 1) + index * 3,
    };
  });
}

/** Median nanoseconds of CPU for an event. */
async function measure(events: Events, traffic: readonly AnsweredEvent[]): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    for (let done = 0; done < EVENTS_PER_ROUND; done += traffic.length) {
      for (const event of traffic) events.answered(event);
      // What was written is taken in between; else lines are lost, which costs nothing.
      await immediate();
    }
    const { user, system } = process.cpuUsage(before);
    rounds.push(((user + system) * 1000) / EVENTS_PER_ROUND);
  }
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1] ?? Number.NaN;
}

const clock = systemClock();
const traffic = makeTraffic();
const nowhere = { write: (_text: string | Uint8Array, done: (error?: Error | null) => void) => queueMicrotask(done) };
const metrics = createMetrics({
  clock,
  gauges: () => NO_GAUGES,
});
console.log(`metrics        ${(await measure(metrics.events, traffic)).toFixed(0).padStart(6)} ns an event`);
for (const format of ['json', 'pretty'] as const) {
  const log = createAccessLog({ format, destination: nowhere, clock });
  const took = await measure(log, traffic);
  if (log.stats.droppedLines > 0) throw new Error(`${log.stats.droppedLines} lines were lost`);
  console.log(`access ${format.padEnd(7)} ${took.toFixed(0).padStart(6)} ns an event`);
}
const start = process.hrtime.bigint();
const { body } = await metrics.render();
console.log(
  `scrape         ${(Number(process.hrtime.bigint() - start) / 1e6).toFixed(1).padStart(6)} ms, ${body.length} bytes`,
);
