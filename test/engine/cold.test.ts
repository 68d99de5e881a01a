// Goal: `cold: accepted` (design, section 3; SYSTEMS row 2). Method: walks with a fake clock and a played origin.
import t from 'tap';
import { readConfig } from '../../lib/config/load.js';
import { makeRules } from '../../lib/config/rules.js';
import { makeWalk } from '../kit/walk.js';

const ACCEPTED = { rule: { cold: 'accepted' } } as const;
const CACHEABLE = { 'Cache-Control': 'max-age=60' };

t.test(
  'SYSTEMS row 2: a cold request is answered 202 at once, with Location and Retry-After, while the work runs',
  async (t) => {
    const walk = makeWalk(ACCEPTED);
    const clients = [walk.get('/report?year=1'), walk.get('/report?year=1')];
    for (const client of clients) {
      t.match([client.status, client.ending, client.reason], [202, 'finished', 'cold-accepted']);
      t.match(
        [client.field('location'), client.field('retry-after')],
        [/^\/\.well-known\/patina\/status\/[0-9a-f]{32}\/report\?year=1$/, '1'],
      );
      t.match(client.field('cache-control'), /no-store/);
    }
    t.equal(walk.origin.count, 1, 'one request to the origin');
    const early = walk.origin.last.head(200, CACHEABLE).data('par');
    const during = walk.get('/report?year=1');
    t.match([during.status, during.body], [200, 'par'], 'bytes that arrive are followed');
    early.data('t').end();
    t.match([walk.get('/report?year=1').status, walk.get('/report?year=1').body], [200, 'part']);
  },
);

t.test('where the answer turns out uncacheable, the next request waits for its own', async (t) => {
  const walk = makeWalk(ACCEPTED);
  t.equal(walk.get('/a').status, 202);
  walk.origin.last.respond(200, { 'Cache-Control': 'no-store' }, 'x');
  const client = walk.get('/a');
  walk.origin.last.respond(200, { 'Cache-Control': 'no-store' }, 'mine');
  t.match([client.status, client.body], [200, 'mine']);
});

t.test('where the origin fails, the client is told, not put off for ever', async (t) => {
  const walk = makeWalk(ACCEPTED);
  t.equal(walk.get('/a').status, 202);
  walk.origin.last.fail('origin-refused');
  const client = walk.get('/a');
  walk.origin.last.fail('origin-refused');
  t.equal(client.status, 502);
});

t.test('what is stored is served in every phase as ever: 202 is for the cold alone', async (t) => {
  const walk = makeWalk(ACCEPTED);
  walk.get('/a');
  walk.origin.last.respond(200, { 'Cache-Control': 'max-age=10', ETag: '"v"' }, 'x');
  walk.clock.advance(60_000);
  const client = walk.get('/a');
  t.equal(client.ending, 'waiting');
  walk.origin.last.respond(304);
  t.match([client.status, client.body], [200, 'x']);
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test(
  'SYSTEMS row 2: the status resource says 202 while the work runs, and redirects once the content is there',
  async (t) => {
    const walk = makeWalk({ rule: { cold: 'accepted' } });
    const location = walk.get('/report').field('location') ?? '';
    t.equal(walk.get('/report').field('location'), location, 'one work, one status');
    t.match(walk.get(location), { status: 202 });
    const foreign = walk.send({ target: location, host: 'other.test' });
    t.match([foreign.status, foreign.field('location')], [303, '/report'], 'another host has content of its own there');
    walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60' }, 'done');
    await turn();
    const ready = walk.get(location);
    t.match([ready.status, ready.field('location'), ready.field('cache-control')], [303, '/report', 'no-store']);
    t.match(walk.get('/report'), { outcome: 'HIT', body: 'done' });
    t.equal(walk.head(location).status, 303);
    t.equal(walk.origin.count, 1, 'none of this asks the origin');
  },
);

t.test('SYSTEMS row 2: the status resource tells that the origin failed, and forgets in time', async (t) => {
  const walk = makeWalk({ rule: { cold: 'accepted' } });
  const location = walk.get('/report').field('location') ?? '';
  walk.origin.last.fail('origin-refused');
  await turn();
  const failed = walk.get(location);
  t.match([failed.status, failed.field('retry-after')], [502, '1']);
  t.match(failed.field('cache-status'), /detail=cold-failed/);
  walk.clock.advance(3_600_001);
  t.equal(walk.get(location).status, 303, 'whoever asks so late is sent to the content, and so has it made anew');
  t.equal(walk.get('/.well-known/patina/status/nonsense').status, 404);
});

t.test('SYSTEMS row 2: what may not be shared is asked for at the content itself', async (t) => {
  const walk = makeWalk({ rule: { cold: 'accepted' } });
  const location = walk.get('/report').field('location') ?? '';
  walk.origin.last.respond(200, { 'Cache-Control': 'no-store' }, 'own');
  await turn();
  t.equal(walk.get(location).status, 303);
  walk.get('/report');
  t.equal(walk.origin.count, 2);
});

t.test(
  'issue 5: a status that another worker, or this one before a restart, has given leads to the content',
  async (t) => {
    const [asked, other, plain] = [makeWalk(ACCEPTED), makeWalk(ACCEPTED), makeWalk()];
    const location = asked.get('/report/a?b=1').field('location') ?? '';
    const sent = other.get(location);
    t.match([sent.status, sent.field('location'), sent.field('cache-control')], [303, '/report/a?b=1', 'no-store']);
    t.match(
      [other.get('/report/a?b=1').status, other.origin.count],
      [202, 1],
      'where the work is taken up, or goes on',
    );
    t.equal(plain.get(location).status, 404, 'only to what clients are told to come back for');
    const name = location.slice(0, -'/report/a?b=1'.length);
    for (const target of ['', '//evil.test/report/a', '/\\evil.test', name, `${name}/report/a`]) {
      t.equal(other.get(name + target).status, 404, `nobody is sent to ${target}`);
    }
  },
);

t.test(
  'a status resource that another worker has named leads to the content also where rules shape the request',
  async (t) => {
    const config = readConfig({
      defaults: { normalize: { accept_encoding: ['gzip'] } },
      rules: [{ name: 'reports', match: { path: '/report/**' }, cold: 'accepted' }],
    });
    const [asked, other] = [makeWalk(), makeWalk()];
    for (const { engine } of [asked, other]) engine.reconfigure({ ...engine.parts.live, rules: makeRules(config) });
    const fields = { 'Accept-Encoding': 'gzip, deflate, br' };
    const location = asked.get('/report/a', fields).field('location') ?? '';
    const led = other.get(location, fields);
    t.match([led.status, led.field('location')], [303, '/report/a']);
  },
);

t.test('RFC 3986 §4.2: what would lead to another host is waited for', async (t) => {
  const walk = makeWalk(ACCEPTED);
  for (const target of ['//elsewhere.test/a', '/\\elsewhere.test/a']) {
    const client = walk.get(target);
    t.equal(client.ending, 'waiting', target);
    walk.origin.last.respond(200, CACHEABLE, 'x');
    t.match([client.status, client.field('location')], [200, undefined], target);
  }
});

t.test(
  'limits: where the target of the status resource would be too long to be asked for, the client waits',
  async (t) => {
    const walk = makeWalk({ ...ACCEPTED, targetBytes: 100 });
    const status = '/.well-known/patina/status/'.length + 32;
    const fits = `/${'a'.repeat(100 - status - 1)}`;
    t.equal(walk.get(fits).field('location')?.length, 100);
    const client = walk.get(`${fits}a`);
    t.equal(client.ending, 'waiting');
    walk.origin.last.respond(200, CACHEABLE, 'x');
    t.match([client.status, client.body], [200, 'x']);
  },
);
