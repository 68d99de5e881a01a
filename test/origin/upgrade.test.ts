// Goal: an Upgrade becomes a tunnel of bytes or an ordinary reply, and neither end outlives the other. Method: ws end to end; raw bytes from both sides; time is a FakeClock.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { createBarrier, turns } from '../kit/barrier.js';
import { CutOff } from '../kit/raw-client.js';
import { finish, hang, reset, type Step, send, until } from '../kit/scripted-origin.js';
import { TIMES } from './exchange.js';
import { passBench } from './pass-bench.js';

const head = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;
const ASK = head('GET /chat?x HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: websocket', 'X-A: \xe9');
const SWITCH = head(
  'HTTP/1.1 101 Switching Protocols',
  'Connection: upgrade',
  'UPGRADE: websocket',
  'X-A: 1',
  'X-a: \xe9',
);

/** Sends back what comes. */
const echo: Step = (socket) =>
  new Promise((resolve) => {
    socket.on('data', (chunk: Buffer) => socket.write(chunk));
    socket.once('end', () => {
      socket.end();
      resolve();
    });
    socket.once('close', () => resolve());
  });

t.test('a WebSocket echo works, both ways, large frames and all', async (t) => {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) =>
    socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary })),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const { port, over, ends } = await passBench(t, { url });
  const client = new WebSocket(`ws://127.0.0.1:${port}/chat`);
  await new Promise<void>((resolve, reject) => {
    client.once('open', () => resolve());
    client.once('error', reject);
  });
  const big = Buffer.alloc(4 * 1024 * 1024, 'x');
  for (const message of ['hello', '', 'grüß', big]) {
    client.send(message);
    const got = await new Promise<Buffer>((resolve) => client.once('message', (bytes) => resolve(bytes as Buffer)));
    t.ok(got.equals(Buffer.from(message)));
  }
  const closed = new Promise<number>((resolve) => client.once('close', resolve));
  client.close(4001, 'bye');
  t.equal(await closed, 4001);
  await over(1);
  t.equal(ends[0]?.ending, 'finished');
  t.ok((ends[0]?.bodyBytes ?? 0) > big.length);
  sockets.close();
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

t.test(
  'RFC 9110 §7.8: the heads of an upgrade are those of the plan, with Connection and Upgrade of this hop',
  async (t) => {
    const { origin, client } = await passBench(t);
    origin.script(send(SWITCH), echo);
    const one = await client();
    one.send(`${ASK}early`);
    const request = await origin.seen(1);
    t.same(request.head.split('\r\n'), [
      'GET /chat?x HTTP/1.1',
      'Host: a',
      'X-A: \xe9',
      'Via: 1.1 test',
      'Connection: Upgrade',
      'Upgrade: websocket',
    ]);
    const response = await one.head();
    t.equal(`${response.status} ${response.reason}`, '101 Switching Protocols');
    t.same(response.fields, [
      'X-A',
      '1',
      'X-a',
      '\xe9',
      'Via',
      '1.1 test',
      'Connection',
      'Upgrade',
      'Upgrade',
      'websocket',
    ]);
    t.equal((await one.bytes(5)).toString(), 'early', 'bytes that came with the request head');
  },
);

t.test('bytes that came with the 101 are the first of the tunnel', async (t) => {
  const { origin, client } = await passBench(t);
  origin.script(send(`${SWITCH}first`), echo);
  const one = await client();
  one.send(ASK);
  t.equal((await one.head()).status, 101);
  t.equal((await one.bytes(5)).toString(), 'first');
});

t.test('an end of one side reaches the other, which may still speak', async (t) => {
  const { origin, client, over, ends } = await passBench(t);
  const barrier = createBarrier();
  origin.script(
    send(SWITCH),
    (socket) => new Promise((resolve) => socket.once('end', resolve)),
    until(barrier),
    send('last words'),
    finish(),
  );
  const one = await client();
  one.send(ASK);
  await one.head();
  one.finish();
  await turns(20);
  barrier.open();
  t.equal((await one.bytes(10)).toString(), 'last words');
  t.equal(await one.ended, 'finished');
  await over(1);
  t.same(ends, [{ ending: 'finished', bodyBytes: 10 }]);
  await origin.departed(1);

  origin.script(send(`${SWITCH}bye`), finish());
  const two = await client();
  two.send(ASK);
  await two.head();
  t.equal((await two.bytes(3)).toString(), 'bye');
  t.equal(await two.ended, 'finished');
  two.close();
  await over(2);
  await origin.departed(2);
});

t.test('a reset of one side reaches the other', async (t) => {
  const { origin, client, over, ends, clock } = await passBench(t);
  origin.script(send(SWITCH), () => turns(20), reset());
  const one = await client();
  one.send(ASK);
  await one.head();
  t.equal(await one.ended, 'reset');
  await over(1);
  origin.script(send(SWITCH), echo);
  const two = await client();
  two.send(ASK);
  await two.head();
  two.reset();
  await over(2);
  await origin.departed(2);
  t.same(
    ends.map((end) => end.ending),
    ['aborted', 'aborted'],
  );
  t.equal(clock.pendingCount, 0);
});

t.test('a side that ends and one that never does: the tunnel is closed after the idle timeout', async (t) => {
  const { origin, client, over, clock, ends } = await passBench(t);
  origin.script(send(SWITCH), () => new Promise(() => {}));
  const one = await client();
  one.send(ASK);
  await one.head();
  one.finish();
  await turns(20);
  clock.advance(TIMES.idleTimeoutMs - 1);
  t.equal(ends.length, 0);
  clock.advance(1);
  await over(1);
  t.equal(ends[0]?.ending, 'aborted');
  t.equal(await one.ended, 'reset');
});

t.test(
  'TUNNEL_IDLE_TIMEOUT_MS: a tunnel in which nothing moves is closed, one in which something does is not',
  async (t) => {
    const { origin, client, over, clock, ends } = await passBench(t, { tunnelIdleTimeoutMs: 60_000 });
    origin.script(send(SWITCH), echo);
    const one = await client();
    one.send(ASK);
    await one.head();
    for (let i = 0; i < 3; i++) {
      clock.advance(59_999);
      one.send('x');
      await one.bytes(1);
    }
    t.equal(ends.length, 0);
    clock.advance(60_000);
    await over(1);
    t.equal(await one.ended, 'reset');
    await origin.departed(1);
  },
);

t.test('neither end of a tunnel is run over', async (t) => {
  const { origin, client } = await passBench(t);
  const size = 48 * 1024 * 1024;
  let isSent = false;
  origin.script(send(SWITCH), send(Buffer.alloc(size)), () => {
    isSent = true;
    return new Promise(() => {});
  });
  const one = await client();
  one.send(ASK);
  await one.head();
  one.pause();
  await turns(300);
  t.notOk(isSent);
  one.resume();
  await one.bytes(1);
  while (!isSent) await turns(10);
});

t.test(
  'RFC 9110 §7.8: an origin that does not switch answers as to any request, and the connection ends',
  async (t) => {
    const cases: [title: string, steps: Step[], body: string][] = [
      ['length', [send(`${head('HTTP/1.1 403 No', 'Content-Length: 2', 'X-A: \xe9')}no`)], 'no'],
      [
        'chunked',
        [send(`${head('HTTP/1.1 403 No', 'X-A: \xe9', 'Transfer-Encoding: chunked')}2\r\nno\r\n0\r\n\r\n`)],
        'no',
      ],
      ['close', [send(`${head('HTTP/1.1 403 No', 'X-A: \xe9')}no`), finish()], 'no'],
      [
        'after hints',
        [send(head('HTTP/1.1 103 Early', 'Link: </a>')), send(`${head('HTTP/1.1 403 No', 'X-A: \xe9')}no`), finish()],
        'no',
      ],
    ];
    for (const [title, steps, body] of cases) {
      const { origin, client, over, ends } = await passBench(t);
      origin.script(...steps);
      const one = await client();
      one.send(ASK);
      const response = await one.response();
      t.equal(`${response.status} ${response.reason} ${response.body}`, `403 No ${body}`, title);
      t.equal(response.field('x-a'), '\xe9');
      t.equal(response.field('connection'), 'close');
      t.equal(await one.ended, 'finished');
      one.close();
      await over(1);
      t.same(ends, [{ ending: 'finished', bodyBytes: 2 }]);
    }
  },
);

t.test('RFC 9112 §8: a refusal that breaks off does not end cleanly', async (t) => {
  for (const steps of [
    [send(`${head('HTTP/1.1 403 No', 'Content-Length: 9')}no`), finish()],
    [send(`${head('HTTP/1.1 403 No', 'Transfer-Encoding: chunked')}2\r\nno\r\n`), finish()],
    [send(`${head('HTTP/1.1 403 No')}no`), () => turns(20), reset()],
  ] as Step[][]) {
    const { origin, client, over, ends } = await passBench(t);
    origin.script(...steps);
    const one = await client();
    one.send(ASK);
    const error = await one.response().catch((reason: unknown) => reason);
    t.ok(error instanceof CutOff && error.ending === 'reset');
    await over(1);
    t.equal(ends[0]?.ending, 'aborted');
  }
});

t.test('an upgrade that fails is answered', async (t) => {
  const cases: [title: string, steps: Step[], code: string][] = [
    ['garbage', [send('garbage\r\n\r\n')], 'origin-malformed'],
    ['reset', [reset()], 'origin-reset'],
    ['closed', [finish()], 'origin-reset'],
    [
      'a control byte',
      [send(head('HTTP/1.1 101 S', 'Connection: upgrade', 'Upgrade: websocket', 'X: \x01'))],
      'origin-malformed',
    ],
    ['a bare 101', [send(head('HTTP/1.1 101 S'))], 'origin-malformed'],
  ];
  for (const [title, steps, code] of cases) {
    const { origin, client, over, ends } = await passBench(t);
    origin.script(...steps);
    const one = await client();
    one.send(ASK);
    const response = await one.response();
    t.equal(`${response.status} ${response.field('x-code')}`, `502 ${code}`, title);
    t.equal(await one.ended, 'finished');
    one.close();
    await over(1);
    t.equal(ends[0]?.ending, 'finished');
  }
});

t.test('an upgrade that is not answered, or cannot be sent, is answered by us', async (t) => {
  const slow = await passBench(t);
  slow.origin.script(hang());
  const one = await slow.client();
  one.send(ASK);
  await slow.origin.seen(1);
  slow.clock.advance(TIMES.headersTimeoutMs);
  t.equal((await one.response()).field('x-code'), 'origin-headers-timeout');
  await slow.origin.departed(1);

  const gone = await passBench(t);
  await gone.origin.stop();
  const two = await gone.client();
  two.send(ASK);
  t.equal((await two.response()).field('x-code'), 'origin-refused');
});

t.test('a client that leaves before the answer ends the request to the origin', async (t) => {
  const { origin, client, over, ends, clock } = await passBench(t);
  origin.script(hang());
  const one = await client();
  one.send(ASK);
  await origin.seen(1);
  one.reset();
  await over(1);
  await origin.departed(1);
  t.same(ends, [{ ending: 'aborted', bodyBytes: 0 }]);
  t.equal(clock.pendingCount, 0);
});

t.test('close() cuts what still runs', async (t) => {
  const { origin, client, tunnel, over } = await passBench(t);
  origin.script(send(SWITCH), echo);
  const one = await client();
  one.send(ASK);
  await one.head();
  await tunnel.close();
  await over(1);
  t.not(await one.ended, 'left');
});
