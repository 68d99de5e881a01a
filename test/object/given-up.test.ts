// Goal: decision 0009, that a body is not stored after all cuts off no client that can still be given its bytes. Method: bodies written by hand, over a tier below that is played.
import t from 'tap';
import { Body, type BodySink, type BodySinkListener } from '../../lib/object/body.js';

const text = (read: Buffer | string): string => read.toString();

/** A tier below that has all that it was given as soon as it is told so. */
class PlayedSink implements BodySink {
  readonly bytes: Buffer[] = [];
  listener: BodySinkListener | undefined;
  ending: 'ended' | 'aborted' | 'left' | undefined;
  readonly below = {
    read: (from: number, until: number): Buffer | undefined =>
      this.ending === 'aborted' ? undefined : Buffer.concat(this.bytes).subarray(from, Math.min(until, from + 3)),
  };

  write(chunk: Buffer): void {
    this.bytes.push(chunk);
  }

  neededCount = 0;

  needed(): void {
    this.neededCount++;
  }

  end(): void {
    this.ending = 'ended';
  }

  abort(): void {
    this.ending = 'aborted';
  }

  leave(): void {
    this.ending = 'left';
  }
}

function spilling(windowBytes: number): { body: Body; sink: PlayedSink } {
  const [body, sink] = [new Body({ mode: 'retain', highWaterBytes: windowBytes }), new PlayedSink()];
  body.spill(sink, windowBytes);
  return { body, sink };
}

t.test('decision 0009: a slow client of a body that the store gives up reads on from where it is', (t) => {
  const ways = {
    'it turns out to be too large': ({ body }: { body: Body }) => body.stopRetaining(),
    'the tier below cannot go on': ({ sink }: { sink: PlayedSink }) => sink.listener?.lost(),
  };
  for (const [way, giveUp] of Object.entries(ways)) {
    const { body, sink } = spilling(8);
    const reader = body.open();
    body.write(Buffer.from('abcdefgh'));
    sink.listener?.stored(8);
    t.equal(text(reader.read()), 'abc');
    giveUp({ body, sink });
    t.equal(sink.ending, 'left', way);
    t.notOk(body.isWhole);
    body.write(Buffer.from('ijkl'));
    body.complete(0);
    t.notOk(body.isWhole, 'it is not stored');
    const parts: string[] = [];
    for (let read = reader.read(); typeof read !== 'string'; read = reader.read()) parts.push(read.toString());
    t.equal(parts.join(''), 'defghijkl', way);
    t.equal(reader.read(), 'end');
    reader.close();
  }
  t.end();
});

t.test('decision 0009: what nobody needs of a body that is given up goes at once below', (t) => {
  const { body, sink } = spilling(8);
  const reader = body.open();
  body.write(Buffer.from('abcd'));
  t.equal(text(reader.read()), 'abcd');
  sink.listener?.stored(4);
  body.stopRetaining();
  t.equal(sink.ending, 'aborted');
  body.write(Buffer.from('ef'));
  t.equal(text(reader.read()), 'ef');
  t.end();
});

t.test('decision 0009: once bytes are nowhere, who has not come so far is told so and given no gap', (t) => {
  const { body, sink } = spilling(4);
  const [slow, fast] = [body.open(), body.open()];
  body.write(Buffer.from('abcd'));
  t.equal(text(fast.read()), 'abcd');
  sink.listener?.stored(4);
  body.stopRetaining();
  for (const piece of ['efgh', 'ijkl', 'mnop']) {
    body.write(Buffer.from(piece));
    t.equal(text(fast.read()), piece);
  }
  t.equal(slow.read(), 'failed');
  t.end();
});

t.test('decision 0017: the tier below hears of a reader that memory leaves behind, before it reads there', (t) => {
  const { body, sink } = spilling(8);
  const [slow, fast] = [body.open(), body.open()];
  body.write(Buffer.from('abcd'));
  t.equal(text(fast.read()), 'abcd');
  t.equal(sink.neededCount, 0);
  body.complete(0);
  sink.listener?.stored(4);
  t.equal(sink.neededCount, 1);
  t.equal(text(slow.read()), 'abc');
  t.end();
});

t.test('decision 0017: where all readers are past it, the tier below hears nothing', (t) => {
  const { body, sink } = spilling(8);
  const reader = body.open();
  body.write(Buffer.from('abcd'));
  t.equal(text(reader.read()), 'abcd');
  sink.listener?.stored(4);
  t.equal(sink.neededCount, 0);
  t.end();
});
