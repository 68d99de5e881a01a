// Goal: what the engine has ready is what it would reply. Method: every kind of rule and of stored response, plain and less plain requests and all phases of life, each asked for both ways.
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import t, { type Test } from 'tap';
import {
  MAX_READY_HOSTS,
  MAX_READY_REPLIES,
  READY_ASKED_TIMES,
  READY_IDLE_PRUNINGS,
  READY_PRUNE_MS,
} from '../../lib/base/ready-limits.js';
import { readConfig } from '../../lib/config/load.js';
import { makeRules } from '../../lib/config/rules.js';
import type { Reply } from '../../lib/engine/contract.js';
import { partIn, SAYS_SOMETHING } from '../../lib/front/field-memo.js';
import { Fields } from '../../lib/http/fields.js';
import { makeWalk, type Walk } from '../kit/walk.js';

type Written = Readonly<Record<string, string>>;
type Conf = Readonly<Record<string, unknown>>;

const HOST = 'example.test';
const FRESH = { 'Cache-Control': 'max-age=60', Date: 'Thu, 01 Jan 2026 00:00:00 GMT', ETag: '"v1"' };

/** A walk under these rules, with what the origin says to each GET for something new. */
function walkUnder(conf: Conf, answer: Written = FRESH, budgetBytes?: number): Walk {
  const walk = budgetBytes === undefined ? makeWalk() : makeWalk({ budgetBytes, awakeCount: MAX_READY_REPLIES * 2 });
  const { engine } = walk;
  engine.reconfigure({ ...engine.parts.live, rules: makeRules(readConfig({ origin: 'http://o', ...conf })) });
  for (const target of ['/a', '/b.css', '/c?x=1&y=2']) {
    walk.get(target);
    if (walk.origin.count > 0) walk.origin.last.respond(200, answer, `body of ${target}`);
  }
  return walk;
}

/** What is ready: the first time made for one request, and kept once it was asked for often enough. Both must be the same. */
function ready(
  walk: Walk,
  target: string,
  condition?: string,
  isHead = false,
  wanted: Written = {},
): Reply | undefined {
  const part = partIn(Fields.of(wanted));
  const ask = () => walk.engine.ready(isHead, HOST, target, condition, walk.clock.now(), part);
  const first = ask()?.reply;
  for (let i = 0; i < READY_ASKED_TIMES; i++) ask();
  const answer = ask();
  if (answer === undefined) {
    assert.equal(first, undefined);
    return undefined;
  }
  const { reply } = answer;
  assert.deepEqual(shown(reply), shown(first));
  // Who has the bytes goes by these.
  assert.deepEqual([answer.status, { ...answer.note }], [reply.status, { ...reply.note }]);
  assert.equal(answer.ageSec, reply.note.ageSec);
  assert.match(reply.fields.get('cache-status') ?? '', new RegExp(`; ttl=${answer.ttlSec};`));
  return reply;
}

/** A reply as what a client gets and what is told of it. */
function shown(reply: Reply | undefined): unknown {
  if (reply === undefined) return undefined;
  const { status, reasonPhrase, fields, payload, note } = reply;
  const body = payload.kind === 'bytes' ? Buffer.concat(payload.chunks).toString() : payload.kind;
  return { status, reasonPhrase, raw: fields.raw, body, note };
}

const CONFS: Readonly<Record<string, Conf>> = {
  none: {},
  ttl: { rules: [{ name: 'css', match: { ext: ['css'] }, ttl: '5s' }] },
  grace: { defaults: { grace: '10s', keep: '1h' } },
  pass: { rules: [{ name: 'p', match: { path: '/a' }, pass: true }] },
  push: { rules: [{ name: 'p', match: { path: '/a' }, push: 'origin' }] },
  validate: { rules: [{ name: 'v', match: { path: '/a' }, validate: 'always' }] },
  'key of a header': { rules: [{ name: 'k', match: { path: '/a' }, key: { headers: ['X-Kind'] } }] },
  'key of a cookie': { rules: [{ name: 'k', match: { path: '/a' }, key: { cookies: ['kind'] } }] },
  'key without host': { rules: [{ name: 'k', match: { path: '/a' }, key: { host: false } }] },
  'condition on a header': { rules: [{ name: 'h', match: { header: { 'X-Kind': true } }, ttl: '5s' }] },
  'condition on a cookie': { rules: [{ name: 'h', match: { cookie: { kind: true } }, ttl: '5s' }] },
  'condition on the method': { rules: [{ name: 'm', match: { methods: ['HEAD'] }, response: { set: { X: 'y' } } }] },
  'condition on the answer': { rules: [{ name: 's', match: { status: [200] }, client: { ttl: '9s' } }] },
  'query ignored': { rules: [{ name: 'q', match: { path: '/c' }, query: 'ignore' }] },
  'request edited': {
    rules: [{ name: 'e', match: { path: '/a' }, request: { set: { 'Cache-Control': 'no-cache' } } }],
  },
  'request narrowed': { defaults: { normalize: { accept_language: ['en'] } } },
  'response edited': { defaults: { response: { set: { 'X-Served': 'here' }, append: { 'X-More': 'too' } } } },
  client: { defaults: { client: { ttl: '9s', immutable: true } } },
  etag: { defaults: { etag: 'make' } },
};

const ANSWERS: Readonly<Record<string, Written>> = {
  fresh: FRESH,
  untagged: { 'Cache-Control': 'max-age=60', Date: FRESH.Date },
  varied: { ...FRESH, Vary: 'Accept-Language' },
  'varied by all': { ...FRESH, Vary: '*' },
  'no-cache': { ...FRESH, 'Cache-Control': 'no-cache' },
  aged: { ...FRESH, Age: '30' },
  uncacheable: { ...FRESH, 'Cache-Control': 'no-store' },
  'modified long ago': { ...FRESH, 'Last-Modified': 'Mon, 01 Dec 2025 00:00:00 GMT' },
};

const PARTS: readonly Written[] = [
  { Range: 'bytes=3-5' },
  { Range: 'bytes=3-', 'If-Range': '"v1"' },
  { Range: 'bytes=-4', 'If-Range': '"other"' },
  { Range: 'bytes=99-' },
  { Range: 'bytes=0-0', 'If-Range': 'Mon, 01 Dec 2025 00:00:00 GMT' },
];

/** Asks both ways at one moment. What the engine has ready must be what it replies; how often it had something. */
function compareAt(t: Test, walk: Walk, name: string): { readonly count: number; readonly partCount: number } {
  let count = 0;
  let partCount = 0;
  for (const target of ['/a', '/b.css', '/c?x=1&y=2', '/c?y=2&x=1', '/none', '/.well-known/patina/x']) {
    for (const [method, condition, wanted] of [
      ['GET', undefined, {}],
      ['GET', '"v1"', {}],
      ['GET', 'W/"v1", "x"', {}],
      ['GET', '"other"', {}],
      ['GET', '*', {}],
      ['HEAD', undefined, {}],
      ...PARTS.flatMap((part) => [['GET', undefined, part] as const, ['HEAD', undefined, part] as const]),
    ] as const) {
      const had = ready(walk, target, condition, method === 'HEAD', wanted);
      if (had === undefined) continue;
      count++;
      if (had.status === 206) partCount++;
      const more: Written = condition === undefined ? wanted : { 'If-None-Match': condition };
      for (const others of [{}, { Cookie: 'kind=b', Accept: '*/*' }, { 'X-Kind': 'c', Authorization: 'Basic eA==' }]) {
        const client = walk.send({ target, method }, { ...more, ...others });
        if (isDeepStrictEqual(shown(client.replied), shown(had))) continue;
        t.strictSame(shown(client.replied), shown(had), `${name}: ${method} ${target} ${JSON.stringify(more)}`);
      }
    }
  }
  return { count, partCount };
}

t.test('decision 0016: whatever the rules and the answers, what is ready is what handle() replies', async (t) => {
  const ofConf = new Map<string, number>();
  const ofParts = new Set<string>();
  for (const [confName, conf] of Object.entries(CONFS)) {
    for (const [answerName, answer] of Object.entries(ANSWERS)) {
      const walk = walkUnder(conf, answer);
      let count = 0;
      for (const ms of [0, 1, 998, 1, 1, 4000, 999, 1, 54_000, 999, 1, 5000, 10_000]) {
        walk.clock.advance(ms);
        const had = compareAt(t, walk, `${confName}, ${answerName}, ${walk.clock.now()}`);
        count += had.count;
        if (had.partCount > 0) ofParts.add(confName);
      }
      ofConf.set(confName, (ofConf.get(confName) ?? 0) + count);
      if (answerName.startsWith('varied') || answerName === 'no-cache' || answerName === 'uncacheable') {
        t.equal(count, 0, `${confName}: ${answerName} is never ready`);
      }
      walk.engine.close();
    }
  }
  const never = [...ofConf].filter(([, count]) => count === 0).map(([name]) => name);
  t.strictSame(never, ['condition on a header', 'condition on a cookie', 'request narrowed'], 'where fields count');
  const noParts = [...ofConf.keys()].filter((name) => !ofParts.has(name));
  t.strictSame(noParts, never, 'and parts wherever there is the whole');
});

t.test('decision 0016: what is ready is gone with what it was made of', async (t) => {
  const walk = walkUnder({});
  const { engine } = walk;
  t.equal(ready(walk, '/a')?.status, 200);
  engine.purging.purgeUrl(`http://${HOST}/a`);
  t.equal(ready(walk, '/a'), undefined, 'after a purge');
  t.equal(ready(walk, '/b.css')?.fields.get('age'), '0');
  walk.clock.advance(2500);
  t.equal(ready(walk, '/b.css')?.fields.get('age'), '2', 'with the second');
  const hasTtl = { rules: [{ name: 'css', match: { ext: ['css'] }, ttl: '1s' }] };
  engine.reconfigure({ ...engine.parts.live, rules: makeRules(readConfig({ origin: 'http://o', ...hasTtl })) });
  t.equal(ready(walk, '/b.css'), undefined, 'under other rules');
  t.equal(ready(walk, '/c?x=1&y=2')?.status, 200, 'what they leave alone');
  engine.reconfigure({ ...engine.parts.live, explain: { header: 'x-why', secret: 's', isTraced: false } });
  t.equal(ready(walk, '/c?x=1&y=2'), undefined, 'where answers are explained');
  engine.close();
});

t.test('RFC 5861 §3: a stale response is ready too, and is freshened once for all who are served it', async (t) => {
  const walk = walkUnder({ defaults: { grace: '1h' } });
  const { engine, clock, origin } = walk;
  const ask = () => engine.ready(false, HOST, '/a', undefined, clock.now());
  const asked = { method: 'GET', target: '/a', scheme: 'http', host: HOST, httpVersion: '1.1' } as const;
  const fields = Fields.of({ Host: HOST, 'User-Agent': 'one', Connection: 'X-Hop', 'X-Hop': '1' });
  const request = { ...asked, fields, remoteAddress: '', hasBody: false, isUpgrade: false, startedAt: clock.now() };
  t.equal(ready(walk, '/a')?.fields.get('x-new'), undefined);
  clock.advance(61_000);
  const before = origin.count;
  const first = ask();
  t.equal(first?.note.outcome, 'UPDATING');
  t.equal(first?.reply.fields.get('cache-status'), 'patina; hit; ttl=-1; detail=stale-while-revalidate');
  t.equal(origin.count, before, 'the answer goes out first');
  first?.refresh?.(request);
  t.equal(origin.count, before + 1);
  t.equal(origin.last.field('user-agent'), 'one', 'asked as the client would');
  t.equal(origin.last.field('if-none-match'), '"v1"');
  t.equal(origin.last.field('x-hop'), undefined);
  const second = ask();
  t.equal(second?.note.outcome, 'UPDATING');
  t.equal(second?.refresh, undefined, 'it is under way');
  t.strictSame(shown(walk.get('/a').replied), shown(second?.reply));
  origin.last.fail();
  const held = ask();
  t.equal(held?.note.outcome, 'STALE');
  t.equal(held?.note.reason, 'stale-origin-backoff');
  t.equal(held?.refresh, undefined, 'a failing origin is asked by a clock, not by traffic');
  t.strictSame(shown(walk.get('/a').replied), shown(held?.reply));
  clock.advance(120_000);
  const later = ask();
  t.strictSame(shown(walk.get('/a').replied), shown(later?.reply));
  origin.last.respond(304, { ...FRESH, 'Cache-Control': 'max-age=600', 'X-New': 'yes' });
  t.equal(ready(walk, '/a')?.fields.get('x-new'), 'yes');
  t.equal(ready(walk, '/a')?.note.outcome, 'HIT');
  clock.advance(600_000 + 3_600_000);
  t.equal(ask(), undefined, 'past grace it takes more');
  engine.close();
});

t.test('decision 0016: a request with any other field that the engine asks for does not count as plain', async (t) => {
  const asked = new Set<string>();
  class Watched extends Fields {
    override has(name: string): boolean {
      asked.add(name);
      return super.has(name);
    }
    override get(name: string): string | undefined {
      asked.add(name);
      return super.get(name);
    }
    override first(name: string): string | undefined {
      asked.add(name);
      return super.first(name);
    }
    override lines(name: string): readonly string[] {
      asked.add(name);
      return super.lines(name);
    }
  }
  const walk = walkUnder({});
  for (const method of ['GET', 'HEAD']) {
    walk.send({ target: '/a', method, fields: new Watched(['Host', HOST]) });
    t.equal(walk.origin.count, 3, 'a hit');
  }
  const known = new Set([...SAYS_SOMETHING, 'if-none-match', 'connection']);
  t.strictSame(
    [...asked].filter((name) => !known.has(name)),
    [],
    'each is in the list',
  );
  t.ok(asked.size > 5, 'and it is seen what is asked for');
  walk.engine.close();
});

t.test('design, promise 4: hits that were ready keep a response from eviction as others do', async (t) => {
  const walk = walkUnder({});
  const stored = walk.engine.parts.store.peek(`http://${HOST}/a`)?.[0];
  t.ok(stored);
  if (stored === undefined) return;
  for (let i = 0; i < 6; i++) walk.engine.ready(false, HOST, '/a', undefined, walk.clock.now());
  t.equal(walk.engine.parts.store.usage(stored)?.hits, 6);
  walk.engine.close();
});

t.test('decision 0016: no more is kept ready than half of what memory keeps as objects, and so it stays', async (t) => {
  const awakeCount = 1000;
  const walk = makeWalk({ awakeCount });
  const { engine, clock } = walk;
  const ask = (at: number) => engine.ready(false, HOST, `/many/${at}`, undefined, clock.now());
  const count = awakeCount * 3;
  for (let at = 0; at < count; at++) {
    walk.get(`/many/${at}`);
    walk.origin.last.respond(200, FRESH, 'x');
  }
  for (let times = 0; times <= READY_ASKED_TIMES; times++) for (let at = 0; at < count; at++) ask(at);
  t.equal(engine.stats.ready, awakeCount / 2);
  const seen = Array.from({ length: count }, (_, at) => ask(at)).map((one) => (one?.isKept === true ? one : undefined));
  t.equal(seen.filter((one) => one !== undefined).length, awakeCount / 2);
  for (const [at, one] of seen.entries()) if (one !== undefined && ask(at) !== one) t.fail(`${at} was made again`);
  engine.close();
});

t.test('limits: what is kept ready is bounded, and forgotten when nobody asks for it', async (t) => {
  const walk = walkUnder({}, FRESH, 128 * 1024 * 1024);
  const { engine, clock } = walk;
  const ask = (target: string, host = HOST) => engine.ready(false, host, target, undefined, clock.now());
  const often = (target: string, host?: string) => {
    for (let i = 0; i < READY_ASKED_TIMES; i++) ask(target, host);
    return ask(target, host);
  };
  for (let i = 0; i < MAX_READY_REPLIES + 10; i++) {
    walk.get(`/flood/${i}`);
    walk.origin.last.respond(200, FRESH, 'x');
  }
  for (let i = 0; i < MAX_READY_REPLIES + 10; i++) ask(`/flood/${i}`);
  t.equal(engine.stats.ready, 0, 'what is asked for once has no place');
  for (let i = 0; i < MAX_READY_REPLIES + 10; i++) often(`/flood/${i}`);
  t.equal(engine.stats.ready, MAX_READY_REPLIES);
  t.equal(often('/a')?.isKept, false, 'made for this request alone: no place just now');
  clock.advance(READY_PRUNE_MS);
  t.equal(engine.stats.ready, MAX_READY_REPLIES, 'asked for since the last look');
  clock.advance(READY_PRUNE_MS * READY_IDLE_PRUNINGS);
  t.equal(engine.stats.ready, 0);
  for (let i = 1; i < READY_ASKED_TIMES; i++) ask('/a');
  clock.advance(READY_PRUNE_MS);
  t.equal(ask('/a')?.isKept, false, 'what was counted before is forgotten');
  t.equal(often('/a')?.isKept, true);
  for (let i = 0; i < MAX_READY_REPLIES + 10; i++) ask(`/flood/${i}`);
  t.equal(ask('/a')?.isKept, true, 'a flood takes no place of what is asked for');
  clock.advance(READY_PRUNE_MS);
  t.equal(engine.stats.ready, 1);
  clock.advance(READY_PRUNE_MS * READY_IDLE_PRUNINGS);
  t.equal(engine.stats.ready, 0);
  for (let i = 0; i < MAX_READY_HOSTS + 10; i++) {
    const host = `host-${i}`;
    walk.send({ target: '/', host });
    walk.origin.last.respond(200, FRESH, 'x');
    often('/', host);
  }
  t.equal(engine.stats.ready, MAX_READY_HOSTS);
  clock.advance(READY_PRUNE_MS * (READY_IDLE_PRUNINGS + 1));
  t.equal(engine.stats.ready, 0);
  engine.close();
});
