// Goal: a reply that is here whole goes out in one write, and one that is not loses nothing by having been waited for. Method: the parts with a body and a socket of the test's own, then a whole proxy with raw sockets.
import type { Socket } from 'node:net';
import t from 'tap';
import { DIRECT_BODY_BYTES } from '../../lib/base/limits.js';
import type { Payload, Reply } from '../../lib/engine/contract.js';
import { BodyPump, type PumpListener } from '../../lib/front/body-pump.js';
import { asFarAsHere, type DirectTurn, mayComeWhole, sentPayload, writeDirectly } from '../../lib/front/direct.js';
import { DirectOut } from '../../lib/front/direct-out.js';
import { plainHead, UnwritableField } from '../../lib/front/reply-head.js';
import { Fields } from '../../lib/http/fields.js';
import { Body } from '../../lib/object/body.js';
import { turns } from '../kit/barrier.js';
import { HOST, openProxy, request, settled } from '../kit/proxy-kit.js';

const NOTE = { outcome: 'MISS', reason: 'uri-miss', rule: '', ageSec: undefined, collapsed: false } as const;
const FAST = { fast_lane: 'on' };
const STORED = ['Cache-Control', 'max-age=600'];

function replyOf(payload: Payload, status = 200, fields = new Fields(['A', 'b'])): Reply {
  return { status, reasonPhrase: 'OK', fields, payload, note: NOTE };
}

function arriving(length: number | undefined): { body: Body; reply: Reply } {
  const body = new Body({ mode: 'retain', expectedBytes: length, highWaterBytes: 1e6 });
  return { body, reply: replyOf({ kind: 'reader', reader: body.open(), length }) };
}

/** What was written, each write apart. */
function recorder({ isFull = false } = {}): { socket: Socket; writes: string[] } {
  const writes: string[] = [];
  let corked: string[] | undefined;
  const socket = {
    writableLength: isFull ? 1 : 0,
    writableNeedDrain: isFull,
    write(bytes: Buffer | string) {
      (corked ?? writes).push(bytes.toString('latin1'));
      return !isFull;
    },
    cork() {
      corked = [];
    },
    uncork() {
      if (corked !== undefined && corked.length > 0) writes.push(corked.join(''));
      corked = undefined;
    },
  };
  return { socket: socket as unknown as Socket, writes };
}

t.test('issue 6: a body that has come whole with its head is bytes, whatever pieces it came in', async (t) => {
  const { body, reply } = arriving(6);
  for (const piece of ['ab', 'cd', 'ef']) body.write(Buffer.from(piece));
  body.complete(0);
  const { payload } = asFarAsHere(reply);
  t.equal(payload.kind === 'bytes' && Buffer.concat(payload.chunks).toString(), 'abcdef');
  t.equal(body.readerCount, 0);
});

t.test('a body that has not come whole is read from its start by whoever goes on with it', async (t) => {
  for (const ending of ['end', 'failed'] as const) {
    const { body, reply } = arriving(2500);
    body.write(Buffer.alloc(2000, 'x'));
    const { payload } = asFarAsHere(reply);
    if (payload.kind !== 'reader') throw new Error('it is no reader any more');
    let heard = 0;
    payload.reader.onReadable(() => heard++);
    t.equal(payload.length, 2500);
    t.equal((payload.reader.read() as Buffer).length, 2000);
    t.equal(payload.reader.read(), 'later');
    body.write(Buffer.alloc(500, 'y'));
    t.equal((payload.reader.read() as Buffer).toString(), 'y'.repeat(500));
    if (ending === 'end') body.complete(0);
    else body.fail();
    t.equal(payload.reader.read(), ending);
    t.equal(heard, 2);
    payload.reader.close();
    t.equal(body.readerCount, 0);
  }
});

t.test('a body that broke off is never taken for whole, though all of it that was read is here', async (t) => {
  const { body, reply } = arriving(10);
  body.write(Buffer.from('01234'));
  body.fail();
  const { payload } = asFarAsHere(reply);
  t.equal(payload.kind, 'reader');
  if (payload.kind !== 'reader') return;
  t.equal((payload.reader.read() as Buffer).toString(), '01234');
  t.equal(payload.reader.read(), 'failed');
});

t.test('only a small body of known length is waited for', async (t) => {
  t.ok(mayComeWhole(arriving(DIRECT_BODY_BYTES).reply));
  t.notOk(mayComeWhole(arriving(DIRECT_BODY_BYTES + 1).reply));
  t.notOk(mayComeWhole(arriving(undefined).reply));
  t.notOk(mayComeWhole(replyOf({ kind: 'none' })));
  t.notOk(mayComeWhole({ ...arriving(0).reply, status: 204 }));
});

t.test('head and body are one write; HEAD, 304 and nothing to send are the head alone', async (t) => {
  const bytes = (size: number, pieces = 1): Payload => {
    const chunks = Array.from({ length: pieces }, () => Buffer.alloc(size, 'z'));
    return { kind: 'bytes', chunks, length: size * pieces };
  };
  for (const [payload, method, status, body] of [
    [bytes(5), 'GET', 200, 'z'.repeat(5)],
    [bytes(40_000), 'GET', 200, 'z'.repeat(40_000)],
    [bytes(3, 3), 'GET', 200, 'z'.repeat(9)],
    [bytes(0), 'GET', 200, ''],
    [bytes(5), 'HEAD', 200, ''],
    [bytes(5), 'GET', 304, ''],
    [{ kind: 'none' }, 'GET', 200, ''],
  ] as const) {
    const { socket, writes } = recorder();
    const reply = replyOf(payload, status);
    writeDirectly(socket, plainHead(reply, method, undefined), sentPayload(reply, method), false);
    t.equal(writes.length, 1);
    const [head = '', rest] = writes[0]?.split('\r\n\r\n') ?? [];
    t.equal(rest, body);
    t.match(head, /^HTTP\/1\.1 \d+ OK\r\nA: b/);
  }
});

t.test('a field that cannot be written ends in a refusal: there is no head, so nothing was written', async (t) => {
  t.throws(
    () => plainHead(replyOf({ kind: 'none' }, 200, new Fields(['A', 'b\nc'])), 'GET', undefined),
    UnwritableField,
  );
});

/** A body that is pumped straight into a socket; its trailers are one line. */
function pumped(socket: Socket, { payload }: Reply, sendsTrailers: boolean) {
  const turn = { isWritten: false, drain: () => {} };
  const own = {
    onDrain: (run: () => void) => {
      turn.drain = run;
    },
    written: () => {
      turn.isWritten = true;
    },
  } as unknown as DirectTurn;
  const listener: PumpListener & { ended?: string; fault?: unknown } = {
    pumped: () => {
      listener.ended = 'pumped';
    },
    broke: () => {
      listener.ended = 'broke';
    },
    faulted: (error) => {
      listener.fault = error;
    },
  };
  if (payload.kind !== 'reader') throw new Error('there is nothing to pump');
  const out = new DirectOut(socket, own, 'HEAD\r\n\r\n', payload.length === undefined);
  new BodyPump(
    out,
    { ...payload, trailers: { trailers: new Fields(['X-Sum', '7']) } },
    sendsTrailers,
    listener,
  ).start();
  return { out, listener, turn };
}

t.test(
  'RFC 9112 §7.1, §6.5: a body of unknown length goes out in chunks, as it comes, with trailers for who takes them',
  async (t) => {
    const { body, reply } = arriving(undefined);
    const { socket, writes } = recorder();
    const { out, listener, turn } = pumped(socket, reply, true);
    body.write(Buffer.from('abc'));
    body.write(Buffer.alloc(16, 'x'));
    body.complete(0);
    t.equal(writes.join(''), `HEAD\r\n\r\n3\r\nabc\r\n10\r\n${'x'.repeat(16)}\r\n0\r\nX-Sum: 7\r\n\r\n`);
    t.ok(out.chunkedEncoding);
    t.strictSame([listener.ended, turn.isWritten], ['pumped', true]);
  },
);

t.test('what is here of a chunked body, its head and its end are one write', async (t) => {
  const { body, reply } = arriving(undefined);
  body.write(Buffer.from('abc'));
  body.complete(0);
  const { socket, writes } = recorder();
  pumped(socket, reply, false);
  t.strictSame(writes, ['HEAD\r\n\r\n3\r\nabc\r\n0\r\n\r\n']);
});

t.test('what throws as one client is written to is told of that client, and not to who brings the bytes', async (t) => {
  const { body, reply } = arriving(undefined);
  const { socket } = recorder();
  const { out, listener } = pumped(socket, reply, false);
  out.write = () => {
    throw new Error('write broke');
  };
  body.write(Buffer.from('abc'));
  t.match(listener.fault, { message: 'write broke' });
  t.equal(body.readerCount, 0);
});

t.test('RFC 9112 §8: a body that breaks off, or is not as long as was told, has no clean end', async (t) => {
  for (const [length, isFailing] of [
    [undefined, true],
    [5, true],
    [5, false],
    [2, false],
  ] as const) {
    const { body, reply } = arriving(length);
    body.write(Buffer.from('abc'));
    const { socket, writes } = recorder();
    const { listener, turn } = pumped(socket, reply, false);
    if (isFailing) body.fail();
    else body.complete(0);
    t.equal(listener.ended, 'broke');
    t.notOk(turn.isWritten);
    t.notMatch(writes.join(''), /\r\n0\r\n/);
    t.equal(body.readerCount, 0);
  }
});

t.test('a client that takes nothing is written no more, until it takes bytes again', async (t) => {
  const { body, reply } = arriving(undefined);
  const { socket, writes } = recorder({ isFull: true });
  const { turn, listener } = pumped(socket, reply, false);
  body.write(Buffer.from('abc'));
  body.write(Buffer.from('def'));
  t.equal(writes.join(''), 'HEAD\r\n\r\n3\r\nabc\r\n');
  body.complete(0);
  t.equal(listener.ended, undefined);
  turn.drain();
  turn.drain();
  t.equal(writes.join(''), 'HEAD\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n');
});

t.test('a head whose body is still to come goes out alone', async (t) => {
  const { reply } = arriving(5);
  const { socket, writes } = recorder();
  pumped(socket, reply, false);
  t.strictSame(writes, ['HEAD\r\n\r\n']);
});

t.test('RFC 9112 §9.3.2: misses of every size, hits and HEADs in one pipeline come in order and whole', async (t) => {
  const house = await openProxy(t, { conf: FAST });
  const sizes = [0, 1, 1000, 20_000, 64 * 1024, 64 * 1024 + 1, 300_000];
  house.origin.respond(({ target }) => ({
    fields: STORED,
    body: target.slice(-1).repeat(Number(target.split('/')[1])),
  }));
  const client = await house.connect();
  const asked = sizes.flatMap((size) => [`/${size}/a`, `/${size}/b`, `/${size}/a`]);
  client.send(asked.map((target) => request('GET', target)).join(''));
  for (const target of asked) {
    const { status, body } = await client.response();
    t.equal(status, 200);
    t.ok(body.equals(Buffer.from(target.slice(-1).repeat(Number(target.split('/')[1])))), target);
  }
  client.send(`GET /9/c HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
  t.equal((await client.response()).body.toString(), 'ccccccccc');
  await settled(() => house.answered.length === asked.length + 1);
  t.equal(house.answered.filter(({ ending }) => ending === 'finished').length, asked.length + 1);
  t.strictSame(
    house.answered.map(({ bodyBytes }) => bodyBytes),
    [...asked.map((target) => Number(target.split('/')[1])), 9],
  );
});

t.test('a client that reads nothing and then leaves has its misses told as aborted, once each', async (t) => {
  const house = await openProxy(t, { conf: FAST });
  house.origin.respond(() => ({ fields: STORED, body: 'x'.repeat(60_000) }));
  const client = await house.connect();
  client.pause();
  client.send(Array.from({ length: 250 }, (_, i) => request('GET', `/${i}`)).join(''));
  await settled(() => house.answered.length > 2);
  await turns(50);
  client.reset();
  await settled(() => house.answered.some(({ ending }) => ending === 'aborted'));
  await turns(20);
  const told = house.answered.length;
  t.ok(told <= 250);
  const again = await house.get('/0');
  t.equal(again.body.length, 60_000);
  t.equal(house.answered.length, told + 1);
});

t.test(
  'RFC 9112 §9.3.2, §9.6: streams, ranges, large bodies and the last reply of one pipeline come in order and whole',
  async (t) => {
    const house = await openProxy(t, { conf: FAST });
    const large = Buffer.alloc(1_500_000, 'L');
    house.origin.respond(({ target }) => {
      if (target === '/large') return { fields: STORED, body: large };
      const body = `6\r\nchunks\r\n7\r\n of ${target}\r\n0\r\n\r\n`;
      return { fields: ['Cache-Control', 'no-store', 'Transfer-Encoding', 'chunked'], body };
    });
    for (let round = 0; round < 2; round++) {
      const client = await house.connect();
      client.send(
        [
          request('GET', '/s1'),
          request('GET', '/large'),
          `GET /large HTTP/1.1\r\nHost: ${HOST}\r\nRange: bytes=0-3\r\n\r\n`,
          request('HEAD', '/large'),
          `GET /s2 HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`,
        ].join(''),
      );
      t.equal((await client.response()).body.toString(), 'chunks of /s1');
      t.ok((await client.response()).body.equals(large));
      t.equal((await client.response()).body.toString(), 'LLLL');
      t.equal((await client.response('HEAD')).body.length, 0);
      const last = await client.response();
      t.equal(last.body.toString(), 'chunks of /s2');
      t.equal(last.field('connection'), 'close');
      t.equal(await client.ended, 'finished');
    }
  },
);
