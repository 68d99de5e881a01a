// Goal: connections, queue, repeat, timeouts and abort of the origin client. Method: a scripted origin over real sockets; time is a FakeClock, moved once a barrier says that the other side is where it should be.
import type { LookupFunction } from 'node:net';
import t from 'tap';
import { MAX_ORIGIN_QUEUE_WAIT_MS, ORIGIN_CONNECTION_TTL_MS, ORIGIN_KEEP_ALIVE_MS } from '../../lib/base/limits.js';
import { Fields } from '../../lib/http/fields.js';
import type { OriginClientOptions } from '../../lib/origin/client.js';
import type { OriginClient } from '../../lib/origin/contract.js';
import { createBarrier, turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import {
  hang,
  reset,
  type ScriptedOrigin,
  type ScriptedOriginOptions,
  type Step,
  send,
  startScriptedOrigin,
  until,
} from '../kit/scripted-origin.js';
import { CERT, KEY } from './certificate.js';
import { clientFor, get, Recorder, TIMES } from './exchange.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

interface Bench {
  readonly origin: ScriptedOrigin;
  readonly client: OriginClient;
  readonly clock: FakeClock;
  /** Starts a request. */
  ask(target?: string): Recorder;
}

async function bench(
  t: { teardown(run: () => Promise<void>): void },
  options: Partial<OriginClientOptions> = {},
  origins: ScriptedOriginOptions = {},
): Promise<Bench> {
  const origin = await startScriptedOrigin(origins);
  const clock = new FakeClock();
  const client = clientFor(options.url ?? origin.url, { ...options, clock });
  t.teardown(async () => {
    await origin.close();
    await client.close();
  });
  const ask = (target = '/'): Recorder => {
    const recorder = new Recorder();
    client.fetch(get(target), recorder);
    return recorder;
  };
  return { origin, client, clock, ask };
}

/** Resolves every name to 127.0.0.1 and notes that it was asked. */
function fakeLookup(asked: string[]): LookupFunction {
  return (name, options, done) => {
    asked.push(name);
    if (options.all === true) done(null, [{ address: '127.0.0.1', family: 4 }]);
    else done(null, '127.0.0.1', 4);
  };
}

function named(origin: ScriptedOrigin, name: string): URL {
  return new URL(`${origin.url.protocol}//${name}:${origin.port}`);
}

t.test('a reused connection that dies before the first byte is repeated once, on a fresh one', async (t) => {
  const { origin, ask } = await bench(t);
  origin.script(send(OK));
  t.equal(await ask('/1').ending(), 'end');
  for (const death of [reset(), ((socket) => void socket.end()) satisfies Step]) {
    const connections = origin.connectionCount;
    origin.script(death).script(send(OK));
    const recorder = ask('/2');
    t.equal(await recorder.ending(), 'end');
    t.same(recorder.story, ['head', 'data', 'end']);
    t.equal(origin.connectionCount, connections + 1);
  }
  t.same(
    origin.requests.map((request) => request.target),
    ['/1', '/2', '/2', '/2', '/2'],
  );
});

t.test('MAX_REUSE_RETRIES: never twice', async (t) => {
  const { origin, ask } = await bench(t);
  origin.script(send(OK)).script(reset()).script(reset());
  t.equal(await ask('/1').ending(), 'end');
  t.equal(await ask('/2').ending(), 'origin-reset');
  t.equal(origin.requestCount, 3);
});

t.test('a fresh connection that dies is not repeated', async (t) => {
  const { origin, ask } = await bench(t);
  origin.script(reset());
  t.equal(await ask().ending(), 'origin-reset');
  t.equal(origin.requestCount, 1);
});

t.test('a reused connection that dies within the head is not repeated', async (t) => {
  const { origin, ask } = await bench(t);
  origin.script(send(OK)).script(send('HTTP/1.1 2'), () => turns(), reset());
  t.equal(await ask().ending(), 'end');
  t.equal(await ask().ending(), 'origin-truncated');
  t.equal(origin.requestCount, 2);
});

t.test('a reused connection whose answer takes too long is not repeated', async (t) => {
  const { origin, ask, clock } = await bench(t);
  origin.script(send(OK)).script(hang());
  t.equal(await ask().ending(), 'end');
  const recorder = ask();
  await origin.seen(2);
  clock.advance(TIMES.headersTimeoutMs);
  t.equal(await recorder.ending(), 'origin-headers-timeout');
  t.equal(origin.requestCount, 2);
});

t.test('an abort while the repeat is due ends it', async (t) => {
  const { origin, client, ask } = await bench(t);
  origin.script(send(OK)).script(reset());
  t.equal(await ask().ending(), 'end');
  const recorder = new Recorder();
  const exchange = client.fetch(get(), recorder);
  await origin.seen(2);
  await origin.departed(1);
  exchange.abort();
  await turns(20);
  t.same(recorder.story, []);
  origin.script(send(OK));
  t.equal(await ask('/after').ending(), 'end');
});

t.test('headers timeout: an origin that accepts and never answers', async (t) => {
  const { origin, ask, clock } = await bench(t);
  const recorder = ask();
  await origin.seen(1);
  clock.advance(TIMES.headersTimeoutMs - 1);
  await turns();
  t.same(recorder.story, []);
  clock.advance(1);
  t.equal(await recorder.ending(), 'origin-headers-timeout');
  t.equal(recorder.error?.status, 504);
  await origin.departed(1);
});

t.test('headers timeout: a clock that is set forward ends nothing that is under way', async (t) => {
  const { origin, ask, clock } = await bench(t);
  const [one, other] = [ask('/one'), ask('/other')];
  await origin.seen(2);
  clock.advance(TIMES.headersTimeoutMs - 1);
  clock.jump(3_600_000);
  const late = ask('/late');
  await origin.seen(3);
  await turns();
  t.same([one.story, other.story, late.story], [[], [], []]);
  clock.advance(1);
  t.equal(await one.ending(), 'origin-headers-timeout', 'its own time ends it');
  t.equal(await other.ending(), 'origin-headers-timeout');
  t.same(late.story, []);
});

t.test('headers timeout: an interim response starts it again, bytes of a head do not', async (t) => {
  const { origin, ask, clock } = await bench(t);
  const barrier = createBarrier();
  origin.script(send('HTTP/1.1 102 Processing\r\n\r\n'), until(barrier), send('HTTP/1.1 200 OK\r\nX-A: '), hang());
  const recorder = ask();
  await origin.seen(1);
  clock.advance(TIMES.headersTimeoutMs - 1);
  while (recorder.story.length === 0) await turns(1);
  clock.advance(TIMES.headersTimeoutMs - 1);
  barrier.open();
  await turns(20);
  t.same(recorder.story, ['inform']);
  clock.advance(1);
  t.equal(await recorder.ending(), 'origin-headers-timeout');
});

t.test('idle timeout: counts from the last byte of the body', async (t) => {
  const { origin, ask, clock } = await bench(t);
  const barrier = createBarrier();
  origin.script(send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab'), until(barrier), send('cd'), hang());
  const recorder = ask();
  await recorder.received(2);
  clock.advance(TIMES.idleTimeoutMs - 1);
  barrier.open();
  await recorder.received(4);
  clock.advance(TIMES.idleTimeoutMs - 1);
  await turns();
  t.same(recorder.story, ['head', 'data', 'data']);
  clock.advance(1);
  t.equal(await recorder.ending(), 'origin-idle-timeout');
  t.equal(recorder.body, 'abcd');
});

t.test('idle timeout: does not run while the reader has paused', async (t) => {
  const { origin, client, clock } = await bench(t);
  const barrier = createBarrier();
  origin.script(send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab'), until(barrier), send('cd'));
  const recorder = new Recorder();
  const exchange = client.fetch(get(), recorder);
  await recorder.received(2);
  exchange.pause();
  clock.advance(TIMES.idleTimeoutMs * 10);
  await turns();
  exchange.resume();
  await turns();
  clock.advance(TIMES.idleTimeoutMs - 1);
  barrier.open();
  t.equal(await recorder.ending(), 'end');
});

t.test('connect timeout: a name that is never resolved', async (t) => {
  const asked = createBarrier();
  const { ask, clock } = await bench(t, { url: new URL('http://origin.test'), lookup: () => asked.open() });
  const recorder = ask();
  await asked.passed;
  clock.advance(TIMES.connectTimeoutMs);
  t.equal(await recorder.ending(), 'origin-connect-timeout');
  t.equal(recorder.error?.status, 504);
});

t.test('connect timeout: a handshake that is never answered', async (t) => {
  const origin = await startScriptedOrigin();
  const url = new URL(`https://127.0.0.1:${origin.port}`);
  const { ask, clock } = await bench(t, { url });
  const recorder = ask();
  await origin.connected(1);
  clock.advance(TIMES.connectTimeoutMs);
  t.equal(await recorder.ending(), 'origin-connect-timeout');
  await origin.close();
});

t.test('an origin that cannot be connected to is named so', async (t) => {
  const gone = await startScriptedOrigin();
  await gone.close();
  const { ask } = await bench(t, { url: gone.url });
  t.equal(await ask().ending(), 'origin-refused');

  const lookup: LookupFunction = (_name, _options, done) =>
    done(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), '');
  const { ask: askNowhere } = await bench(t, { url: new URL('http://nowhere.test'), lookup });
  t.equal(await askNowhere().ending(), 'origin-unresolvable');
});

t.test('requests beyond the connections wait their turn; MAX_ORIGIN_QUEUE bounds them', async (t) => {
  const { origin, client, ask } = await bench(t, { connections: 1, maxQueue: 1 });
  const barrier = createBarrier();
  origin.script(until(barrier), send(OK)).script(send(OK));
  const first = ask('/1');
  const second = ask('/2');
  const third = ask('/3');
  t.same(third.story, [], 'not from within fetch');
  t.equal(await third.ending(), 'origin-queue-full');
  t.equal(third.error?.status, 503);
  t.match(client.stats, { running: 1, queued: 1 });
  barrier.open();
  t.equal(await first.ending(), 'end');
  t.equal(await second.ending(), 'end');
  t.equal(origin.connectionCount, 1);
  await turns();
  t.match(client.stats, { connected: 1, running: 0, queued: 0 });
});

t.test('MAX_ORIGIN_QUEUE_WAIT_MS: a request does not wait for ever', async (t) => {
  const { origin, clock, ask } = await bench(t, { connections: 1, headersTimeoutMs: 10 * MAX_ORIGIN_QUEUE_WAIT_MS });
  ask('/1');
  await origin.seen(1);
  const second = ask('/2');
  clock.advance(MAX_ORIGIN_QUEUE_WAIT_MS);
  t.equal(await second.ending(), 'origin-queue-full');
});

t.test('no more connections than allowed, and the one used last is used next', async (t) => {
  const { origin, client, ask } = await bench(t, { connections: 3 });
  const barrier = createBarrier();
  for (let i = 0; i < 5; i++) origin.script(until(barrier), send(OK));
  const asked = Array.from({ length: 5 }, (_, i) => ask(`/${i}`));
  await origin.seen(3);
  t.equal(origin.connectionCount, 3);
  barrier.open();
  for (const one of asked) t.equal(await one.ending(), 'end');
  await turns();
  t.match(client.stats, { connected: 3, running: 0 });
  origin.respond(() => ({}));
  t.equal(await ask().ending(), 'end');
  await turns();
  const last = origin.requests.at(-1)?.connection;
  t.equal(await ask().ending(), 'end');
  t.equal(origin.requests.at(-1)?.connection, last);
  t.equal(origin.connectionCount, 3);
});

t.test('pause: an origin that sends without end is held back', async (t) => {
  const { origin, client } = await bench(t);
  const size = 64 * 1024 * 1024;
  let isSent = false;
  origin.script(send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`), send(Buffer.alloc(size)), () => {
    isSent = true;
  });
  const recorder = new Recorder();
  const exchange = client.fetch(get(), recorder);
  exchange.pause();
  await recorder.hasHead;
  await turns(50);
  t.equal(recorder.chunks.length, 0, 'a pause before the head holds for the body');
  let bytes = 0;
  recorder.onData = (chunk) => {
    bytes += chunk.length;
    recorder.chunks.length = 0;
    if (bytes < 1024 * 1024) return;
    exchange.pause();
  };
  exchange.resume();
  while (bytes < 1024 * 1024) await turns(1);
  await turns(100);
  t.ok(bytes < 2 * 1024 * 1024, 'at most what was already read comes after pause()');
  t.notOk(isSent);
  recorder.onData = (chunk) => {
    bytes += chunk.length;
    recorder.chunks.length = 0;
  };
  exchange.resume();
  t.equal(await recorder.ending(), 'end');
  t.equal(bytes, size);
});

t.test('resume() from within the data of another exchange is safe', async (t) => {
  const { origin, client } = await bench(t);
  const barrier = createBarrier();
  origin.script(send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab'), () => turns(10), send('cd'));
  origin.script(until(barrier), send(OK));
  const one = new Recorder();
  const exchange = client.fetch(get('/1'), one);
  one.onData = () => exchange.pause();
  await one.received(2);
  const other = new Recorder();
  client.fetch(get('/2'), other);
  other.onData = () => exchange.resume();
  await turns(30);
  barrier.open();
  t.equal(await other.ending(), 'end');
  one.onData = () => {};
  exchange.resume();
  t.equal(await one.ending(), 'end');
  t.equal(one.body, 'abcd');
});

t.test('abort: nothing is called after it, whenever it comes', async (t) => {
  const { origin, client, ask } = await bench(t, { connections: 1 });
  const when: [string, (origin: ScriptedOrigin, recorder: Recorder) => Promise<unknown>][] = [
    ['at once', async () => {}],
    ['once the request is there', (origin) => origin.seen(origin.requestCount + 1)],
    ['after the head', (_, recorder) => recorder.hasHead],
    ['within the body', (_, recorder) => recorder.received(2)],
  ];
  for (const [title, wait] of when) {
    const barrier = createBarrier();
    if (title !== 'at once') {
      origin.script(send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab'), until(barrier), send('cd'));
    }
    const recorder = new Recorder();
    const exchange = client.fetch(get(`/${title.replaceAll(' ', '-')}`), recorder);
    await wait(origin, recorder);
    exchange.abort();
    const told = recorder.story.length;
    barrier.open();
    exchange.pause();
    exchange.resume();
    exchange.abort();
    await turns(20);
    t.equal(recorder.story.length, told, title);
    origin.script(send(OK));
    const next = ask('/next');
    t.equal(await next.ending(), 'end', `${title}: the next one is served`);
    t.equal(next.body, 'ok');
  }
});

t.test('abort: within the listener itself', async (t) => {
  const { origin, client, ask } = await bench(t, { connections: 1 });
  for (const at of ['inform', 'head', 'data'] as const) {
    origin.script(
      send('HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n'),
      send('0\r\n\r\n'),
    );
    const recorder = new Recorder();
    const exchange = client.fetch(get(), recorder);
    const original = recorder[at].bind(recorder) as (...args: unknown[]) => void;
    Object.assign(recorder, {
      [at]: (...args: unknown[]) => {
        original(...args);
        exchange.abort();
      },
    });
    while (!recorder.story.includes(at)) await turns(1);
    await turns(20);
    t.equal(recorder.story.at(-1), at);
    origin.script(send(OK));
    t.equal(await ask('/next').ending(), 'end');
  }
});

t.test('abort: a request in the queue leaves it', async (t) => {
  const { origin, client, clock, ask } = await bench(t, { connections: 1 });
  const barrier = createBarrier();
  origin.script(until(barrier), send(OK));
  const first = ask('/1');
  const recorder = new Recorder();
  client.fetch(get('/2'), recorder).abort();
  t.equal(client.stats.queued, 0);
  await origin.seen(1);
  clock.advance(TIMES.headersTimeoutMs - 1);
  barrier.open();
  t.equal(await first.ending(), 'end');
  await turns(20);
  t.same(recorder.story, []);
  t.equal(origin.requestCount, 1);
  t.equal(clock.pendingCount, 1, 'no timer but the one that all share is left behind');
  await client.close();
  t.equal(clock.pendingCount, 0);
});

t.test('abort: after the end it does not close the connection', async (t) => {
  const { origin, client, ask } = await bench(t);
  origin.respond(() => ({ body: 'ok' }));
  const recorder = new Recorder();
  const exchange = client.fetch(get(), recorder);
  await recorder.over;
  exchange.abort();
  await turns();
  t.equal(await ask().ending(), 'end');
  t.equal(origin.connectionCount, 1);
});

t.test('close: what runs or waits is finished, nothing new is taken', async (t) => {
  const { origin, client, ask } = await bench(t, { connections: 1 });
  const barrier = createBarrier();
  origin.script(until(barrier), send(OK)).script(send(OK));
  const first = ask('/1');
  const second = ask('/2');
  const closed = client.close();
  const third = ask('/3');
  t.equal(await third.ending(), 'origin-aborted');
  barrier.open();
  t.equal(await first.ending(), 'end');
  t.equal(await second.ending(), 'end');
  await closed;
  await origin.departed(1);
  t.equal(origin.openCount, 0);
});

t.test(
  'close: does not wait for a connection that has ended already, behind what its reader has not taken',
  async (t) => {
    const { origin, client } = await bench(t);
    const [end, hasEnded] = [createBarrier(), createBarrier()];
    // The content comes with the head, and waits for a reader that has paused; what is left to write finds the end.
    origin.script(send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok'), until(end), (socket) => {
      socket.once('close', () => hasEnded.open());
      socket.resetAndDestroy();
    });
    const recorder = new Recorder();
    const content = Buffer.alloc(16 * 1024 * 1024);
    const fields = Fields.of({ Host: 'a.example', 'Content-Length': String(content.length) });
    const exchange = client.fetch({ method: 'POST', target: '/', fields, content }, recorder);
    exchange.pause();
    await recorder.hasHead;
    end.open();
    await hasEnded.passed;
    await turns(20);
    await client.close(0);
    t.equal(await recorder.ending(), 'origin-aborted');
  },
);

t.test('every connection looks the name up anew; ORIGIN_CONNECTION_TTL_MS bounds how long one lives', async (t) => {
  const asked: string[] = [];
  const origin = await startScriptedOrigin();
  origin.respond(() => ({}));
  const { clock, ask } = await bench(t, { url: named(origin, 'origin.test'), lookup: fakeLookup(asked) });
  t.equal(await ask().ending(), 'end');
  await turns();
  t.equal(await ask().ending(), 'end');
  t.equal(asked.length, 1);
  // Never idle for long, so that it is its age that counts.
  for (let agedMs = 0; agedMs <= ORIGIN_CONNECTION_TTL_MS; agedMs += ORIGIN_KEEP_ALIVE_MS - 1) {
    t.not(origin.requests.at(-1)?.field('connection'), 'close');
    clock.advance(ORIGIN_KEEP_ALIVE_MS - 1);
    await turns();
    t.equal(await ask().ending(), 'end');
    await turns();
  }
  t.equal(origin.requests.at(-1)?.field('connection'), 'close', 'an old connection takes one last request');
  await origin.departed(1);
  t.equal(await ask().ending(), 'end');
  t.same(asked, ['origin.test', 'origin.test']);
  await origin.close();
});

t.test('https: the certificate is checked against the name of the origin, for any Host', async (t) => {
  const asked: string[] = [];
  const lookup = fakeLookup(asked);
  const origin = await startScriptedOrigin({ tls: { key: KEY, cert: CERT } });
  origin.respond(() => ({}));
  const cases: [title: string, url: URL, options: Partial<OriginClientOptions>, ending: string][] = [
    ['name', named(origin, 'origin.test'), { tls: { ca: CERT } }, 'end'],
    ['address', origin.url, { tls: { ca: CERT } }, 'end'],
    ['other name', named(origin, 'other.test'), { tls: { ca: CERT } }, 'origin-tls'],
    ['other name, told', named(origin, 'other.test'), { tls: { ca: CERT, servername: 'origin.test' } }, 'end'],
    ['not trusted', named(origin, 'origin.test'), {}, 'origin-tls'],
    ['not checked', named(origin, 'other.test'), { tls: { rejectUnauthorized: false } }, 'end'],
  ];
  for (const [title, url, options, ending] of cases) {
    const { ask } = await bench(t, { url, lookup, ...options });
    const recorder = ask();
    t.equal(await recorder.ending(), ending, `${title}: ${recorder.error?.message ?? 'ok'}`);
  }
  const { client } = await bench(t, { url: named(origin, 'origin.test'), lookup, tls: { ca: CERT } });
  const before = origin.connectionCount;
  for (const host of ['a.example', 'b.example', '127.0.0.1']) {
    const recorder = new Recorder();
    client.fetch({ ...get(), fields: get().fields.set('Host', host) }, recorder);
    t.equal(await recorder.ending(), 'end');
    await turns();
  }
  t.equal(origin.connectionCount, before + 1, 'another Host is no reason for another connection');
  await origin.close();
});

t.test('https: an origin that speaks no TLS is told apart from one that is away', async (t) => {
  const origin = await startScriptedOrigin();
  origin.greet(send('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const { ask } = await bench(t, { url: new URL(`https://127.0.0.1:${origin.port}`) });
  t.equal(await ask().ending(), 'origin-tls');
  await origin.close();
});

t.test('an IPv6 literal is understood', async (t) => {
  const origin = await startScriptedOrigin({ host: '::1' }).catch(() => undefined);
  if (origin === undefined) {
    t.comment('no IPv6 loopback on this machine');
    t.end();
    return;
  }
  origin.respond(() => ({}));
  const { ask } = await bench(t, { url: origin.url });
  t.equal(await ask().ending(), 'end');
  await origin.close();
});

t.test('an origin that died and came back is asked again', async (t) => {
  const { origin, ask } = await bench(t);
  origin.respond(() => ({ body: 'ok' }));
  t.equal(await ask().ending(), 'end');
  await origin.stop();
  t.equal(await ask().ending(), 'origin-refused');
  await origin.restart();
  t.equal(await ask().ending(), 'end');
});

t.test('bytes before the request was sent are not its answer', async (t) => {
  const { origin, ask } = await bench(t);
  origin.greet(send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'));
  origin.respond(() => ({ body: 'ok' }));
  const first = ask('/1');
  await first.over;
  t.not(first.body, 'ok', 'a fresh connection cannot tell: what comes first counts as the answer');
  await turns(10);
  t.equal((await ask('/2').ending()) === 'end', true);
});
