// Goal: a round asks for what is missing or changed, in order, within its pace, and gives way to trouble. Method: a store that is a map, and an origin that a test answers for.
import t from 'tap';
import { WARM_FAILURES_MAX, WARM_UNCACHEABLE_MS } from '../../lib/base/warm-limits.js';
import type { Standing, WarmEnd, Warmer } from '../../lib/warm/contract.js';
import { readLastmod } from '../../lib/warm/lastmod.js';
import { Pace } from '../../lib/warm/pace.js';
import { type Noted, Round, type RoundEnd } from '../../lib/warm/round.js';
import type { Wanted } from '../../lib/warm/tree.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';

class PlayedWarmer implements Warmer {
  readonly stored = new Map<string, number>();
  readonly asked: string[] = [];
  readonly withdrawn: string[] = [];
  hasRoom = true;
  running = 0;
  mostRunning = 0;
  answer: (url: string) => WarmEnd | Promise<WarmEnd> = () => 'filled';
  standing: (url: string) => Standing = (url) => {
    const askedAt = this.stored.get(url);
    return askedAt === undefined ? { kind: 'absent' } : { kind: 'stored', askedAt };
  };

  look(url: string): Standing {
    return this.standing(url);
  }

  async #ask(what: string, url: string): Promise<WarmEnd> {
    this.asked.push(`${what} ${url}`);
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    const end = await this.answer(url);
    this.running--;
    return end;
  }

  fill(url: string): Promise<WarmEnd> {
    return this.#ask('fill', url);
  }

  refresh(url: string): Promise<WarmEnd> {
    return this.#ask('refresh', url);
  }

  withdraw(url: string): void {
    this.withdrawn.push(url);
  }

  async expire(): Promise<number> {
    return 0;
  }
}

interface Played {
  readonly clock: FakeClock;
  readonly warmer: PlayedWarmer;
  readonly noted: Map<string, Noted>;
  readonly troubled: Set<string>;
  /** A round of these, each URL with its lastmod. */
  round(urls: Readonly<Record<string, string>>): Round;
  run(urls: Readonly<Record<string, string>>): Promise<[RoundEnd, Round['counts']]>;
}

function play(rate = 1_000_000, concurrency = 4): Played {
  const clock = new FakeClock();
  const warmer = new PlayedWarmer();
  const noted = new Map<string, Noted>();
  const troubled = new Set<string>();
  const pace = new Pace(clock, rate, concurrency);
  const round = (urls: Readonly<Record<string, string>>): Round => {
    const wanted = Object.entries(urls).map(([url, text]): [string, Wanted] => [
      url,
      { lastmod: readLastmod(text), isWindow: false },
    ]);
    return new Round(new Map(wanted), { clock, warmer, pace, noted, troubled, told: () => {} });
  };
  return {
    clock,
    warmer,
    noted,
    troubled,
    round,
    run: async (urls) => {
      warmer.asked.length = 0;
      const one = round(urls);
      const over = one.run();
      let isOver = false;
      void over.then(() => {
        isOver = true;
      });
      while (!isOver) {
        clock.advance(1);
        await turns(1);
      }
      return [await over, one.counts];
    },
  };
}

const NOW = Date.UTC(2026, 0, 1);
const OLD = '2025-06-01T00:00:00Z';
const NEW = '2025-12-31T23:00:00Z';

t.test('issue 4: what was edited comes before what is missing, and what is current is left alone', async (t) => {
  const played = play();
  played.warmer.stored
    .set('stale', NOW - 7_200_000)
    .set('current', NOW - 7_200_000)
    .set('undated', NOW);
  played.warmer.answer = (url) => (url === 'missing' ? 'filled' : 'freshened');
  const [end, counts] = await played.run({ missing: OLD, current: OLD, undated: '', stale: NEW });
  t.same(played.warmer.asked, ['refresh stale', 'fill missing']);
  t.same([end, counts], ['done', { current: 2, freshened: 1, filled: 1 }]);
});

t.test('issue 4: the rate and the number at once are bounded', async (t) => {
  const played = play(10, 2);
  const ends: (() => void)[] = [];
  played.warmer.answer = () => new Promise((resolve) => ends.push(() => resolve('filled')));
  const urls = Object.fromEntries(Array.from({ length: 6 }, (_, at) => [`u${at}`, '']));
  void played.round(urls).run();
  await turns(5);
  t.equal(played.warmer.asked.length, 1);
  played.clock.advance(1000);
  await turns(5);
  t.equal(played.warmer.asked.length, 2, 'two at once');
  ends[0]?.();
  await turns(5);
  played.clock.advance(100);
  await turns(5);
  t.equal(played.warmer.asked.length, 3);
  for (let at = 0; at < 30; at++) {
    for (const done of ends) done();
    played.clock.advance(100);
    await turns(3);
  }
  t.equal(played.warmer.asked.length, 6);
  t.equal(played.warmer.mostRunning, 2);
});

t.test(
  'an origin that fails in a row is left alone, and what failed does not stand before the others next time',
  async (t) => {
    const played = play(1_000_000, 1);
    const urls = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`u${String(at).padStart(2, '0')}`, '']));
    played.warmer.answer = (url) => (url < 'u15' ? 'failed' : 'filled');
    const [end, counts] = await played.run(urls);
    t.same([end, counts], ['given-up', { failed: WARM_FAILURES_MAX }]);
    const [again, then] = await played.run(urls);
    t.equal(then.filled, 15, 'all that can be had');
    t.same([again, then.failed], ['done', 15]);
    t.equal(played.troubled.size, 15);
    played.warmer.answer = () => 'filled';
    await played.run(urls);
    t.equal(played.troubled.size, 0);
  },
);

t.test('memory that is nearly full is left to visitors; what is stored is refreshed all the same', async (t) => {
  const played = play();
  played.warmer.hasRoom = false;
  played.warmer.stored.set('stale', NOW - 7_200_000);
  played.warmer.answer = () => 'replaced';
  const [end, counts] = await played.run({ a: '', stale: NEW, b: '' });
  t.same([end, counts, played.warmer.asked], ['done', { replaced: 1, 'no-room': 2 }, ['refresh stale']]);
});

t.test('what may not be stored is left alone for a day, unless it is edited', async (t) => {
  const played = play();
  played.warmer.answer = () => 'uncacheable';
  await played.run({ a: OLD, b: '' });
  t.same((await played.run({ a: OLD, b: '' }))[1], { uncacheable: 2 });
  t.same(played.warmer.asked, []);
  await played.run({ a: NEW, b: '' });
  t.same(played.warmer.asked, ['fill a']);
  played.clock.advance(WARM_UNCACHEABLE_MS);
  await played.run({ a: NEW, b: '' });
  t.same(played.warmer.asked, ['fill a', 'fill b']);
});

t.test('what its rule lets past the cache is never asked for', async (t) => {
  const played = play();
  played.warmer.standing = () => ({ kind: 'not-ours' });
  t.same(await played.run({ a: NEW }), ['done', { uncacheable: 1 }]);
  t.same(played.warmer.asked, []);
});

t.test('a refresh that failed is tried again by the next round, one that ended is not', async (t) => {
  const played = play();
  played.warmer.stored.set('a', NOW - 7_200_000);
  for (const [end, asked] of [
    ['failed', 1],
    ['skipped', 1],
    ['freshened', 1],
    ['freshened', 0],
  ] as const) {
    played.warmer.answer = () => end;
    await played.run({ a: NEW });
    t.equal(played.warmer.asked.length, asked, end);
  }
});

t.test('what a visitor brought in meanwhile is asked about, not fetched again', async (t) => {
  const played = play(10, 1);
  const over = played.run({ a: NEW, b: NEW });
  played.warmer.stored.set('b', NOW - 7_200_000);
  await over;
  t.same(played.warmer.asked, ['fill a', 'refresh b']);
});

t.test('a round that is stopped begins nothing more, and takes back what has not begun', async (t) => {
  const played = play(1_000_000, 1);
  let finish = (): void => {};
  played.warmer.answer = () =>
    new Promise((resolve) => {
      finish = () => resolve('filled');
    });
  const round = played.round({ a: '', b: '' });
  const over = round.run();
  await turns(5);
  round.stop();
  t.same(played.warmer.withdrawn, ['a']);
  finish();
  await turns(5);
  played.clock.advance(1);
  t.equal(await over, 'stopped');
  t.same([played.warmer.asked, round.remaining], [['fill a'], 1]);
});
