/** Somebody asks for what nobody asked for before, without end: memory must stay where the configuration puts it. */
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from '../kit/client.js';
import { startContestant } from '../kit/fleet.js';
import { load } from '../kit/load.js';
import { readUseOf } from '../kit/machine.js';
import { type Bench, type Figure, judged, type Scenario } from '../kit/scenario.js';
import { pathOf, startSwiftOrigin } from '../kit/swift.js';

const MEGABYTE = 1e6;
const MEMORY_MB = 256;
/** The least that is of use on a machine with little. */
const SMALL_MEMORY_MB = 64;
/** Which so short a flood fills. */
const QUICK_MEMORY_MB = 32;
/** What may be beyond the budget: garbage that is collected late, by its share, and the process itself. */
const MOST_SHARE = 1.1;
const MOST_BESIDE_MB = 220;
const CONNECTIONS = 64;
const WATCH_MS = 200;
const TTL_SEC = 3600;

interface Flood {
  readonly of: string;
  /** What goes through to the store for each request, near enough. */
  readonly bytes: number;
  readonly path: string;
  /** Where it is not MEMORY_MB. */
  readonly memoryMB?: number;
  /** The path is one, and each request has a field of its own that the answer varies by. */
  readonly isByField?: boolean;
}

const FLOODS: readonly Flood[] = [
  { of: 'URLs of 100 bytes', bytes: 100, path: pathOf(100, TTL_SEC, 'flood-') },
  { of: 'URLs of 1 KB', bytes: 1024, path: pathOf(1024, TTL_SEC, 'flood-') },
  { of: 'URLs of 100 bytes', bytes: 100, path: pathOf(100, TTL_SEC, 'flood-'), memoryMB: SMALL_MEMORY_MB },
  { of: 'URLs of 1 KB', bytes: 1024, path: pathOf(1024, TTL_SEC, 'flood-'), memoryMB: SMALL_MEMORY_MB },
  { of: 'URLs of 16 KB', bytes: 16_384, path: pathOf(16_384, TTL_SEC, 'flood-'), memoryMB: SMALL_MEMORY_MB },
  { of: 'URLs of 64 KB', bytes: 65_536, path: pathOf(65_536, TTL_SEC, 'flood-') },
  { of: 'URLs with 16 KB of fields', bytes: 16_100, path: pathOf(100, TTL_SEC, 'head-') },
  { of: 'variants of 1 KB', bytes: 1024, path: pathOf(1024, TTL_SEC, 'vary-'), isByField: true },
];

interface Flooded {
  readonly count: number;
  readonly badCount: number;
}

/** Over so many paths that the bound on the variants of one is not what holds. */
const VARIED_PATHS = 1_000;

async function floodByField(port: number, path: string, seconds: number): Promise<Flooded> {
  const until = performance.now() + seconds * 1000;
  let count = 0;
  let badCount = 0;
  const ask = async () => {
    const client = await Client.open(port);
    try {
      while (performance.now() < until) {
        const n = ++count;
        const { status } = await client.get(`${path}${n % VARIED_PATHS}`, { 'X-Flood': String(n) });
        if (status !== 200) badCount++;
      }
    } finally {
      client.close();
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, ask));
  return { count, badCount };
}

async function measure(bench: Bench, originPort: number, flood: Flood): Promise<Figure[]> {
  const { of, bytes, path } = flood;
  const memoryMB = bench.pick(flood.memoryMB ?? MEMORY_MB, QUICK_MEMORY_MB);
  const settings = { ttlSec: 'origin', graceSec: 0, memoryMB, originPort } as const;
  const { port, pids, running } = await startContestant(bench.scope, 'patina', settings);
  const samples: number[] = [];
  const watching = new AbortController();
  const watch = async () => {
    while (!watching.signal.aborted) {
      samples.push(readUseOf(pids).rssBytes / MEGABYTE);
      await pause(WATCH_MS);
    }
  };
  const watched = watch();
  const seconds = bench.pick(30, 0.5);
  const traffic = { kind: 'distinct', prefix: path } as const;
  const order = { port, traffic, connections: CONNECTIONS, seconds, run: 0, status: 200 } as const;
  const { count, badCount } = flood.isByField
    ? await floodByField(port, path, seconds)
    : await load(bench.scope, order);
  watching.abort();
  await watched;
  await running.stop();
  const half = samples.length >> 1;
  const [before, after] = [Math.max(...samples.slice(0, half)), Math.max(...samples.slice(half))];
  const through = (count * bytes) / MEGABYTE;
  return [
    {
      subject: 'patina',
      what: `${of} into ${memoryMB} MB: peak RSS`,
      value: Math.max(before, after),
      unit: 'MB',
      target: bench.isQuick ? undefined : judged(bench, 'patina', 'at most', memoryMB * MOST_SHARE + MOST_BESIDE_MB),
      note: `${count} of them, ${through.toFixed(0)} MB; second half ${(after / before).toFixed(2)} of the first`,
    },
    {
      subject: 'patina',
      what: `${of} into ${memoryMB} MB: bad answers`,
      value: badCount,
      unit: '',
      target: judged(bench, 'patina', 'exactly', 0),
    },
  ];
}

export const flood: Scenario = {
  name: 'flood',
  about:
    'distinct URLs and variants of several sizes into caches of 64 and 256 MB (32 MB where quick, and then not judged)',
  hasRivals: false,
  async run(bench) {
    const origin = await startSwiftOrigin(bench.scope);
    const figures: Figure[] = [];
    // Where quick, all have one size of memory: those that differ in it alone would be the same once more.
    const floods = bench.isQuick ? FLOODS.filter(({ memoryMB }) => memoryMB === undefined) : FLOODS;
    for (const one of floods) figures.push(...(await measure(bench, origin.port, one)));
    return figures;
  },
};
