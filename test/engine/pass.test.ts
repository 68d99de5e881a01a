// Goal: what is passed, what an unsafe method invalidates, loops. Method: walks with a fake clock and a played origin.
import t from 'tap';
import { OriginError } from '../../lib/base/errors.js';
import { Fields } from '../../lib/http/fields.js';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=60', ETag: '"one"' };

t.test('other methods, requests with a body and upgrades go through the pass lane', async (t) => {
  const walk = makeWalk();
  for (const [request, reason] of [
    [{ method: 'POST' }, 'method'],
    [{ method: 'OPTIONS', target: '*' }, 'method'],
    [{ method: 'GET', hasBody: true }, 'request-body'],
    [{ method: 'GET', isUpgrade: true }, 'upgrade'],
  ] as const) {
    const client = walk.send(request);
    const made = client.passed?.respond(200, 'OK', Fields.of({ 'Content-Type': 'text/plain' }));
    t.match(made?.note, { outcome: 'BYPASS', reason });
    t.match(made?.fields.get('cache-status'), /^patina; fwd=(bypass|method);/);
    t.match(made?.fields.get('via'), /1\.1 patina/);
    t.ok(made?.fields.has('date'), 'Date is supplied when absent');
  }
  t.equal(walk.origin.count, 0);
});

t.test(
  'RFC 9111 §4.4: a successful unsafe request invalidates its target, Location and Content-Location',
  async (t) => {
    const walk = makeWalk();
    for (const target of ['/a', '/b', '/c', '/d']) {
      walk.get(target);
      walk.origin.last.respond(200, CACHEABLE, target);
    }
    const client = walk.send({ method: 'POST', target: '/a' });
    client.passed?.respond(201, 'Created', Fields.of({ Location: '/b', 'Content-Location': 'http://example.test/c' }));
    t.same(
      ['/a', '/b', '/c', '/d'].map((target) => walk.get(target).outcome ?? 'asks again'),
      ['asks again', 'asks again', 'asks again', 'HIT'],
    );
  },
);

t.test('RFC 9111 §4.4: a failed one invalidates nothing', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, CACHEABLE, 'x');
  walk.send({ method: 'DELETE', target: '/a' }).passed?.respond(500, 'Oops', Fields.empty);
  t.equal(walk.get('/a').outcome, 'HIT');
});

t.test('a fill that was in flight when its target was written to is not stored', async (t) => {
  const walk = makeWalk();
  const reader = walk.get('/a');
  walk.send({ method: 'PUT', target: '/a' }).passed?.respond(204, 'No Content', Fields.empty);
  walk.origin.last.respond(200, CACHEABLE, 'before the write');
  t.equal(reader.body, 'before the write');
  t.equal(walk.engine.parts.store.stats.objects, 0);
});

t.test('a loop is answered 508, and the origin hears nothing', async (t) => {
  const walk = makeWalk();
  const client = walk.get('/a', { Via: '1.1 cdn, 1.1 patina' });
  t.match([client.status, client.reason, walk.origin.count], [508, 'loop-detected', 0]);
});

t.test('an origin that cannot be reached gives 502, 503 or 504 with its reason', async (t) => {
  const walk = makeWalk();
  const plan = walk.send({ method: 'POST' }).passed;
  t.match(plan?.failed(new OriginError('origin-refused', 'refused')), {
    status: 502,
    note: { reason: 'origin-refused' },
  });
  t.match(plan?.failed(new OriginError('origin-headers-timeout', 'late')), { status: 504 });
  t.match(plan?.failed(new Error('odd')), { status: 502 });
});

t.test('a Range request on a miss goes out as it is, and its 206 never answers for the whole', async (t) => {
  const walk = makeWalk();
  const client = walk.get('/a', { Range: 'bytes=0-1' });
  t.equal(walk.origin.last.field('range'), 'bytes=0-1');
  walk.origin.last.respond(206, { ...CACHEABLE, 'Content-Range': 'bytes 0-1/5' }, 'he');
  t.match([client.status, client.body], [206, 'he']);
  walk.get('/a');
  t.equal(walk.origin.count, 2);
});

t.test('RFC 9110 §14: ranges from the store: one, several, none that fits', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, { ...CACHEABLE, 'Content-Type': 'text/plain' }, '0123456789');
  const one = walk.get('/a', { Range: 'bytes=2-4' });
  t.match([one.status, one.body, one.field('content-range')], [206, '234', 'bytes 2-4/10']);
  const suffix = walk.get('/a', { Range: 'bytes=-3' });
  t.match([suffix.status, suffix.body], [206, '789']);
  const none = walk.get('/a', { Range: 'bytes=20-' });
  t.match([none.status, none.field('content-range'), none.body], [416, 'bytes */10', '']);
  const several = walk.get('/a', { Range: 'bytes=0-0, 8-9' });
  t.equal(several.status, 206);
  t.match(several.field('content-type'), /^multipart\/byteranges; ?boundary=/);
  t.match(several.body, /Content-Range: bytes 0-0\/10\r\n\r\n0\r\n/);
  t.match(several.body, /Content-Range: bytes 8-9\/10\r\n\r\n89\r\n/);
});

t.test(
  'RFC 9110 §9.3.3: the answer to a POST that is the representation of its target answers a later GET',
  async (t) => {
    const walk = makeWalk();
    const plan = walk.send({ method: 'POST', target: '/a' }).passed;
    const fields = { 'Cache-Control': 'max-age=60', 'Content-Location': '/a', 'Content-Length': '5' };
    const tap = plan?.respond(200, 'OK', Fields.of(fields)).tap;
    tap?.write(Buffer.from('hello'));
    t.equal(walk.get('/a').ending, 'waiting', 'not before it is complete');
    walk.origin.last.fail();
    tap?.end();
    t.match([walk.get('/a').body, walk.get('/a').outcome], ['hello', 'HIT']);
  },
);

t.test(
  'RFC 9110 §9.3.3: not without explicit freshness, nor with another Content-Location, nor where it is forbidden',
  async (t) => {
    for (const fields of [
      { 'Content-Location': '/a', 'Last-Modified': 'Wed, 01 Jan 2025 00:00:00 GMT' },
      { 'Cache-Control': 'max-age=60', 'Content-Location': '/b' },
      { 'Cache-Control': 'max-age=60', 'Content-Location': 'http://other.test/a' },
      { 'Cache-Control': 'max-age=60' },
      { 'Cache-Control': 'private, max-age=60', 'Content-Location': '/a' },
      { 'Cache-Control': 'max-age=60', 'Content-Location': '/a', 'Set-Cookie': 'a=b' },
    ]) {
      const walk = makeWalk();
      const tap = walk.send({ method: 'POST', target: '/a' }).passed?.respond(200, 'OK', Fields.of(fields)).tap;
      t.equal(tap, undefined, JSON.stringify(fields));
    }
  },
);

t.test(
  'a capture that breaks off, or that a later write overtakes, stores nothing and gives its room back',
  async (t) => {
    const walk = makeWalk();
    const fields = Fields.of({ 'Cache-Control': 'max-age=60', 'Content-Location': '/a' });
    const broken = walk.send({ method: 'POST', target: '/a' }).passed?.respond(200, 'OK', fields).tap;
    broken?.write(Buffer.from('hel'));
    broken?.fail();
    const overtaken = walk.send({ method: 'POST', target: '/a' }).passed?.respond(200, 'OK', fields).tap;
    overtaken?.write(Buffer.from('old'));
    walk.send({ method: 'PUT', target: '/a' }).passed?.respond(204, 'No Content', Fields.empty);
    overtaken?.end();
    t.match(walk.engine.parts.store.stats, { objects: 0, reservedBytes: 0 });
  },
);
