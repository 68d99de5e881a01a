// Goal: what is done in small steps is done to its end, though one of them breaks. Method: a clock of the test's own, and steps that throw.
import t from 'tap';
import { STEP_AGAIN_MS } from '../../lib/base/limits.js';
import { Stepper } from '../../lib/store/stepper.js';
import { FakeClock } from '../kit/clock.js';

t.test('a step that throws is not the last one', (t) => {
  const clock = new FakeClock();
  let count = 0;
  const stepper = new Stepper(clock, () => {
    if (++count === 2) throw new Error('a step broke');
    return count < 4 ? 10 : undefined;
  });
  stepper.start(10);
  clock.advance(10);
  t.throws(() => clock.advance(10), /a step broke/, 'the clock is told');
  t.ok(stepper.isRunning);
  clock.advance(STEP_AGAIN_MS);
  t.equal(count, 3);
  clock.advance(10);
  t.equal(count, 4);
  t.notOk(stepper.isRunning);
  t.equal(clock.pendingCount, 0);
  t.end();
});

t.test('one that was stopped in the step that throws stays so', (t) => {
  const clock = new FakeClock();
  const stepper = new Stepper(clock, () => {
    stepper.stop();
    throw new Error('a step broke');
  });
  stepper.start(0);
  t.throws(() => clock.advance(0));
  t.equal(clock.pendingCount, 0);
  t.end();
});
