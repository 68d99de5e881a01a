// Goal: connections are kept, ended and timed as RFC 9112 §9 and the limits say, and none is felt by another.
// Method: raw sockets against a front with a stub engine; time is a fake clock that the test moves.
import t from 'tap';
import { DRAIN_REST_MS, MAX_PIPELINED_REQUESTS } from '../../lib/base/limits.js';
import type { FindReady, RequestHandler } from '../../lib/engine/contract.js';
import { createFront } from '../../lib/front/front.js';
import { Body } from '../../lib/object/body.js';
import { turns } from '../kit/barrier.js';
import { CutOff, connectRaw } from '../kit/raw-client.js';
import { openHouse, pass, replyOf, until } from './house.js';

const get = (target: string, fields = '') => `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

t.test('RFC 9112 §9.3.2: pipelined requests are answered in order, however they are finished', async (t) => {
  const house = await openHouse(t, () => {});
  const client = await connectRaw(house.port);
  t.teardown(() => client.close());
  client.send(get('/1') + get('/2') + get('/3'));
  await house.arrivals.reached(3);
  const late = new Body({ mode: 'retain', highWaterBytes: 1024 });
  house.handed[2]?.sink.reply(replyOf('three'));
  house.handed[1]?.sink.reply(replyOf('', { payload: { kind: 'reader', reader: late.open(), length: undefined } }));
  t.equal(client.receivedBytes, 0);
  t.equal(house.answered.length, 0, 'what waits for its turn is not told as sent');
  house.handed[0]?.sink.reply(replyOf('one'));
  t.equal((await client.response()).body.toString(), 'one');
  const second = await client.head();
  late.write(Buffer.from('tw'));
  await second.received(2);
  late.write(Buffer.from('o'));
  late.complete(0);
  t.equal((await second.whole()).body.toString(), 'two');
  t.equal((await client.response()).body.toString(), 'three');
  await house.answers.reached(3);
  t.strictSame(
    house.answered.map((event) => event.target),
    ['/1', '/2', '/3'],
  );
});

t.test('RFC 9112 §9.3.2: beyond a bound, pipelined requests end the connection with a 503', async (t) => {
  const house = await openHouse(t, () => {});
  const client = await connectRaw(house.port);
  client.send(get('/x').repeat(MAX_PIPELINED_REQUESTS + 2));
  await house.arrivals.reached(MAX_PIPELINED_REQUESTS);
  for (const { sink } of house.handed) sink.reply(replyOf('ok'));
  for (let i = 0; i < MAX_PIPELINED_REQUESTS; i++) t.equal((await client.response()).status, 200);
  t.equal((await client.response()).field('cache-status'), 'patina; detail=too-many-requests-in-line');
  t.equal(await client.ended, 'finished');
});

t.test('RFC 9112 §9.6: a client that has ended its side still gets its answers', async (t) => {
  const house = await openHouse(t, () => {});
  const client = await connectRaw(house.port);
  client.send(get('/1') + get('/2')).finish();
  await house.arrivals.reached(2);
  await turns();
  house.handed[0]?.sink.reply(replyOf('one'));
  house.handed[1]?.sink.reply(replyOf('two'));
  t.equal((await client.response()).body.toString(), 'one');
  t.equal((await client.response()).body.toString(), 'two');
  t.equal(await client.ended, 'finished');
  await until(() => house.front.connections === 0);
});

t.test('RFC 9112 §9.6: a client that has ended its side hears of a refused request behind one that runs', async (t) => {
  const house = await openHouse(t, () => {});
  const client = await connectRaw(house.port);
  client.send(`${get('/1')}GET /2 HTTP/1.1\r\nHost : a\r\n\r\n`).finish();
  await house.arrivals.reached(1);
  await turns();
  const late = new Body({ mode: 'retain', highWaterBytes: 1024 });
  house.handed[0]?.sink.reply(replyOf('', { payload: { kind: 'reader', reader: late.open(), length: 3 } }));
  await turns();
  late.write(Buffer.from('one'));
  late.complete(0);
  t.equal((await client.response()).body.toString(), 'one');
  t.equal((await client.response()).status, 400);
  t.equal(await client.ended, 'finished');
  await until(() => house.front.connections === 0);
});

t.test('a head that comes byte by byte is a request', async (t) => {
  const house = await openHouse(t);
  const client = await connectRaw(house.port);
  t.teardown(() => client.close());
  for (const byte of get('/slow')) {
    client.send(byte);
    await turns(1);
  }
  t.equal((await client.response()).body.toString(), 'you asked for /slow');
});

t.test('limits: a head that is not complete in time is answered 408', async (t) => {
  const house = await openHouse(t, undefined, { limits: { headTimeoutMs: 5000 } });
  const client = await connectRaw(house.port);
  client.send('GET /x HTTP/1.1\r\n');
  await until(() => house.front.connections === 1);
  await turns();
  await pass(house.clock, 3000);
  client.send('Host: a\r\n');
  await turns();
  t.equal(client.receivedBytes, 0);
  await pass(house.clock, 4000);
  const response = await client.response();
  t.equal(response.status, 408);
  t.equal(response.field('cache-status'), 'patina; detail=request-timeout');
  t.equal(response.field('connection'), 'close');
  t.equal(await client.ended, 'finished');
  t.match(house.answered, [{ status: 408, reason: 'request-timeout', remoteAddress: '127.0.0.1' }]);
  t.equal(house.handed.length, 0);
});

t.test('limits: the second head on a connection has the same time', async (t) => {
  const house = await openHouse(t, undefined, { limits: { headTimeoutMs: 5000 } });
  const client = await connectRaw(house.port);
  await client.send(get('/1')).response();
  await pass(house.clock, 8000);
  client.send('GET /2 HTTP/1.1\r\n');
  await turns();
  await pass(house.clock, 7000);
  t.equal((await client.response()).status, 408);
});

t.test('limits: an idle connection is closed without a word, and not before its time', async (t) => {
  const house = await openHouse(t, undefined, { limits: { keepAliveMs: 20_000 } });
  const fresh = await connectRaw(house.port);
  const used = await connectRaw(house.port);
  await until(() => house.front.connections === 2);
  await pass(house.clock, 15_000);
  await used.send(get('/1')).response();
  await pass(house.clock, 6000);
  t.equal(await fresh.ended, 'finished');
  t.equal(fresh.receivedBytes, 0);
  t.equal((await used.send(get('/2')).response()).status, 200, 'a request starts the time anew');
  await pass(house.clock, 21_000);
  t.equal(await used.ended, 'finished');
  await until(() => house.front.connections === 0);
});

t.test('limits: a request that runs is not idle', async (t) => {
  const house = await openHouse(t, () => {}, { limits: { keepAliveMs: 5000, headTimeoutMs: 5000, replyIdleMs: 5000 } });
  const client = await connectRaw(house.port);
  t.teardown(() => client.close());
  client.send(get('/1'));
  await house.arrivals.reached(1);
  await pass(house.clock, 60_000);
  house.handed[0]?.sink.reply(replyOf('at last'));
  t.equal((await client.response()).body.toString(), 'at last');
});

t.test('limits: a body that waits here for whoever takes it is not late', async (t) => {
  let gone = 0;
  const house = await openHouse(t, (_request, sink) => sink.onGone(() => gone++), { limits: { bodyIdleMs: 5000 } });
  const client = await connectRaw(house.port);
  client.send('POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
  await house.arrivals.reached(1);
  await pass(house.clock, 30_000);
  t.equal(gone, 0);
  client.close();
  await until(() => gone === 1);
});

t.test('limits: a client that takes no byte of its reply is cut off, and one that takes a few is not', async (t) => {
  const house = await openHouse(t, (_request, sink) => sink.reply(replyOf([Buffer.alloc(50_000_000)])), {
    limits: { replyIdleMs: 10_000 },
  });
  const client = await connectRaw(house.port);
  client.pause();
  client.send(get('/large'));
  await house.arrivals.reached(1);
  await turns(50);
  await pass(house.clock, 9000);
  client.resume();
  await until(() => client.receivedBytes > 4_000_000);
  client.pause();
  await turns(50);
  await pass(house.clock, 9000);
  t.equal(house.front.connections, 1, 'it took something in between');
  await turns(50);
  await pass(house.clock, 12_000);
  await until(() => house.front.connections === 0);
  t.match(house.answered, [{ ending: 'aborted', status: 200 }]);
  t.strictSame(house.notices, ['reply-idle']);
  client.resume();
  await t.rejects(client.response(), CutOff);
});

t.test('limits: a connection too many is told so, and room is room again', async (t) => {
  const house = await openHouse(t, undefined, { limits: { connections: 2 } });
  const first = await connectRaw(house.port);
  const second = await connectRaw(house.port);
  await until(() => house.front.connections === 2);
  const third = await connectRaw(house.port);
  const fourth = await connectRaw(house.port);
  third.send(get('/x'));
  for (const client of [third, fourth]) {
    const response = await client.response();
    t.equal(response.status, 503);
    t.equal(response.field('cache-status'), 'patina; detail=too-many-connections');
    t.equal(response.field('retry-after'), '1');
    t.equal(await client.ended, 'finished');
  }
  t.equal(house.handed.length, 0);
  t.strictSame(house.notices, ['too-many-connections'], 'told once');
  second.close();
  await until(() => house.front.connections === 1);
  const fifth = await connectRaw(house.port);
  t.equal((await fifth.send(get('/x')).response()).status, 200);
  first.close();
  fifth.close();
});

t.test('limits: requests start no timers of their own', async (t) => {
  const house = await openHouse(t);
  const client = await connectRaw(house.port);
  t.teardown(() => client.close());
  const before = house.clock.pendingCount;
  for (let i = 0; i < 20; i++) await client.send(get(`/${i}`)).response();
  t.equal(house.clock.pendingCount, before);
});

t.test(
  'drain: idle connections close, what runs finishes with Connection: close, and nothing new is accepted',
  async (t) => {
    const house = await openHouse(t, (request, sink) => {
      if (request.target === '/quick') sink.reply(replyOf('quick'));
    });
    const idle = await connectRaw(house.port);
    await idle.send(get('/quick')).response();
    const busy = await connectRaw(house.port);
    busy.send(get('/slow'));
    await house.arrivals.reached(2);
    const drained = house.front.drain(10_000);
    await turns();
    house.clock.advance(DRAIN_REST_MS);
    t.equal(await idle.ended, 'finished');
    await t.rejects(connectRaw(house.port), { code: 'ECONNREFUSED' });
    house.handed[1]?.sink.reply(replyOf('done'));
    const response = await busy.response();
    t.equal(response.body.toString(), 'done');
    t.equal(response.field('connection'), 'close');
    t.equal(await busy.ended, 'finished');
    await drained;
    t.equal(house.front.connections, 0);
    t.equal(house.clock.pendingCount, 0);
  },
);

t.test('drain: a reply that had begun before ends its connection too', async (t) => {
  const body = new Body({ mode: 'retain', highWaterBytes: 1024 });
  const house = await openHouse(t, (_request, sink) => {
    sink.reply(replyOf('', { payload: { kind: 'reader', reader: body.open(), length: undefined } }));
  });
  const client = await connectRaw(house.port);
  const response = await client.send(get('/stream')).head();
  const drained = house.front.drain(10_000);
  body.write(Buffer.from('ab'));
  body.complete(0);
  t.equal((await response.whole()).body.toString(), 'ab');
  await turns();
  house.clock.advance(2 * DRAIN_REST_MS);
  t.equal(await client.ended, 'finished');
  await drained;
});

t.test('drain: a client that asks on, for it was not told that its reply is the last, is answered', async (t) => {
  const body = new Body({ mode: 'retain', highWaterBytes: 1024 });
  const house = await openHouse(t, ({ target }, sink) => {
    const payload = { kind: 'reader', reader: body.open(), length: undefined } as const;
    sink.reply(target === '/stream' ? replyOf('', { payload }) : replyOf('next'));
  });
  const fresh = await connectRaw(house.port);
  const client = await connectRaw(house.port);
  const response = await client.send(get('/stream')).head();
  const drained = house.front.drain(10_000);
  body.complete(0);
  await response.whole();
  await turns(20);
  for (const one of [client, fresh]) {
    const next = await one.send(get('/next')).response();
    t.match([next.body.toString(), next.field('connection')], ['next', 'close']);
    t.equal(await one.ended, 'finished');
  }
  await drained;
  t.equal(house.clock.pendingCount, 0);
});

t.test('drain: of pipelined requests only the reply to the newest says that it is the last', async (t) => {
  const house = await openHouse(t, () => {});
  const client = await connectRaw(house.port);
  client.send(get('/1') + get('/2'));
  await house.arrivals.reached(2);
  const drained = house.front.drain(10_000);
  for (const { sink } of house.handed) sink.reply(replyOf('ok'));
  t.equal((await client.response()).field('connection'), undefined);
  t.equal((await client.response()).field('connection'), 'close');
  t.equal(await client.ended, 'finished');
  await drained;
});

t.test('RFC 9112 §9.6: a reply that is to be the last lets those behind it go out first', async (t) => {
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    const house = await openHouse(t, () => {});
    const client = await connectRaw(house.port);
    client.send(get('/1') + get('/2'));
    await house.arrivals.reached(2);
    for (const at of order) {
      const one = house.handed[at];
      one?.sink.reply(replyOf(one.request.target, { close: at === 0 }));
    }
    t.equal((await client.response()).body.toString(), '/1');
    t.equal((await client.response()).body.toString(), '/2');
    t.equal(await client.ended, 'finished');
  }
});

t.test('drain: what does not finish in time is cut off', async (t) => {
  const house = await openHouse(t, () => {});
  const client = await connectRaw(house.port);
  client.send(get('/never'));
  await house.arrivals.reached(1);
  const drained = house.front.drain(5000);
  house.clock.advance(4999);
  await turns();
  t.equal(house.front.connections, 1);
  house.clock.advance(1);
  await drained;
  await t.rejects(client.response(), CutOff);
  t.match(house.answered, [{ ending: 'aborted' }]);
});

t.test('drain: a head that is on its way is still answered', async (t) => {
  const house = await openHouse(t);
  const client = await connectRaw(house.port);
  client.send('GET /x HTTP/1.1\r\n');
  await until(() => house.front.connections === 1);
  await turns();
  const drained = house.front.drain(5000);
  client.send('Host: a\r\n\r\n');
  const response = await client.response();
  t.equal(response.status, 200);
  t.equal(response.field('connection'), 'close');
  await drained;
});

t.test('close cuts everything off', async (t) => {
  const house = await openHouse(t, () => {});
  const client = await connectRaw(house.port);
  client.send(get('/never'));
  await house.arrivals.reached(1);
  await house.front.close();
  await t.rejects(client.response(), CutOff);
  t.equal(house.front.connections, 0);
});

t.test("start rejects with Node's error where the address is taken", async (t) => {
  const house = await openHouse(t);
  const { clock } = house;
  const other = createFront({
    listen: { host: '127.0.0.1', port: house.port },
    clock,
    handler: { handle() {} },
    tunnel: { web() {}, upgrade() {} },
    events: (await import('../../lib/observe/events.js')).SILENT,
  });
  await t.rejects(other.start(), { code: 'EADDRINUSE' });
  await other.close();
});

t.test('an engine that throws costs one request a 500, and the log a line', async (t) => {
  const house = await openHouse(t, (request, sink) => {
    if (request.target === '/late') sink.reply(replyOf('', { payload: readerOf(), close: false }));
    if (request.target !== '/good') throw new Error('broken invariant');
    sink.reply(replyOf('good'));
  });
  const client = await connectRaw(house.port);
  const response = await client.send(get('/bad')).response();
  t.equal(response.status, 500);
  t.equal(response.field('cache-status'), 'patina; detail=internal');
  t.equal((await client.send(get('/good')).response()).body.toString(), 'good');
  client.close();
  const late = await connectRaw(house.port);
  await t.rejects(late.send(get('/late')).response(), CutOff);
  t.strictSame(house.notices, ['internal', 'internal']);
  const other = await connectRaw(house.port);
  t.teardown(() => other.close());
  t.equal((await other.send(get('/good')).response()).body.toString(), 'good');
});

t.test('what is ready and cannot be found or written costs its own request a detour, or its connection', async (t) => {
  const whole = { ...replyOf('whole'), ageSec: 3, ttlSec: 1, isSteady: false, isKept: true, refresh: undefined };
  const ready: FindReady = (_isHead, _host, target) => {
    if (target === '/lost') throw new Error('broken invariant');
    const refresh = () => {
      throw new Error('broken invariant');
    };
    return target === '/refreshed' ? { ...whole, reply: whole, written: undefined, refresh } : undefined;
  };
  const handle: RequestHandler['handle'] = ({ target }, sink) => sink.reply(replyOf(`you asked for ${target}`));
  const house = await openHouse(t, undefined, { fastLane: true, handler: { handle, ready } });
  const client = await connectRaw(house.port);
  for (const target of ['/lost', '/other'])
    t.equal((await client.send(get(target)).response()).body.toString(), `you asked for ${target}`);
  t.equal((await client.send(get('/refreshed')).response()).body.toString(), 'whole');
  await client.ended;
  t.strictSame(house.notices, ['internal', 'internal']);
  const next = await connectRaw(house.port);
  t.teardown(() => next.close());
  t.equal((await next.send(get('/next')).response()).status, 200);
});

function readerOf() {
  const body = new Body({ mode: 'retain', highWaterBytes: 1024 });
  body.write(Buffer.from('ab'));
  return { kind: 'reader' as const, reader: body.open(), length: undefined };
}

t.test('RFC 9110 §7.8: an upgrade that the engine answers itself is an ordinary last reply', async (t) => {
  const fields = 'Connection: upgrade\r\nUpgrade: websocket\r\n';
  const large = Buffer.alloc(3_000_000, 'x');
  const house = await openHouse(t, (request, sink) => {
    sink.reply(request.target === '/large' ? replyOf([large]) : replyOf('no'));
  });
  const small = await connectRaw(house.port);
  const response = await small.send(get('/x', fields)).response();
  t.equal(response.body.toString(), 'no');
  t.equal(response.field('connection'), 'close');
  t.equal(await small.ended, 'finished');
  const client = await connectRaw(house.port);
  t.ok((await client.send(get('/large', fields)).response()).body.equals(large));
  t.equal(await client.ended, 'finished');
  await house.answers.reached(2);
  t.match(house.answered, [{ ending: 'finished' }, { ending: 'finished', bodyBytes: 3_000_000 }]);
});

t.test('RFC 9110 §7.8: an upgrade behind a request that runs is refused after that one was answered', async (t) => {
  const house = await openHouse(t, () => {});
  const client = await connectRaw(house.port);
  client.send(get('/1') + get('/2', 'Connection: upgrade\r\nUpgrade: websocket\r\n'));
  await house.arrivals.reached(1);
  house.handed[0]?.sink.reply(replyOf([Buffer.alloc(5_000_000, 'x')]));
  t.equal((await client.response()).body.length, 5_000_000);
  t.equal((await client.response()).status, 501);
  t.equal(await client.ended, 'finished');
  t.equal(house.handed.length, 1);
});

t.test('a client that resets its upgrade request does no harm', async (t) => {
  let gone = 0;
  const house = await openHouse(t, (_request, sink) => sink.onGone(() => gone++));
  const client = await connectRaw(house.port);
  client.send(get('/x', 'Connection: upgrade\r\nUpgrade: websocket\r\n'));
  await house.arrivals.reached(1);
  client.reset();
  await house.front.close();
  t.equal(gone, 1);
});

t.test('RFC 9112 §9.6: after a last reply the rest of the request is read on for a moment only', async (t) => {
  const house = await openHouse(t);
  const client = await connectRaw(house.port);
  client.socket.allowHalfOpen = true;
  client.send('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n');
  t.equal((await client.response()).status, 200);
  client.send(Buffer.alloc(1000));
  await turns();
  t.equal(house.front.connections, 1);
  await pass(house.clock, 3000);
  await until(() => house.front.connections === 0);
  client.close();
});
