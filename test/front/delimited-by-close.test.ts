// Goal: a reply that ends with its connection never ends cleanly where it was cut (RFC 9112 §8), and takes nothing of those before it.
// Method: both lanes behind a stub engine, or with the pass lane and a scripted origin; HTTP/1.0 clients; a fake clock.
import t, { type Test } from 'tap';
import type { ClientRequest, PassPlan, Payload, ReplySink } from '../../lib/engine/contract.js';
import type { FrontOptions } from '../../lib/front/contract.js';
import { Body, type BodyReader } from '../../lib/object/body.js';
import { createBarrier, turns } from '../kit/barrier.js';
import { connectRaw, type RawClient } from '../kit/raw-client.js';
import { hang, reset, type Step, send, startScriptedOrigin, until as untilOpen } from '../kit/scripted-origin.js';
import { type House, openHouse, pass, replyOf, until } from './house.js';
import { tunnelTo } from './tunnel-to.js';

const get = (target: string, fields = '') => `GET ${target} HTTP/1.0\r\nHost: a\r\n${fields}\r\n`;
const KEEP = 'Connection: keep-alive\r\n';
const upload = (target: string) => `POST ${target} HTTP/1.0\r\nHost: a\r\nContent-Length: 10\r\n\r\n`;
const WITHOUT_LENGTH = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n';
/** More than the kernel takes for a client that does not read. */
const HUGE = Buffer.alloc(20_000_000, 'x');

type Answer = (request: ClientRequest, sink: ReplySink) => void;

function bodyOf(bytes: string | Buffer): Body {
  const body = new Body({ mode: 'retain', highWaterBytes: 1024 });
  body.write(Buffer.from(bytes));
  return body;
}

/** Answers each request with what is here of a body whose length nobody knows. */
function begins(body: Body): Answer {
  const payload = (): Payload => ({ kind: 'reader', reader: body.open(), length: undefined });
  return (_request, sink) => sink.reply(replyOf('', { payload: payload() }));
}

async function ask(t: Test, house: House, bytes: string): Promise<RawClient> {
  const client = await connectRaw(house.port);
  t.teardown(() => client.close());
  return client.send(bytes);
}

/** The reply has begun. */
async function begun(t: Test, client: RawClient): Promise<void> {
  const response = await client.head();
  t.equal(response.field('content-length'), undefined);
  await response.received(2);
}

/** A client that takes nothing of its reply is reset. */
async function stalls(t: Test, house: House, client: RawClient, isAsked: () => Promise<unknown>): Promise<void> {
  const { socket } = client;
  client.pause();
  socket.allowHalfOpen = true;
  await isAsked();
  await turns(50);
  await pass(house.clock, 7000);
  await until(() => house.front.connections === 0);
  t.strictSame(house.notices, ['reply-idle']);
  client.resume();
  await client.ended;
  // Node 20 tells of a reset behind bytes that were not read as of an end, and Node 24 takes the socket away. One that was only ended is
  // half open, and to write to it succeeds.
  const error = await new Promise((resolve) => socket.write('x', resolve));
  t.match(error, { code: /EPIPE|ECONNRESET|ERR_STREAM_DESTROYED/ });
}

const NOTE = { outcome: 'BYPASS', reason: 'method-pass', rule: 'r', ageSec: undefined, collapsed: false } as const;

const planFor = (request: ClientRequest): PassPlan => ({
  requestFields: request.fields,
  respond: (_status, _phrase, fields) => ({ fields, note: NOTE }),
  upgraded: (fields) => ({ fields, note: NOTE }),
  failed: () => replyOf('failed\n', { status: 502, note: NOTE }),
});

/** A front that passes what is not `/here` to an origin. */
async function openThrough(t: Test, here: Answer, options: Partial<FrontOptions>) {
  const origin = await startScriptedOrigin();
  const tunnel = tunnelTo(t, origin);
  const answer: Answer = (request, sink) => {
    if (request.target === '/here') here(request, sink);
    else sink.pass(planFor(request));
  };
  return { origin, house: await openHouse(t, answer, { tunnel, ...options }) };
}

for (const fastLane of [true, false]) {
  const lane = fastLane ? 'fast' : 'full';

  t.test(`RFC 9112 §8, ${lane} lane: a client that takes no byte of it for too long is reset`, async (t) => {
    const house = await openHouse(t, begins(bodyOf(HUGE)), { fastLane, limits: { replyIdleMs: 5000 } });
    const client = await ask(t, house, get('/'));
    await stalls(t, house, client, () => house.arrivals.reached(1));
  });

  t.test(`RFC 9112 §8, ${lane} lane: a drain that takes too long, and a close, reset it`, async (t) => {
    for (const end of ['drain', 'close'] as const) {
      const house = await openHouse(t, begins(bodyOf('ab')), { fastLane });
      const client = await ask(t, house, get('/'));
      await begun(t, client);
      const ended = end === 'drain' ? house.front.drain(5000) : house.front.close();
      house.clock.advance(5000);
      await ended;
      t.equal(await client.ended, 'reset', end);
    }
  });

  t.test(`RFC 9112 §8, ${lane} lane: so does a close one that is passed, and none that has a length`, async (t) => {
    const { origin, house } = await openThrough(t, begins(bodyOf('ab')), { fastLane });
    origin.script(send(WITHOUT_LENGTH), hang());
    const client = await ask(t, house, get('/'));
    await begun(t, client);
    origin.script(send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab'), hang());
    const sized = await ask(t, house, get('/sized'));
    await (await sized.head()).received(2);
    await house.front.close();
    t.equal(await client.ended, 'reset');
    t.equal(await sized.ended, 'finished');
  });

  t.test(`RFC 9112 §8, ${lane} lane: a body that stops behind a reply that has begun resets it`, async (t) => {
    for (const way of ['stops', 'is passed and stops', 'is passed and ends']) {
      const options = { fastLane, limits: { bodyIdleMs: 5000 } };
      const { origin, house } = await openThrough(t, begins(bodyOf('ab')), options);
      origin.script(send(WITHOUT_LENGTH), hang());
      const client = await ask(t, house, way === 'stops' ? upload('/here') : `${upload('/')}abc`);
      await begun(t, client);
      if (way === 'is passed and ends') client.finish();
      else await pass(house.clock, 7000);
      t.equal(await client.ended, 'reset', way);
      await house.answers.reached(1);
      t.match(house.answered, [{ ending: 'aborted', status: 200 }]);
    }
  });

  t.test(`RFC 9112 §8, ${lane} lane: a fault of ours behind its beginning resets it`, async (t) => {
    let goOn = (): void => {};
    let isLate = false;
    let first: Buffer | undefined = Buffer.from('ab');
    const reader: BodyReader = {
      read() {
        if (first === undefined && isLate) throw new Error('broken invariant');
        const bytes = first ?? 'later';
        first = undefined;
        return bytes;
      },
      onReadable: (run) => {
        goOn = run;
      },
      close() {},
    };
    const house = await openHouse(
      t,
      (_request, sink) => sink.reply(replyOf('', { payload: { kind: 'reader', reader, length: undefined } })),
      { fastLane },
    );
    const client = await ask(t, house, get('/'));
    await begun(t, client);
    isLate = true;
    goOn();
    t.equal(await client.ended, 'reset');
    t.strictSame(house.notices, ['internal']);
  });

  t.test(`RFC 9112 §8, ${lane} lane: one that breaks before its turn is as if never begun`, async (t) => {
    const [first, second] = [bodyOf('abc'), bodyOf('xyz')];
    const house = await openHouse(
      t,
      ({ target }, sink) => {
        const isFirst = target === '/1';
        const reader = (isFirst ? first : second).open();
        sink.reply(replyOf('', { payload: { kind: 'reader', reader, length: isFirst ? 6 : undefined } }));
      },
      { fastLane },
    );
    const client = await ask(t, house, get('/1', KEEP) + get('/2', KEEP) + get('/3', KEEP));
    const one = await client.head();
    await house.arrivals.reached(3);
    await turns();
    second.fail();
    await turns();
    first.write(Buffer.from('def'));
    first.complete(0);
    t.equal((await one.whole()).body.toString(), 'abcdef');
    t.equal(await client.ended, 'finished');
    t.equal(client.surplusBytes, 0, 'not a byte of it came');
    await house.answers.reached(3);
    t.match(house.answered.map(({ target, ending }) => [target, ending]).sort(), [
      ['/1', 'finished'],
      ['/2', 'aborted'],
      ['/3', 'aborted'],
    ]);
  });

  t.test(
    `RFC 9112 §8, ${lane} lane: so is one that is passed, and what its client sends on takes nothing`,
    async (t) => {
      const first = bodyOf('abc');
      const { origin, house } = await openThrough(
        t,
        (_request, sink) => {
          sink.reply(replyOf('', { payload: { kind: 'reader', reader: first.open(), length: 6 } }));
        },
        { fastLane },
      );
      const barrier = createBarrier();
      origin.script(send(WITHOUT_LENGTH), untilOpen(barrier), reset());
      const client = await ask(t, house, get('/here', KEEP) + get('/2', KEEP));
      client.socket.allowHalfOpen = true;
      const one = await client.head();
      await origin.seen(1);
      await turns(20);
      barrier.open();
      await turns(20);
      client.send(get('/more', KEEP));
      await turns(20);
      first.write(Buffer.from('def'));
      first.complete(0);
      t.equal((await one.whole()).body.toString(), 'abcdef');
      t.equal(await client.ended, 'finished');
      t.equal(client.surplusBytes, 0, 'not a byte of it came');
      t.equal(house.front.connections, 1, 'closed in stages');
      client.finish();
      await until(() => house.front.connections === 0);
      t.equal(house.handed.length, 2);
    },
  );

  t.test(`RFC 9112 §6.3, ${lane} lane: what is refused behind it is no part of it`, async (t) => {
    for (const isEarly of [true, false]) {
      const body = bodyOf('ab');
      const house = await openHouse(t, () => {}, { fastLane });
      const client = await ask(t, house, get('/1', KEEP));
      await house.arrivals.reached(1);
      const [asked] = house.handed;
      if (!isEarly) begins(body)(asked?.request as ClientRequest, asked?.sink as ReplySink);
      client.send('no request at all\r\n\r\n');
      await house.answers.reached(1);
      if (isEarly) begins(body)(asked?.request as ClientRequest, asked?.sink as ReplySink);
      body.complete(0);
      t.equal((await client.response()).body.toString(), 'ab');
      t.equal(await client.ended, 'finished');
      t.match(house.answered, [{ status: 400 }, { status: 200, ending: 'finished' }]);
    }
  });

  t.test(`RFC 9110 §7.8, ${lane} lane: a refused upgrade without a length that its client does not take`, async (t) => {
    const { origin, house } = await openThrough(t, begins(bodyOf('')), { fastLane, limits: { replyIdleMs: 5000 } });
    const steps: Step[] = [send('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n'), send(HUGE)];
    origin.script(...steps, (socket) => void socket.end());
    const upgrade = 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';
    const client = await ask(t, house, upgrade);
    await stalls(t, house, client, () => origin.seen(1));
  });
}
