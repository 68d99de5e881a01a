/**
 * Machines that share a Redis: processes with a memory of their own before one slow origin, each with its clients, while
 * Redis is killed and comes back. Judges the numbers of issue 5.
 * Run: node dist/bench/machines.js [--machines N] [--clients N] [--seconds N] [--pace MS]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort, programPath, RedisServer } from '../test/kit/redis-server.js';
import { readFlags } from './kit/cli.js';
import { quantile, type Sample, startPacedClients } from './kit/paced.js';
import { patinaMain } from './kit/root.js';
import { startSlowOrigin } from './kit/slow-origin.js';

const USAGE = 'usage: node dist/bench/machines.js [--machines N] [--clients N] [--seconds N] [--pace MS]';
const flags = readFlags(USAGE, {
  machines: { type: 'string', default: '3' },
  clients: { type: 'string', default: '256' },
  seconds: { type: 'string', default: '12' },
  pace: { type: 'string', default: '500' },
});

/** What expires, and what does not: of the latter each client asks in turn with the former, so that what the load, the clients and the machine cost is seen beside it. */
const PAGE = '/page';
const CONTROL = '/lasting';
const ORIGIN_MS = 200;
const TTL_MS = 1_000;
/** Requests of one expiry come within this time of its first one. */
const GROUP_MS = 700;
const SLOW_MS = 20;
const P99_WITHOUT_REDIS_MS = 30;
/** For code to be compiled. */
const WARM_UP_MS = 4_000;
const BACK_WITHIN_MS = 5_000;

interface Machine {
  readonly child: ChildProcess;
  readonly port: number;
}

async function startMachine(folder: string, name: string, origin: number, redis: number): Promise<Machine> {
  const file = join(folder, `${name}.yaml`);
  const lines = ['listen: 127.0.0.1:0', 'admin: off', `origin: http://127.0.0.1:${origin}`, 'log: {access: off}'];
  lines.push('cache:', '  memory: 64MB', `  redis: {url: "redis://127.0.0.1:${redis}"}`, '');
  writeFileSync(file, lines.join('\n'));
  const child = spawn(process.execPath, [patinaMain(), '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    const port = / ready on http:\S+:(\d+)/.exec(line)?.[1];
    if (port !== undefined) {
      child.stdout.resume();
      return { child, port: Number(port) };
    }
  }
  throw new Error(`${name} did not start`);
}

/** How many requests the origin got for each expiry. */
function groupsOf(times: readonly number[], from: number, until: number): number[] {
  const groups: { at: number; count: number }[] = [];
  for (const at of times) {
    const group = groups.at(-1);
    if (group !== undefined && at - group.at < GROUP_MS) group.count++;
    else groups.push({ at, count: 1 });
  }
  return groups.filter(({ at }) => at >= from && at < until).map(({ count }) => count);
}

const faults: string[] = [];

function judge(isGood: boolean, sentence: string): void {
  console.log(`  ${isGood ? 'ok    ' : 'FAILED'} ${sentence}`);
  if (!isGood) faults.push(sentence);
}

function timesOf(samples: readonly Sample[], of: string): number[] {
  return samples.filter(({ target }) => target === of).map(({ ms }) => ms);
}

function countSlow(ms: readonly number[]): number {
  return ms.filter((one) => one > SLOW_MS).length;
}

function told(ms: readonly number[]): string {
  const [p50, p99, most] = [quantile(ms, 0.5), quantile(ms, 0.99), Math.max(...ms)];
  return (
    `${ms.length} requests, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, max ${most.toFixed(1)} ms, ` +
    `${countSlow(ms)} over ${SLOW_MS} ms`
  );
}

function show(name: string, samples: readonly Sample[], groups: readonly number[]): void {
  const sum = groups.reduce((total, count) => total + count, 0);
  console.log(
    `${name}: ${told(timesOf(samples, PAGE))}; ${groups.length} expiries, ${sum} origin requests ` +
      `(most for one: ${Math.max(...groups)})`,
  );
  console.log(`  beside it, of what does not expire: ${told(timesOf(samples, CONTROL))}`);
  const slow = new Map<string, number>();
  for (const one of samples) {
    // Each second of a ttl would be a kind of its own.
    const kind = one.told.replace(/ttl=-?\d+/, 'ttl');
    if (one.target === PAGE && one.ms > SLOW_MS) slow.set(kind, (slow.get(kind) ?? 0) + 1);
  }
  for (const [kind, count] of slow) console.log(`  over ${SLOW_MS} ms: ${count} of "${kind}"`);
}

async function main(): Promise<void> {
  if (programPath('redis-server') === undefined) {
    console.error('SKIPPED: there is NO redis-server on this machine (apt-get install redis-server)');
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'patina-machines-'));
  const redis = new RedisServer(await freePort(), []);
  const origin = await startSlowOrigin({ delayMs: ORIGIN_MS, ttlMs: TTL_MS, lasting: [CONTROL] });
  const machines: Machine[] = [];
  const phaseMs = Number(flags.seconds) * 1000;
  try {
    await redis.start();
    for (let n = 1; n <= Number(flags.machines); n++)
      machines.push(await startMachine(folder, `machine-${n}`, origin.port, redis.port));
    await pause(500);
    const ports = machines.map(({ port }) => port);
    const clients = await startPacedClients({
      ports,
      perPort: Number(flags.clients),
      paceMs: Number(flags.pace),
      targets: [PAGE, CONTROL],
    });
    await pause(1_500);
    const first = await clients.next();
    console.log(`first fill: ${first.samples.length} requests, ${origin.times.length} origin requests`);
    judge(first.failed === 0, `no failed request at the first fill (${first.failed} ${first.reasons})`);
    await pause(WARM_UP_MS);
    await clients.next();

    const phase = async (
      name: string,
      act: () => Promise<void>,
    ): Promise<{ samples: readonly Sample[]; groups: number[]; from: number }> => {
      const from = performance.now();
      await act();
      await pause(phaseMs);
      const { samples, failed, reasons } = await clients.next();
      const groups = groupsOf(origin.times, from, performance.now() - GROUP_MS);
      show(name, samples, groups);
      judge(failed === 0, `no failed request (${failed}${reasons === '' ? '' : `: ${reasons}`})`);
      return { samples, groups, from };
    };
    const steady = await phase('with Redis', async () => {});
    const slow = countSlow(timesOf(steady.samples, PAGE));
    const slowBeside = countSlow(timesOf(steady.samples, CONTROL));
    judge(
      steady.groups.every((count) => count === 1),
      'one origin request for each expiry, of all machines together',
    );
    judge(slow === 0, `no client over ${SLOW_MS} ms (${slow}; of what does not expire ${slowBeside})`);

    const without = await phase('Redis killed', () => redis.stop('SIGKILL'));
    const p99 = quantile(timesOf(without.samples, PAGE), 0.99);
    judge(p99 <= P99_WITHOUT_REDIS_MS, `p99 within ${P99_WITHOUT_REDIS_MS} ms (${p99.toFixed(1)})`);
    judge(
      without.groups.every((count) => count <= machines.length),
      `at most ${machines.length} origin requests for each expiry (${Math.max(...without.groups)})`,
    );

    const back = await phase('Redis back', () => redis.start());
    const late = groupsOf(origin.times, back.from + BACK_WITHIN_MS, performance.now() - GROUP_MS);
    judge(
      late.every((count) => count === 1),
      `one origin request for each expiry again within ${BACK_WITHIN_MS / 1000} s (${late.join(' ')})`,
    );
    await clients.close();
  } finally {
    for (const { child } of machines) {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
    }
    await origin.close();
    await redis.close();
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(faults.length === 0 ? 'all numbers hold' : `${faults.length} numbers do not hold`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

await main();
