// Goal: a fault in one write to the shared tier, or in one of its turns, ends that one, is told, and keeps neither the next one nor who waits. Method: the writer and the tier alone, with collaborators one of which throws.
import t from 'tap';
import { MAX_SHARED_WRITES, SHARED_LOG_EVERY_MS } from '../../lib/base/shared-limits.js';
import { SharedClock } from '../../lib/store/shared-clock.js';
import type { SharedTable } from '../../lib/store/shared-contract.js';
import { SharedGuard } from '../../lib/store/shared-guard.js';
import { SharedPulse } from '../../lib/store/shared-pulse.js';
import { SharedWriting, type SharedWritingParts } from '../../lib/store/shared-writing.js';
import { FakeClock } from '../kit/clock.js';
import { turns } from '../kit/lease-desk.js';
import { makeStored } from './make-stored.js';

const GUARD = {
  isUp: true,
  background: async (work: () => Promise<unknown>) => ({ value: await work() }),
} as unknown as SharedGuard;

t.test('issue 5: a response that cannot be written is given up, and those behind it are written', async (t) => {
  const clock = new FakeClock();
  const counts = { kept: 0, refused: 0, unshared: 0 };
  const [released, faults]: [string[], string[]] = [[], []];
  let isBroken = true;
  const writing = new SharedWriting({
    table: { keep: async () => 'kept' } as unknown as SharedTable,
    guard: GUARD,
    clock: new SharedClock(clock),
    bodies: {
      keep: async () => {
        if (isBroken) throw new Error('keeping broke');
        return { id: 'x'.repeat(22), bytes: 5, until: clock.now() + 60_000 };
      },
    } as unknown as SharedWritingParts['bodies'],
    counts,
    maxBodyBytes: 1024,
    release: async (_, key, what) => void released.push(`${key} ${what}`),
    news: () => Buffer.alloc(0),
    faulted: (error) => void faults.push(String(error)),
  });
  const lease = { name: 'n', variant: 'all', holder: 'me.' };
  const stored = makeStored({ bodyBytes: 5, bornAt: clock.now() });
  const many = Array.from({ length: MAX_SHARED_WRITES }, () => writing.keep(stored, lease, false));
  t.same(new Set(await Promise.all(many)), new Set([false]));
  t.equal(faults.length, MAX_SHARED_WRITES);
  t.match(faults[0], /keeping broke/);
  t.equal(released.length, MAX_SHARED_WRITES, 'their leases are given back');
  t.match(released[0], /left$/);
  t.same([writing.count, writing.bytes], [0, 0]);
  isBroken = false;
  t.equal(await writing.keep(stored, lease, false), true);
  t.same(counts, { kept: 1, refused: MAX_SHARED_WRITES, unshared: 0 });
});

t.test('issue 5: a turn that breaks is told of, and the next one is taken', async (t) => {
  const clock = new FakeClock();
  const faults: string[] = [];
  let taken = 0;
  const pulse = new SharedPulse(
    clock,
    async () => {
      if (++taken === 1) throw new Error('the turn broke');
    },
    (error) => void faults.push(String(error)),
  );
  for (let turn = 0; turn < 3; turn++) {
    clock.advance(SHARED_LOG_EVERY_MS);
    await turns();
  }
  t.equal(taken, 3);
  t.match(faults, [/the turn broke/]);
  pulse.stop();
  clock.advance(SHARED_LOG_EVERY_MS);
  t.equal(taken, 3);
});

t.test('issue 5: a command that breaks before it is sent is none of those that run', async (t) => {
  const clock = new FakeClock();
  const guard = new SharedGuard({
    clock,
    random: () => 0.5,
    timeoutMs: 20,
    probe: async () => {},
    hung() {},
    isOfOne: () => true,
    changed() {},
    refusing() {},
  });
  guard.linked();
  await turns();
  const broken = (): never => {
    throw new Error('the words broke');
  };
  t.equal(await guard.background(broken), undefined);
  t.equal(await guard.run(broken), undefined);
  t.equal(guard.running, 0);
  t.match(guard.counts, { failed: 2, late: 0 });
  t.equal(clock.pendingCount, 0, 'no timer is left');
  guard.close();
});
