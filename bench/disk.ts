/**
 * What the disk tier costs and gives: `node dist/bench/disk.js [--records N] [--seconds N]`. Prints how long a start with so
 * many responses on disk takes, how fast random ones of them are served beside hits from memory, the memory that takes,
 * and what 1,000 fills a second do to the 99th percentile of hits, with a disk and without. Issue 5 asks for 1 s, 0.5,
 * 200 MB and 10 %. Rates are driven by wrk where it is installed, with server and load on cores of their own; without it
 * the client below takes longer for a request than a hit does, and rates say little.
 *
 * What is judged is random hits from disk beside random hits from memory: the same client, connections and choice of keys, over as many
 * keys as there are in the one case and as memory holds in the other, so that nothing differs but where the response is found.
 * Beside that stands the ratio to hits on a few hot keys, which differ in more: their replies are kept ready as bytes
 * (decision 0016), as a random one is in neither tier. Each rate says which share of it the disk answered.
 *
 * Fills go out one after another at even distances, as many requests of strangers do, and not in bursts of the clients' own timers: where twenty come at
 * once, a 99th percentile says how long twenty take. Both proxies are warmed up with the very load that they are measured under.
 *
 * Beside each rate stands the processor time that the server took for one request, which other work on the machine
 * changes less, and its page faults: a process maps each part of the file with its first use (a minor fault), and waits for the
 * device where that is not in memory (a major one). So a rate is measured once faults and processor time have settled, however
 * many requests that takes (decision 0039); what is reached before that says how busy the machine is.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { systemClock } from '../lib/base/clock.js';
import { readConfig } from '../lib/config/load.js';
import { makeRules } from '../lib/config/rules.js';
import { Fields } from '../lib/http/fields.js';
import { Body } from '../lib/object/body.js';
import { SILENT } from '../lib/observe/events.js';
import { lifeOf } from '../lib/policy/lifetime.js';
import { DiskTier } from '../lib/store/disk.js';
import { openDiskFile } from '../lib/store/disk-file.js';
import { prepareDiskPlace } from '../lib/store/disk-place.js';
import { openThreadPort } from '../lib/store/disk-port.js';
import { findProgram, LOAD_CORE, SERVER_CORE } from './kit/machine.js';
import { inTurns, type Pair, ratioOf } from './kit/pairs.js';
import { median } from './kit/stats.js';

const CLI = fileURLToPath(new URL('../lib/cli/main.js', import.meta.url));
const HOST = 'bench.example';
const GB = 1024 ** 3;
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
const FILLS_PER_SEC = 1_000;
const MEMORY_MB = 64;
const FILL_CONNECTIONS = 20;
const P99_PAIRS = 9;
/** Of each of the two, before what is measured: until both have compiled and filled what they will. */
const P99_WARM_UPS = 3;
const WRK = findProgram('wrk');

const { values } = parseArgs({ options: { records: { type: 'string' }, seconds: { type: 'string' } } });
const RECORDS = Number(values.records ?? 1_000_000);
const SECONDS = Number(values.seconds ?? 8);

/** Puts that many responses of 1 KB on disk. */
async function fillDisk(path: string): Promise<void> {
  const { directory } = prepareDiskPlace(path);
  const clock = systemClock();
  const sizeBytes = 8 * GB;
  const file = openDiskFile(directory, sizeBytes);
  const port = openThreadPort({ directory, sizeBytes });
  const tier = new DiskTier({
    file,
    port,
    sizeBytes,
    clock,
    events: SILENT,
    onDamaged: () => undefined,
  });
  const fields = Fields.of({
    Date: new Date(clock.wall()).toUTCString(),
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'max-age=86400',
    ETag: '"33a64df551425fcc55e4d42a148795d9f25f89d4"',
  });
  // As the proxy would have made them itself, so that it finds them under its own rule.
  const { all } = makeRules(readConfig({ origin: 'http://127.0.0.1' }));
  const rule = all.at(-1);
  if (rule === undefined) throw new Error('there is always a last rule');
  for (let n = 0; n < RECORDS; n++) {
    const now = clock.now();
    tier.put({
      key: `http://${HOST}/n/${n}`,
      selection: { names: [], values: [] },
      status: 200,
      reasonPhrase: 'OK',
      fields,
      body: Body.of([Buffer.alloc(1024, n)]),
      life: lifeOf({ status: 200, fields, rule, initialAgeMs: 0, receivedAt: now, receivedWall: clock.wall() }),
      rule: rule.name,
      madeBy: rule,
      receivedAt: now,
      fetchedAt: now,
      receivedWall: clock.wall(),
    });
    if (n % 4000 === 3999) await tier.settled();
  }
  await tier.close();
}

interface Proxy {
  readonly child: ChildProcess;
  readonly port: number;
  readonly adminPort: number;
  readonly readyMs: number;
  /** Of that, so much was work, of all threads. */
  readonly readyWorkMs: number;
}

/** A command line that stays on one core, where that can be. */
function onCore(core: number | undefined, command: readonly string[]): readonly string[] {
  return core === undefined ? command : ['taskset', '-c', String(core), ...command];
}

async function start(origin: string, disk: string | undefined): Promise<Proxy> {
  const at = performance.now();
  const settings = [`cache.memory=${MEMORY_MB}MB`, 'log.access=off'];
  if (disk !== undefined) settings.push(`cache.disk.path=${disk}`, 'cache.disk.size=8GB');
  const args = [CLI, '--origin', origin, '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  const command = onCore(SERVER_CORE, [process.execPath, ...args, ...settings.flatMap((one) => ['--set', one])]);
  const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  const ports = await new Promise<{ port: number; adminPort: number }>((resolve, reject) => {
    let said = '';
    child.stdout.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      const match = /ready on \S+:(\d+),.* admin \S+:(\d+)\n/.exec(said);
      if (match !== null) resolve({ port: Number(match[1]), adminPort: Number(match[2]) });
    });
    child.once('exit', (code) => reject(new Error(`it ended with ${code}: ${said}`)));
  });
  const readyMs = performance.now() - at;
  return { child, ...ports, readyMs, readyWorkMs: processorUs(child.pid) / 1000 };
}

/** Starts it so many times, and leaves the last one running; prints the median. */
async function startAgain(name: string, origin: string, disk: string | undefined, asked: string): Promise<Proxy> {
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

async function stop({ child }: Proxy): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}

interface Load {
  readonly perSec: number;
  readonly p99Ms: number;
  /** Answers that did not say `hit`. */
  readonly missed: number;
}

/** Asks for one path after another; `over` hears the end of each answer, and its head. */
class Client {
  readonly #socket: Socket;

  constructor(port: number, over: (client: Client, head: string) => void, failed: (error: Error) => void) {
    this.#socket = connect(port, '127.0.0.1').setNoDelay().on('error', failed);
    let held = '';
    this.#socket.on('data', (bytes) => {
      held += bytes.toString('latin1');
      const end = held.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = held.slice(0, end);
      if (held.length < end + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)) return;
      held = '';
      over(this, head);
    });
  }

  ask(path: string): void {
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  }

  end(): void {
    this.#socket.end();
  }
}

/** One request after another on each connection, for so many seconds. */
async function load(port: number, connections: number, next: () => string): Promise<Load> {
  const until = performance.now() + SECONDS * 1000;
  const latencies: number[] = [];
  let missed = 0;
  const client = (): Promise<void> =>
    new Promise((resolve, reject) => {
      let at = 0;
      const ask = (own: Client): void => {
        at = performance.now();
        if (at < until) own.ask(next());
        else {
          own.end();
          resolve();
        }
      };
      const over = (own: Client, head: string): void => {
        latencies.push(performance.now() - at);
        if (!head.includes('patina; hit')) missed++;
        ask(own);
      };
      ask(new Client(port, over, reject));
    });
  await Promise.all(Array.from({ length: connections }, client));
  latencies.sort((a, b) => a - b);
  return { perSec: latencies.length / SECONDS, p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0, missed };
}

/**
 * FILLS_PER_SEC requests a second for so many seconds, each for what nobody has asked for, at even distances as far as a timer of 1 ms
 * gives them. Returns how many were answered in a second.
 */
function fillEvenly(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const stem = Math.random().toString(36).slice(2);
    let [sent, answered] = [0, 0];
    const free: Client[] = [];
    const over = (client: Client): void => {
      answered++;
      free.push(client);
    };
    for (let n = 0; n < FILL_CONNECTIONS; n++) free.push(new Client(port, over, reject));
    const clients = [...free];
    const begunAt = performance.now();
    const pace = setInterval(() => {
      const passedMs = performance.now() - begunAt;
      if (passedMs >= SECONDS * 1000) {
        clearInterval(pace);
        for (const client of clients) client.end();
        resolve(answered / (passedMs / 1000));
        return;
      }
      const due = Math.floor((passedMs * FILLS_PER_SEC) / 1000);
      while (sent < due) {
        const client = free.shift();
        if (client === undefined) break;
        client.ask(`/fill/${stem}/${sent++}`);
      }
    }, 1);
  });
}

/** Processor time of all threads of a process so far, in microseconds. */
function processorUs(pid: number | undefined): number {
  const tasks = `/proc/${pid}/task`;
  if (!existsSync(tasks)) return Number.NaN;
  const nsOf = (task: string): number => Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]);
  return readdirSync(tasks).reduce((sum, task) => sum + nsOf(task), 0) / 1000;
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
async function diskHits({ adminPort }: Proxy): Promise<number> {
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
async function rateOf(proxy: Proxy, paths: number): Promise<Rate> {
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
  proxy: Proxy,
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
  const { perSec, missed } = await load(port, CONNECTIONS, () => `/n/${Math.floor(Math.random() * paths)}`);
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
const hot = (): string => `/n/${Math.floor(Math.random() * HOT)}`;

/** Of a process, in MB: its own memory, and pages of files that it has mapped, which the system takes back when it likes. */
function memoryOf(pid: number | undefined): { ownMb: number; mappedMb: number } {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return { ownMb: Number.NaN, mappedMb: Number.NaN };
  const status = readFileSync(file, 'utf8');
  const of = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
  return { ownMb: of('RssAnon') + of('RssShmem'), mappedMb: of('RssFile') };
}

interface WhileFilling {
  readonly p99Ms: number;
  readonly fillsPerSec: number;
}

/** The 99th percentile of hits while so many fills go on, which nobody has asked for before. */
async function p99WithFills({ port }: Proxy): Promise<WhileFilling> {
  const fills = fillEvenly(port);
  const hits = await load(port, 8, hot);
  return { p99Ms: hits.p99Ms, fillsPerSec: await fills };
}

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const server = createServer((_, res) => {
  // Its length is told: the client below reads no chunks, and took the end of a response in chunks for one more.
  const fields = { 'Cache-Control': 'max-age=86400', ETag: '"1"', 'Content-Length': '1024' };
  res.writeHead(200, fields).end(Buffer.alloc(1024, 'x'));
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const directory = mkdtempSync(join(tmpdir(), 'patina-bench-disk-'));
const disk = join(directory, 'var');

const filledAt = performance.now();
await fillDisk(disk);
print(`${RECORDS} responses of 1 KB written in ${((performance.now() - filledAt) / 1000).toFixed(1)} s`);

// The clients and the origin are in this process: they leave the server's core alone.
if (LOAD_CORE !== undefined)
  execFileSync('taskset', ['-acp', String(LOAD_CORE), String(process.pid)], { stdio: 'ignore' });
const without = await startAgain('ready without a disk', origin, undefined, '');
const withDisk = await startAgain('ready with them', origin, disk, '(at most 1000) ');
const fromDisk = await settledRateOf(withDisk, RECORDS);
const { missed } = await load(withDisk.port, CONNECTIONS, random);
const whileRandom = memoryOf(withDisk.child.pid);
// What is asked for twice within a while comes into memory, in which other things are: until nearly all of them are there.
const fromMemory = await settledRateOf(withDisk, HELD, ({ diskPercent }) => diskPercent < 1);
const ofHot = await settledRateOf(withDisk, HOT);
for (let n = 0; n < 2; n++) await load(without.port, 4, hot);
await rateOf(without, HOT);
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
// What is compared has run as long as the other.
for (let n = 0; n < P99_WARM_UPS; n++) for (const one of [without, withDisk]) await p99WithFills(one);
const pairs: Pair<WhileFilling>[] = [];
const plain = new Map([['without', () => p99WithFills(without)]]);
await inTurns(
  P99_PAIRS,
  false,
  () => p99WithFills(withDisk),
  plain,
  (_, pair) => pairs.push(pair),
);
const fillsPerSec = median(pairs.map(({ own }) => own.fillsPerSec));
const p99Line = (name: string, which: 'own' | 'other', what: string): void =>
  print(
    `${name.padEnd(25)}  ${median(pairs.map((pair) => pair[which].p99Ms))
      .toFixed(2)
      .padStart(9)} ms ${what}`,
  );
p99Line(`p99 of hits, ${fillsPerSec.toFixed(0)} fills/s`, 'other', 'without a disk');
p99Line('', 'own', 'with one');
const { value, note } = ratioOf(pairs, ({ p99Ms }) => p99Ms);
const where = SERVER_CORE === undefined ? 'not pinned' : 'one core for the server, its writing thread included';
print(
  `ratio                       ${value.toFixed(2).padStart(8)}      (at most 1.10; ${note}; fills evenly spaced, after ${P99_WARM_UPS} runs of each; ${where})`,
);
await stop(withDisk);
await stop(without);
server.closeAllConnections();
server.close();
rmSync(directory, { recursive: true, force: true });
