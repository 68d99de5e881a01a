// Goal: a body gives every reader the right bytes at its own pace, holds no more than it must, and never ends a broken one cleanly. Method: bodies written by hand, readers that note what they get.
import fc from 'fast-check';
import t from 'tap';
import { Body, type BodyReader } from '../../lib/object/body.js';
import { collectAll } from '../kit/collect.js';

const KB = 1024;

/** Reads until there is no more for now; returns the bytes and how it stopped. */
function drain(reader: BodyReader): { text: string; stop: 'later' | 'end' | 'failed' } {
  const parts: Buffer[] = [];
  for (;;) {
    const got = reader.read();
    if (typeof got === 'string') return { text: Buffer.concat(parts).toString('latin1'), stop: got };
    parts.push(got);
  }
}

/** A reader that takes all it can whenever it is woken, like a client that is fast enough. */
function follow(body: Body, from?: number, until?: number) {
  const reader = body.open(from, until);
  const got = { reader, text: '', stop: 'later' as string, wakes: 0 };
  const take = (): void => {
    const { text, stop } = drain(reader);
    got.text += text;
    got.stop = stop;
  };
  reader.onReadable(() => {
    got.wakes++;
    take();
  });
  take();
  return got;
}

function makeSource() {
  const told: string[] = [];
  return {
    told,
    source: {
      pause: () => told.push('pause'),
      resume: () => told.push('resume'),
      abandoned: () => told.push('abandoned'),
    },
  };
}

const retain = (expectedBytes?: number): Body => new Body({ mode: 'retain', highWaterBytes: 4 * KB, expectedBytes });
const flow = (highWaterBytes = 4 * KB): Body => new Body({ mode: 'flow', highWaterBytes });

/** A chunk that is the whole of its buffer. */
function bytes(length: number, fill = 'x'): Buffer {
  return Buffer.alloc(length, fill);
}

t.test('DESIGN 3: readers get bytes as they arrive, each from the place where it came in', (t) => {
  const body = retain();
  const early = follow(body);
  body.write(Buffer.from('one '));
  t.equal(early.text, 'one ');
  const late = follow(body);
  t.equal(late.text, 'one ');
  body.write(Buffer.from('two'));
  t.strictSame([early.text, late.text, early.stop], ['one two', 'one two', 'later']);
  body.complete(0);
  t.strictSame([early.stop, late.stop], ['end', 'end']);
  t.equal(drain(body.open()).text, 'one two');
  t.end();
});

t.test('DESIGN 3: in retain mode a slow reader delays nobody and loses nothing', (t) => {
  const body = retain();
  const { told, source } = makeSource();
  body.attach(source);
  const slow = body.open();
  const fast = follow(body);
  for (let at = 0; at < 100; at++) body.write(bytes(KB, String.fromCharCode(97 + (at % 26))));
  body.complete(0);
  t.strictSame(told, [], 'the source was never asked to pause');
  t.equal(fast.text.length, 100 * KB);
  t.equal(drain(slow).text, fast.text);
  t.end();
});

t.test('a range is read from a body that is here, that arrives, and that has not come so far', (t) => {
  const body = retain();
  const ahead = follow(body, 6, 9);
  body.write(Buffer.from('0123'));
  t.strictSame([ahead.text, ahead.stop], ['', 'later']);
  body.write(Buffer.from('4567'));
  t.equal(ahead.text, '67');
  body.write(Buffer.from('89ab'));
  t.strictSame([ahead.text, ahead.stop], ['678', 'end'], 'the end of the range is the end, though the body goes on');
  body.complete(KB);
  t.equal(drain(body.open(2, 5)).text, '234');
  t.equal(drain(body.open(10)).text, 'ab');
  t.strictSame(drain(body.open(12)), { text: '', stop: 'end' });
  t.strictSame(drain(body.open(3, 3)), { text: '', stop: 'end' });
  t.equal(drain(body.open(10, 99)).text, 'ab');
  t.end();
});

t.test('RFC 9112 §8: a body that failed gives what arrived and then says so, never a clean end', (t) => {
  const body = retain();
  const reader = follow(body);
  body.write(Buffer.from('half'));
  body.fail();
  t.strictSame([reader.text, reader.stop], ['half', 'failed']);
  t.strictSame(drain(body.open()), { text: 'half', stop: 'failed' });
  t.equal(drain(body.open(0, 2)).stop, 'end', 'a range that arrived whole is whole');
  t.equal(body.wholeChunks, undefined);
  body.complete(KB);
  body.write(Buffer.from('more'));
  t.equal(body.state, 'failed', 'nothing mends it');
  t.equal(body.receivedBytes, 4);
  t.end();
});

t.test('RFC 9112 §8: a body shorter or longer than Content-Length promised has failed', (t) => {
  for (const promised of [3, 5]) {
    const body = retain(promised);
    const reader = follow(body);
    t.equal(body.totalBytes, promised);
    body.write(Buffer.from('four'));
    body.complete(KB);
    t.equal(body.state, 'failed');
    t.equal(reader.stop, 'failed');
  }
  const body = retain(4);
  body.write(Buffer.from('four'));
  body.complete(KB);
  t.equal(body.state, 'complete');
  t.equal(body.totalBytes, 4);
  t.end();
});

t.test('a small body becomes one chunk once complete, also while readers are in the middle of it', (t) => {
  const body = retain();
  const blocked = body.open();
  const range = body.open(3 * KB, 9 * KB);
  for (let at = 0; at < 10; at++) body.write(bytes(KB, `${at}`));
  const first = blocked.read();
  t.ok(Buffer.isBuffer(first) && first.length === KB);
  const before = drain(range).text;
  body.complete(10 * KB);
  t.equal(body.wholeChunks?.length, 1);
  t.equal(body.wholeChunks?.[0]?.buffer.byteLength, 10 * KB, 'in a buffer of its own');
  const rest = drain(blocked);
  t.equal(rest.text, Array.from({ length: 9 }, (_, at) => `${at + 1}`.repeat(KB)).join(''));
  t.equal(rest.stop, 'end');
  t.equal(before.length, 6 * KB);
  t.equal(drain(range).stop, 'end');
  t.end();
});

t.test('a body over the joining size keeps its chunks', (t) => {
  const body = retain();
  for (let at = 0; at < 3; at++) body.write(bytes(2 * KB));
  body.complete(6 * KB - 1);
  t.equal(body.wholeChunks?.length, 3);
  t.equal(body.heldBytes, 6 * KB);
  t.end();
});

t.test('a small slice of a large receive buffer is copied out, so that the buffer can go', (t) => {
  const received = Buffer.alloc(64 * KB, 'r');
  for (const body of [retain(), flow()]) {
    const reader = body.open();
    body.write(received.subarray(100, 2100));
    const chunk = reader.read();
    t.ok(Buffer.isBuffer(chunk) && chunk.length === 2000);
    t.ok(Buffer.isBuffer(chunk) && chunk.buffer.byteLength === 2000);
  }
  const body = retain();
  body.write(received);
  body.complete(0);
  t.equal(body.wholeChunks?.[0], received, 'a buffer that is mostly used is kept as it is');
  const pooled = retain();
  pooled.write(Buffer.from('tiny'));
  pooled.write(Buffer.from('bits'));
  pooled.complete(KB);
  t.equal(pooled.wholeChunks?.[0]?.buffer.byteLength, 8, 'nothing of the shared pool is pinned');
  t.end();
});

t.test('a body that comes byte by byte is held in few chunks', (t) => {
  const body = retain();
  const reader = follow(body);
  let expected = '';
  for (let at = 0; at < 20_000; at++) {
    const letter = String.fromCharCode(97 + (at % 26));
    expected += letter;
    body.write(Buffer.from(letter));
  }
  t.equal(reader.text, expected);
  t.equal(drain(body.open()).text, expected);
  body.complete(0);
  t.ok((body.wholeChunks?.length ?? 99) <= 4);
  const pinned = (body.wholeChunks ?? []).reduce((sum, chunk) => sum + chunk.buffer.byteLength, 0);
  t.ok(pinned < 30_000, `${pinned} bytes of memory`);
  t.end();
});

t.test('small pieces between large ones do not pin more than they are', (t) => {
  const body = retain();
  for (let at = 0; at < 50; at++) {
    body.write(Buffer.from('a'));
    body.write(Buffer.from('b'));
    body.write(bytes(2 * KB));
  }
  body.complete(0);
  const pinned = (body.wholeChunks ?? []).reduce((sum, chunk) => sum + chunk.buffer.byteLength, 0);
  t.ok(pinned <= body.heldBytes + 100, `${pinned} for ${body.heldBytes}`);
  t.equal(drain(body.open()).text.length, body.receivedBytes);
  t.end();
});

t.test(
  'flow mode holds what is unread and no more, pauses the source above the window and resumes at half of it',
  (t) => {
    const body = flow();
    const { told, source } = makeSource();
    body.attach(source);
    const reader = body.open();
    for (let at = 0; at < 4; at++) body.write(bytes(KB));
    t.strictSame(told, []);
    body.write(bytes(KB));
    t.strictSame(told, ['pause']);
    t.equal(body.heldBytes, 5 * KB);
    reader.read();
    reader.read();
    t.strictSame(told, ['pause']);
    reader.read();
    t.strictSame(told, ['pause', 'resume']);
    t.equal(body.heldBytes, 2 * KB);
    t.equal(drain(reader).text.length, 2 * KB);
    t.equal(body.heldBytes, 0);
    body.write(Buffer.from('last'));
    body.complete(KB);
    t.strictSame(drain(reader), { text: 'last', stop: 'end' });
    t.equal(body.wholeChunks, undefined, 'a body that was not retained is never whole');
    t.end();
  },
);

t.test('flow mode waits for its first reader and loses nothing before it comes', (t) => {
  const body = flow();
  const { told, source } = makeSource();
  body.attach(source);
  body.write(Buffer.from('early '));
  body.write(Buffer.from('bytes'));
  t.strictSame(told, []);
  t.equal(drain(body.open()).text, 'early bytes');
  t.end();
});

t.test('flow mode: a complete body is still held for a reader that has not taken it, and let go after', (t) => {
  for (const end of ['complete', 'fail'] as const) {
    const body = flow();
    const reader = body.open();
    body.write(bytes(2 * KB));
    if (end === 'fail') body.fail();
    else body.complete(KB);
    t.equal(body.heldBytes, 2 * KB);
    t.strictSame(drain(reader).text.length, 2 * KB);
    reader.close();
    reader.close();
    t.equal(body.heldBytes, 0);
    t.equal(body.readerCount, 0);
  }
  t.end();
});

t.test('flow mode: when the last reader leaves, the source hears that nobody wants the rest', (t) => {
  const body = flow();
  const { told, source } = makeSource();
  body.attach(source);
  const [one, two] = [body.open(), body.open()];
  one.close();
  t.strictSame(told, []);
  two.close();
  two.close();
  t.strictSame(told, ['abandoned']);
  t.end();
});

t.test('retain mode: readers that leave cancel nothing that the store still wants', (t) => {
  const body = retain();
  const { told, source } = makeSource();
  body.attach(source);
  body.open().close();
  body.write(bytes(10));
  t.strictSame(told, []);
  body.stopRetaining();
  t.strictSame(told, ['abandoned'], 'unless the store wants it no more either');
  t.end();
});

t.test('DESIGN 3: in flow mode one that falls behind by more than the window is cut off, the others go on', (t) => {
  const body = flow();
  const { told, source } = makeSource();
  body.attach(source);
  const laggard = body.open();
  let woken = 0;
  laggard.onReadable(() => woken++);
  const fast = follow(body);
  for (let at = 0; at < 20; at++) body.write(bytes(KB));
  t.strictSame(told, [], 'nobody waited for the laggard');
  t.equal(fast.text.length, 20 * KB);
  t.ok(body.heldBytes <= 5 * KB, `${body.heldBytes} held`);
  t.equal(laggard.read(), 'failed');
  t.equal(body.readerCount, 1);
  t.ok(woken > 0);
  laggard.close();
  t.strictSame(told, []);
  fast.reader.close();
  t.strictSame(told, ['abandoned']);
  t.end();
});

t.test('a body that stops being retained drops what its readers have, and goes on at the pace of the fastest', (t) => {
  const body = retain();
  const { told, source } = makeSource();
  body.attach(source);
  const fast = follow(body);
  const near = body.open();
  for (let at = 0; at < 10; at++) body.write(bytes(KB));
  for (let at = 0; at < 8; at++) near.read();
  body.stopRetaining();
  body.stopRetaining();
  t.equal(body.mode, 'flow');
  t.equal(body.heldBytes, 2 * KB);
  body.write(bytes(KB));
  t.equal(fast.text.length, 11 * KB);
  t.equal(drain(near).text.length, 3 * KB);
  body.complete(100 * KB);
  t.strictSame([fast.stop, drain(near).stop], ['end', 'end']);
  t.strictSame(told, []);
  t.end();
});

t.test('in flow mode a reader of a later range neither holds nor cuts off one that reads all', (t) => {
  const body = flow(64 * KB);
  const { told, source } = makeSource();
  body.attach(source);
  const range = follow(body, 30 * KB, 31 * KB);
  const whole = body.open();
  for (let at = 0; at < 40; at++) body.write(bytes(KB, at === 30 ? 'r' : 'x'));
  t.strictSame([range.text, range.stop], ['r'.repeat(KB), 'end']);
  t.equal(drain(whole).text.length, 40 * KB);
  t.strictSame(told, []);
  t.end();
});

t.test('in flow mode the last reader, of a later range, lets go what comes before it', (t) => {
  const body = flow(4 * KB);
  const range = follow(body, 30 * KB, 31 * KB);
  for (let at = 0; at < 40; at++) {
    body.write(bytes(KB, at === 30 ? 'r' : 'x'));
    t.ok(body.heldBytes <= KB);
  }
  t.strictSame([range.text, range.stop], ['r'.repeat(KB), 'end']);
  t.end();
});

t.test('a reader that has its range, and has not closed, sets no pace for the others', (t) => {
  const body = flow(4 * KB);
  const { told, source } = makeSource();
  body.attach(source);
  follow(body, 0, 10);
  const slow = body.open();
  for (let at = 0; at < 6; at++) body.write(bytes(KB));
  t.strictSame(told, ['pause'], 'the source waits for the one that still reads');
  t.equal(drain(slow).text.length, 6 * KB);
  t.strictSame(told, ['pause', 'resume']);
  slow.close();
  body.write(bytes(10 * KB));
  t.equal(body.heldBytes, 0);
  t.strictSame(told, ['pause', 'resume'], 'and for nobody where none reads');
  t.end();
});

t.test('a source that delivers from within resume() is read in order', (t) => {
  const body = flow(2 * KB);
  let next = 0;
  const send = (): void => body.write(bytes(KB, String.fromCharCode(97 + next++)));
  body.attach({ pause() {}, resume: send, abandoned() {} });
  const reader = body.open();
  for (let at = 0; at < 3; at++) send();
  let text = '';
  for (let got = reader.read(); typeof got !== 'string' && text.length < 20 * KB; got = reader.read())
    text += got.toString('latin1');
  t.equal(text, Array.from({ length: text.length / KB }, (_, at) => String.fromCharCode(97 + at).repeat(KB)).join(''));
  t.end();
});

t.test('a finished body keeps nothing of the exchange that filled it', async (t) => {
  const body = retain();
  let source: object | undefined = { pause() {}, resume() {}, abandoned() {} };
  body.attach(source as { pause(): void; resume(): void; abandoned(): void });
  const held = new WeakRef(source);
  source = undefined;
  body.write(bytes(10));
  body.complete(KB);
  await new Promise((resolve) => setImmediate(resolve));
  collectAll();
  t.equal(held.deref(), undefined);
});

t.test('an empty body, a body of given chunks, and an empty write are what they seem', (t) => {
  t.equal(Body.empty.state, 'complete');
  t.equal(Body.empty.totalBytes, 0);
  t.strictSame(drain(Body.empty.open()), { text: '', stop: 'end' });
  const body = Body.of([Buffer.from('ab'), Buffer.alloc(0), Buffer.from('c')]);
  t.equal(body.receivedBytes, 3);
  t.equal(body.wholeChunks?.length, 2);
  t.equal(drain(body.open(1)).text, 'bc');
  const arriving = retain();
  const reader = follow(arriving);
  arriving.write(Buffer.alloc(0));
  t.equal(reader.wakes, 0);
  t.end();
});

t.test('thousands of readers and hundreds of chunks cost no more than reading them', (t) => {
  for (const body of [retain(), flow(1024 * KB)]) {
    const readers = Array.from({ length: 2000 }, () => follow(body));
    const slow = body.open();
    const startedAt = process.cpuUsage().user;
    for (let at = 0; at < 200; at++) body.write(bytes(KB));
    const cpuMs = (process.cpuUsage().user - startedAt) / 1000;
    t.ok(cpuMs < 3000, `${cpuMs} ms`);
    t.ok(readers.every((reader) => reader.text.length === 200 * KB));
    slow.close();
  }
  t.end();
});

t.test('dropping many chunks one by one is not quadratic', (t) => {
  const body = flow(Number.POSITIVE_INFINITY);
  const reader = body.open();
  for (let at = 0; at < 200_000; at++) body.write(bytes(1));
  const startedAt = process.cpuUsage().user;
  t.equal(drain(reader).text.length, 200_000);
  const cpuMs = (process.cpuUsage().user - startedAt) / 1000;
  t.ok(cpuMs < 3000, `${cpuMs} ms`);
  t.end();
});

t.test('any reader of any body at any pace gets exactly its bytes, or is told that it cannot', (t) => {
  const action = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('write' as const), length: fc.integer({ min: 1, max: 3000 }) }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('read' as const), who: fc.nat(4), times: fc.nat(6) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('open' as const), from: fc.nat(9000), length: fc.nat(9000) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const), who: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('stop' as const) }) },
  );
  fc.assert(
    fc.property(
      fc.constantFrom('retain' as const, 'flow' as const),
      fc.array(action, { maxLength: 80 }),
      fc.boolean(),
      fc.nat(40_000),
      (mode, actions, isGood, joinUpTo) => {
        const body = new Body({ mode, highWaterBytes: 5000 });
        let sent = '';
        let isAbandoned = false;
        let isPaused = false;
        body.attach({
          pause: () => {
            isPaused = true;
          },
          resume: () => {
            isPaused = false;
          },
          abandoned: () => {
            isAbandoned = true;
          },
        });
        const readers: { reader: BodyReader; from: number; until: number; got: string; stop: string }[] = [];
        const open = (from: number, until: number): void => {
          readers.push({ reader: body.open(from, until), from, until, got: '', stop: 'later' });
        };
        const read = (one: (typeof readers)[number]): void => {
          const got = one.reader.read();
          if (typeof got === 'string') one.stop = got;
          else one.got += got.toString('latin1');
        };
        open(0, Number.POSITIVE_INFINITY);
        for (const one of actions) {
          const who = 'who' in one ? readers[one.who % readers.length] : undefined;
          if (one.do === 'write' && !isAbandoned) {
            const text = Array.from({ length: one.length }, (_, at) =>
              String.fromCharCode(33 + ((sent.length + at) % 89)),
            ).join('');
            sent += text;
            body.write(Buffer.from(text, 'latin1'));
          } else if (one.do === 'read' && who !== undefined) {
            for (let time = 0; time < one.times; time++) read(who);
          } else if (one.do === 'open') open(one.from, one.from + one.length);
          else if (one.do === 'close' && who !== undefined && readers.length > 1) {
            who.reader.close();
            readers.splice(readers.indexOf(who), 1);
          } else if (one.do === 'stop') body.stopRetaining();
          if (body.heldBytes < 0 || body.heldBytes > body.receivedBytes) return false;
          if (isPaused && body.mode === 'retain') return false;
        }
        const before = readers.map((one) => one.stop);
        if (isGood) body.complete(joinUpTo);
        else body.fail();
        return readers.every((one, at) => {
          for (let time = 0; time < 500 && one.stop === 'later'; time++) read(one);
          const whole = sent.slice(one.from, one.until);
          if (!whole.startsWith(one.got)) return false;
          if (one.stop === 'end') return one.got === whole;
          // A failure is right where the body failed, or this reader was cut off in flow mode.
          return one.stop === 'failed' && (!isGood || body.mode === 'flow' || before[at] === 'failed');
        });
      },
    ),
    { numRuns: 500 },
  );
  t.end();
});

t.test('a body that is cut off keeps nothing for those who are slow, and gives none of them a clean end', (t) => {
  const body = new Body({ mode: 'flow', highWaterBytes: 100 });
  const [slow, done] = [body.open(), body.open()];
  body.write(Buffer.from('abc'));
  done.read();
  body.fail(true);
  t.equal(body.heldBytes, 0);
  t.equal(slow.read(), 'failed');
  t.equal(done.read(), 'failed');
  slow.close();
  done.close();
  t.end();
});
