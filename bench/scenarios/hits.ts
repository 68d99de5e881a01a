/** Fresh hits of four sizes: the path that most requests take. */
import { rateScenario } from '../kit/rate.js';
import { pathOf } from '../kit/swift.js';

const KILOBYTE = 1024;
const NOTHING = { least: 0, most: 0 };

interface Hits {
  readonly name: string;
  readonly bytes: number;
  readonly connections: number;
  readonly ratios?: Readonly<Record<string, number>>;
  readonly p99?: readonly string[];
  readonly hasBare?: boolean;
  readonly seconds?: { readonly full: number; readonly quick: number };
  readonly warmSeconds?: { readonly full: number; readonly quick: number };
}

function hits({ name, bytes, ...rest }: Hits) {
  const path = pathOf(bytes, 3600, 'hit');
  return rateScenario({
    name,
    about: `fresh hits of ${bytes < KILOBYTE ? `${bytes} bytes` : `${bytes / KILOBYTE} KB`}`,
    traffic: () => ({ kind: 'one', path }),
    sample: { path, status: 200, bodyBytes: bytes },
    originShare: NOTHING,
    ...rest,
  });
}

export const hit1k = hits({
  name: 'hit-1k',
  bytes: KILOBYTE,
  connections: 64,
  hasBare: true,
  // The first of all: what they do in their first second is no rate.
  warmSeconds: { full: 1, quick: 1 },
  // Its p99 is judged: in a run of 0.3 s four turns of a neighbour on the core are enough for that, whoever answers.
  seconds: { full: 2, quick: 1 },
  ratios: { nginx: 1.15, varnish: 1.5, trafficserver: 1.4, haproxy: 1 },
  p99: ['nginx', 'varnish', 'trafficserver', 'haproxy'],
});

export const hit100 = hits({ name: 'hit-100', bytes: 100, connections: 64 });

export const hit64k = hits({
  name: 'hit-64k',
  bytes: 64 * KILOBYTE,
  connections: 64,
  ratios: { varnish: 1, trafficserver: 1, haproxy: 1 },
});

export const hit1m = hits({
  name: 'hit-1m',
  bytes: KILOBYTE * KILOBYTE,
  connections: 16,
  ratios: { nginx: 0.9, varnish: 0.9, trafficserver: 0.9, haproxy: 0.9 },
});
