// Goal: workers that die, hang or cannot start at all. Method: the built command, signals, and a preload that ends every worker.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { request } from '../kit/proxy-kit.js';
import { startCrew, until } from './crew.kit.js';

const SHARED = ['Cache-Control', 'max-age=600', 'ETag', '"1"'];

t.test(
  'issue 5: workers that all die at once, again and again, end the whole with a line and exit code 1',
  async (t) => {
    const directory = t.testdir({});
    const preload = join(directory, 'crash.cjs');
    writeFileSync(preload, 'if (String(process.argv[1]).endsWith("worker-main.js")) process.exit(7);\n');
    const crew = await startCrew(t, { preload });
    const { code, err } = await crew.ended;
    t.equal(code, 1);
    t.match(err, /patina: no worker stays alive: each of the 2 died 6 times in a row/);
    t.match(crew.out, /"code":"worker-died"/);
  },
);

t.test(
  'SIGTERM to all processes while the workers start ends them without a word of deaths, exit code 0',
  async (t) => {
    const preload = join(t.testdir({}), 'signal.cjs');
    // The first thing that a worker does: before it can be deaf to it, and before the primary process knows of it.
    const signal = 'process.kill(-process.ppid, "SIGTERM"); for (;;);';
    writeFileSync(preload, `if (String(process.argv[1]).endsWith("worker-main.js")) { ${signal} }\n`);
    const crew = await startCrew(t, { workers: 3, preload, isGroup: true });
    t.equal((await crew.ended).code, 0);
    t.equal(crew.out, '', 'neither that it is ready, nor that a worker died');
    t.equal(crew.err, '');
  },
);

t.test('issue 5: a worker that hangs is killed and replaced, while the other serves', async (t) => {
  const crew = await startCrew(t);
  crew.origin.respond(() => ({ fields: SHARED, body: 'hello' }));
  const hung = (await crew.workers())[0]?.pid ?? 0;
  process.kill(hung, 'SIGSTOP');
  const [one, other] = [await crew.connect(), await crew.connect()];
  const answers = [one, other].map((client) => client.send(request('GET', '/a')).response());
  t.equal((await Promise.any(answers)).status, 200);
  await until(async () => /"code":"worker-hung"/.test(crew.out));
  await until(async () => (await crew.workers()).every(({ pid, state }) => pid !== hung && state === 'serving'));
  for (const answer of await Promise.allSettled(answers)) {
    if (answer.status === 'fulfilled') t.equal(answer.value.status, 200, 'what it had not taken went to the other');
  }
});

t.test('a worker that dies is replaced also where its folder for sockets was cleaned away', async (t) => {
  const before = process.env['TMPDIR'];
  const folder = mkdtempSync(join(tmpdir(), 'patina-test-'));
  process.env['TMPDIR'] = folder;
  t.teardown(() => {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
    rmSync(folder, { recursive: true, force: true });
  });
  const crew = await startCrew(t);
  crew.origin.respond(() => ({ fields: SHARED, body: 'hello' }));
  for (const name of readdirSync(folder))
    if (!name.startsWith('patina-test-')) rmSync(join(folder, name), { recursive: true });
  for (const [at, { pid }] of (await crew.workers()).entries()) {
    process.kill(pid, 'SIGKILL');
    await until(async () => (await crew.metric('patina_worker_deaths_total')) > at);
    await until(async () => (await crew.metric('patina_workers_serving')) === 2);
  }
  const [one, other] = await crew.eachWorker();
  await one.send(request('GET', '/a')).response();
  t.equal((await other.send(request('GET', '/a')).response()).body.toString(), 'hello');
  t.equal(crew.origin.requests.length, 1, 'and they give each other what they have');
});

t.test('issue 5: with one worker there is no other process', async (t) => {
  const crew = await startCrew(t, { workers: 1 });
  t.equal((await crew.json<{ workers?: unknown }>('/healthz')).workers, undefined);
  t.equal((await crew.call('/readyz')).status, 200);
});

t.test('a bad number of workers, and a port in use, end with exit code 2', async (t) => {
  const bad = await startCrew(t, { conf: 'name: "a b"' });
  t.equal((await bad.ended).code, 2);
  const none = await startCrew(t, { workers: 0 });
  const { code, err } = await none.ended;
  t.equal(code, 2);
  t.match(err, /workers: expected a number from 1 to 256, or auto, got "0"/);
});
