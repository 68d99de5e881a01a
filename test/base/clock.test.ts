// Goal: a wall clock that is set forward moves what ages, and no limit of what is under way. Method: the system's clock, with Date.now set forward under it.
import t from 'tap';
import { systemClock } from '../../lib/base/clock.js';

const HOUR_MS = 3_600_000;

t.test('now() follows a wall clock that is set forward, and not one that is set back; steady() neither', async (t) => {
  const { now: wall } = Date;
  t.teardown(() => {
    Date.now = wall;
  });
  const clock = systemClock();
  const [now, steady] = [clock.now(), clock.steady()];
  Date.now = () => wall() + HOUR_MS;
  while (clock.now() - now < HOUR_MS) await new Promise((resolve) => setTimeout(resolve, 20));
  t.ok(clock.steady() - steady < HOUR_MS / 2);
  Date.now = wall;
  const after = clock.now();
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  t.ok(clock.now() >= after, 'content is never believed younger than it is');
});

t.test('now() of processes that began within different milliseconds is the same to a tenth of one', (t) => {
  const { now: wall } = Date;
  t.teardown(() => {
    Date.now = wall;
  });
  const exact = () => performance.now() + performance.timeOrigin;
  Date.now = () => Math.floor(exact());
  const behind = Array.from({ length: 21 }, () => {
    const clock = systemClock();
    return exact() - clock.now();
  }).sort((a, b) => a - b);
  // Whoever loses its core as a millisecond begins is further behind until it looks again.
  t.ok((behind[10] ?? 1) < 0.1, `${behind}`);
  t.end();
});

t.test('now() keeps up with that of another process, and never runs backwards by that', (t) => {
  const clock = systemClock();
  const now = clock.now();
  clock.keepUpWith(now - HOUR_MS);
  t.ok(clock.now() >= now);
  clock.keepUpWith(now + HOUR_MS);
  t.ok(clock.now() >= now + HOUR_MS);
  t.end();
});

t.test('what is thrown by what was due is told to who listens, and all else goes on', async (t) => {
  const clock = systemClock();
  const faults: unknown[] = [];
  clock.faulted = (error) => void faults.push(error);
  let count = 0;
  await new Promise<void>((resolve) => {
    clock.after(1, () => {
      throw new Error('after broke');
    });
    const timer = clock.every(1, () => {
      if (++count === 3) {
        timer.cancel();
        resolve();
      }
      throw new Error('every broke');
    });
    // Timers of the clock keep no process alive.
    const alive = setTimeout(resolve, 10_000);
    t.teardown(() => clearTimeout(alive));
  });
  await new Promise((resolve) => setTimeout(resolve, 5));
  t.equal(count, 3);
  t.same(faults.map(String).sort(), ['Error: after broke', ...Array(3).fill('Error: every broke')].sort());
});
