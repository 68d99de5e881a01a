// Goal: operations of other machines are walked one after the other, however many come at once: after a long time apart there may be thousands, and each takes turns of the event loop. Method: more responses than one step looks at, a store that says which steps it is asked for, a clock that goes on step by step.
import t from 'tap';
import { OPERATION_STEP_COUNT, STORE_STEP_DELAY_MS } from '../../lib/base/limits.js';
import { applyShared } from '../../lib/engine/shared-effects.js';
import type { Store } from '../../lib/store/contract.js';
import { SharedClock } from '../../lib/store/shared-clock.js';
import type { SharedOp } from '../../lib/store/shared-ops.js';
import { turns } from '../kit/barrier.js';
import { makeWalk, type Walk } from '../kit/walk.js';

const COUNT = OPERATION_STEP_COUNT * 2 + 10;
const FIELDS = { 'Cache-Control': 'max-age=600', ETag: '"1"', 'Surrogate-Key': 'x' };

/** Many responses, under /a/ and /b/ in turn, and each step of a walk through them. */
function full(): { walk: Walk; steps: number[]; ops: (...prefixes: string[]) => SharedOp[]; clock: SharedClock } {
  const walk = makeWalk({ budgetBytes: 64 * 1024 * 1024 });
  for (let at = 0; at < COUNT; at++) {
    walk.get(`/${at % 2 === 0 ? 'a' : 'b'}/${at}`);
    walk.origin.last.respond(200, FIELDS, 'hello');
  }
  const steps: number[] = [];
  const { store } = walk.engine.parts;
  const scan: Store['scan'] = store.scan.bind(store);
  store.scan = (from, count, visit) => {
    steps.push(from);
    return scan(from, count, visit);
  };
  const clock = new SharedClock(walk.clock);
  clock.note(walk.clock.now(), walk.clock.now());
  const ops = (...prefixes: string[]): SharedOp[] =>
    prefixes.map((prefix) => {
      const reach = { kind: 'prefix', prefixes: [`http://example.test${prefix}`] } as const;
      return { effect: 'purge', reach, at: walk.clock.now(), by: 'another' };
    });
  return { walk, steps, ops, clock };
}

async function goOn(walk: Walk, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    walk.clock.advance(STORE_STEP_DELAY_MS);
    await turns();
  }
}

t.test('issue 5: operations that come together are walked one after the other, each to its end', async (t) => {
  const { walk, steps, ops, clock } = full();
  applyShared(walk.engine, clock, ops('/none/', '/a/', '/b/'));
  t.same(steps, [0], 'one walk has begun');
  await goOn(walk, 30);
  const begins = steps.flatMap((from, at) => (from === 0 ? [at] : []));
  t.equal(begins.length, 3);
  for (const [nth, begin] of begins.entries()) {
    const its = steps.slice(begin, begins[nth + 1]);
    t.ok(its.length > 1, 'it takes several steps');
    t.same(
      its,
      [...its].sort((a, b) => a - b),
      'none of another walk comes between them',
    );
  }
  t.equal(walk.engine.parts.store.stats.objects, 0, 'all of them are done');
});

t.test('issue 5: of operations that are alike one walk does the latest, and an earlier one adds none', async (t) => {
  const { walk, steps, ops, clock } = full();
  const early = ops('/a/', '/a/', '/a/');
  applyShared(walk.engine, clock, [...early, ...early]);
  await goOn(walk, 30);
  t.equal(steps.filter((from) => from === 0).length, 1);
  t.equal(walk.engine.parts.store.stats.objects, COUNT / 2);
});

t.test(
  'issue 5: what an operation that waits for its walk is about is not served meanwhile, where it comes up',
  async (t) => {
    const { walk, ops, clock } = full();
    walk.get('/b/in-flight');
    applyShared(walk.engine, clock, ops('/a/', '/b/'));
    // Its answer was asked for before the purge.
    walk.origin.last.respond(200, FIELDS, 'old');
    await goOn(walk, 30);
    const again = walk.get('/b/in-flight');
    t.not(again.outcome, 'HIT');
  },
);
