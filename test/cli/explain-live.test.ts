// Goal: `patina explain --live` tells what a running proxy has, by its own rules (issue 4). Method: the command against a real proxy, on a played shell.
import t, { type Test } from 'tap';
import { parseArguments } from '../../lib/cli/arguments.js';
import { UsageError } from '../../lib/cli/command.js';
import { FakeClock } from '../kit/clock.js';
import { openProxy } from '../kit/proxy-kit.js';

async function open(t: Test) {
  const clock = new FakeClock();
  const rules = [
    { name: 'de', match: { header: { 'X-Lang': 'de' } }, ttl: '5s' },
    { name: 'slow', match: { path: '/slow' }, cold: 'accepted' },
    { name: 'pages', match: { path: '/a' }, grace: '1m' },
  ];
  const house = await openProxy(t, { clock, conf: { rules } });
  house.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=10', 'ETag', '"1"'], body: 'x' }));
  const run = async (...args: string[]) => {
    const command = parseArguments(['explain', ...args, '--live', '--admin', `127.0.0.1:${house.adminPort}`]);
    if (command.kind !== 'other') throw new Error(JSON.stringify(command));
    const [out, err]: string[][] = [[], []];
    const shell = { env: {}, say: (line: string) => out?.push(line), complain: (line: string) => err?.push(line) };
    const code = await command.spec.run(command.given, shell);
    return { code, out: out?.join('\n') ?? '', err: err?.join('\n') ?? '' };
  };
  return { clock, house, run };
}

t.test('issue 4: --live tells what is stored in the running proxy, and what a request gets of it now', async (t) => {
  const { clock, house, run } = await open(t);
  await house.get('/a');
  clock.advance(30_000);
  t.same(await run('http://a.example/a'), {
    code: 0,
    err: '',
    out: `GET http://a.example/a

Rule       pages
           not de: only where the header X-Lang is "de"
           not slow: only where the path matches /slow
Key        http://a.example/a

Response   200, under rule pages
Stored     yes, in memory
Age        30s
  fresh    until 2026-01-01T00:00:10Z, 20s ago: max-age of the response
  grace    until 2026-01-01T00:01:10Z, in 40s: 1m, grace of pages
  keep     until 2026-01-01T01:01:10Z, in 3640s: 1h, the default
  outage   of the origin is hidden until 2026-01-01T01:01:10Z, in 3640s
Client     Cache-Control: max-age=10
           ETag: "1"
           Date: Thu, 01 Jan 2026 00:00:00 GMT

To origin  If-None-Match: "1"

Now        gets the stored response at once, while one conditional request refreshes it (stale-while-revalidate)
           The stored response is within its grace; it is served while one request refreshes it.`,
  });
  t.equal(house.origin.requests.length, 1, 'nobody is asked');
});

t.test('issue 4: --live goes by method and headers; what is not stored is said too', async (t) => {
  const { house, run } = await open(t);
  await house.get('/a');
  t.match(JSON.parse((await run('http://a.example/a', '-H', 'X-Lang: de', '--json')).out), {
    rule: 'de',
    now: { gets: 'hit' },
  });
  t.match(JSON.parse((await run('POST', 'http://a.example/a', '--json')).out), { pass: 'method' });
  t.match(JSON.parse((await run('http://a.example/b', '--json')).out), { now: { gets: 'miss', reason: 'uri-miss' } });
  t.match(JSON.parse((await run('http://a.example/slow', '--json')).out), {
    now: { gets: 'accepted', reason: 'cold-accepted' },
  });
});

t.test('what --live cannot do is told', async (t) => {
  const { house, run } = await open(t);
  await t.rejects(run('/a'), UsageError);
  await t.rejects(run('http://a.example/a', '--response', 'HTTP/1.1 200 OK'), /--response: goes not with --live/);
  const bad = await house.operate('GET', '/v1/objects?url=http://a.example/a&explain=G%20T');
  t.match([bad.status, bad.body], [400, /a method such as GET/]);
  const header = await house.operate('GET', '/v1/objects?url=http://a.example/a&explain=GET&header=x');
  t.match([header.status, header.body], [400, /'name: value'/]);
  await house.proxy.close();
  t.match(await run('http://a.example/a'), { code: 2, err: /no proxy answers/ });
});
