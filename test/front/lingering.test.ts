// Goal: however a connection ends, its client gets all that was said before the end, and holds it no longer than the limits say (RFC 9112 §9.6).
// Method: both lanes behind a stub engine; clients that read nothing until the end is there, and send on meanwhile; a fake clock.
import t, { type Test } from 'tap';
import {
  DRAIN_LINGER_MS,
  LINGER_MS,
  MAX_LINGER_BYTES,
  MAX_LINGER_MS,
  MAX_REFUSED_CONNECTIONS,
  WRITE_AT_ONCE_BYTES,
} from '../../lib/base/limits.js';
import type { ClientRequest, ReplySink } from '../../lib/engine/contract.js';
import type { FrontOptions } from '../../lib/front/contract.js';
import { Body } from '../../lib/object/body.js';
import { turns } from '../kit/barrier.js';
import { type CutOff, connectRaw, type RawClient } from '../kit/raw-client.js';
import { openHouse, pass, replyOf, until } from './house.js';

const get = (target: string, fields = '') => `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
const post = (framing: string) => `POST /p HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`;
const CLOSE = 'Connection: close\r\n';
/** Pieces of 1 MB: more than the kernel takes, and less than is dropped once the last reply is out. */
const FLOOD = 13;
/** More than a client that does not read has room for, and less than the kernel takes for it. */
const LARGE = Buffer.alloc(WRITE_AT_ONCE_BYTES - 1, 'x');

function large(_request: ClientRequest, sink: ReplySink): void {
  sink.reply(replyOf([LARGE]));
}

/** A front, and a client that reads nothing and answers no end with its own. */
async function open(t: Test, fastLane: boolean, answer = large, options: Partial<FrontOptions> = {}) {
  const house = await openHouse(t, answer, { fastLane, ...options });
  const client = await connectRaw(house.port);
  client.socket.allowHalfOpen = true;
  t.teardown(() => client.close());
  return { house, client };
}

async function takesLarge(t: Test, client: RawClient): Promise<void> {
  client.resume();
  const { received } = await client.response().then(
    ({ body }) => ({ received: body }),
    (error: unknown) => error as CutOff,
  );
  t.equal(received.length, LARGE.length);
}

for (const fastLane of [true, false]) {
  const lane = fastLane ? 'fast' : 'full';

  t.test(`RFC 9112 §9.6, ${lane} lane: what comes behind a last request takes nothing of its reply`, async (t) => {
    const { house, client } = await open(t, fastLane);
    client.pause();
    client.send(get('/1', CLOSE) + get('/never'));
    await house.answers.reached(1);
    for (let i = 0; i < 3; i++) {
      await turns();
      client.send(get('/never'));
      await pass(house.clock, 1000);
    }
    t.equal(house.front.connections, 1, 'it counts until it is closed');
    await takesLarge(t, client);
    t.equal(await client.ended, 'finished');
    client.finish();
    await until(() => house.front.connections === 0);
    t.equal(house.handed.length, 1);
  });

  t.test(`RFC 9112 §9.6, ${lane} lane: so it is where the server ends the connection`, async (t) => {
    const { house, client } = await open(t, fastLane, (_request, sink) =>
      sink.reply(replyOf([LARGE], { close: true })),
    );
    client.pause();
    client.send(get('/1'));
    await house.answers.reached(1);
    await turns();
    client.send(get('/never'));
    await turns();
    await takesLarge(t, client);
    t.equal(await client.ended, 'finished');
    t.equal(house.handed.length, 1);
  });

  t.test(`RFC 9112 §9.6, ${lane} lane: what is no request takes nothing of the reply before it`, async (t) => {
    const { house, client } = await open(t, fastLane);
    client.pause();
    client.send(`${get('/1')}no request at all\r\n\r\n`);
    await house.answers.reached(2);
    for (let i = 0; i < 5; i++) {
      client.send('and more of it\r\n\r\n');
      await turns();
      await pass(house.clock, 1000);
    }
    await takesLarge(t, client);
    t.equal((await client.response()).status, 400);
    t.equal(await client.ended, 'finished');
  });

  t.test(`RFC 9112 §9.6, ${lane} lane: a reply that breaks off takes nothing of the one before it`, async (t) => {
    const body = new Body({ mode: 'retain', highWaterBytes: 1024 });
    const { house, client } = await open(t, fastLane, (request, sink) => {
      if (request.target === '/1') large(request, sink);
      else sink.reply(replyOf('', { payload: { kind: 'reader', reader: body.open(), length: 100 } }));
    });
    client.pause();
    client.send(get('/1') + get('/broken') + get('/behind') + post('Content-Length: 9'));
    await house.answers.reached(1);
    body.write(Buffer.from('abc'));
    await turns();
    body.fail();
    await house.answers.reached(2);
    await turns();
    client.send(get('/never'));
    await turns();
    await takesLarge(t, client);
    const broken = await client.head();
    t.equal((await broken.received(3)).toString(), 'abc');
    t.equal(await client.ended, 'finished');
    await house.answers.reached(3);
    t.match(house.answered, [{ ending: 'finished' }, { ending: 'aborted' }, { ending: 'aborted', target: '/behind' }]);
  });

  t.test(
    `RFC 9112 §9.6, ${lane} lane: an upgrade behind a last reply leaves that its way to a slow client`,
    async (t) => {
      const huge = Buffer.alloc(20 * WRITE_AT_ONCE_BYTES, 'x');
      const { house, client } = await open(t, fastLane, (_request, sink) =>
        sink.reply(replyOf([huge], { close: true })),
      );
      client.pause();
      // Not for the fast lane, so that node:http reads what follows.
      client.send(`${post('Content-Length: 0')}${get('/ws', 'Connection: upgrade\r\nUpgrade: websocket\r\n')}`);
      await house.arrivals.reached(1);
      await turns();
      client.resume();
      t.equal((await client.response()).body.length, huge.length);
      t.equal(await client.ended, 'finished');
      client.finish();
      await until(() => house.front.connections === 0);
      t.equal(house.handed.length, 1);
    },
  );

  t.test(`limits, ${lane} lane: what comes behind a last reply is not read for ever while that goes out`, async (t) => {
    const size = 20 * WRITE_AT_ONCE_BYTES;
    const more = get('/never').repeat(Math.ceil(WRITE_AT_ONCE_BYTES / get('/never').length));
    for (const [first, isLast] of [
      [get('/1', CLOSE), false],
      [get('/1'), true],
      [`${get('/1')}no request at all\r\n\r\n`, false],
    ] as const) {
      const { house, client } = await open(t, fastLane, (_request, sink) =>
        sink.reply(replyOf([Buffer.alloc(size, 'x')], { close: isLast })),
      );
      client.pause();
      client.send(first);
      await house.arrivals.reached(1);
      await turns();
      let taken = 0;
      for (let i = 0; i < FLOOD; i++) client.socket.write(more, () => taken++);
      await turns(300);
      t.ok(taken < FLOOD, `${taken} of ${FLOOD}`);
      t.equal(house.front.connections, 1, 'nor is it cut off for that');
      client.resume();
      t.equal((await client.response()).body.length, size);
      if (first.includes('no request')) t.equal((await client.response()).status, 400);
      t.equal(await client.ended, 'finished');
      await until(() => taken === FLOOD);
      client.finish();
      await until(() => house.front.connections === 0);
      t.equal(house.handed.length, 1);
    }
  });

  t.test(`limits, ${lane} lane: a client that sends on for ever behind its last reply is cut off`, async (t) => {
    const { house, client } = await open(t, fastLane, (_request, sink) => sink.reply(replyOf('last')));
    client.socket.on('error', () => {});
    client.send(get('/1', CLOSE));
    t.equal((await client.response()).body.toString(), 'last');
    for (let ms = 0; ms < MAX_LINGER_MS - 1000; ms += 1000) {
      client.send('x');
      await turns();
      await pass(house.clock, 1000);
    }
    t.equal(house.front.connections, 1, 'as long as the time is not up');
    client.send('x');
    await turns();
    await pass(house.clock, 2000);
    await until(() => house.front.connections === 0);

    const flood = await connectRaw(house.port);
    flood.socket.allowHalfOpen = true;
    flood.send(get('/1', CLOSE));
    t.equal((await flood.response()).body.toString(), 'last');
    flood.send(Buffer.alloc(MAX_LINGER_BYTES + 1));
    await until(() => house.front.connections === 0);
    flood.close();
  });

  t.test(`limits, ${lane} lane: a client that says nothing more is waited for a moment only`, async (t) => {
    const { house, client } = await open(t, fastLane, (_request, sink) => sink.reply(replyOf('last')));
    client.send(get('/1', CLOSE));
    t.equal((await client.response()).body.toString(), 'last');
    await turns();
    await pass(house.clock, LINGER_MS - 1000);
    t.equal(house.front.connections, 1);
    await pass(house.clock, 2000);
    await until(() => house.front.connections === 0);
  });

  t.test(`drain, ${lane} lane: is not held up by a client that sends on behind its last reply`, async (t) => {
    const { house, client } = await open(t, fastLane, (_request, sink) => sink.reply(replyOf('last')));
    client.socket.on('error', () => {});
    client.send(get('/1', CLOSE));
    await client.response();
    const drained = house.front.drain(60_000);
    await turns();
    for (let ms = 0; ms <= 2 * DRAIN_LINGER_MS; ms += DRAIN_LINGER_MS) {
      client.send('x');
      await turns();
      house.clock.advance(DRAIN_LINGER_MS);
    }
    await drained;
    t.equal(house.front.connections, 0);
  });
}

t.test('RFC 9112 §9.6: a body that is refused early takes nothing of the refusal', async (t) => {
  const { house, client } = await open(t, true, (_request, sink) => sink.reply(replyOf([LARGE], { status: 413 })));
  client.pause();
  client.send(post('Content-Length: 20000000'));
  await house.answers.reached(1);
  for (let i = 0; i < 10; i++) {
    client.send(Buffer.alloc(100_000));
    await turns();
    await pass(house.clock, 1000);
  }
  await takesLarge(t, client);
  t.equal(await client.ended, 'finished');
});

t.test(
  'RFC 9112 §9.6: a body that cannot be read on takes nothing of what was said, and nobody waits for it',
  async (t) => {
    let gone = 0;
    const { house, client } = await open(t, true, (request, sink) => {
      if (request.hasBody) sink.onGone(() => gone++);
      else large(request, sink);
    });
    client.pause();
    client.send(get('/1'));
    await house.answers.reached(1);
    client.send(`${post('Transfer-Encoding: chunked')}3\r\nabc\r\n`);
    await house.arrivals.reached(2);
    client.send('no length\r\n');
    await house.answers.reached(2);
    t.equal(gone, 1);
    client.send('and more');
    await turns();
    await takesLarge(t, client);
    t.equal((await client.response()).status, 400);
    t.equal(await client.ended, 'finished');
  },
);

t.test('RFC 9112 §9.6: the end of a client is seen where nothing was read before its replies were out', async (t) => {
  const body = new Body({ mode: 'retain', highWaterBytes: 1024 });
  const { house, client } = await open(t, false, (request, sink) => {
    if (request.target !== '/broken') large(request, sink);
    else sink.reply(replyOf('', { payload: { kind: 'reader', reader: body.open(), length: 100 } }));
  });
  client.send(get('/broken') + get('/2'));
  await house.arrivals.reached(2);
  client.send(get('/3'));
  await house.arrivals.reached(3);
  await turns();
  client.send(get('/4'));
  body.fail();
  t.equal(await client.ended, 'finished');
  client.finish();
  await until(() => house.front.connections === 0);
});

t.test('limits: a refusal that its client does not take is not waited for', async (t) => {
  const { house, client } = await open(t, true, large, { limits: { replyIdleMs: 10_000 } });
  client.pause();
  for (let i = 0; i < 9; i++) client.send(get('/1'));
  await until(() => house.handed.length === 9 || house.front.connections === 1);
  client.send('no request at all\r\n\r\n');
  await turns(50);
  await pass(house.clock, 12_000);
  await until(() => house.front.connections === 0);
});

for (const fastLane of [true, false]) {
  const lane = fastLane ? 'fast' : 'full';

  t.test(
    `limits, ${lane} lane: a connection that only ends takes nobody's place, and gives way in the end`,
    async (t) => {
      const { house, client } = await open(t, fastLane, (_, sink) => sink.reply(replyOf('ok')), {
        limits: { connections: 1 },
      });
      const ask = async (one: RawClient) => {
        one.send(get('/1', CLOSE));
        t.equal((await one.response()).status, 200);
        t.equal(await one.ended, 'finished');
      };
      await ask(client);
      const others: RawClient[] = [];
      for (let i = 0; i < MAX_REFUSED_CONNECTIONS + 2; i++) {
        const other = await connectRaw(house.port);
        other.socket.allowHalfOpen = true;
        t.teardown(() => other.close());
        others.push(other);
        await ask(other);
      }
      t.equal(house.front.connections, 1 + MAX_REFUSED_CONNECTIONS);
      t.strictSame(house.notices, []);
      const running = await connectRaw(house.port);
      t.teardown(() => running.close());
      running.send(get('/1'));
      t.equal((await running.response()).status, 200, 'the one that counts');
      const beyond = await connectRaw(house.port);
      t.teardown(() => beyond.close());
      t.equal(await beyond.ended, 'finished', 'one too many: closed without a word');
      t.strictSame(house.notices, ['too-many-connections']);
    },
  );

  t.test(`limits, ${lane} lane: one whose last bytes are not out does not give way to others`, async (t) => {
    const body = new Body({ mode: 'retain', highWaterBytes: 1024 });
    const { house, client } = await open(
      t,
      fastLane,
      ({ hasBody }, sink) => {
        const payload = { kind: 'reader', reader: body.open(), length: 30_000_000 } as const;
        sink.reply(hasBody ? replyOf('', { payload }) : replyOf('ok'));
      },
      { limits: { connections: 1, bodyIdleMs: 5000 } },
    );
    client.pause();
    // Its body stops, and with it the reply that has begun.
    client.send(post('Content-Length: 9'));
    await house.arrivals.reached(1);
    body.write(Buffer.alloc(20_000_000));
    await turns(20);
    await pass(house.clock, 7000);
    await house.answers.reached(1);
    for (let i = 0; i < MAX_REFUSED_CONNECTIONS + 2; i++) {
      const other = await connectRaw(house.port);
      other.socket.allowHalfOpen = true;
      t.teardown(() => other.close());
      other.send(get('/1', CLOSE));
      t.equal((await other.response()).status, 200);
      t.equal(await other.ended, 'finished');
    }
    t.equal(house.front.connections, 1 + MAX_REFUSED_CONNECTIONS);
    client.resume();
    const broken = await client.head();
    t.equal(await client.ended, 'finished');
    t.equal(broken.body.length, house.answered[0]?.bodyBytes);
  });
}
