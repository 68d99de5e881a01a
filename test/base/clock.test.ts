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

t.test('now() keeps up with that of another process, and never runs backwards by that', (t) => {
  const clock = systemClock();
  const now = clock.now();
  clock.keepUpWith(now - HOUR_MS);
  t.ok(clock.now() >= now);
  clock.keepUpWith(now + HOUR_MS);
  t.ok(clock.now() >= now + HOUR_MS);
  t.end();
});
