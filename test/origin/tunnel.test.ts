// Goal: the pass lane carries heads, bodies and endings exactly, both ways. Method: a raw client, a bare server around the tunnel, a scripted origin that records every byte; time is a FakeClock.
import t from 'tap';
import { createBarrier, turns } from '../kit/barrier.js';
import { CutOff } from '../kit/raw-client.js';
import { finish, hang, readBody, reset, type Step, send, until } from '../kit/scripted-origin.js';
import { CERT, KEY } from './certificate.js';
import { TIMES } from './exchange.js';
import { passBench } from './pass-bench.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const head = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;

t.test('the head on the wire is that of the plan: no field added, changed or lost but for framing', async (t) => {
  const { origin, client } = await passBench(t);
  const one = await client();
  const cases: [request: string[], body: string, wire: string[]][] = [
    [
      [
        'DELETE //a/../b?q=http://x//y&z={|}%2f\\^` HTTP/1.1',
        'HOST: A.example',
        'x-B: 1',
        'Cookie: a=1',
        'X-b: 2',
        'cookie: b=2',
      ],
      '',
      [
        'DELETE //a/../b?q=http://x//y&z={|}%2f\\^` HTTP/1.1',
        'HOST: A.example',
        'x-B: 1',
        'x-B: 2',
        // RFC 9110 §5.3: Cookie is no list; its lines are joined as its own grammar has it.
        'Cookie: a=1; b=2',
        'Via: 1.1 test',
        'Connection: keep-alive',
      ],
    ],
    [
      ['POST / HTTP/1.1', 'Host: a', 'Content-Length: 3', 'X-Latin: \xe9'],
      'abc',
      ['POST / HTTP/1.1', 'Host: a', 'Content-Length: 3', 'X-Latin: \xe9', 'Via: 1.1 test', 'Connection: keep-alive'],
    ],
    [
      ['DELETE / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked'],
      '3\r\nabc\r\n0\r\n\r\n',
      ['DELETE / HTTP/1.1', 'Host: a', 'Via: 1.1 test', 'Transfer-Encoding: chunked', 'Connection: keep-alive'],
    ],
    [
      ['GET / HTTP/1.1', 'Host: a', 'Content-Length: 3'],
      'abc',
      ['GET / HTTP/1.1', 'Host: a', 'Content-Length: 3', 'Via: 1.1 test', 'Connection: keep-alive'],
    ],
    [
      ['OPTIONS * HTTP/1.1', 'Host: a', 'Keep-Alive: x', 'Connection: close, keep-alive'],
      '',
      ['OPTIONS * HTTP/1.1', 'Host: a', 'Via: 1.1 test', 'Connection: keep-alive'],
    ],
    [
      ['PUT http://other.example:81/p?q HTTP/1.1', 'Host: a'],
      '',
      ['PUT /p?q HTTP/1.1', 'Host: a', 'Via: 1.1 test', 'Connection: keep-alive', 'Content-Length: 0'],
    ],
  ];
  for (const [request, body, wire] of cases) {
    origin.script(readBody(), send(OK));
    const each = request.some((line) => line.startsWith('Connection')) ? await client() : one;
    each.send(`${head(...request)}${body}`);
    const response = await each.response();
    t.equal(response.status, 200);
    const seen = origin.requests.at(-1);
    t.same(seen?.head.split('\r\n'), wire);
    t.equal(seen?.body.toString(), body === '' ? '' : 'abc');
  }
});

t.test('the head of the answer keeps case, order, duplicates and reason; hop-by-hop fields go', async (t) => {
  const { origin, client, ends, over } = await passBench(t);
  origin.script(
    send(
      `${head('HTTP/1.1 207 Viele Dinge', 'x-B: 1', 'Set-Cookie: a', 'X-b: 2', 'set-cookie: b=\xe9', 'Connection: x-hop', 'Content-Length: 2')}ok`,
    ),
  );
  const one = await client();
  one.send(head('PROPFIND /x HTTP/1.1', 'Host: a'));
  const response = await one.response();
  t.equal(`${response.status} ${response.reason}`, '207 Viele Dinge');
  const fields = response.fields.filter(
    (_, i) => i % 2 === 0 && !/^(connection|keep-alive)$/i.test(response.fields[i] ?? ''),
  );
  t.same(fields, ['x-B', 'Set-Cookie', 'X-b', 'set-cookie', 'Content-Length', 'Via']);
  t.equal(response.field('set-cookie'), 'a, b=\xe9');
  t.equal(response.body.toString(), 'ok');
  await over(1);
  t.same(ends, [{ ending: 'finished', bodyBytes: 2 }]);
});

t.test('bodies of any size are streamed both ways, and neither end is run over', async (t) => {
  const { origin, client } = await passBench(t);
  const size = 48 * 1024 * 1024;
  const barrier = createBarrier();
  const response = send(head('HTTP/1.1 200 OK', `Content-Length: ${size}`));
  let isSent = false;
  const hold: Step = async (socket) => {
    socket.pause();
    await barrier.passed;
    socket.resume();
  };
  origin.script(hold, readBody(), response, send(Buffer.alloc(size, 'o')), () => {
    isSent = true;
  });
  const one = await client();
  one.send(head('POST / HTTP/1.1', 'Host: a', `Content-Length: ${size}`));
  let isTaken = false;
  one.socket.write(Buffer.alloc(size, 'c'), () => {
    isTaken = true;
  });
  await turns(300);
  t.notOk(isTaken, 'the client is held back while the origin reads nothing');
  barrier.open();
  const whole = one.head();
  const answer = await whole;
  t.equal(origin.requests[0]?.body.length, size);
  one.pause();
  await turns(300);
  t.notOk(isSent, 'the origin is held back while the client reads nothing');
  one.resume();
  t.equal((await answer.whole()).body.length, size);
});

t.test('RFC 9112 §8: a request that is cut off never reaches the origin as a complete one', async (t) => {
  for (const framing of ['Content-Length: 9', 'Transfer-Encoding: chunked']) {
    for (const leave of ['reset', 'close', 'finish'] as const) {
      const { origin, client, over, ends } = await passBench(t);
      origin.script(readBody(), send(OK));
      const one = await client();
      one.send(`${head('POST / HTTP/1.1', 'Host: a', framing)}${framing.startsWith('T') ? '3\r\nabc\r\n' : 'abc'}`);
      const request = await origin.seen(1);
      while (request.body.length < 3) await turns(1);
      one[leave]();
      t.equal(await request.ending, 'cut-off', `${framing}, ${leave}`);
      await over(1);
      t.equal(ends[0]?.ending, 'aborted');
    }
  }
});

t.test('a client that leaves ends the request to the origin', async (t) => {
  const { origin, client, over, ends, clock } = await passBench(t);
  const one = await client();
  one.send(head('DELETE / HTTP/1.1', 'Host: a'));
  await origin.seen(1);
  one.close();
  await over(1);
  await origin.departed(1);
  t.same(ends, [{ ending: 'aborted', bodyBytes: 0 }]);
  t.equal(clock.pendingCount, 0);
});

t.test('RFC 9110 §6.5: trailers go both ways, those that frame or route do not', async (t) => {
  const { origin, client } = await passBench(t);
  origin.script(
    readBody(),
    send(
      `${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}2\r\nok\r\n0\r\nX-T: 1\r\nHost: evil\r\nX-T: 2\r\n\r\n`,
    ),
  );
  const one = await client();
  one.send(
    `${head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked')}3\r\nabc\r\n0\r\nX-R: 1\r\nHost: evil\r\nX-R: 2\r\n\r\n`,
  );
  const response = await one.response();
  t.same(response.trailers, ['X-T', '1', 'X-T', '2']);
  t.equal(response.framing, 'chunked');
  t.same(origin.requests[0]?.trailers, ['X-R', '1', 'X-R', '2']);
});

t.test('RFC 9110 §10.1.1: the 100 of the origin lets the client go on', async (t) => {
  const { origin, client } = await passBench(t);
  origin.script(send(head('HTTP/1.1 100 Continue')), readBody(), send(OK));
  const one = await client();
  one.send(head('PUT / HTTP/1.1', 'Host: a', 'Expect: 100-continue', 'Content-Length: 3'));
  const request = await origin.seen(1);
  t.equal(request.field('expect'), '100-continue');
  t.equal(request.body.length, 0);
  while (one.receivedBytes === 0) await turns(1);
  one.send('abc');
  const response = await one.response();
  t.same(
    response.interim.map((interim) => interim.status),
    [100],
  );
  t.equal(origin.requests[0]?.body.toString(), 'abc');
});

t.test('RFC 9110 §10.1.1: a final status in place of the 100 is passed on, and the connection ends', async (t) => {
  const { origin, client } = await passBench(t);
  origin.script(send(head('HTTP/1.1 417 Expectation Failed', 'Content-Length: 0')));
  const one = await client();
  one.send(head('PUT / HTTP/1.1', 'Host: a', 'Expect: 100-continue', 'Content-Length: 3'));
  const response = await one.response();
  t.equal(response.status, 417);
  t.equal(response.interim.length, 0);
  t.equal(response.field('connection'), 'close');
  t.equal(await one.ended, 'finished');
  t.equal(await origin.requests[0]?.ending, 'cut-off');
});

t.test('RFC 9110 §10.1.1: a client that does not wait for the 100 is not waited for either', async (t) => {
  const { origin, client } = await passBench(t);
  origin.script(readBody(), send(OK));
  const one = await client();
  one.send(head('PUT / HTTP/1.1', 'Host: a', 'Expect: 100-continue', 'Content-Length: 3'));
  await origin.seen(1);
  one.send('abc');
  t.equal((await one.response()).status, 200);
});

t.test('RFC 9110 §15.2: interim responses are passed on, a 100 only to who asked for it', async (t) => {
  const { origin, client } = await passBench(t);
  origin.script(
    send(head('HTTP/1.1 100 Continue')),
    send(head('HTTP/1.1 103 Early Hints', 'Link: </a>', 'Link: </b>')),
    send(head('HTTP/1.1 102 Processing')),
    send(OK),
  );
  const one = await client();
  one.send(head('DELETE / HTTP/1.1', 'Host: a'));
  const response = await one.response();
  t.same(
    response.interim.map((interim) => interim.status),
    [103, 102],
  );
  t.equal(response.interim[0]?.field('link'), '</a>, </b>');
});

t.test('RFC 9110 §15.2: an HTTP/1.0 client gets no interim response and no chunked coding', async (t) => {
  const { origin, client } = await passBench(t);
  origin.script(
    send(head('HTTP/1.1 103 Early Hints')),
    send(`${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}2\r\nok\r\n0\r\n\r\n`),
  );
  const one = await client();
  one.send(head('DELETE / HTTP/1.0', 'Host: a'));
  const response = await one.response();
  t.equal(response.interim.length, 0);
  t.equal(response.framing, 'close');
  t.equal(response.body.toString(), 'ok');
});

t.test('RFC 9112 §9.5: an answer that comes while the body is still being sent is passed on at once', async (t) => {
  const { origin, client } = await passBench(t);
  const barrier = createBarrier();
  origin.script(
    send(`${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}2\r\nok\r\n`),
    until(barrier),
    readBody(),
    send('0\r\n\r\n'),
  );
  const one = await client();
  one.send(`${head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 6')}abc`);
  const answer = await one.head();
  t.equal((await answer.received(2)).toString(), 'ok');
  one.send('def');
  barrier.open();
  await answer.whole();
  t.equal(origin.requests[0]?.body.toString(), 'abcdef');
});

t.test('RFC 9112 §9.5: a complete answer ends the upload to the origin; the client is read to the end', async (t) => {
  const { origin, client } = await passBench(t);
  origin.script(send(head('HTTP/1.1 413 Content Too Large', 'Content-Length: 0')));
  origin.script(send(OK));
  const one = await client();
  one.send(`${head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 6')}abc`);
  t.equal((await one.response()).status, 413);
  t.equal(await origin.requests[0]?.ending, 'cut-off');
  one.send(`def${head('DELETE /next HTTP/1.1', 'Host: a')}`);
  t.equal((await one.response()).status, 200, 'the connection is still in step');
});

t.test('RFC 9112 §6.3: answers without a body have none, and keep their Content-Length', async (t) => {
  const { origin, client } = await passBench(t);
  const one = await client();
  for (const [method, status, length] of [
    ['HEAD', '200 OK', '5'],
    ['GET', '304 Not Modified', '5'],
    ['DELETE', '204 No Content', undefined],
    ['HEAD', '200 OK', undefined],
  ] as const) {
    const lines = length === undefined ? [] : [`Content-Length: ${length}`];
    origin.script(send(head(`HTTP/1.1 ${status}`, ...lines)));
    one.send(head(`${method} / HTTP/1.1`, 'Host: a', 'If-None-Match: "a"'));
    const response = await one.response(method);
    t.equal(`${response.status} ${response.reason}`, status);
    t.equal(response.field('content-length'), length);
    t.equal(response.field('transfer-encoding'), undefined);
  }
});

t.test('RFC 9112 §8: a broken answer never ends cleanly', async (t) => {
  const cases: [title: string, version: string, steps: Step[]][] = [
    ['too short', '1.1', [send(`${head('HTTP/1.1 200 OK', 'Content-Length: 9')}ab`), finish()]],
    ['chunked', '1.1', [send(`${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}2\r\nab\r\n`), finish()]],
    ['bad chunk', '1.1', [send(`${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}2\r\nab\r\nzz\r\n`)]],
    ['reset, delimited by close', '1.1', [send(`${head('HTTP/1.1 200 OK')}ab`), () => turns(20), reset()]],
    ['reset, to HTTP/1.0', '1.0', [send(`${head('HTTP/1.1 200 OK')}ab`), () => turns(20), reset()]],
    [
      'chunked, to HTTP/1.0',
      '1.0',
      [send(`${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}2\r\nab\r\n`), finish()],
    ],
  ];
  for (const [title, version, steps] of cases) {
    const { origin, client, over, ends } = await passBench(t);
    origin.script(...steps);
    const one = await client();
    one.send(head(`DELETE / HTTP/${version}`, 'Host: a'));
    const error = await one.response().catch((reason: unknown) => reason);
    t.ok(error instanceof CutOff, title);
    if (version === '1.0') t.equal(await one.ended, 'reset', 'a clean end would look complete');
    await over(1);
    t.equal(ends[0]?.ending, 'aborted');
  }
});

t.test('an answer that cannot be understood is a 502, and its connection is not used again', async (t) => {
  const cases: [title: string, steps: Step[]][] = [
    ['garbage', [send('garbage\r\n\r\n')]],
    ['two lengths', [send(`${head('HTTP/1.1 200 OK', 'Content-Length: 5', 'Content-Length: 6')}hello`)]],
    ['both framings', [send(`${head('HTTP/1.1 200 OK', 'Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n`)]],
    ['a coding not asked for', [send(`${head('HTTP/1.1 200 OK', 'Transfer-Encoding: gzip, chunked')}0\r\n\r\n`)]],
    ['chunked in HTTP/1.0', [send(`${head('HTTP/1.0 200 OK', 'Transfer-Encoding: chunked')}0\r\n\r\n`)]],
    ['a control byte', [send(head('HTTP/1.1 200 OK', 'X-A: \x01', 'Content-Length: 0'))]],
    ['HTTP/2.0', [send(head('HTTP/2.0 200 OK', 'Content-Length: 0'))]],
    ['too large', [send(head('HTTP/1.1 200 OK', `X-A: ${'a'.repeat(70_000)}`))]],
    ['an upgrade', [send(head('HTTP/1.1 101 Switching', 'Connection: upgrade', 'Upgrade: x'))]],
    ['a bare 101', [send(head('HTTP/1.1 101 Switching'))]],
    ['endless interim responses', [send(head('HTTP/1.1 103 Early').repeat(50))]],
  ];
  for (const [title, steps] of cases) {
    const { origin, client } = await passBench(t);
    origin.script(...steps).script(send(OK));
    const one = await client();
    one.send(head('POST / HTTP/1.1', 'Host: a'));
    const response = await one.response();
    t.equal(`${response.status} ${response.field('x-code')}`, '502 origin-malformed', title);
    const two = await client();
    two.send(head('POST / HTTP/1.1', 'Host: a'));
    t.equal((await two.response()).status, 200);
    t.equal(origin.requests.at(-1)?.connection, 2);
  }
});

t.test('MAX_RESPONSE_FIELDS_BYTES: a head below it is passed on, with every line', async (t) => {
  const { origin, client } = await passBench(t);
  const lines = Array.from({ length: 3_000 }, (_, i) => `X-${i}: 0123456789`);
  origin.script(send(head('HTTP/1.1 200 OK', ...lines, 'Content-Length: 0')));
  const one = await client();
  one.send(head('DELETE / HTTP/1.1', 'Host: a'));
  const response = await one.response();
  t.equal(response.status, 200);
  t.equal(response.field('x-2999'), '0123456789');
});

t.test('bytes behind an answer are not the next one', async (t) => {
  const evil = `${head('HTTP/1.1 200 OK', 'Content-Length: 4')}evil`;
  for (const [title, steps] of [
    ['at once', [send(`${OK}${evil}`)]],
    ['while idle', [send(OK), () => turns(20), send(evil)]],
    ['behind a 204', [send(`${head('HTTP/1.1 204 No Content')}${evil}`)]],
  ] as [string, Step[]][]) {
    const { origin, client } = await passBench(t);
    origin.script(...steps).script(send(`${head('HTTP/1.1 200 OK', 'Content-Length: 4')}next`));
    const one = await client();
    one.send(head('DELETE / HTTP/1.1', 'Host: a'));
    await one.response();
    await turns(60);
    one.send(head('DELETE / HTTP/1.1', 'Host: a'));
    t.equal((await one.response()).body.toString(), 'next', title);
  }
});

t.test('connections are reused; one that died is replaced, and the request repeated where that is safe', async (t) => {
  const { origin, client } = await passBench(t);
  const one = await client();
  origin.script(send(OK)).script(send(OK)).script(reset()).script(send(OK)).script(send(OK)).script(reset());
  for (const [request, status] of [
    [head('DELETE /1 HTTP/1.1', 'Host: a'), 200],
    [head('DELETE /2 HTTP/1.1', 'Host: a'), 200],
    [head('DELETE /3 HTTP/1.1', 'Host: a'), 200],
    [head('POST /4 HTTP/1.1', 'Host: a'), 200],
    [head('POST /5 HTTP/1.1', 'Host: a'), 502],
  ] as const) {
    one.send(request);
    t.equal((await one.response()).status, status);
    await turns();
  }
  t.same(
    origin.requests.map((request) => `${request.target} ${request.connection}`),
    ['/1 1', '/2 1', '/3 1', '/3 2', '/4 3', '/5 3'],
  );
});

t.test('an origin that cannot be reached is a 502', async (t) => {
  const { origin, client, errors } = await passBench(t);
  await origin.stop();
  const one = await client();
  one.send(`${head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 3')}abc`);
  const response = await one.response();
  t.equal(response.status, 502);
  t.equal(response.body.toString(), 'origin-refused\n');
  t.equal(errors[0]?.code, 'origin-refused');
});

t.test('timeouts: of the head, of a body either way, of the wait for a connection', async (t) => {
  const head1 = await passBench(t);
  const one = await head1.client();
  one.send(head('DELETE / HTTP/1.1', 'Host: a'));
  await head1.origin.seen(1);
  head1.clock.advance(TIMES.headersTimeoutMs);
  t.equal((await one.response()).field('x-code'), 'origin-headers-timeout');
  await head1.origin.departed(1);

  const body = await passBench(t);
  body.origin.script(send(`${head('HTTP/1.1 200 OK', 'Content-Length: 9')}ab`), hang());
  const two = await body.client();
  two.send(head('DELETE / HTTP/1.1', 'Host: a'));
  const answer = await two.head();
  await answer.received(2);
  body.clock.advance(TIMES.idleTimeoutMs);
  t.ok((await answer.whole().catch((reason: unknown) => reason)) instanceof CutOff);

  const upload = await passBench(t);
  upload.origin.script((socket) => void socket.pause(), hang());
  const three = await upload.client();
  three.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 99999999'));
  await upload.origin.seen(1);
  upload.clock.advance(TIMES.idleTimeoutMs * 3);
  t.equal(upload.errors.length, 0, 'a client that sends nothing is no fault of the origin');
  three.send(Buffer.alloc(40_000_000));
  await turns(300);
  upload.clock.advance(TIMES.idleTimeoutMs);
  await turns(10);
  upload.clock.advance(TIMES.idleTimeoutMs);
  t.equal((await three.response()).field('x-code'), 'origin-idle-timeout');

  const queue = await passBench(t, { connections: 1, headersTimeoutMs: 1_000_000, maxQueue: 1 });
  const four = await queue.client();
  four.send(head('DELETE / HTTP/1.1', 'Host: a'));
  await queue.origin.seen(1);
  const five = await queue.client();
  five.send(head('DELETE / HTTP/1.1', 'Host: a'));
  await turns(30);
  const six = await queue.client();
  six.send(head('DELETE / HTTP/1.1', 'Host: a'));
  t.equal((await six.response()).field('x-code'), 'origin-queue-full', 'no place in the queue');
  queue.clock.advance(30_000);
  t.equal((await five.response()).field('x-code'), 'origin-queue-full', 'too long in the queue');
  t.equal(queue.origin.requestCount, 1);
});

t.test('https: the pass lane checks the certificate too', async (t) => {
  const tls = { key: KEY, cert: CERT };
  const trusted = await passBench(t, { tls: { ca: CERT } }, { tls });
  trusted.origin.respond((request) => ({ body: request.target }));
  const one = await trusted.client();
  one.send(`${head('POST /x HTTP/1.1', 'Host: b.example', 'Content-Length: 3')}abc`);
  t.equal((await one.response()).body.toString(), '/x');
  const distrusted = await passBench(t, {}, { tls });
  const two = await distrusted.client();
  two.send(head('DELETE / HTTP/1.1', 'Host: a'));
  t.equal((await two.response()).field('x-code'), 'origin-tls');
});
