// Goal: issue 5, a disk that is really full: what is on it is served, nothing is added, and it is used again when there is room. Method: whole proxies on a filesystem of 32 MB, and one under a limit of the size of its files.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { MAX_DISK_YOUNG_DEATHS } from '../../lib/base/disk-limits.js';
import { makeDirectory } from '../kit/disk.js';
import { program } from '../kit/program.js';
import { metric, type OpenOptions, type OpenProxy, openProxy, TOKEN } from '../kit/proxy-kit.js';
import { eventually } from '../kit/redis-server.js';
import { startScriptedOrigin } from '../kit/scripted-origin.js';

const MB = 1024 * 1024;
const CACHED = 'Cache-Control: only-if-cached';

/** A filesystem of 40 MB, as root can have one; undefined where this is not root, or may not. */
function smallFilesystem(t: Test): string | undefined {
  const path = makeDirectory(t);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', path]).status !== 0) return undefined;
  t.teardown(() => spawnSync('umount', ['-l', path]));
  return path;
}

const NO_MOUNT = 'NOT SHOWN HERE: a filesystem of its own takes root, who may mount; .ci/run as root shows it';

function isMountable(): boolean {
  return process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
}

const stateOf = async (house: OpenProxy, state: string): Promise<number> =>
  metric(await house.metrics(), 'patina_disk_state', `state="${state}"`);

t.test(
  'issue 5: on a full disk the tier is read-only, what is there is served, also after a restart, and it comes back',
  { skip: isMountable() ? false : NO_MOUNT },
  async (t) => {
    const root = smallFilesystem(t) ?? '';
    const options: OpenOptions = {
      token: TOKEN,
      conf: { cache: { memory: '1MB', disk: { path: join(root, 'var'), size: '24MB' } } },
    };
    const first = await openProxy(t, options);
    first.origin.respond(({ target }) => ({
      fields: ['Cache-Control', 'max-age=600', 'ETag', '"1"'],
      body: Buffer.alloc(50_000, target),
    }));
    for (let at = 0; at < 60; at++) await first.get(`/${at}`);
    await first.operate('POST', '/v1/purge', { url: 'http://a.example/none' });
    const ballast = join(root, 'ballast');
    // All but some 10 MB: the tier leaves more than that to others.
    writeFileSync(ballast, Buffer.alloc(26 * MB));
    await first.get('/late');
    await eventually(async () => (await stateOf(first, 'read-only')) === 1, 'it is read-only');
    await first.get('/later');
    await eventually(async () => metric(await first.metrics(), 'patina_disk_write_failures_total') > 1, 'tried again');
    const hits = async (house: OpenProxy): Promise<void> => {
      for (let at = 0; at < 60; at++) {
        const answer = await house.get(`/${at}`, CACHED);
        if (answer.status !== 200 || !answer.body.equals(Buffer.alloc(50_000, `/${at}`)))
          t.fail(`/${at}: ${answer.status}`);
      }
    };
    await hits(first);
    t.ok(metric(await first.metrics(), 'patina_disk_hits_total') >= 40, 'memory holds a few of them alone');
    t.ok(metric(await first.metrics(), 'patina_disk_skipped_total', 'reason="read-only"') >= 1);
    // A purge holds at once, and is written as soon as that can be.
    const purged = await first.operate('POST', '/v1/purge', { url: 'http://a.example/7' });
    t.same(JSON.parse(purged.body.toString()), { operation: 'purge', objects: 1, fills: 0, pending: ['disk'] });
    t.equal((await first.get('/7', CACHED)).status, 504);
    rmSync(ballast);
    await eventually(async () => (await stateOf(first, 'writable')) === 1, 'it is written again', 20_000);
    const told = first.notices.filter((code) => code.startsWith('disk'));
    t.same(told, ['disk-read-only', 'disk-writable'], 'one line for each change of state');
    await first.get('/again');
    await first.operate('POST', '/v1/purge', { url: 'http://a.example/none' });

    await first.proxy.close();
    const fill = spawnSync('sh', ['-c', `dd if=/dev/zero of=${join(root, 'rest')} bs=64k 2>/dev/null`]);
    t.not(fill.status, 0, 'nothing more goes there');
    const house = await openProxy(t, { ...options, url: first.origin.url });
    await eventually(async () => (await stateOf(house, 'off')) === 0, 'a full disk can be opened', 20_000);
    t.equal((await house.get('/again', CACHED)).field('cdn-cache'), 'HIT');
    t.equal((await house.get('/7', CACHED)).status, 504, 'what was purged stayed so');
    await house.get('/new');
    await eventually(async () => (await stateOf(house, 'read-only')) === 1, 'and cannot be written');
    t.equal((await house.get('/1', CACHED)).field('cdn-cache'), 'HIT');
  },
);

t.test(
  'issue 5: a disk tier on a filesystem without room is begun when there is some',
  { skip: isMountable() ? false : NO_MOUNT },
  async (t) => {
    const root = smallFilesystem(t) ?? '';
    const ballast = join(root, 'ballast');
    spawnSync('sh', ['-c', `dd if=/dev/zero of=${ballast} bs=64k 2>/dev/null`]);
    const house = await openProxy(t, { conf: { cache: { disk: { path: join(root, 'var'), size: '24MB' } } } });
    house.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=600'], body: 'served' }));
    t.equal((await house.get('/a')).status, 200);
    t.ok(house.notices.includes('disk-unavailable'));
    rmSync(ballast);
    await eventually(() => house.notices.includes('disk-available'), 'it is begun', 20_000);
    t.equal(await stateOf(house, 'writable'), 1);
  },
);

t.test(
  'issue 5: a full disk over which processes died young is looked through, and what is there is served',
  { skip: isMountable() ? false : NO_MOUNT },
  async (t) => {
    const root = smallFilesystem(t) ?? '';
    const path = join(root, 'var');
    const optionsOf = (size: string): OpenOptions => ({ token: TOKEN, conf: { cache: { disk: { path, size } } } });
    const first = await openProxy(t, optionsOf('16MB'));
    first.origin.respond(({ target }) => ({ fields: ['Cache-Control', 'max-age=600'], body: target }));
    await first.get('/a');
    await first.proxy.close();
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    writeFileSync(join(path, 'v2', `young-${pid}`), '.'.repeat(MAX_DISK_YOUNG_DEATHS));
    spawnSync('sh', ['-c', `dd if=/dev/zero of=${join(root, 'rest')} bs=64k 2>/dev/null`]);
    // Of one that may be larger the file is longer, before anything is written.
    const house = await openProxy(t, { ...optionsOf('256MB'), url: first.origin.url });
    await eventually(async () => (await stateOf(house, 'off')) === 0, 'it can be read', 20_000);
    t.equal((await house.get('/a', CACHED)).field('cdn-cache'), 'HIT');
  },
);

const canLimit = existsSync('/usr/bin/prlimit') && existsSync('/bin/bash');
const CLI = program();

function fetched(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<[number, Buffer]> {
  return new Promise((resolve, reject) => {
    get({ port, path, headers: { Host: 'a.example', ...headers } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve([answer.statusCode ?? 0, Buffer.concat(chunks)]));
    }).on('error', reject);
  });
}

t.test(
  'issue 5: a write that the system refuses makes the tier read-only, and costs nobody anything',
  { skip: canLimit ? false : 'NOT SHOWN HERE: it takes bash and prlimit (util-linux)' },
  async (t) => {
    const origin = await startScriptedOrigin();
    t.teardown(() => origin.close());
    const bodyOf = (target: string): Buffer => Buffer.alloc(100_000, target);
    origin.respond(({ target }) => ({ fields: ['Cache-Control', 'max-age=600'], body: bodyOf(target) }));
    const settings = [
      `cache.disk.path=${join(makeDirectory(t), 'var')}`,
      'cache.disk.size=64MB',
      'cache.memory=1MB',
      'log.access=off',
    ];
    const args = ['--origin', origin.url.href, '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
    // Files of up to 16 MB, of which the tier takes some ahead; the limit can be lifted from outside while the process runs.
    const child = spawn(
      '/bin/bash',
      [
        '-c',
        'ulimit -S -f 16384; exec "$@"',
        'limited',
        process.execPath,
        CLI,
        ...args,
        ...settings.flatMap((one) => ['--set', one]),
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    t.teardown(() => child.kill('SIGKILL'));
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (said += bytes.toString()));
    await eventually(() => /\n/.test(said) && /ready/.test(said), 'it is ready');
    const portOf = (word: string): number =>
      Number(new RegExp(`${word} http://127\\.0\\.0\\.1:(\\d+)`).exec(said)?.[1]);
    const [port, adminPort] = [portOf('ready on'), portOf('admin')];
    const metrics = async (): Promise<string> =>
      (await fetched(adminPort, '/metrics', { Host: 'localhost' }))[1].toString();
    const isIn = async (state: string): Promise<boolean> =>
      metric(await metrics(), 'patina_disk_state', `state="${state}"`) === 1;
    let at = 0;
    await eventually(
      async () => {
        const [status, body] = await fetched(port, `/${at}`);
        if (status !== 200 || !body.equals(bodyOf(`/${at}`))) t.fail(`/${at}: ${status}`);
        at++;
        return isIn('read-only');
      },
      'the file has reached its limit',
      60_000,
    );
    await eventually(() => said.includes('disk-read-only'), 'the log says so');
    const before = metric(await metrics(), 'patina_disk_hits_total');
    for (let old = 0; old < 20; old++) {
      const [status, body] = await fetched(port, `/${old}`, { 'Cache-Control': 'only-if-cached' });
      t.ok(status === 200 && body.equals(bodyOf(`/${old}`)), `/${old} is served as it is`);
    }
    t.ok(metric(await metrics(), 'patina_disk_hits_total') > before, 'from disk');
    t.equal(spawnSync('prlimit', ['--pid', String(child.pid), '--fsize=unlimited:']).status, 0);
    await eventually(() => isIn('writable'), 'it is written again', 30_000);
    t.equal(child.exitCode, null);
  },
);
