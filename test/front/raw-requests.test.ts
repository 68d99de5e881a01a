// Goal: what is not HTTP/1.1 to the letter is refused, closes its connection and reaches nobody; what is odd but valid
// goes through with its meaning. Method: raw bytes over sockets, a stub engine, one table for each side.
import t, { type Test } from 'tap';
import { Fields } from '../../lib/http/fields.js';
import { CutOff, connectRaw, type RawResponse } from '../kit/raw-client.js';
import { openHouse } from './house.js';

const HOST = 'Host: a.example\r\n';
const get = (fields: string, target = '/x') => `GET ${target} HTTP/1.1\r\n${fields}\r\n`;
const post = (fields: string, body: string) => `POST /x HTTP/1.1\r\n${HOST}${fields}\r\n${body}`;
const chunked = (body: string) => post('Transfer-Encoding: chunked\r\n', body);

interface Refused {
  readonly title: string;
  readonly bytes: string;
  readonly status: number;
  readonly detail: string;
  /** The fault is in the body: the head had been handed on by then. */
  readonly isInBody?: boolean;
}

const bad = (title: string, bytes: string, status = 400, detail = 'malformed-request'): Refused => ({
  title,
  bytes,
  status,
  detail,
});
const badBody = (title: string, bytes: string): Refused => ({ ...bad(title, bytes), isInBody: true });

const REFUSED: readonly Refused[] = [
  bad('RFC 9112 §2.2: a bare LF after the request line', `GET /x HTTP/1.1\n${HOST}\r\n`),
  bad('RFC 9112 §2.2: a bare LF after a field', 'GET /x HTTP/1.1\r\nHost: a\nX: y\r\n\r\n'),
  bad('RFC 9112 §2.2: a bare LF before the body', 'GET /x HTTP/1.1\r\nHost: a\r\n\n'),
  bad('RFC 9112 §2.2: a bare CR in a value', get(`${HOST}X: a\rb\r\n`)),
  bad('RFC 9112 §2.2: two CRs at the end of a value', get(`${HOST}X: a\r\r\n`)),
  bad('RFC 9112 §2.2: white space before the first field', `GET /x HTTP/1.1\r\n X: a\r\n${HOST}\r\n`),
  bad('RFC 9112 §2.3: HTTP/0.9 without a version', 'GET /x\r\n\r\n'),
  bad('RFC 9112 §2.3: HTTP/0.9 with a version', `GET /x HTTP/0.9\r\n${HOST}\r\n`),
  bad('RFC 9112 §2.3: HTTP/2.0 in a request line', `GET /x HTTP/2.0\r\n${HOST}\r\n`),
  bad('RFC 9112 §2.3: HTTP/1.2', `GET /x HTTP/1.2\r\n${HOST}\r\n`),
  bad('RFC 9112 §2.3: the name of the protocol in lower case', `GET /x http/1.1\r\n${HOST}\r\n`),
  bad('RFC 9113 §3.4: the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  bad('RFC 9112 §3: a space in the target', `GET /a b HTTP/1.1\r\n${HOST}\r\n`),
  bad('RFC 9112 §3: a space after the version', `GET /x HTTP/1.1 \r\n${HOST}\r\n`),
  bad('RFC 9112 §3: a space before the method', ` GET /x HTTP/1.1\r\n${HOST}\r\n`),
  bad('RFC 9112 §3: a tab after the method', `GET\t/x HTTP/1.1\r\n${HOST}\r\n`),
  bad('RFC 9112 §3: a tab in the target', get(HOST, '/a\tb')),
  bad('RFC 9112 §3: a control byte in the target', get(HOST, '/a\x01b')),
  bad('RFC 9112 §3: NUL in the target', get(HOST, '/a\0b')),
  bad('RFC 9112 §3: a byte beyond ASCII in the target', get(HOST, '/a\xe9b')),
  bad('RFC 9112 §3.2: a relative target', get(HOST, 'x')),
  bad('RFC 9112 §3.2: authority-form without CONNECT', get(HOST, 'a.example:80')),
  bad('RFC 9112 §3.2: a fragment', get(HOST, '/a#b'), 400, 'target-invalid'),
  bad('RFC 9112 §3.2.4: * without OPTIONS', get(HOST, '*'), 400, 'target-invalid'),
  bad('RFC 9112 §3.2.2: an absolute target with another scheme', get(HOST, 'ftp://a/x'), 400, 'target-invalid'),
  bad('RFC 9110 §7.4: an https target on a plain connection', get(HOST, 'https://a/x'), 400, 'target-invalid'),
  bad('RFC 9110 §4.2.4: userinfo in an absolute target', get(HOST, 'http://u:p@a/x'), 400, 'host-invalid'),
  bad('RFC 9110 §4.2.1: an absolute target without a host', get(HOST, 'http:///x'), 400, 'host-invalid'),
  bad('RFC 9112 §3.2: no Host', get('X: y\r\n'), 400, 'host-invalid'),
  bad('RFC 9112 §3.2: no Host beside an absolute target', get('X: y\r\n', 'http://a/x'), 400, 'host-invalid'),
  bad('RFC 9112 §3.2: two Hosts', get('Host: a\r\nHost: b\r\n'), 400, 'host-invalid'),
  bad('RFC 9112 §3.2: the same Host twice', get('Host: a\r\nhOST: a\r\n'), 400, 'host-invalid'),
  bad('RFC 9110 §7.2: an empty Host', get('Host:\r\n'), 400, 'host-invalid'),
  bad('RFC 9110 §7.2: a space in Host', get('Host: a b\r\n'), 400, 'host-invalid'),
  bad('RFC 9110 §7.2: userinfo in Host', get('Host: u@a\r\n'), 400, 'host-invalid'),
  bad('RFC 9110 §7.2: a path in Host', get('Host: a/b\r\n'), 400, 'host-invalid'),
  bad('RFC 9110 §7.2: a port that is no number', get('Host: a:b\r\n'), 400, 'host-invalid'),
  bad('RFC 9110 §7.2: an open bracket in Host', get('Host: [::1\r\n'), 400, 'host-invalid'),
  bad('RFC 9112 §5.1: a space before the colon', get(`${HOST}X : a\r\n`)),
  bad('RFC 9112 §5.1: a space in a name', get(`${HOST}X y: a\r\n`)),
  bad('RFC 9110 §5.1: an empty name', get(`${HOST}: a\r\n`)),
  bad('RFC 9110 §5.1: a line without a colon', get(`${HOST}Xyz\r\n`)),
  bad('RFC 9110 §5.1: a delimiter in a name', get(`${HOST}X(y: a\r\n`)),
  bad('RFC 9110 §5.1: a byte beyond ASCII in a name', get(`${HOST}X\xe9: a\r\n`)),
  bad('RFC 9112 §5.2: obs-fold with a space', get(`${HOST}X: a\r\n b\r\n`)),
  bad('RFC 9112 §5.2: obs-fold with a tab', get(`${HOST}X: a\r\n\tb\r\n`)),
  bad('RFC 9110 §5.5: NUL in a value', get(`${HOST}X: a\0b\r\n`)),
  bad('RFC 9110 §5.5: a control byte in a value', get(`${HOST}X: a\x01b\r\n`)),
  bad('RFC 9110 §5.5: a vertical tab in a value', get(`${HOST}X: a\x0bb\r\n`)),
  bad('RFC 9110 §5.5: DEL in a value', get(`${HOST}X: a\x7fb\r\n`)),
  bad(
    'RFC 9112 §6.3: Content-Length before Transfer-Encoding',
    post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
  ),
  bad(
    'RFC 9112 §6.3: Transfer-Encoding before Content-Length',
    post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n'),
  ),
  bad('RFC 9112 §6.3: Content-Length twice', post('Content-Length: 2\r\nContent-Length: 2\r\n', 'ab')),
  bad('RFC 9112 §6.3: a list in Content-Length', post('Content-Length: 2, 2\r\n', 'ab')),
  bad('RFC 9110 §8.6: a sign in Content-Length', post('Content-Length: +2\r\n', 'ab')),
  bad('RFC 9110 §8.6: a negative Content-Length', post('Content-Length: -2\r\n', 'ab')),
  bad('RFC 9110 §8.6: a space inside Content-Length', post('Content-Length: 2 2\r\n', 'ab')),
  bad('RFC 9110 §8.6: a hexadecimal Content-Length', post('Content-Length: 0x2\r\n', 'ab')),
  bad('RFC 9110 §8.6: an empty Content-Length', post('Content-Length:\r\n', 'ab')),
  bad('RFC 9110 §8.6: a Content-Length beyond 64 bits', post('Content-Length: 99999999999999999999\r\n', 'ab')),
  bad(
    'RFC 9110 §8.6: a Content-Length beyond what can be counted',
    post('Content-Length: 18446744073709551615\r\n', 'ab'),
    400,
    'framing-invalid',
  ),
  bad('RFC 9112 §6.1: a coding that is not last', post('Transfer-Encoding: chunked, gzip\r\n', '0\r\n\r\n')),
  bad('RFC 9112 §6.1: chunked twice', post('Transfer-Encoding: chunked, chunked\r\n', '0\r\n\r\n')),
  bad('RFC 9112 §6.1: chunked in two lines', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '')),
  bad('RFC 9112 §6.1: identity', post('Transfer-Encoding: identity\r\n', 'ab'), 501, 'not-implemented'),
  bad(
    'RFC 9112 §6.1: something like chunked',
    post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'),
    501,
    'not-implemented',
  ),
  bad('RFC 9112 §6.1: chunked behind a vertical tab', post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n')),
  bad('RFC 9112 §6.1: an empty coding', post('Transfer-Encoding:\r\n', '')),
  bad(
    'RFC 9112 §6.1: a coding beside chunked',
    post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'),
    501,
    'not-implemented',
  ),
  bad(
    'RFC 9112 §6.1: a coding in HTTP/1.0',
    `POST /x HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
    'framing-invalid',
  ),
  bad('RFC 9110 §9.3.6: CONNECT', 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n', 501, 'not-implemented'),
  bad('RFC 9110 §9.1: an unknown method', `FOO /x HTTP/1.1\r\n${HOST}\r\n`, 501, 'not-implemented'),
  bad('RFC 9110 §9.1: methods are case-sensitive', `get /x HTTP/1.1\r\n${HOST}\r\n`, 501, 'not-implemented'),
  bad('a method of RTSP', 'PLAY rtsp://a/x RTSP/1.0\r\n\r\n', 501, 'not-implemented'),
  bad('a method of Icecast', `SOURCE /x ICE/1.0\r\n${HOST}\r\n`, 501, 'not-implemented'),
  bad('a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
  bad('RFC 9110 §10.1.1: an unknown expectation', post('Expect: magic\r\n', ''), 417, 'expectation-failed'),
  bad('RFC 9110 §10.1.1: two expectations', post('Expect: 100-continue, magic\r\n', ''), 417, 'expectation-failed'),
  bad(
    'RFC 9110 §7.8: an upgrade with a body',
    post('Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n', 'xyz'),
    501,
    'not-implemented',
  ),
  bad('RFC 9110 §15.5.15: a long target', get(HOST, `/${'a'.repeat(9000)}`), 414, 'url-too-long'),
  bad('RFC 9110 §15.5.15: a target beyond all bounds', get(HOST, `/${'a'.repeat(60_000)}`), 414, 'url-too-long'),
  bad('RFC 6585 §5: large fields', get(`${HOST}X: ${'a'.repeat(33_000)}\r\n`), 431, 'fields-too-large'),
  bad('RFC 6585 §5: fields beyond all bounds', get(`${HOST}X: ${'a'.repeat(60_000)}\r\n`), 431, 'fields-too-large'),
  bad('RFC 6585 §5: many fields', get(`${HOST}${'A: b\r\n'.repeat(100)}`), 431, 'too-many-fields'),
  bad('RFC 6585 §5: more fields than Node counts', get(`${HOST}${'A: b\r\n'.repeat(3000)}`), 431, 'too-many-fields'),
  badBody('RFC 9112 §7.1: a chunk size that is no number', chunked('zz\r\nab\r\n0\r\n\r\n')),
  badBody('RFC 9112 §7.1: a negative chunk size', chunked('-2\r\nab\r\n0\r\n\r\n')),
  badBody('RFC 9112 §7.1: a chunk size with 0x', chunked('0x2\r\nab\r\n0\r\n\r\n')),
  badBody('RFC 9112 §7.1: an empty chunk size', chunked('\r\nab\r\n0\r\n\r\n')),
  badBody('RFC 9112 §7.1: a chunk size beyond 64 bits', chunked('10000000000000002\r\nab\r\n0\r\n\r\n')),
  badBody('RFC 9112 §7.1: a space after the chunk size', chunked('2 \r\nab\r\n0\r\n\r\n')),
  badBody('RFC 9112 §7.1: a space before the chunk size', chunked(' 2\r\nab\r\n0\r\n\r\n')),
  badBody('RFC 9112 §7.1: a bare LF after the chunk size', chunked('2\nab\r\n0\r\n\r\n')),
  badBody('RFC 9112 §7.1: a chunk longer than its size', chunked('2\r\nabc\r\n0\r\n\r\n')),
  badBody('RFC 9112 §7.1: no line end after a chunk', chunked('2\r\nab0\r\n\r\n')),
  badBody('RFC 9112 §7.1.1: a bare LF in a chunk extension', chunked('2;a\nab\r\n0\r\n\r\n')),
  badBody('RFC 9112 §7.1.1: a bare CR in a chunk extension', chunked('2;a\rb\r\nab\r\n0\r\n\r\n')),
  badBody('RFC 9112 §7.1.1: a control byte in a chunk extension', chunked('2;a=\x01\r\nab\r\n0\r\n\r\n')),
  badBody('RFC 9112 §7.1.2: a trailer with a space in its name', chunked('2\r\nab\r\n0\r\nX T: v\r\n\r\n')),
  badBody('RFC 9112 §7.1.2: a trailer with a control byte', chunked('2\r\nab\r\n0\r\nX-T: a\x01\r\n\r\n')),
  badBody('RFC 9110 §6.5.1: Content-Length as a trailer', chunked('2\r\nab\r\n0\r\nContent-Length: 3\r\n\r\n')),
  badBody('RFC 9110 §6.5.1: Transfer-Encoding as a trailer', chunked('0\r\nTransfer-Encoding: chunked\r\n\r\n')),
];

/** One refused request, checked for everything that holds for all of them. */
async function expectRefusal(t: Test, one: Refused): Promise<RawResponse> {
  // The engine keeps silent, as it does while a body is on its way to the origin.
  const house = await openHouse(t, () => {}, { debugHeader: 'CDN-Cache', via: '1.1 patina-test' });
  const client = await connectRaw(house.port);
  const response = await client.send(one.bytes).response();
  t.equal(response.status, one.status, 'has the status');
  t.equal(response.field('cache-status'), `patina; detail=${one.detail}`, 'Cache-Status has the reason code');
  t.equal(response.field('connection'), 'close');
  t.equal(response.field('content-type'), 'text/plain; charset=utf-8');
  t.equal(response.field('cache-control'), 'no-store');
  t.equal(response.field('cdn-cache'), 'ERROR');
  t.equal(response.field('via'), '1.1 patina-test');
  t.equal(response.field('date'), 'Thu, 01 Jan 2026 00:00:00 GMT');
  t.match(response.body.toString(), /^[A-Z][^\n]*\.\n$/, 'the body is one sentence');
  t.equal(await client.ended, 'finished', 'the connection is closed');
  t.equal(client.surplusBytes, 0, 'and nothing else was sent on it');
  t.equal(house.handed.length, one.isInBody === true ? 1 : 0, 'the engine has not seen it');
  t.equal(house.answered.length, 1, 'it is told once');
  t.match(house.answered[0], { status: one.status, outcome: 'ERROR', reason: one.detail });
  client.close();
  return response;
}

t.test('refused', async (t) => {
  for (const one of REFUSED) {
    t.test(`${one.title} is answered ${one.status} and the connection is closed`, async (t) => {
      await expectRefusal(t, one);
    });
  }
});

t.test('a refused request is answered in its turn, and what was sent after it is not looked at', async (t) => {
  const house = await openHouse(t);
  const client = await connectRaw(house.port);
  client.send(get(HOST, '/1') + get('Host: a\r\nHost: b\r\n') + get(HOST, '/3'));
  t.equal((await client.response()).body.toString(), 'you asked for /1');
  t.equal((await client.response()).status, 400);
  t.equal(await client.ended, 'finished');
  t.strictSame(
    house.handed.map((one) => one.request.target),
    ['/1'],
  );
  client.close();
});

t.test('a fault of the grammar behind a running request is answered after it', async (t) => {
  const house = await openHouse(t, () => {});
  const client = await connectRaw(house.port);
  client.send(`${get(HOST, '/1')}GET /2 HTTP/3.0\r\n\r\n`);
  await house.arrivals.reached(1);
  house.handed[0]?.sink.reply({
    status: 200,
    reasonPhrase: 'OK',
    fields: Fields.empty,
    payload: { kind: 'bytes', chunks: [Buffer.from('one')], length: 3 },
    note: { outcome: 'HIT', reason: 'fresh', rule: '', ageSec: 0, collapsed: false },
  });
  const first = await client.response();
  t.equal(first.body.toString(), 'one');
  t.equal(first.field('connection'), undefined, 'which is not the last');
  t.equal((await client.response()).status, 400);
  t.equal(await client.ended, 'finished');
  client.close();
});

t.test('RFC 9110 §9.3.2: a refused HEAD gets no content', async (t) => {
  const house = await openHouse(t);
  const client = await connectRaw(house.port);
  const response = await client.send('HEAD /x HTTP/1.1\r\n\r\n').response('HEAD');
  t.equal(response.status, 400);
  t.equal(await client.ended, 'finished');
  t.equal(client.surplusBytes, 0);
});

t.test('RFC 9112 §9.6: a refusal is not lost to a body that the client is still sending', async (t) => {
  const house = await openHouse(t, undefined, { limits: { fieldCount: 3 } });
  const client = await connectRaw(house.port);
  client.send(post(`Content-Length: 20000000\r\nA: b\r\nC: d\r\n`, ''));
  client.send(Buffer.alloc(20_000_000));
  t.equal((await client.response()).status, 431);
  t.equal(await client.ended, 'finished');
});

t.test('a clean request after a refused one gets the clean answer', async (t) => {
  const house = await openHouse(t);
  for (const bytes of [get('Host: a\r\nHost: b\r\n'), `GET /x HTTP/1.1\r\n${HOST}X : y\r\n\r\n`]) {
    const refused = await connectRaw(house.port);
    t.equal((await refused.send(bytes).response()).status, 400);
    refused.close();
    const client = await connectRaw(house.port);
    t.equal((await client.send(get(HOST)).response()).body.toString(), 'you asked for /x');
    client.close();
  }
});

interface Taken {
  readonly title: string;
  readonly bytes: string;
  readonly has: Readonly<Record<string, unknown>>;
  readonly fields?: readonly string[];
}

const TAKEN: readonly Taken[] = [
  {
    title: 'RFC 9112 §2.2: empty lines before a request are ignored',
    bytes: `\r\n\r\n${get(HOST)}`,
    has: { target: '/x' },
  },
  {
    title: 'RFC 9112 §3.2.2: an absolute target counts, and Host goes on as it says',
    bytes: get('Host: other\r\nX: y\r\n', 'http://B.example:81/p?q=1'),
    has: { target: '/p?q=1', host: 'b.example:81' },
    fields: ['Host', 'B.example:81', 'X', 'y'],
  },
  {
    title: 'RFC 9112 §3.2.2: an absolute target without a path is /',
    bytes: get(HOST, 'HTTP://b'),
    has: { target: '/', host: 'b' },
  },
  {
    title: 'RFC 9112 §3.2.2: an absolute target with a query alone gets its slash',
    bytes: get(HOST, 'http://b?q'),
    has: { target: '/?q', host: 'b' },
  },
  {
    title: 'RFC 9112 §3.2.4: OPTIONS * stays as it is',
    bytes: `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`,
    has: { method: 'OPTIONS', target: '*', host: 'a.example' },
  },
  {
    title: 'RFC 9112 §3.2.4: OPTIONS on a bare authority becomes *',
    bytes: `OPTIONS http://b HTTP/1.1\r\n${HOST}\r\n`,
    has: { target: '*', host: 'b' },
  },
  {
    title: 'RFC 9110 §4.2.3: the host is compared in lower case, the field stays as it came',
    bytes: get('hOsT: A.Example:8080\r\n'),
    has: { host: 'a.example:8080' },
    fields: ['hOsT', 'A.Example:8080'],
  },
  { title: 'RFC 3986 §3.2.2: an IPv6 literal', bytes: get('Host: [::1]:80\r\n'), has: { host: '[::1]:80' } },
  {
    title: 'a target that begins with two slashes',
    bytes: get(HOST, '//x/y'),
    has: { target: '//x/y', host: 'a.example' },
  },
  {
    title: 'RFC 9110 §5.5: tabs and obs-text in a value stay as they are',
    bytes: get(`${HOST}X: a\tb\xff\r\nY:\r\n`),
    has: {},
    fields: ['Host', 'a.example', 'X', 'a\tb\xff', 'Y', ''],
  },
  {
    title: 'RFC 9110 §5.3: repeated fields keep their order and their case',
    bytes: get(`${HOST}B: 1\r\nA: 2\r\nb: 3\r\n`),
    has: {},
    fields: ['Host', 'a.example', 'B', '1', 'A', '2', 'b', '3'],
  },
  {
    title: 'RFC 9110 §9.3.1: a GET with a body says so',
    bytes: get(`${HOST}Content-Length: 2\r\n`),
    has: { hasBody: true },
  },
  { title: 'a body of no bytes is none', bytes: post('Content-Length: 0\r\n', ''), has: { hasBody: false } },
  { title: 'RFC 9112 §6.1: codings are compared without case', bytes: chunked('0\r\n\r\n'), has: { hasBody: true } },
  {
    title: 'RFC 9110 §10.1.1: the expectation goes on with the request',
    bytes: post('Expect: 100-Continue\r\nContent-Length: 2\r\n', ''),
    has: { hasBody: true },
    fields: ['Host', 'a.example', 'Expect', '100-Continue', 'Content-Length', '2'],
  },
  {
    title: 'RFC 9110 §7.8: Upgrade without Connection: upgrade is no switch',
    bytes: get(`${HOST}Upgrade: websocket\r\n`),
    has: { isUpgrade: false },
  },
  {
    title: 'RFC 9110 §7.8: an upgrade is told',
    bytes: get(`${HOST}Connection: upgrade\r\nUpgrade: websocket\r\n`),
    has: { isUpgrade: true },
  },
  {
    title: 'RFC 9110 §7.8: Upgrade in HTTP/1.0 is ignored',
    bytes: `GET /x HTTP/1.0\r\n${HOST}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n`,
    has: { isUpgrade: false, httpVersion: '1.0' },
  },
  {
    title: 'RFC 9113 §3.1: an upgrade to h2c is ignored',
    bytes: get(`${HOST}Connection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n`),
    has: { isUpgrade: false },
  },
  {
    title: 'RFC 9110 §10.1.1: an expectation in HTTP/1.0 is ignored',
    bytes: `POST /x HTTP/1.0\r\n${HOST}Expect: magic\r\nContent-Length: 0\r\n\r\n`,
    has: { httpVersion: '1.0' },
  },
];

t.test('taken', async (t) => {
  for (const one of TAKEN) {
    t.test(one.title, async (t) => {
      const house = await openHouse(t);
      const client = await connectRaw(house.port);
      t.equal((await client.send(one.bytes).response()).status, 200);
      const request = house.handed[0]?.request;
      t.match(request, one.has);
      if (one.fields !== undefined) t.strictSame(request?.fields.raw, one.fields);
      t.equal(request?.scheme, 'http');
      t.equal(request?.remoteAddress, '127.0.0.1');
      client.close();
    });
  }
});

t.test('RFC 9112 §3.2: an HTTP/1.0 request without Host is for the address that it came to', async (t) => {
  const house = await openHouse(t);
  const client = await connectRaw(house.port);
  await client.send('GET /x HTTP/1.0\r\n\r\n').response();
  t.equal(house.handed[0]?.request.host, `127.0.0.1:${house.port}`);
  t.strictSame(house.handed[0]?.request.fields.raw, []);
  client.close();
});

t.test('a head that ends before it is complete is answered 400 and reaches nobody', async (t) => {
  const house = await openHouse(t);
  const client = await connectRaw(house.port);
  client.send('GET /x HTTP/1.1\r\nHost: a\r\n').finish();
  t.equal((await client.response()).status, 400);
  t.equal(await client.ended, 'finished');
  t.equal(house.handed.length, 0);
  t.match(house.answered[0], { reason: 'request-cut-off' });
});

t.test(
  'RFC 9112 §8: a body that ends before it is complete is answered 400, and the engine is told that it is gone',
  async (t) => {
    let gone = 0;
    const house = await openHouse(t, (_request, sink) => sink.onGone(() => gone++));
    const client = await connectRaw(house.port);
    client.send(post('Content-Length: 10\r\n', 'abc')).finish();
    t.equal((await client.response()).status, 400);
    await client.ended;
    t.equal(gone, 1);
    t.match(house.answered, [{ reason: 'request-cut-off', status: 400, ending: 'aborted' }]);
  },
);

t.test('RFC 9112 §9.6: what follows a request with Connection: close is not read', async (t) => {
  const house = await openHouse(t);
  const client = await connectRaw(house.port);
  client.send(get(`${HOST}Connection: close\r\n`, '/1') + get(HOST, '/2'));
  t.equal((await client.response()).body.toString(), 'you asked for /1');
  await t.rejects(client.response(), CutOff);
  t.equal(house.handed.length, 1);
  t.equal(house.answered.length, 1);
});
