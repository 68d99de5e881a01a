// Goal: what is asked for often is kept fresh ahead of its expiry, without a visitor, and never at the cost of clients or of the origin (issue 4). Method: walks with a fake clock and a played origin.
import t from 'tap';
import type { Rule } from '../../lib/config/rule.js';
import { makeWalk, onlyRule, type Walk, type WalkOptions } from '../kit/walk.js';

const AHEAD: Partial<Rule> = { refreshAhead: { hits: 10, withinMs: 600_000 } };
const MINUTE = { 'Cache-Control': 'max-age=60', ETag: '"one"' };
const GRACED = { 'Cache-Control': 'max-age=60, stale-while-revalidate=3600', ETag: '"one"' };

function hit(walk: Walk, target: string, count: number): void {
  for (let n = 0; n < count; n++) walk.get(target);
}

/** A walk with these targets stored, each with so many hits. */
function stored(hits: Readonly<Record<string, number>>, options: WalkOptions = { rule: AHEAD }, fields = MINUTE): Walk {
  const walk = makeWalk(options);
  for (const [target, count] of Object.entries(hits)) {
    walk.get(target);
    walk.origin.last.respond(200, fields, `of ${target}`);
    hit(walk, target, count);
  }
  return walk;
}

const asked = (walk: Walk, from: number): string[] =>
  walk.origin.exchanges.slice(from).map(({ request }) => request.target);

t.test(
  'issue 4: refresh_ahead keeps what is asked for often fresh ahead of its expiry, without a visitor',
  async (t) => {
    const walk = stored({ '/popular': 10, '/other': 9 });
    walk.clock.advance(53_999);
    t.equal(walk.origin.count, 2);
    walk.clock.advance(250);
    t.same(asked(walk, 2), ['/popular'], 'a tenth of its life before the end, and that one alone');
    t.equal(walk.origin.last.field('if-none-match'), '"one"', 'by condition');
    walk.origin.last.respond(304, { ETag: '"one"', 'Cache-Control': 'max-age=60' });
    walk.clock.advance(30_000);
    const popular = walk.get('/popular');
    t.match([popular.outcome, popular.body], ['HIT', 'of /popular']);
    const other = walk.get('/other');
    t.equal(other.ending, 'waiting', 'where a visitor of the other has to wait');
    t.match(
      walk.asked.find(({ askedFor }) => askedFor === 'refresh'),
      { end: 'not-modified', background: true },
    );
  },
);

t.test('issue 4: hits count over `within`, through several lives of the response', async (t) => {
  const walk = stored({ '/a': 4 });
  const renew = (): void => {
    walk.origin.last.respond(304, { ETag: '"one"' });
  };
  walk.clock.advance(59_000);
  t.equal(walk.origin.count, 1, 'four are not enough');
  walk.clock.advance(2_000);
  walk.get('/a');
  renew();
  hit(walk, '/a', 6);
  walk.clock.advance(59_000);
  t.equal(walk.origin.count, 3, 'with six more they are');
  renew();
  let lives = 0;
  while (lives < 30) {
    const before = walk.origin.count;
    walk.clock.advance(60_000);
    if (walk.origin.count === before) break;
    renew();
    lives++;
  }
  t.ok(lives >= 8 && lives <= 20, `and then nobody asks any more: kept fresh for ${lives} minutes, not for ever`);
});

t.test('issue 4: hits of longer ago than `within` do not count', async (t) => {
  const rule: Partial<Rule> = { refreshAhead: { hits: 10, withinMs: 60_000 } };
  const HOUR = { 'Cache-Control': 'max-age=3600', ETag: '"one"' };
  const early = stored({ '/early': 1_000 }, { rule }, HOUR);
  early.clock.advance(3_600_000 - 1);
  t.equal(early.origin.count, 1);
  const late = stored({ '/late': 0 }, { rule }, HOUR);
  late.clock.advance(3_500_000);
  hit(late, '/late', 10);
  late.clock.advance(45_000);
  t.equal(late.origin.count, 2);
});

t.test('issue 4: what is replaced by a new body goes on with its hits', async (t) => {
  const walk = stored({ '/a': 10 });
  walk.clock.advance(55_000);
  walk.origin.last.respond(200, { ...MINUTE, ETag: '"two"' }, 'new');
  t.equal(walk.get('/a').body, 'new');
  walk.clock.advance(55_000);
  t.equal(walk.origin.count, 3);
  t.equal(walk.origin.last.field('if-none-match'), '"two"');
});

t.test('issue 4: each variant is refreshed by the fields that select it, with nobody’s own', async (t) => {
  const walk = makeWalk({ rule: AHEAD });
  for (const language of ['de', 'fr']) {
    walk.get('/a', { 'Accept-Language': language, Cookie: 'a=b', 'User-Agent': 'x' });
    walk.origin.last.respond(200, { ...MINUTE, Vary: 'Accept-Language' }, language);
    for (let n = 0; n < 10; n++) walk.get('/a', { 'Accept-Language': language });
  }
  walk.clock.advance(55_000);
  t.same(
    walk.origin.exchanges
      .slice(2)
      .map((one) => one.field('accept-language'))
      .sort(),
    ['de', 'fr'],
  );
  for (const one of walk.origin.exchanges.slice(2)) t.equal(one.field('cookie'), undefined);
});

t.test('issue 4: within the budget, hot first', async (t) => {
  const hits = { '/mild': 20, '/hot': 500, '/warm': 100 };
  const walk = stored(hits, { rule: AHEAD, refresh: { rate: 1, concurrency: 8 } });
  walk.clock.advance(54_250);
  t.same(asked(walk, 3), ['/hot']);
  walk.clock.advance(1_000);
  walk.clock.advance(1_000);
  t.same(asked(walk, 3), ['/hot', '/warm', '/mild']);
  const narrow = stored(hits, { rule: AHEAD, refresh: { rate: 1000, concurrency: 1 } });
  narrow.clock.advance(56_000);
  t.same(asked(narrow, 3).length, 1);
});

t.test(
  'issue 4: shed first when the origin is slow: visitors’ refreshes go on, what is ahead is left out',
  async (t) => {
    const walk = stored({ '/a': 20, '/b': 20 }, { rule: AHEAD }, GRACED);
    for (let n = 0; n < 60; n++) {
      walk.get(`/miss/${n}`);
      if (n >= 30) walk.clock.advance(300);
      walk.origin.last.respond(200, { 'Cache-Control': 'no-store' });
    }
    t.ok(walk.engine.refreshes.stats.strain >= 1);
    const slow = (until: number): void => {
      while (walk.clock.now() - Date.UTC(2026, 0, 1) < until) {
        walk.get('/miss');
        walk.clock.advance(300);
        walk.origin.last.respond(200, { 'Cache-Control': 'no-store' });
      }
    };
    slow(59_000);
    t.notOk(asked(walk, 2).some((target) => target === '/a' || target === '/b'));
    slow(61_000);
    t.equal(walk.get('/a').outcome, 'UPDATING', 'in grace, at once');
    t.equal(asked(walk, 2).at(-1), '/a', 'and its refresh goes out');
  },
);

t.test(
  'issue 4: a thousand popular responses expire while the origin fails: no more than the budget is sent, no client feels it',
  async (t) => {
    const walk = makeWalk({ rule: AHEAD, refresh: { rate: 20, concurrency: 4 }, budgetBytes: 64 * 1024 * 1024 });
    for (let n = 0; n < 1_000; n++) {
      walk.get(`/${n}`);
      walk.origin.last.respond(200, GRACED, 'good');
      hit(walk, `/${n}`, 10);
    }
    let answered = walk.origin.count;
    const startedAt = walk.clock.now();
    const sentAt: number[] = [];
    for (let step = 0; step < 1_800; step++) {
      walk.clock.advance(100);
      while (sentAt.length < walk.origin.count - 1_000) sentAt.push(walk.clock.now());
      t.ok(walk.origin.count - answered <= 4, 'no more at once than the budget');
      if (step % 5 === 0) while (answered < walk.origin.count) walk.origin.nth(++answered).respond(503);
      const client = walk.get(`/${(step * 7) % 1_000}`);
      if (client.status !== 200 || client.ending !== 'finished') t.fail(`step ${step}: ${client.status}`);
    }
    const sec = (walk.clock.now() - startedAt) / 1000;
    t.ok(sentAt.length <= 2 + 20 * sec, `${sentAt.length} requests in ${sec} s`);
    for (let first = 0; first + 23 < sentAt.length; first++) {
      const ms = (sentAt[first + 23] ?? 0) - (sentAt[first] ?? 0);
      if (ms < 1_000) t.fail(`24 requests within ${ms} ms`);
    }
    t.ok(sentAt.length < 1_200, `${sentAt.length}: far fewer, since it fails`);
  },
);

t.test('issue 4: nothing is refreshed ahead that is gone, freshened by others, or under way', async (t) => {
  const purged = stored({ '/a': 20 });
  purged.clock.advance(30_000);
  purged.engine.purging.purgeUrl('http://example.test/a');
  purged.clock.advance(60_000);
  t.equal(purged.origin.count, 1);
  const waiting = stored({ '/a': 20 });
  waiting.clock.advance(53_900);
  waiting.get('/a', { 'Cache-Control': 'no-cache' });
  waiting.clock.advance(1_000);
  t.equal(waiting.origin.count, 2, 'a client is asking already');
});

t.test(
  'issue 4: a failed refresh ahead is tried once more, and the failing key is left alone by visitors meanwhile',
  async (t) => {
    const walk = stored({ '/a': 20 }, { rule: AHEAD }, GRACED);
    walk.clock.advance(55_000);
    walk.origin.last.respond(503);
    walk.clock.advance(2_000);
    t.equal(walk.origin.count, 3);
    walk.origin.last.respond(304, { ETag: '"one"' });
    walk.clock.advance(10_000);
    t.equal(walk.get('/a').outcome, 'HIT');
  },
);

t.test('issue 4: refresh_ahead comes and goes with a reload, for what is stored too', async (t) => {
  const walk = stored({ '/a': 0 }, {});
  const { live } = walk.engine.parts;
  const [plain] = live.rules.all;
  if (plain === undefined) throw new Error('no rule');
  const ahead: Rule = { ...plain, ...AHEAD };
  walk.engine.reconfigure({ ...live, rules: onlyRule(ahead) });
  hit(walk, '/a', 20);
  walk.clock.advance(55_000);
  t.equal(walk.origin.count, 2, 'what was stored before it came');
  walk.origin.last.respond(304, { ETag: '"one"' });
  hit(walk, '/a', 20);
  walk.engine.reconfigure({ ...live, rules: onlyRule(plain) });
  walk.clock.advance(59_000);
  t.equal(walk.origin.count, 2);
});

t.test(
  'issue 4: a rule by which nobody asks the origin, or asks it at every use, refreshes nothing ahead',
  async (t) => {
    for (const rule of [{ validate: 'always' }, { push: 'origin' }, { pass: true }] as const) {
      const walk = makeWalk({ rule: { ...AHEAD, ...rule } });
      walk.get('/a');
      if (walk.origin.count > 0) walk.origin.last.respond(200, MINUTE, 'x');
      hit(walk, '/a', 20);
      while (walk.engine.stats.fills > 0) walk.origin.last.respond(304, { ETag: '"one"' });
      const before = walk.origin.count;
      walk.clock.advance(120_000);
      t.equal(walk.origin.count, before);
    }
  },
);
