// Goal: what a body was written from is let go, to be read into again, only when nobody can look at it any more. Method: bodies written from buffers that are scribbled over as soon as nobody but the test holds them, and readers that look again at all they still need.
import fc from 'fast-check';
import t from 'tap';
import { ReadBuffer } from '../../lib/base/read-buffer.js';
import { Body, type BodyReader } from '../../lib/object/body.js';

const WINDOW_BYTES = 64 * 1024;
const SCRIBBLE = 0xff;

/** The byte at a position of every body here; never SCRIBBLE. */
function byteAt(position: number): number {
  return (position * 31 + (position >> 8)) % 251;
}

/** Writes a body from buffers that are used again, and scribbles over each that was let go. */
class Writer {
  readonly body: Body;
  readonly #out: ReadBuffer[] = [];
  freed = 0;

  constructor(mode: 'flow' | 'retain' = 'flow') {
    this.body = new Body({ mode, highWaterBytes: WINDOW_BYTES });
  }

  write(length: number): void {
    const buffer = ReadBuffer.take();
    const at = this.body.receivedBytes;
    for (let i = 0; i < length; i++) buffer.bytes[i] = byteAt(at + i);
    buffer.hold();
    this.#out.push(buffer);
    this.body.write(buffer.bytes.subarray(0, length), buffer);
    this.look();
  }

  look(): void {
    for (const [i, buffer] of this.#out.entries()) {
      if (buffer.isShared) continue;
      buffer.bytes.fill(SCRIBBLE);
      this.#out.splice(i, 1);
      this.freed++;
      this.look();
      return;
    }
  }
}

/** Keeps what it read until it says that it is done with it. */
class Follower {
  readonly reader: BodyReader;
  readonly borrows: boolean;
  position: number;
  #kept: { readonly from: number; readonly bytes: Buffer }[] = [];

  constructor(body: Body, borrows: boolean, from = 0) {
    this.reader = body.open(from);
    this.borrows = borrows;
    this.position = from;
    if (borrows) this.reader.borrow?.();
  }

  read(): boolean {
    const bytes = this.reader.read();
    if (typeof bytes === 'string') return false;
    this.#kept.push({ from: this.position, bytes });
    this.position += bytes.length;
    return true;
  }

  /** Positions at which the bytes are not those that were written. */
  get torn(): number | undefined {
    for (const { from, bytes } of this.#kept)
      for (const [i, byte] of bytes.entries()) if (byte !== byteAt(from + i)) return from + i;
    return undefined;
  }

  done(): void {
    this.#kept = [];
    this.reader.done?.();
  }
}

t.test(
  'a buffer is let go when its body has dropped it and its only reader is done with it, in either order',
  async (t) => {
    const writer = new Writer();
    const only = new Follower(writer.body, true);
    writer.write(20_000);
    t.equal(writer.freed, 0, 'it is not read yet');
    only.read();
    writer.look();
    t.equal(writer.freed, 0, 'it is being written to the client');
    only.done();
    writer.look();
    t.equal(writer.freed, 1);
    // Inside a round of waking the body drops what was read when that is over.
    only.reader.onReadable(() => {
      only.read();
      only.done();
    });
    writer.write(20_000);
    t.equal(writer.freed, 2);
    t.equal(writer.body.heldBytes, 0);
  },
);

t.test('a part of a buffer that is still to be read keeps it', async (t) => {
  const writer = new Writer();
  const reader = writer.body.open(0, 30_000);
  reader.borrow?.();
  writer.write(20_000);
  writer.write(20_000);
  reader.read();
  reader.done?.();
  writer.look();
  t.equal(writer.freed, 1);
});

t.test('what was given before a second reader came is never let go, nor what comes while there are two', async (t) => {
  const writer = new Writer();
  const first = new Follower(writer.body, true);
  writer.write(10_000);
  const second = new Follower(writer.body, true);
  writer.write(10_000);
  for (const follower of [first, second]) while (follower.read());
  first.done();
  second.done();
  writer.look();
  t.equal(writer.freed, 0);
});

t.test('what is retained for the store is never let go', async (t) => {
  const writer = new Writer('retain');
  const only = new Follower(writer.body, true);
  writer.write(200_000);
  only.read();
  only.done();
  writer.body.complete(0);
  only.reader.close();
  only.done();
  writer.look();
  t.equal(writer.freed, 0);
  t.equal(writer.body.heldBytes, 200_000);
});

t.test('the last buffers are let go behind the end, when the reader has closed already', async (t) => {
  const writer = new Writer();
  const only = new Follower(writer.body, true);
  writer.write(10_000);
  writer.body.complete(0);
  only.read();
  only.reader.close();
  writer.look();
  t.equal(writer.freed, 0);
  only.done();
  writer.look();
  t.equal(writer.freed, 1);
});

t.test('one who says nothing of being done keeps all that was given', async (t) => {
  const writer = new Writer();
  const only = new Follower(writer.body, false);
  writer.write(200_000);
  only.read();
  writer.look();
  t.equal(writer.freed, 0);
  t.equal(only.torn, undefined);
});

const STEP = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ step: fc.constant('write' as const), bytes: fc.integer({ min: 1, max: 40_000 }) }),
  },
  { weight: 10, arbitrary: fc.record({ step: fc.constant('read' as const), who: fc.nat(1) }) },
  { weight: 6, arbitrary: fc.record({ step: fc.constant('done' as const), who: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('open' as const), borrows: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('close' as const), who: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('stop' as const) }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('complete' as const) }) },
);

t.test('whatever readers do, nobody sees bytes of a later read', async (t) => {
  let freed = 0;
  fc.assert(
    fc.property(fc.nat(3), fc.array(STEP, { minLength: 10, maxLength: 60 }), (retains, steps) => {
      const writer = new Writer(retains === 0 ? 'retain' : 'flow');
      const { body } = writer;
      const all = [new Follower(body, true)];
      for (const one of steps) {
        const who = 'who' in one ? all[one.who] : undefined;
        if (one.step === 'write' && body.state === 'streaming') writer.write(one.bytes);
        else if (one.step === 'open' && all.length < 4) all.push(new Follower(body, one.borrows, body.droppedBytes));
        else if (one.step === 'complete') body.complete(0);
        else if (one.step === 'stop') body.stopRetaining();
        else if (one.step === 'read') who?.read();
        else if (one.step === 'done') who?.done();
        else if (one.step === 'close') who?.reader.close();
        writer.look();
        for (const follower of all) if (follower.torn !== undefined) return false;
      }
      freed += writer.freed;
      return true;
    }),
    { numRuns: 400 },
  );
  t.ok(freed > 100, `${freed} buffers were let go`);
});
