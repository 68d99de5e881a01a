// Goal: conditions and ranges are answered from the store, byte for byte, to HTTP/1.1 and 1.0, while a body still streams
// too. Method: one stored body of known bytes, a table of requests, a multipart reader of our own.
import { randomBytes } from 'node:crypto';
import t from 'tap';
import { createBarrier } from '../kit/barrier.js';
import { HOST, metric, type OpenProxy, openProxy, request } from '../kit/proxy-kit.js';
import type { RawResponse } from '../kit/raw-client.js';
import { send, until } from '../kit/scripted-origin.js';

const BODY = randomBytes(100_000);
const MODIFIED = 'Mon, 05 Jan 2026 10:00:00 GMT';
const FIELDS = [
  'Content-Type',
  'application/x-test',
  'ETag',
  '"v1"',
  'Last-Modified',
  MODIFIED,
  'Cache-Control',
  'max-age=3600',
];
const VERSIONS = ['HTTP/1.1', 'HTTP/1.0'] as const;

async function warm(t: Parameters<typeof openProxy>[0]): Promise<OpenProxy> {
  const house = await openProxy(t);
  house.origin.respond(() => ({ fields: FIELDS, body: BODY }));
  t.ok((await house.get('/x')).body.equals(BODY));
  return house;
}

const ask = (house: OpenProxy, version: string, lines: readonly string[], method = 'GET'): Promise<RawResponse> =>
  house.ask(request(method, '/x', ...lines).replace('HTTP/1.1', version), method);

/** Range field, first byte, byte behind the last. */
const SINGLE = [
  ['bytes=0-0', 0, 1],
  ['bytes=10-19', 10, 20],
  ['bytes=99999-', 99_999, 100_000],
  ['bytes=0-', 0, 100_000],
  ['bytes=50000-999999999', 50_000, 100_000],
  ['bytes=-1', 99_999, 100_000],
  ['bytes=-5000', 95_000, 100_000],
  ['bytes=-999999', 0, 100_000],
  ['bytes= 10-19 ', 10, 20],
  ['BYTES=10-19', 10, 20],
  ['bytes=10-19, 200000-', 10, 20],
] as const;

t.test('RFC 9110 §14.2: a single range is a 206 with exactly its bytes, from the store', async (t) => {
  const house = await warm(t);
  for (const version of VERSIONS) {
    for (const [range, from, until] of SINGLE) {
      const response = await ask(house, version, [`Range: ${range}`]);
      t.equal(response.status, 206, `${version} ${range}`);
      t.equal(response.field('content-range'), `bytes ${from}-${until - 1}/${BODY.length}`);
      t.equal(response.field('content-length'), String(until - from));
      t.equal(response.field('etag'), '"v1"');
      t.equal(response.field('cdn-cache'), 'HIT');
      t.ok(response.body.equals(BODY.subarray(from, until)));
    }
  }
  t.equal(house.origin.requestCount, 1);
});

/** The parts of a multipart/byteranges body; throws where it breaks RFC 2046 §5.1.1. */
function partsOf(response: RawResponse): { fields: string; bytes: Buffer }[] {
  const boundary = /^multipart\/byteranges; ?boundary="?([^"]+)"?$/.exec(response.field('content-type') ?? '')?.[1];
  if (boundary === undefined) throw new Error(`no boundary in ${response.field('content-type')}`);
  const text = response.body.toString('latin1');
  const pieces = `\r\n${text}`.split(`\r\n--${boundary}`);
  if (pieces.at(-1)?.trim() !== '--') throw new Error('no closing delimiter');
  return pieces.slice(1, -1).map((piece) => {
    const end = piece.indexOf('\r\n\r\n');
    return { fields: piece.slice(2, end), bytes: Buffer.from(piece.slice(end + 4), 'latin1') };
  });
}

t.test('RFC 9110 §14.6: several ranges are a multipart/byteranges with exactly their bytes', async (t) => {
  const house = await warm(t);
  for (const version of VERSIONS) {
    const response = await ask(house, version, ['Range: bytes=0-9, 50000-50099, -5']);
    t.equal(response.status, 206, version);
    t.equal(response.field('content-range'), undefined);
    t.equal(response.field('content-length'), String(response.body.length));
    const wanted = [
      [0, 10],
      [50_000, 50_100],
      [99_995, 100_000],
    ] as const;
    const parts = partsOf(response);
    t.equal(parts.length, wanted.length);
    for (const [index, [from, until]] of wanted.entries()) {
      t.match(parts[index]?.fields, new RegExp(`Content-Range: bytes ${from}-${until - 1}/100000`, 'i'));
      t.match(parts[index]?.fields, /Content-Type: application\/x-test/i);
      t.ok(parts[index]?.bytes.equals(BODY.subarray(from, until)));
    }
  }
});

t.test('RFC 9110 §14.2, scar 12: what is no range of bytes is ignored, what is beyond the end is a 416', async (t) => {
  const house = await warm(t);
  for (const version of VERSIONS) {
    for (const range of ['lines=0-1', 'bytes=5-1', 'bytes=a-b', 'bytes=', 'bytes', '0-1', 'bytes=--1', 'bytes=0-1-2']) {
      const response = await ask(house, version, [`Range: ${range}`]);
      t.equal(response.status, 200, `${version} ${range}`);
      t.ok(response.body.equals(BODY));
    }
    for (const range of ['bytes=100000-', 'bytes=100000-200000', 'bytes=-0']) {
      const response = await ask(house, version, [`Range: ${range}`]);
      t.equal(response.status, 416, `${version} ${range}`);
      t.equal(response.field('content-range'), 'bytes */100000');
    }
  }
  t.equal((await ask(house, 'HTTP/1.1', ['Range: bytes=0-1'], 'HEAD')).status, 200, 'Range is for GET alone');
  t.equal(house.origin.requestCount, 1);
});

/** Field lines, and the status that answers them from the store. */
const CONDITIONS: readonly (readonly [number, ...string[]])[] = [
  [304, 'If-None-Match: "v1"'],
  [304, 'If-None-Match: W/"v1"'],
  [304, 'If-None-Match: "v0", W/"x", "v1"'],
  [304, 'If-None-Match: "v0"', 'If-None-Match: "v1"'],
  [304, 'If-None-Match: *'],
  [200, 'If-None-Match: "v2"'],
  [200, 'If-None-Match: v1'],
  [304, `If-Modified-Since: ${MODIFIED}`],
  [304, 'If-Modified-Since: Tue, 06 Jan 2026 10:00:00 GMT'],
  [200, 'If-Modified-Since: Sun, 04 Jan 2026 10:00:00 GMT'],
  [200, 'If-Modified-Since: nonsense'],
  [200, 'If-None-Match: "v2"', `If-Modified-Since: ${MODIFIED}`],
  [200, 'If-Match: "v1"'],
  [200, 'If-Match: *'],
  [412, 'If-Match: "v2"'],
  [412, 'If-Match: W/"v1"'],
  [200, `If-Unmodified-Since: ${MODIFIED}`],
  [412, 'If-Unmodified-Since: Sun, 04 Jan 2026 10:00:00 GMT'],
  [412, 'If-Match: "v2"', 'If-None-Match: "v1"'],
  [206, 'Range: bytes=0-9', 'If-Range: "v1"'],
  [200, 'Range: bytes=0-9', 'If-Range: "v2"'],
  [200, 'Range: bytes=0-9', 'If-Range: W/"v1"'],
  [206, 'Range: bytes=0-9', `If-Range: ${MODIFIED}`],
  [200, 'Range: bytes=0-9', 'If-Range: Tue, 06 Jan 2026 10:00:00 GMT'],
  [304, 'Range: bytes=0-9', 'If-None-Match: "v1"'],
  [412, 'Range: bytes=0-9', 'If-Match: "v2"'],
  [200, 'Range: bytes=200000-', 'If-Range: "v2"'],
];

t.test('RFC 9110 §13.2.2: conditions are answered from the store, in their order of precedence', async (t) => {
  const house = await warm(t);
  for (const version of VERSIONS) {
    for (const [status, ...lines] of CONDITIONS) {
      const response = await ask(house, version, lines);
      t.equal(response.status, status, `${version} ${lines.join(', ')}`);
      if (status === 200) t.ok(response.body.equals(BODY));
      if (status === 206) t.ok(response.body.equals(BODY.subarray(0, 10)));
      if (status === 304) {
        t.equal(response.body.length, 0);
        t.equal(response.field('etag'), '"v1"');
        t.ok(response.field('date') !== undefined);
        t.equal(response.field('content-type'), undefined);
      }
      t.ok(/^patina; hit; /.test(response.field('cache-status') ?? ''));
    }
  }
  t.equal(house.origin.requestCount, 1);
});

t.test('design 3: a range of a body that still streams comes as soon as its bytes do', async (t) => {
  const house = await openProxy(t);
  const barrier = createBarrier();
  const head = `HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nETag: "v1"\r\nContent-Length: ${BODY.length}\r\n\r\n`;
  house.origin.script(send(head), send(BODY.subarray(0, 60_000)), until(barrier), send(BODY.subarray(60_000)));
  const leader = await house.connect();
  const first = await leader.send(request('GET', '/x')).head();
  await first.received(60_000);
  const early = await house.get('/x', 'Range: bytes=1000-1999');
  t.equal(early.status, 206);
  t.ok(early.body.equals(BODY.subarray(1000, 2000)));
  const late = await house.connect();
  const across = await late.send(request('GET', '/x', 'Range: bytes=59000-60999')).head();
  t.equal(across.status, 206);
  t.equal(across.field('content-range'), 'bytes 59000-60999/100000');
  t.ok((await across.received(1000)).equals(BODY.subarray(59_000, 60_000)));
  const matched = await house.get('/x', 'If-None-Match: "v1"');
  t.equal(matched.status, 304);
  barrier.open();
  t.ok((await across.whole()).body.equals(BODY.subarray(59_000, 61_000)));
  t.ok((await first.whole()).body.equals(BODY));
  t.equal(house.origin.requestCount, 1);
});

t.test('RFC 9111 §3.3: a range that is not stored goes to the origin, and answers that range alone', async (t) => {
  const house = await openProxy(t);
  house.origin.respond((seen) =>
    seen.field('range') === 'bytes=0-9'
      ? { status: 206, fields: [...FIELDS, 'Content-Range', 'bytes 0-9/100000'], body: BODY.subarray(0, 10) }
      : { fields: FIELDS, body: BODY },
  );
  t.ok((await house.get('/x', 'Range: bytes=0-9')).body.equals(BODY.subarray(0, 10)));
  const again = await house.get('/x', 'Range: bytes=2-5');
  t.ok(again.body.equals(BODY.subarray(2, 6)));
  t.equal(again.field('cdn-cache'), 'HIT');
  const whole = await house.get('/x');
  t.equal(whole.status, 200);
  t.ok(whole.body.equals(BODY));
});

t.test('RFC 9112 §6.1: an HTTP/1.0 client gets a body of unknown length without chunks, and its end', async (t) => {
  const house = await openProxy(t);
  house.origin.script(send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'));
  const client = await house.connect();
  const response = await client.send(`GET /x HTTP/1.0\r\nHost: ${HOST}\r\nConnection: keep-alive\r\n\r\n`).response();
  t.equal(response.framing === 'chunked', false);
  t.equal(response.body.toString(), 'abcde');
  t.equal(metric(await house.metrics(), 'patina_fills_in_flight'), 0);
});
