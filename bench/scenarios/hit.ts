/** Fresh hits of 1 KB, beside a bare node:http server that answers from one Map, and beside rivals: in interleaved rounds. */
import { type LoadResult, load } from '../kit/load.js';
import { SERVER_CORE } from '../kit/machine.js';
import { kitModule, startOrigin } from '../kit/origin.js';
import { startProxy } from '../kit/proxies.js';
import { type Bench, type Figure, judged, type Scenario, warm } from '../kit/scenario.js';
import { freePort, untilOpen } from '../kit/scope.js';
import { median, spread } from '../kit/stats.js';

const CONNECTIONS = 64;
const BARE = 'bare node:http';

async function startBare(bench: Bench): Promise<number> {
  const port = await freePort();
  const launch = {
    name: BARE,
    command: process.execPath,
    args: [kitModule('bare-main.js'), String(port)],
    core: SERVER_CORE,
  };
  await untilOpen(bench.scope.start(launch), port);
  return port;
}

async function startAll(bench: Bench): Promise<Map<string, string>> {
  const origin = await startOrigin(bench.scope, { fields: { 'Cache-Control': 'max-age=3600', ETag: '"v1"' } });
  const settings = { originPort: origin.port, ttlSec: 'origin', graceSec: 0, memoryMB: 64 } as const;
  const urls = new Map<string, string>();
  for (const subject of bench.subjects) {
    const proxy = await startProxy(bench.scope, subject, settings);
    urls.set(subject, `http://127.0.0.1:${proxy.port}/page`);
  }
  urls.set(BARE, `http://127.0.0.1:${await startBare(bench)}/page`);
  return urls;
}

function summarize(bench: Bench, results: ReadonlyMap<string, readonly LoadResult[]>): Figure[] {
  const judgedName = bench.subjects[0] ?? '';
  const own = results.get(judgedName) ?? [];
  const figures: Figure[] = [];
  for (const [subject, runs] of results) {
    const perSec = runs.map((run) => run.perSec);
    figures.push(
      { subject, what: 'hits a second', value: median(perSec), unit: '/s', note: spread(perSec, 0) },
      { subject, what: 'p99', value: median(runs.map((run) => run.p99Ms)), unit: 'ms' },
      {
        subject,
        what: 'bad answers',
        value: runs.reduce((sum, run) => sum + run.badCount, 0),
        unit: '',
        target: judged(bench, subject, 'exactly', 0),
      },
    );
    if (subject === judgedName) continue;
    const ratios = own.map((run, i) => run.perSec / (runs[i]?.perSec ?? Number.NaN));
    const target = subject === BARE ? judged(bench, judgedName, 'at least', 0.8) : undefined;
    figures.push({
      subject: judgedName,
      what: `ratio to ${subject}`,
      value: median(ratios),
      unit: '',
      target,
      note: spread(ratios, 2),
    });
  }
  return figures;
}

export const hit: Scenario = {
  name: 'hit',
  about: `fresh hits of 1 KB, ${CONNECTIONS} connections; the server on one core and the load on another where it can be pinned`,
  hasRivals: true,
  async run(bench) {
    const urls = await startAll(bench);
    const measure = (url: string, seconds: number) => load(bench.scope, { url, connections: CONNECTIONS, seconds });
    for (const url of urls.values()) {
      await warm(url);
      await measure(url, 1);
    }
    const results = new Map<string, LoadResult[]>([...urls.keys()].map((subject) => [subject, []]));
    for (let round = 0; round < bench.pick(7, 5); round++)
      for (const [subject, url] of urls) results.get(subject)?.push(await measure(url, bench.pick(3, 1)));
    return summarize(bench, results);
  },
};
