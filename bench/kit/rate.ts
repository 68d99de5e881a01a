/** The common kind of scenario: how many requests a second, beside each rival, and whether the answers are right. */
import { Client, warmAll } from './client.js';
import { type Contestant, type Fleet, type FleetSettings, type LeftOut, PLAIN_SETTINGS, startBare } from './fleet.js';
import { load } from './load.js';
import type { LoadResult } from './load-order.js';
import { readUseOf } from './machine.js';
import { inTurns, type Pair, ratioOf } from './pairs.js';
import { type Bench, type Figure, judged, type Outcome, type Scenario } from './scenario.js';
import { median, spread } from './stats.js';
import type { SwiftOrigin } from './swift.js';
import type { Traffic } from './traffic.js';

export interface RateOrder {
  readonly name: string;
  readonly about: string;
  readonly connections: number;
  /** As for a scenario. */
  readonly isLong?: boolean;
  readonly settings?: FleetSettings;
  /** What is asked for, in mode quick or not. */
  traffic(isQuick: boolean): Traffic;
  /** What is stored before. */
  warm?(isQuick: boolean): Iterable<string>;
  /** A request of the traffic, and what must come: asked of each before anything is measured. */
  readonly sample: {
    readonly path: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly status: number;
    readonly bodyBytes: number;
  };
  /** Bytes of an answer on average, head included, where they are not those of the sample. */
  readonly bytesEach?: Range;
  /** Share of the requests that reach the origin. */
  readonly originShare: Range;
  /** Of one run, where answers take so long that the usual time holds too few. */
  readonly seconds?: { readonly full: number; readonly quick: number };
  /** Of load before anything is measured, of each alike, where one of them takes longer until its code is compiled. */
  readonly warmSeconds?: { readonly full: number; readonly quick: number };
  /** Requests of this load that are answered at least: on a busy machine the same time has so few that it does not compile anything. */
  readonly warmCount?: number;
  /** Also beside a node:http server that answers from a Map. */
  readonly hasBare?: boolean;
  /** Least ratio to each. */
  readonly ratios?: Readonly<Record<string, number>>;
  /** The same of the requests for a second of CPU. */
  readonly cpuRatios?: Readonly<Record<string, number>>;
  /** Those whose p99 must not be lower. */
  readonly p99?: readonly string[];
}

export interface Range {
  readonly least: number;
  readonly most: number;
}

export interface Sample extends LoadResult {
  /** Requests for each second of CPU that the server used: steadier than the rate where the machine is shared. */
  readonly perCpuSec: number;
}

const RUN_SECONDS = { full: 2, quick: 0.3 };
const WARM_SECONDS = { full: 1, quick: 0.3 };
/** Times that this load is repeated for that. */
const MAX_WARM_RUNS = 10;
const NOTHING: Range = { least: 0, most: 0 };
/** No head of an answer is longer. */
const MOST_HEAD_BYTES = 900;

/** Requests for the sample. */
const SAMPLE_TRIES = 4;
/** Requests of one connection that may reach the origin beside those that are counted. */
const UNDER_WAY = 4;

/** One that does not do what is measured. */
export class WrongAnswer extends Error {}

/**
 * Asked again: the first may be a miss, and what it stored must answer one of the others; not always the next, where it is stored
 * by another thread. Requests for the sample alone are counted: what the one measured before had under way reaches the
 * origin for a while, and so does what it refreshes in the background.
 */
export async function checkSample(order: RateOrder, origin: SwiftOrigin, { port }: Contestant): Promise<void> {
  const { path, headers, status, bodyBytes } = order.sample;
  const client = await Client.open(port);
  try {
    await client.get(path, headers);
    await origin.watch(path);
    for (let i = 1; i < SAMPLE_TRIES; i++) {
      const answer = await client.get(path, headers);
      if ((await origin.take()).watched > 0) continue;
      if (answer.status !== status) throw new WrongAnswer(`it answers ${answer.status} instead of ${status}`);
      if (answer.bodyBytes !== bodyBytes && answer.fields.get('transfer-encoding') === undefined)
        throw new WrongAnswer(`its answer has ${answer.bodyBytes} bytes instead of ${bodyBytes}`);
      return;
    }
    throw new WrongAnswer('it does not store the answer of the origin');
  } finally {
    client.close();
  }
}

export function checkRun(order: RateOrder, result: LoadResult, asked: number, isBare: boolean): void {
  const { bodyBytes } = order.sample;
  const bytes = order.bytesEach ?? { least: bodyBytes, most: bodyBytes + MOST_HEAD_BYTES };
  const share = isBare ? NOTHING : order.originShare;
  if (result.badCount > 0) throw new WrongAnswer(`${result.badCount} of ${result.count} requests failed`);
  if (result.count === 0) throw new WrongAnswer('the load tool saw no whole answer of it');
  // Answers that the end of the load cut off are among the bytes, and not among the answers.
  const most = bytes.most + (bytes.most * order.connections) / result.count;
  if (result.bytesEach < bytes.least || result.bytesEach > most)
    throw new WrongAnswer(`answers of ${result.bytesEach.toFixed(0)} bytes, not ${bytes.least} to ${most.toFixed(0)}`);
  // What was under way when the load ended, or when the one before ended, reached the origin and was not counted by the tool.
  const atMost = share.most * result.count + (share.most > 0 ? UNDER_WAY * order.connections : 0);
  if (asked < share.least * result.count || asked > atMost)
    throw new WrongAnswer(`the origin was asked ${asked} times for ${result.count} requests`);
}

export async function runOnce(
  bench: Bench,
  order: RateOrder,
  origin: SwiftOrigin,
  contestant: Contestant,
  run: number,
  seconds: number,
): Promise<Sample> {
  await origin.take();
  const { connections, sample } = order;
  // Those of the beginning: one that comes or goes meanwhile would count with all that it has ever used.
  const { pids } = contestant;
  const before = readUseOf(pids);
  const traffic = order.traffic(bench.isQuick);
  const { port } = contestant;
  const result = await load(bench.scope, { port, traffic, connections, seconds, run, status: sample.status });
  const after = readUseOf(pids);
  const { count: asked } = await origin.take();
  checkRun(order, result, asked, contestant.name.startsWith('bare'));
  return { ...result, perCpuSec: result.count / ((after.cpuMs - before.cpuMs) / 1000) };
}

export async function layGround(
  bench: Bench,
  order: RateOrder,
  origin: SwiftOrigin,
  contestant: Contestant,
): Promise<void> {
  const paths = order.warm?.(bench.isQuick);
  if (paths !== undefined && !contestant.name.startsWith('bare')) await warmAll(contestant.port, paths);
  await checkSample(order, origin, contestant);
}

/** Leaves out those that fail; the judged one may not. */
async function ready(bench: Bench, order: RateOrder, fleet: Fleet, leftOut: LeftOut[]): Promise<Contestant[]> {
  const all: Contestant[] = [];
  const bare = order.hasBare === true ? [await startBare(bench.scope, order.sample.path, order.sample.bodyBytes)] : [];
  for (const [i, contestant] of [...fleet.contestants, ...bare].entries()) {
    try {
      await layGround(bench, order, fleet.origin, contestant);
      const { full, quick } = order.warmSeconds ?? WARM_SECONDS;
      const seconds = bench.pick(full, Math.max(quick, order.seconds?.quick ?? 0));
      for (let runs = 0, answers = 0; runs === 0 || (answers < (order.warmCount ?? 0) && runs < MAX_WARM_RUNS); runs++)
        answers += (await runOnce(bench, order, fleet.origin, contestant, 0, seconds)).count;
      all.push(contestant);
    } catch (error) {
      if (i === 0) throw error;
      leftOut.push({ subject: contestant.name, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return all;
}

function ownFigures(subject: string, runs: readonly Sample[]): Figure[] {
  const perSec = runs.map((run) => run.perSec);
  const perCpuSec = runs.map((run) => run.perCpuSec);
  return [
    { subject, what: 'requests a second', value: median(perSec), unit: '/s', note: spread(perSec, 0) },
    { subject, what: 'p99', value: median(runs.map((run) => run.p99Ms)), unit: 'ms' },
    { subject, what: 'requests for a second of CPU', value: median(perCpuSec), unit: '', note: spread(perCpuSec, 0) },
  ];
}

function ratioFigures(bench: Bench, order: RateOrder, own: string, name: string, pairs: Pair<Sample>[]): Figure[] {
  const least = order.ratios?.[name];
  const target = least === undefined ? undefined : judged(bench, own, 'at least', least);
  const leastCpu = order.cpuRatios?.[name];
  const cpuTarget = leastCpu === undefined ? undefined : judged(bench, own, 'at least', leastCpu);
  const p99Target = order.p99?.includes(name) === true ? judged(bench, own, 'at most', 1) : undefined;
  const rate = ratioOf(pairs, (one) => one.perSec);
  const cpu = ratioOf(pairs, (one) => one.perCpuSec);
  const p99 = ratioOf(pairs, (one) => one.p99Ms);
  return [
    { subject: own, what: `ratio to ${name}`, unit: '', target, ...rate },
    { subject: own, what: `ratio to ${name}, by CPU`, unit: '', target: cpuTarget, ...cpu },
    { subject: own, what: `p99 beside ${name}`, unit: '', target: p99Target, ...p99 },
  ];
}

export interface Compared extends Outcome {
  /** Requests that the judged one answered while it was measured. */
  readonly ownCount: number;
}

export async function compareRates(bench: Bench, order: RateOrder, fleet: Fleet): Promise<Compared> {
  const leftOut = [...fleet.leftOut];
  const [own, ...others] = await ready(bench, order, fleet, leftOut);
  if (own === undefined) throw new Error('there is nothing to measure');
  let run = 0;
  const { full, quick } = order.seconds ?? RUN_SECONDS;
  const seconds = bench.pick(full, quick);
  const measure = (contestant: Contestant) => runOnce(bench, order, fleet.origin, contestant, ++run, seconds);
  const pairs = new Map<string, Pair<Sample>[]>(others.map(({ name }) => [name, []]));
  const wrong = new Set<string>();
  const attempt = async (contestant: Contestant): Promise<Sample | undefined> => {
    if (wrong.has(contestant.name)) return undefined;
    try {
      return await measure(contestant);
    } catch (error) {
      if (!(error instanceof WrongAnswer)) throw error;
      wrong.add(contestant.name);
      pairs.delete(contestant.name);
      leftOut.push({ subject: contestant.name, why: error.message });
      return undefined;
    }
  };
  const runs = await inTurns(
    bench.pick(5, 2),
    bench.isQuick,
    () => measure(own),
    new Map(others.map((contestant) => [contestant.name, () => attempt(contestant)])),
    (name, pair) => pairs.get(name)?.push(pair),
  );
  const figures = ownFigures(own.name, runs);
  for (const [name, all] of pairs) {
    const rivals = all.map((pair) => pair.other);
    figures.push(...ownFigures(name, rivals));
  }
  for (const [name, all] of pairs) figures.push(...ratioFigures(bench, order, own.name, name, all));
  return { figures, leftOut, ownCount: runs.reduce((sum, { count }) => sum + count, 0) };
}

export function rateScenario(order: RateOrder): Scenario {
  return {
    name: order.name,
    about: `${order.about}; ${order.connections} connections`,
    hasRivals: true,
    isLong: order.isLong ?? false,
    rate: order,
    run: async (bench) => compareRates(bench, order, await bench.fleet(order.settings ?? PLAIN_SETTINGS)),
  };
}
