// Goal: the fast lane answers as the full lane does, whatever a client sends. Method: the same bytes to two proxies that differ in the lane alone; status, fields, body, the end of the connection and what is told for the log are compared.
import fc from 'fast-check';
import t from 'tap';
import { anyRange } from '../kit/any-range.js';
import { HOST, metric, request } from '../kit/proxy-kit.js';
import { compare, openTwins, rested } from './lanes.kit.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const lines = (...all: string[]): string => [...all, '', ''].join('\r\n');

const LINES = [
  'GET / HTTP/1.1', 'HEAD /a HTTP/1.1', 'GET /a?b=c&d=%20 HTTP/1.1', 'GET /a%2Fb/../c HTTP/1.1', "GET /~a-b._!$&'()*+,;=:@ HTTP/1.1",
  'GET /a#b HTTP/1.1', 'GET /a"b HTTP/1.1', 'GET /a<b>{c}|d^`e HTTP/1.1', 'GET /a\\b HTTP/1.1', 'GET /\xe4 HTTP/1.1', 'GET /a\x00 HTTP/1.1',
  'GET  /a HTTP/1.1', 'GET /a  HTTP/1.1', 'GET /a\tHTTP/1.1', 'GET /a HTTP/1.1 ', ' GET /a HTTP/1.1', 'GET /a HTTP/1.0', 'GET /a HTTP/2.0',
  'GET /a HTTP/1.2', 'GET /a HTTP/0.9', 'GET /a http/1.1', 'GET /a', 'get /a HTTP/1.1', 'GET a HTTP/1.1', 'GET * HTTP/1.1', 'OPTIONS * HTTP/1.1',
  `GET http://${HOST}/a HTTP/1.1`, 'GET http://other.example/a HTTP/1.1', 'GET https://x/a HTTP/1.1', 'GET //a HTTP/1.1', 'POST /a HTTP/1.1',
  'DELETE /a HTTP/1.1', 'PURGE /a HTTP/1.1', 'CONNECT a:1 HTTP/1.1', 'GETX /a HTTP/1.1', 'G\xe4T /a HTTP/1.1', 'HEAD /large HTTP/1.1',
  `GET /${'x'.repeat(300)} HTTP/1.1`, `GET /${'x'.repeat(9000)} HTTP/1.1`, `GET /?${'y'.repeat(17_000)} HTTP/1.1`,
]; // biome-ignore format: one table
const FIELDS = [
  'Accept: */*', 'accept-language: de', 'Accept-Language: en, de;q=0.5', 'User-Agent: one/1.0 (x; y)', 'User-Agent: t\xe4st', 'Referer: http://r/',
  'Cookie: a=b; c=d', 'Authorization: Basic eA==', 'X: ', 'X:', 'X:y', 'X: y ', 'X:\ty', 'X: y\t', 'X : y', ' X: y', 'X: a\tb', 'X: \x01', 'X: a\x00b',
  'X: a\x7fb', 'X\xe4: y', 'X(: y', ': y', 'X', 'X: y\r\n z', 'X: y\r\n\tz', 'X: a\rb', 'X: a\nb', `Host: ${HOST}`, 'Host: b.example', 'host: A.EXAMPLE',
  'Host: a b', 'Host: u@x', 'Host:', 'Host: x:80', 'Host: [::1]:8080', 'Host: x:99999999', 'Connection: close', 'Connection: keep-alive',
  'Connection: Keep-Alive', 'Connection: close, X', 'Connection: X', 'Connection: upgrade', 'Connection: keep-alive, close', 'Connection: ,',
  'Keep-Alive: 300', 'Proxy-Connection: close', 'Proxy-Connection: keep-alive', 'Upgrade: h2c', 'Content-Length: 0', 'Content-Length: 3',
  'Content-Length: +3', 'Content-Length: 99999999999999999999', 'Transfer-Encoding: chunked', 'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding:',
  'TE: trailers', 'Trailer: X', 'Expect: 100-continue', 'Expect: x', 'HTTP2-Settings: AAA', 'Cache-Control: no-cache', 'Cache-Control: max-age=0',
  'Cache-Control: only-if-cached', 'Cache-Control: no-store', 'Cache-Control: min-fresh=59', 'Pragma: no-cache', 'If-None-Match: "v1"',
  'If-None-Match: W/"v1", "x"', 'If-None-Match: *', 'If-None-Match: "no"', 'If-Match: "no"', 'If-Modified-Since: Mon, 01 Dec 2025 00:00:00 GMT',
  'If-Unmodified-Since: Mon, 01 Dec 2014 00:00:00 GMT', 'Range: bytes=0-1', 'Range: bytes=1-', 'Range: bytes=0-0,2-3', 'Range: bytes=999999999-',
  'Range: lines=1', 'If-Range: "v1"', 'Via: 1.1 other', 'Via: 1.1 twin', 'X-Forwarded-Proto: https', 'X-Forwarded-Proto: gopher',
  'X-Forwarded-Host: b.example', 'X-Forwarded-For: 192.0.2.1', 'Accept-Encoding: gzip', '__proto__: x', 'constructor: y',
  `X-Long: ${'z'.repeat(3000)}`, `X-Longer: ${'z'.repeat(20_000)}`, `X-Longest: ${'z'.repeat(50_000)}`,
]; // biome-ignore format: one table
const TARGETS = [
  '/', '/a', '/down', '/gone', '/private', '/empty', '/varied', '/modified', '/cached-elsewhere', '/large', '/pass/x', '/.well-known/patina/x', '/post',
]; // biome-ignore format: one table
const CONF = { rules: [{ name: 'passed', match: { path: '/pass/**' }, pass: true }] };

t.test('design 5: for every request line alone, both lanes do the same', async (t) => {
  const twins = await openTwins(t, CONF);
  for (const line of LINES) {
    const head = bytes(lines(line, `Host: ${HOST}`));
    await compare(t, twins, line, [head]);
    await compare(t, twins, `${line}, again and then closed`, [
      head,
      bytes(request('GET', '/end', 'Connection: close')),
    ]);
  }
  t.pass(`${LINES.length} lines`);
});

t.test('design 5: for every field line, first and second to Host, both lanes do the same', async (t) => {
  const twins = await openTwins(t, CONF);
  const end = request('GET', '/end');
  for (const field of FIELDS) {
    await compare(t, twins, field, [bytes(lines('GET /a HTTP/1.1', `Host: ${HOST}`, field) + end)]);
    await compare(t, twins, `${field} first`, [bytes(lines('GET /a HTTP/1.1', field, `Host: ${HOST}`) + end)]);
    await compare(t, twins, `${field} without Host`, [bytes(lines('GET /a HTTP/1.1', field) + end)]);
    await compare(t, twins, `${field} twice`, [bytes(lines('GET /a HTTP/1.1', `Host: ${HOST}`, field, field) + end)]);
    await compare(t, twins, `${field} with HEAD`, [
      bytes(lines('HEAD /modified HTTP/1.1', `Host: ${HOST}`, field) + end),
    ]);
  }
  t.pass(`${FIELDS.length} fields`);
});

t.test('RFC 9112 §3.2: without Host, or with a field of nearly that name, both lanes do the same', async (t) => {
  const twins = await openTwins(t, CONF);
  for (const [line, status] of [
    ['GET /a HTTP/1.1', 400],
    ['HEAD /a HTTP/1.1', 400],
    ['GET /a HTTP/1.0', 200],
    ['HEAD /a HTTP/1.0', 200],
    ['GET * HTTP/1.1', 400],
  ] as const) {
    // `|` is a character of a token, and so is what differs from H by one bit.
    for (const fields of [[], [`|ost: ${HOST}`], [`\x60ost: ${HOST}`], [`X-Host: ${HOST}`]]) {
      const { text } = await compare(t, twins, `${line}, ${fields.join()}`, [bytes(lines(line, ...fields))]);
      t.match(text, new RegExp(`^HTTP/1.1 ${status} `), `${line}, ${fields.join()}`);
    }
  }
});

t.test('design 5: for every kind of answer, cold, fresh, stale and expired, both lanes do the same', async (t) => {
  const twins = await openTwins(t, { ...CONF, defaults: { keep: '1h' } });
  for (const aheadMs of [0, 1500, 61_000, 700_000, 8_000_000]) {
    twins.fast.clock.advance(aheadMs);
    twins.full.clock.advance(aheadMs);
    // What the clock has asked again in the background is over before any client comes.
    await rested(twins);
    // When the proxy itself tries again what failed is up to chance, and the twins differ by it.
    const certain = aheadMs === 0 ? TARGETS : TARGETS.filter((target) => target !== '/down');
    for (const target of certain) {
      for (const method of ['GET', 'HEAD', 'GET', 'POST']) {
        const head = await compare(t, twins, `${method} ${target} after ${aheadMs} ms`, [
          bytes(request(method, target)),
        ]);
        t.match(head.text, /^HTTP\/1\.1 [2-5]/, `${method} ${target}`);
      }
    }
  }
});

t.test('RFC 9110 §14: whatever range of whatever is stored is asked for, both lanes do the same', async (t) => {
  const twins = await openTwins(t, { debug_header: 'CDN-Cache', limits: { keep_alive: '1h' } });
  const targets = ['/a', '/large', '/nothing', '/empty', '/modified', '/gone', '/cached-elsewhere', '/varied'];
  const asked = fc.record({
    method: fc.constantFrom('GET', 'GET', 'GET', 'GET', 'HEAD'),
    target: fc.constantFrom('/a', '/large', ...targets),
    range: anyRange([0, 6, 300_000]),
    more: fc.subarray(
      [
        'If-Range: "v1"',
        'If-Range: W/"v1"',
        'If-Range: "v2"',
        'If-Range: Mon, 01 Dec 2025 00:00:00 GMT',
        'If-None-Match: "v1"',
      ],
      { maxLength: 1 },
    ),
    isLast: fc.nat(9).map((one) => one === 0),
  });
  // One of each kind is always among them.
  const kinds = ['bytes=1-2', 'bytes=999-', 'bytes=2-1'];
  const plain = { method: 'GET', target: '/a', more: [], isLast: false };
  const first = kinds.map((range) => ({ ...plain, range }));
  const statuses = new Set<string>();
  const compareAll = async (count: number, aheadMs: number): Promise<void> => {
    for (const { method, target, range, more, isLast } of [...first, ...fc.sample(asked, count)]) {
      // What is asked of the origin meanwhile would run out of time, or be answered to one of the two alone.
      await rested(twins);
      for (const { clock } of [twins.fast, twins.full]) clock.advance(aheadMs);
      await rested(twins);
      const fields = [`Range: ${range}`, ...more, ...(isLast ? ['Connection: close'] : [])];
      const text = request(method, target, ...fields);
      const heard = await compare(t, twins, `${text} ${twins.fast.clock.now()}`, [bytes(text)]);
      const kind = / (?:HIT|UPDATING)\r\n/.exec(heard.text)?.[0].trim();
      statuses.add(`${/^HTTP\/1\.1 (\d+)/.exec(heard.text)?.[1]} ${kind}`);
    }
  };
  for (const target of targets) for (const { ask } of [twins.fast, twins.full]) await ask(request('GET', target));
  await compareAll(400, 0);
  await compareAll(60, 61_000);
  for (const kind of ['206 HIT', '416 HIT', '200 HIT', '206 UPDATING', '416 UPDATING', '200 UPDATING'])
    t.ok(statuses.has(kind), kind);
});

t.test('RFC 9112 §2.2: however a request is cut into pieces, both lanes do the same', async (t) => {
  const twins = await openTwins(t, CONF);
  const scripts = [
    request('GET', '/a', 'Accept: x', 'If-None-Match: "v1"') + request('HEAD', '/a'),
    `${request('GET', '/a')}${request('POST', '/post', 'Content-Length: 3')}abc${request('GET', '/a')}`,
    `${request('GET', '/a')}GET /a HTTP/1.1\nHost: ${HOST}\n\n${request('GET', '/a')}`,
    `\r\n${request('GET', '/a')}`,
  ];
  for (const script of scripts) {
    const whole = bytes(script);
    for (let at = 1; at < whole.length; at++) {
      await compare(t, twins, `cut at ${at}: ${script}`, [whole.subarray(0, at), whole.subarray(at)]);
    }
    await compare(
      t,
      twins,
      `byte by byte: ${script}`,
      [...whole].map((byte) => Buffer.of(byte)),
    );
    for (let until = 1; until < whole.length; until++) {
      await compare(t, twins, `ended after ${until}: ${script}`, [whole.subarray(0, until)]);
    }
  }
  t.pass(`${scripts.length} scripts`);
});

t.test('RFC 9110 §9.1: however a method that nobody knows is cut into pieces, both lanes do the same', async (t) => {
  const twins = await openTwins(t, CONF);
  // The first is a method of operators, which nobody has turned on here.
  for (const method of ['REFRESH', 'RENAME', 'GETX', 'HEADS']) {
    const whole = bytes(request('GET', '/a') + request(method, '/a'));
    const from = whole.lastIndexOf(method);
    for (let at = from; at < from + method.length + 2; at++) {
      const { text } = await compare(t, twins, `cut at ${at}: ${whole}`, [whole.subarray(0, at), whole.subarray(at)]);
      t.match(text, /^HTTP\/1\.1 200 .*HTTP\/1\.1 (?:400|501) /s);
    }
  }
});

t.test('RFC 9112 §9.3.2: however many requests come in one piece, both lanes answer them in order', async (t) => {
  const twins = await openTwins(t, CONF);
  for (const target of TARGETS) {
    await compare(t, twins, `${target} pipelined`, [
      bytes(TARGETS.map((other) => request('GET', other) + request('GET', target)).join('')),
    ]);
  }
  const many = await compare(t, twins, 'many', [bytes(request('GET', '/a').repeat(200))]);
  t.equal(many.events.length, 200);
});

t.test('design 5: for requests made at random of odd parts and spoilt bytes, both lanes do the same', async (t) => {
  const twins = await openTwins(t, CONF);
  // What runs while something odd arrives behind it is read differently far ahead; hits are answered by then.
  const warm = request('GET', '/warm');
  for (const house of [twins.fast, twins.full]) await house.ask(warm);
  const targets = fc.tuple(fc.constantFrom('GET', 'HEAD'), fc.constantFrom(...TARGETS));
  const line = fc.oneof(
    fc.constantFrom(...LINES),
    targets.map(([method, target]) => `${method} ${target} HTTP/1.1`),
  );
  const fields = fc.array(fc.oneof(fc.constantFrom(...FIELDS), fc.constant('Accept: x')), { maxLength: 4 });
  const lineEnds = fc.constantFrom('\n', '\r', '\r\r\n');
  const lineEnd = fc.oneof({ weight: 20, arbitrary: fc.constant('\r\n') }, { weight: 1, arbitrary: lineEnds });
  const message = fc.tuple(line, fields, lineEnd).map(([first, more, end]) => {
    const head = [first, `Host: ${HOST}`, ...more, '', ''].join(end);
    // A body that never comes is answered by who is first to lose patience.
    if (more.includes('Content-Length: 3')) return `${head}abc`;
    return more.some((one) => /: chunked/.test(one)) ? `${head}0\r\n\r\n` : head;
  });
  const spoil = fc.option(fc.tuple(fc.nat(), fc.nat(255)), { freq: 4, nil: undefined });
  const script = fc.tuple(fc.nat(3), message, spoil, fc.option(fc.nat(), { nil: undefined }));
  await fc.assert(
    fc.asyncProperty(script, async ([warmCount, odd, spoilt, cut]) => {
      const last = bytes(odd);
      if (spoilt !== undefined) last[spoilt[0] % last.length] = spoilt[1];
      // A body that breaks off while replies wait before it cuts the connection, and an upgrade behind them is refused;
      // whether they wait is a matter of time.
      const before = /^(?:content-length|transfer-encoding|upgrade):/im.test(odd) ? 0 : warmCount;
      const whole = Buffer.concat([bytes(warm.repeat(before)), last]);
      const at = cut === undefined ? whole.length : cut % whole.length;
      const pieces = [whole.subarray(0, at), whole.subarray(at)].filter((piece) => piece.length > 0);
      const failed = t.counts.fail;
      await compare(t, twins, JSON.stringify(pieces.map(String)), pieces);
      return t.counts.fail === failed;
    }),
    { numRuns: 600 },
  );
  t.pass('as many as fast-check made');
});

t.test(
  'design 5: a connection stays in the fast lane through everything but a request that is not for it',
  async (t) => {
    const { fast } = await openTwins(t, { ...CONF, limits: { keep_alive: '1h' } });
    const client = await fast.connect();
    const isFast = async (): Promise<boolean> => metric(await fast.metrics(), 'patina_fast_lane_connections') === 1;
    for (const aheadMs of [0, 0, 61_000, 700_000]) {
      fast.clock.advance(aheadMs);
      for (const target of TARGETS) {
        for (const field of ['Accept: x', 'If-None-Match: "v1"', 'Range: bytes=0-0', 'Cache-Control: no-cache']) {
          const response = await client.send(request('GET', target, field)).response();
          t.ok(response.status >= 200, target);
        }
        await client.send(request('HEAD', target)).response('HEAD');
      }
      t.ok(await isFast());
    }
    client.send(request('GET', '/down').repeat(5));
    for (let i = 0; i < 5; i++) t.equal((await client.response()).status, 503);
    t.ok(await isFast());
    await client.send(`${request('POST', '/post', 'Content-Length: 3')}abc`).response();
    t.notOk(await isFast());
    t.equal((await client.send(request('GET', '/a')).response()).status, 200, 'it goes on in the other');
  },
);
