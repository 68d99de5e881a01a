/**
 * What the disk tier costs and gives: `node dist/bench/disk.js [--records N] [--seconds N]`. Prints how long a start with so
 * many responses on disk takes, how fast random ones of them are served beside hits from memory, the memory that takes,
 * and what 1,000 fills a second do to the 99th percentile of hits, with a disk and without (disk-fills.ts). Issue 5 asks for 1 s, 0.5,
 * 200 MB and 10 %. Rates are driven by wrk where it is installed, with server and load on cores of their own; without it
 * the client in kit/disk-proxy.ts takes longer for a request than a hit does, and rates say little.
 *
 * What is judged is random hits from disk beside random hits from memory: the same client, connections and choice of keys, over as many
 * keys as there are in the one case and as memory holds in the other, so that nothing differs but where the response is found.
 * Beside that stands the ratio to hits on a few hot keys, which differ in more: their replies are kept ready as bytes
 * (decision 0016), as a random one is in neither tier. Each rate says which share of it the disk answered.
 *
 * Beside each rate stands the processor time that the server took for one request, which other work on the machine
 * changes less, and its page faults: a process maps each part of the file with its first use (a minor fault), and waits for the
 * device where that is not in memory (a major one). So a rate is measured once faults and processor time have settled, however
 * many requests that takes (decision 0039); what is reached before that says how busy the machine is.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { printFills } from './disk-fills.js';
import {
  fillDisk,
  HOST,
  load,
  MEMORY_MB,
  onCore,
  openOrigin,
  processorUs,
  type Started,
  start,
  stop,
} from './kit/disk-proxy.js';
import { findProgram, LOAD_CORE } from './kit/machine.js';
import { median } from './kit/stats.js';

/** Kept ready, all of them. */
const HOT = 1_000;
/** So many MEMORY_MB hold, with room left. */
const HELD = 30_000;
const MAX_WARM_UPS = 12;
/** Minor faults for a request, and a difference of processor time between two runs, below which nothing more is warmed up. */
const SETTLED_FAULTS = 0.05;
const SETTLED_SHARE = 0.1;
/** Starts of each of the two: each takes as long as the machine lets it. */
const STARTS = 3;
const CONNECTIONS = 32;
const WRK = findProgram('wrk');

const { values } = parseArgs({ options: { records: { type: 'string' }, seconds: { type: 'string' } } });
const RECORDS = Number(values.records ?? 1_000_000);
const SECONDS = Number(values.seconds ?? 8);

/** Starts it so many times, and leaves the last one running; prints the median. */
async function startAgain(name: string, origin: string, disk: string | undefined, asked: string): Promise<Started> {
  let last = await start(origin, disk);
  const all = [last];
  while (all.length < STARTS) {
    await stop(last);
    last = await start(origin, disk);
    all.push(last);
  }
  const [readyMs, workMs] = [median(all.map((one) => one.readyMs)), median(all.map((one) => one.readyWorkMs))];
  print(
    `${name.padEnd(27)} ${readyMs.toFixed(0).padStart(8)} ms   ${asked}${workMs.toFixed(0)} ms of processor time, median of ${STARTS}`,
  );
  return last;
}

/** Page faults of a process so far: where a page was in memory, and where it had to be read. */
function faultsOf(pid: number | undefined): { minor: number; major: number } {
  const file = `/proc/${pid}/stat`;
  if (!existsSync(file)) return { minor: Number.NaN, major: Number.NaN };
  // Behind the name, which may have spaces: the fields from the third on.
  const fields = readFileSync(file, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return { minor: Number(fields[7]), major: Number(fields[9]) };
}

interface Rate {
  readonly perSec: number;
  /** Of the server, for one request. */
  readonly processorUs: number;
  /** Page faults, for one request. */
  readonly minor: number;
  readonly major: number;
  /** Of these hits, how many of a hundred the disk answered. */
  readonly diskPercent: number;
}

/** Lookups that the disk answered so far. */
async function diskHits({ adminPort }: Started): Promise<number> {
  const metrics = await new Promise<string>((resolve, reject) => {
    get({ host: '127.0.0.1', port: adminPort, path: '/metrics', agent: false }, (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (more: string) => (text += more));
      res.on('end', () => resolve(text)).on('error', reject);
    }).on('error', reject);
  });
  return Number(/^patina_disk_hits_total (\d+)$/m.exec(metrics)?.[1] ?? Number.NaN);
}

/** How fast random ones of the first `paths` are served. */
async function rateOf(proxy: Started, paths: number): Promise<Rate> {
  const { child, port } = proxy;
  const hitsBefore = await diskHits(proxy);
  const before = { us: processorUs(child.pid), ...faultsOf(child.pid) };
  const perSec = WRK === undefined ? await ownRate(port, paths) : runWrk(WRK, port, paths);
  const count = perSec * SECONDS;
  const after = { us: processorUs(child.pid), ...faultsOf(child.pid) };
  return {
    perSec,
    processorUs: (after.us - before.us) / count,
    minor: (after.minor - before.minor) / count,
    major: (after.major - before.major) / count,
    diskPercent: Math.min(100, ((await diskHits(proxy)) - hitsBefore) / count / 0.01),
  };
}

/** The same once it is as fast as it gets, and `isReady`; says how that came about. */
async function settledRateOf(
  proxy: Started,
  paths: number,
  isReady: (rate: Rate) => boolean = () => true,
): Promise<Rate> {
  const rates = [await rateOf(proxy, paths)];
  for (;;) {
    const [last, next] = [rates.at(-1) as Rate, await rateOf(proxy, paths)];
    rates.push(next);
    const hasSettled =
      !(next.minor >= SETTLED_FAULTS) && !(Math.abs(next.processorUs / last.processorUs - 1) > SETTLED_SHARE);
    if ((hasSettled && isReady(next)) || rates.length > MAX_WARM_UPS) break;
  }
  const told = rates.map(({ processorUs: us, minor }) => `${us.toFixed(0)} us, ${minor.toFixed(2)}`);
  print(
    `  warmed up on ${paths}: processor time and minor faults for each in runs of ${SECONDS} s: ${told.join('; ')}`,
  );
  return rates.at(-1) as Rate;
}

async function ownRate(port: number, paths: number): Promise<number> {
  const { perSec, missed } = await load(port, CONNECTIONS, SECONDS, () => `/n/${Math.floor(Math.random() * paths)}`);
  if (missed > 0) throw new Error(`${missed} answers were no hits`);
  return perSec;
}

function runWrk(program: string, port: number, paths: number): number {
  const script = join(directory, 'random.lua');
  const seed = Math.floor(Math.random() * 1e6);
  const tail = JSON.stringify(` HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  writeFileSync(
    script,
    `math.randomseed(${seed})
request = function() return "GET /n/" .. math.random(0, ${paths - 1}) .. ${tail} end
`,
  );
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${SECONDS}s`, '-s', script, `http://127.0.0.1:${port}/`];
  const [command = program, ...rest] = onCore(LOAD_CORE, [program, ...args]);
  const said = execFileSync(command, rest, { encoding: 'utf8' });
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(said)?.[1] ?? Number.NaN);
}

const random = (): string => `/n/${Math.floor(Math.random() * RECORDS)}`;

/** Of a process, in MB: its own memory, and pages of files that it has mapped, which the system takes back when it likes. */
function memoryOf(pid: number | undefined): { ownMb: number; mappedMb: number } {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return { ownMb: Number.NaN, mappedMb: Number.NaN };
  const status = readFileSync(file, 'utf8');
  const of = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
  return { ownMb: of('RssAnon') + of('RssShmem'), mappedMb: of('RssFile') };
}

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const directory = mkdtempSync(join(tmpdir(), 'patina-bench-disk-'));
const disk = join(directory, 'var');

const filledAt = performance.now();
const origin = await openOrigin();
await fillDisk(disk, RECORDS);
print(`${RECORDS} responses of 1 KB written in ${((performance.now() - filledAt) / 1000).toFixed(1)} s`);

// The clients and the origin are in this process: they leave the server's core alone.
if (LOAD_CORE !== undefined)
  execFileSync('taskset', ['-acp', String(LOAD_CORE), String(process.pid)], { stdio: 'ignore' });
const without = await startAgain('ready without a disk', origin.url, undefined, '');
await stop(without);
const withDisk = await startAgain('ready with them', origin.url, disk, '(at most 1000) ');
const fromDisk = await settledRateOf(withDisk, RECORDS);
const { missed } = await load(withDisk.port, CONNECTIONS, SECONDS, random);
const whileRandom = memoryOf(withDisk.child.pid);
// What is asked for twice within a while comes into memory, in which other things are: until nearly all of them are there.
const fromMemory = await settledRateOf(withDisk, HELD, ({ diskPercent }) => diskPercent < 1);
const ofHot = await settledRateOf(withDisk, HOT);
const rateLine = (name: string, rate: Rate, more = ''): void => {
  const faults = `${rate.minor.toFixed(3)} minor and ${rate.major.toFixed(4)} major faults`;
  print(
    `${name.padEnd(25)} ${rate.perSec.toFixed(0).padStart(10)} /s   ${rate.processorUs.toFixed(1)} us of processor time and ${faults} each, ${rate.diskPercent.toFixed(1)} % of them from disk${more}`,
  );
};
const ratioLine = (name: string, to: Rate, asked: string): void =>
  print(
    `${name.padEnd(27)} ${(fromDisk.perSec / to.perSec).toFixed(2).padStart(8)}      ${asked.padEnd(16)} ${(to.processorUs / fromDisk.processorUs).toFixed(2)} by processor time`,
  );
rateLine('random hits from memory', fromMemory, `, of ${HELD}`);
rateLine('random hits from disk', fromDisk, `, of ${RECORDS}; ${missed} missed`);
rateLine('hits on hot keys', ofHot, `, of ${HOT} that are kept ready`);
ratioLine('ratio disk to memory', fromMemory, '(at least 0.5)');
ratioLine('ratio disk to hot keys', ofHot, '(not judged)');
const memoryLine = (name: string, { ownMb, mappedMb }: typeof whileRandom, asked: string): void =>
  print(
    `${name.padEnd(27)} ${ownMb.toFixed(0).padStart(8)} MB   ${asked}; and ${mappedMb.toFixed(0)} MB of mapped pages`,
  );
const asked = `(${MEMORY_MB} MB configured; beyond it at most 200)`;
memoryLine('memory at random disk hits', whileRandom, asked);
memoryLine('after hits from memory too', memoryOf(withDisk.child.pid), asked);
await stop(withDisk);
await printFills(origin.url, disk, SECONDS);
origin.close();
rmSync(directory, { recursive: true, force: true });
