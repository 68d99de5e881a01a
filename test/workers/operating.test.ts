// Goal: to an operator several workers are one proxy. Method: the built command, its admin listener and signals.
// A crew takes seconds to start: the tests of what operators ask for share one, and find it empty each time; so do the last two.
import t from 'tap';
import { createBarrier } from '../kit/barrier.js';
import { HOST, request, TOKEN } from '../kit/proxy-kit.js';
import { connectRaw } from '../kit/raw-client.js';
import { startScriptedOrigin } from '../kit/scripted-origin.js';
import { confOf, startCrew, until } from './crew.kit.js';

const SHARED = ['Cache-Control', 'max-age=600', 'ETag', '"1"'];
const url = (path: string): string => `http://${HOST}${path}`;

const PAIR_CONF = 'debug_header: CDN-Cache\npurge_methods: {from: [127.0.0.1]}\ndefaults: {grace: 0s, keep: 1h}';
const pair = await startCrew(t, { conf: PAIR_CONF });
const three = await startCrew(t, { workers: 3, conf: 'log: {access: json}' });
const clients = await pair.eachWorker();
const [one, other] = clients;
/** Requests that reached the origin in the tests before. */
let askedBefore = 0;

t.beforeEach(async () => {
  if (pair.child.exitCode !== null) return;
  await pair.call('/v1/purge', 'POST', { prefix: url('/') });
  askedBefore = pair.origin.requests.length;
});

interface Listed {
  objects: { key: string; hits: number }[];
  next?: string;
  total_stored: number;
}

t.test('issue 5: purge, expire, update, PURGE and unsafe requests act on all workers', async (t) => {
  const crew = pair;
  crew.origin.respond((asked) =>
    asked.field('if-none-match') === undefined || asked.method === 'POST'
      ? { fields: SHARED, body: 'hello' }
      : { status: 304, fields: SHARED },
  );
  const outcomes = async (): Promise<(string | undefined)[]> => {
    const all: (string | undefined)[] = [];
    for (const client of clients) {
      const response = await client.send(request('GET', '/a')).response();
      all.push(response.field('cdn-cache'));
    }
    return all;
  };
  t.same(await outcomes(), ['MISS', 'HIT']);
  t.same(await outcomes(), ['HIT', 'HIT']);
  t.match(await crew.json('/v1/purge', 'POST', { url: url('/a') }), { objects: 1 }, 'two copies of one response');
  t.same(await outcomes(), ['MISS', 'HIT'], 'neither has it any more');
  t.match(await crew.json('/v1/expire', 'POST', { prefix: url('/') }), { objects: 1 });
  t.same(await outcomes(), ['REVALIDATED', 'HIT'], 'the other one takes the record of the first');
  const purge = await clients[0].send(request('PURGE', '/a', `Authorization: Bearer ${TOKEN}`)).response();
  t.equal(purge.status, 200);
  t.match(purge.body.toString(), /Purged: 1/);
  t.same(await outcomes(), ['MISS', 'HIT']);
  const pushed = await crew.call(`/v1/objects?url=${encodeURIComponent(url('/a'))}`, 'PUT', 'pushed');
  t.equal(pushed.status, 200, pushed.text);
  for (const client of clients) {
    t.equal((await client.send(request('GET', '/a')).response()).body.toString(), 'pushed');
  }
  const before = crew.origin.requests.length;
  t.equal((await clients[0].send(request('POST', '/a', 'Content-Length: 0')).response()).status, 200);
  await until(async () => (await crew.metric('patina_objects')) === 0);
  t.same(await outcomes(), ['MISS', 'HIT']);
  t.equal(crew.origin.requests.length, before + 2);
});

t.test('issue 5: a purge reaches what is on its way in every worker before it is answered', async (t) => {
  const crew = pair;
  const barrier = createBarrier();
  let body = 'old';
  crew.origin.respond(async () => {
    const now = body;
    await barrier.passed;
    return { fields: SHARED, body: now };
  });
  const first = one.send(request('GET', '/a')).response();
  await crew.origin.seen(askedBefore + 1);
  const second = other.send(request('GET', '/a')).response();
  await crew.waiting(1);
  t.match(await crew.json('/v1/purge', 'POST', { url: url('/a') }), { objects: 0, fills: 1 });
  body = 'new';
  barrier.open();
  await Promise.all([first, second]);
  for (const client of [one, other]) {
    t.equal((await client.send(request('GET', '/a')).response()).body.toString(), 'new');
  }
});

t.test('issue 5: the list of what is stored has each response once, its uses added up', async (t) => {
  const crew = pair;
  crew.origin.respond(() => ({ fields: SHARED, body: 'hello' }));
  for (const [client, paths] of [
    [one, ['/a', '/b', '/b']],
    [other, ['/b', '/b', '/c']],
  ] as const) {
    for (const path of paths) await client.send(request('GET', path)).response();
  }
  const all: Listed['objects'] = [];
  let next: string | undefined = '0.0';
  while (next !== undefined) {
    const page: Listed = await crew.json<Listed>(`/v1/objects?limit=1&cursor=${next}`);
    t.equal(page.total_stored, 4, 'copies count');
    all.push(...page.objects);
    next = page.next;
  }
  t.same(all.map(({ key }) => key).sort(), ['/a', '/b', '/c'].map(url));
  const hitsOf = (path: string) => all.find(({ key }) => key === url(path))?.hits;
  const shown = await crew.json<{ variants: { hits: number }[] }>(`/v1/objects?url=${encodeURIComponent(url('/b'))}`);
  t.equal(shown.variants.length, 1);
  t.equal(shown.variants[0]?.hits, hitsOf('/b'));
  t.ok((hitsOf('/b') ?? 0) >= 2);
  t.equal((await crew.call('/v1/objects?cursor=nonsense')).status, 400);
  // Whichever worker has it tells.
  const explained = await crew.json(`/v1/objects?url=${encodeURIComponent(url('/b'))}&explain=GET`);
  t.match(explained, { key: url('/b'), now: { gets: 'hit' }, response: { stored: true } });
  t.equal((await crew.call(`/v1/objects?url=${encodeURIComponent(url('/none'))}`)).status, 404);
});

t.test('issue 5: an ordered refresh asks the origin once for all workers', async (t) => {
  const crew = pair;
  crew.origin.respond((asked) =>
    asked.field('if-none-match') === undefined
      ? { fields: SHARED, body: 'hello' }
      : { status: 304, fields: [...SHARED, 'X-Round', '2'] },
  );
  for (const client of clients) await client.send(request('GET', '/a')).response();
  const refreshed = await crew.json('/v1/refresh', 'POST', { url: url('/a'), wait: true });
  t.match(refreshed, { over: true, objects: 1 }, 'by one worker, though both have it');
  t.equal(crew.origin.requests.length, askedBefore + 2);
  for (const client of clients) {
    t.equal((await client.send(request('GET', '/a')).response()).field('x-round'), '2');
  }
  const cold = { url: url('/cold'), wait: true, fill: true };
  t.match(await crew.json('/v1/refresh', 'POST', cold), { over: true });
  t.equal(crew.origin.requests.filter(({ target }) => target === '/cold').length, 1, 'one fills what nobody has');
});

t.test('issue 5: a reload is in force in all workers or in none, and the address may move', async (t) => {
  const crew = pair;
  crew.origin.respond(() => ({ fields: SHARED, body: 'hello' }));
  const named = async (name: string): Promise<boolean[]> => {
    const all: boolean[] = [];
    for (const client of clients) {
      all.push((await client.send(request('GET', '/a')).response()).field(name) !== undefined);
    }
    return all;
  };
  t.same(await named('cdn-cache'), [true, true]);
  crew.configure(`${confOf(crew.origin, 2)}debug_header: [1]\n`);
  t.equal((await crew.call('/v1/reload', 'POST')).status, 422);
  t.same(await named('cdn-cache'), [true, true]);
  const other = await startScriptedOrigin();
  t.teardown(() => other.close());
  const taken = other.url.host;
  const unbindable = confOf(crew.origin, 2, 'debug_header: X-Other').replace('listen: 127.0.0.1:0', `listen: ${taken}`);
  crew.configure(unbindable);
  const refused = await crew.call('/v1/reload', 'POST');
  t.equal(refused.status, 422);
  t.match(refused.text, /in use/);
  t.same(await named('cdn-cache'), [true, true], 'nothing of it is in force');
  crew.configure(confOf(crew.origin, 3, 'debug_header: X-Other').replace('listen: 127.0.0.1:0', 'listen: 127.0.0.2:0'));
  crew.child.kill('SIGHUP');
  await until(async () => /"code":"reloaded"/.test(crew.out));
  t.match(crew.out, /workers-at-next-start/);
  t.same(await named('x-other'), [true, true], 'connections stay');
  await t.rejects(connectRaw(crew.port), { code: 'ECONNREFUSED' }, 'the old address is given up');
});

t.test('issue 5: an operator drains all workers by one word', async (t) => {
  t.equal((await pair.call('/v1/drain', 'POST')).status, 202);
  t.equal((await pair.ended).code, 0);
});

t.test('issue 5: lines of several workers never tear each other', async (t) => {
  const crew = three;
  crew.origin.respond(() => ({ fields: SHARED, body: 'hello' }));
  const long = 'x'.repeat(6000);
  const clients = await Promise.all(Array.from({ length: 12 }, () => crew.connect()));
  await Promise.all(
    clients.map(async (client, at) => {
      for (let n = 0; n < 40; n++) await client.send(request('GET', `/${at}/${long}`)).response();
    }),
  );
  const linesOf = (): string[] =>
    crew.out.split('\n').filter((line) => line.startsWith('{') || line.includes('"event"'));
  await until(async () => linesOf().filter((line) => line.includes('"event":"request"')).length >= 12 * 40);
  for (const line of linesOf()) JSON.parse(line);
  t.equal(linesOf().filter((line) => line.includes('"event":"request"')).length, 12 * 40);
  for (const client of clients) client.close();
});

t.test('issue 5: SIGTERM under load loses no request', async (t) => {
  const crew = three;
  crew.origin.respond(() => ({ fields: ['Cache-Control', 'no-store'], body: 'hello' }));
  let answered = 0;
  const lost: string[] = [];
  const visit = async (): Promise<void> => {
    for (;;) {
      const client = await connectRaw(crew.port).catch(() => undefined);
      if (client === undefined) return;
      for (;;) {
        try {
          const response = await client.send(request('GET', '/a')).response();
          if (response.body.toString() === 'hello') answered++;
          else lost.push(response.body.toString());
          if (response.field('connection') === 'close') break;
        } catch (error) {
          lost.push(String(error));
          return;
        }
      }
      client.close();
    }
  };
  const visitors = Array.from({ length: 16 }, visit);
  await until(async () => answered > 500);
  crew.child.kill('SIGTERM');
  await Promise.all(visitors);
  const { code, err } = await crew.ended;
  t.equal(code, 0);
  t.equal(err, '');
  t.same(lost, []);
});
