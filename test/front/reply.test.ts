// Goal: a reply is framed so that no client can misread where it ends, and a broken body never ends cleanly.
// Method: raw sockets against a front whose engine is a stub; the raw client parses strictly.
import t, { type Test } from 'tap';
import { MAX_KNOWN_FIELD_NAMES } from '../../lib/base/limits.js';
import type { Reply, ReplySink } from '../../lib/engine/contract.js';
import { Fields } from '../../lib/http/fields.js';
import { Body } from '../../lib/object/body.js';
import { CutOff, connectRaw } from '../kit/raw-client.js';
import { type House, openHouse, replyOf, until } from './house.js';

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const HEAD = 'HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n';
const OLD = 'GET /x HTTP/1.0\r\nHost: a\r\n\r\n';
const NONE = { kind: 'none' } as const;

async function ask(t: Test, reply: Partial<Reply>, bytes = GET) {
  const house = await openHouse(t, (_request, sink) => sink.reply(replyOf('0123456789', reply)));
  const client = await connectRaw(house.port);
  t.teardown(() => client.close());
  const response = await client.send(bytes).response(bytes.split(' ')[0]);
  return { house, client, response };
}

/** A house whose every reply follows `body`. */
async function follow(t: Test, body: Body, length: number | undefined, bytes = GET, more: Partial<Reply> = {}) {
  const house = await openHouse(t, (_request, sink) => sink.reply(readerReply(body, length, more)));
  const client = await connectRaw(house.port);
  t.teardown(() => client.close());
  client.send(bytes);
  return { house, client };
}

function readerReply(body: Body, length: number | undefined, more: Partial<Reply> = {}): Reply {
  return replyOf('', { payload: { kind: 'reader', reader: body.open(), length }, ...more });
}

const streaming = () => new Body({ mode: 'retain', highWaterBytes: 1024 });

t.test('RFC 9112 §6.2: a reply from memory has its Content-Length, and its fields in order', async (t) => {
  const fields = new Fields(['Date', 'x', 'B', '1', 'a', '2', 'b', '3', 'Age', '4']);
  const { response, house } = await ask(t, { fields });
  t.strictSame(response.fields.slice(0, 10), fields.raw);
  t.equal(response.field('content-length'), '10');
  t.equal(response.field('transfer-encoding'), undefined);
  t.equal(response.body.toString(), '0123456789');
  t.match(house.answered, [
    { status: 200, outcome: 'HIT', reason: 'fresh', rule: 'defaults', ageSec: 3, bodyBytes: 10, ending: 'finished' },
  ]);
});

t.test('the reason phrase is the one of the stored response', async (t) => {
  const { response } = await ask(t, { status: 404, reasonPhrase: 'Nothing Here' });
  t.equal(response.status, 404);
  t.equal(response.reason, 'Nothing Here');
});

t.test('RFC 9112 §6.3: framing fields of the origin are replaced by our own', async (t) => {
  const fields = new Fields([
    'Content-Length',
    '99',
    'Transfer-Encoding',
    'gzip',
    'Connection',
    'x',
    'Keep-Alive',
    'y',
  ]);
  const { response } = await ask(t, { fields });
  t.equal(response.field('content-length'), '10');
  t.equal(response.field('transfer-encoding'), undefined);
  t.equal(response.field('connection'), undefined, 'RFC 9112 §9.3: HTTP/1.1 persists without a word');
  t.equal(response.field('keep-alive'), undefined);
});

t.test('RFC 9110 §5.5: obs-text in values comes out byte for byte', async (t) => {
  const fields = new Fields([
    'Content-Disposition',
    'attachment; filename="\xe9\xff.txt"',
    'X',
    '\xe9',
    'Content-Length',
    '9',
  ]);
  const small = await ask(t, { fields });
  t.equal(small.response.field('content-disposition'), 'attachment; filename="\xe9\xff.txt"');
  t.equal(small.response.field('x'), '\xe9');
  const head = await ask(t, { fields }, HEAD);
  t.equal(head.response.field('content-disposition'), 'attachment; filename="\xe9\xff.txt"');
  const { client } = await follow(t, streaming(), undefined, GET, { fields });
  t.equal((await client.head()).field('x'), '\xe9', 'also where the head goes out before the body');
});

t.test('a field named like a property of every object is a field', async (t) => {
  const { response } = await ask(t, { fields: new Fields(['constructor', '1', '__proto__', '2']) });
  t.equal(response.field('constructor'), '1');
  t.equal(response.field('__proto__'), '2');
});

t.test('names of fields are remembered within a bound', async (t) => {
  let served = 0;
  const house = await openHouse(t, (_request, sink) => {
    const raw: string[] = [];
    for (let i = 0; i < 40; i++) raw.push(`X-${served++}`, 'v');
    sink.reply(replyOf('body', { fields: new Fields(raw) }));
  });
  const client = await connectRaw(house.port);
  t.teardown(() => client.close());
  while (served < 2 * MAX_KNOWN_FIELD_NAMES) {
    const response = await client.send(GET).response();
    t.equal(response.field(`x-${served - 1}`), 'v');
  }
});

t.test('several chunks are sent as one body', async (t) => {
  const chunks = ['ab', 'cd', '', 'ef'].map((text) => Buffer.from(text));
  const { response } = await ask(t, { payload: { kind: 'bytes', chunks, length: 6 } });
  t.equal(response.field('content-length'), '6');
  t.equal(response.body.toString(), 'abcdef');
});

t.test('an empty body has Content-Length: 0', async (t) => {
  const { response } = await ask(t, { payload: { kind: 'bytes', chunks: [], length: 0 } });
  t.equal(response.field('content-length'), '0');
  const none = await ask(t, { payload: NONE });
  t.equal(none.response.field('content-length'), '0', 'and so has none at all');
});

t.test('RFC 9110 §9.3.2: a HEAD gets the length of the body and no byte of it', async (t) => {
  const { response, client, house } = await ask(t, {}, HEAD);
  t.equal(response.field('content-length'), '10');
  t.equal(client.surplusBytes, 0);
  t.equal(house.answered[0]?.bodyBytes, 0);
  const told = await ask(t, { payload: NONE, fields: Fields.of({ 'Content-Length': '77' }) }, HEAD);
  t.equal(told.response.field('content-length'), '77', 'a length among the fields stays');
  const unknown = await ask(t, { payload: NONE }, HEAD);
  t.equal(unknown.response.field('content-length'), undefined, 'an unknown one is not made up');
  t.equal((await unknown.client.send(GET).response()).status, 200, 'the connection goes on');
});

t.test('RFC 9110 §15.4.5: a 304 has no body, and a Content-Length only where one is told', async (t) => {
  const { response, client } = await ask(t, { status: 304, payload: NONE });
  t.equal(response.field('content-length'), undefined);
  t.equal(response.field('transfer-encoding'), undefined);
  client.send(GET);
  t.equal((await client.response()).status, 304);
  const told = await ask(t, { status: 304, payload: NONE, fields: Fields.of({ 'Content-Length': '10' }) });
  t.equal(told.response.field('content-length'), '10');
});

t.test('RFC 9110 §8.6: a 204 has neither body nor Content-Length', async (t) => {
  const { response, client } = await ask(t, { status: 204, fields: Fields.of({ 'Content-Length': '5' }) });
  t.equal(response.field('content-length'), undefined);
  t.equal(response.field('transfer-encoding'), undefined);
  t.equal(client.surplusBytes, 0);
});

t.test('a reader that nobody needs is closed', async (t) => {
  const body = streaming();
  const { house, client } = await follow(t, body, undefined, HEAD);
  await client.response('HEAD');
  t.equal(body.readerCount, 0);
  t.equal(house.answered[0]?.ending, 'finished');
});

t.test('DESIGN §3: the head and each byte go out as they arrive', async (t) => {
  const body = streaming();
  const { client, house } = await follow(t, body, undefined);
  const response = await client.head();
  t.equal(response.field('transfer-encoding'), 'chunked');
  t.equal(response.body.length, 0, 'the head is here before the first byte of the body');
  body.write(Buffer.from('ab'));
  t.equal((await response.received(2)).toString(), 'ab');
  body.write(Buffer.from('cd'));
  t.equal((await response.received(4)).toString(), 'abcd');
  t.equal(house.answered.length, 0);
  body.complete(0);
  await response.whole();
  await house.answers.reached(1);
  t.match(house.answered[0], { bodyBytes: 4, ending: 'finished' });
  t.equal(body.readerCount, 0);
  t.equal((await client.send(GET).response()).body.toString(), 'abcd', 'the connection goes on');
});

t.test('a reader of known length is sent with Content-Length', async (t) => {
  const body = streaming();
  const { client } = await follow(t, body, 4);
  const response = await client.head();
  t.equal(response.field('content-length'), '4');
  t.equal(response.field('transfer-encoding'), undefined);
  body.write(Buffer.from('abcd'));
  body.complete(0);
  t.equal((await response.whole()).body.toString(), 'abcd');
});

t.test('RFC 9112 §8: a chunked body that breaks off has no last chunk', async (t) => {
  const body = streaming();
  const { client, house } = await follow(t, body, undefined);
  const response = await client.head();
  body.write(Buffer.from('ab'));
  await response.received(2);
  body.fail();
  const cut = await response.whole().catch((error: unknown) => error);
  t.type(cut, CutOff);
  t.equal((cut as CutOff).received.toString(), 'ab');
  t.match(house.answered, [{ ending: 'aborted', bodyBytes: 2 }]);
});

t.test('RFC 9112 §8: a sized body that breaks off is short of its length', async (t) => {
  const body = streaming();
  const { client } = await follow(t, body, 10);
  const response = await client.head();
  body.write(Buffer.from('ab'));
  body.fail();
  await t.rejects(response.whole(), CutOff);
});

t.test('RFC 9112 §8: a body that ends by the end of the connection breaks off with a reset', async (t) => {
  const body = streaming();
  const { client } = await follow(t, body, undefined, OLD);
  const response = await client.head();
  body.write(Buffer.from('ab'));
  await response.received(2);
  body.fail();
  t.equal(await client.ended, 'reset');
});

t.test('RFC 9112 §8: a body that fails before its first byte does not end cleanly', async (t) => {
  const body = streaming();
  body.fail();
  const { client } = await follow(t, body, undefined);
  await t.rejects(client.response(), CutOff);
});

t.test('a body shorter than promised does not end cleanly, and one that is longer gets no further byte', async (t) => {
  for (const text of ['abc', 'abcdef']) {
    const body = streaming();
    const { client, house } = await follow(t, body, 4);
    const response = await client.head();
    body.write(Buffer.from(text));
    body.complete(0);
    await t.rejects(response.whole(), CutOff);
    t.ok(response.body.length <= 4);
    t.match(house.answered, [{ ending: 'aborted' }]);
  }
});

t.test('RFC 9112 §6.1: an HTTP/1.0 client gets no chunks; the end of the connection ends the body', async (t) => {
  const body = streaming();
  const { client } = await follow(t, body, undefined, OLD);
  const response = await client.head();
  t.equal(response.field('transfer-encoding'), undefined);
  t.equal(response.field('connection'), 'close');
  body.write(Buffer.from('ab'));
  body.complete(0);
  t.equal((await response.whole()).body.toString(), 'ab');
  t.equal(await client.ended, 'finished');
});

t.test('RFC 9112 §6.1: not even one that says it takes them', async (t) => {
  const { client } = await follow(t, Body.of([Buffer.from('ab')]), undefined, `${OLD.slice(0, -2)}TE: chunked\r\n\r\n`);
  const response = await client.response();
  t.equal(response.field('transfer-encoding'), undefined);
  t.equal(response.body.toString(), 'ab');
});

t.test('RFC 9112 §9.3: an HTTP/1.0 client keeps its connection where it asks for it', async (t) => {
  const { response, client } = await ask(t, {}, `${OLD.slice(0, -2)}Connection: keep-alive\r\n\r\n`);
  t.equal(response.field('connection'), 'keep-alive');
  t.equal((await client.send(OLD).response()).field('connection'), 'close');
  t.equal(await client.ended, 'finished');
});

t.test('RFC 9112 §9.6: a reply that is to be the last closes the connection', async (t) => {
  const { response, client } = await ask(t, { close: true });
  t.equal(response.field('connection'), 'close');
  t.equal(await client.ended, 'finished');
});

t.test(
  'RFC 9112 §9.3: a reply to a request whose body was not read closes the connection, and is not lost to it',
  async (t) => {
    const { response, client, house } = await ask(
      t,
      {},
      'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome',
    );
    t.equal(response.field('connection'), 'close');
    client.send(Buffer.alloc(100_000));
    t.equal(await client.ended, 'finished');
    t.equal(house.handed.length, 1);
  },
);

t.test('RFC 9112 §7.1.2: trailers go to a client that takes them, without what does not belong there', async (t) => {
  const raw = ['X-Sum', '1', 'Content-Length', '5', 'Set-Cookie', 'a=b', 'X-Sum', '2', 'X-Bad', 'a\nb'];
  const trailers = { trailers: new Fields(raw) };
  const answer = (_request: unknown, sink: ReplySink) =>
    sink.reply(
      replyOf('', {
        payload: { kind: 'reader', reader: Body.of([Buffer.from('ab')]).open(), length: undefined, trailers },
      }),
    );
  const house = await openHouse(t, answer);
  const client = await connectRaw(house.port);
  t.teardown(() => client.close());
  const taken = await client.send(`${GET.slice(0, -2)}TE: deflate, Trailers\r\n\r\n`).response();
  t.strictSame(taken.trailers, ['X-Sum', '1', 'X-Sum', '2']);
  const untold = await client.send(GET).response();
  t.strictSame(untold.trailers, []);
  const old = await client.send(`${OLD.slice(0, -2)}TE: trailers\r\n\r\n`).response();
  t.equal(old.body.toString(), 'ab', 'an HTTP/1.0 client gets the body alone');
});

t.test('the debug header says the outcome', async (t) => {
  const house = await openHouse(t, undefined, { debugHeader: 'CDN-Cache' });
  const client = await connectRaw(house.port);
  t.teardown(() => client.close());
  t.equal((await client.send(GET).response()).field('cdn-cache'), 'HIT');
});

t.test('a field that cannot be written becomes a 500, and no field of it is sent', async (t) => {
  for (const fields of [new Fields(['X', 'a\r\nSet-Cookie: b']), new Fields(['X Y', 'a']), new Fields(['', 'a'])]) {
    const body = streaming();
    const { house, client } = await follow(t, body, undefined, GET, { fields });
    const response = await client.response();
    t.equal(response.status, 500);
    t.equal(response.field('set-cookie'), undefined);
    t.equal(response.field('cache-status'), 'patina; detail=internal');
    t.equal(body.readerCount, 0);
    t.strictSame(house.notices, ['reply-unwritable']);
    t.equal(house.answered.length, 1);
  }
});

t.test('a large body arrives byte for byte, to a client that reads slowly too', async (t) => {
  const chunks = [Buffer.alloc(3_000_000, 'a'), Buffer.alloc(5_000_001, 'b')];
  const { house, client } = await follow(t, Body.empty, 0);
  await client.response();
  const large = await openHouse(t, (_request, sink) => sink.reply(replyOf(chunks)));
  const reader = await connectRaw(large.port);
  t.teardown(() => reader.close());
  reader.pause();
  reader.send(GET + GET);
  await large.arrivals.reached(1);
  t.equal(large.answered.length, 0, 'it is not over while the client reads nothing');
  reader.resume();
  for (let i = 0; i < 2; i++) {
    const response = await reader.response();
    t.ok(response.body.equals(Buffer.concat(chunks)));
  }
  await large.answers.reached(2);
  t.match(large.answered, [{ bodyBytes: 8_000_001, ending: 'finished' }, { ending: 'finished' }]);
  t.equal(house.answered.length, 1);
});

t.test('a slow reader holds back its source, and nothing is held for it here', async (t) => {
  const body = new Body({ mode: 'flow', highWaterBytes: 64 * 1024 });
  let paused = false;
  body.attach({
    pause: () => {
      paused = true;
    },
    resume: () => {
      paused = false;
    },
    abandoned() {},
  });
  const { client, house } = await follow(t, body, undefined);
  await house.arrivals.reached(1);
  client.pause();
  let written = 0;
  while (!paused) {
    body.write(Buffer.alloc(16 * 1024, 'x'));
    written += 16 * 1024;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  t.ok(body.heldBytes <= 96 * 1024, `${body.heldBytes} bytes are held`);
  client.resume();
  const response = await client.head();
  await response.received(written);
  await until(() => !paused);
  body.complete(0);
  t.equal((await response.whole()).body.length, written);
});

t.test('bytes that a read makes the source deliver come after the ones that were read', async (t) => {
  const body = new Body({ mode: 'flow', highWaterBytes: 4 });
  const later = ['cc', 'dd'];
  body.attach({
    pause() {},
    resume: () => {
      const next = later.shift();
      if (next === undefined) body.complete(0);
      else body.write(Buffer.from(next.repeat(4)));
    },
    abandoned() {},
  });
  const { client } = await follow(t, body, undefined);
  const response = await client.head();
  body.write(Buffer.from('aaaaaaaa'));
  body.write(Buffer.from('bbbbbbbb'));
  await response.received(16);
  body.complete(0);
  t.match((await response.whole()).body.toString(), /^a{8}b{8}(c{8}(d{8})?)?$/);
});

t.test('a client that leaves in the middle of a reply is told to the engine once, and its reader closed', async (t) => {
  const body = streaming();
  let gone = 0;
  const house: House = await openHouse(t, (_request, sink) => {
    sink.onGone(() => gone++);
    sink.reply(readerReply(body, undefined));
  });
  const client = await connectRaw(house.port);
  const response = await client.send(GET).head();
  body.write(Buffer.from('ab'));
  await response.received(2);
  client.reset();
  await house.answers.reached(1);
  t.equal(gone, 1);
  t.equal(body.readerCount, 0);
  t.match(house.answered, [{ status: 200, ending: 'aborted', bodyBytes: 2 }]);
  body.write(Buffer.from('cd'));
  body.complete(0);
  t.equal(gone, 1);
});

t.test('a reply to a client that has left closes its reader and is told once, as 499', async (t) => {
  const body = streaming();
  const house = await openHouse(t, () => {});
  const client = await connectRaw(house.port);
  client.send(GET);
  await house.arrivals.reached(1);
  client.reset();
  await house.answers.reached(1);
  house.handed[0]?.sink.reply(readerReply(body, undefined));
  t.equal(body.readerCount, 0);
  t.match(house.answered, [{ status: 499, outcome: 'ERROR', reason: 'client-left', ending: 'aborted' }]);
});

t.test('a second reply is ignored, and its reader closed', async (t) => {
  const body = streaming();
  const house = await openHouse(t, (_request, sink) => {
    sink.reply(replyOf('first'));
    sink.reply(readerReply(body, undefined));
  });
  const client = await connectRaw(house.port);
  t.teardown(() => client.close());
  t.equal((await client.send(GET).response()).body.toString(), 'first');
  t.equal(body.readerCount, 0);
  t.equal(house.answered.length, 1);
});

t.test('RFC 9110 §15.2: interim responses go out before the reply, without what cannot be written', async (t) => {
  const house = await openHouse(t, (_request, sink) => {
    sink.inform(103, new Fields(['Link', '</a.css>; rel=preload', 'X', 'a\r\nb']));
    sink.inform(102, Fields.empty);
    sink.inform(100, Fields.empty);
    sink.inform(101, Fields.empty);
    sink.reply(replyOf('body'));
    sink.inform(103, Fields.empty);
  });
  const client = await connectRaw(house.port);
  t.teardown(() => client.close());
  const response = await client.send(GET).response();
  t.strictSame(
    response.interim.map((head) => [head.status, head.reason, head.fields]),
    [
      [103, 'Early Hints', ['Link', '</a.css>; rel=preload']],
      [102, 'Processing', []],
    ],
  );
  t.equal(response.body.toString(), 'body');
  const old = await client.send(OLD).response();
  t.strictSame(old.interim, [], 'RFC 9110 §15.2: none to an HTTP/1.0 client');
});
