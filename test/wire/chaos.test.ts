// Goal: after any mixture of rude clients and faulty origins, everything that was taken is given back. Method: the command as a child process under seconds of seeded chaos, then a look at its descriptors, gauges and stderr.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { program } from '../kit/program.js';
import { connectRaw } from '../kit/raw-client.js';
import { ChaosClients } from './chaos-clients.js';
import { type ChaosOrigin, startChaosOrigin } from './chaos-origin.js';
import { QUIET_GAUGES, type Subject, startSubject } from './chaos-subject.js';

const MAIN = program();
const CHAOS_MS = 4_000;
const CLIENTS = 30;
const LOOK_EVERY_MS = 50;
const SEED = 20_261;
/** Requests at once on one connection: more than the listeners that node lets pass without a warning. */
const PIPELINED = 20;
/** Looks that find the same number of descriptors, before that is taken for all that stay open. */
const STEADY_LOOKS = 5;

async function open(t: Test): Promise<{ origin: ChaosOrigin; subject: Subject; baseline: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'patina-chaos-'));
  const origin = await startChaosOrigin();
  const subject = await startSubject(folder, MAIN, origin.port);
  t.teardown(async () => {
    subject.kill();
    await origin.goAway();
    rmSync(folder, { recursive: true });
  });
  // What the first use opens stays open; the connection that asked goes.
  await subject.gauges();
  return { origin, subject, baseline: await steadyDescriptors(subject) };
}

async function steadyDescriptors(subject: Subject): Promise<number> {
  let known = subject.descriptors;
  for (let looks = 0; looks < STEADY_LOOKS; looks++) {
    await pause(LOOK_EVERY_MS);
    const now = subject.descriptors;
    if (now !== known) looks = 0;
    known = now;
  }
  return known;
}

async function untilGauge(subject: Subject, name: string, holds: (value: number) => boolean): Promise<void> {
  while (!holds((await subject.gauges()).get(name) ?? Number.NaN)) await pause(LOOK_EVERY_MS);
}

/** However long a busy machine takes for it: what never comes back is ended, and shown, by the limit of the runner. */
async function proveAllCameBack(t: Test, subject: Subject, baseline: number): Promise<void> {
  for (const name of QUIET_GAUGES) {
    t.comment(`until ${name} is 0`);
    await untilGauge(subject, name, (value) => value === 0);
  }
  t.comment(`until ${baseline} descriptors are open`);
  while (subject.descriptors > baseline) await pause(LOOK_EVERY_MS);
  const gauges = await subject.gauges();
  for (const name of QUIET_GAUGES) t.equal(gauges.get(name), 0, name);
  t.equal(subject.complaints, '', 'nothing was said on stderr');
  const { code } = await subject.stop();
  t.equal(code, 0);
}

t.test('after a storm of rude clients and a faulty origin, all that was taken is given back', async (t) => {
  const { origin, subject, baseline } = await open(t);
  const clients = new ChaosClients(subject.listen, SEED);
  const running = clients.run(CLIENTS);
  await pause(CHAOS_MS);
  while (clients.tally.good === 0) await pause(LOOK_EVERY_MS);
  clients.stop();
  // However long that takes: one that never comes is ended, and shown, by the limit of the runner.
  t.comment(`answers that are awaited still: ${[...clients.awaited].join(' ')}`);
  await running;
  t.same(clients.tally.wrong, [], 'no whole answer had the bytes of another');
  t.ok(clients.tally.good > 0, `${clients.tally.good} right answers in ${clients.tally.acts} acts`);
  // Its idle connections would stay for a while.
  await origin.goAway();
  await proveAllCameBack(t, subject, baseline);
  await origin.comeBack();
});

t.test('a client that leaves behind a pipeline is no reason to complain', async (t) => {
  const { origin, subject, baseline } = await open(t);
  const client = await connectRaw(subject.listen);
  client.send('GET /hang/1 HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(PIPELINED));
  await untilGauge(subject, 'patina_waiters', (value) => value >= PIPELINED - 1);
  client.reset();
  await untilGauge(subject, 'patina_client_connections', (value) => value === 0);
  await origin.goAway();
  await proveAllCameBack(t, subject, baseline);
  await origin.comeBack();
});
