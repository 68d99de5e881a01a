/** Goal: of jobs that nobody waits for, those that matter most are kept, within bounds. Method: the jobs alone, without an origin. */
import t from 'tap';
import { RefreshBacklog } from '../../lib/engine/refresh-backlog.js';
import type { RefreshJob } from '../../lib/engine/refresh-contract.js';

function job(id: string, of: Partial<RefreshJob> = {}): RefreshJob {
  return {
    id,
    priority: 'stale',
    heat: 1,
    bytes: 10,
    notBefore: 0,
    begin: () => 'running',
    retryAt: () => 0,
    ...of,
  };
}

t.test('room is made by what is less urgent, or as urgent and less hot, and by nothing else', async (t) => {
  const backlog = new RefreshBacklog(2, 100);
  const warm = backlog.add(job('warm', { priority: 'warm', heat: 9 }), 0, undefined);
  backlog.add(job('cool', { heat: 2 }), 0, undefined);
  t.equal(backlog.hasRoomFor(job('other')), false);
  t.equal(backlog.victimFor(job('other', { heat: 1 }))?.job.id, 'warm');
  backlog.remove(warm);
  backlog.add(job('hot', { heat: 5 }), 0, undefined);
  t.equal(backlog.victimFor(job('other', { heat: 3 }))?.job.id, 'cool');
  t.equal(backlog.victimFor(job('other', { heat: 2 })), undefined, 'as hot is not hotter');
  t.equal(backlog.victimFor(job('other', { priority: 'ahead', heat: 9 })), undefined);
});

t.test('what is under way gives no room, and takes it until it is over', async (t) => {
  const backlog = new RefreshBacklog(1, 100);
  const entry = backlog.add(job('one', { priority: 'ahead' }), 0, undefined);
  backlog.begin(entry);
  t.equal(backlog.hasRoomFor(job('two')), false);
  t.equal(backlog.victimFor(job('two')), undefined);
  t.equal(backlog.waiting(0).depth.ahead, 0);
  backlog.remove(entry);
  t.equal(backlog.hasRoomFor(job('two')), true);
  t.equal(backlog.find('one'), undefined);
});

t.test('bytes are those of the job that counts', async (t) => {
  const backlog = new RefreshBacklog(9, 100);
  t.equal(backlog.mayHold(job('huge', { bytes: 101 })), false);
  const entry = backlog.add(job('one', { bytes: 60, priority: 'warm' }), 0, undefined);
  t.equal(backlog.hasRoomFor(job('two', { bytes: 41 })), false);
  entry.tries = 2;
  backlog.renew(entry, job('one', { bytes: 59, priority: 'stale', notBefore: 50 }), 10);
  t.equal(backlog.hasRoomFor(job('two', { bytes: 41 })), true);
  t.match(entry, { tries: 0, dueAt: 50 });
  t.strictSame(backlog.waiting(10), {
    depth: { stale: 1, cold: 0, warm: 0, ahead: 0 },
    oldestMs: { stale: 10, cold: 0, warm: 0, ahead: 0 },
  });
  backlog.remove(entry);
  t.equal(backlog.hasRoomFor(job('two', { bytes: 100 })), true);
});
