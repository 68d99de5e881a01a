/**
 * Compares eviction policies on made traces: Zipf popularity, a crawler that touches every key once, changing
 * popularity, equal and mixed sizes. Prints tables of hit ratios; lib/decisions/0001 keeps the ones it was decided by.
 * Run: node dist/bench/eviction.js [--quick]
 */

import { hashOf } from '../lib/base/hash.js';
import { ClockPolicy, type EvictionPolicy, LruPolicy, makeS3Fifo, SievePolicy, TinyLfuPolicy } from './policies.js';

const KEY_COUNT = 100_000;
/** Keys of the news that come up in the `burst` traces, beside the others. */
const NEWS_COUNT = 50_000;
const SEED = 20_260_101;

interface Trace {
  readonly name: string;
  readonly keys: Uint32Array;
  readonly sizes: Float64Array;
}

/** A small seeded generator (mulberry32), so that every run sees the same traces. */
function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Ranks by Zipf's law, drawn from the cumulated weights by bisection. */
function makeZipf(alpha: number, random: () => number): () => number {
  const cumulated = new Float64Array(KEY_COUNT);
  let sum = 0;
  for (let rank = 0; rank < KEY_COUNT; rank++) {
    sum += 1 / (rank + 1) ** alpha;
    cumulated[rank] = sum;
  }
  return () => {
    const wanted = random() * sum;
    let low = 0;
    let high = KEY_COUNT - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulated[middle] as number) < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

function shuffled(random: () => number): Uint32Array {
  const keys = Uint32Array.from({ length: KEY_COUNT }, (_, key) => key);
  for (let at = KEY_COUNT - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    const held = keys[at] as number;
    keys[at] = keys[other] as number;
    keys[other] = held;
  }
  return keys;
}

/** Sizes of 1 for all, or a log-normal mix around 8 KB with a tail of megabytes, as web trees have. */
function makeSizes(mixed: boolean, random: () => number): Float64Array {
  return Float64Array.from({ length: KEY_COUNT + NEWS_COUNT }, () => {
    if (!mixed) return 1;
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.ceil(Math.min(8_000_000, 8192 * Math.exp(1.5 * normal)));
  });
}

const KINDS = ['zipf', 'scan', 'drift', 'scan+drift', 'burst'] as const;
type Kind = (typeof KINDS)[number];

/**
 * `scan`: two times during the trace a crawler walks all keys in order, one request in four being its own.
 * `drift`: every 20,000 requests a hundred of the thousand most popular keys change places with random ones.
 * `burst`: half of the requests are for news, of which one comes up every 40 requests and is forgotten within 80,000.
 */
function makeTrace(kind: Kind, alpha: number, mixed: boolean, requests: number): Trace {
  const random = makeRandom(SEED);
  const zipf = makeZipf(alpha, random);
  const keyOfRank = shuffled(random);
  const sizes = makeSizes(mixed, random);
  const keys = new Uint32Array(requests);
  const scans = kind.includes('scan');
  const drifts = kind.includes('drift');
  const scanLength = KEY_COUNT * 4;
  const scanStarts = [Math.floor(requests * 0.3), Math.floor(requests * 0.3) + scanLength + 100_000];
  for (let at = 0; at < requests; at++) {
    if (drifts && at % 20_000 === 0) {
      for (let change = 0; change < 100; change++) {
        const rank = Math.floor(random() * 1000);
        const other = Math.floor(random() * KEY_COUNT);
        const held = keyOfRank[rank] as number;
        keyOfRank[rank] = keyOfRank[other] as number;
        keyOfRank[other] = held;
      }
    }
    if (kind === 'burst' && random() < 0.5) {
      const newest = Math.floor(at / 40);
      keys[at] = KEY_COUNT + (Math.max(0, newest - Math.floor(random() ** 3 * 2000)) % NEWS_COUNT);
      continue;
    }
    const start = scanStarts.findLast((one) => at >= one && at < one + scanLength);
    const crawls = scans && start !== undefined && (at - start) % 4 === 0;
    keys[at] = crawls ? (at - (start ?? 0)) / 4 : (keyOfRank[zipf()] as number);
  }
  return { name: `${kind} ${alpha}`, keys, sizes };
}

interface Score {
  readonly hitRatio: number;
  readonly byteHitRatio: number;
  readonly nsPerRequest: number;
}

function play(trace: Trace, policy: EvictionPolicy, budget: number, hashes: Uint32Array): Score {
  const slotOf = new Int32Array(KEY_COUNT + NEWS_COUNT).fill(-1);
  const warm = Math.floor(trace.keys.length * 0.2);
  let used = 0;
  let hits = 0;
  let hitBytes = 0;
  let allBytes = 0;
  const startedAt = performance.now();
  for (let at = 0; at < trace.keys.length; at++) {
    const key = trace.keys[at] as number;
    const size = trace.sizes[key] as number;
    const slot = slotOf[key] as number;
    if (at >= warm) allBytes += size;
    if (slot >= 0) {
      policy.touch(slot);
      if (at >= warm) {
        hits++;
        hitBytes += size;
      }
      continue;
    }
    if (size > budget / 2) continue;
    while (used + size > budget) {
      const gone = policy.evict();
      slotOf[gone] = -1;
      used -= trace.sizes[gone] as number;
    }
    slotOf[key] = policy.insert(key, size, hashes[key] as number);
    used += size;
  }
  const requests = trace.keys.length - warm;
  return {
    hitRatio: hits / requests,
    byteHitRatio: hitBytes / allBytes,
    nsPerRequest: ((performance.now() - startedAt) * 1e6) / trace.keys.length,
  };
}

const POLICIES: readonly [string, (budget: number, keys: number) => EvictionPolicy][] = [
  ['LRU', () => new LruPolicy()],
  ['CLOCK', () => new ClockPolicy()],
  ['SIEVE', () => new SievePolicy()],
  ['S3-FIFO', () => makeS3Fifo()],
  ['W-TinyLFU', (budget, keys) => new TinyLfuPolicy(budget, keys)],
];

function percent(ratio: number): string {
  return (ratio * 100).toFixed(1).padStart(5);
}

function main(): void {
  const quick = process.argv.includes('--quick');
  const requests = quick ? 1_100_000 : 2_000_000;
  const alphas = quick ? [0.9] : [0.7, 0.9, 1.1];
  const shares = quick ? [0.05] : [0.01, 0.05, 0.2];
  const hashes = Uint32Array.from({ length: KEY_COUNT + NEWS_COUNT }, (_, key) =>
    hashOf(`http://example.test/page/${key}`),
  );
  const names = POLICIES.map(([name]) => name);
  for (const mixed of [false, true]) {
    console.log(mixed ? '\nmixed sizes: hit ratio / byte hit ratio, %' : 'equal sizes: hit ratio, %');
    console.log(`| trace | cache | ${names.join(' | ')} |\n| --- | --- |${' --- |'.repeat(names.length)}`);
    const wins = new Map<string, number>();
    const speed = new Map<string, number[]>();
    for (const kind of KINDS) {
      for (const alpha of alphas) {
        const trace = makeTrace(kind, alpha, mixed, requests);
        const total = trace.sizes.subarray(0, KEY_COUNT).reduce((sum, size) => sum + size, 0);
        for (const share of shares) {
          const scores = POLICIES.map(([name, make]) => {
            const score = play(trace, make(total * share, KEY_COUNT * share), total * share, hashes);
            wins.set(name, (wins.get(name) ?? 0) + score.hitRatio);
            speed.set(name, [...(speed.get(name) ?? []), score.nsPerRequest]);
            return mixed ? `${percent(score.hitRatio)} /${percent(score.byteHitRatio)}` : percent(score.hitRatio);
          });
          console.log(`| ${trace.name} | ${share * 100} % | ${scores.join(' | ')} |`);
        }
      }
    }
    const cases = KINDS.length * alphas.length * shares.length;
    console.log(`| mean hit ratio | | ${names.map((name) => percent((wins.get(name) ?? 0) / cases)).join(' | ')} |`);
    const medians = names.map((name) => {
      const sorted = (speed.get(name) ?? []).toSorted((a, b) => a - b);
      return `${(sorted[sorted.length >> 1] ?? 0).toFixed(0)}`;
    });
    console.log(`| median ns per request | | ${medians.join(' | ')} |`);
  }
}

main();
