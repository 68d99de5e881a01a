// Goal: issue 5, a disk that cannot be had at the start is done without, tried again, and taken in without what is out of date. Method: whole proxies on directories that are in the way of themselves.

import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { DISK_RETRY_FIRST_MS } from '../../lib/base/disk-limits.js';
import { DISK_PAGE_BYTES, openDiskFile } from '../../lib/store/disk-file.js';
import { fileFlaw } from '../../lib/store/disk-header.js';
import { DiskOpening } from '../../lib/store/disk-open.js';
import { FakeClock } from '../kit/clock.js';
import { makeDirectory } from '../kit/disk.js';
import { metric, type OpenOptions, type OpenProxy, openProxy, settled, TOKEN } from '../kit/proxy-kit.js';

const START = Date.UTC(2026, 0, 1);

function onDisk(path: string): OpenOptions {
  return {
    token: TOKEN,
    conf: { cache: { memory: '1MB', disk: { path, size: '64MB' } }, defaults: { tags_from: 'Surrogate-Key' } },
  };
}

const ofDisk = (house: OpenProxy): readonly string[] => house.notices.filter((code) => code.startsWith('disk'));

async function stateOf(house: OpenProxy): Promise<readonly number[]> {
  const metrics = await house.metrics();
  return [metric(metrics, 'patina_disk_state', 'state="writable"'), metric(metrics, 'patina_disk_open_failures_total')];
}

const CACHED = 'Cache-Control: only-if-cached';

t.test('issue 5: where a file is in the way, memory serves, and the tier is taken in when it has gone', async (t) => {
  const path = join(makeDirectory(t), 'var');
  writeFileSync(path, 'not a directory');
  const clock = new FakeClock(START);
  const house = await openProxy(t, { ...onDisk(path), clock });
  house.origin.respond(({ target }) => ({ fields: ['Cache-Control', 'max-age=600'], body: target }));
  t.equal((await house.get('/a')).status, 200);
  t.equal((await house.get('/a')).field('cdn-cache'), 'HIT');
  t.equal((await house.admin('/readyz')).status, 200);
  t.same(await stateOf(house), [0, 1]);
  // A second, then two more: the pause doubles.
  for (const [advanceMs, failures] of [
    [DISK_RETRY_FIRST_MS, 2],
    [DISK_RETRY_FIRST_MS, 2],
    [DISK_RETRY_FIRST_MS, 3],
  ] as const) {
    clock.advance(advanceMs);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    t.same(await stateOf(house), [0, failures]);
  }
  t.same(ofDisk(house), ['disk-unavailable'], 'it is said once');
  rmSync(path);
  clock.advance(4 * DISK_RETRY_FIRST_MS);
  await settled(() => house.notices.includes('disk-available'));
  t.same(await stateOf(house), [1, 3]);
  await house.get('/b');
  await house.proxy.close();
  const next = await openProxy(t, { ...onDisk(path), clock, url: house.origin.url });
  t.same(ofDisk(next), []);
  t.equal((await next.get('/a')).field('cdn-cache'), 'HIT', 'what came to memory before is on disk too');
  t.equal((await next.get('/b')).field('cdn-cache'), 'HIT');
});

t.test(
  'issue 5: what was purged, expired or replaced while the disk was away does not come back from it',
  async (t) => {
    const path = join(makeDirectory(t), 'var');
    const clock = new FakeClock(START);
    const first = await openProxy(t, { ...onDisk(path), clock });
    first.origin.respond(({ target }) => ({
      fields: ['Cache-Control', 'max-age=6000', 'Surrogate-Key', target.startsWith('/news') ? 'news' : 'other'],
      body: 'old',
    }));
    const targets = ['/purged', '/news/1', '/under/1', '/expired', '/replaced', '/posted', '/untouched'];
    for (const target of targets) await first.get(target);
    await first.get('/purged', 'X-Forwarded-Host: other.example');
    await first.proxy.close();
    renameSync(path, `${path}.away`);
    writeFileSync(path, '');
    clock.advance(1000);
    const house = await openProxy(t, { ...onDisk(path), clock, url: first.origin.url });
    first.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=6000'], body: 'new' }));
    clock.advance(1000);
    const purged = await house.operate('POST', '/v1/purge', { url: 'http://a.example/purged' });
    t.equal(purged.status, 200, 'nobody is served it any more');
    t.same(JSON.parse(purged.body.toString()), { operation: 'purge', objects: 0, fills: 0, pending: ['disk'] });
    await house.operate('POST', '/v1/purge', { tag: 'news' });
    await house.operate('POST', '/v1/purge', { prefix: 'http://a.example/under/' });
    await house.operate('POST', '/v1/expire', { url: 'http://a.example/expired' });
    await house.get('/replaced');
    await house.ask('POST /posted HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n', 'POST');
    t.same(ofDisk(house), ['disk-unavailable']);
    rmSync(path);
    renameSync(`${path}.away`, path);
    clock.advance(10_000);
    await settled(() => house.notices.includes('disk-available'));
    const cached = async (target: string, ...lines: string[]): Promise<string> => {
      const answer = await house.get(target, CACHED, ...lines);
      return `${answer.status} ${answer.field('cdn-cache')} ${answer.status === 200 ? answer.body : ''}`;
    };
    const asked = first.origin.requestCount;
    t.match(await cached('/purged'), /^504/);
    t.match(await cached('/purged', 'X-Forwarded-Host: other.example'), /^504/);
    t.match(await cached('/news/1'), /^504/);
    t.match(await cached('/under/1'), /^504/);
    t.match(await cached('/posted'), /^504/);
    t.equal(await cached('/replaced'), '200 HIT new');
    t.equal(await cached('/untouched'), '200 HIT old');
    t.equal(first.origin.requestCount, asked);
    t.equal((await house.get('/expired')).field('cdn-cache'), 'EXPIRED', 'stale, and still there to be asked about');
    await house.proxy.close();
    const next = await openProxy(t, { ...onDisk(path), clock, url: first.origin.url });
    t.equal((await next.get('/replaced', CACHED)).body.toString(), 'new', 'it is so on disk as well');
    t.equal((await next.get('/purged', CACHED)).status, 504);
  },
);

/** A closed proxy has left a file with some responses here. */
async function filled(t: Test, path: string): Promise<OpenProxy> {
  const house = await openProxy(t, onDisk(path));
  house.origin.respond(({ target }) => ({
    fields: ['Cache-Control', 'max-age=600'],
    body: Buffer.alloc(20_000, target),
  }));
  for (let at = 0; at < 50; at++) await house.get(`/${at}`);
  await house.proxy.close();
  return house;
}

function overwrite(file: string, bytes: Buffer, at: number): void {
  const handle = openSync(file, 'r+');
  writeSync(handle, bytes, 0, bytes.length, at);
  closeSync(handle);
}

/** Where the pages end that lmdb has taken, as its first two say: the file is longer. */
function usedEnd(file: string): number {
  const metas = readFileSync(file).subarray(0, 2 * DISK_PAGE_BYTES);
  const last = [0, DISK_PAGE_BYTES].map((at) => Number(metas.readBigUInt64LE(at + 144)));
  return (Math.max(...last) + 1) * DISK_PAGE_BYTES;
}

const DAMAGES: Readonly<Record<string, (file: string) => void>> = {
  'garbage at its beginning': (file) => overwrite(file, Buffer.alloc(2 * DISK_PAGE_BYTES, 'garbage'), 0),
  'zeros in its second page': (file) => overwrite(file, Buffer.alloc(DISK_PAGE_BYTES), DISK_PAGE_BYTES),
  'nothing behind the half of it': (file) => truncateSync(file, usedEnd(file) / 2),
  'its last page missing': (file) => truncateSync(file, usedEnd(file) - DISK_PAGE_BYTES),
  'less than a page': (file) => truncateSync(file, 100),
};

for (const [damage, harm] of Object.entries(DAMAGES)) {
  t.test(`issue 5: a file with ${damage} is set aside, and another one begun`, async (t) => {
    const path = makeDirectory(t);
    const first = await filled(t, path);
    mkdirSync(join(path, 'v0'));
    for (const again of [false, true]) {
      harm(join(path, 'v2', 'data.mdb'));
      const house = await openProxy(t, { ...onDisk(path), url: first.origin.url });
      t.same(ofDisk(house), ['disk-other-format', 'disk-damaged'], again ? 'once more' : 'it is said');
      t.same(await stateOf(house), [1, 0]);
      t.equal((await house.get('/1', CACHED)).status, 504);
      await house.get('/1');
      await house.proxy.close();
      t.same(readdirSync(path).sort(), ['v0', 'v2', 'v2.damaged'], 'one such file is kept, and all else left alone');
    }
    const last = await openProxy(t, { ...onDisk(path), url: first.origin.url });
    t.equal((await last.get('/1', CACHED)).field('cdn-cache'), 'HIT');
  });
}

t.test('issue 5: a file is as long as it says, also where its last pages went before they were written', async (t) => {
  const directory = makeDirectory(t);
  const file = openDiskFile(directory, 64e6);
  const keys = Array.from({ length: 100 }, (_, at) => Buffer.from(`a key of its own ${at}`));
  file.write(() => {
    for (const key of keys) file.tables.bodies.put(key, Buffer.alloc(60_000));
    for (const key of keys) file.tables.bodies.remove(key);
  });
  t.ok(file.fileBytes > 5_000_000, 'they are counted');
  t.ok(statSync(join(directory, 'data.mdb')).size >= file.fileBytes);
  await file.close();
  t.equal(fileFlaw(join(directory, 'data.mdb')), undefined);
});

t.test('issue 5: a file over which a process has died is tried by another one first', async (t) => {
  const path = makeDirectory(t);
  const first = await filled(t, path);
  const gone = spawnSync(process.execPath, ['-e', '']);
  const mark = join(path, 'v2', `opening-${gone.pid}`);
  writeFileSync(mark, '.');
  const house = await openProxy(t, { ...onDisk(path), url: first.origin.url });
  await settled(() => house.notices.includes('disk-available'));
  t.same(ofDisk(house), ['disk-available']);
  t.notOk(existsSync(mark));
  t.equal((await house.get('/1', CACHED)).field('cdn-cache'), 'HIT');
});

t.test('issue 5: a file that kills whoever opens it is set aside, and kills nobody that serves', async (t) => {
  const path = makeDirectory(t);
  const first = await filled(t, path);
  const gone = spawnSync(process.execPath, ['-e', '']);
  // A page in the middle of a table, which is not looked at before it is needed.
  const MARK = Buffer.alloc(64, 0xa7);
  const file = openDiskFile(join(path, 'v2'), 64e6);
  file.write(() => {
    for (let at = 0; at < 2_000; at++) {
      const key = Buffer.from(`key ${String(at).padStart(6, '0')}`);
      file.tables.doomed.put(key, at === 1_000 ? MARK : Buffer.alloc(64));
    }
  });
  await file.close();
  const bytes = readFileSync(join(path, 'v2', 'data.mdb'));
  const page = Math.floor(bytes.indexOf(MARK) / DISK_PAGE_BYTES);
  overwrite(join(path, 'v2', 'data.mdb'), Buffer.alloc(DISK_PAGE_BYTES), page * DISK_PAGE_BYTES);
  writeFileSync(join(path, 'v2', `opening-${gone.pid}`), '.');
  const clock = new FakeClock(Date.now());
  const house = await openProxy(t, { ...onDisk(path), clock, url: first.origin.url });
  const tried = async (count: number): Promise<void> => {
    while ((await stateOf(house))[1] !== count) await new Promise((resolve) => setImmediate(resolve));
  };
  clock.advance(0);
  await tried(1);
  t.equal((await house.get('/1')).status, 200);
  t.same(ofDisk(house), ['disk-unavailable']);
  clock.advance(DISK_RETRY_FIRST_MS);
  await tried(2);
  clock.advance(2 * DISK_RETRY_FIRST_MS);
  await settled(() => house.notices.includes('disk-available'));
  t.same(ofDisk(house), ['disk-unavailable', 'disk-damaged', 'disk-available']);
  t.same(readdirSync(path).sort(), ['v2', 'v2.damaged']);
  await house.proxy.close();
  const next = await openProxy(t, { ...onDisk(path), url: first.origin.url });
  t.equal((await next.get('/1', CACHED)).field('cdn-cache'), 'HIT', 'what came meanwhile is in the new one');
});

t.test('issue 5: what may not be read or written is said, and is no end', async (t) => {
  const path = makeDirectory(t);
  await filled(t, path);
  const asNobody = <T>(run: () => T): T => {
    if (process.getuid?.() !== 0) return run();
    process.seteuid?.(65_534);
    try {
      return run();
    } finally {
      process.seteuid?.(0);
    }
  };
  const [file, lock] = [join(path, 'v2', 'data.mdb'), join(path, 'v2', 'lock.mdb')];
  const tries: readonly [path: string, mode: number, said: RegExp][] = [
    [path, 0o000, /EACCES|cannot be read/],
    [join(path, 'v2'), 0o000, /EACCES|cannot/],
    [file, 0o000, /EACCES/],
    [lock, 0o000, /EACCES/],
  ];
  if (process.getuid?.() === 0) for (const one of [path, join(path, 'v2'), file, lock]) chownSync(one, 65_534, 65_534);
  for (const [target, mode, said] of tries) {
    const before = statSync(target).mode;
    chmodSync(target, mode);
    t.throws(() => asNobody(() => new DiskOpening(path, 64e6).tryNow()), said, `${target} ${mode.toString(8)}`);
    chmodSync(target, before);
  }
});

/** Has perl, which every Debian has, hold a lock as one that opens the file would. */
const HOLD = `
use Fcntl; open(my $f, '+<', $ARGV[0]) or die; 
my $lock = pack('s s x4 q q i x4', F_WRLCK, 0, 0, 1, 0); fcntl($f, F_SETLK, $lock) or die; 
$| = 1; print "held\\n"; <STDIN>;`;
const canHold = existsSync('/proc/locks') && spawnSync('perl', ['-e', '1']).status === 0;

t.test(
  'issue 5: a file that another process holds for itself is not waited for without end',
  { skip: canHold ? false : 'NOT SHOWN HERE: it takes /proc/locks and perl' },
  async (t) => {
    const path = makeDirectory(t);
    const first = await filled(t, path);
    const holder = spawn('perl', ['-e', HOLD, join(path, 'v2', 'lock.mdb')], { stdio: ['pipe', 'pipe', 'inherit'] });
    t.teardown(() => holder.kill());
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    const clock = new FakeClock(Date.now());
    const house = await openProxy(t, { ...onDisk(path), clock, url: first.origin.url });
    t.same(ofDisk(house), ['disk-unavailable']);
    t.equal((await house.get('/1')).status, 200);
    const ended = new Promise((resolve) => holder.once('exit', resolve));
    holder.stdin.end('\n');
    await ended;
    clock.advance(DISK_RETRY_FIRST_MS);
    await settled(() => house.notices.includes('disk-available'));
    t.equal((await house.get('/2', CACHED)).field('cdn-cache'), 'HIT');
  },
);
