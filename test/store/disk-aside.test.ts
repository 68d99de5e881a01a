// Goal: decision 0017, a writer that gets nothing of the only core is left some of it, and no hit is held up for one that waits for its device. Method: time, turns and lateness by hand.
import t from 'tap';
import type { Timer } from '../../lib/base/clock.js';
import {
  DISK_ASIDE_EVERY_MS,
  DISK_ASIDE_SHARE,
  DISK_STARVED_AFTER_MS,
  MAX_DISK_ASIDE_MS,
} from '../../lib/base/disk-limits.js';
import { Lateness, StandingAside } from '../../lib/store/disk-aside.js';
import { FakeClock } from '../kit/clock.js';

function makeAside() {
  const clock = new FakeClock();
  const slept: number[] = [];
  const lateness = new Lateness();
  const aside = new StandingAside(lateness, clock, (ms) => void slept.push(ms));
  return { clock, slept, lateness, aside };
}

t.test('DISK_ASIDE_SHARE of the time, once it waits for the core for most of a job', (t) => {
  const { clock, slept, lateness, aside } = makeAside();
  aside.begin();
  lateness.add(DISK_STARVED_AFTER_MS);
  clock.advance(DISK_STARVED_AFTER_MS - 1);
  t.same(slept, [], 'a job may take that long');
  clock.advance(10 * DISK_ASIDE_EVERY_MS);
  t.ok(slept.length >= 9 && slept.length <= 11, `${slept.length} times`);
  t.ok(slept.every((ms) => ms === DISK_ASIDE_EVERY_MS * DISK_ASIDE_SHARE));
  t.end();
});

t.test('long turns of the event loop leave it as much, up to MAX_DISK_ASIDE_MS at once', (t) => {
  class LongTurns extends FakeClock {
    look = (): void => {};

    override every(_: number, run: () => void): Timer {
      this.look = run;
      return { cancel: () => {} };
    }
  }
  const clock = new LongTurns();
  const slept: number[] = [];
  const lateness = new Lateness();
  new StandingAside(lateness, clock, (ms) => void slept.push(ms)).begin();
  lateness.add(60_000);
  for (const turnMs of [DISK_STARVED_AFTER_MS, MAX_DISK_ASIDE_MS / DISK_ASIDE_SHARE / 2]) {
    clock.advance(turnMs);
    clock.look();
  }
  t.same(slept, [MAX_DISK_ASIDE_MS, MAX_DISK_ASIDE_MS / 2]);
  t.end();
});

t.test('not for one that is slow for another reason, such as its device', (t) => {
  const { clock, slept, lateness, aside } = makeAside();
  aside.begin();
  lateness.add(DISK_STARVED_AFTER_MS / 3);
  clock.advance(DISK_STARVED_AFTER_MS + 60_000);
  t.same(slept, []);
  t.end();
});

t.test('each job for itself, and no longer than it takes', (t) => {
  const { clock, slept, lateness, aside } = makeAside();
  aside.begin();
  lateness.add(10 * DISK_STARVED_AFTER_MS);
  aside.end();
  clock.advance(10 * DISK_STARVED_AFTER_MS);
  t.same(slept, [], 'over');
  aside.begin();
  clock.advance(2 * DISK_STARVED_AFTER_MS);
  t.same(slept, [], 'what it was late for before counts no more');
  aside.end();
  t.end();
});

t.test('lateness is told across threads by one number, which may run over', (t) => {
  const writer = new Lateness();
  const reader = new Lateness(writer.shared);
  const mark = reader.mark;
  writer.add(1.5);
  writer.add(-1);
  t.equal(reader.since(mark), 1.5);
  const almost = new Lateness();
  almost.add(2 ** 32 / 1000 - 1);
  const before = almost.mark;
  almost.add(3);
  t.equal(Math.round(almost.since(before)), 3);
  t.end();
});
