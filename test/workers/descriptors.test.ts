// Goal: workers that have no descriptor left refuse connections, and take them again once they have some. Method: the built command, the limit of each worker set by prlimit while it runs.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { MAX_HANDOVERS } from '../../lib/base/worker-limits.js';
import { request } from '../kit/proxy-kit.js';
import { CutOff } from '../kit/raw-client.js';
import { startCrew, until } from './crew.kit.js';

function limit(pid: number, descriptors: number): void {
  const { status, stderr } = spawnSync('prlimit', ['--pid', String(pid), `--nofile=${descriptors}:`]);
  if (status !== 0) throw new Error(String(stderr));
}

function limitOf(pid: number): number {
  return Number(/^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'latin1'))?.[1]);
}

/** The lowest number that is free: beyond it nothing can be opened. */
function firstFree(pid: number): number {
  const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let free = 0;
  while (used.has(free)) free++;
  return free;
}

const NO_PRLIMIT = 'NOT SHOWN HERE: there is no prlimit (util-linux)';

t.test(
  'issue 5: connections that workers have no descriptor for are closed, and later ones are served',
  { skip: spawnSync('prlimit', ['--version']).status === 0 ? false : NO_PRLIMIT },
  async (t) => {
    const crew = await startCrew(t);
    crew.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=60'], body: 'hello' }));
    const workers = await crew.workers();
    const before = limitOf(workers[0]?.pid ?? 0);
    for (const { pid } of workers) limit(pid, firstFree(pid));
    const clients = await Promise.all(Array.from({ length: 4 * MAX_HANDOVERS }, () => crew.connect()));
    for (const client of clients) {
      await t.rejects(client.send(request('GET', '/a')).response(), CutOff, 'refused');
    }
    for (const { pid } of workers) limit(pid, before);
    await until(async () => (await crew.metric('patina_worker_handovers')) === 0);
    const client = await crew.connect();
    t.equal((await client.send(request('GET', '/a')).response()).body.toString(), 'hello');
    t.equal((await crew.workers()).map(({ pid }) => pid).join(), workers.map(({ pid }) => pid).join(), 'by the same');
  },
);
