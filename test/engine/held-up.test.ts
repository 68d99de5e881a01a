// Goal: decision 0009, an answer that is not stored gives way where clients hold it up, and never where something else does. Method: walks with clients that take bytes when they are told to, and a body before readers and a tier below that a test plays.
import t, { type Test } from 'tap';
import { FLOW_WINDOW_BYTES } from '../../lib/base/limits.js';
import { MAX_HELD_UP_MS } from '../../lib/base/origin-limits.js';
import { HeldUp } from '../../lib/engine/held-up.js';
import { Body, type BodySink } from '../../lib/object/body.js';
import { FakeClock } from '../kit/clock.js';
import { makeWalk, type PlayedClient, type Walk } from '../kit/walk.js';

const PRIVATE = { 'Cache-Control': 'no-store' };
const PIECE = Buffer.alloc(FLOW_WINDOW_BYTES / 8);

/** One that takes nothing by itself, before an answer that has filled its window. */
function stalled(): { walk: Walk; client: PlayedClient } {
  const walk = makeWalk();
  const client = walk.send({ target: '/a' }, {}, true);
  walk.origin.last.head(200, PRIVATE);
  fill(walk);
  return { walk, client };
}

function fill({ origin }: Walk): void {
  while (!origin.last.isPaused) origin.last.data(PIECE);
}

t.test('a client that takes nothing while others wait gives way once it had its time', async (t) => {
  const { walk, client } = stalled();
  walk.clock.advance(MAX_HELD_UP_MS);
  t.equal(client.ending, 'streaming', 'nobody waits');
  walk.origin.last.isAwaited = true;
  walk.clock.advance(MAX_HELD_UP_MS - 1);
  t.equal(client.ending, 'streaming');
  walk.clock.advance(1);
  client.read();
  t.equal(client.ending, 'broken');
  t.match(walk.asked, [{ end: 'abandoned', reason: 'client-slow' }]);
});

t.test('a pause counts from its own beginning, and there is one timer for all of them', async (t) => {
  const { walk, client } = stalled();
  walk.origin.last.isAwaited = true;
  const timers = walk.clock.pendingCount;
  for (let round = 0; round < 5; round++) {
    walk.clock.advance(MAX_HELD_UP_MS - 1);
    client.read();
    t.notOk(walk.origin.last.isPaused);
    fill(walk);
    t.equal(walk.clock.pendingCount, timers);
  }
  t.equal(client.ending, 'streaming');
  client.read();
  walk.origin.last.end();
  t.equal(client.ending, 'streaming');
  client.read();
  t.equal(client.ending, 'finished');
  t.ok(walk.clock.pendingCount < timers, 'and it ends with the answer');
});

interface Held {
  readonly clock: FakeClock;
  readonly body: Body;
  readonly heldUp: HeldUp;
  readonly ways: number[];
}

function hold(mode: 'flow' | 'retain'): Held {
  const clock = new FakeClock();
  const ways: number[] = [];
  const heldUp = new HeldUp(clock, () => ways.push(clock.now()));
  const body = new Body({ mode, highWaterBytes: FLOW_WINDOW_BYTES });
  body.attach({ pause: (readers) => heldUp.pause(body, readers), resume: () => heldUp.resume(), abandoned() {} });
  return { clock, body, heldUp, ways };
}

function write(body: Body, bytes: number): void {
  for (let left = bytes; left > 0; left -= PIECE.length) body.write(PIECE);
}

/** A tier below that takes all, and says so when it is told to. */
function sinkFor(): BodySink & { bytes: number } {
  return {
    bytes: 0,
    below: { read: (from, until) => Buffer.alloc(Math.min(PIECE.length, until - from)) },
    listener: undefined,
    write(chunk) {
      this.bytes += chunk.length;
    },
    end() {},
    needed() {},
    abort() {},
    leave() {},
  };
}

t.test(
  'what waits for a tier below is held up by no client, and what waited for it then has all of its time',
  async (t) => {
    const { clock, body, ways } = hold('retain');
    const sink = sinkFor();
    body.spill(sink, FLOW_WINDOW_BYTES);
    const reader = body.open();
    write(body, 2 * FLOW_WINDOW_BYTES);
    for (let ms = 0; ms < 5 * MAX_HELD_UP_MS - 1; ms += 100) clock.advance(100);
    t.same(ways, []);
    sink.listener?.lost();
    t.equal(body.mode, 'flow');
    clock.advance(MAX_HELD_UP_MS);
    t.same(ways, [], 'not by what was before');
    clock.advance(MAX_HELD_UP_MS);
    t.equal(ways.length, 1, 'nothing was taken since');
    reader.close();
  },
);

t.test(
  'a client that reads on from below what is not stored after all holds up nothing, however much that is',
  async (t) => {
    const { clock, body, ways } = hold('retain');
    const sink = sinkFor();
    body.spill(sink, FLOW_WINDOW_BYTES);
    const reader = body.open();
    for (let round = 0; round < 20; round++) {
      write(body, FLOW_WINDOW_BYTES);
      sink.listener?.stored(body.receivedBytes);
    }
    write(body, 2 * FLOW_WINDOW_BYTES);
    sink.listener?.lost();
    const take = (bytes: number): void => {
      for (let taken = 0; taken < bytes; taken += PIECE.length) reader.read();
    };
    for (let round = 0; round < 8; round++) {
      clock.advance(MAX_HELD_UP_MS / 2);
      take(FLOW_WINDOW_BYTES);
    }
    t.same(ways, []);
    for (let round = 0; round < 4; round++) {
      clock.advance(MAX_HELD_UP_MS / 2);
      take(PIECE.length);
    }
    t.ok(ways.length > 0, 'but one who takes less than half a window does');
  },
);

t.test('a client whose turn has not come holds up nothing', async (t: Test) => {
  const { clock, body, ways } = hold('flow');
  const taker = { hasTurn: false };
  const reader = body.open();
  reader.takenBy?.(taker);
  write(body, 2 * FLOW_WINDOW_BYTES);
  clock.advance(3 * MAX_HELD_UP_MS);
  t.same(ways, []);
  taker.hasTurn = true;
  clock.advance(MAX_HELD_UP_MS);
  t.same(ways, [], 'its time begins with its turn');
  clock.advance(MAX_HELD_UP_MS);
  t.equal(ways.length, 1);
});

t.test('what is begun anew is not held up by what was before', async (t) => {
  const { clock, body, heldUp, ways } = hold('flow');
  body.open();
  write(body, 2 * FLOW_WINDOW_BYTES);
  heldUp.stop();
  clock.advance(3 * MAX_HELD_UP_MS);
  t.same(ways, []);
});
