// Goal: the queue gives way to an origin that is slower than it usually is, and to no other (issue 4). Method: latencies played to the pace with an instant each.
import t from 'tap';
import { OriginPace } from '../../lib/engine/refresh-pace.js';
import { makeWalk } from '../kit/walk.js';

const START = Date.UTC(2026, 0, 1);

/** Answers of the origin, one every `everyMs`. */
function play(
  pace: OriginPace,
  from: number,
  count: number,
  everyMs: number,
  latencyMs: (n: number) => number,
): number {
  for (let n = 0; n < count; n++) pace.answered(latencyMs(n), 200, from + n * everyMs);
  return from + count * everyMs;
}

t.test('issue 4: a few slow pages among many quick ones are no strain', async (t) => {
  const pace = new OriginPace();
  let worst = 0;
  let now = START;
  for (let n = 0; n < 5_000; n++) {
    now = play(pace, now, 1, 20, () => (n % 20 === 0 ? 2_000 : 15));
    if (n > 100) worst = Math.max(worst, pace.strain(now));
  }
  t.ok(worst <= 1, `${worst}`);
});

t.test('issue 4: what is a matter of milliseconds is noise', async (t) => {
  const pace = new OriginPace();
  const now = play(pace, START, 100, 10, () => 1);
  t.equal(pace.strain(play(pace, now, 100, 10, () => 10)), 0);
});

t.test('issue 4: an origin that stays slow becomes the usual one within minutes, and recovers at once', async (t) => {
  const pace = new OriginPace();
  const quick = play(pace, START, 100, 100, () => 30);
  const slow = play(pace, quick, 20, 100, () => 1_000);
  t.ok(pace.strain(slow) >= 3);
  t.equal(pace.strain(play(pace, slow, 6_000, 100, () => 1_000)), 0, 'ten minutes later');
  const other = new OriginPace();
  const again = play(
    other,
    play(other, START, 100, 100, () => 30),
    20,
    100,
    () => 1_000,
  );
  t.equal(other.strain(play(other, again, 40, 100, () => 30)), 0, 'four seconds of good answers');
});

t.test('issue 4: more 304s than usual, or fewer, are no change of pace', async (t) => {
  const pace = new OriginPace();
  let now = START;
  for (let n = 0; n < 200; n++) {
    pace.answered(5, 304, now);
    if (n % 10 === 0) pace.answered(400, 200, now);
    now += 50;
  }
  t.equal(pace.strain(play(pace, now, 100, 50, () => 400)), 0);
});

t.test('issue 4: one slow answer, or one failure, after a long silence is no strain', async (t) => {
  const pace = new OriginPace();
  const now = play(pace, START, 50, 100, () => 30) + 3_600_000;
  pace.answered(400, 200, now);
  pace.failed(now);
  t.equal(pace.strain(now), 0);
});

t.test('a wall clock that is set forward while the origin is asked does not make it slow', async (t) => {
  const walk = makeWalk();
  const { pace } = walk.engine.parts;
  for (let n = 0; n < 20; n++) {
    walk.get(`/${n}`);
    walk.clock.advance(20);
    if (n === 19) walk.clock.jump(5_000);
    walk.origin.last.respond(200, { 'Cache-Control': 'max-age=60' }, 'x');
  }
  t.equal(pace.strain(walk.clock.steady()), 0);
});
