// Goal: two workers never hold one lease, and nobody waits for the dead. Method: the table alone, its messages written down.
import t from 'tap';
import { LeaseTable } from '../../lib/workers/lease-table.js';
import type { Taking, ToWorker } from '../../lib/workers/messages.js';

function desk() {
  const said: (ToWorker & { to: number })[] = [];
  const alive = new Set([1, 2, 3]);
  const table = new LeaseTable({
    tell: (to, message) => said.push({ ...message, to }),
    tellOthers: (but, message) => {
      for (const to of alive) if (to !== but) said.push({ ...message, to });
    },
    pathOf: (worker) => (alive.has(worker) ? `/run/${worker}` : undefined),
    heir: () => [...alive][0],
  });
  let id = 0;
  const take = (worker: number, name: string, more: Partial<Taking> = {}): ToWorker & { to: number } => {
    table.take(worker, {
      id: ++id,
      name,
      keyLength: name.length,
      askedAt: 0,
      isBlind: false,
      isPatient: false,
      ...more,
    });
    return said.at(-1) as ToWorker & { to: number };
  };
  const leaseOf = (message: ToWorker): number => (message.kind === 'granted' ? message.lease : -1);
  return { said, alive, table, take, leaseOf, lastId: () => id };
}

t.test('issue 5: one holds, the others wait, and each hears how it ended once', async (t) => {
  const { table, take, leaseOf, said } = desk();
  const granted = take(1, 'a');
  t.equal(granted.kind, 'granted');
  t.match(take(2, 'a'), { kind: 'waiting', to: 2 });
  t.match(take(3, 'a'), { kind: 'waiting', to: 3 });
  t.equal(table.waitingCount, 2);
  t.match(take(2, 'b'), { kind: 'granted' }, 'another key is another lease');
  const at = said.length;
  table.release(1, leaseOf(granted), { kind: 'uncacheable', reason: 'private', markerKey: 'a' }, 0, false);
  t.match(said.slice(at), [
    { kind: 'marked', markerKey: 'a', to: 2 },
    { kind: 'marked', markerKey: 'a', to: 3 },
    { kind: 'told', notice: { kind: 'uncacheable' }, to: 2 },
    { kind: 'told', notice: { kind: 'uncacheable' }, to: 3 },
  ]);
  table.release(1, leaseOf(granted), { kind: 'left' }, 0, false);
  t.equal(said.length, at + 4, 'a lease ends once');
  t.match(take(3, 'a'), { kind: 'granted', to: 3 });
});

t.test(
  'issue 5: what has begun to arrive is had from where it arrives, by those who wait and by those who come',
  async (t) => {
    const { table, take, leaseOf, said } = desk();
    const lease = leaseOf(take(1, 'a'));
    take(2, 'a');
    table.opened(2, lease);
    t.equal(said.at(-1)?.kind, 'waiting', 'whose lease it is not says nothing of it');
    table.opened(1, lease);
    t.match(said.at(-1), { kind: 'told', notice: { kind: 'at', path: '/run/1' }, to: 2 });
    t.match(take(3, 'a'), { kind: 'told', notice: { kind: 'at', path: '/run/1' } });
    t.match(take(3, 'a', { isPatient: true }), { kind: 'waiting' }, 'who could not have it waits for the end');
    t.match(
      take(2, 'a', { isBlind: true }),
      { kind: 'told', notice: { kind: 'alone' } },
      'another variant asks at once',
    );
  },
);

t.test('issue 5: what one worker stored the others have from it, where it is newer than theirs', async (t) => {
  const { table, take, leaseOf, alive } = desk();
  const stored = { kind: 'stored', key: 'a', names: ['a', 'a de'], askedAt: 7 } as const;
  table.release(1, leaseOf(take(1, 'a')), stored, 0, false);
  t.match(take(2, 'a'), { kind: 'told', notice: { kind: 'at', path: '/run/1' } });
  t.match(take(2, 'a de'), { kind: 'told', notice: { kind: 'at', path: '/run/1' } });
  t.match(take(2, 'a', { askedAt: 7 }), { kind: 'granted' }, 'it has that one: it asks anew');
  t.match(take(3, 'a de', { isBlind: true }), { kind: 'granted' }, 'of no use');
  table.release(1, leaseOf(take(1, 'b')), { ...stored, key: 'b', names: ['b'] }, 0, false);
  alive.delete(1);
  t.match(take(2, 'b'), { kind: 'granted' }, 'the dead have nothing');
});

t.test(
  'promise 3: what comes after it is asked for, and whoever has it gives it to the others meanwhile',
  async (t) => {
    const { table, take, leaseOf } = desk();
    const stored = { kind: 'stored', key: 'a', names: ['a'], askedAt: 7 } as const;
    table.release(1, leaseOf(take(1, 'a')), stored, 0, false);
    const refresh = leaseOf(take(1, 'a', { askedAt: 7 }));
    const at = { kind: 'told', notice: { kind: 'at', path: '/run/1' } };
    t.match(take(2, 'a'), at, 'while it is asked for');
    t.match(take(2, 'a', { askedAt: 7 }), { kind: 'waiting' }, 'who has it too waits for what comes');
    t.match(take(3, 'a', { isBlind: true }), { kind: 'waiting' }, 'so does whoever has no use for it');
    table.release(1, refresh, { kind: 'left' }, 0, false);
    t.match(take(3, 'a'), at, 'nothing came of it');
    const failing = leaseOf(take(1, 'a', { askedAt: 7 }));
    t.match(take(2, 'a', { isPatient: true }), { kind: 'waiting' }, 'it was not found there');
    table.release(1, failing, { kind: 'left' }, 0, false);
    t.match(take(3, 'a'), { kind: 'granted' }, 'and nobody looks there again');
  },
);

t.test('issue 5: a worker that has lost what it had asks for it as any other', async (t) => {
  const { table, take, leaseOf } = desk();
  table.release(1, leaseOf(take(1, 'a')), { kind: 'stored', key: 'a', names: ['a'], askedAt: 7 }, 0, false);
  t.match(take(1, 'a'), { kind: 'granted' });
  t.match(take(2, 'a'), { kind: 'waiting' });
});

t.test('issue 5: a refresh is told to all, first the record, then those who wait', async (t) => {
  const { table, take, leaseOf, said } = desk();
  const lease = leaseOf(take(1, 'a'));
  take(2, 'a');
  const at = said.length;
  const record = Buffer.from('record');
  table.release(1, lease, { kind: 'freshened', key: 'a', names: ['a'], askedAt: 9, record }, 4, false);
  t.match(said.slice(at), [
    { kind: 'renewed', key: 'a', askedAt: 9, record, sequence: 4, to: 2 },
    { kind: 'renewed', to: 3 },
    { kind: 'told', notice: { kind: 'look' }, to: 2 },
  ]);
});

t.test('issue 5: a worker that dies gives back all at once, and waits for nothing', async (t) => {
  const { alive, table, take, said } = desk();
  take(1, 'a');
  take(1, 'b');
  take(2, 'c');
  take(2, 'a');
  take(1, 'c');
  const at = said.length;
  alive.delete(1);
  table.gone(1);
  t.match(said.slice(at), [
    { kind: 'departed', worker: 1, to: 2 },
    { kind: 'departed', worker: 1, to: 3 },
    { kind: 'told', notice: { kind: 'look' }, to: 2 },
    { kind: 'orphaned', to: 2 },
  ]);
  t.equal(said.length, at + 4);
  t.equal(table.count, 1);
  t.equal(table.waitingCount, 0);
  t.match(take(2, 'a'), { kind: 'granted' });
  t.match(take(3, 'a'), { kind: 'waiting' }, 'one new leader');
});

t.test('issue 5: who leaves the line hears nothing, and a failure with a clock is everybody’s', async (t) => {
  const { table, take, leaseOf, said, lastId } = desk();
  const lease = leaseOf(take(1, 'a'));
  take(2, 'a');
  table.quit(2, lastId());
  const failure = { failure: 'error-status', status: 503, retryAfterMs: 500 } as const;
  const at = said.length;
  table.release(1, lease, { kind: 'failed', key: 'a', failure }, 0, false);
  t.match(said.slice(at), [
    { kind: 'failing', key: 'a', failure, to: 2 },
    { kind: 'failing', to: 3 },
  ]);
  t.equal(said.length, at + 2);
  t.match(take(1, 'x'), { kind: 'granted' });
  t.match(take(1, 'x'), { kind: 'told', notice: { kind: 'alone' } }, 'nobody waits for itself');
});

t.test('issue 5: what a worker that died may have held among machines is given back by another, once', async (t) => {
  const { alive, table, take, leaseOf, said } = desk();
  const orphans = (to: number): unknown[] =>
    said.flatMap((message) => (message.kind === 'orphaned' && message.to === to ? message.orphans : []));
  const dies = (worker: number): void => {
    alive.delete(worker);
    table.gone(worker);
  };
  const [running, written, writing] = ['a ["x"]', 'b', 'c'].map((name) => leaseOf(take(1, name, { keyLength: 1 })));
  table.release(1, written ?? -1, { kind: 'left' }, 0, true);
  table.release(1, writing ?? -1, { kind: 'left' }, 0, true);
  table.settled(2, [writing ?? -1]);
  table.settled(1, [written ?? -1]);
  table.release(1, leaseOf(take(1, 'd')), { kind: 'left' }, 0, false);
  dies(1);
  const inherited = [
    { lease: writing, member: 1, name: 'c', keyLength: 1 },
    { lease: running, member: 1, name: 'a ["x"]', keyLength: 1 },
  ];
  t.strictSame(orphans(2), inherited, 'what it was at, and what it had not given back there; nothing else');
  t.strictSame(orphans(3), [], 'one of the others is enough');
  table.settled(2, [writing ?? -1]);
  dies(2);
  t.strictSame(orphans(3), [inherited[1]], 'where that one dies as well, the next does what is left of it');
  table.settled(3, [running ?? -1]);
  const last = leaseOf(take(3, 'e'));
  dies(3);
  t.equal(said.at(-1)?.kind, 'granted', 'nobody is there to be told');
  alive.add(4);
  table.bequeath();
  t.strictSame(orphans(4), [{ lease: last, member: 3, name: 'e', keyLength: 1 }], 'the next that serves is');
  table.bequeath();
  t.equal(orphans(4).length, 1);
});
