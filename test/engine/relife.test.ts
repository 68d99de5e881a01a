// Goal: a changed rule applies to what is stored already (issue 4). Method: walks whose rules are swapped between two requests.
import t from 'tap';
import { ORIGIN_DECIDES, type Rule } from '../../lib/config/rule.js';
import { makeWalk, onlyRule, type Walk } from '../kit/walk.js';

const FRESH = { 'Cache-Control': 'max-age=60', ETag: '"1"' };

/** Puts another rule in force, as a reload does. */
function swapRule(walk: Walk, over: Partial<Rule>): void {
  const rule: Rule = { ...ORIGIN_DECIDES, ...over };
  walk.engine.reconfigure({ ...walk.engine.parts.live, rules: onlyRule(rule) });
}

function stored(
  walk: Walk,
  fields: Readonly<Record<string, string>>,
  lines: Readonly<Record<string, string>> = {},
): void {
  walk.get('/a', lines);
  walk.origin.last.respond(200, fields, 'hello');
}

t.test('issue 4: a shorter ttl makes what is stored stale, and a longer one fresh again', async (t) => {
  const walk = makeWalk();
  stored(walk, FRESH);
  walk.clock.advance(30_000);
  swapRule(walk, { ttl: { kind: 'fixed', ms: 20_000 }, grace: { kind: 'fixed', ms: 60_000 }, name: 'short' });
  t.match(walk.get('/a'), { outcome: 'UPDATING', body: 'hello' });
  walk.origin.last.respond(304, { ETag: '"1"' });
  t.equal(walk.get('/a').outcome, 'HIT');
  walk.clock.advance(30_000);
  swapRule(walk, { ttl: { kind: 'fixed', ms: 40_000 }, name: 'long' });
  t.equal(walk.get('/a').outcome, 'HIT');
  t.equal(walk.origin.count, 2);
});

t.test('issue 4: the age that it has is not forgotten', async (t) => {
  const walk = makeWalk();
  stored(walk, { ...FRESH, Age: '15' });
  walk.clock.advance(10_000);
  swapRule(walk, { ttl: { kind: 'fixed', ms: 100_000 } });
  t.equal(walk.get('/a').field('age'), '25');
});

t.test('issue 4: what the new rule would not have stored is dropped', async (t) => {
  const walk = makeWalk({ rule: { setCookie: 'share' } });
  stored(walk, { ...FRESH, 'Set-Cookie': 'a=b' });
  t.equal(walk.get('/a').outcome, 'HIT');
  swapRule(walk, { setCookie: 'refuse' });
  t.equal(walk.get('/a').outcome, undefined, 'it waits for the origin');
  t.equal(walk.origin.count, 2);
});

t.test('issue 4: what was shared by an override is dropped when the override is taken back', async (t) => {
  const table: readonly [Partial<Rule>, Readonly<Record<string, string>>, Readonly<Record<string, string>>][] = [
    [{ sharePrivate: true }, { 'Cache-Control': 'private, max-age=60' }, {}],
    [{ shareAuthorized: true }, FRESH, { Authorization: 'x' }],
    [{ shareWithCookie: true }, { 'Last-Modified': 'Thu, 01 Jan 1970 00:00:00 GMT' }, { Cookie: 'a=b' }],
  ];
  for (const [over, fields, lines] of table) {
    const walk = makeWalk({ rule: over });
    stored(walk, fields, lines);
    t.equal(walk.get('/a').outcome, 'HIT', JSON.stringify(over));
    swapRule(walk, {});
    t.equal(walk.get('/a').outcome, undefined);
  }
});

t.test('issue 4: a 304 that was asked for before the rule changed still freshens', async (t) => {
  const walk = makeWalk({ rule: { grace: { kind: 'fixed', ms: 600_000 } } });
  stored(walk, FRESH);
  walk.clock.advance(61_000);
  t.equal(walk.get('/a').outcome, 'UPDATING');
  swapRule(walk, { grace: { kind: 'fixed', ms: 300_000 } });
  t.equal(walk.get('/a').outcome, 'UPDATING', 'and nobody asks a second time');
  t.equal(walk.origin.count, 2);
  walk.origin.last.respond(304, { ETag: '"1"' });
  t.equal(walk.get('/a').outcome, 'HIT');
});

t.test('issue 4: and so it does where what is stored became bytes meanwhile', async (t) => {
  const walk = makeWalk({ rule: { grace: { kind: 'fixed', ms: 600_000 } } });
  for (const other of ['/b', '/c', '/d']) {
    walk.get(other);
    walk.origin.last.respond(200, { 'Cache-Control': 'max-age=600' }, 'other');
  }
  stored(walk, FRESH);
  walk.clock.advance(61_000);
  t.equal(walk.get('/a').outcome, 'UPDATING');
  const refresh = walk.origin.last;
  swapRule(walk, { grace: { kind: 'fixed', ms: 300_000 } });
  t.equal(walk.get('/a').outcome, 'UPDATING');
  for (let times = 0; times < 3; times++) for (const other of ['/b', '/c', '/d']) walk.get(other);
  refresh.respond(304, { ETag: '"1"' });
  t.equal(walk.get('/a').outcome, 'HIT');
});

t.test('issue 4: while the origin is down its own grace serves at once, past the grace of better times', async (t) => {
  const ms = (value: number) => ({ kind: 'fixed', ms: value }) as const;
  const walk = makeWalk({ rule: { grace: { kind: 'by-health', healthy: ms(1000), unhealthy: ms(600_000) } } });
  stored(walk, FRESH);
  walk.clock.advance(100_000);
  walk.origin.healthy = false;
  const client = walk.get('/a');
  t.match([client.outcome, client.body], ['UPDATING', 'hello']);
  t.match(client.field('cache-status'), /detail=stale-while-offline/);
  walk.origin.last.fail('origin-refused');
  walk.origin.healthy = true;
  walk.clock.advance(60_000);
  t.equal(walk.get('/a').outcome, undefined, 'while it is well a request waits for it');
});

t.test('issue 4: a longer keep holds for what nobody asks for meanwhile', async (t) => {
  const keep = (ms: number) => ({ keep: { kind: 'fixed', ms } }) as const;
  const walk = makeWalk({ rule: keep(1000) });
  stored(walk, FRESH);
  swapRule(walk, keep(600_000));
  for (let n = 0; n < 120; n++) walk.clock.advance(1000);
  walk.get('/a');
  t.equal(walk.origin.last.field('if-none-match'), '"1"');
});
