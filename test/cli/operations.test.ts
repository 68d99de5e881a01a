// Goal: every operation has a command, which says what happened and ends with the right code. Method: the commands against a real proxy, on a played shell.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseArguments } from '../../lib/cli/arguments.js';
import { UsageError } from '../../lib/cli/command.js';
import { OPERATION_COMMANDS } from '../../lib/cli/operations.js';
import { FakeClock } from '../kit/clock.js';
import { HOST, type OpenProxy, openProxy, TOKEN } from '../kit/proxy-kit.js';

const BASE = `http://${HOST}`;

/** What a person sees; sizes depend on how records are accounted for. */
const LISTED = `PHASE  FRESH FOR  AGE  HITS  SIZE   STATUS  RULE      URL
fresh  1m         0s   0     SIZE   200     defaults  http://a.example/a
fresh  1m         0s   1     SIZE   200     defaults  http://a.example/b
fresh  1m         0s   0     SIZE   200     defaults  http://a.example/c
fresh  9s         0s   0     SIZE   200     defaults  http://a.example/v  [accept-language=de]
4 shown; 4 stored in all`;
const SHOWN = `http://a.example/p

  key                   http://a.example/p
  status                200
  phase                 fresh
  rule                  defaults (ttl from max-age)
  age                   0s
  hits                  1
  size
  tags                  none
  pushed                yes
  born                  2026-01-01T00:00:00.000Z
  fetched               2026-01-01T00:00:00.000Z
  confirmed             2026-01-01T00:00:00.000Z
  fresh until           2026-01-01T00:01:00.000Z
  grace until           2026-01-01T00:01:00.000Z
  keep until            2026-01-01T01:01:00.000Z
  stale if error until  2026-01-01T00:01:00.000Z
  expired               -
  fresh left            1m
  grace left            1m
  keep left             61m
  fields
    Cache-Control: max-age=60
    Content-Type: text/html
    Date: Thu, 01 Jan 2026 00:00:00 GMT`;

interface Ran {
  readonly code: number;
  readonly out: readonly string[];
  readonly err: readonly string[];
}

async function runWith(env: Readonly<Record<string, string | undefined>>, ...args: string[]): Promise<Ran> {
  const command = parseArguments(args);
  if (command.kind !== 'other') throw new Error(JSON.stringify(command));
  const [out, err]: string[][] = [[], []];
  const shell = { env, say: (line: string) => void out?.push(line), complain: (line: string) => void err?.push(line) };
  const code = await command.spec.run(command.given, shell);
  return { code, out: out ?? [], err: err ?? [] };
}

async function open(t: Test, next?: () => Readonly<Record<string, unknown>>) {
  const house = await openProxy(t, {
    clock: new FakeClock(),
    conf: { defaults: { tags_from: 'Cache-Tag' } },
    token: TOKEN,
    ...(next === undefined ? {} : { next }),
  });
  house.origin.respond((asked) =>
    asked.field('if-none-match') === '"1"'
      ? { status: 304 }
      : { fields: ['Cache-Control', 'max-age=60', 'ETag', '"1"', 'Cache-Tag', 'x'], body: 'body' },
  );
  const run = (...args: string[]) =>
    runWith({ PATINA_ADMIN_TOKEN: TOKEN }, ...args, '--admin', `127.0.0.1:${house.adminPort}`);
  return { house, run };
}

async function fetchAll(house: OpenProxy, ...targets: string[]): Promise<void> {
  for (const target of targets) await house.get(target);
}

t.test('issue 4: patina purge takes a URL, a prefix or a tag, and says how much went', async (t) => {
  const { house, run } = await open(t);
  await fetchAll(house, '/a', '/b');
  t.same(await run('purge', `${BASE}/a`), { code: 0, out: [`purged 1 for ${BASE}/a`], err: [] });
  t.same(await run('purge', '--tag', 'x'), { code: 0, out: ['purged 1 for the tag x'], err: [] });
  t.same(await run('purge', '--tag', 'x'), { code: 1, out: ['nothing is stored for the tag x'], err: [] });
  await fetchAll(house, '/a', '/b');
  t.same((await run('purge', '--prefix', `${BASE}/`)).out, [`purged 2 for URLs that begin with ${BASE}/`]);
  const none = await run('purge', '--url', `${BASE}/a`);
  t.equal(none.code, 1);
  t.match(none.out[1], /X-Forwarded-Proto/);
  t.same(JSON.parse((await run('purge', '--tag', 'x', '--json')).out.join('')), {
    operation: 'purge',
    objects: 0,
    fills: 0,
  });
});

t.test('issue 5: a purge that is still to be done on disk says so', async (t) => {
  const path = join(t.testdir({ file: 'not a directory' }), 'file');
  const house = await openProxy(t, { token: TOKEN, clock: new FakeClock(), conf: { cache: { disk: { path } } } });
  const ran = await runWith(
    { PATINA_ADMIN_TOKEN: TOKEN },
    'purge',
    `${BASE}/a`,
    '--admin',
    `127.0.0.1:${house.adminPort}`,
  );
  t.same([ran.code, ran.out[0]], [0, `purged 0 for ${BASE}/a`]);
  t.match(ran.out[1], /^not yet on disk/);
});

t.test('issue 4: patina expire and patina refresh', async (t) => {
  const { house, run } = await open(t);
  await fetchAll(house, '/a');
  t.same((await run('expire', `${BASE}/a`)).out, [`expired 1 for ${BASE}/a`]);
  t.equal((await house.get('/a')).field('cdn-cache'), 'REVALIDATED');
  t.same(await run('refresh', `${BASE}/a`, '--wait'), {
    code: 0,
    out: [`refreshed 1 for ${BASE}/a: 1 not-modified`],
    err: [],
  });
  t.same((await run('refresh', '--tag', 'x')).out, ['refreshing 1 for the tag x']);
  t.equal((await run('refresh', `${BASE}/new`, '--wait')).code, 1);
  t.same((await run('refresh', `${BASE}/new`, '--wait', '--fill')).out, [`refreshed 1 for ${BASE}/new: 1 stored`]);
  house.origin.respond(() => ({ status: 503 }));
  const failed = await run('refresh', `${BASE}/a`, '--wait');
  t.same([failed.code, failed.out], [1, [`refreshed 1 for ${BASE}/a: 1 error`]]);
});

t.test('issue 4: patina update pushes a file, patina show tells of it', async (t) => {
  const { house, run } = await open(t);
  const file = join(t.testdir({ page: '<p>pushed</p>' }), 'page');
  const pushed = await run(
    'update',
    `${BASE}/p`,
    file,
    '-H',
    'Cache-Control: max-age=60',
    '--header',
    'Content-Type: text/html',
  );
  t.same(pushed, { code: 0, out: [`stored 13 bytes for ${BASE}/p, fresh for 60 s`], err: [] });
  t.equal((await house.get('/p')).body.toString(), '<p>pushed</p>');
  const gone = await run('update', `${BASE}/gone`, file, '-H', 'Cache-Control: max-age=60', '--status', '410');
  t.equal(gone.code, 0);
  t.equal((await house.get('/gone')).status, 410);
  const refused = await run('update', `${BASE}/p`, file);
  t.equal(refused.code, 1);
  t.match(refused.err, [/how long it is fresh/]);
  t.equal((await run('update', `${BASE}/p`, '/nonexistent')).code, 2);
  const shown = await run('show', `${BASE}/p`);
  t.equal(shown.code, 0);
  t.equal(shown.out.join('\n').replace(/^ {2}size .*$/m, '  size'), SHOWN);
  t.match(await run('show', `${BASE}/none`), { code: 1, err: [/Nothing is stored/] });
});

t.test('issue 4: patina list shows a table, page by page', async (t) => {
  const { house, run } = await open(t);
  t.match(await run('list'), { code: 1, out: ['0 shown; 0 stored in all'] });
  await fetchAll(house, '/a', '/b', '/b', '/c');
  house.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=9', 'Vary', 'Accept-Language'], body: 'x' }));
  await house.get('/v', 'Accept-Language: de');
  t.equal((await run('list')).out.join('\n').replace(/(?:\d+B|SIZE) +/g, 'SIZE   '), LISTED);
  t.same((await run('list', '--limit', '2')).out.at(-1), '2 shown, there are more: --limit; 4 stored in all');
  t.equal((await run('list', '--min-hits', '1')).out.length, 3);
  t.equal((await run('list', '--phase', 'grace')).code, 1);
  t.match(await run('list', '--phase', 'x'), { code: 1, err: [/phase: expected one of/] });
});

t.test('issue 4: patina config, reload and drain', async (t) => {
  let ttl = '5s';
  const { house, run } = await open(t, () => ({ defaults: { ttl } }));
  const config = await run('config');
  t.match(config.out[0], /^# no conf file; number 1 since the start, in force since 2026-/);
  t.match(config.out[1], /"tags_from": "Cache-Tag"/);
  const reloaded = await run('reload');
  t.equal(reloaded.code, 0);
  t.same(reloaded.out, [
    'reloaded, changes: 2',
    'defaults.tags_from: Cache-Tag -> (default)',
    'defaults.ttl: (default) -> 5s',
  ]);
  ttl = 'nonsense';
  const refused = await run('reload');
  t.equal(refused.code, 1);
  t.match(refused.out.join('\n'), /stays in force[\s\S]*defaults\.ttl/);
  t.same(await run('drain'), { code: 0, out: ['draining'], err: [] });
  await house.proxy.leaving;
});

t.test('issue 4: patina warm begins a round, and says where there is nothing to warm', async (t) => {
  const warm = { sitemaps: [`http://${HOST}/sitemap.txt`, `http://${HOST}/feed`] };
  const { house, run } = await open(t, () => ({ warm }));
  t.match(await run('warm'), { code: 1, out: [], err: [/No sitemaps are configured \(warm\.sitemaps\)/] });
  await run('reload');
  await house.origin.seen(1);
  t.same((await run('warm')).out, ['warming from 2 sitemaps; the log says how it went']);
});

t.test('without the right token the command says how to give it, and ends with 1', async (t) => {
  const { house } = await open(t);
  const admin = ['--admin', `127.0.0.1:${house.adminPort}`];
  t.match(await runWith({}, 'purge', '--tag', 'x', ...admin), {
    code: 1,
    err: [/needs the token/, /--token-file FILE/],
  });
  t.match(await runWith({ PATINA_ADMIN_TOKEN: 'wrong' }, 'purge', '--tag', 'x', ...admin), {
    code: 1,
    err: [/not the right one/, /this very proxy/],
  });
  const folder = t.testdir({
    token: `${TOKEN}\n`,
    'p.yaml': `admin: {listen: 127.0.0.1:${house.adminPort}, token_file: token}`,
  });
  t.equal(
    (await runWith({}, 'purge', '--tag', 'x', ...admin, '--token-file', join(folder, 'token'))).out[0],
    'nothing is stored for the tag x',
  );
  const byConf = await runWith({}, 'purge', '--tag', 'x', '--config', join(folder, 'p.yaml'));
  t.equal(byConf.out[0], 'nothing is stored for the tag x', 'the conf file names both');
  t.equal((await runWith({}, 'purge', '--tag', 'x', ...admin, '--token-file', '/nonexistent')).code, 2);
});

t.test('where no proxy answers, the command names the address and ends with 2', async (t) => {
  const other = createServer((_, res) => res.end('hello'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const admin = `127.0.0.1:${(other.address() as AddressInfo).port}`;
  t.match(await runWith({}, 'list', '--admin', admin), { code: 2, err: [/no admin listener of patina/] });
  await new Promise((resolve) => other.close(resolve));
  t.match(await runWith({}, 'list', '--admin', admin), {
    code: 2,
    err: [new RegExp(`http://${admin}.*ECONNREFUSED.*is it running`)],
  });
  const file = join(t.testdir({ 'p.yaml': 'nonsense: 1', 'off.yaml': 'admin: off' }), 'p.yaml');
  t.match(await runWith({}, 'list', '--config', file), { code: 2, err: [/unknown key "nonsense"/] });
  await t.rejects(runWith({}, 'list', '--config', file.replace('p.yaml', 'off.yaml')), /turns the admin listener off/);
});

t.test('a command line that does not say what to do is refused', async (t) => {
  for (const args of [
    ['purge'],
    ['purge', 'http://a/', '--tag', 'x'],
    ['expire', '--url', 'http://a/', '--prefix', 'http://a/'],
    ['show'],
    ['update', 'http://a/'],
    ['list', '--limit', 'x'],
    ['list', '--limit', '0'],
    ['purge', 'http://a/', '--admin', 'nonsense'],
    ['update', 'http://a/', '/dev/null', '-H', 'nonsense'],
  ])
    await t.rejects(runWith({}, ...args), UsageError, args.join(' '));
  t.match(parseArguments(['purge', 'a', 'b']), { kind: 'wrong', problems: ['unexpected "b"'] });
  t.match(parseArguments(['prge', 'a']), { kind: 'wrong', problems: [/did you mean purge/, /./] });
  t.match(parseArguments(['purge', '--tga', 'x']), {
    kind: 'wrong',
    problems: [/purge: unknown flag "--tga": did you mean --tag/],
  });
});

t.test('each command has its own help', async (t) => {
  for (const spec of OPERATION_COMMANDS) {
    t.match(parseArguments(['help', spec.name]), { kind: 'help', of: { name: spec.name } });
    t.match(parseArguments([spec.name, '--help']), { kind: 'help', of: { name: spec.name } });
  }
});

t.test('a command reaches an admin listener on any port, those too that browsers refuse to ask', async (t) => {
  const server = createServer((_request, response) => response.end('{"objects": 1, "fills": 0}'));
  for (const port of [10080, 6000, 6666, 6697, 4190]) {
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (isFree) break;
  }
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { code, err } = await runWith({}, 'purge', `${BASE}/a`, '--admin', `127.0.0.1:${port}`);
  t.same({ code, err }, { code: 0, err: [] });
});
