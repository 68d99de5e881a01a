/** Goal: what is stored goes at the end of its keep, a step at a time, and nothing runs while nothing is stored. Method: slots with two instants each, and a fake clock. */
import t from 'tap';
import { STORE_STEP_DELAY_MS, SWEEP_EVERY_MS, SWEEP_STEP_COUNT } from '../../lib/base/limits.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { Slots } from '../../lib/store/slots.js';
import { Sweep } from '../../lib/store/sweep.js';
import { FakeClock } from '../kit/clock.js';
import { makeStored } from './make-stored.js';

function makeSweep() {
  const clock = new FakeClock();
  const slots = new Slots<StoredResponse>();
  const instants = new Map<number, { graceUntil: number; keepUntil: number }>();
  const told: string[] = [];
  const stepsAt: number[] = [];
  const sweep = new Sweep({
    slots,
    groups: {
      graceUntil: (slot) => instants.get(slot)?.graceUntil ?? 0,
      keepUntil: (slot) => instants.get(slot)?.keepUntil ?? 0,
    },
    clock,
    begun: () => stepsAt.push(clock.now()),
    graceEnded: (slot) => told.push(`grace of ${slot}`),
    keepEnded: (slot) => {
      told.push(`keep of ${slot}`);
      sweep.cancel(slot);
      slots.give(slot);
    },
  });
  const store = (graceMs: number, keepMs: number): number => {
    const now = clock.now();
    sweep.start(now);
    const slot = slots.take(makeStored({ bornAt: now }), 1, 1);
    const [graceUntil, keepUntil] = [now + graceMs, now + keepMs];
    instants.set(slot, { graceUntil, keepUntil });
    sweep.schedule(slot, graceUntil, keepUntil, now);
    return slot;
  };
  return { clock, slots, told, stepsAt, sweep, store };
}

t.test('the end of grace is told, and then that of keep; with nothing left no step follows', async (t) => {
  const { clock, told, stepsAt, store } = makeSweep();
  const slot = store(SWEEP_EVERY_MS * 2, SWEEP_EVERY_MS * 5);
  clock.advance(SWEEP_EVERY_MS * 4);
  t.strictSame(told, [`grace of ${slot}`]);
  clock.advance(SWEEP_EVERY_MS * 3);
  t.strictSame(told, [`grace of ${slot}`, `keep of ${slot}`]);
  const steps = stepsAt.length;
  clock.advance(SWEEP_EVERY_MS * 10);
  t.equal(stepsAt.length, steps);
});

t.test('what is due at once goes in bounded steps', async (t) => {
  const { clock, slots, store } = makeSweep();
  for (let count = 0; count < SWEEP_STEP_COUNT + 1; count++) store(0, 1);
  clock.advance(SWEEP_EVERY_MS * 2);
  const left = slots.count;
  t.ok(left <= 1, `${left} left`);
  clock.advance(STORE_STEP_DELAY_MS);
  t.equal(slots.count, 0);
});

t.test('what was stored after a long rest is not taken for what is due', async (t) => {
  const { clock, told, store } = makeSweep();
  store(0, 1);
  clock.advance(SWEEP_EVERY_MS * 3);
  clock.advance(SWEEP_EVERY_MS * 1000);
  told.length = 0;
  store(SWEEP_EVERY_MS * 50, SWEEP_EVERY_MS * 100);
  clock.advance(SWEEP_EVERY_MS * 20);
  t.strictSame(told, []);
});
