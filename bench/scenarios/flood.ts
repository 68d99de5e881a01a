/** Somebody asks for URLs that nobody asked for, without end: memory must stay where the configuration puts it. */
import { setTimeout as pause } from 'node:timers/promises';
import { startContestant } from '../kit/fleet.js';
import { load } from '../kit/load.js';
import { readUseOf } from '../kit/machine.js';
import { judged, type Scenario } from '../kit/scenario.js';
import { pathOf, startSwiftOrigin } from '../kit/swift.js';

const BYTES = 4096;
const MEMORY_MB = 64;
const MEGABYTE = 1e6;
/** The budget, the process itself, and garbage that is collected late. */
const MOST_RSS_MB = MEMORY_MB + 320;
const CONNECTIONS = 64;
const WATCH_MS = 200;

export const flood: Scenario = {
  name: 'flood',
  about: `distinct URLs of 4 KB into a cache of ${MEMORY_MB} MB, many times its size`,
  hasRivals: false,
  isLong: true,
  async run(bench) {
    const origin = await startSwiftOrigin(bench.scope);
    const settings = { ttlSec: 'origin', graceSec: 0, memoryMB: MEMORY_MB, originPort: origin.port } as const;
    const patina = await startContestant(bench.scope, 'patina', settings);
    const samples: number[] = [];
    const watching = new AbortController();
    const watch = async () => {
      while (!watching.signal.aborted) {
        samples.push(readUseOf(patina.pids).rssBytes / MEGABYTE);
        await pause(WATCH_MS);
      }
    };
    const traffic = { kind: 'distinct', prefix: pathOf(BYTES, 3600, 'flood-') } as const;
    const { port } = patina;
    const watched = watch();
    const seconds = bench.pick(60, 6);
    const result = await load(bench.scope, { port, traffic, connections: CONNECTIONS, seconds, run: 0, status: 200 });
    watching.abort();
    await watched;
    const half = samples.length >> 1;
    const [before, after] = [Math.max(...samples.slice(0, half)), Math.max(...samples.slice(half))];
    const through = (result.count * BYTES) / MEGABYTE;
    return [
      {
        subject: 'patina',
        what: 'peak RSS',
        value: Math.max(before, after),
        unit: 'MB',
        target: judged(bench, 'patina', 'at most', MOST_RSS_MB),
        note: `${result.count} URLs, ${through.toFixed(0)} MB`,
      },
      {
        subject: 'patina',
        what: 'peak of the second half to that of the first',
        value: after / before,
        unit: '',
        // A short run has not come to rest in its first half.
        target: bench.isQuick ? undefined : judged(bench, 'patina', 'at most', 1.1),
      },
      {
        subject: 'patina',
        what: 'bad answers',
        value: result.badCount,
        unit: '',
        target: judged(bench, 'patina', 'exactly', 0),
        note: `${result.perSec.toFixed(0)} requests/s, p99 ${result.p99Ms.toFixed(1)} ms`,
      },
    ];
  },
};
