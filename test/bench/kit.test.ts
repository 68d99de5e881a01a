// Goal: what the benchmarks say can be trusted. Method: their pure parts with numbers that are known.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createNetServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Client } from '../../bench/kit/client.js';
import { bySources, summarize } from '../../bench/kit/cpu-profile.js';
import { contestantOf } from '../../bench/kit/fleet.js';
import { inTurns, type Pair, ratioOf } from '../../bench/kit/pairs.js';
import { checkRun, checkSample, type RateOrder } from '../../bench/kit/rate.js';
import { renderResults } from '../../bench/kit/readme.js';
import type { BenchResult } from '../../bench/kit/report.js';
import { type Running, Scope } from '../../bench/kit/scope.js';
import { startSwiftOrigin } from '../../bench/kit/swift.js';
import { drawZipf, seededRandom } from '../../bench/kit/traffic.js';
import { type CoreUse, readCoreUse, Waits } from '../../bench/kit/waits.js';
import { eventually } from '../kit/redis-server.js';

/** Whether a process with this id is there. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

t.test(
  'issue 5: a flag that is not known, or gives no number, ends an instrument with a sentence and what there is',
  (t) => {
    const torture = fileURLToPath(new URL('../torture/main.js', import.meta.url));
    const refused = {
      '--unknown': /^Unknown option '--unknown'/,
      '--rounds=many': /^--rounds takes a number such as 20, not 'many'\n/,
      '--rounds=0': /^--rounds takes a number such as 20, not '0'\n/,
      '--workers=': /^--workers takes a number such as 20, not ''\n/,
    };
    for (const [flag, sentence] of Object.entries(refused)) {
      const { status, stderr } = spawnSync(process.execPath, [torture, flag], { encoding: 'utf8' });
      t.equal(status, 2, flag);
      t.match(stderr, sentence);
      t.match(stderr, '\n\nusage: npm run torture -- [options]\n  --rounds N');
      t.notMatch(stderr, /^ +at /m, 'no stack');
    }
    t.end();
  },
);

t.test('issue 6: runs are interleaved: A B, then B A, a pair for each rival', async (t) => {
  const order: string[] = [];
  const run = (name: string) => async () => {
    order.push(name);
    return order.length;
  };
  const pairs: Pair<number>[] = [];
  await inTurns(2, false, run('A'), new Map([['B', run('B')]]), (_, pair) => pairs.push(pair));
  t.same(order, ['A', 'B', 'B', 'A']);
  t.same(pairs, [
    { own: 1, other: 2 },
    { own: 4, other: 3 },
  ]);
});

t.test('issue 6: to be quick, a round shares one run of its own; a rival that has failed gives no pair', async (t) => {
  const order: string[] = [];
  const run = (name: string, gives: number | undefined) => async () => {
    order.push(name);
    return gives;
  };
  const named: string[] = [];
  const own = async () => {
    order.push('A');
    return 1;
  };
  const others = new Map([
    ['B', run('B', 2)],
    ['C', run('C', undefined)],
  ]);
  await inTurns(2, true, own, others, (name) => named.push(name));
  t.same(order, ['A', 'B', 'C', 'A', 'B', 'C']);
  t.same(named, ['B', 'B']);
});

t.test('issue 6: without a rival the runs are made all the same', async (t) => {
  const own = await inTurns(
    3,
    false,
    async () => 7,
    new Map(),
    () => t.fail('there is no pair'),
  );
  t.same(own, [7, 7, 7]);
});

t.test('issue 6: a ratio is the median of the pairs, with its spread', async (t) => {
  const pairs = [
    { own: 10, other: 10 },
    { own: 30, other: 10 },
    { own: 12, other: 10 },
  ];
  t.same(
    ratioOf(pairs, (one) => one),
    { value: 1.2, note: '1.00..3.00, 3 pairs' },
  );
});

const ORDER: RateOrder = {
  name: 'hit',
  about: '',
  connections: 10,
  traffic: () => ({ kind: 'one', path: '/' }),
  sample: { path: '/', status: 200, bodyBytes: 1000 },
  originShare: { least: 0, most: 0 },
};
const RIGHT = {
  tool: 'wrk',
  perSec: 1,
  count: 1000,
  bytesEach: 1200,
  p50Ms: 1,
  p99Ms: 1,
  maxMs: 1,
  badCount: 0,
} as const;

t.test('issue 6: a rival that misses or errs is noticed, not compared', async (t) => {
  t.doesNotThrow(() => checkRun(ORDER, RIGHT, 0, false));
  t.throws(() => checkRun(ORDER, { ...RIGHT, badCount: 3 }, 0, false), /3 of 1000 requests failed/);
  t.throws(() => checkRun(ORDER, { ...RIGHT, count: 0 }, 0, false), /no whole answer/);
  t.throws(() => checkRun(ORDER, { ...RIGHT, bytesEach: 300 }, 0, false), /answers of 300 bytes/, 'an error page');
  t.throws(() => checkRun(ORDER, { ...RIGHT, bytesEach: 60_000 }, 0, false), /answers of 60000 bytes/);
  t.throws(
    () => checkRun(ORDER, RIGHT, 1, false),
    /the origin was asked 1 times for 1000 requests/,
    'a hit that is none',
  );
});

t.test('a run whose terminal is closed ends what it has started, and takes its folders away', async (t) => {
  const scope = new URL('../../bench/kit/scope.js', import.meta.url).href;
  const run = `const { Scope } = await import('${scope}'); const scope = new Scope();
    const { pid } = scope.start({ name: 'long', command: process.execPath, args: ['-e', 'setInterval(() => {}, 1e6)'] });
    console.log(JSON.stringify({ pid, folder: scope.folder('ended') })); setInterval(() => {}, 1e6);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', run], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const { pid, folder } = JSON.parse(said.toString()) as { pid: number; folder: string };
  child.kill('SIGHUP');
  await once(child, 'exit');
  await eventually(() => !isAlive(pid), 'what it has started is gone');
  t.notOk(existsSync(folder));
});

t.test('issue 6: a rival that answers from its store what should be a miss is noticed too', async (t) => {
  const miss = { ...ORDER, originShare: { least: 1, most: 1 } };
  t.doesNotThrow(() => checkRun(miss, RIGHT, 1010, false), 'ten were under way when the load ended');
  t.throws(() => checkRun(miss, RIGHT, 999, false), /asked 999 times/);
  t.throws(() => checkRun(miss, RIGHT, 2000, false), /asked 2000 times/);
  t.doesNotThrow(() => checkRun(miss, RIGHT, 0, true), 'a bare server has no origin');
});

t.test('issue 6: whether a rival stores the sample is told from requests for the sample alone', async (t) => {
  const scope = new Scope();
  t.teardown(() => scope.close());
  const origin = await startSwiftOrigin(scope);
  const order = { ...ORDER, sample: { path: '/10/60/sample', status: 200, bodyBytes: 10 } };
  const check = async (asks: string): Promise<void> => {
    // Answers itself; meanwhile the origin is asked, as by a rival that was measured before and has something under way.
    const rival = createServer(async (_request, response) => {
      await fetch(`http://127.0.0.1:${origin.port}${asks}`).then((answer) => answer.text());
      response.end('0123456789');
    }).listen(0, '127.0.0.1');
    await once(rival, 'listening');
    const { port } = rival.address() as AddressInfo;
    const contestant = contestantOf({ port, running: {} as Running, workers: () => [] }, 'rival');
    await checkSample(order, origin, contestant).finally(() => rival.close());
  };
  await t.resolves(check('/10/60/something-else'));
  await t.rejects(check('/10/60/sample'), { message: /does not store/ });
});

t.test(
  'issue 6: a connection that the server has ended gives no answer for ever: whoever asks on it hears so',
  async (t) => {
    const server = createNetServer((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')),
    );
    await once(server.listen(0, '127.0.0.1'), 'listening');
    t.teardown(() => server.close());
    const accepted = once(server, 'connection');
    const client = await Client.open((server.address() as AddressInfo).port);
    const [socket] = (await accepted) as [Socket];
    const closed = once(socket, 'close');
    await client.get('/1');
    await closed;
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    await t.rejects(client.get('/2'), { message: /^the connection / });
  },
);

t.test('issue 6: Zipf draws are the same each time, and as popular as their rank says', async (t) => {
  const order = { keys: 1000, exponent: 1, draws: 50_000, seed: 3 };
  const ranks = drawZipf(order);
  t.same(ranks, drawZipf(order));
  const count = (rank: number) => ranks.filter((one) => one === rank).length;
  t.ok(Math.abs(count(0) / count(9) - 10) < 2, 'the first is asked for ten times as often as the tenth');
  t.ok(Math.max(...ranks) < 1000 && Math.min(...ranks) === 0);
  const random = seededRandom(1);
  const mean = Array.from({ length: 10_000 }, random).reduce((sum, one) => sum + one, 0) / 10_000;
  t.ok(Math.abs(mean - 0.5) < 0.02);
});

t.test('issue 6: a profile is summed up by self time, without idling and without the start', async (t) => {
  const frame = (functionName: string, url: string) => ({ functionName, url, lineNumber: 4, columnNumber: 0 });
  const profile = {
    nodes: [
      { id: 1, callFrame: frame('(idle)', '') },
      { id: 2, callFrame: frame('handle', 'file:///x/dist/lib/engine/engine.js') },
      { id: 3, callFrame: frame('writev', '') },
      { id: 4, callFrame: frame('start', 'file:///x/dist/lib/cli/main.js') },
    ],
    samples: [4, 1, 2, 3, 3],
    timeDeltas: [0, 5000, 1000, 1000, 2000, 1000],
  };
  const { busyMs, idleMs, functions, files } = summarize(profile, 5.5);
  t.same([busyMs, idleMs], [4, 1]);
  t.same(functions, [
    { name: 'writev', share: 0.75, ms: 3 },
    { name: 'handle lib/engine/engine.js:5', share: 0.25, ms: 1 },
  ]);
  t.same(files[1], { name: 'lib/engine/engine.js', share: 0.25, ms: 1 });
});

t.test('issue 6: a profile of the program is told by its sources', async (t) => {
  const frame = (url: string) => ({ functionName: 'read', url, lineNumber: 1, columnNumber: 8 });
  const nodes = ['file:///x/dist/lib/bundle/serve.js', 'file:///x/node_modules/a/a.js'].map((url, id) => ({
    id,
    callFrame: frame(url),
  }));
  // Of one place: line 1, column 8 stands for line 20, column 2 of the source.
  const map = {
    file: '',
    version: 3,
    sources: ['../../../lib/front/intake.ts'],
    sourcesContent: [],
    names: [],
    mappings: ';QAoBE',
    sourceRoot: '',
  };
  const mapOf = (url: string) => (url.includes('/bundle/') ? map : undefined);
  const { functions } = summarize(bySources({ nodes, samples: [0, 1, 1], timeDeltas: [0, 1000, 1000] }, mapOf), 0);
  t.same(
    functions.map(({ name }) => name),
    ['read lib/front/intake.ts:21', 'read a/a.js:2'],
  );
});

const MACHINE = { cpu: 'A CPU', cores: 2, memoryGB: 4, kernel: '6', node: 'v20', commit: 'abc', pinned: true };

function result(load: string): BenchResult {
  const target = { is: 'at least', value: 1.15 } as const;
  const figures = [
    { subject: 'patina', what: 'requests a second', value: 54_000, unit: '/s' },
    { subject: 'patina', what: 'p99', value: 2.5, unit: 'ms' },
    { subject: 'patina', what: 'ratio to nginx', value: 1.1, unit: '', target, note: '1.00..1.20, 5 pairs' },
  ];
  const leftOut = [{ subject: 'haproxy', why: 'it answers 200 instead of 206' }];
  const scenarios = [{ name: 'range', about: 'parts', figures, leftOut, tookSec: 1, failure: undefined }];
  const subjects = { patina: 'this commit', nginx: '1.22.1', haproxy: '2.6' };
  return { at: '2026-01-01T00:00:00.000Z', machine: MACHINE, subjects, load, isQuick: false, scenarios };
}

t.test('issue 6: the README shows machine, versions, commit, misses, and who is not compared', async (t) => {
  const text = renderResults(result('wrk'));
  for (const part of ['A CPU, 2 cores', 'commit abc', 'nginx (1.22.1)', '54,000/s, 2.50 ms'])
    t.ok(text.includes(part), part);
  t.match(text, /1\.10 \(1\.00\.\.1\.20, \*\*missed\*\*: 1\.15\) \| not comparable/);
  t.match(text, /HAProxy is not compared: it answers 200 instead of 206/);
  t.notMatch(text, /autocannon/);
});

t.test('issue 6: what is compared with itself, and what could not be carried out, is in the README too', async (t) => {
  const target = { is: 'at least', value: 0.8 } as const;
  const figures = [
    { subject: 'patina', what: 'requests a second', value: 50_000, unit: '/s' },
    { subject: 'patina', what: 'ratio to itself without', value: 0.9, unit: '', target },
    { subject: 'patina', what: 'ratio to itself without, by CPU', value: 0.91, unit: '' },
  ];
  const { scenarios, ...rest } = result('wrk');
  const log = { name: 'access-log', about: 'the log', figures, leftOut: [], tookSec: 1, failure: undefined };
  const broken = { ...log, name: 'workers', figures: [], failure: 'it ended\n   at once' };
  const text = renderResults({ ...rest, scenarios: [...scenarios, log, broken] });
  t.match(text, /\| `access-log` \| Patina \| ratio to itself without \| 0\.90 \| at least 0\.8 \|/);
  t.notMatch(text, /by CPU/);
  t.match(text, /\*\*Not carried out: it ended at once\.\*\*/);
});

t.test('issue 6: results of autocannon say that it cannot drive 100,000 requests a second', async (t) => {
  t.match(renderResults(result('autocannon')), /autocannon cannot drive 100,000 requests\/s from one core/);
});

t.test(
  'issue 6: whose CPU is counted is seen anew each time: nginx starts its worker once its port is open',
  async (t) => {
    let workers = [1];
    const contestant = contestantOf({ port: 1, running: {} as Running, workers: () => workers }, 'nginx');
    t.same(contestant.pids, [1]);
    workers = [1, 2];
    t.same(contestant.pids, [1, 2]);
  },
);

t.test('issue 6: a wait that falls between a look at the clock and one at the waits is that of one turn', async (t) => {
  let now = 0;
  let waited = 0;
  /** Passes in which others take the core for 40 ms between the two. */
  let losses = 0;
  const waits = new Waits(
    () => now,
    () => {
      if (losses-- > 0) {
        now += 40;
        waited += 40;
      }
      return { ranMs: now - waited, waitedMs: waited };
    },
  );
  waits.look();
  now += 4;
  losses = 2;
  const at = waits.look();
  t.equal(at, 84);
  t.equal(waits.ownMs(0, 84), 4);
  now += 4;
  waits.look();
  t.equal(waits.ownMs(84, 4), 4, 'nothing of it is left for the next');
  losses = Number.POSITIVE_INFINITY;
  waits.look();
  t.ok(now < 1000, 'it is not looked for ever');
});

t.test('issue 6: how long the process has run is told to the moment', (t) => {
  const before = readCoreUse();
  if (before === undefined) {
    t.comment('not known on this system');
    t.end();
    return;
  }
  const begun = process.cpuUsage();
  for (let i = 0; i < 20; i++) {
    const { ranMs } = readCoreUse() ?? before;
    const from = process.cpuUsage(begun).user;
    // Of its own time: how long that takes on a machine with other work is not what is told.
    while (process.cpuUsage(begun).user - from < 500);
    t.ok((readCoreUse() ?? before).ranMs > ranMs, 'it has run since');
  }
  t.end();
});

t.test('issue 6: of a stop the waits for a core between the looks around it are not its own', async (t) => {
  let now = 0;
  let use: CoreUse = { ranMs: 0, waitedMs: 0 };
  const waits = new Waits(
    () => now,
    () => use,
  );
  const look = (at: number, waitedMs: number, awayMs = 0): void => {
    now = at;
    use = { ranMs: at - waitedMs - awayMs, waitedMs };
    waits.look();
  };
  look(100, 7);
  look(104, 7);
  look(150, 37);
  look(154, 38);
  t.equal(waits.ownMs(104, 46), 16, 'a whole turn');
  t.equal(waits.ownMs(110, 35), 5, 'a part of it');
  t.equal(waits.ownMs(105, 20), 0, 'never less than nothing');
  t.equal(waits.ownMs(101, 2), 2, 'no wait in it');
  t.equal(waits.ownMs(152, 10), 10, 'nobody has looked behind it');
  look(180, 38, 21);
  t.equal(waits.ownMs(154, 26), 5, 'a hypervisor had the core: it neither ran nor waited');
  const blind = new Waits(
    () => now,
    () => undefined,
  );
  blind.look();
  t.equal(blind.ownMs(90, 30), 30, 'where waits are not known all of it is its own');
});
