// Goal: what a proxy takes out of a message, and puts into it, in both directions; interim responses, trailers, upgrades,
// loops. Method: raw clients and a scripted origin that keeps what it was sent, the whole proxy in between.
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { createBarrier } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { cacheStatus, detailOf, HOST, openProxy, request } from '../kit/proxy-kit.js';
import { readBody, send, until } from '../kit/scripted-origin.js';

const LANES = [
  ['GET', request('GET', '/x')],
  ['POST', request('POST', '/x', 'Content-Length: 0')],
] as const;

const withLines = (bytes: string, ...lines: string[]) => bytes.replace('\r\n\r\n', `\r\n${lines.join('\r\n')}\r\n\r\n`);
const lower = (fields: readonly string[]) => fields.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());

t.test('RFC 9110 §7.6.1: hop-by-hop and Connection-listed fields of a request go no further', async (t) => {
  for (const [lane, bytes] of LANES) {
    const house = await openProxy(t);
    house.origin.respond(() => ({ body: 'x' }));
    const hop = [
      'Keep-Alive: timeout=5',
      'Proxy-Connection: keep-alive',
      'TE: trailers, deflate',
      'Proxy-Authorization: Basic eA==',
    ];
    const listed = ['Connection: X-One', 'X-One: 1', 'cOnnection: close, x-TWO', 'X-Two: 2', 'X-Three: 3'];
    await house.ask(withLines(bytes, ...hop, ...listed, 'Upgrade: x'));
    const seen = await house.origin.seen(1);
    for (const name of ['keep-alive', 'proxy-connection', 'te', 'proxy-authorization', 'x-one', 'x-two', 'upgrade']) {
      t.equal(seen.field(name), undefined, `${lane} ${name}`);
    }
    t.equal(seen.field('x-three'), '3');
    t.notMatch(seen.field('connection') ?? '', /x-/i);
  }
});

t.test('RFC 9110 §7.6.3: Via says by which version the message was received, from the store and past it', async (t) => {
  const clock = new FakeClock();
  const house = await openProxy(t, { clock, conf: { name: 'me', defaults: { grace: '1h' } } });
  const fields = 'Cache-Control: max-age=60\r\nETag: "1"\r\n';
  const old = send(`HTTP/1.0 200 OK\r\n${fields}Content-Length: 2\r\n\r\nhi`);
  const ends = (socket: Socket): void => void socket.end();
  house.origin.script(old, ends);
  const via = async (...lines: string[]) => (await house.get('/a', ...lines)).field('via');
  t.equal(await via(), '1.0 me', 'as it came');
  for (const lines of [[], ['If-None-Match: "1"'], ['Range: bytes=0-0'], ['If-Match: "2"']]) {
    t.equal(await via(...lines), '1.0 me', lines.join());
  }
  t.equal((await house.ask(request('HEAD', '/a'), 'HEAD')).field('via'), '1.0 me');
  for (let hits = 0; hits < 8; hits++) t.equal(await via(), '1.0 me', 'as it is kept ready');
  house.origin.respond(() => ({ status: 304, fields: ['Cache-Control', 'max-age=60', 'ETag', '"1"'] }));
  t.equal(await via('Cache-Control: no-cache'), '1.1 me', 'the 304 came by 1.1');
  house.origin.script(old, ends);
  t.equal((await house.ask(request('POST', '/a', 'Content-Length: 0'))).field('via'), '1.0 me');
  t.equal((await house.origin.seen(1)).field('via'), '1.1 me');
});

t.test('RFC 9110 §7.6.1: those of a response go no further, at first and from the store', async (t) => {
  for (const [lane, bytes] of LANES) {
    const house = await openProxy(t);
    const hop = [
      'Keep-Alive',
      'timeout=5',
      'Proxy-Connection',
      'x',
      'Proxy-Authenticate',
      'Basic',
      'Trailer',
      'X-T',
      'Upgrade',
      'x',
    ];
    const listed = [
      'Connection',
      'X-One, keep-alive',
      'X-One',
      '1',
      'connection',
      'X-Two',
      'X-Two',
      '2',
      'X-Three',
      '3',
    ];
    house.origin.respond(() => ({ fields: [...hop, ...listed, 'Cache-Control', 'max-age=60'], body: 'x' }));
    for (let round = 0; round < 2; round++) {
      const response = await house.ask(bytes);
      for (const name of ['keep-alive', 'proxy-connection', 'proxy-authenticate', 'upgrade', 'x-one', 'x-two']) {
        t.equal(response.field(name), undefined, `${lane} ${name}`);
      }
      t.notMatch(response.field('connection') ?? '', /x-/i);
      t.equal(response.field('x-three'), '3');
    }
  }
});

t.test(
  'RFC 9110 §7.6.2: Max-Forwards of OPTIONS and TRACE counts the hops, and at 0 the answer is from here',
  async (t) => {
    const house = await openProxy(t);
    house.origin.respond(() => ({ body: 'origin' }));
    for (const [method, target] of [
      ['OPTIONS', '/x'],
      ['OPTIONS', '*'],
      ['TRACE', '/x'],
    ] as const) {
      const before = house.origin.requestCount;
      const forwarded = await house.ask(request(method, target, 'Max-Forwards: 2'), method);
      t.equal(forwarded.body.toString(), 'origin');
      t.equal((await house.origin.seen(before + 1)).field('max-forwards'), '1', `${method} ${target}`);
      const secrets = ['Cookie: a=b', 'Authorization: Basic eA=='];
      const last = await house.ask(request(method, target, 'Max-Forwards: 0', 'X-Seen: yes', ...secrets), method);
      t.equal(house.origin.requestCount, before + 1, `${method} ${target} went no further`);
      t.same([last.status, detailOf(last)], [200, 'max-forwards']);
      if (method === 'OPTIONS') t.equal(last.body.length, 0);
      else {
        t.equal(last.field('content-type'), 'message/http', 'RFC 9110 §9.3.8');
        t.equal(last.body.toString(), `TRACE /x HTTP/1.1\r\nHost: ${HOST}\r\nMax-Forwards: 0\r\nX-Seen: yes\r\n\r\n`);
      }
    }
    await house.ask(request('OPTIONS', '/x', 'Max-Forwards: many'));
    t.equal(house.origin.requests.at(-1)?.field('max-forwards'), 'many', 'what is no number counts nothing');
    await house.ask(request('DELETE', '/x', 'Max-Forwards: 0'));
    t.equal(house.origin.requests.at(-1)?.field('max-forwards'), '0', 'it says nothing to other methods');
  },
);

t.test('RFC 9110 §8.6: no 1xx and no 204 goes on with a Content-Length', async (t) => {
  for (const [lane, bytes] of LANES) {
    const house = await openProxy(t);
    house.origin.script(
      send('HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nLink: </a>\r\n\r\n'),
      send('HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n'),
    );
    const response = await house.ask(bytes);
    t.same([response.status, response.field('content-length')], [204, undefined], lane);
    const [hint] = response.interim;
    t.same([hint?.status, hint?.field('content-length'), hint?.field('link')], [103, undefined, '</a>'], lane);
  }
});

t.test('RFC 9110 §7.6.3: Via is added in both directions, behind what is there', async (t) => {
  for (const [lane, bytes] of LANES) {
    const house = await openProxy(t, { conf: { name: 'patina-1' } });
    house.origin.respond(() => ({ fields: ['Via', '1.0 inner'], body: 'x' }));
    const response = await house.ask(withLines(bytes, 'Via: 1.1 outer'));
    t.equal(house.origin.requests[0]?.field('via'), '1.1 outer, 1.1 patina-1', lane);
    t.equal(response.field('via'), '1.0 inner, 1.1 patina-1', lane);
    await house.ask(bytes.replace('HTTP/1.1', 'HTTP/1.0'));
    t.equal(house.origin.requests[1]?.field('via'), '1.0 patina-1', 'the version that it was received with');
    const refused = await house.ask(request('CONNECT', '/x'));
    t.equal(refused.field('via'), '1.1 patina-1', 'on a reply of our own too');
  }
});

t.test('X-Forwarded-For, -Proto and -Host tell the origin where a request came from', async (t) => {
  for (const [lane, bytes] of LANES) {
    const house = await openProxy(t, { conf: { origin: { host: 'inner.example' } } });
    house.origin.respond(() => ({ body: 'x' }));
    await house.ask(bytes);
    const seen = await house.origin.seen(1);
    t.equal(seen.field('x-forwarded-for'), '127.0.0.1', lane);
    t.equal(seen.field('x-forwarded-proto'), 'http', lane);
    t.equal(seen.field('x-forwarded-host'), HOST, lane);
    t.equal(seen.field('host'), 'inner.example', lane);
    await house.ask(withLines(bytes, 'X-Forwarded-For: 192.0.2.1'));
    t.equal((await house.origin.seen(2)).field('x-forwarded-for'), '192.0.2.1, 127.0.0.1', lane);
  }
});

t.test('RFC 9110 §6.6.1: Date is supplied where the origin sent none, and kept where it did', async (t) => {
  for (const [lane, bytes] of LANES) {
    const house = await openProxy(t);
    house.origin.script(send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
    const date = (await house.ask(bytes)).field('date') ?? '';
    t.ok(Math.abs(Date.parse(date) - Date.now()) < 10_000, `${lane} ${date}`);
    house.origin.script(send('HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n'));
    t.equal((await house.ask(bytes)).field('date'), 'Mon, 01 Jan 2024 00:00:00 GMT', lane);
  }
});

t.test('a loop through ourselves is answered 508, by any method, and fills nothing', async (t) => {
  const sockets = new Set<{ destroy(): void }>();
  let port = 0;
  const relay = createTcpServer((socket) => {
    const onward = connect(port);
    for (const end of [socket, onward]) {
      sockets.add(end);
      end.on('error', () => end.destroy());
    }
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    relay.close();
  });
  const url = new URL(`http://127.0.0.1:${(relay.address() as AddressInfo).port}`);
  const house = await openProxy(t, { url });
  port = house.port;
  for (const [lane, bytes] of LANES) {
    const response = await house.ask(bytes);
    t.equal(response.status, 508, lane);
    t.match(response.field('cache-status'), /patina; detail=loop-detected/, lane);
  }
  t.match(
    house.answered.filter(({ reason }) => reason === 'loop-detected').map(({ status }) => status),
    [508, 508],
  );
});

t.test('two instances in a chain are no loop: Via, Cache-Status and Age tell of both', async (t) => {
  const inner = await openProxy(t);
  inner.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=60', 'Age', '7'], body: 'x' }));
  const outer = await openProxy(t, { url: new URL(`http://127.0.0.1:${inner.port}`) });
  t.equal((await outer.get('/x')).field('age'), '7');
  const response = await outer.get('/x');
  t.equal(response.status, 200);
  t.equal(response.field('cdn-cache'), 'HIT', 'one line, our own');
  t.match(response.field('via'), /^1\.1 \S+, 1\.1 \S+$/);
  t.match(response.field('cache-status'), /^patina; fwd=uri-miss.*, patina; hit; ttl=5\d; detail=fresh$/);
  t.equal(inner.origin.requestCount, 1);
});

t.test(
  'RFC 9110 §9.3.2: HEAD gets the fields of a GET and no content, from the origin and from the store',
  async (t) => {
    const house = await openProxy(t);
    house.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=60', 'Content-Length', '5'], body: 'hello' }));
    const client = await house.connect();
    for (const outcome of ['MISS', 'HIT']) {
      const head = await client.send(request('HEAD', '/x')).response('HEAD');
      t.equal(head.field('content-length'), '5');
      t.equal(head.field('cdn-cache'), outcome);
      const got = await client.send(request('GET', '/x')).response();
      t.equal(got.body.toString(), 'hello');
      t.strictSame(
        lower(head.fields).filter((name) => name !== 'age'),
        lower(got.fields).filter((name) => name !== 'age'),
      );
    }
  },
);

t.test('RFC 8297 §2, RFC 9110 §15.2: a 103 is passed on at once, to all who wait, and is never stored', async (t) => {
  const house = await openProxy(t);
  const barrier = createBarrier();
  house.origin.script(
    send('HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: X-One\r\nX-One: 1\r\n\r\n'),
    until(barrier),
    send('HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1\r\n\r\na'),
  );
  const client = await house.connect();
  client.send(request('GET', '/x'));
  await house.origin.seen(1);
  await client.socket.once('data', () => barrier.open());
  const response = await client.response();
  const [hint] = response.interim;
  t.equal(hint?.status, 103);
  t.equal(hint?.field('link'), '</a.css>; rel=preload');
  t.equal(hint?.field('x-one'), undefined);
  t.equal((await client.send(request('GET', '/x')).response()).interim.length, 0);
  house.origin.script(
    send('HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
  );
  const old = await house.ask(`GET /y HTTP/1.0\r\nHost: ${HOST}\r\n\r\n`);
  t.equal(old.interim.length, 0, 'RFC 9110 §15.2: none to HTTP/1.0');
  house.origin.script(
    send('HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
  );
  t.equal((await house.ask(request('POST', '/y', 'Content-Length: 0'))).interim[0]?.status, 103);
});

t.test('RFC 9110 §6.5: trailers of an answer reach the client that asked for them, on either lane', async (t) => {
  const answer =
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nContent-Type: x/y\r\nSet-Cookie: a=b\r\n\r\n';
  for (const [lane, bytes] of LANES) {
    const house = await openProxy(t);
    house.origin.script(send(answer));
    const response = await house.ask(withLines(bytes, 'TE: trailers', 'Connection: TE'));
    t.equal(response.body.toString(), 'abc');
    t.strictSame(response.trailers, ['X-Sum', '1'], lane);
  }
});

async function openEcho(t: Test): Promise<URL> {
  const server = createServer();
  const sockets = new WebSocketServer({ server, handleProtocols: () => 'chat' });
  sockets.on('connection', (socket) =>
    socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary })),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

t.test('RFC 9110 §7.8: a WebSocket echo works through the proxy', async (t) => {
  const house = await openProxy(t, { url: await openEcho(t) });
  const client = new WebSocket(`ws://127.0.0.1:${house.port}/echo`, 'chat');
  await new Promise<void>((resolve, reject) => {
    client.once('open', () => resolve());
    client.once('error', reject);
  });
  t.equal(client.protocol, 'chat');
  for (const message of [Buffer.from('hello'), Buffer.alloc(3_000_000, 'x')]) {
    client.send(message);
    const echo = await new Promise<Buffer>((resolve) => client.once('message', (bytes) => resolve(bytes as Buffer)));
    t.ok(echo.equals(message));
  }
  const closed = new Promise<number>((resolve) => client.once('close', resolve));
  client.close(4000);
  t.equal(await closed, 4000);
  await house.answers.reached(1);
  t.match(house.answered[0], { status: 101, outcome: 'BYPASS', reason: 'upgrade', ending: 'finished' });
});

t.test(
  'RFC 9110 §7.8: an upgrade that the origin refuses is an ordinary answer, and the connection ends',
  async (t) => {
    const house = await openProxy(t);
    house.origin.script(send('HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n'));
    const client = await house.connect();
    client.send(request('GET', '/x', 'Connection: upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'));
    const response = await client.response();
    t.equal(response.status, 403);
    t.equal(response.body.toString(), 'no\n');
    t.equal(detailOf(response), 'upgrade');
    t.equal(await client.ended, 'finished');
  },
);

t.test('RFC 9110 §9.3.7, §9.3.8: OPTIONS and TRACE go through as they are, asterisk-form too', async (t) => {
  const house = await openProxy(t);
  house.origin.respond(({ method, target }) => ({ body: `${method} ${target}` }));
  t.equal((await house.ask(request('OPTIONS', '*'))).body.toString(), 'OPTIONS *');
  t.equal((await house.ask(request('TRACE', '/x'))).body.toString(), 'TRACE /x');
  t.equal(cacheStatus(await house.ask(request('OPTIONS', '/x'))).parameters.get('fwd'), 'method');
});

t.test('RFC 9112 §6.3: 204 and 304 of the pass lane end with their head, and the connection goes on', async (t) => {
  const house = await openProxy(t);
  const client = await house.connect();
  for (const status of [204, 304, 205]) {
    house.origin.script(
      readBody(),
      send(`HTTP/1.1 ${status} X\r\n${status === 205 ? 'Content-Length: 0\r\n' : ''}\r\n`),
    );
    client.send(`${request('POST', '/x', 'Content-Length: 1')}a`);
    t.equal((await client.response()).status, status);
  }
});

t.test(
  'RFC 9110 §5.3: of two lines of Date, ETag or Last-Modified the first counts, and it alone goes on',
  async (t) => {
    const [first, second] = ['Thu, 01 Jan 2026 00:00:00 GMT', 'Wed, 31 Dec 2025 00:00:00 GMT'];
    const fields = ['ETag', '"1"', 'Date', first, 'eTag', '"2"', 'Last-Modified', first, 'Cache-Control', 'max-age=60'];
    fields.push('date', second, 'Last-modified', second, 'X-Two', '1', 'X-Two', '2');
    for (const fastLane of ['on', 'off']) {
      for (const method of ['GET', 'POST']) {
        const house = await openProxy(t, { clock: new FakeClock(), conf: { fast_lane: fastLane } });
        house.origin.respond(() => ({ fields, body: 'x' }));
        const bytes = method === 'GET' ? request('GET', '/x') : request('POST', '/x', 'Content-Length: 0');
        for (let n = 0; n < 3; n++) {
          const answer = await house.ask(bytes);
          t.same(
            ['etag', 'date', 'last-modified', 'x-two'].map((name) => answer.field(name)),
            ['"1"', first, first, '1, 2'],
          );
        }
        if (method === 'POST') continue;
        t.equal((await house.get('/x', 'If-None-Match: "2"')).status, 200, fastLane);
        t.equal((await house.get('/x', 'If-None-Match: "1"')).status, 304, fastLane);
      }
    }
  },
);
