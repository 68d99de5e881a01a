/**
 * Rounds of chaos against the real command, and whether everything comes back afterwards: descriptors, memory, gauges,
 * idle CPU, the exit code. Run: node dist/bench/soak.js [--rounds N] [--seconds N] [--clients N] [--seed N]
 */
import { setTimeout as pause } from 'node:timers/promises';
import { ChaosClients } from '../test/wire/chaos-clients.js';
import { type ChaosOrigin, startChaosOrigin } from '../test/wire/chaos-origin.js';
import { QUIET_GAUGES, type Subject, startSubject } from '../test/wire/chaos-subject.js';
import { readFlags } from './kit/cli.js';
import { readUse } from './kit/machine.js';
import { patinaMain } from './kit/root.js';
import { Scope } from './kit/scope.js';

const USAGE = 'usage: node dist/bench/soak.js [--rounds N] [--seconds N] [--clients N] [--seed N]';
const flags = readFlags(USAGE, {
  rounds: { type: 'string', default: '3' },
  seconds: { type: 'string', default: '30' },
  clients: { type: 'string', default: '60' },
  seed: { type: 'string', default: '1' },
});

/** Time after which nothing of a round may be left: longer than every timeout of the conf below, and origins' connections idle out. */
const QUIET_MS = 36_000;
/** Characters of what it complained about that are shown. */
const MAX_SHOWN = 4_000;
const IDLE_WATCH_MS = 2_000;
/** Longest time that an orderly client waits for an answer. */
const PATIENCE_MS = 6_000;
/** Share of one core that a proxy with nothing to do may use. */
const MAX_IDLE_SHARE = 0.02;

/** Share of one core that it uses, over a while. */
async function cpuShare(pid: number): Promise<number> {
  const before = readUse(pid)?.cpuMs ?? 0;
  await pause(IDLE_WATCH_MS);
  return ((readUse(pid)?.cpuMs ?? 0) - before) / IDLE_WATCH_MS;
}

const faults: string[] = [];

async function settle(subject: Subject, baseline: number): Promise<void> {
  const until = Date.now() + QUIET_MS;
  const began = Date.now();
  while (Date.now() < until && subject.descriptors > baseline) await pause(250);
  const gauges = await subject.gauges();
  const open = QUIET_GAUGES.filter((name) => gauges.get(name) !== 0).map((name) => `${name} ${gauges.get(name)}`);
  if (open.length > 0) faults.push(`not back to 0: ${open.join(', ')}`);
  await pause(100);
  if (subject.descriptors > baseline) faults.push(`descriptors: ${subject.descriptors}, at the start ${baseline}`);
  const share = await cpuShare(subject.pid);
  if (share > MAX_IDLE_SHARE) faults.push(`idle, it uses ${(share * 100).toFixed(1)} % of a core`);
  const { heap, external, rss, open: resources } = await subject.probe();
  const mb = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  console.log(
    `  quiet after ${((Date.now() - began) / 1000).toFixed(0)} s: ${subject.descriptors} descriptors, ` +
      `${resources} resources, heap ${mb(heap)} MB, external ${mb(external)} MB, RSS ${mb(rss)} MB, ` +
      `idle CPU ${(share * 100).toFixed(1)} %, stored ${gauges.get('patina_objects')} (${mb(gauges.get('patina_stored_bytes') ?? 0)} MB)`,
  );
}

async function round(subject: Subject, origin: ChaosOrigin, seed: number): Promise<void> {
  const clients = new ChaosClients(subject.listen, seed, PATIENCE_MS);
  const running = clients.run(Number(flags.clients));
  const ms = Number(flags.seconds) * 1000;
  await pause(ms * 0.45);
  await origin.goAway();
  await pause(ms * 0.1);
  await origin.comeBack();
  await pause(ms * 0.45);
  clients.stop();
  await running;
  const { acts, good, wrong, statuses } = clients.tally;
  console.log(
    `seed ${seed}: ${acts} acts, ${good} right answers, statuses ${JSON.stringify(Object.fromEntries(statuses))}`,
  );
  faults.push(...[...new Set(wrong)].map((sentence) => `seed ${seed}: ${sentence}`));
}

const scope = new Scope();
const origin = await startChaosOrigin();
const subject = await startSubject(scope.folder('soak'), patinaMain(), origin.port);
try {
  await subject.gauges();
  await pause(500);
  const baseline = subject.descriptors;
  console.log(`pid ${subject.pid}, ${baseline} descriptors`);
  for (let i = 0; i < Number(flags.rounds); i++) {
    await round(subject, origin, Number(flags.seed) + i);
    await settle(subject, baseline);
  }
  const { code, ms } = await subject.stop();
  console.log(`SIGTERM: exit code ${code} after ${ms} ms`);
  if (code !== 0) faults.push(`exit code ${code}`);
} finally {
  subject.kill();
  await scope.close();
}
const spoken = subject.complaints;
if (spoken !== '') faults.push(`stderr (${spoken.length} characters):\n${spoken.slice(0, MAX_SHOWN)}`);
for (const fault of faults) console.log(`FAULT ${fault}`);
console.log(faults.length === 0 ? 'everything came back' : `${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
