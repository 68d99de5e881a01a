// Goal: replies without node:http's server go out in order, and its marks mean here what they mean there. Method: a pair of sockets, replies finished in any order.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { Turns } from '../../lib/front/turns.js';
import { Fields } from '../../lib/http/fields.js';
import { connectRaw, type RawClient } from '../kit/raw-client.js';
import { until } from './house.js';

async function pair(t: Test): Promise<{ socket: Socket; client: RawClient }> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = await connectRaw((server.address() as AddressInfo).port);
  const [socket] = await accepted;
  t.teardown(() => {
    client.close();
    socket.destroy();
    server.close();
  });
  return { socket, client };
}

const turnsOf = (socket: Socket, goOn = (): unknown => undefined) =>
  new Turns(socket, { goOn, end: () => socket.destroySoon() });
const FIELDS = new Fields(['Host', 'a', 'X', 'y']);
const take = (turns: Turns, target: string, isLast = false) => turns.take('GET', target, FIELDS, isLast);

t.test('RFC 9112 §9.3.2: a reply goes out when those before it are out, whichever was made first', async (t) => {
  const { socket, client } = await pair(t);
  let movedCount = 0;
  const turns = turnsOf(socket, () => movedCount++);
  const [one, two, three] = [take(turns, '/1'), take(turns, '/2'), take(turns, '/3')];
  three.res.end('three');
  two.res.write('tw');
  t.ok(turns.unsentBytes > 0, 'what waits is counted');
  t.notOk(turns.areReplied);
  one.res.end('one');
  t.equal((await client.response()).body.toString(), 'one');
  two.res.end('o');
  t.ok(turns.areReplied);
  t.equal((await client.response()).body.toString(), 'two');
  t.equal((await client.response()).body.toString(), 'three');
  await until(() => turns.count === 0);
  t.equal(movedCount, 3);
});

t.test('RFC 9112 §9.6: behind a reply that is the last the connection ends', async (t) => {
  const { socket, client } = await pair(t);
  const turns = turnsOf(socket);
  take(turns, '/1').res.end('one');
  take(turns, '/2', true).res.end('two');
  t.equal((await client.response()).field('connection'), 'keep-alive');
  t.equal((await client.response()).field('connection'), 'close');
  t.equal(await client.ended, 'finished');
});

t.test('RFC 9112 §9.6: so it does where the client ended its side, before or after the reply was made', async (t) => {
  for (const isMadeBefore of [true, false]) {
    const { socket, client } = await pair(t);
    const turns = turnsOf(socket);
    t.notOk(turns.endAfterNewest(), 'nothing waits');
    const wire = take(turns, '/1');
    if (isMadeBefore) wire.res.write('o');
    t.ok(turns.endAfterNewest());
    wire.res.end('ne');
    t.match((await client.response()).body.toString(), /ne$/);
    t.equal(await client.ended, 'finished');
  }
});

t.test('a reply whose client takes bytes again does not wait for it any more', async (t) => {
  const { socket, client } = await pair(t);
  const turns = turnsOf(socket);
  socket.on('drain', () => turns.drained());
  client.pause();
  const { res } = take(turns, '/1');
  while (res.write(Buffer.alloc(1_000_000))) t.comment('more');
  t.ok(res.writableNeedDrain);
  const drained = once(res, 'drain');
  client.resume();
  await drained;
  t.notOk(res.writableNeedDrain, 'as node:http has it');
  res.end();
});

t.test('the request as node:http would have read it: complete, and without a body', async (t) => {
  const { socket } = await pair(t);
  const { req } = take(turnsOf(socket), '/1');
  t.strictSame(req.rawHeaders, ['Host', 'a', 'X', 'y']);
  t.strictSame([req.method, req.url, req.httpVersion, req.complete], ['GET', '/1', '1.1', true]);
  req.resume();
  await once(req, 'end');
  t.notOk(req.aborted);
  t.notOk(socket.destroyed, 'its end is not that of the connection');
});

t.test('replies to a client that has left hold nothing up', async (t) => {
  const { socket, client } = await pair(t);
  const turns = turnsOf(socket);
  const wire = take(turns, '/1');
  socket.on('error', () => socket.destroy());
  client.reset();
  await until(() => socket.destroyed);
  wire.res.end('late');
  t.equal(wire.res.socket, null);
});
