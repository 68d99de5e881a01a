// Goal: bytes that go to the kernel past node's stream are all there, in order, and what the kernel did not take is accounted for. Method: a pair of real sockets, then a whole proxy with a client that reads nothing.
import { once } from 'node:events';
import { connect, createServer, Socket } from 'node:net';
import t, { type Test } from 'tap';
import { CONNECTION_SWEEP_MS } from '../../lib/base/limits.js';
import { canWriteStraight, writeStraight } from '../../lib/origin/straight.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { metric, openProxy, request, settled } from '../kit/proxy-kit.js';
import { pass } from './house.js';

/** More than the kernel takes for a client that reads nothing. */
const LARGE_BYTES = 24_000_000;

async function pair(t: Test): Promise<{ ours: Socket; theirs: Socket }> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const theirs = connect(address.port, '127.0.0.1');
  const [ours] = (await once(server, 'connection')) as [Socket];
  theirs.pause();
  for (const socket of [ours, theirs]) socket.on('error', () => socket.destroy());
  t.teardown(() => {
    ours.destroy();
    theirs.destroy();
    server.close();
  });
  return { ours, theirs };
}

async function read(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of socket) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** From 26 on, and in later releases of 24, Node makes a request object only for a write that it cannot finish at once, and shows none to look at. */
function isRequestSpared(): boolean {
  let shown: object | null = null;
  const look = (request: object | null): number => {
    shown = request;
    return 0;
  };
  const handle = { readStart: () => 0, readStop: () => 0, getAsyncId: () => 0, close: () => {}, writeBuffer: look };
  new Socket({ handle, readable: false, writable: true } as ConstructorParameters<typeof Socket>[0]).write(
    Buffer.alloc(1),
  );
  return shown === null;
}

const isSpared = isRequestSpared();
const skip = isSpared ? 'this version of Node spares the request itself, and all is left to its stream' : false;

t.test(
  'decision 0026: Node lets us write past its stream; where it spares the request itself nothing goes past it',
  async (t) => {
    t.equal(canWriteStraight, !isSpared);
    if (!isSpared) return;
    const { ours, theirs } = await pair(t);
    t.equal(writeStraight(ours, Buffer.from('a')), 'not');
    t.equal(writeStraight(ours, 'b'), 'not');
    ours.end('c');
    t.equal((await read(theirs)).toString(), 'c');
  },
);

t.test('what is written straight and what the stream writes arrive in order', { skip }, async (t) => {
  const { ours, theirs } = await pair(t);
  t.equal(writeStraight(ours, Buffer.from('a')), 'taken');
  ours.write('b');
  t.equal(writeStraight(ours, Buffer.from('c')), 'taken');
  t.equal(writeStraight(ours, Buffer.from('d')), 'taken');
  ours.end('e');
  t.equal((await read(theirs)).toString(), 'abcde');
});

t.test('text is written as latin1, in order with what the stream writes', { skip }, async (t) => {
  const { ours, theirs } = await pair(t);
  t.equal(writeStraight(ours, 'a\xe9'), 'taken');
  ours.write('b');
  t.equal(writeStraight(ours, `${'c'.repeat(10)}d`), 'taken');
  ours.end('e');
  t.equal((await read(theirs)).toString('latin1'), 'a\xe9bccccccccccde');
});

t.test(
  'a request that Node has kept is used for no other write, though nothing is left to be written',
  { skip },
  async (t) => {
    // libuv finishes a write that it has just begun where the other side reads meanwhile: the queue is empty then, and the
    // request is still Node's. To use it for another write that is not over at once ends the process.
    const used: { getAsyncId(): number; oncomplete?(status: number): void }[] = [];
    let isKept = true;
    const handle = {
      writeBuffer(request: (typeof used)[number]) {
        used.push(request);
        if (isKept) Object.defineProperty(request, 'getAsyncId', { value: () => 7 });
        return 0;
      },
      writeQueueSize: 0,
    };
    const socket = { _handle: handle, writable: true, writableLength: 0, writableCorked: 0 } as unknown as Socket;
    t.equal(writeStraight(socket, Buffer.from('a')), 'begun');
    isKept = false;
    t.equal(writeStraight(socket, Buffer.from('b')), 'taken');
    t.equal(writeStraight(socket, Buffer.from('c')), 'taken');
    t.not(used[1], used[0], 'another one');
    t.equal(used[2], used[1], 'what Node has not kept is used again');
    t.equal(typeof used[0]?.oncomplete, 'function');
    t.ok((used[1]?.getAsyncId() ?? 0) < 0, 'as this version of Node says it');
  },
);

t.test('text that the kernel does not take is written on', { skip }, async (t) => {
  const { ours, theirs } = await pair(t);
  const large = '0123456789'.repeat(LARGE_BYTES / 10);
  t.equal(writeStraight(ours, large), 'begun');
  ours.end('end');
  const arrived = (await read(theirs)).toString('latin1');
  t.ok(arrived === `${large}end`);
});

t.test(
  'what the kernel does not take is written on, before what the stream is given meanwhile',
  { skip },
  async (t) => {
    const { ours, theirs } = await pair(t);
    const large = Buffer.alloc(LARGE_BYTES);
    for (let at = 0; at < LARGE_BYTES; at += 4) large.writeInt32LE(at, at);
    t.equal(writeStraight(ours, large), 'begun');
    const { ours: other, theirs: others } = await pair(t);
    t.equal(writeStraight(other, Buffer.from('other')), 'taken', 'another connection is not held up');
    let isWritten = false;
    ours.write('and more', () => {
      isWritten = true;
    });
    await turns(50);
    t.notOk(isWritten);
    ours.end();
    other.end();
    const arrived = await read(theirs);
    t.ok(arrived.equals(Buffer.concat([large, Buffer.from('and more')])));
    t.ok(isWritten);
    t.equal((await read(others)).toString(), 'other');
  },
);

t.test(
  'a connection that breaks with a part unwritten is destroyed, and so is one that is broken already',
  { skip },
  async (t) => {
    const { ours, theirs } = await pair(t);
    t.equal(writeStraight(ours, Buffer.alloc(LARGE_BYTES)), 'begun');
    theirs.resetAndDestroy();
    await new Promise<void>((resolve) => ours.once('close', () => resolve()));
    t.ok(ours.destroyed);
    t.equal(writeStraight(ours, Buffer.from('x')), 'not', 'there is nothing to write to');

    const { ours: broken, theirs: gone } = await pair(t);
    gone.resetAndDestroy();
    let went = writeStraight(broken, Buffer.from('x'));
    // Whether a reset has arrived is for the kernel to say; nothing but a write looks, in this turn and the next ones.
    broken.pause();
    while (went === 'taken') {
      await turns(1);
      went = writeStraight(broken, Buffer.from('x'));
    }
    t.ok(went === 'failed' || went === 'not', went);
    await turns(2);
    t.ok(broken.destroyed);
  },
);

t.test('nothing goes past what waits in the stream, or comes behind its end', async (t) => {
  const { ours, theirs } = await pair(t);
  ours.cork();
  t.equal(writeStraight(ours, Buffer.from('x')), 'not', 'corked');
  ours.write('a');
  t.equal(writeStraight(ours, Buffer.from('x')), 'not', 'corked with bytes');
  ours.uncork();
  ours.end('b');
  t.equal(writeStraight(ours, Buffer.from('x')), 'not', 'ended');
  t.equal((await read(theirs)).toString(), 'ab');
});

const STORED = { fields: ['Cache-Control', 'max-age=600'], body: 'x'.repeat(2000) };
const COUNT = 15_000;
/** As many as a stream of Node takes before it says that it is full, which is 64 KB in some versions. */
const MOST_BEGUN = 40;

/** A proxy and a client that has asked for more than the kernel takes for it, and reads nothing. */
async function openUnread(t: Test, conf: Readonly<Record<string, unknown>>, clock?: FakeClock) {
  const house = await openProxy(t, { ...(clock === undefined ? {} : { clock }), conf: { fast_lane: 'on', ...conf } });
  house.origin.respond(() => STORED);
  await house.get('/a');
  const client = await house.connect();
  client.pause();
  client.send(request('GET', '/a').repeat(COUNT));
  let before = -1;
  await settled(() => {
    const isStill = house.answered.length === before;
    before = house.answered.length;
    return isStill && before > 1;
  });
  await turns(50);
  const aborted = () => house.answered.filter(({ ending }) => ending === 'aborted');
  return { house, client, aborted };
}

t.test('limits: a client that reads none of many small hits is cut off after reply_idle', async (t) => {
  const clock = new FakeClock();
  const { house, client, aborted } = await openUnread(t, { limits: { reply_idle: '10s', keep_alive: '1h' } }, clock);
  await pass(clock, 8000);
  t.strictSame([house.notices, aborted()], [[], []], 'not before its time');
  await pass(clock, 12_000 + 2 * CONNECTION_SWEEP_MS);
  await settled(() => house.notices.includes('reply-idle') && aborted().length > 0);
  await turns(20);
  t.ok(aborted().length < MOST_BEGUN, `${aborted().length} had begun`);
  client.close();
});

t.test('a client that leaves with small hits unread is told as such, once for each that it did not get', async (t) => {
  const { house, client, aborted } = await openUnread(t, {});
  const finished = house.answered.length;
  t.ok(finished < COUNT / 2, `${finished} of ${COUNT}`);
  client.reset();
  await settled(() => aborted().length > 0);
  await turns(20);
  const told = house.answered.length;
  t.ok(aborted().length < MOST_BEGUN, `${aborted().length} had begun`);
  await turns(20);
  t.equal(house.answered.length, told);
  t.equal(metric(await house.metrics(), 'patina_client_connections'), 0);
});
