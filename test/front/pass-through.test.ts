// Goal: front and tunnel together: no half request reaches the origin as a whole one, and upgrades work both ways.
// Method: raw bytes in front, a scripted origin behind, the tunnel between them; a stub engine that passes everything.

import t, { type Test } from 'tap';
import type { ClientRequest, PassPlan } from '../../lib/engine/contract.js';
import { cutOff } from '../../lib/origin/cut-off.js';
import { createBarrier, turns } from '../kit/barrier.js';
import { connectRaw } from '../kit/raw-client.js';
import {
  readBody,
  reset,
  type ScriptedOrigin,
  type Step,
  send,
  startScriptedOrigin,
  until,
} from '../kit/scripted-origin.js';
import { openHouse, replyOf } from './house.js';
import { tunnelTo } from './tunnel-to.js';

const NOTE = { outcome: 'BYPASS', reason: 'method-pass', rule: 'r', ageSec: undefined, collapsed: false } as const;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

const planFor = (request: ClientRequest): PassPlan => ({
  requestFields: request.fields,
  respond: (_status, _phrase, fields) => ({ fields, note: NOTE }),
  upgraded: (fields) => ({ fields, note: NOTE }),
  failed: () =>
    replyOf('failed\n', { status: 502, note: { ...NOTE, outcome: 'ERROR', reason: 'origin-reset' }, close: true }),
});

async function openThrough(t: Test, origin: ScriptedOrigin) {
  const tunnel = tunnelTo(t, origin);
  return openHouse(t, (request, sink) => sink.pass(planFor(request)), { tunnel, debugHeader: 'CDN-Cache' });
}

t.test('a body of either framing goes through and the connection goes on', async (t) => {
  const origin = await startScriptedOrigin();
  const house = await openThrough(t, origin);
  const client = await connectRaw(house.port);
  t.teardown(() => client.close());
  origin.script(readBody(), send(OK));
  client.send('POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc');
  const response = await client.response();
  t.equal(response.body.toString(), 'ok');
  t.equal(response.field('cdn-cache'), 'BYPASS');
  origin.script(readBody(), send(OK));
  client.send('POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n');
  t.equal((await client.response()).body.toString(), 'ok');
  const [first, second] = [await origin.seen(1), await origin.seen(2)];
  t.equal(first.body.toString(), 'abc');
  t.equal(second.body.toString(), 'abcde');
  await house.answers.reached(2);
  t.match(house.answered, [
    { status: 200, outcome: 'BYPASS', bodyBytes: 2, ending: 'finished' },
    { status: 200, ending: 'finished' },
  ]);
});

t.test('RFC 9112 §8: a body that breaks off never reaches the origin as a whole one', async (t) => {
  const BREAKS = ['zz\r\n', '-1\r\n', '3\r\nabcd\r\n', '0\r\nBad Name: x\r\n\r\n'];
  for (const rest of BREAKS) {
    const origin = await startScriptedOrigin();
    const house = await openThrough(t, origin);
    const client = await connectRaw(house.port);
    origin.script(readBody());
    client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n');
    const seen = await origin.seen(1);
    client.send(rest);
    t.equal(await seen.ending, 'cut-off', JSON.stringify(rest));
    t.equal((await client.response()).status, 400);
    await house.answers.reached(1);
    t.match(house.answered, [{ status: 400, outcome: 'ERROR', ending: 'aborted' }]);
    client.close();
  }
});

t.test('RFC 9112 §8: a client that leaves in the middle of its body cuts it off at the origin', async (t) => {
  for (const leave of ['close', 'reset', 'finish'] as const) {
    const origin = await startScriptedOrigin();
    const house = await openThrough(t, origin);
    const client = await connectRaw(house.port);
    origin.script(readBody());
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
    const seen = await origin.seen(1);
    client[leave]();
    t.equal(await seen.ending, 'cut-off', leave);
    await house.answers.reached(1);
    t.match(house.answered, [{ ending: 'aborted' }]);
    t.equal(house.answered.length, 1);
    client.close();
  }
});

t.test(
  'RFC 9112 §9.3: a final answer before the whole body ends the connection and keeps no next request',
  async (t) => {
    const origin = await startScriptedOrigin();
    const house = await openThrough(t, origin);
    const client = await connectRaw(house.port);
    origin.script(send('HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno\n'));
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
    t.equal((await client.response()).status, 413);
    client.send('defghijGET /next HTTP/1.1\r\nHost: a\r\n\r\n');
    t.equal(await client.ended, 'finished');
    t.equal(house.handed.length, 1);
  },
);

t.test(
  'RFC 9112 §9.3.2: an answer that breaks off during its upload takes nothing of the replies before it',
  async (t) => {
    const origin = await startScriptedOrigin();
    const house = await openThrough(t, origin);
    const client = await connectRaw(house.port);
    const [first, second] = [createBarrier(), createBarrier()];
    const half = (rest: Step) => [send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc'), rest];
    origin.script(...half(until(first)), send('def'));
    origin.script(...half(until(second)), reset());
    // None of them is for the fast lane, so both are in work.
    client.send('DELETE /1 HTTP/1.1\r\nHost: a\r\n\r\n');
    const one = await client.head();
    client.send('POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nxyz');
    await origin.seen(2);
    await turns(20);
    second.open();
    await house.answers.reached(1);
    await turns();
    first.open();
    t.equal((await one.whole()).body.toString(), 'abcdef');
    const broken = await client.head();
    t.equal((await broken.received(3)).toString(), 'abc');
    t.equal(await client.ended, 'finished');
    t.match(house.answered, [
      { target: '/2', ending: 'aborted' },
      { target: '/1', ending: 'finished' },
    ]);
  },
);

t.test('an origin that resets gives the reply of the plan, and the client that still sends gets it', async (t) => {
  const origin = await startScriptedOrigin();
  const house = await openThrough(t, origin);
  const client = await connectRaw(house.port);
  origin.script((socket) => void cutOff(socket));
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\nabc');
  const response = await client.response();
  t.equal(response.status, 502);
  t.equal(response.field('cdn-cache'), 'ERROR');
  client.send(Buffer.alloc(1_000_000));
  t.equal(await client.ended, 'finished');
  await house.answers.reached(1);
  t.match(house.answered, [{ status: 502, reason: 'origin-reset' }]);
});

t.test('RFC 9110 §7.8: an upgrade is a tunnel both ways, told once when it is over', async (t) => {
  const origin = await startScriptedOrigin();
  const house = await openThrough(t, origin);
  origin.script(
    send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello'),
    (socket) => {
      socket.on('data', (chunk: Buffer) => socket.write(chunk));
    },
  );
  const client = await connectRaw(house.port);
  client.send('GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n');
  const response = await client.head();
  t.equal(response.status, 101);
  t.equal((await client.bytes(5)).toString(), 'hello');
  client.send('ping');
  t.equal((await client.bytes(4)).toString(), 'ping');
  t.equal(house.answered.length, 0);
  client.close();
  await house.answers.reached(1);
  t.match(house.answered, [{ status: 101, outcome: 'BYPASS', remoteAddress: '127.0.0.1' }]);
});
