// Goal: what a rule says of requests is done: keys, passes, pushes, validation at every use (issue 4). Method: walks.
import t from 'tap';
import type { Rule } from '../../lib/config/rule.js';
import { makeWalk } from '../kit/walk.js';

const FRESH = { 'Cache-Control': 'max-age=60', ETag: '"1"' };
const KEY = { host: true, scheme: true, headers: [], cookies: [] };

t.test('SYSTEMS row 5 (all): one entry whatever the parameters', async (t) => {
  const walk = makeWalk({ rule: { query: { kind: 'ignore' } } });
  walk.get('/a?x=1');
  t.equal(walk.origin.last.request.target, '/a?x=1', 'the origin is sent the query as it came');
  walk.origin.last.respond(200, FRESH, 'one');
  t.match(walk.get('/a?y=2'), { outcome: 'HIT', body: 'one' });
  t.equal(walk.engine.purging.purgeUrl('http://example.test/a?z'), 1);
});

t.test('SYSTEMS row 4: the query string is sorted for the key', async (t) => {
  const walk = makeWalk({ rule: { query: { kind: 'sort' } } });
  walk.get('/a?b=2&a=1');
  walk.origin.last.respond(200, FRESH, 'one');
  t.equal(walk.get('/a?a=1&b=2').outcome, 'HIT');
  walk.get('/a?a=1');
  t.equal(walk.origin.count, 2);
});

t.test(
  'SYSTEMS row 5 (only): the exact request is cached with its parameters in any order, others go past',
  async (t) => {
    const walk = makeWalk({ rule: { query: { kind: 'exact', names: ['a', 'b'] } } });
    walk.get('/x?b=2&a=1');
    walk.origin.last.respond(200, FRESH, 'one');
    t.equal(walk.get('/x?a=1&b=2').outcome, 'HIT');
    const other = walk.get('/x?a=1&b=2&c=3');
    t.equal(other.passed === undefined, false);
  },
);

t.test('SYSTEMS row 5 (unique): an entry for each parameter set', async (t) => {
  const walk = makeWalk();
  walk.get('/a?x=1');
  walk.origin.last.respond(200, FRESH, 'one');
  walk.get('/a?x=2');
  t.equal(walk.origin.count, 2);
});

t.test('issue 4: keyed headers and cookies tell entries apart, and a purge reaches all of them', async (t) => {
  const walk = makeWalk({ rule: { key: { ...KEY, headers: ['x-tenant'], cookies: ['lang'] } } });
  const ask = (tenant: string, lang: string) => walk.get('/a', { 'X-Tenant': tenant, Cookie: `z=1; lang=${lang}` });
  for (const [tenant, lang] of [
    ['a', 'en'],
    ['b', 'en'],
    ['a', 'de'],
  ] as const) {
    ask(tenant, lang);
    walk.origin.last.respond(200, FRESH, `${tenant} ${lang}`);
  }
  t.match(ask('b', 'en'), { outcome: 'HIT', body: 'b en' });
  t.equal(walk.origin.count, 3);
  t.equal(walk.engine.purging.purgeUrl('http://example.test/a'), 3);
});

t.test('issue 4: a key without the host is one entry for all of them', async (t) => {
  const walk = makeWalk({ rule: { key: { ...KEY, host: false } } });
  walk.send({ host: 'a.test', target: '/a' });
  walk.origin.last.respond(200, FRESH, 'one');
  t.equal(walk.send({ host: 'b.test', target: '/a' }).outcome, 'HIT');
  t.equal(walk.engine.purging.purgeUrl('http://c.test/a'), 1);
});

t.test('issue 4: pass goes past the cache, for GET as well', async (t) => {
  const walk = makeWalk({ rule: { pass: true } });
  t.not(walk.get('/a').passed, undefined);
  t.equal(walk.origin.count, 0);
});

t.test('issue 4: what a rule makes of a request is what Vary selects by, and what the origin sees', async (t) => {
  const walk = makeWalk({ rule: { normalize: { acceptEncoding: ['gzip'], acceptLanguage: [] } } });
  walk.get('/a', { 'Accept-Encoding': 'br, gzip;q=0.5' });
  t.equal(walk.origin.last.field('accept-encoding'), 'gzip');
  walk.origin.last.respond(200, { ...FRESH, Vary: 'Accept-Encoding' }, 'z');
  t.equal(walk.get('/a', { 'Accept-Encoding': 'deflate, gzip' }).outcome, 'HIT');
  walk.get('/a', { 'Accept-Encoding': 'deflate' });
  t.equal(walk.origin.count, 2);
});

t.test('SYSTEMS row 5 (manual): the origin is asked at every use and may answer "use your copy"', async (t) => {
  const walk = makeWalk({ rule: { validate: 'always', staleIfError: { kind: 'fixed', ms: 600_000 } } });
  walk.get('/a');
  walk.origin.last.respond(200, FRESH, 'one');
  const [first, second] = [walk.get('/a'), walk.get('/a')];
  t.equal(walk.origin.count, 2, 'once for all who ask at the same time');
  t.equal(walk.origin.last.field('if-none-match'), '"1"');
  walk.origin.last.respond(304, { ETag: '"1"' });
  t.match([first.outcome, first.body, second.outcome], ['REVALIDATED', 'one', 'REVALIDATED']);
  t.match(first.field('cache-status'), /fwd=stale/);
  const client = walk.get('/a');
  walk.origin.last.fail('origin-refused');
  t.match([client.outcome, client.body], ['STALE', 'one'], 'an origin that fails does not keep it from being used');
});

t.test('issue 4: push serves only what was pushed, else 404 or the origin', async (t) => {
  const rule: Partial<Rule> = { push: 'not_found' };
  const walk = makeWalk({ rule });
  const none = walk.get('/a');
  t.match([none.status, none.outcome], [404, 'ERROR']);
  t.match(none.field('cache-status'), /detail=not-pushed/);
  t.not(makeWalk({ rule: { push: 'origin' } }).get('/a').passed, undefined);
  const source = makeWalk();
  source.get('/a');
  source.origin.last.respond(200, FRESH, 'one');
  const [fetched] = source.engine.parts.store.peek('http://example.test/a') ?? [];
  if (fetched === undefined) throw new Error('not stored');
  walk.engine.parts.store.put({ ...fetched, madeBy: undefined, pushed: true });
  t.match(walk.get('/a', { 'Cache-Control': 'no-cache' }), { outcome: 'HIT', body: 'one' });
  walk.clock.advance(120_000);
  t.equal(walk.get('/a').status, 404, 'past its time it is as if nothing had been pushed');
  t.equal(walk.origin.count, 0);
});
