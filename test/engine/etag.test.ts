// Goal: an entity-tag made from the body gives clients 304s, is never shown to the origin, and recognises an unchanged body (issue 4, `etag: make`). Method: walks.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const FRESH = { 'Cache-Control': 'max-age=60' };

t.test('issue 4: clients get a strong tag and a 304 by it; the origin never sees it', async (t) => {
  const walk = makeWalk({ rule: { etag: 'make' } });
  const first = walk.get('/a');
  walk.origin.last.respond(200, FRESH, 'hello');
  t.equal(first.field('etag'), undefined, 'the first one follows a body that is not known yet');
  const tag = walk.get('/a').field('etag') ?? '';
  t.match(tag, /^"p-[\w-]{22}"$/);
  t.equal(walk.get('/a', { 'If-None-Match': tag }).status, 304);
  t.equal(walk.get('/a', { 'If-None-Match': '"other"' }).status, 200);
  t.match(walk.get('/a', { Range: 'bytes=0-1', 'If-Range': tag }), { status: 206, body: 'he' });
  walk.clock.advance(61_000);
  walk.get('/a');
  t.equal(walk.origin.last.field('if-none-match'), undefined);
});

t.test('issue 4: an unchanged body is recognised on a full refetch, and held once', async (t) => {
  const walk = makeWalk({ rule: { etag: 'make', grace: { kind: 'fixed', ms: 3_600_000 } } });
  walk.get('/a');
  walk.origin.last.respond(200, { ...FRESH, 'X-N': '1' }, 'hello');
  const [before] = walk.engine.parts.store.peek('http://example.test/a') ?? [];
  walk.clock.advance(61_000);
  walk.get('/a');
  walk.origin.last.respond(200, { ...FRESH, 'X-N': '2' }, 'hello');
  const [after] = walk.engine.parts.store.peek('http://example.test/a') ?? [];
  t.ok(before?.body.slab !== undefined);
  t.equal(after?.body.slab, before?.body.slab);
  t.equal(after?.body.slabAt, before?.body.slabAt);
  t.equal(after?.fields.get('x-n'), '2');
  t.match(walk.asked.at(-1), { end: 'stored', reason: 'unchanged' });
  walk.clock.advance(61_000);
  walk.get('/a');
  walk.origin.last.respond(200, FRESH, 'other');
  t.match(walk.asked.at(-1), { end: 'stored', reason: 'stored' });
  t.equal(walk.get('/a').body, 'other');
});

t.test('issue 4: what has a tag of its own keeps it', async (t) => {
  const walk = makeWalk({ rule: { etag: 'make' } });
  walk.get('/a');
  walk.origin.last.respond(200, { ...FRESH, ETag: 'W/"1"' }, 'hello');
  t.equal(walk.get('/a').field('etag'), 'W/"1"');
});

t.test('issue 4: client.etag: remove hides it, and no condition holds on it', async (t) => {
  const client = { cacheControl: undefined, ttlMs: undefined, immutable: false, remove: ['etag'] };
  const walk = makeWalk({ rule: { client } });
  walk.get('/a');
  walk.origin.last.respond(200, { ...FRESH, ETag: '"1"' }, 'hello');
  const hit = walk.get('/a', { 'If-None-Match': '"1"' });
  t.match([hit.status, hit.field('etag')], [200, undefined]);
});
