/** A million stored responses: neither the garbage collector nor any sweep may hold the event loop for long. */
import { setTimeout as pause } from 'node:timers/promises';
import { warmAll } from '../kit/client.js';
import { startContestant } from '../kit/fleet.js';
import { load } from '../kit/load.js';
import { readUseOf } from '../kit/machine.js';
import { askProbe, PROBED, type ProbeReport } from '../kit/probe.js';
import { type Figure, judged, type Scenario } from '../kit/scenario.js';
import { pathOf, startSwiftOrigin } from '../kit/swift.js';
import { drawZipf, untilCompiled } from '../kit/traffic.js';

const KEYS = 1_000_000;
const QUICK_KEYS = 20_000;
const BYTES = 100;
/** One in so many is over soon after all are stored, so that much is swept while hits are served. */
const SHORT_LIVED = 10;
const MOST_PAUSE_MS = 20;
const CONNECTIONS = 64;
const DRAWS = 200_000;
const QUICK_DRAWS = 20_000;

function pathOfKey(key: number): string {
  return key % SHORT_LIVED === 7 ? pathOf(BYTES, 5, `m${key}`) : pathOf(BYTES, 36_000, `m${key}`);
}

function* everyKey(keys: number): Iterable<string> {
  for (let key = 0; key < keys; key++) yield pathOfKey(key);
}

/** Keys that stay, by popularity; the multiplier spreads the popular ones over all that are stored. */
function drawn(keys: number, draws: number): string[] {
  const ranks = drawZipf({ keys, exponent: 0.9, draws, seed: 7 });
  return ranks.map((rank) => {
    const key = (rank * 7_919) % keys;
    return pathOfKey(key % SHORT_LIVED === 7 ? key - 1 : key);
  });
}

function pauses(phase: string, report: ProbeReport): Figure[] {
  const { delayMaxMs, delayP999Ms, ownDelayMaxMs, gcLongestMs, gcLongestOwnMs, gcCount, gcTotalMs, waitedMs } = report;
  const target = { is: 'at most', value: MOST_PAUSE_MS } as const;
  const others =
    waitedMs === undefined
      ? ''
      : `; ${delayMaxMs.toFixed(0)} ms with the time that others had its core, ${waitedMs.toFixed(0)} ms in all`;
  const withOthers = gcLongestOwnMs === undefined ? '' : `; ${gcLongestMs.toFixed(0)} ms with the same`;
  return [
    {
      subject: 'patina',
      what: `${phase}: longest delay of the loop`,
      value: ownDelayMaxMs ?? delayMaxMs,
      unit: 'ms',
      target,
      note: `p99.9 ${delayP999Ms.toFixed(1)} ms${others}`,
    },
    {
      subject: 'patina',
      what: `${phase}: longest collection`,
      value: gcLongestOwnMs ?? gcLongestMs,
      unit: 'ms',
      target,
      note: `${gcCount} of ${gcTotalMs.toFixed(0)} ms in all${withOthers}`,
    },
  ];
}

export const million: Scenario = {
  name: 'million',
  about: `${KEYS} stored responses of ${BYTES} bytes (${QUICK_KEYS} where quick), one in ${SHORT_LIVED} expiring: pauses seen from inside`,
  hasRivals: false,
  async run(bench) {
    const keys = bench.pick(KEYS, QUICK_KEYS);
    const origin = await startSwiftOrigin(bench.scope);
    const settings = { ttlSec: 'origin', graceSec: 0, memoryMB: 4096, keepSec: 0, originPort: origin.port } as const;
    const patina = await startContestant(bench.scope, 'patina', { ...settings, ...PROBED });
    // The first turns, of 64 misses each by code that nothing has compiled yet, say nothing of collections and sweeps.
    await warmAll(patina.port, untilCompiled('million', BYTES), CONNECTIONS);
    const empty = readUseOf(patina.pids).rssBytes;
    await askProbe(patina.running);
    const startedAt = performance.now();
    await warmAll(patina.port, everyKey(keys), CONNECTIONS);
    const fillSec = (performance.now() - startedAt) / 1000;
    const filling = await askProbe(patina.running);
    const { rssBytes } = readUseOf(patina.pids);
    const traffic = { kind: 'drawn', paths: drawn(keys, bench.pick(DRAWS, QUICK_DRAWS)), prefix: '' } as const;
    const order = { port: patina.port, traffic, connections: CONNECTIONS, run: 0, status: 200 };
    await origin.take();
    const hits = await load(bench.scope, { ...order, seconds: bench.pick(10, 1) });
    const { count: asked } = await origin.take();
    const serving = await askProbe(patina.running);
    await pause(bench.pick(10_000, 1_000));
    const resting = await askProbe(patina.running);
    return [
      ...pauses('filling', filling),
      ...pauses('serving', serving),
      ...pauses('at rest', resting),
      { subject: 'patina', what: 'stored a second', value: keys / fillSec, unit: '/s' },
      {
        subject: 'patina',
        what: 'memory of one, all told',
        value: (rssBytes - empty) / keys,
        unit: 'bytes',
        note: `RSS ${(rssBytes / 1e6).toFixed(0)} MB`,
      },
      { subject: 'patina', what: 'hits a second', value: hits.perSec, unit: '/s', note: `p99 ${hits.p99Ms} ms` },
      {
        subject: 'patina',
        what: 'origin requests among the hits',
        value: asked,
        unit: '',
        target: judged(bench, 'patina', 'exactly', 0),
      },
    ];
  },
};
