// Goal: the refresh queue keeps its bounds under any order of events (issue 5). Method: fast-check drives it, with everything that it does held against the budget.
import fc from 'fast-check';
import t from 'tap';
import type { FillEnd } from '../../lib/engine/fill-contract.js';
import type { RefreshJob } from '../../lib/engine/refresh-contract.js';
import { OriginPace } from '../../lib/engine/refresh-pace.js';
import { RefreshQueue } from '../../lib/engine/refresh-queue.js';
import { REFRESH_PRIORITIES, SILENT } from '../../lib/observe/events.js';
import { FakeClock } from '../kit/clock.js';

const MAX_COUNT = 8;

type Step =
  | {
      readonly do: 'enqueue';
      id: number;
      priority: number;
      heat: number;
      bytes: number;
      begun: number;
      delayMs: number;
    }
  | { readonly do: 'end'; pick: number; end: FillEnd }
  | { readonly do: 'advance'; ms: number }
  | { readonly do: 'drop'; id: number }
  | { readonly do: 'origin'; healthy: boolean; reachable: boolean }
  | { readonly do: 'answer'; latencyMs: number; hasFailed: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('enqueue' as const),
      id: fc.nat(20),
      priority: fc.nat(3),
      heat: fc.nat(5),
      bytes: fc.integer({ min: 1, max: 400 }),
      begun: fc.nat(9),
      delayMs: fc.nat(3_000),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('end' as const),
      pick: fc.nat(50),
      end: fc.constantFrom<FillEnd[]>('stored', 'not-modified', 'failed', 'error', 'abandoned', 'elsewhere'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.nat(4_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const), id: fc.nat(20) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('origin' as const), healthy: fc.boolean(), reachable: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('answer' as const), latencyMs: fc.nat(5_000), hasFailed: fc.boolean() }),
  },
);

class Model {
  readonly clock = new FakeClock();
  readonly origin = { healthy: true, reachable: true };
  readonly pace = new OriginPace();
  readonly running = new Map<string, (end: FillEnd) => void>();
  readonly sentAt: number[] = [];
  readonly queue: RefreshQueue;
  readonly concurrency: number;
  wanted = 0;
  told = 0;
  problem = '';

  constructor(rate: number, concurrency: number) {
    this.concurrency = concurrency;
    const { clock, origin, pace } = this;
    const budget = { rate, concurrency };
    this.queue = new RefreshQueue({
      clock,
      origin,
      pace,
      budget,
      events: SILENT,
      maxCount: MAX_COUNT,
      maxBytes: 1_000,
    });
  }

  take(step: Step): void {
    switch (step.do) {
      case 'enqueue':
        this.enqueue(step);
        break;
      case 'end': {
        const ids = [...this.running.keys()];
        const id = ids[step.pick % Math.max(1, ids.length)];
        const ended = id === undefined ? undefined : this.running.get(id);
        if (id !== undefined) this.running.delete(id);
        ended?.(step.end);
        break;
      }
      case 'advance':
        this.clock.advance(step.ms);
        break;
      case 'drop':
        this.queue.drop(`${step.id}`, 'purged');
        break;
      case 'origin':
        Object.assign(this.origin, step);
        break;
      case 'answer':
        this.pace.answered(step.latencyMs, step.hasFailed ? 500 : 200, this.clock.now());
    }
  }

  enqueue({ id, priority, heat, bytes, begun, delayMs }: Step & { do: 'enqueue' }): void {
    const name = `${id}`;
    const job: RefreshJob = {
      id: name,
      priority: REFRESH_PRIORITIES[priority] ?? 'stale',
      heat,
      bytes,
      notBefore: this.clock.now() + (delayMs % 3 === 0 ? 0 : delayMs),
      retryAt: (tries) => this.clock.now() + tries * 500,
      begin: (ended) => {
        if (this.running.has(name)) this.problem = `${name} is under way twice`;
        if (!this.origin.reachable) this.problem = 'the origin cannot be reached, and is asked';
        if (begun === 0) return 'needless';
        if (begun === 1) return { later: this.clock.now() + delayMs };
        this.sentAt.push(this.clock.now());
        this.running.set(name, ended);
        if (this.running.size > this.concurrency) this.problem = 'more at once than the budget allows';
        return 'running';
      },
    };
    this.wanted++;
    this.queue.enqueue(job, () => {
      this.told++;
    });
  }

  check(rate: number): void {
    const { depth, running } = this.queue.stats;
    const waiting = depth.stale + depth.cold + depth.warm + depth.ahead;
    if (running !== this.running.size) this.problem = `${running} counted as under way, ${this.running.size} are`;
    if (waiting + running > MAX_COUNT) this.problem = `${waiting} wait and ${running} run`;
    const burst = Math.max(1, Math.ceil(rate / 10));
    const last = this.sentAt.length - 1;
    for (let first = 0; first <= last; first++) {
      const sec = ((this.sentAt[last] ?? 0) - (this.sentAt[first] ?? 0)) / 1000;
      if (last - first + 1 > burst + rate * sec + 1e-6) this.problem = `${last - first + 1} in ${sec} s`;
    }
    if (this.problem !== '') throw new Error(this.problem);
  }
}

t.test('issue 5: whatever comes, the queue is bounded, and sends no more than its budget', async () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 120 }),
      fc.constantFrom(1, 5, 40, 1000),
      fc.integer({ min: 1, max: 6 }),
      (steps, rate, concurrency) => {
        const model = new Model(rate, concurrency);
        for (const one of steps) {
          model.take(one);
          model.check(rate);
        }
      },
    ),
    { numRuns: 300 },
  );
});

t.test('issue 5: whatever comes, each who asked is told of one end, and no timer is left', async (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const model = new Model(1000, 4);
      for (const one of steps) model.take(one);
      model.queue.close();
      while (model.running.size > 0) model.take({ do: 'end', pick: 0, end: 'failed' });
      if (model.told !== model.wanted) throw new Error(`${model.wanted} asked, ${model.told} were told`);
      if (model.clock.pendingCount > 0) throw new Error('a timer is left');
    }),
    { numRuns: 300 },
  );
  t.pass('held');
});
