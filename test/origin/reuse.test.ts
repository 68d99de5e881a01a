// Goal: a connection to the origin is used again where the next answer cannot be mistaken, and no longer than the origin keeps it. Method: a scripted origin over real sockets; time is a FakeClock.
import t, { type Test } from 'tap';
import { ORIGIN_KEEP_ALIVE_MS, ORIGIN_READ_BYTES } from '../../lib/base/limits.js';
import { MAX_IN_SLAB_BYTES, SLAB_BYTES } from '../../lib/base/slab.js';
import { Fields } from '../../lib/http/fields.js';
import { type Events, SILENT } from '../../lib/observe/events.js';
import type { OriginClient } from '../../lib/origin/contract.js';
import { createBarrier, turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { reset, type ScriptedOrigin, type Step, send, startScriptedOrigin, until } from '../kit/scripted-origin.js';
import { CERT, KEY } from './certificate.js';
import { clientFor, get, Recorder } from './exchange.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

interface Bench {
  readonly origin: ScriptedOrigin;
  readonly client: OriginClient;
  readonly clock: FakeClock;
  /** Asks, and waits for the end. */
  ask(method?: 'GET' | 'HEAD', content?: Buffer): Promise<Recorder>;
}

async function bench(t: Test, isSecure = false): Promise<Bench> {
  const origin = await startScriptedOrigin(isSecure ? { tls: { key: KEY, cert: CERT } } : {});
  const clock = new FakeClock();
  const client = clientFor(origin.url, { connections: 1, clock, ...(isSecure ? { tls: { ca: CERT } } : undefined) });
  t.teardown(async () => {
    await origin.close();
    await client.close();
  });
  const ask: Bench['ask'] = async (method = 'GET', content) => {
    const recorder = new Recorder();
    client.fetch({ ...get(), ...(content === undefined ? { method } : { method: 'POST', content }) }, recorder);
    await recorder.over;
    await turns();
    return recorder;
  };
  return { origin, client, clock, ask };
}

t.test('RFC 9112 §9.3: which answers keep their connection', async (t) => {
  const cases: [title: string, method: 'GET' | 'HEAD', answer: string, isKept: boolean][] = [
    ['a length', 'GET', OK, true],
    ['chunked', 'GET', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n', true],
    ['a 304 with the length of a 200', 'GET', 'HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n', true],
    ['HEAD with the length of a GET', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n', true],
    ['HEAD with the coding of a GET', 'HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', true],
    ['HEAD without framing', 'HEAD', 'HTTP/1.1 200 OK\r\n\r\n', false],
    ['HEAD answered with its own body', 'HEAD', OK, false],
    ['close', 'GET', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok', false],
    ['HTTP/1.0', 'GET', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', false],
    ['HTTP/1.0, kept', 'GET', 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok', true],
    ['Keep-Alive that is over', 'GET', OK.replace('\r\n', '\r\nKeep-Alive: timeout=1, max=5\r\n'), false],
  ];
  for (const [title, method, answer, isKept] of cases) {
    const { origin, ask } = await bench(t);
    origin.script(send(answer)).script(send(OK));
    t.equal(await (await ask(method)).ending(), 'end', title);
    t.equal((await ask()).body, 'ok', title);
    t.equal(origin.connectionCount, isKept ? 1 : 2, title);
  }
});

t.test('ORIGIN_KEEP_ALIVE_MS: an idle connection is closed', async (t) => {
  const { origin, client, clock, ask } = await bench(t);
  origin.respond(() => ({ body: 'ok' }));
  await ask();
  clock.advance(ORIGIN_KEEP_ALIVE_MS - 1);
  await turns();
  t.equal(client.stats.connected, 1);
  clock.advance(1);
  await origin.departed(1);
  t.equal(client.stats.connected, 0);
  t.equal((await ask()).body, 'ok');
});

t.test('a Keep-Alive of the origin closes it sooner, before the origin does', async (t) => {
  const { origin, client, clock, ask } = await bench(t);
  origin.script(send(OK.replace('\r\n', '\r\nKeep-Alive: timeout=5\r\n')));
  await ask();
  clock.advance(3_999);
  await turns();
  t.equal(client.stats.connected, 1);
  clock.advance(1);
  await origin.departed(1);
  t.equal(client.stats.connected, 0);
});

t.test('an origin that closes an idle connection is noticed at once', async (t) => {
  for (const end of [reset(), ((socket) => void socket.end()) satisfies Step]) {
    const { origin, client, ask } = await bench(t);
    const barrier = createBarrier();
    origin.script(send(OK), until(barrier), end).script(send(OK));
    await ask();
    barrier.open();
    while (client.stats.connected > 0) await turns(1);
    t.equal((await ask()).body, 'ok');
    t.equal(origin.requestCount, 2, 'and nothing was repeated');
  }
});

t.test('RFC 9112 §9.3.1: a POST that may be repeated is, with its content', async (t) => {
  const { origin, ask } = await bench(t);
  origin.script(send(OK)).script(reset()).script(send(OK));
  await ask();
  t.equal((await ask('GET', Buffer.from('question'))).body, 'ok');
  await turns();
  t.same(
    origin.requests.map(({ body, field }) => [field('content-length'), body.toString()]),
    [
      [undefined, ''],
      ['8', 'question'],
      ['8', 'question'],
    ],
  );
});

t.test('RFC 9112 §9.5: an answer that comes before the request was taken ends its connection', async (t) => {
  const { origin, client, ask } = await bench(t);
  origin.greet((socket) => void socket.pause(), send('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno'));
  const recorder = await ask('GET', Buffer.alloc(32 * 1024 * 1024));
  t.equal(recorder.response?.status, 413);
  t.equal(recorder.body, 'no');
  t.equal(client.stats.connected, 0);
});

t.test('RFC 9112 §9.5: the same of a head that the kernel did not take at once', async (t) => {
  const { origin, client } = await bench(t);
  origin.greet((socket) => void socket.pause(), send('HTTP/1.1 431 Too Large\r\nContent-Length: 2\r\n\r\nno'));
  const recorder = new Recorder();
  client.fetch(get('/', Fields.of({ Host: 'a.example', 'X-Large': 'x'.repeat(32 * 1024 * 1024) })), recorder);
  await recorder.over;
  await turns();
  t.equal(recorder.response?.status, 431);
  t.equal(client.stats.connected, 0);
});

t.test(
  'what is kept of a body is not written over by later reads, and pins no more than twice its size, or a slab',
  async (t) => {
    for (const isSecure of [false, true]) {
      const { origin, ask } = await bench(t, isSecure);
      const chunk = (letter: string, bytes: number): string => `${bytes.toString(16)}\r\n${letter.repeat(bytes)}\r\n`;
      const letters = [...'abcdefghijklmnopqrstuvwxyz'];
      const sizes = letters.map((_, i) => (i % 5) * ORIGIN_READ_BYTES + i + 1);
      const bodies: [head: string, wire: string, body: string][] = [
        [
          'Transfer-Encoding: chunked',
          `${letters.map((letter, i) => chunk(letter, sizes[i] as number)).join('')}0\r\n\r\n`,
          letters.map((letter, i) => letter.repeat(sizes[i] as number)).join(''),
        ],
      ];
      const flat = bodies[0]?.[2] ?? '';
      bodies.push([`Content-Length: ${flat.length}`, flat, flat]);
      for (const [head, wire, body] of bodies) {
        origin.script(send(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${wire}`)).script(send(OK));
        const recorder = await ask();
        const other = await ask();
        t.equal(other.body, 'ok');
        t.ok(recorder.body === body, 'every byte is what it was');
        for (const { buffer, length } of recorder.chunks) {
          // How the last bytes come is for the kernel and for the version of Node to say.
          const most = length <= MAX_IN_SLAB_BYTES ? Math.max(SLAB_BYTES, length * 2) : length * 2;
          if (buffer.byteLength > most) t.fail(`${length} bytes pin ${buffer.byteLength}`);
        }
      }
      t.equal(origin.connectionCount, 1);
    }
  },
);

t.test('small bodies lie together, each in its own place', async (t) => {
  const { origin, ask } = await bench(t);
  const bodies = Array.from({ length: 200 }, (_, i) => String.fromCharCode(0x21 + (i % 90)).repeat(1000 + i));
  for (const body of bodies) origin.script(send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`));
  const recorders: Recorder[] = [];
  for (const _ of bodies) recorders.push(await ask());
  t.same(
    recorders.map(({ body }) => body),
    bodies,
  );
  const buffers = new Set(recorders.flatMap(({ chunks }) => chunks.map(({ buffer }) => buffer)));
  t.ok(buffers.size <= 5, `${buffers.size} buffers`);
  for (const { byteLength } of buffers) t.equal(byteLength, SLAB_BYTES);
});

t.test('pause: what was read already waits with the rest, over TLS too', async (t) => {
  for (const isSecure of [false, true]) {
    const { origin, client } = await bench(t, isSecure);
    const piece = 'x'.repeat(100);
    const chunks = `64\r\n${piece}\r\n`.repeat(50);
    origin.script(
      send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`),
      () => turns(5),
      send(`${chunks}0\r\nX-T: 1\r\n\r\n`),
      (socket) => void socket.end(),
    );
    const recorder = new Recorder();
    const exchange = client.fetch(get(), recorder);
    exchange.pause();
    await recorder.hasHead;
    await turns(30);
    t.same(recorder.story, ['head'], 'nothing comes while paused');
    recorder.onData = () => {
      exchange.pause();
      exchange.resume();
    };
    exchange.resume();
    t.equal(await recorder.ending(), 'end');
    t.equal(recorder.body.length, 100 * 100);
    t.same(recorder.trailers?.raw, ['X-T', '1']);
  }
});

t.test('pause: a head that comes in pieces is read though its listener has paused before', async (t) => {
  for (const isSecure of [false, true]) {
    const { origin, client } = await bench(t, isSecure);
    origin.script(
      send('HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 2'),
      () => turns(10),
      send('00 OK\r\n'),
      () => turns(10),
      send('Content-Length: 2\r\n\r\nok'),
    );
    const recorder = new Recorder();
    const exchange = client.fetch(get(), recorder);
    exchange.pause();
    await recorder.hasHead;
    await turns(10);
    t.same(recorder.story, ['inform', 'head']);
    exchange.resume();
    t.equal(await recorder.ending(), 'end');
    t.equal(recorder.body, 'ok');
  }
});

t.test('https: a certificate that cannot be read is a failure, and fetch does not throw', async (t) => {
  const client = clientFor(new URL('https://127.0.0.1:9'), { tls: { cert: 'none', key: 'none' } });
  for (let i = 0; i < 3; i++) {
    const recorder = new Recorder();
    client.fetch(get(), recorder);
    t.same(recorder.story, []);
    t.equal(await recorder.ending(), 'origin-tls');
  }
  await client.close();
});

t.test('a listener that throws ends its own exchange, and the connection takes the next one', async (t) => {
  for (const name of ['onHead', 'onData', 'onEnd'] as const) {
    const notices: string[] = [];
    const origin = await startScriptedOrigin({});
    const events: Events = { ...SILENT, notice: (_level, code) => void notices.push(code) };
    const client = clientFor(origin.url, { connections: 1, events });
    t.teardown(async () => {
      await origin.close();
      await client.close();
    });
    origin.script(send(OK)).script(send(OK));
    const told: string[] = [];
    const breakAt = (step: string): void => {
      told.push(step);
      if (step === name) throw new Error(`${name} broke`);
    };
    const over = createBarrier();
    client.fetch(get(), {
      inform() {},
      head: () => breakAt('onHead'),
      data: () => breakAt('onData'),
      end: () => {
        over.open();
        breakAt('onEnd');
      },
      fail: (error) => {
        told.push(error.code);
        over.open();
      },
    });
    await over.passed;
    await turns();
    t.equal(told.at(-1), name === 'onEnd' ? 'onEnd' : 'origin-aborted', name);
    t.same(notices, ['internal']);
    const next = new Recorder();
    client.fetch(get(), next);
    t.equal(await next.ending(), 'end');
    await turns();
    t.equal(client.stats.running, 0);
  }
});
