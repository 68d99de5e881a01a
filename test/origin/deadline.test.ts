// Goal: a time limit that activity pushes ahead runs out when it says, by the clock that nobody sets. Method: a clock that was set forward before it begins.
import t from 'tap';
import { Deadline } from '../../lib/origin/deadline.js';
import { FakeClock } from '../kit/clock.js';

const HOUR_MS = 3_600_000;

function setUp(): { clock: FakeClock; deadline: Deadline; count(): number } {
  const clock = new FakeClock();
  clock.jump(HOUR_MS);
  let count = 0;
  const deadline = new Deadline(clock, 1_000, () => count++);
  return { clock, deadline, count: () => count };
}

t.test('a deadline that nothing pushes ahead runs out once', (t) => {
  const { clock, count } = setUp();
  clock.advance(999);
  t.equal(count(), 0);
  clock.advance(1);
  t.equal(count(), 1);
  clock.advance(HOUR_MS);
  t.equal(count(), 1);
  t.equal(clock.pendingCount, 0);
  t.end();
});

t.test('a deadline that is pushed ahead counts from then on', (t) => {
  const { clock, deadline, count } = setUp();
  clock.advance(600);
  deadline.touch();
  clock.advance(999);
  t.equal(count(), 0);
  clock.advance(1);
  t.equal(count(), 1);
  t.end();
});
