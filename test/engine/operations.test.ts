// Goal: what an operator does to stored responses holds against all that is on its way. Method: walks with a played origin.
import t from 'tap';
import { MAX_OPERATION_REFRESHES, MAX_REFRESH_OPERATIONS, OPERATION_STEP_COUNT } from '../../lib/base/limits.js';
import type { Operations, PushedHead, RefreshRun, Target } from '../../lib/engine/operations.js';
import { beginUpdate } from '../../lib/engine/update.js';
import { formatHttpDate } from '../../lib/http/dates.js';
import { Fields } from '../../lib/http/fields.js';
import { turns } from '../kit/barrier.js';
import { makeWalk, type Walk, type WalkOptions } from '../kit/walk.js';

const BASE = 'http://example.test';
const url = (path: string): Target => ({ kind: 'url', url: `${BASE}${path}` });
const prefix = (path: string): Target => ({ kind: 'prefix', prefix: `${BASE}${path}` });
const tag = (name: string): Target => ({ kind: 'tag', tag: name });
const FRESH = { 'Cache-Control': 'max-age=60', ETag: '"1"' };

type OperatedWalk = Walk & { readonly operations: Operations };

function open(rule: WalkOptions['rule'] = {}): OperatedWalk {
  const walk = makeWalk({ rule: { tagsFrom: 'surrogate-key', ...rule } });
  return { ...walk, operations: walk.engine.operations };
}

/** Stores a response. */
function store(walk: Walk, path: string, fields = {}, body = 'old'): void {
  walk.get(path);
  walk.origin.last.respond(200, { ...FRESH, ...fields }, body);
}

function wordsOf(walk: Walk, ...paths: string[]): (string | undefined)[] {
  return paths.map((path) => walk.get(path).outcome);
}

async function endsOf(run: RefreshRun | 'busy' | undefined): Promise<RefreshRun['ends']> {
  if (run === undefined || run === 'busy') throw new Error(String(run));
  await run.over;
  return run.ends;
}

const HEAD: PushedHead = {
  status: 200,
  reasonPhrase: 'OK',
  fields: Fields.of({ 'Cache-Control': 'max-age=60', 'Content-Type': 'text/plain' }),
  selecting: Fields.empty,
  bodyBytes: undefined,
};

function push(walk: OperatedWalk, path: string, body: string, head: Partial<PushedHead> = {}) {
  const pushing = beginUpdate(walk.engine, `${BASE}${path}`, { ...HEAD, ...head });
  if ('refused' in pushing) return pushing;
  return pushing.write(Buffer.from(body)) ?? pushing.end();
}

t.test('issue 4: a purge by URL takes out all variants, and says how many', async (t) => {
  const walk = open();
  for (const language of ['de', 'en']) {
    walk.get('/a', { 'Accept-Language': language });
    walk.origin.last.respond(200, { ...FRESH, Vary: 'Accept-Language' }, language);
  }
  store(walk, '/b');
  t.same(await walk.operations.purge(url('/a')), { objects: 2, fills: 0 });
  t.same(wordsOf(walk, '/a', '/b'), [undefined, 'HIT']);
  t.same(await walk.operations.purge(url('/nothing')), { objects: 0, fills: 0 });
});

t.test('issue 4: a purge by prefix takes out what begins so, by tag what carries it', async (t) => {
  const walk = open();
  store(walk, '/a/1', { 'Surrogate-Key': 'x y' });
  store(walk, '/a/2', { 'Surrogate-Key': 'y,z' });
  store(walk, '/b/1', { 'Surrogate-Key': 'z' });
  t.same(await walk.operations.purge(tag('y')), { objects: 2, fills: 0 });
  t.equal(walk.get('/b/1').outcome, 'HIT');
  store(walk, '/a/1');
  t.same(await walk.operations.purge(prefix('/a/')), { objects: 1, fills: 0 });
  t.same(await walk.operations.purge(prefix('')), { objects: 1, fills: 0 });
});

t.test('what is no URL and no tag is told, and nothing happens', async (t) => {
  const walk = open();
  store(walk, '/a');
  for (const target of [
    { kind: 'url', url: '/a' },
    { kind: 'url', url: 'ftp://example.test/a' },
    { kind: 'prefix', prefix: '' },
    { kind: 'tag', tag: '' },
    { kind: 'tag', tag: 'a b' },
  ] as const) {
    t.equal(await walk.operations.purge(target), undefined);
    t.equal(await walk.operations.expire(target), undefined);
    t.equal(await walk.operations.refresh(target, { fill: false }), undefined);
  }
  t.equal(walk.get('/a').outcome, 'HIT');
});

t.test('design, section 2: a purge wins over the answer that is on its way, by URL, prefix and tag', async (t) => {
  for (const target of [url('/a'), prefix('/'), tag('x')]) {
    const walk = open();
    const before = walk.get('/a');
    await walk.operations.purge(target);
    walk.origin.last.respond(200, { ...FRESH, 'Surrogate-Key': 'x' }, 'old');
    t.equal(before.body, 'old', 'who asked before has the answer to that');
    t.equal(walk.get('/a').status, undefined, `nothing is stored of it: ${target.kind}`);
    t.equal(walk.origin.count, 2);
  }
});

t.test('a purge by tag leaves alone what turns out not to carry it', async (t) => {
  const walk = open();
  walk.get('/a');
  await walk.operations.purge(tag('x'));
  walk.origin.last.respond(200, { ...FRESH, 'Surrogate-Key': 'y' }, 'new');
  t.equal(walk.get('/a').outcome, 'HIT');
});

t.test('who comes after the purge of a tag does not share the answer to who came before', async (t) => {
  const walk = open();
  const before = walk.get('/a');
  await walk.operations.purge(tag('x'));
  const after = walk.get('/a');
  t.equal(walk.origin.count, 1, 'nobody knows yet that it carries the tag');
  walk.origin.last.respond(200, { ...FRESH, 'Surrogate-Key': 'x' }, 'old');
  t.equal(before.body, 'old');
  t.equal(walk.origin.count, 2, 'and asks anew');
  walk.origin.last.respond(200, { ...FRESH, 'Surrogate-Key': 'x' }, 'new');
  t.equal(after.body, 'new');
  t.equal(walk.get('/a').body, 'new');
});

t.test('a purge during a refresh wins over its 304, by prefix and tag', async (t) => {
  for (const target of [prefix('/'), tag('x')]) {
    const walk = open({ grace: { kind: 'fixed', ms: 60_000 } });
    store(walk, '/a', { 'Surrogate-Key': 'x' });
    walk.clock.advance(61_000);
    t.equal(walk.get('/a').outcome, 'UPDATING');
    t.same(await walk.operations.purge(target), { objects: 1, fills: 1 });
    walk.origin.last.respond(304, FRESH);
    t.equal(walk.get('/a').status, undefined, target.kind);
  }
});

t.test('a 304 for another variant does not bring back what was purged by its tag meanwhile', async (t) => {
  for (const operation of ['purge', 'expire'] as const) {
    const walk = open();
    walk.get('/a', { 'Accept-Language': 'de' });
    walk.origin.last.respond(200, { ...FRESH, Vary: 'Accept-Language', 'Surrogate-Key': 'x' }, 'old');
    walk.get('/a', { 'Accept-Language': 'en' });
    t.equal(walk.origin.last.field('if-none-match'), '"1"');
    const early = walk.origin.last;
    t.same(await walk.operations[operation](tag('x')), { objects: 1, fills: 1 });
    early.respond(304, { ETag: '"1"', 'Cache-Control': 'max-age=60' });
    for (const language of ['de', 'en']) {
      t.not(walk.get('/a', { 'Accept-Language': language }).outcome, 'HIT', `${operation} ${language}`);
    }
  }
});

t.test('a purge ends the memory of failures and of uncacheable answers', async (t) => {
  for (const target of [url('/a'), prefix('/')]) {
    const walk = open();
    for (let at = 0; at < 3; at++) {
      walk.get('/a');
      walk.origin.last.fail();
    }
    t.not(walk.get('/a').status, undefined, 'the origin is left alone');
    await walk.operations.purge(target);
    t.equal(walk.get('/a').status, undefined, 'and is asked again');
    const marked = open();
    marked.get('/a');
    marked.origin.last.respond(200, { 'Cache-Control': 'no-store' }, 'x');
    marked.get('/a');
    marked.get('/a');
    t.equal(marked.origin.count, 3, 'nobody waits for what cannot be shared');
    await marked.operations.purge(target);
    marked.get('/a');
    marked.get('/a');
    t.equal(marked.origin.count, 4, 'but now they do');
  }
});

t.test('nothing stored before a purge by prefix survives it, whatever comes in between its steps', async (t) => {
  const walk = open();
  const count = OPERATION_STEP_COUNT * 2 + 10;
  for (let at = 0; at < count; at++) store(walk, `/a/${at}`);
  const purged = walk.operations.purge(prefix('/a/'));
  let isOver = false;
  void purged.then(() => {
    isOver = true;
  });
  let added = 0;
  while (!isOver) {
    store(walk, `/a/new-${added++}`, {}, 'new');
    walk.clock.advance(2);
    await turns(2);
  }
  t.ok(added > 1, 'it took several steps');
  for (let at = 0; at < count; at += 97) t.equal(walk.get(`/a/${at}`).status, undefined, String(at));
  t.ok((await purged)?.objects ?? 0 >= count);
});

t.test('issue 4: expired is stale now, and grace goes on from here', async (t) => {
  const walk = open({ grace: { kind: 'fixed', ms: 10_000 } });
  store(walk, '/a');
  walk.clock.advance(1000);
  t.same(await walk.operations.expire(url('/a')), { objects: 1, fills: 0 });
  const stale = walk.get('/a');
  t.same([stale.outcome, stale.body], ['UPDATING', 'old']);
  t.equal(walk.origin.last.field('if-none-match'), '"1"');
  walk.origin.last.respond(304, FRESH);
  t.equal(walk.get('/a').outcome, 'HIT');
  await walk.operations.expire(url('/a'));
  walk.clock.advance(9999);
  t.equal(walk.get('/a').outcome, 'UPDATING', 'until its end');
});

t.test('expired past its grace is validated before use, and served when the origin cannot be reached', async (t) => {
  const walk = open();
  store(walk, '/a');
  await walk.operations.expire(tag('none'));
  t.equal(walk.get('/a').outcome, 'HIT');
  await walk.operations.expire(prefix('/'));
  const client = walk.get('/a');
  t.equal(client.status, undefined);
  walk.origin.last.fail();
  t.same([client.outcome, client.body], ['STALE', 'old']);
});

t.test('an answer asked for before the expiry is stored, but never brings it back as fresh', async (t) => {
  for (const target of [url('/a'), prefix('/'), tag('x')]) {
    const walk = open({ grace: { kind: 'fixed', ms: 10_000 } });
    const before = walk.get('/a');
    await walk.operations.expire(target);
    walk.origin.last.respond(200, { ...FRESH, 'Surrogate-Key': 'x' }, 'old');
    t.equal(before.body, 'old');
    const after = walk.get('/a');
    t.same([after.outcome, after.body], ['UPDATING', 'old'], target.kind);
    t.equal(walk.origin.count, 2, 'the origin is asked again');
  }
});

t.test('a 304 asked for before the expiry does not either', async (t) => {
  const walk = open({ grace: { kind: 'fixed', ms: 10_000 } });
  store(walk, '/a');
  walk.clock.advance(61_000);
  walk.get('/a');
  const early = walk.origin.last;
  walk.clock.advance(1000);
  await walk.operations.expire(url('/a'));
  early.respond(304, FRESH);
  const after = walk.get('/a');
  t.equal(after.outcome, 'UPDATING');
  t.not(walk.origin.last, early);
  walk.origin.last.respond(304, FRESH);
  t.equal(walk.get('/a').outcome, 'HIT');
});

t.test('issue 4: a refresh asks by condition, and says how it ended', async (t) => {
  const walk = open();
  store(walk, '/a', { 'Surrogate-Key': 'x' });
  store(walk, '/b', { 'Surrogate-Key': 'x' });
  const run = await walk.operations.refresh(tag('x'), { fill: false });
  t.match(run, { objects: 2 });
  await turns(2);
  t.equal(walk.origin.count, 4);
  t.equal(walk.origin.nth(3).field('if-none-match'), '"1"');
  walk.origin.nth(3).respond(304, { 'Cache-Control': 'max-age=99' });
  walk.origin.nth(4).respond(200, { ...FRESH, ETag: '"2"' }, 'new');
  t.same(await endsOf(run), { 'not-modified': 1, stored: 1 });
  t.equal(walk.get('/a').field('cache-control'), 'max-age=99');
  t.equal(walk.get('/b').body, 'new');
});

t.test('a refresh of each variant asks with its own selecting fields', async (t) => {
  const walk = open();
  for (const language of ['de', 'en']) {
    walk.get('/a', { 'Accept-Language': language });
    walk.origin.last.respond(200, { ...FRESH, ETag: `"${language}"`, Vary: 'Accept-Language' }, language);
  }
  const run = await walk.operations.refresh(url('/a'), { fill: false });
  await turns(2);
  const asked = [3, 4].map((n) => walk.origin.nth(n).field('accept-language')).sort();
  t.same(asked, ['de', 'en']);
  for (const n of [3, 4]) {
    const exchange = walk.origin.nth(n);
    exchange.respond(304, { ETag: `"${exchange.field('accept-language')}"` });
  }
  t.same(await endsOf(run), { 'not-modified': 2 });
});

t.test(
  'a refresh asked for while another is under way asks again after it: that one may not know of the change',
  async (t) => {
    const walk = open({ grace: { kind: 'fixed', ms: 60_000 } });
    store(walk, '/a');
    walk.clock.advance(61_000);
    walk.get('/a');
    t.equal(walk.origin.count, 2);
    walk.clock.advance(100);
    const run = await walk.operations.refresh(url('/a'), { fill: false });
    await turns(2);
    t.equal(walk.origin.count, 2, 'never two at once for one key');
    walk.origin.nth(2).respond(304, FRESH);
    await turns(4);
    t.equal(walk.origin.count, 3);
    walk.origin.nth(3).respond(200, { ...FRESH, ETag: '"2"' }, 'new');
    if (run !== undefined && run !== 'busy') {
      await run.over;
      t.same(run.ends, { stored: 1 });
    }
    t.equal(walk.get('/a').body, 'new');
  },
);

t.test('a failed refresh leaves what is stored as it is', async (t) => {
  const walk = open();
  store(walk, '/a');
  const run = await walk.operations.refresh(url('/a'), { fill: false });
  await turns(2);
  walk.origin.last.respond(503, {}, 'sorry');
  t.same(await endsOf(run), { error: 1 });
  t.equal(walk.get('/a').outcome, 'HIT');
});

t.test('what is not stored is asked for where that is wanted, and counts nothing where not', async (t) => {
  const walk = open();
  const none = await walk.operations.refresh(url('/a'), { fill: false });
  t.match(none, { objects: 0, ends: {} });
  t.equal(walk.origin.count, 0);
  const run = await walk.operations.refresh(url('/a'), { fill: true });
  await turns(2);
  walk.origin.last.respond(200, FRESH, 'new');
  t.same(await endsOf(run), { stored: 1 });
  t.equal(walk.get('/a').outcome, 'HIT');
});

t.test('refreshes run a bounded number at a time, and so do the operations', async (t) => {
  const walk = open();
  for (let at = 0; at < MAX_OPERATION_REFRESHES * 2; at++) store(walk, `/${at}`);
  const before = walk.origin.count;
  const run = await walk.operations.refresh(prefix('/'), { fill: false });
  await turns(5);
  t.equal(walk.origin.count - before, MAX_OPERATION_REFRESHES);
  for (let at = 1; at < MAX_REFRESH_OPERATIONS; at++) await walk.operations.refresh(url('/0'), { fill: false });
  t.equal(await walk.operations.refresh(url('/0'), { fill: false }), 'busy');
  for (let n = before + 1; n <= walk.origin.count; n++) {
    t.ok(walk.engine.stats.fills <= MAX_OPERATION_REFRESHES);
    walk.origin.nth(n).respond(304, FRESH);
    await turns(5);
  }
  t.same(await endsOf(run), { 'not-modified': MAX_OPERATION_REFRESHES * 2 });
});

t.test('SYSTEMS row 5, event-driven: a pushed response is served without asking the origin', async (t) => {
  const walk = open();
  t.match(push(walk, '/a', 'pushed'), { fills: 0, bytes: 6, ttlMs: 60_000 });
  const client = walk.get('/a');
  t.same([client.outcome, client.body, client.field('content-type')], ['HIT', 'pushed', 'text/plain']);
  t.equal(walk.origin.count, 0);
  t.equal(push(walk, '/a', 'newer') !== undefined, true);
  t.equal(walk.get('/a').body, 'newer');
});

t.test('RFC 9111 §4.2.3: a pushed response is as old as its Age and its Date say, as one that the origin sent', (t) => {
  const walk = open();
  const aged = (fields: Record<string, string>): Fields => Fields.of({ 'Cache-Control': 'max-age=60', ...fields });
  t.match(push(walk, '/a', 'pushed', { fields: aged({ Age: '40' }) }), { ttlMs: 20_000 });
  t.equal(walk.get('/a').field('age'), '40');
  const date = formatHttpDate(walk.clock.wall() - 50_000);
  t.match(push(walk, '/b', 'pushed', { fields: aged({ Date: date }) }), { ttlMs: 10_000 });
  t.end();
});

t.test(
  'RFC 9110 §5.3: of a second line of Date, ETag or Last-Modified in what is pushed the first one counts, and goes on alone',
  (t) => {
    const walk = open();
    const fields = new Fields(['Cache-Control', 'max-age=60', 'ETag', '"a"', 'ETag', '"b"']);
    t.match(push(walk, '/a', 'pushed', { fields }), { bytes: 6 });
    t.equal(walk.get('/a').field('etag'), '"a"');
    t.equal(walk.get('/a', { 'If-None-Match': '"a"' }).status, 304);
    t.end();
  },
);

t.test('an update wins over what is in flight', async (t) => {
  const walk = open();
  const before = walk.get('/a');
  t.match(push(walk, '/a', 'pushed'), { fills: 1 });
  walk.origin.last.respond(200, FRESH, 'old');
  t.equal(before.body, 'old');
  t.equal(walk.get('/a').body, 'pushed');
});

t.test('an update wins over the 304 of a refresh that is in flight', async (t) => {
  const walk = open({ grace: { kind: 'fixed', ms: 60_000 } });
  store(walk, '/a');
  walk.clock.advance(61_000);
  walk.get('/a');
  push(walk, '/a', 'pushed');
  walk.origin.last.respond(304, FRESH);
  const client = walk.get('/a');
  t.same([client.outcome, client.body], ['HIT', 'pushed']);
});

t.test('what the origin was asked for before the last byte of an update is older than it', async (t) => {
  const walk = open();
  const pushing = walk.operations.update(`${BASE}/a`, HEAD);
  if ('refused' in pushing) throw new Error(pushing.refused);
  pushing.write(Buffer.from('pushed'));
  walk.clock.advance(10);
  walk.get('/a');
  walk.clock.advance(10);
  void pushing.end();
  walk.origin.last.respond(200, FRESH, 'old');
  t.equal(walk.get('/a').body, 'pushed');
});

t.test('an update that breaks off changes nothing and gives its room back', async (t) => {
  const walk = open();
  store(walk, '/a');
  const pushing = walk.operations.update(`${BASE}/a`, { ...HEAD, bodyBytes: 100 });
  if ('refused' in pushing) throw new Error(pushing.refused);
  pushing.write(Buffer.from('half'));
  t.equal(walk.engine.parts.store.stats.reservedBytes, 100);
  pushing.fail();
  t.equal(walk.engine.parts.store.stats.reservedBytes, 0);
  t.equal(walk.get('/a').body, 'old');
  const short = walk.operations.update(`${BASE}/a`, { ...HEAD, bodyBytes: 100 });
  if ('refused' in short) throw new Error(short.refused);
  short.write(Buffer.from('half'));
  t.match(await short.end(), { refused: 'incomplete' });
  t.equal(walk.get('/a').body, 'old');
});

t.test('RFC 9110 §15.3.5, §15.3.6: nothing is pushed that has content though its status allows none', (t) => {
  const walk = open();
  for (const status of [204, 205]) {
    const refused = { refused: 'content-forbidden' };
    t.match(push(walk, '/a', 'x', { status, bodyBytes: 1 }), refused);
    t.match(push(walk, '/a', 'x', { status }), refused, 'told by the first byte, where no length was');
    t.match(push(walk, '/a', '', { status }), { bytes: 0 });
  }
  t.end();
});

t.test('an update obeys the rules of storing, and the limits', async (t) => {
  const walk = open();
  const refused = (fields: Readonly<Record<string, string>>, head: Partial<PushedHead> = {}): unknown =>
    push(walk, '/a', 'x', { fields: Fields.of(fields), ...head });
  t.match(refused({ 'Cache-Control': 'no-store' }), { refused: 'no-store' });
  t.match(refused({ 'Cache-Control': 'private, max-age=9' }), { refused: 'private' });
  t.match(refused({ 'Cache-Control': 'max-age=9', 'Set-Cookie': 'a=1' }), { refused: 'set-cookie' });
  t.match(refused({ 'Cache-Control': 'max-age=9', Vary: '*' }), { refused: 'vary-star' });
  t.match(refused({}), { refused: 'no-freshness' });
  t.match(refused({}, { status: 304 }), { refused: 'not-modified' });
  const large = walk.engine.parts.store.maxObjectBytes + 1;
  t.match(push(walk, '/a', 'x', { bodyBytes: large }), { refused: 'too-large' });
  t.match(push(walk, '/a', 'x'.repeat(large)), { refused: 'too-large' });
  t.match(walk.operations.update('/a', HEAD), { refused: 'url' });
  t.equal(walk.engine.parts.store.stats.objects, 0);
  t.equal(walk.engine.parts.store.stats.reservedBytes, 0);
});

t.test('an update for a variant is served to the requests that select it', async (t) => {
  const walk = open();
  const fields = Fields.of({ 'Cache-Control': 'max-age=60', Vary: 'Accept-Language' });
  push(walk, '/a', 'hallo', { fields, selecting: Fields.of({ 'Accept-Language': 'de' }) });
  t.equal(walk.get('/a', { 'Accept-Language': 'de' }).body, 'hallo');
  t.equal(walk.get('/a', { 'Accept-Language': 'en' }).status, undefined);
});

t.test('an update reaches the keys that forwarding fields made of its URL', async (t) => {
  const walk = open();
  walk.get('/a', { 'X-Forwarded-Host': 'other.test' });
  walk.origin.last.respond(200, FRESH, 'old');
  push(walk, '/a', 'pushed');
  t.equal(walk.get('/a', { 'X-Forwarded-Host': 'other.test' }).status, undefined);
  t.equal(walk.get('/a').body, 'pushed');
});

t.test(
  'an update for which there is no room takes out on other machines too what it would have, and nothing that was pushed for others',
  (t) => {
    const walk = open();
    const told: unknown[] = [];
    push(walk, '/a', 'for one', { selecting: Fields.of({ 'X-Forwarded-Host': 'one.test' }) });
    const { parts } = walk.engine;
    parts.peers = {
      operated: (effect, reach) => told.push([effect, reach]),
      noted() {},
      told: async () => true,
      stored: () => told.push('stored'),
    };
    parts.store.put = () => false;
    t.match(push(walk, '/a', 'pushed'), { refused: 'no-room' });
    const key = `${BASE}/a`;
    const others = walk.engine.purging.keysOf(key).filter((alias) => alias !== key);
    t.equal(others.length, 1);
    const earlier = { key, selection: { names: [], values: [] }, pushedAt: walk.clock.now() };
    t.strictSame(told, [['purge', { kind: 'keys', keys: [key, ...others], but: 'pushed', earlier }]]);
    t.end();
  },
);

t.test(
  'an update for which there is no room takes out what it would have, and nothing that was pushed for others',
  (t) => {
    const walk = open();
    const varied = (value: string) => ({ 'X-A': value });
    const fields = Fields.of({ 'Cache-Control': 'max-age=60', Vary: 'X-A' });
    walk.get('/a', varied('0'));
    walk.origin.last.respond(200, { ...FRESH, Vary: 'X-A' }, 'old');
    for (const value of ['1', '2']) push(walk, '/a', `for ${value}`, { fields, selecting: Fields.of(varied(value)) });
    const { store: kept } = walk.engine.parts;
    const put = kept.put.bind(kept);
    kept.put = () => false;
    t.match(push(walk, '/a', 'later', { fields, selecting: Fields.of(varied('1')) }), { refused: 'no-room' });
    kept.put = put;
    t.equal(walk.get('/a', varied('2')).body, 'for 2');
    for (const value of ['0', '1']) t.equal(walk.get('/a', varied(value)).status, undefined, value);
    t.end();
  },
);

t.test('an update takes the place of what the origin had sent for other values of what Vary names', async (t) => {
  const walk = open();
  const varied = (value: string) => ({ 'X-A': value });
  for (const value of ['1', '2']) {
    walk.get('/a', varied(value));
    walk.origin.last.respond(200, { ...FRESH, Vary: 'X-A' }, 'old');
  }
  const fields = Fields.of({ 'Cache-Control': 'max-age=60', Vary: 'X-A' });
  push(walk, '/a', 'for 3', { fields, selecting: Fields.of(varied('3')) });
  push(walk, '/a', 'pushed');
  t.same(
    ['1', '2', '3'].map((value) => walk.get('/a', varied(value)).body),
    ['pushed', 'pushed', 'for 3'],
    'what was pushed for other values stays',
  );
});

t.test('an update leaves alone what was pushed for other values of its key', async (t) => {
  const walk = open();
  const hosts = ['one.test', 'other.test'].map((host) => ({ 'X-Forwarded-Host': host }));
  for (const [at, host] of hosts.entries()) push(walk, '/a', `pushed ${at}`, { selecting: Fields.of(host) });
  push(walk, '/a', 'pushed');
  t.same(
    [...hosts, {}].map((host) => walk.get('/a', host).body),
    ['pushed 0', 'pushed 1', 'pushed'],
  );
  await walk.operations.purge(url('/a'));
  t.equal(walk.get('/a', hosts[0]).status, undefined, 'a purge takes all of it out');
});

t.test('a refresh of a key that forwarding fields made asks with these fields', async (t) => {
  const walk = open();
  walk.get('/a', { 'X-Forwarded-Host': 'other.test' });
  walk.origin.last.respond(200, FRESH, 'old');
  await walk.operations.refresh(url('/a'), { fill: false });
  await turns(2);
  t.equal(walk.origin.last.field('x-forwarded-host'), 'other.test');
  walk.origin.last.respond(304, {});
});
