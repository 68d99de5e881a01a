/** A very large body on its way through, too large to be stored: how fast beside the origin itself, and in how much memory. */
import { Client } from '../kit/client.js';
import type { Contestant, FleetSettings } from '../kit/fleet.js';
import { readUseOf } from '../kit/machine.js';
import { inTurns, type Pair, ratioOf } from '../kit/pairs.js';
import type { RateOrder } from '../kit/rate.js';
import { type Figure, judged, type Scenario } from '../kit/scenario.js';
import { median, spread } from '../kit/stats.js';
import { pathOf } from '../kit/swift.js';

const GIGABYTE = 1e9;
const MEGABYTE = 1e6;
const SETTINGS: FleetSettings = { ttlSec: 'origin', graceSec: 0, memoryMB: 64 };
/** The budget, the process itself, and what is on its way. */
const MOST_RSS_MB = 64 + 256;

let serial = 0;

/** Bytes a second. */
async function transfer(port: number, name: string, bytes: number): Promise<number> {
  const client = await Client.open(port);
  try {
    const { status, bodyBytes, lastMs } = await client.get(pathOf(bytes, 3600, `fill-${++serial}`));
    if (status !== 200 || bodyBytes < bytes) throw new Error(`${name} answers ${status} with ${bodyBytes} bytes`);
    return bodyBytes / (lastMs / 1000);
  } finally {
    client.close();
  }
}

const order: RateOrder = {
  name: 'fill',
  about: 'distinct URLs of 100 MB',
  connections: 1,
  traffic: () => ({ kind: 'distinct', prefix: pathOf(100 * MEGABYTE, 3600, 'fill-') }),
  sample: { path: pathOf(1000, 3600, 'sample-of-fill'), status: 200, bodyBytes: 1000 },
  bytesEach: { least: 100 * MEGABYTE, most: 101 * MEGABYTE },
  originShare: { least: 1, most: 1.1 },
};

export const fill: Scenario = {
  name: 'fill',
  about: '1 GB (100 MB where quick) through a cache of 64 MB, one client, beside the same straight from the origin',
  hasRivals: true,
  rate: order,
  async run(bench) {
    const bytes = bench.pick(GIGABYTE, GIGABYTE / 10);
    const { origin, contestants, leftOut: absent } = await bench.fleet(SETTINGS);
    const leftOut = [...absent];
    const figures: Figure[] = [];
    const measure = async ({ name, port, pids }: Contestant, isJudged: boolean) => {
      await transfer(port, name, bytes / 5);
      const pairs: Pair<number>[] = [];
      await inTurns(
        bench.pick(5, 3),
        false,
        () => transfer(port, name, bytes),
        new Map([['origin', () => transfer(origin.port, 'the origin', bytes)]]),
        (_, pair) => pairs.push(pair),
      );
      const ratio = ratioOf(pairs, (one) => one);
      const rates = pairs.map(({ own }) => own / MEGABYTE);
      const least = isJudged ? judged(bench, name, 'at least', 0.8) : undefined;
      const most = isJudged ? judged(bench, name, 'at most', MOST_RSS_MB) : undefined;
      const peak = readUseOf(pids).peakBytes / MEGABYTE;
      figures.push(
        { subject: name, what: 'through it', value: median(rates), unit: 'MB/s', note: spread(rates, 0) },
        { subject: name, what: 'ratio to the origin itself', unit: '', target: least, ...ratio },
        { subject: name, what: 'peak RSS', value: peak, unit: 'MB', target: most },
      );
    };
    for (const [i, contestant] of contestants.entries()) {
      try {
        await measure(contestant, i === 0);
      } catch (error) {
        if (i === 0) throw error;
        leftOut.push({ subject: contestant.name, why: error instanceof Error ? error.message : String(error) });
      }
    }
    return { figures, leftOut };
  },
};
