// Goal: a POST that its rule caches is answered from what one with the same content left (issue 4, `methods`; RFC 9110 §9.3.3). Method: walks.
import t from 'tap';
import { MAX_KEYED_CONTENT_BYTES } from '../../lib/base/limits.js';
import { readConfig } from '../../lib/config/load.js';
import type { Rule } from '../../lib/config/rule.js';
import { makeRules } from '../../lib/config/rules.js';
import { makeWalk, type PlayedClient, type Walk } from '../kit/walk.js';

const RULE: Partial<Rule> = { methods: ['GET', 'POST'] };
const FRESH = { 'Cache-Control': 'max-age=60', ETag: '"1"' };
const JSON_FIELDS = { 'Content-Type': 'application/json' };
const FORM_FIELDS = { 'Content-Type': 'application/x-www-form-urlencoded' };

function post(walk: Walk, content: string, fields: Readonly<Record<string, string>> = JSON_FIELDS): PlayedClient {
  const length = { 'Content-Length': String(Buffer.byteLength(content)) };
  return walk.send(
    { method: 'POST', target: '/search', hasBody: content !== '' },
    { ...length, ...fields },
    false,
    content,
  );
}

t.test('issue 4: a POST goes to the origin with its content, and one with the same content is a hit', async (t) => {
  const walk = makeWalk({ rule: RULE });
  const first = post(walk, '{"q":1}');
  const { request } = walk.origin.last;
  t.same([request.method, request.target, String(request.content)], ['POST', '/search', '{"q":1}']);
  walk.origin.last.respond(200, FRESH, 'one');
  t.match([first.outcome, first.body], ['MISS', 'one']);
  t.match(post(walk, '{"q":1}'), { outcome: 'HIT', body: 'one' });
  post(walk, '{"q":2}');
  t.equal(walk.origin.count, 2, 'another content is another entry');
});

t.test('issue 4: forms and JSON count the same in whatever order their members are', async (t) => {
  const same: [Readonly<Record<string, string>>, string, string][] = [
    [JSON_FIELDS, '{"a":1,"b":[1,{"c":2,"d":3}]}', ' { "b" : [1,{"d":3 ,"c":2}] , "a" : 1 }'],
    [{ 'Content-Type': 'application/vnd.x+json' }, '{"a":1,"b":2}', '{"b":2,"a":1}'],
    [FORM_FIELDS, 'a=1&b=2&b=1', 'b=2&a=1&b=1'],
  ];
  for (const [fields, one, other] of same) {
    const walk = makeWalk({ rule: RULE });
    post(walk, one, fields);
    walk.origin.last.respond(200, FRESH, 'x');
    t.equal(post(walk, other, fields).outcome, 'HIT', other);
  }
});

t.test('issue 4: contents that may mean something else have entries of their own', async (t) => {
  const apart: [Readonly<Record<string, string>>, string, Readonly<Record<string, string>>, string][] = [
    [JSON_FIELDS, '[1,2]', JSON_FIELDS, '[2,1]'],
    [JSON_FIELDS, '{"n":12345678901234567890}', JSON_FIELDS, '{"n":12345678901234567891}'],
    [JSON_FIELDS, '{"a":1,"a":2}', JSON_FIELDS, '{"a":2,"a":1}'],
    [JSON_FIELDS, '{"a":"b c"}', JSON_FIELDS, '{"a":"bc"}'],
    [JSON_FIELDS, '{"a":1', JSON_FIELDS, '{"a":1 '],
    [FORM_FIELDS, 'a=1&a=2', FORM_FIELDS, 'a=2&a=1'],
    // The same name, written differently: which of the two counts is for the origin to say.
    [JSON_FIELDS, '{"a":1,"\\u0061":2}', JSON_FIELDS, '{"\\u0061":2,"a":1}'],
    [FORM_FIELDS, 'a=1&%61=2', FORM_FIELDS, '%61=2&a=1'],
    [FORM_FIELDS, 'a+b=1&a%20b=2', FORM_FIELDS, 'a%20b=2&a+b=1'],
    [FORM_FIELDS, 'a=1', { 'Content-Type': 'text/plain' }, 'a=1'],
    [
      { 'Content-Type': 'multipart/form-data; boundary=x' },
      '--x--X',
      { 'Content-Type': 'multipart/form-data; boundary=X' },
      '--x--X',
    ],
    [
      { ...FORM_FIELDS, 'Content-Encoding': 'gzip' },
      'b=1&a=1',
      { ...FORM_FIELDS, 'Content-Encoding': 'gzip' },
      'a=1&b=1',
    ],
    [{ 'Content-Type': 'text/plain' }, 'b=1&a=1', { 'Content-Type': 'text/plain' }, 'a=1&b=1'],
  ];
  for (const [fields, one, otherFields, other] of apart) {
    const walk = makeWalk({ rule: RULE });
    post(walk, one, fields);
    walk.origin.last.respond(200, FRESH, 'x');
    post(walk, other, otherFields);
    t.equal(walk.origin.count, 2, `${one} and ${other}`);
  }
});

t.test(
  'issue 4: a rule that goes by the response does not take the methods away that the request came by',
  async (t) => {
    const conf = readConfig({
      rules: [
        { name: 'json', match: { content_type: 'application/json' }, ttl: '9s' },
        { name: 'search', match: { path: '/search' }, methods: ['GET', 'POST'], ttl: '5s' },
      ],
    });
    const walk = makeWalk();
    walk.engine.reconfigure({ ...walk.engine.parts.live, rules: makeRules(conf) });
    post(walk, '{}');
    walk.origin.last.respond(200, { 'Content-Type': 'application/json' }, '[]');
    t.match(post(walk, '{}'), { outcome: 'HIT', body: '[]' });
  },
);

t.test('issue 4: a POST and a GET of one URL are two entries, and a purge of it reaches both', async (t) => {
  const walk = makeWalk({ rule: RULE });
  post(walk, '{"q":1}');
  walk.origin.last.respond(200, FRESH, 'posted');
  const got = walk.get('/search');
  walk.origin.last.respond(200, FRESH, 'got');
  t.equal(got.body, 'got');
  t.equal(walk.engine.purging.purgeUrl('http://example.test/search'), 2);
  post(walk, '{"q":1}');
  t.equal(walk.origin.count, 3);
});

t.test('RFC 9110 §9.3.3: the answer to a POST is stored only where somebody says how long it is fresh', async (t) => {
  const walk = makeWalk({ rule: RULE });
  const guessable = { 'Last-Modified': 'Thu, 01 Jan 1970 00:00:00 GMT' };
  post(walk, '{}');
  walk.origin.last.respond(200, guessable, 'x');
  post(walk, '{}');
  t.equal(walk.origin.count, 2, 'no heuristics');
  const byRule = makeWalk({ rule: { ...RULE, ttl: { kind: 'fixed', ms: 9_000 } } });
  post(byRule, '{}');
  byRule.origin.last.respond(200, guessable, 'x');
  t.equal(post(byRule, '{}').outcome, 'HIT', 'the rule says it');
});

t.test('RFC 9110 §13.1.2: what is stale is asked for anew, and not by condition', async (t) => {
  const walk = makeWalk({ rule: { ...RULE, grace: { kind: 'fixed', ms: 600_000 } } });
  post(walk, '{"q":1}');
  walk.origin.last.respond(200, FRESH, 'old');
  walk.clock.advance(61_000);
  t.match(post(walk, '{"q":1}'), { outcome: 'UPDATING', body: 'old' });
  t.same(
    [walk.origin.count, walk.origin.last.field('if-none-match'), String(walk.origin.last.request.content)],
    [2, undefined, '{"q":1}'],
  );
  walk.origin.last.respond(200, FRESH, 'new');
  t.match(post(walk, '{"q":1}'), { outcome: 'HIT', body: 'new' });
});

t.test('design 3: POSTs with one content are collapsed', async (t) => {
  const walk = makeWalk({ rule: RULE });
  const clients = Array.from({ length: 20 }, () => post(walk, '{"q":1}'));
  t.equal(walk.origin.count, 1);
  walk.origin.last.respond(200, FRESH, 'one');
  t.same([...new Set(clients.map(({ body }) => body))], ['one']);
});

t.test('issue 4: without the rule, over the bound, or with a condition a POST goes past the cache', async (t) => {
  t.not(post(makeWalk(), '{}').passed, undefined, 'no rule speaks of it');
  const large = post(makeWalk({ rule: RULE }), 'x'.repeat(MAX_KEYED_CONTENT_BYTES + 1));
  t.not(large.passed, undefined);
  t.equal(post(makeWalk({ rule: RULE }), 'x'.repeat(MAX_KEYED_CONTENT_BYTES)).passed, undefined, 'at the bound');
  for (const name of ['If-None-Match', 'If-Match', 'Range', 'If-Modified-Since']) {
    t.not(post(makeWalk({ rule: RULE }), '{}', { ...JSON_FIELDS, [name]: '"1"' }).passed, undefined, name);
  }
});

t.test('issue 4: a rule for POST alone lets GETs past', async (t) => {
  const walk = makeWalk({ rule: { methods: ['POST'] } });
  t.not(walk.get('/search').passed, undefined);
  post(walk, '');
  t.equal(walk.origin.last.request.method, 'POST', 'one without content is cached as well');
});

t.test('a POST that cannot be shared is not, and nobody waits behind it', async (t) => {
  const walk = makeWalk({ rule: RULE });
  post(walk, '{}');
  walk.origin.last.respond(200, { 'Cache-Control': 'private, max-age=60' }, 'mine');
  const [one, two] = [post(walk, '{}'), post(walk, '{}')];
  t.equal(walk.origin.count, 3);
  walk.origin.nth(2).respond(200, { 'Cache-Control': 'private' }, 'one');
  walk.origin.nth(3).respond(200, { 'Cache-Control': 'private' }, 'two');
  t.same([one.body, two.body], ['one', 'two']);
});
