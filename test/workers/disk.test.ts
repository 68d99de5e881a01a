// Goal: several workers open one disk tier at once, survive kill -9 together, and tell its figures once. Method: the built command, one directory, a scripted origin.
import { readdirSync } from 'node:fs';
import t, { type Test } from 'tap';
import { makeDirectory } from '../kit/disk.js';
import { request } from '../kit/proxy-kit.js';
import { type Crew, startCrew, until } from './crew.kit.js';

const SHARED = ['Cache-Control', 'max-age=600', 'ETag', '"1"', 'Cache-Tag', 'all'];
const MB = 1024 * 1024;

interface Options {
  readonly workers?: number;
}

function confFor(path: string): string {
  return `debug_header: CDN-Cache\ncache: {disk: {path: ${path}, size: 64MB}}`;
}

async function startOver(t: Test, path: string, options: Options = {}): Promise<Crew> {
  const crew = await startCrew(t, { workers: options.workers ?? 2, conf: confFor(path) });
  crew.origin.respond((asked) =>
    asked.field('if-none-match') === undefined
      ? { fields: SHARED, body: `hello ${asked.target}` }
      : { status: 304, fields: SHARED },
  );
  return crew;
}

async function kill(crew: Crew): Promise<void> {
  const pids = [...(await crew.workers()).map(({ pid }) => pid), crew.child.pid ?? 0];
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await crew.ended;
}

/** Records that are on disk, once nothing waits to be written. */
async function onDisk(crew: Crew, records: number): Promise<void> {
  await until(async () => (await crew.metric('patina_disk_records')) === records);
}

t.test('issue 5: the figures of the one disk are told once, not once for each worker', async (t) => {
  const crew = await startOver(t, makeDirectory(t), { workers: 3 });
  const client = await crew.connect();
  for (const path of ['/a', '/b', '/c']) await client.send(request('GET', path)).response();
  await onDisk(crew, 3);
  t.equal(await crew.metric('patina_disk_budget_bytes'), 64 * MB);
  t.equal(await crew.metric('patina_disk_state', 'state="writable"'), 1);
});

t.test(
  'issue 5: a start with many workers does not take their openings of the disk for starts that died',
  async (t) => {
    const path = makeDirectory(t);
    const before = await startOver(t, path, { workers: 6 });
    await (await before.connect()).send(request('GET', '/a')).response();
    await onDisk(before, 1);
    await kill(before);
    const crew = await startOver(t, path, { workers: 6 });
    t.same(readdirSync(path), ['v1'], 'nothing was set aside');
    t.equal((await (await crew.connect()).send(request('GET', '/a')).response()).field('cdn-cache'), 'HIT');
    t.notMatch(crew.out, /disk-damaged/);
  },
);
