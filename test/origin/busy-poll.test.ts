// Goal: the event loop stays awake through waits that are short, and through no others (decisions/0042). Method: turns of the
// loop are handed out by the test, and time is a FakeClock; then the client itself, in front of a scripted origin.
import t from 'tap';
import { BUSY_POLL_MS, BUSY_POLL_TURNS, MAX_BUSY_POLL_PAUSE_WAITS, WAKE_UP_MS } from '../../lib/base/origin-limits.js';
import { BusyPoll } from '../../lib/origin/busy-poll.js';
import { createBarrier, turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { send, startScriptedOrigin, until } from '../kit/scripted-origin.js';
import { clientFor, get, Recorder } from './exchange.js';

const SOON = BUSY_POLL_MS / 2;
const LATE = 2 * (BUSY_POLL_MS + WAKE_UP_MS);
/** As many as make a rule of what came before. */
const SOME = 16;

class Loop {
  readonly clock = new FakeClock();
  readonly poll = new BusyPoll(this.clock, (run) => void this.#next.push(run));
  #next: (() => void)[] = [];

  get isAwake(): boolean {
    return this.#next.length > 0;
  }

  /** How many turns it stays awake for. */
  turn(most: number): number {
    for (let n = 0; n < most; n++) {
      if (!this.isAwake) return n;
      for (const run of this.#next.splice(0)) run();
    }
    return most;
  }

  /** One request, its answer, and the time to the next request. Returns whether the loop was awake for the answer, and for that. */
  exchange(answerMs: number, restMs: number): { forAnswer: boolean; forRequest: boolean } {
    this.poll.asked();
    const forAnswer = this.turn(1) === 1 && this.isAwake;
    this.clock.advance(answerMs);
    this.poll.answered();
    const forRequest = this.turn(1) === 1 && this.isAwake;
    this.clock.advance(restMs);
    this.turn(1);
    return { forAnswer, forRequest };
  }

  exchanges(count: number, answerMs: number, restMs: number): void {
    for (let n = 0; n < count; n++) this.exchange(answerMs, restMs);
  }
}

t.test('it sleeps until most of the last waits were short, and then stays awake', (t) => {
  const loop = new Loop();
  t.same(loop.exchange(SOON, SOON), { forAnswer: false, forRequest: false });
  loop.exchanges(SOME, SOON, SOON);
  t.same(loop.exchange(SOON, SOON), { forAnswer: true, forRequest: true });
  t.end();
});

t.test('a wait that was slept through may have taken WAKE_UP_MS more', (t) => {
  for (const [most, isAwake] of [
    [BUSY_POLL_MS + WAKE_UP_MS - 0.01, true],
    [BUSY_POLL_MS + WAKE_UP_MS + 0.01, false],
  ] as const) {
    const loop = new Loop();
    const awake = Array.from({ length: SOME }, () => loop.exchange(most, LATE).forAnswer);
    t.equal(awake.includes(true), isAwake);
  }
  t.end();
});

t.test('an origin that takes longer is slept for, whatever its clients do', (t) => {
  const loop = new Loop();
  loop.exchanges(SOME, LATE, SOON);
  t.same(loop.exchange(LATE, SOON), { forAnswer: false, forRequest: true });
  t.end();
});

t.test('clients that take their time are slept for, however quick the origin is', (t) => {
  const loop = new Loop();
  loop.exchanges(SOME, SOON, LATE);
  t.same(loop.exchange(SOON, LATE), { forAnswer: true, forRequest: false });
  t.end();
});

t.test('BUSY_POLL_MS: no longer than that', (t) => {
  const loop = new Loop();
  loop.exchanges(SOME, SOON, LATE);
  loop.poll.asked();
  loop.clock.advance(BUSY_POLL_MS - 0.01);
  t.equal(loop.turn(3), 3, 'awake still');
  loop.clock.advance(0.02);
  t.equal(loop.turn(3), 1, 'that looks at the time, and no more');
  t.end();
});

t.test('BUSY_POLL_TURNS: nor for ever where the clock stands', (t) => {
  const loop = new Loop();
  loop.exchanges(SOME, SOON, LATE);
  loop.poll.asked();
  t.equal(loop.turn(2 * BUSY_POLL_TURNS), BUSY_POLL_TURNS + 1);
  t.end();
});

t.test('to have stayed awake for nothing makes the next tries rarer, and one that was worth it frequent again', (t) => {
  const loop = new Loop();
  loop.exchanges(100, SOON, LATE);
  // As an origin does that shares the processor with us: at once while we sleep, and only then.
  const pauses: number[] = [];
  let slept = 0;
  while (pauses.length < 16) {
    loop.poll.asked();
    const isAwake = loop.isAwake;
    loop.clock.advance(isAwake ? LATE : SOON);
    loop.poll.answered();
    loop.turn(2);
    loop.clock.advance(LATE);
    if (!isAwake) slept++;
    else {
      pauses.push(slept);
      slept = 0;
    }
  }
  t.same(pauses.slice(0, 8), [0, 1, 2, 4, 8, 16, 32, 64]);
  t.equal(pauses.at(-1), MAX_BUSY_POLL_PAUSE_WAITS);
  let skipped = 0;
  while (!loop.exchange(SOON, LATE).forAnswer) skipped++;
  t.equal(skipped, MAX_BUSY_POLL_PAUSE_WAITS);
  t.equal(loop.exchange(SOON, LATE).forAnswer, true, 'and at once again');
  t.end();
});

t.test('others under way: it sleeps when it would, and what it waits for says nothing', (t) => {
  const loop = new Loop();
  loop.exchanges(SOME, SOON, SOON);
  loop.poll.asked();
  t.equal(loop.isAwake, true);
  loop.poll.crowded();
  t.equal(loop.turn(3), 1);
  t.equal(loop.poll.awaitsAnswer, false);
  loop.clock.advance(60_000);
  t.same(loop.exchange(SOON, SOON), { forAnswer: true, forRequest: true }, 'as before');
  t.end();
});

t.test('the client stays awake for an origin that answers at once, where one request alone is under way', async (t) => {
  let looks = 0;
  class Watched extends FakeClock {
    override steady(): number {
      looks++;
      return super.steady();
    }
  }
  const origin = await startScriptedOrigin();
  const client = clientFor(origin.url, { clock: new Watched() });
  t.teardown(async () => {
    await origin.close();
    await client.close();
  });
  const ask = (): Recorder => {
    const recorder = new Recorder();
    client.fetch(get('/'), recorder);
    return recorder;
  };
  /** How often the clock was looked at from when all of these were asked. */
  const looksWhile = async (count: number): Promise<number> => {
    const barrier = createBarrier();
    for (let n = 0; n < count; n++) origin.script(until(barrier), send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
    // What is left of the wait for this one.
    await turns(BUSY_POLL_TURNS + 10);
    const before = looks;
    const asked = Array.from({ length: count }, ask);
    await turns(BUSY_POLL_TURNS + 10);
    const during = looks - before;
    barrier.open();
    for (const one of asked) t.equal(await one.ending(), 'end');
    return during;
  };
  t.ok((await looksWhile(1)) < 50, 'asleep at first');
  for (let n = 0; n < SOME; n++) {
    origin.script(send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
    t.equal(await ask().ending(), 'end');
  }
  t.ok((await looksWhile(1)) >= BUSY_POLL_TURNS, 'awake by now');
  t.ok((await looksWhile(2)) < 50, 'and asleep where there are two');
});
