// Goal: the test kit itself can be trusted. Method: its two ends talk to each other over real sockets.
import t from 'tap';
import { createBarrier } from './barrier.js';
import { CutOff, connectRaw, exchangeRaw } from './raw-client.js';
import { finish, reset, send, startScriptedOrigin, until } from './scripted-origin.js';

t.test('scripts are played in order, requests are recorded', async (t) => {
  const origin = await startScriptedOrigin();
  t.teardown(() => origin.close());
  origin.script(send('HTTP/1.1 103 Early\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab'));
  origin.script(send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'), send('0\r\nX-T: 1\r\n\r\n'));
  const client = await connectRaw(origin.port);
  client.send('POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyzGET /b HTTP/1.1\r\nHost: h\r\n\r\n');
  const first = await client.response();
  t.equal(first.body.toString(), 'ab');
  t.equal(first.interim[0]?.status, 103);
  const second = await client.response();
  t.equal(second.body.toString(), 'abc');
  t.same(second.trailers, ['X-T', '1']);
  t.equal(origin.requests[0]?.body.toString(), 'xyz');
  t.equal(origin.requests[1]?.target, '/b');
  t.equal(origin.connectionCount, 1);
  client.close();
  t.equal(await client.ended, 'left');
});

t.test('a barrier holds the origin, the client sees the bytes before it', async (t) => {
  const origin = await startScriptedOrigin();
  t.teardown(() => origin.close());
  const barrier = createBarrier();
  origin.script(send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab'), until(barrier), send('cd'));
  const client = await connectRaw(origin.port);
  client.send('GET / HTTP/1.1\r\n\r\n');
  const response = await client.head();
  t.equal((await response.received(2)).toString(), 'ab');
  barrier.open();
  t.equal((await response.whole()).body.toString(), 'abcd');
  client.close();
});

t.test('endings are told apart', async (t) => {
  const origin = await startScriptedOrigin();
  t.teardown(() => origin.close());
  origin.script(send('HTTP/1.1 200 OK\r\n\r\nab'), finish());
  t.equal((await exchangeRaw(origin.port, 'GET / HTTP/1.1\r\n\r\n')).body.toString(), 'ab');
  for (const [step, ending] of [
    [finish(), 'finished'],
    [reset(), 'reset'],
  ] as const) {
    const barrier = createBarrier();
    origin.script(send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab'), until(barrier), step);
    const client = await connectRaw(origin.port);
    client.send('GET / HTTP/1.1\r\n\r\n');
    const head = await client.head();
    await head.received(2);
    barrier.open();
    const error = await head.whole().catch((reason: unknown) => reason);
    t.ok(error instanceof CutOff && error.ending === ending && error.received.toString() === 'ab', ending);
    t.equal(await client.ended, ending);
  }
});

t.test('the responder answers what no script is left for, and the origin can die and come back', async (t) => {
  const origin = await startScriptedOrigin();
  t.teardown(() => origin.close());
  origin.respond((request) => ({ fields: ['X-Method', request.method], body: request.target }));
  t.equal((await exchangeRaw(origin.port, 'GET /q HTTP/1.1\r\n\r\n')).body.toString(), '/q');
  t.equal((await exchangeRaw(origin.port, 'HEAD /q HTTP/1.1\r\n\r\n', 'HEAD')).field('content-length'), '2');
  await origin.stop();
  await t.rejects(connectRaw(origin.port), { code: 'ECONNREFUSED' });
  await origin.restart();
  t.equal((await exchangeRaw(origin.port, 'GET /r HTTP/1.1\r\n\r\n')).body.toString(), '/r');
});
