// Goal: a request body reaches the origin whole or is seen to be cut off, at the origin's pace, whatever the client does.
// Method: raw clients that leave, stall or break off, a scripted origin that tells how each body ended; limits by FakeClock.
import { randomBytes } from 'node:crypto';
import t from 'tap';
import { BODY_IDLE_TIMEOUT_MS, CONNECTION_SWEEP_MS } from '../../lib/base/limits.js';
import { createBarrier, turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { detailOf, metric, openProxy, request, settled } from '../kit/proxy-kit.js';
import { readBody, type Step, send, until } from '../kit/scripted-origin.js';

const OK = send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
const sized = (method: string, length: number, ...lines: string[]) =>
  request(method, '/x', ...lines, `Content-Length: ${length}`);
const chunked = (method: string, ...lines: string[]) => request(method, '/x', ...lines, 'Transfer-Encoding: chunked');

const BEGUN = [
  ['a sized body', `${sized('POST', 10)}abc`],
  ['a chunk', `${chunked('POST')}5\r\nabc`],
  ['a chunked body, between two chunks', `${chunked('PUT')}3\r\nabc\r\n`],
  ['the last chunk', `${chunked('POST')}3\r\nabc\r\n0\r\n`],
  ['a sized body of a GET', `${sized('GET', 10)}abc`],
] as const;

t.test('RFC 9112 §8: a client that ends within its body is cut off at the origin too', async (t) => {
  for (const [where, bytes] of BEGUN) {
    for (const leave of ['reset', 'close', 'finish'] as const) {
      const house = await openProxy(t);
      house.origin.script(readBody());
      const client = await house.connect();
      client.send(bytes);
      const seen = await house.origin.seen(1);
      client[leave]();
      t.equal(await seen.ending, 'cut-off', `${leave} within ${where}`);
      await house.answers.reached(1);
      t.match(house.answered, [{ ending: 'aborted' }]);
      t.equal(metric(await house.metrics(), 'patina_objects'), 0);
    }
  }
});

t.test('limits: a body that stalls is answered 408 after body_idle, and cut off at the origin', async (t) => {
  for (const [where, bytes] of BEGUN) {
    const clock = new FakeClock();
    const house = await openProxy(t, { clock, conf: { origin: { timeouts: { headers: '1h', idle: '1h' } } } });
    house.origin.script(readBody());
    const client = await house.connect();
    client.send(bytes);
    const seen = await house.origin.seen(1);
    await settled(() => seen.body.length === 3);
    // One sweep sees the bytes, later ones that none came.
    for (let ms = 0; ms < BODY_IDLE_TIMEOUT_MS; ms += CONNECTION_SWEEP_MS) clock.advance(CONNECTION_SWEEP_MS);
    t.equal(house.answered.length, 0, 'not before its time');
    clock.advance(CONNECTION_SWEEP_MS);
    const response = await client.response();
    t.equal(response.status, 408, where);
    t.equal(detailOf(response), 'request-timeout');
    t.equal(response.field('cdn-cache'), 'ERROR');
    t.equal(await seen.ending, 'cut-off');
  }
});

t.test('bodies of either framing arrive byte for byte, with every method that has one', async (t) => {
  const house = await openProxy(t);
  const body = randomBytes(300_000);
  const client = await house.connect();
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'GET']) {
    house.origin.script(readBody(), OK);
    client.send(sized(method, body.length)).send(body);
    t.equal((await client.response()).body.toString(), 'ok', method);
    house.origin.script(readBody(), OK);
    client.send(chunked(method));
    for (let at = 0; at < body.length; at += 100_000) {
      const piece = body.subarray(at, at + 100_000);
      client
        .send(`${piece.length.toString(16).toUpperCase()};x=y\r\n`)
        .send(piece)
        .send('\r\n');
    }
    client.send('0\r\n\r\n');
    t.equal((await client.response()).body.toString(), 'ok', method);
  }
  for (const seen of house.origin.requests) {
    t.equal(await seen.ending, 'complete');
    t.ok(seen.body.equals(body), `${seen.method} ${seen.field('content-length') ?? seen.field('transfer-encoding')}`);
  }
});

const LARGE_BYTES = 50_000_000;
/** What the kernel may hold for two loopback connections, both ends, and what the proxy may hold itself. */
const BUFFERED_BYTES = 24_000_000;

t.test('DESIGN §6: 50 MB go to a slow origin at its pace, and back to a slow client at its', async (t) => {
  const house = await openProxy(t);
  const [open, back] = [createBarrier(), createBarrier()];
  const hold: Step = async (socket) => {
    socket.pause();
    await open.passed;
    socket.resume();
  };
  let isSent = false;
  const body = Buffer.alloc(LARGE_BYTES, 'o');
  const head = send(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE_BYTES}\r\n\r\n`);
  house.origin.script(
    hold,
    readBody(),
    head,
    async () => back.passed,
    send(body),
    () => {
      isSent = true;
    },
  );
  const client = await house.connect();
  let sentBytes = 0;
  client.send(sized('POST', LARGE_BYTES));
  const piece = Buffer.alloc(500_000, 'c');
  for (let at = 0; at < LARGE_BYTES; at += piece.length) {
    client.socket.write(piece, () => {
      sentBytes += piece.length;
    });
  }
  await house.origin.seen(1);
  await turns(500);
  t.ok(sentBytes < BUFFERED_BYTES, `${sentBytes} bytes left the client while the origin read none`);
  open.open();
  const response = await client.head();
  t.equal(house.origin.requests[0]?.body.length, LARGE_BYTES);
  client.pause();
  back.open();
  await turns(500);
  t.notOk(isSent, 'the origin is held back while the client reads nothing');
  client.resume();
  t.ok((await response.whole()).body.equals(body));
  t.equal(house.answered.length, 1);
});

t.test(
  'RFC 9112 §9.5: a final answer while the client still uploads is passed on at once and ends the connection',
  async (t) => {
    const house = await openProxy(t);
    house.origin.script(send('HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno\n'));
    const client = await house.connect();
    client.send(`${sized('POST', 10_000_000)}abc`);
    const response = await client.response();
    t.equal(response.status, 413);
    t.equal(response.field('cdn-cache'), 'BYPASS');
    client.send(Buffer.alloc(5_000_000)).send(request('GET', '/next'));
    t.equal(await client.ended, 'finished');
    t.equal(await house.origin.requests[0]?.ending, 'cut-off');
    t.strictSame(
      house.origin.requests.map(({ target }) => target),
      ['/x'],
      'what was sent behind the half body is no request',
    );
  },
);

t.test('RFC 9110 §10.1.1: the origin decides whether a client that expects 100 may go on', async (t) => {
  const house = await openProxy(t);
  house.origin.script(send('HTTP/1.1 100 Continue\r\n\r\n'), readBody(), OK);
  const client = await house.connect();
  client.send(sized('POST', 3, 'Expect: 100-continue'));
  const answer = client.head();
  const seen = await house.origin.seen(1);
  t.equal(seen.field('expect'), '100-continue');
  await settled(() => client.receivedBytes > 0);
  client.send('abc');
  const response = await (await answer).whole();
  t.strictSame(
    response.interim.map(({ status }) => status),
    [100],
  );
  t.equal(seen.body.toString(), 'abc');
  house.origin.script(send('HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n'));
  client.send(sized('POST', 3, 'Expect: 100-continue'));
  t.equal((await client.response()).status, 417);
  t.equal(await client.ended, 'finished');
});

t.test('limits: a client that was told to go on, and sends nothing, is answered 408 after body_idle', async (t) => {
  for (const sent of ['', 'ab']) {
    const clock = new FakeClock();
    const house = await openProxy(t, { clock, conf: { origin: { timeouts: { headers: '1h', idle: '1h' } } } });
    const barrier = createBarrier();
    house.origin.script(until(barrier), send('HTTP/1.1 100 Continue\r\n\r\n'), readBody());
    const client = await house.connect();
    client.send(sized('POST', 3, 'Expect: 100-continue') + sent);
    const answer = client.head();
    const seen = await house.origin.seen(1);
    for (let ms = 0; ms < 2 * BODY_IDLE_TIMEOUT_MS; ms += CONNECTION_SWEEP_MS) clock.advance(CONNECTION_SWEEP_MS);
    t.equal(house.answered.length, 0, 'what it waits for is not its fault');
    barrier.open();
    await settled(() => client.receivedBytes > 0);
    for (let ms = 0; ms <= BODY_IDLE_TIMEOUT_MS; ms += CONNECTION_SWEEP_MS) clock.advance(CONNECTION_SWEEP_MS);
    const response = await answer;
    t.equal(response.status, 408);
    t.equal(detailOf(response), 'request-timeout');
    t.equal(await seen.ending, 'cut-off');
  }
});

t.test('RFC 9110 §10.1.1: with a GET or HEAD too that has content', async (t) => {
  const house = await openProxy(t);
  for (const method of ['GET', 'HEAD']) {
    house.origin.script(send('HTTP/1.1 100 Continue\r\n\r\n'), readBody(), send('HTTP/1.1 204 Done\r\n\r\n'));
    const client = await house.connect();
    const answer = client.send(sized(method, 3, 'Expect: 100-continue')).response(method);
    await settled(() => client.receivedBytes > 0);
    client.send('abc');
    t.equal((await answer).status, 204, method);
    t.equal(house.origin.requests.at(-1)?.body.toString(), 'abc');
  }
});

t.test('RFC 9110 §7.6.1: an expectation that is for this connection alone is met here', async (t) => {
  const house = await openProxy(t);
  house.origin.script(readBody(), OK);
  const client = await house.connect();
  const answer = client.send(sized('POST', 3, 'Expect: 100-continue', 'Connection: expect')).response();
  await settled(() => client.receivedBytes > 0);
  client.send('abc');
  t.equal((await answer).interim.length, 1);
  t.equal(house.origin.requests[0]?.field('expect'), undefined);
});

t.test('RFC 9110 §10.1.1: in a pipeline too the client is told to go on, when it is its turn', async (t) => {
  // node:http reads both ahead.
  const house = await openProxy(t, { conf: { fast_lane: 'off' } });
  const barrier = createBarrier();
  house.origin.perform(({ method }) =>
    method === 'GET' ? [until(barrier), OK] : [send('HTTP/1.1 100 Continue\r\n\r\n'), readBody(), OK],
  );
  const client = await house.connect();
  let heard = '';
  client.socket.on('data', (chunk: Buffer) => {
    heard += chunk.toString('latin1');
  });
  client.send(request('GET', '/first') + sized('POST', 3, 'Expect: 100-continue'));
  await house.origin.seen(2);
  await turns(20);
  t.equal(heard, '');
  barrier.open();
  await settled(() => heard.endsWith('okHTTP/1.1 100 Continue\r\n\r\n'));
  client.send('abc');
  t.equal((await client.response()).status, 200);
  const second = await client.response();
  t.match([second.status, second.interim.length], [200, 1]);
});

t.test(
  'limits: in a pipeline a client has body_idle from when it is told to go on, not from when that is known',
  async (t) => {
    const clock = new FakeClock();
    const timeouts = { headers: '1h', idle: '1h' };
    const house = await openProxy(t, { clock, conf: { fast_lane: 'off', origin: { timeouts } } });
    const barrier = createBarrier();
    house.origin.perform(({ method }) =>
      method === 'GET' ? [until(barrier), OK] : [send('HTTP/1.1 100 Continue\r\n\r\n'), readBody(), OK],
    );
    const client = await house.connect();
    client.send(request('GET', '/first') + sized('POST', 3, 'Expect: 100-continue'));
    await house.origin.seen(2);
    await turns(20);
    for (let ms = 0; ms < 2 * BODY_IDLE_TIMEOUT_MS; ms += CONNECTION_SWEEP_MS) clock.advance(CONNECTION_SWEEP_MS);
    t.equal(house.answered.length, 0, 'it waits for the reply before');
    barrier.open();
    t.equal((await client.response()).status, 200);
    client.send('abc');
    t.equal((await client.response()).status, 200);
  },
);

t.test('RFC 9110 §6.5: trailers of a request go on to the origin', async (t) => {
  const house = await openProxy(t);
  house.origin.script(readBody(), OK);
  t.equal((await house.ask(`${chunked('POST', 'Trailer: X-Sum')}3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n`)).status, 200);
  t.strictSame(house.origin.requests[0]?.trailers, ['X-Sum', '1']);
});
