// Goal: issue 5 and decision 0033, a damaged page that ends whoever reads it ends no more than a few processes. Method: whole processes that come by such a page, and proxies on files over which others have died.

import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { DISK_RETRY_FIRST_MS, DISK_YOUNG_MS, MAX_DISK_YOUNG_DEATHS } from '../../lib/base/disk-limits.js';
import { DISK_PAGE_BYTES, openDiskFile } from '../../lib/store/disk-file.js';
import { withNumber } from '../../lib/store/disk-keys.js';
import { deathsIn } from '../../lib/store/disk-marks.js';
import { FakeClock } from '../kit/clock.js';
import { makeDirectory } from '../kit/disk.js';
import { program } from '../kit/program.js';
import { metric, type OpenOptions, type OpenProxy, openProxy, settled, TOKEN } from '../kit/proxy-kit.js';

const START = Date.UTC(2026, 0, 1);
const CACHED = 'Cache-Control: only-if-cached';
const MAIN = program();

const onDisk = (path: string): OpenOptions => ({
  token: TOKEN,
  conf: { cache: { memory: '1MB', disk: { path, size: '64MB' } } },
});
const ofDisk = (house: OpenProxy): readonly string[] => house.notices.filter((code) => code.startsWith('disk'));
const marksIn = (path: string): string[] => readdirSync(join(path, 'v2')).filter((name) => name.startsWith('young-'));
const lookers = (path: string): string[] => readdirSync(join(path, 'v2')).filter((name) => name.startsWith('looking-'));
const gone = (): number => spawnSync(process.execPath, ['-e', '']).pid;

/** A closed proxy has left some responses here. */
async function filled(t: Test, path: string, clock: FakeClock): Promise<OpenProxy> {
  const house = await openProxy(t, { ...onDisk(path), clock });
  house.origin.respond(({ target }) => ({ fields: ['Cache-Control', 'max-age=600'], body: target }));
  for (let at = 0; at < 20; at++) await house.get(`/${at}`);
  await house.proxy.close();
  return house;
}

/** A proxy on a file that some responses were left in, beside the marks of processes that died: their names, and how often. */
async function openAfter(
  t: Test,
  marks: Readonly<Record<string, number>>,
): Promise<readonly [OpenProxy, string, FakeClock]> {
  const path = makeDirectory(t);
  const clock = new FakeClock(START);
  const first = await filled(t, path, clock);
  for (const [name, deaths] of Object.entries(marks)) writeFileSync(join(path, 'v2', name), '.'.repeat(deaths));
  return [await openProxy(t, { ...onDisk(path), clock, url: first.origin.url }), path, clock];
}

/** The disk is there, tried as often as it takes. */
async function takenIn(house: OpenProxy, clock: FakeClock): Promise<void> {
  while (!ofDisk(house).includes('disk-available')) {
    // Less than what a try may take by that clock.
    clock.advance(DISK_RETRY_FIRST_MS / 100);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** The page that holds these bytes is overwritten. */
function damage(path: string, bytes: Buffer): void {
  const name = join(path, 'v2', 'data.mdb');
  const file = readFileSync(name);
  const handle = openSync(name, 'r+');
  for (let at = file.indexOf(bytes); at >= 0; at = file.indexOf(bytes, at + 1)) {
    const page = Math.floor(at / DISK_PAGE_BYTES);
    writeSync(handle, Buffer.alloc(DISK_PAGE_BYTES), 0, DISK_PAGE_BYTES, page * DISK_PAGE_BYTES);
  }
  closeSync(handle);
}

t.test('issue 5: who has a disk says that it is young, for a while or until it ends well', async (t) => {
  const path = makeDirectory(t);
  const clock = new FakeClock(START);
  const house = await openProxy(t, { ...onDisk(path), clock });
  t.same(marksIn(path), [`young-${process.pid}`]);
  clock.advance(DISK_YOUNG_MS);
  t.same(marksIn(path), [], 'what lives that long does not die of the file at the start');
  await house.proxy.close();
  const next = await openProxy(t, { ...onDisk(path), clock, url: house.origin.url });
  t.same(marksIn(path), [`young-${process.pid}`]);
  await next.proxy.close();
  t.same(marksIn(path), []);
});

t.test(
  'issue 5: young deaths that are not the fault of the file cost neither what is in it nor a moment',
  async (t) => {
    const dead = `young-${gone()}`;
    const [house, path] = await openAfter(t, { [dead]: MAX_DISK_YOUNG_DEATHS });
    t.equal((await house.get('/1', CACHED)).field('cdn-cache'), 'HIT', 'there from the start');
    // Another process has looked through it meanwhile, and found nothing.
    await settled(() => !marksIn(path).includes(dead));
    t.same(marksIn(path), [`young-${process.pid}`], 'from here they are counted anew');
    t.same(lookers(path), []);
    t.same(ofDisk(house), []);
    t.equal((await house.get('/2', CACHED)).field('cdn-cache'), 'HIT', 'and left all in its place');
  },
);

t.test('issue 5: fewer young deaths are no reason to look', async (t) => {
  const [house, path] = await openAfter(t, { [`young-${gone()}`]: MAX_DISK_YOUNG_DEATHS - 1 });
  t.equal((await house.get('/1', CACHED)).field('cdn-cache'), 'HIT');
  await house.proxy.close();
  t.same(marksIn(path), [], 'a good end is the end of the count');
});

t.test('issue 5: where the one that looked died of something else, another look brings all of it back', async (t) => {
  const marks = { [`young-${gone()}`]: MAX_DISK_YOUNG_DEATHS, [`looking-${gone()}`]: 1 };
  const [house, path, clock] = await openAfter(t, marks);
  await takenIn(house, clock);
  t.notOk(ofDisk(house).includes('disk-damaged'));
  t.equal((await house.get('/1', CACHED)).field('cdn-cache'), 'HIT');
  t.same([...marksIn(path), ...lookers(path)], [`young-${process.pid}`]);
});

t.test('issue 5: young deaths of the same process number count, those before a good end do not', async (t) => {
  const name = `young-${process.pid}`;
  const [house, path] = await openAfter(t, { [name]: 1 });
  const mark = join(path, 'v2', name);
  t.equal(readFileSync(mark, 'latin1'), '..', 'in a container each start may have the number of the one before');
  await house.proxy.close();
  t.notOk(existsSync(mark));
});

t.test(
  'issue 5: a file over which processes die young is looked through, and set aside where that kills too',
  async (t) => {
    const path = makeDirectory(t);
    const clock = new FakeClock(START);
    const first = await filled(t, path, clock);
    // Far behind, in a table that is not read at the start.
    const MARK = Buffer.alloc(64, 0xa7);
    const file = openDiskFile(join(path, 'v2'), 64e6);
    file.write(() => {
      for (let at = 0; at < 30_000; at++) {
        const key = Buffer.from(`key ${String(at).padStart(6, '0')}`);
        file.tables.shares.put(key, at === 25_000 ? MARK : Buffer.alloc(64));
      }
    });
    await file.close();
    damage(path, MARK);
    writeFileSync(join(path, 'v2', `young-${gone()}`), '.'.repeat(MAX_DISK_YOUNG_DEATHS));
    writeFileSync(join(path, 'v2', `looking-${gone()}`), '.');
    const house = await openProxy(t, { ...onDisk(path), clock, url: first.origin.url });
    t.equal((await house.get('/1')).status, 200, 'served meanwhile');
    await takenIn(house, clock);
    t.same(ofDisk(house), ['disk-unavailable', 'disk-damaged', 'disk-available']);
    t.same(readdirSync(path).sort(), ['v2', 'v2.damaged']);
    const metrics = await house.metrics();
    t.equal(metric(metrics, 'patina_disk_state', 'state="writable"'), 1);
    t.ok((metric(metrics, 'patina_disk_open_failures_total') ?? 0) > 0);
    await settled(() => marksIn(path).length === 1);
  },
);

interface Started {
  /** How it ended, and what it said. */
  readonly ended: Promise<readonly [how: string, said: string]>;
  stop(): void;
}

function startProgram(t: Test, path: string): Started {
  const settings = ['cache.memory=1MB', `cache.disk.path=${path}`, 'cache.disk.size=64MB', 'log.access=off'];
  const args = [MAIN, '--origin', 'http://127.0.0.1:9', '--listen', '127.0.0.1:0', '--admin', 'off'];
  const child = spawn(process.execPath, [...args, ...settings.flatMap((one) => ['--set', one])], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
  const ended = new Promise<readonly [string, string]>((resolve) => {
    child.once('close', (code, signal) => resolve([signal ?? String(code), said]));
  });
  return { ended, stop: () => child.kill('SIGTERM') };
}

t.test(
  'issue 5: a damaged page that the sweep comes by ends a few processes, and then the file is begun anew',
  async (t) => {
    const path = makeDirectory(t);
    await filled(t, path, new FakeClock(START));
    const file = openDiskFile(join(path, 'v2'), 64e6);
    // Long past their time: each start walks over them, page by page, soon after it serves.
    const MARK = Buffer.alloc(64, 0xa7);
    file.write(() => {
      for (let at = 0; at < 400; at++)
        file.tables.expiries.put(withNumber(1, Buffer.from(`key ${at + 1_000}`)), at === 150 ? MARK : Buffer.alloc(64));
    });
    await file.close();
    damage(path, MARK);
    const ends: string[] = [];
    // The last of these has another process look, which dies as well, sooner or later.
    for (let start = 0; start <= MAX_DISK_YOUNG_DEATHS; start++) ends.push((await startProgram(t, path).ended)[0]);
    t.same(ends, new Array(MAX_DISK_YOUNG_DEATHS + 1).fill('SIGABRT'));
    await settled(() => deathsIn(join(path, 'v2'), 'looking') > 0);
    const last = startProgram(t, path);
    const isBegunAnew = (): boolean => ['v2', 'v2.damaged'].every((name) => existsSync(join(path, name)));
    while (!isBegunAnew() || marksIn(path).length !== 1) await new Promise((resolve) => setTimeout(resolve, 20));
    last.stop();
    const [how, said] = await last.ended;
    t.equal(how, '0');
    t.match(said, /was set aside as v2\.damaged, and the disk tier begins empty/);
  },
);
