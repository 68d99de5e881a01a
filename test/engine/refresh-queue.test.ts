// Goal: the refresh queue keeps its order, its budget and its promises to the origin (issue 5, SYSTEMS row 3). Method: a fake clock, and jobs whose ends the test plays.
import t from 'tap';
import { MAX_REFRESH_AGE_MS, MAX_REFRESH_LISTENERS, REFRESH_RECHECK_MS } from '../../lib/base/refresh-limits.js';
import type { FillEnd } from '../../lib/engine/fill-contract.js';
import type { Begun, RefreshEnd, RefreshJob } from '../../lib/engine/refresh-contract.js';
import { OriginPace } from '../../lib/engine/refresh-pace.js';
import { RefreshQueue, type RefreshQueueOptions } from '../../lib/engine/refresh-queue.js';
import { SILENT } from '../../lib/observe/events.js';
import { FakeClock } from '../kit/clock.js';

type Played = Partial<RefreshJob> & { readonly begun?: Begun };

class Desk {
  readonly clock = new FakeClock();
  readonly origin = { healthy: true, reachable: true };
  readonly pace = new OriginPace();
  readonly begun: string[] = [];
  readonly told: string[] = [];
  readonly ends = new Map<string, (end: FillEnd) => void>();
  readonly queue: RefreshQueue;

  constructor(options: Partial<RefreshQueueOptions> = {}) {
    this.queue = new RefreshQueue({
      clock: this.clock,
      origin: this.origin,
      pace: this.pace,
      budget: { rate: 1000, concurrency: 1 },
      events: { ...SILENT, refreshed: (priority, outcome) => void this.told.push(`${priority} ${outcome}`) },
      ...options,
    });
  }

  job(id: string, priority: RefreshJob['priority'], { begun = 'running', ...more }: Played = {}): RefreshJob {
    return {
      id,
      priority,
      heat: 0,
      bytes: 100,
      notBefore: 0,
      begin: (ended) => {
        this.begun.push(id);
        this.ends.set(id, ended);
        return begun;
      },
      retryAt: (tries) => this.clock.now() + tries * 1000,
      ...more,
    };
  }

  add(id: string, priority: RefreshJob['priority'], more: Played = {}, told?: (end: RefreshEnd) => void): string {
    return this.queue.enqueue(this.job(id, priority, more), told);
  }

  end(id: string, end: FillEnd = 'not-modified'): void {
    const ended = this.ends.get(id);
    this.ends.delete(id);
    ended?.(end);
  }

  /** Ends whatever runs until nothing does. */
  drain(): void {
    while (this.ends.size > 0) for (const id of [...this.ends.keys()]) this.end(id);
  }
}

t.test('jobs that wait for their turn set one timer together, and none once nothing waits', async (t) => {
  const timers = new FakeClock();
  let set = 0;
  const clock = {
    now: () => timers.now(),
    steady: () => timers.steady(),
    wall: () => timers.wall(),
    after: (ms: number, run: () => void) => {
      set++;
      return timers.after(ms, run);
    },
    every: (ms: number, run: () => void) => timers.every(ms, run),
  };
  const desk = new Desk({ clock, budget: { rate: 1, concurrency: 1000 } });
  for (let n = 0; n < 100; n++) desk.add(`j${n}`, 'stale');
  t.equal(desk.begun.length, 1);
  t.equal(set, 1, 'for the next token');
  timers.advance(99_000);
  t.equal(desk.begun.length, 100, 'each at its time');
  desk.drain();
  const before = set;
  timers.advance(10_000);
  t.equal(set, before);
});

t.test('issue 5: stale before cold before warm-up before what is ahead, and of one priority the hottest', async (t) => {
  const desk = new Desk();
  t.equal(desk.add('first', 'ahead'), 'running');
  desk.add('a', 'ahead', { heat: 5 });
  desk.add('b', 'ahead', { heat: 9 });
  desk.add('w', 'warm');
  desk.add('c', 'cold');
  desk.add('s1', 'stale', { heat: 1 });
  desk.add('s2', 'stale', { heat: 2 });
  t.same(desk.queue.stats.depth, { stale: 2, cold: 1, warm: 1, ahead: 2 });
  desk.drain();
  t.same(desk.begun, ['first', 's2', 's1', 'c', 'w', 'b', 'a']);
});

t.test(
  'issue 5: one key is queued once; a more urgent wish for it raises it, and all who asked are told',
  async (t) => {
    const desk = new Desk();
    const ends: string[] = [];
    desk.add('running', 'stale');
    t.equal(
      desk.add('k', 'warm', {}, (end) => ends.push(`warm ${end}`)),
      'queued',
    );
    desk.add('c', 'cold');
    t.equal(
      desk.add('k', 'stale', {}, (end) => ends.push(`stale ${end}`)),
      'joined',
    );
    t.equal(desk.add('k', 'ahead'), 'joined');
    t.equal(desk.add('running', 'stale'), 'joined', 'and what is under way is not asked for again');
    desk.drain();
    t.same(desk.begun, ['running', 'k', 'c']);
    t.same(ends, ['warm not-modified', 'stale not-modified']);
  },
);

t.test('issue 5: the rate is a bound on what the origin is sent, and the burst is a tenth of it', async (t) => {
  const desk = new Desk({ budget: { rate: 20, concurrency: 100 } });
  for (let n = 0; n < 50; n++) desk.add(`${n}`, 'stale');
  t.equal(desk.begun.length, 2);
  desk.clock.advance(1_000);
  t.equal(desk.begun.length, 22);
  desk.clock.advance(60_000);
  t.equal(desk.begun.length, 50);
});

t.test('issue 5: what turns out needless costs no token, and what is too early waits', async (t) => {
  const desk = new Desk({ budget: { rate: 10, concurrency: 10 } });
  t.equal(desk.add('gone', 'stale', { begun: 'needless' }), 'over');
  const later = desk.clock.now() + 5_000;
  let isEarly = true;
  const begin = (): Begun => {
    desk.begun.push('early');
    return isEarly ? { later } : 'running';
  };
  desk.add('early', 'stale', { begin });
  t.equal(desk.add('next', 'stale'), 'running', 'the one token is still there');
  desk.clock.advance(4_999);
  isEarly = false;
  t.same(desk.begun, ['gone', 'early', 'next']);
  desk.clock.advance(1);
  t.same(desk.begun.at(-1), 'early');
});

t.test('issue 5: what fails is tried again, later and later, and not for ever', async (t) => {
  for (const [priority, tries] of [
    ['stale', 3],
    ['cold', 6],
    ['warm', 3],
    ['ahead', 2],
  ] as const) {
    const desk = new Desk();
    const ends: string[] = [];
    const startedAt = desk.clock.now();
    const begunAt: number[] = [];
    const begin = (ended: (end: FillEnd) => void): Begun => {
      begunAt.push(desk.clock.now() - startedAt);
      desk.ends.set('k', ended);
      return 'running';
    };
    desk.add('k', priority, { begin }, (end) => ends.push(end));
    for (let n = 0; n < 20; n++) {
      desk.end('k', n % 2 === 0 ? 'failed' : 'error');
      desk.clock.advance(10_000);
    }
    t.equal(begunAt.length, tries, priority);
    t.equal(begunAt[1], 1_000, 'by the clock that it was given');
    t.equal(ends.length, 1, 'told once');
    t.equal(desk.clock.pendingCount, 0, 'and nothing is left of it');
  }
});

t.test(
  'issue 5: beyond its bounds the least urgent goes, then the coldest; what is urgent is never given up for it',
  async (t) => {
    const desk = new Desk({ maxCount: 4 });
    const ends: string[] = [];
    const add = (id: string, priority: RefreshJob['priority'], heat = 0): string =>
      desk.add(id, priority, { heat }, (end) => ends.push(`${id} ${end}`));
    add('running', 'stale');
    add('hot', 'ahead', 9);
    add('cool', 'ahead', 1);
    add('w', 'warm');
    t.equal(add('colder', 'ahead', 0), 'full');
    t.equal(add('warmer', 'ahead', 5), 'queued');
    t.same(ends, ['colder full', 'cool full']);
    add('s1', 'stale', 1);
    add('s2', 'stale', 1);
    add('s3', 'stale', 1);
    t.same(ends.slice(2).sort(), ['hot full', 'w full', 'warmer full']);
    t.equal(add('s4', 'stale', 1), 'full', 'nothing less urgent is left');
    t.equal(add('w2', 'warm'), 'full');
    const small = new Desk({ maxBytes: 250 });
    small.add('running', 'stale');
    t.equal(small.add('big', 'stale', { bytes: 200 }), 'full');
    t.equal(small.add('small', 'stale', { bytes: 150 }), 'queued');
    t.equal(small.add('huge', 'stale', { bytes: 300 }), 'full', 'more than would ever fit');
  },
);

t.test(
  'issue 4: a slow origin is spared what is ahead first, then warm-up, then retries, then all but one',
  async (t) => {
    const desk = new Desk({ budget: { rate: 1000, concurrency: 16 } });
    for (let n = 0; n < 50; n++) {
      desk.pace.answered(50, 304, desk.clock.now());
      desk.clock.advance(100);
    }
    const slowBy = (factor: number): void => {
      for (let n = 0; n < 100; n++) desk.pace.answered(70 * factor - 20, 304, desk.clock.now());
    };
    const tryAll = (): string[] => {
      const [before, wave] = [desk.begun.length, desk.told.length];
      for (const priority of ['ahead', 'warm', 'cold', 'stale'] as const) {
        desk.add(`${wave} ${priority} 1`, priority);
        desk.add(`${wave} ${priority} 2`, priority);
      }
      return desk.begun.slice(before).map((id) => id.slice(id.indexOf(' ') + 1));
    };
    t.equal(tryAll().length, 8);
    desk.drain();
    slowBy(2.5);
    t.equal(desk.queue.stats.strain, 1);
    t.same(
      tryAll().map((id) => id.split(' ')[0]),
      ['warm', 'warm', 'cold', 'cold', 'stale', 'stale'],
    );
    t.same(desk.told.filter((one) => one === 'ahead shed').length, 2);
    desk.drain();
    slowBy(4);
    t.equal(desk.queue.stats.strain, 2);
    t.same(
      tryAll().map((id) => id.split(' ')[0]),
      ['cold', 'cold', 'stale', 'stale'],
    );
    desk.drain();
    slowBy(6);
    t.same(
      tryAll().map((id) => id.split(' ')[0]),
      ['stale', 'stale'],
    );
    desk.drain();
    slowBy(10);
    t.equal(desk.queue.stats.strain, 4);
    t.same(tryAll(), ['stale 1'], 'one at a time');
    desk.drain();
    const waiting = desk.queue.stats.depth;
    t.match(waiting, { warm: 6, cold: 4, ahead: 0 }, 'what is held is not lost');
    desk.clock.advance(60_000);
    desk.drain();
    desk.clock.advance(1_000);
    desk.drain();
    t.match(
      desk.queue.stats,
      { strain: 0, depth: { warm: 0, cold: 0 } },
      'and goes once nothing bad was heard for a while',
    );
  },
);

t.test('issue 4: an origin that fails is spared in the same order; a quarter of failures is borne', async (t) => {
  const desk = new Desk();
  const now = desk.clock.now();
  for (let n = 0; n < 400; n++) desk.pace.answered(50, n % 4 === 0 ? 503 : 200, now);
  t.equal(desk.queue.stats.strain, 0);
  for (let n = 0; n < 100; n++) desk.pace.failed(now);
  t.equal(desk.queue.stats.strain, 4);
  desk.clock.advance(60_000);
  t.equal(desk.queue.stats.strain, 0);
});

t.test(
  'issue 5: while the breaker is open nothing is asked; while it probes, one stale response at most',
  async (t) => {
    const desk = new Desk({ budget: { rate: 1000, concurrency: 16 } });
    Object.assign(desk.origin, { healthy: false, reachable: false });
    desk.add('s1', 'stale');
    desk.add('s2', 'stale');
    desk.add('c', 'cold');
    desk.clock.advance(60_000);
    t.same(desk.begun, []);
    desk.origin.reachable = true;
    desk.clock.advance(REFRESH_RECHECK_MS);
    t.same(desk.begun, ['s1']);
    desk.origin.healthy = true;
    desk.end('s1');
    t.same(desk.begun, ['s1', 's2', 'c']);
  },
);

t.test('issue 5: what waited too long is given up', async (t) => {
  const desk = new Desk();
  desk.origin.reachable = false;
  const ends: string[] = [];
  desk.add('c', 'cold', {}, (end) => ends.push(end));
  desk.clock.advance(MAX_REFRESH_AGE_MS + 1);
  desk.origin.reachable = true;
  desk.clock.advance(REFRESH_RECHECK_MS);
  t.same([desk.begun, ends], [[], ['expired']]);
  t.equal(desk.clock.pendingCount, 0);
});

t.test('issue 5: what is purged or withdrawn leaves the queue, and what is under way is not tried again', async (t) => {
  const desk = new Desk();
  const ends: string[] = [];
  const add = (id: string, priority: RefreshJob['priority']): string =>
    desk.add(id, priority, {}, (end) => ends.push(`${id} ${end}`));
  add('http://a/1', 'cold');
  add('http://a/2', 'cold');
  add('http://a/3', 'warm');
  add('http://b/4', 'cold');
  desk.queue.drop('http://a/1', 'purged', 'cold');
  desk.queue.dropUnder('http://a/', 'cold');
  t.same(ends, ['http://a/2 purged'], 'warm-up is another wish');
  desk.queue.drop('http://b/4', 'overtaken', 'cold');
  desk.queue.drop('http://a/3', 'withdrawn');
  desk.queue.drop('unknown', 'purged');
  desk.end('http://a/1', 'failed');
  t.same(ends.slice(1), ['http://b/4 overtaken', 'http://a/3 withdrawn', 'http://a/1 failed']);
});

t.test('issue 5: closing gives up what waits, and takes nothing more', async (t) => {
  const desk = new Desk();
  const ends: string[] = [];
  desk.add('a', 'stale', {}, (end) => ends.push(`a ${end}`));
  desk.add('b', 'stale', {}, (end) => ends.push(`b ${end}`));
  desk.queue.close();
  t.same(ends, ['b withdrawn']);
  desk.end('a', 'failed');
  t.equal(
    desk.add('c', 'stale', {}, (end) => ends.push(`c ${end}`)),
    'full',
  );
  t.same(ends.slice(1), ['a failed', 'c full']);
  t.equal(desk.clock.pendingCount, 0);
});

t.test('issue 5: those who wait for one end are bounded', async (t) => {
  const desk = new Desk();
  let count = 0;
  const told = (): void => {
    count++;
  };
  desk.add('running', 'stale');
  for (let n = 0; n < MAX_REFRESH_LISTENERS; n++) desk.add('k', 'warm', {}, told);
  t.equal(desk.add('k', 'warm', {}, told), 'full');
  t.equal(count, 1);
  desk.drain();
  t.equal(count, MAX_REFRESH_LISTENERS + 1);
});

t.test('a changed budget holds from the next request on', async (t) => {
  const desk = new Desk();
  for (let n = 0; n < 10; n++) desk.add(`${n}`, 'stale');
  t.equal(desk.begun.length, 1);
  desk.queue.reconfigure({ rate: 1000, concurrency: 4 });
  t.equal(desk.begun.length, 4);
  desk.queue.reconfigure({ rate: 1, concurrency: 100 });
  desk.clock.advance(1_000);
  t.ok(desk.begun.length <= 6, 'what was saved up at the old rate is gone');
});

t.test('a job that ends before it has begun to wait is no trouble', async (t) => {
  const desk = new Desk();
  const begin = (ended: (end: FillEnd) => void): Begun => {
    ended('stored');
    return 'running';
  };
  for (let n = 0; n < 5; n++) t.equal(desk.add(`${n}`, 'warm', { begin }), 'over');
  t.match(desk.queue.stats, { running: 0, depth: { warm: 0 } });
});

t.test('a job that breaks as it begins has failed, and the next ones have their turn', async (t) => {
  const notices: string[] = [];
  const told: string[] = [];
  const desk = new Desk({ events: { ...SILENT, notice: (_level, code) => void notices.push(code) } });
  const begin = (): Begun => {
    throw new Error('broke');
  };
  t.equal(
    desk.add('bad', 'stale', { begin }, (end) => void told.push(end)),
    'over',
  );
  t.same(told, ['failed']);
  t.same(notices, ['internal']);
  t.equal(desk.add('good', 'stale'), 'running');
  desk.drain();
  desk.add('later', 'stale', { begin, notBefore: desk.clock.now() + 1000 });
  desk.add('behind it', 'warm', { notBefore: desk.clock.now() + 1000 });
  desk.clock.advance(1000);
  t.same(desk.begun, ['good', 'behind it']);
  desk.drain();
  t.match(desk.queue.stats, { running: 0, depth: { stale: 0, warm: 0 } });
  t.equal(desk.clock.pendingCount, 0);
});

/** A listener that breaks, and a desk that hears of it. */
function broken(): { desk: Desk; notices: string[]; listener: () => void } {
  const notices: string[] = [];
  const desk = new Desk({ events: { ...SILENT, notice: (_level, code) => void notices.push(code) } });
  const listener = (): void => {
    throw new Error('broke');
  };
  return { desk, notices, listener };
}

t.test('a listener that breaks does not keep the queue from going on, nor others from being told', async (t) => {
  const { desk, notices, listener } = broken();
  const told: string[] = [];
  desk.add('running', 'stale', {}, listener);
  desk.add('running', 'stale', {}, (end) => void told.push(end));
  desk.add('needless', 'stale', { begun: 'needless' }, listener);
  desk.add('next', 'warm');
  desk.end('running');
  t.same(told, ['not-modified']);
  t.same(desk.begun, ['running', 'needless', 'next'], 'at once');
  t.same(notices, ['internal', 'internal']);
});

t.test('of several whose listeners break none takes the timer along that others wait for', async (t) => {
  const { desk, listener } = broken();
  desk.add('running', 'stale');
  for (const id of ['a', 'b', 'c']) desk.add(id, 'ahead', {}, listener);
  desk.add('later', 'stale', { notBefore: desk.clock.now() + 1_000 });
  desk.origin.healthy = false;
  desk.end('running');
  t.same(desk.queue.stats.depth, { stale: 1, cold: 0, warm: 0, ahead: 0 }, 'what is ahead was given up');
  desk.clock.advance(1_000);
  t.same(desk.begun, ['running', 'later']);
});

t.test('one that makes room for another is given up, though its listener breaks', async (t) => {
  const { desk, listener } = broken();
  const full = new Desk({ maxCount: 2, events: { ...SILENT } });
  full.add('running', 'stale');
  full.add('waits', 'warm', {}, listener);
  t.equal(full.add('urgent', 'stale'), 'queued');
  desk.queue.close();
  full.queue.close();
});

t.test('a job that breaks at its beginning ends once, whatever is said of its end before or after', async (t) => {
  const desk = new Desk();
  let late: (end: FillEnd) => void = () => {};
  const begins: RefreshJob['begin'][] = [
    (ended) => {
      late = ended;
      throw new Error('broke');
    },
    (ended) => {
      ended('not-modified');
      throw new Error('broke');
    },
  ];
  const told: string[] = [];
  for (const [at, begin] of begins.entries()) desk.add(`bad ${at}`, 'stale', { begin }, (end) => void told.push(end));
  t.same(told, ['failed', 'not-modified']);
  t.equal(desk.add('good', 'stale'), 'running');
  late('not-modified');
  t.equal(desk.queue.stats.running, 1);
  desk.add('next', 'stale');
  t.same(desk.begun, ['good'], 'it still runs');
  desk.drain();
  t.equal(told.length, 2);
  t.equal(desk.queue.stats.running, 0);
});
