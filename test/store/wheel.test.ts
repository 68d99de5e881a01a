// Goal: the timing wheel brings each slot round at its instant. Method: properties with a plain list of instants beside it.
import fc from 'fast-check';
import t from 'tap';
import { NO_SLOT } from '../../lib/store/links.js';
import { Slots } from '../../lib/store/slots.js';
import { Wheel } from '../../lib/store/wheel.js';

function drain(wheel: Wheel, slots: Slots<number>, now: number): number[] {
  const out: number[] = [];
  for (let slot = wheel.takeDue(); slot !== NO_SLOT; slot = wheel.takeDue()) {
    const at = slots.at(slot) ?? 0;
    // As the store does: one that came round early goes in anew.
    if (at > now) wheel.schedule(slot, at);
    else out.push(slot);
  }
  return out;
}

t.test('no slot comes due before its instant, and each within a tick after it, whatever the turns', (t) => {
  const instants = fc.array(fc.oneof(fc.nat(200_000), fc.nat(30_000_000), fc.nat(2_000_000_000)), { maxLength: 40 });
  const turns = fc.array(fc.oneof(fc.nat(3000), fc.nat(500_000), fc.nat(40_000_000)), { maxLength: 40 });
  fc.assert(
    fc.property(instants, turns, (wanted, steps) => {
      const startAt = 1_767_225_600_123;
      const slots = new Slots<number>();
      const wheel = new Wheel(slots, 1000, startAt);
      const waiting = new Set<number>();
      for (const ms of wanted) {
        const slot = slots.take(startAt + ms, 1, 1);
        wheel.schedule(slot, startAt + ms);
        waiting.add(slot);
      }
      let now = startAt;
      for (const ms of steps) {
        now += ms;
        wheel.turn(now);
        for (const slot of drain(wheel, slots, now)) if (!waiting.delete(slot)) return false;
        for (const slot of waiting) if ((slots.at(slot) ?? 0) <= now - 1000) return false;
      }
      return true;
    }),
    { numRuns: 300 },
  );
  t.end();
});

t.test('a cancelled slot never comes due, a hastened one at once, one without end never', (t) => {
  const slots = new Slots<number>();
  const wheel = new Wheel(slots, 1000, 0);
  const cancelled = slots.take(5000, 1, 1);
  const hastened = slots.take(0, 1, 1);
  const endless = slots.take(Number.POSITIVE_INFINITY, 1, 1);
  wheel.schedule(cancelled, 5000);
  wheel.schedule(hastened, 90_000);
  wheel.schedule(endless, Number.POSITIVE_INFINITY);
  wheel.cancel(cancelled);
  wheel.hasten(hastened);
  t.ok(wheel.hasDue);
  t.strictSame(drain(wheel, slots, 0), [hastened]);
  for (let day = 1; day < 800; day++) {
    wheel.turn(day * 86_400_000);
    t.strictSame(drain(wheel, slots, day * 86_400_000), []);
  }
  t.end();
});
