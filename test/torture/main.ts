/**
 * `npm run torture [-- --rounds N] [--seed N]`: kills the proxy with SIGKILL at random moments under load, starts it again on the
 * same disk, and looks: no wrong byte, no response stuck in refreshing, nothing lost that was stored a second before.
 * With `--workers N` it is one of several workers that is killed (workers.ts).
 */
import { readCount, readFlags } from '../../bench/kit/cli.js';
import { TortureOrigin } from './origin.js';
import { type RoundResult, Torture } from './torture.js';
import { tortureWorkers } from './workers.js';

const USAGE = `usage: npm run torture -- [options]
  --rounds N    kills (200)
  --workers N   one of N workers is killed each time; without it the whole proxy, which is one process
  --seed N      the moments and the requests of an earlier run; without it other ones`;

const flags = readFlags(USAGE, {
  rounds: { type: 'string', default: '200' },
  seed: { type: 'string', default: String((Date.now() % 1_000_000) + 1) },
  workers: { type: 'string' },
});
const rounds = readCount(USAGE, 'rounds', flags.rounds);
const seed = readCount(USAGE, 'seed', flags.seed);
if (flags.workers !== undefined) {
  const workers = readCount(USAGE, 'workers', flags.workers);
  process.exit((await tortureWorkers(workers, rounds, seed)) ? 0 : 1);
}

const origin = await TortureOrigin.start();
const torture = await Torture.begin(origin, seed);
const results: RoundResult[] = [];
process.stdout.write(`torture: ${rounds} kills, seed ${seed}\n`);
process.stdout.write('round  ready ms  answered  wrong  due on disk  lost  refreshed  stuck\n');
for (let round = 1; round <= rounds; round++) {
  const result = await torture.round();
  results.push(result);
  const isBad = result.wrong + result.lost + result.stuck > 0;
  if (round % 10 === 0 || round === rounds || isBad) process.stdout.write(`${line(round, result)}\n`);
  for (const complaint of torture.complaints.splice(0).slice(0, 20)) process.stdout.write(`  ${complaint}\n`);
}
await torture.end();
await origin.close();

const sum = (of: (result: RoundResult) => number): number => results.reduce((all, one) => all + of(one), 0);
const readyMs = results.map((one) => one.readyMs).sort((a, b) => a - b);
const total = {
  readyMs: readyMs[Math.floor(readyMs.length / 2)] ?? 0,
  answered: sum((one) => one.answered),
  wrong: sum((one) => one.wrong),
  due: sum((one) => one.due),
  lost: sum((one) => one.lost),
  refreshed: sum((one) => one.refreshed),
  stuck: sum((one) => one.stuck),
};
process.stdout.write(`${line('all', total)}\n`);
const isGood = total.wrong + total.lost + total.stuck === 0;
process.stdout.write(isGood ? 'good: nothing wrong, lost or stuck\n' : 'BAD\n');
process.exitCode = isGood ? 0 : 1;

function line(
  round: number | string,
  { readyMs: ready, answered, wrong, due, lost, refreshed, stuck }: RoundResult,
): string {
  const cells: [number | string, number][] = [
    [round, 5],
    [Math.round(ready), 8],
    [answered, 8],
    [wrong, 5],
    [due, 11],
    [lost, 4],
    [refreshed, 9],
    [stuck, 5],
  ];
  return cells.map(([value, width]) => String(value).padStart(width)).join('  ');
}
