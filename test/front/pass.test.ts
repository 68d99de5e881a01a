// Goal: what the pass lane needs of the front: the request whole, the plan with its notes, one account, no clean end.
// Method: raw sockets, a stub engine that passes everything, a stub tunnel that does what a test says.
import type { IncomingMessage, ServerResponse } from 'node:http';
import t, { type Test } from 'tap';
import type { PassPlan, Reply } from '../../lib/engine/contract.js';
import type { FrontOptions } from '../../lib/front/contract.js';
import type { PassEnd, Tunnel } from '../../lib/front/pass-lane.js';
import { Fields } from '../../lib/http/fields.js';
import { CutOff, connectRaw } from '../kit/raw-client.js';
import { openHouse, pass, replyOf, until } from './house.js';

const NOTE = { outcome: 'BYPASS', reason: 'method-pass', rule: 'r', ageSec: undefined, collapsed: false } as const;
const POST = 'POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n';
const UPGRADE = 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';

const PLAN: PassPlan = {
  requestFields: Fields.empty,
  respond: (_status, _phrase, fields) => ({ fields: fields.append('X-Responded', 'yes'), note: NOTE }),
  upgraded: (fields) => ({ fields, note: NOTE }),
  failed: (): Reply =>
    replyOf('failed', { status: 502, note: { ...NOTE, outcome: 'ERROR', reason: 'origin-refused' } }),
};

type Web = (req: IncomingMessage, res: ServerResponse, plan: PassPlan, done: (end: PassEnd) => void) => void;

function openPassing(t: Test, web: Web, options: Partial<FrontOptions> = {}, upgrade?: Tunnel['upgrade']) {
  const tunnel: Tunnel = {
    web,
    upgrade:
      upgrade ??
      (() => {
        throw new Error('no upgrade here');
      }),
  };
  return openHouse(t, (_request, sink) => sink.pass(PLAN), { tunnel, ...options });
}

/** Reads the body and answers with it. */
const echo: Web = (req, res, plan, done) => {
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.on('end', () => {
    const { fields } = plan.respond(200, 'OK', Fields.of({ 'Content-Type': 'text/plain' }));
    const body = Buffer.concat(chunks);
    res.writeHead(200, 'OK', [...fields.raw, 'Content-Length', String(body.length)]);
    res.end(body, () => done({ ending: 'finished', bodyBytes: body.length }));
  });
};

t.test('a passed request is told once, with the note of the plan and what the tunnel counted', async (t) => {
  const house = await openPassing(t, echo, { debugHeader: 'CDN-Cache' });
  const client = await connectRaw(house.port);
  t.teardown(() => client.close());
  const response = await client.send(`${POST}0123456789`).response();
  t.equal(response.body.toString(), '0123456789');
  t.equal(response.field('x-responded'), 'yes');
  t.equal(response.field('cdn-cache'), 'BYPASS');
  await house.answers.reached(1);
  t.match(house.answered, [
    {
      method: 'POST',
      status: 200,
      outcome: 'BYPASS',
      reason: 'method-pass',
      rule: 'r',
      bodyBytes: 10,
      ending: 'finished',
    },
  ]);
  t.equal((await client.send(`${POST}abcdefghij`).response()).body.toString(), 'abcdefghij', 'the connection goes on');
});

t.test('RFC 9110 §10.1.1: the tunnel decides when a client may go on', async (t) => {
  let isExpected = false;
  const house = await openPassing(t, (req, res, plan, done) => {
    isExpected = req.headers.expect === '100-continue';
    res.writeContinue();
    echo(req, res, plan, done);
  });
  const client = await connectRaw(house.port);
  t.teardown(() => client.close());
  client.send(POST.replace('\r\n\r\n', '\r\nExpect: 100-continue\r\n\r\n'));
  await house.arrivals.reached(1);
  t.equal(isExpected, true);
  const response = await client.send('0123456789').response();
  t.equal(response.interim[0]?.status, 100);
  t.equal(response.body.toString(), '0123456789');
});

t.test('limits: a body that stops arriving is answered 408, and the tunnel sees it cut off', async (t) => {
  let aborted = 0;
  const house = await openPassing(
    t,
    (req, res, plan, done) => {
      req.on('error', () => {
        aborted++;
        done({ ending: 'aborted', bodyBytes: 0 });
      });
      echo(req, res, plan, done);
    },
    { limits: { bodyIdleMs: 5000 } },
  );
  const client = await connectRaw(house.port);
  client.send(`${POST}012`);
  await house.arrivals.reached(1);
  await pass(house.clock, 4000);
  client.send('345');
  await pass(house.clock, 4000);
  t.equal(client.receivedBytes, 0, 'every byte starts the time anew');
  await pass(house.clock, 4000);
  const response = await client.response();
  t.equal(response.status, 408);
  t.equal(response.field('connection'), 'close');
  t.equal(await client.ended, 'finished');
  await until(() => aborted === 1);
  t.match(house.answered, [{ status: 408, outcome: 'ERROR', reason: 'request-timeout', ending: 'aborted' }]);
});

t.test('limits: a client that waits for 100 (Continue) is not late', async (t) => {
  const house = await openPassing(t, echo, { limits: { bodyIdleMs: 5000 } });
  const client = await connectRaw(house.port);
  t.teardown(() => client.close());
  client.send(POST.replace('\r\n\r\n', '\r\nExpect: 100-continue\r\n\r\n'));
  await house.arrivals.reached(1);
  await pass(house.clock, 30_000);
  t.equal((await client.send('0123456789').response()).body.toString(), '0123456789');
});

t.test('limits: once an answer has begun, a body that stops arriving ends the connection', async (t) => {
  const house = await openPassing(
    t,
    (req, res, plan, done) => {
      res.once('close', () => done({ ending: 'aborted', bodyBytes: 2 }));
      req.resume();
      const { fields } = plan.respond(200, 'OK', Fields.empty);
      res.writeHead(200, 'OK', [...fields.raw, 'Content-Length', '5']);
      res.write('ab');
    },
    { limits: { bodyIdleMs: 5000 } },
  );
  const client = await connectRaw(house.port);
  const response = await client.send(`${POST}012`).head();
  await response.received(2);
  await pass(house.clock, 7000);
  await t.rejects(response.whole(), CutOff);
  t.match(house.answered, [{ status: 200, ending: 'aborted' }]);
});

t.test('RFC 9112 §7.1: a bad chunk behind a good one is answered 400, and the tunnel sees it cut off', async (t) => {
  const seen: string[] = [];
  const house = await openPassing(t, (req) => {
    req.on('data', (chunk: Buffer) => seen.push(chunk.toString()));
    req.on('end', () => seen.push('end'));
    req.on('error', () => seen.push('error'));
  });
  const client = await connectRaw(house.port);
  client.send('POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n');
  await until(() => seen.length === 1);
  client.send('zz\r\n');
  t.equal((await client.response()).status, 400);
  t.equal(await client.ended, 'finished');
  await until(() => seen.length === 2);
  t.strictSame(seen, ['ab', 'error']);
});

t.test('RFC 9112 §9.3: an answer before the body has arrived ends the connection after it', async (t) => {
  const house = await openPassing(t, (_req, res, plan, done) => {
    const { fields } = plan.respond(200, 'OK', Fields.empty);
    res.writeHead(200, 'OK', [...fields.raw, 'Content-Length', '2']);
    res.end('ok', () => done({ ending: 'finished', bodyBytes: 2 }));
  });
  const client = await connectRaw(house.port);
  t.equal((await client.send(`${POST}012`).response()).body.toString(), 'ok');
  client.send('3456789GET /next HTTP/1.1\r\nHost: a\r\n\r\n');
  t.equal(await client.ended, 'finished');
  t.equal(house.handed.length, 1);
});

t.test('drain: a passed request that is answered meanwhile is the last', async (t) => {
  let answer = (): void => {};
  const house = await openPassing(t, (req, res, plan, done) => {
    answer = () => echo(req, res, plan, done);
  });
  const client = await connectRaw(house.port);
  client.send(`${POST}0123456789`);
  await house.arrivals.reached(1);
  const drained = house.front.drain(5000);
  answer();
  t.equal((await client.response()).field('connection'), 'close');
  await drained;
});

t.test('a passed request whose client left is told once, when the tunnel has seen it', async (t) => {
  const house = await openPassing(t, (req, _res, _plan, done) => {
    req.on('error', () => {
      done({ ending: 'aborted', bodyBytes: 7 });
      done({ ending: 'aborted', bodyBytes: 7 });
    });
  });
  const client = await connectRaw(house.port);
  client.send(POST);
  await house.arrivals.reached(1);
  client.reset();
  await house.answers.reached(1);
  await until(() => house.front.connections === 0);
  t.match(house.answered, [{ status: 499, reason: 'client-left', ending: 'aborted', bodyBytes: 7 }]);
  t.equal(house.answered.length, 1);
});

t.test('RFC 9110 §7.8: the tunnel gets the socket and the bytes behind the head, and no timeout of ours', async (t) => {
  const house = await openPassing(
    t,
    echo,
    { limits: { keepAliveMs: 2000, headTimeoutMs: 2000 }, debugHeader: 'CDN-Cache' },
    (_req, socket, head, plan, done) => {
      const { fields } = plan.upgraded(Fields.of({ Upgrade: 'websocket' }));
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nCDN-Cache: ${fields.first('cdn-cache')}\r\n\r\n`);
      socket.write(head);
      socket.pipe(socket);
      socket.on('close', () => done({ ending: 'finished', bodyBytes: 6 }));
    },
  );
  const client = await connectRaw(house.port);
  client.send(`${UPGRADE}abc`);
  const response = await client.head();
  t.equal(response.status, 101);
  t.equal(response.field('cdn-cache'), 'BYPASS');
  t.equal((await client.bytes(3)).toString(), 'abc');
  await pass(house.clock, 60_000);
  client.send('def');
  t.equal((await client.bytes(3)).toString(), 'def');
  client.close();
  await house.answers.reached(1);
  t.match(house.answered, [{ status: 101, outcome: 'BYPASS', ending: 'finished', bodyBytes: 6 }]);
  t.equal(house.answered.length, 1);
});

t.test('a passed HTTP/1.0 upgrade goes to the tunnel as an ordinary request', async (t) => {
  const house = await openPassing(t, (_req, res, plan, done) => {
    const { fields } = plan.respond(200, 'OK', Fields.empty);
    res.writeHead(200, 'OK', [...fields.raw, 'Content-Length', '2']);
    res.end('ok', () => done({ ending: 'finished', bodyBytes: 2 }));
  });
  const client = await connectRaw(house.port);
  const response = await client.send(UPGRADE.replace('HTTP/1.1', 'HTTP/1.0')).response();
  t.equal(response.body.toString(), 'ok');
  t.equal(await client.ended, 'finished');
});

t.test('a fault of ours while an answer is passed on is told, and the reply breaks off', async (t) => {
  const web: Web = (_req, res, plan, done) => {
    t.throws(() => plan.respond(200, 'OK', Fields.empty), { message: 'broken plan' });
    res.destroy();
    done({ ending: 'aborted', bodyBytes: 0 });
  };
  const broken: PassPlan = {
    ...PLAN,
    respond() {
      throw new Error('broken plan');
    },
  };
  const tunnel: Tunnel = { web, upgrade() {} };
  const house = await openHouse(t, (_request, sink) => sink.pass(broken), { tunnel });
  const client = await connectRaw(house.port);
  t.teardown(() => client.close());
  client.send(`${POST}0123456789`);
  await t.rejects(client.response(), CutOff);
  t.same(house.notices, ['internal']);
});
