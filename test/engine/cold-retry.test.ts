// Goal: a cold key is tried again only as anybody might ask for it, and only for as long as somebody is better off (SYSTEMS row 3). Method: walks with a fake clock and a played origin.
import t from 'tap';
import type { Rule } from '../../lib/config/rule.js';
import { makeWalk, onlyRule, type Walk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=60', ETag: '"one"' };

/** A walk in which one client's request for /a has failed. */
function failed(lines: Readonly<Record<string, string>> = {}, rule: Partial<Rule> = {}): Walk {
  const walk = makeWalk({ rule });
  walk.get('/a', lines);
  walk.origin.last.respond(503);
  return walk;
}

const later = (walk: Walk): number => {
  walk.clock.advance(1_500);
  return walk.origin.count;
};

t.test('SYSTEMS row 3: credentials and cookies of the one who failed are not sent again', async (t) => {
  const walk = failed({
    Cookie: 'sid=1',
    Authorization: 'Basic eA==',
    'Accept-Language': 'de',
    'Cache-Control': 'no-cache',
  });
  t.equal(later(walk), 2);
  for (const name of ['cookie', 'authorization', 'cache-control'])
    t.equal(walk.origin.last.field(name), undefined, name);
  t.equal(walk.origin.last.field('accept-language'), 'de');
  walk.origin.last.respond(200, CACHEABLE, 'for all');
  t.equal(walk.get('/a').body, 'for all');
});

t.test('SYSTEMS row 3: they are where the rule shares the answers to them', async (t) => {
  const cookie = failed({ Cookie: 'lang=de' }, { shareWithCookie: true });
  t.equal(later(cookie), 2);
  t.equal(cookie.origin.last.field('cookie'), 'lang=de');
  const credentials = failed({ Authorization: 'Basic eA==' }, { shareAuthorized: true });
  t.equal(later(credentials), 2);
  t.equal(credentials.origin.last.field('authorization'), 'Basic eA==');
});

t.test(
  'SYSTEMS row 3: what is keyed by a cookie, cannot be shared, or is no plain GET is not tried again',
  async (t) => {
    const key = { host: true, scheme: true, headers: [], cookies: ['sid'] };
    t.equal(later(failed({ Cookie: 'sid=1' }, { key })), 1, 'keyed by its own');
    t.equal(later(failed({ 'Cache-Control': 'no-store' })), 1, 'it wants nothing stored');
    t.equal(later(failed({ Range: 'bytes=0-1' })), 1, 'a part');
    const head = makeWalk();
    head.head('/a');
    head.origin.last.respond(503);
    t.equal(later(head), 1, 'HEAD');
    const marked = makeWalk();
    marked.get('/a');
    marked.origin.last.respond(200, { 'Cache-Control': 'no-store' }, 'x');
    marked.get('/a');
    marked.origin.last.respond(503);
    t.equal(later(marked), 2, 'known to be uncacheable');
  },
);

t.test('SYSTEMS row 3: a retry that turns out uncacheable is the last one', async (t) => {
  const walk = failed();
  t.equal(later(walk), 2);
  walk.origin.last.respond(200, { 'Cache-Control': 'private' }, 'x');
  walk.clock.advance(600_000);
  t.equal(walk.origin.count, 2);
});

t.test('SYSTEMS row 3: a 404 is an answer, and no failure', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(404);
  walk.clock.advance(600_000);
  t.equal(walk.origin.count, 1);
});

t.test('SYSTEMS row 3: a purge of the key, by URL or prefix, or a pushed response ends the retries', async (t) => {
  for (const end of [
    async (walk: Walk) => void walk.engine.purging.purgeUrl('http://example.test/a'),
    async (walk: Walk) => void (await walk.engine.operations.purge({ kind: 'url', url: 'http://example.test/a' })),
    async (walk: Walk) => void (await walk.engine.operations.purge({ kind: 'prefix', prefix: 'http://example.test/' })),
  ]) {
    const walk = failed();
    t.equal(walk.engine.refreshes.stats.depth.cold, 1);
    await end(walk);
    t.equal(walk.engine.refreshes.stats.depth.cold, 0);
    t.equal(later(walk), 1);
  }
  const during = failed();
  t.equal(later(during), 2);
  during.engine.purging.purgeUrl('http://example.test/a');
  during.origin.last.respond(503);
  during.clock.advance(600_000);
  t.equal(during.origin.count, 2, 'one that is under way is not tried again');
});

t.test(
  'SYSTEMS row 3: a client that comes meanwhile waits for nobody: it asks itself, and joins what is under way',
  async (t) => {
    const walk = failed();
    const client = walk.get('/a');
    t.equal(walk.origin.count, 2, 'at once, before the retry is due');
    t.equal(walk.engine.refreshes.stats.depth.cold, 0, 'and in its place');
    walk.origin.last.respond(200, CACHEABLE, 'mine');
    t.equal(client.body, 'mine');
    walk.clock.advance(600_000);
    t.equal(walk.origin.count, 2);
    const other = failed();
    t.equal(later(other), 2);
    const joins = other.get('/a');
    t.equal(other.origin.count, 2);
    other.origin.last.respond(200, CACHEABLE, 'shared');
    t.equal(joins.body, 'shared');
  },
);

t.test('SYSTEMS row 3: a client is never held by the budget, whatever waits in the queue', async (t) => {
  const walk = makeWalk({ refresh: { rate: 1, concurrency: 1 } });
  for (let n = 0; n < 50; n++) {
    walk.get(`/cold/${n}`);
    walk.origin.last.respond(503);
  }
  walk.clock.advance(2_000);
  t.ok(walk.origin.count <= 50 + 2, 'two retries in two seconds');
  for (let n = 0; n < 50; n++) {
    const client = walk.get(`/new/${n}`);
    walk.origin.last.respond(200, CACHEABLE, 'x');
    t.equal(client.status, 200);
  }
});

t.test('SYSTEMS row 3: a reload keeps the retries, by the rules that hold then', async (t) => {
  for (const [rule, expected] of [
    [{}, 2],
    [{ pass: true }, 1],
    [{ push: 'origin' }, 1],
    [{ key: { host: false, scheme: true, headers: [], cookies: [] } }, 1],
  ] as const) {
    const walk = failed();
    const { live } = walk.engine.parts;
    const [plain] = live.rules.all;
    if (plain === undefined) throw new Error('no rule');
    walk.engine.reconfigure({ ...live, rules: onlyRule({ ...plain, ...rule }) });
    t.equal(later(walk), expected, JSON.stringify(rule));
  }
});

t.test('SYSTEMS row 3: while the origin cannot be reached its keys wait; once it can, each is fetched', async (t) => {
  const walk = makeWalk();
  Object.assign(walk.origin, { reachable: false, healthy: false });
  for (let n = 0; n < 20; n++) {
    walk.get(`/${n}`);
    walk.origin.last.fail('origin-breaker-open', 1);
  }
  walk.clock.advance(300_000);
  t.equal(walk.origin.count, 20, 'nobody is asked');
  Object.assign(walk.origin, { reachable: true, healthy: true });
  walk.clock.advance(1_000);
  t.equal(walk.origin.count, 40);
  for (const one of walk.origin.exchanges.slice(20)) one.respond(200, CACHEABLE, 'back');
  for (let n = 0; n < 20; n++) t.equal(walk.get(`/${n}`).outcome, 'HIT');
});

t.test('SYSTEMS row 3: closing ends it', async (t) => {
  const walk = failed();
  walk.engine.close();
  t.equal(later(walk), 1);
});

t.test(
  'SYSTEMS row 3: a stale response whose refresh failed is refreshed by the queue, so that the next visitor finds it fresh',
  async (t) => {
    const walk = makeWalk();
    walk.get('/a');
    walk.origin.last.respond(200, { 'Cache-Control': 'max-age=10, stale-while-revalidate=60', ETag: '"one"' }, 'good');
    walk.clock.advance(11_000);
    t.equal(walk.get('/a').outcome, 'UPDATING');
    walk.origin.last.respond(500);
    t.equal(walk.get('/a').outcome, 'STALE', 'held back meanwhile');
    t.equal(later(walk), 3);
    walk.origin.last.respond(304, { ETag: '"one"', 'Cache-Control': 'max-age=10, stale-while-revalidate=60' });
    t.equal(walk.get('/a').outcome, 'HIT');
  },
);
