// Goal: a failing key is asked for by a clock with backoff, jitter and Retry-After. Method: a fake clock and random numbers by hand.
import fc from 'fast-check';
import t from 'tap';
import {
  BACKOFF_FIRST_MS,
  BACKOFF_MAX_MS,
  COLD_FAILURES_BEFORE_BACKOFF,
  FAILURE_FORGOTTEN_AFTER_MS,
  RETRY_AFTER_MAX_MS,
} from '../../lib/base/limits.js';
import { createFailures } from '../../lib/store/failures.js';
import { FakeClock } from '../kit/clock.js';

const setUp = (random: () => number = () => 0, max = 100) => {
  const clock = new FakeClock();
  return { clock, failures: createFailures({ max, clock, random }) };
};

t.test('scar 10: the pause doubles from failure to failure up to a bound, and a success ends it', (t) => {
  const { clock, failures } = setUp();
  t.equal(failures.retryAt('a'), undefined);
  t.equal(failures.count('a'), 0);
  for (let count = 1; count <= 10; count++) {
    failures.note('a');
    const pauseMs = (failures.retryAt('a') ?? 0) - clock.now();
    t.equal(pauseMs, Math.min(BACKOFF_FIRST_MS * 2 ** (count - 1), BACKOFF_MAX_MS));
    t.equal(failures.count('a'), count);
  }
  t.equal(failures.retryAt('b'), undefined, 'of this key alone');
  failures.succeeded('a');
  t.equal(failures.retryAt('a'), undefined);
  t.equal(failures.count('a'), 0);
  t.end();
});

t.test(
  'scars 10 and 19: over ten seconds of constant failure there are at most six attempts, whatever the jitter',
  (t) => {
    const chance = fc.array(fc.double({ min: 0, max: 0.999999, noNaN: true }), { minLength: 40, maxLength: 40 });
    fc.assert(
      fc.property(chance, (numbers) => {
        let drawn = 0;
        const { clock, failures } = setUp(() => numbers[drawn++ % numbers.length] ?? 0);
        const startAt = clock.now();
        let attempts = 0;
        // A request every millisecond, each of which would ask if it may.
        for (; clock.now() < startAt + 10_000; clock.advance(1)) {
          if (clock.now() < (failures.retryAt('a') ?? 0)) continue;
          attempts++;
          failures.note('a');
        }
        return attempts >= 3 && attempts <= 6;
      }),
      { numRuns: 30 },
    );
    t.end();
  },
);

t.test('jitter makes a pause shorter by up to a half, never longer', (t) => {
  const { clock, failures } = setUp(() => 0.999999);
  failures.note('a');
  const pauseMs = (failures.retryAt('a') ?? 0) - clock.now();
  t.ok(pauseMs >= BACKOFF_FIRST_MS / 2 && pauseMs < BACKOFF_FIRST_MS * 0.51);
  t.end();
});

t.test('RFC 9110 §10.2.3: Retry-After is honoured up to a bound, and never shortened', (t) => {
  for (const random of [() => 0, () => 0.999]) {
    const { clock, failures } = setUp(random);
    failures.note('a', 30_000);
    const pauseMs = (failures.retryAt('a') ?? 0) - clock.now();
    t.ok(pauseMs >= 30_000 && pauseMs <= 33_000, `${pauseMs} ms`);
    failures.note('b', 86_400_000);
    t.ok((failures.retryAt('b') ?? 0) - clock.now() <= RETRY_AFTER_MAX_MS * 1.1);
    failures.note('c', 1);
    t.ok((failures.retryAt('c') ?? 0) - clock.now() >= BACKOFF_FIRST_MS / 2, 'the longer of the two counts');
  }
  t.end();
});

t.test('a failure of long ago is forgotten, one of a while ago is not', (t) => {
  const { clock, failures } = setUp();
  failures.note('a');
  clock.advance(BACKOFF_FIRST_MS + FAILURE_FORGOTTEN_AFTER_MS - 1);
  t.equal(failures.count('a'), 1);
  t.ok((failures.retryAt('a') ?? 0) < clock.now(), 'and may be retried');
  clock.advance(1);
  t.equal(failures.count('a'), 0);
  t.equal(failures.retryAt('a'), undefined);
  t.end();
});

t.test('a key is pending until its time has come, with how it failed last and whether it does so persistently', (t) => {
  const { clock, failures } = setUp();
  t.equal(failures.pending('a'), undefined);
  for (let count = 1; count <= COLD_FAILURES_BEFORE_BACKOFF; count++) {
    failures.note('a', undefined, count === 1 ? 'unreachable' : 'error-status');
    t.strictSame(failures.pending('a'), {
      retryAt: failures.retryAt('a') ?? 0,
      kind: count === 1 ? 'unreachable' : 'error-status',
      isPersistent: count >= COLD_FAILURES_BEFORE_BACKOFF,
    });
  }
  clock.advance((failures.retryAt('a') ?? 0) - clock.now());
  t.equal(failures.pending('a'), undefined, 'it may be asked for again');
  t.equal(failures.count('a'), COLD_FAILURES_BEFORE_BACKOFF, 'and is remembered');
  t.end();
});

t.test('failing keys are bounded in number; the one whose failure is oldest goes first', (t) => {
  const { failures } = setUp(() => 0, 2);
  failures.note('a');
  failures.note('b');
  failures.note('a');
  failures.note('c');
  t.equal(failures.count('b'), 0);
  t.equal(failures.count('a'), 2);
  t.equal(failures.count('c'), 1);
  t.end();
});
