/** What a miss takes longer through a proxy than a request straight to the origin, one at a time. */
import { Client } from '../kit/client.js';
import { type Contestant, PLAIN_SETTINGS } from '../kit/fleet.js';
import { type Figure, judged, type Scenario } from '../kit/scenario.js';
import { median, percentile, spread } from '../kit/stats.js';
import { pathOf } from '../kit/swift.js';

const BYTES = 1024;
const REQUESTS = 300;
const WARM_UP = 2_000;

let serial = 0;

/** Milliseconds until each answer was whole. */
async function timed(client: Client, name: string, requests: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < requests; i++) {
    const { status, bodyBytes, lastMs } = await client.get(pathOf(BYTES, 3600, `late-${++serial}`));
    if (status !== 200 || bodyBytes < BYTES) throw new Error(`${name} answers ${status} with ${bodyBytes} bytes`);
    times.push(lastMs);
  }
  return times;
}

export const missLatency: Scenario = {
  name: 'miss-latency',
  about: 'distinct URLs of 1 KB, one after the other on one connection, beside the same straight to the origin',
  hasRivals: true,
  async run(bench) {
    const { origin, contestants, leftOut } = await bench.fleet(PLAIN_SETTINGS);
    const straight = await Client.open(origin.port);
    const through = new Map<string, Client>();
    await timed(straight, 'the origin', bench.pick(WARM_UP, WARM_UP / 2));
    for (const { name, port } of contestants) {
      // Not all at first: Varnish closes what has been idle for five seconds, and the others take as long on a slow machine.
      const client = await Client.open(port);
      through.set(name, client);
      await timed(client, name, bench.pick(WARM_UP, WARM_UP / 2));
    }
    const added = new Map<string, number[]>(contestants.map(({ name }: Contestant) => [name, []]));
    const p99 = new Map<string, number[]>(contestants.map(({ name }: Contestant) => [name, []]));
    const direct: number[] = [];
    for (let round = 0; round < bench.pick(15, 3); round++) {
      for (const [name, client] of through) {
        const own = percentile(await timed(straight, 'the origin', REQUESTS / 4), 0.5);
        const times = await timed(client, name, REQUESTS);
        direct.push(own);
        added.get(name)?.push(percentile(times, 0.5) - own);
        p99.get(name)?.push(percentile(times, 0.99));
      }
    }
    for (const client of [straight, ...through.values()]) client.close();
    const figures: Figure[] = [{ subject: 'the origin', what: 'p50 straight', value: median(direct), unit: 'ms' }];
    for (const { name: subject } of contestants) {
      const all = added.get(subject) ?? [];
      const target = judged(bench, subject, 'at most', 0.3);
      figures.push(
        { subject, what: 'p50 added', value: median(all), unit: 'ms', target, note: spread(all, 3) },
        { subject, what: 'p99', value: median(p99.get(subject) ?? []), unit: 'ms' },
      );
    }
    return { figures, leftOut };
  },
};
