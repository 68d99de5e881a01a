// Goal: issue 5, a write that never ends turns the tier read-only and holds up nothing else. Method: a port whose jobs end when the test says so, a fake clock.
import t, { type Test } from 'tap';
import type { Clock, Timer } from '../../lib/base/clock.js';
import { DISK_FLUSH_MS, DISK_RETRY_FIRST_MS, DISK_RETRY_MAX_MS, MAX_DISK_JOB_MS } from '../../lib/base/disk-limits.js';
import { SECOND_MS } from '../../lib/base/units.js';
import { SILENT } from '../../lib/observe/events.js';
import { DiskTier } from '../../lib/store/disk.js';
import type { DiskJob, DiskPort, DiskReport } from '../../lib/store/disk-contract.js';
import { openDiskFile } from '../../lib/store/disk-file.js';
import { patientPort } from '../../lib/store/disk-patience.js';
import { DiskWriting } from '../../lib/store/disk-writing.js';
import { FakeClock } from '../kit/clock.js';
import { makeDirectory } from '../kit/disk.js';
import { makeStored } from './make-stored.js';

const SIZE_BYTES = 64 * 1024 * 1024;
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};

const open = (t: Test) => {
  const clock = new FakeClock();
  const file = openDiskFile(makeDirectory(t), SIZE_BYTES);
  t.teardown(() => file.close());
  const writing = new DiskWriting(file, SIZE_BYTES);
  /** Jobs that the writer has, each with what ends it. */
  const held: (() => void)[] = [];
  const state = { isHeld: false, cannotSend: false, sent: 0 };
  const carryOut = async (job: DiskJob): Promise<DiskReport> => {
    state.sent++;
    if (state.isHeld) await new Promise<void>((resolve) => held.push(resolve));
    return writing.do(job);
  };
  const port: DiskPort = {
    send(job) {
      if (state.cannotSend) throw new Error('no thread can be started');
      return carryOut(job);
    },
    close: () => Promise.resolve(),
  };
  const notices: string[] = [];
  const events = { ...SILENT, notice: (_: string, code: string) => void notices.push(code) };
  const about = { file, port: patientPort(port, clock), sizeBytes: SIZE_BYTES };
  const tier = new DiskTier({ ...about, clock, events, onDamaged: () => t.fail('it is not damaged') });
  return { clock, tier, state, held, notices };
};

t.test('a job that does not end turns the tier read-only, in so many words, until it has ended', async (t) => {
  const { clock, tier, state, held, notices } = open(t);
  const [kept, late, gone] = ['kept', 'late', 'gone'].map((name) =>
    makeStored({ key: `http://a.test/${name}`, bornAt: 0 }),
  );
  if (kept === undefined || late === undefined || gone === undefined) throw new Error('there are three');
  tier.put(kept);
  tier.put(gone);
  t.ok(await tier.settled());
  state.isHeld = true;
  tier.put(late);
  const isSettled = tier.settled();
  await turns();
  clock.advance(MAX_DISK_JOB_MS - 1);
  await turns();
  t.equal(tier.stats.state, 'writable');
  clock.advance(1);
  await isSettled;
  t.equal(tier.stats.state, 'read-only');
  t.same(notices, ['disk-read-only']);
  t.equal(tier.find(kept.key).length, 1, 'what is there is served');
  tier.remove(gone, 'purged');
  t.equal(tier.find(gone.key).length, 0, 'and what is purged is not');
  t.equal(await tier.settled(), false, 'whoever waits for that to be on disk is told that it is not');
  const { sent } = state;
  for (let times = 0; times < 10; times++) {
    clock.advance(DISK_RETRY_MAX_MS);
    await turns();
  }
  t.equal(state.sent, sent, 'the writer is sent nothing more');
  t.equal(tier.stats.state, 'read-only');
  state.isHeld = false;
  for (const end of held.splice(0)) end();
  await turns();
  clock.advance(DISK_RETRY_MAX_MS);
  await turns();
  t.equal(tier.stats.state, 'writable', 'it is tried again');
  t.ok(await tier.settled());
  t.equal(tier.find(gone.key).length, 0);
  tier.put(makeStored({ key: 'http://a.test/next', bornAt: 0 }));
  t.ok(await tier.settled());
  t.equal(tier.find('http://a.test/next').length, 1);
});

for (const [what, isBefore] of [
  ['purged', false],
  ['replaced by what is newer', false],
  ['purged before that', true],
] as const) {
  t.test(`what a job brings to disk after its time, and what was ${what}, is not there in the end`, async (t) => {
    const { clock, tier, state, held } = open(t);
    const late = makeStored({ key: 'http://a.test/late', bornAt: 0 });
    const newer = makeStored({ key: late.key, bornAt: 1 });
    const takeItsPlace = () => (what.startsWith('purged') ? tier.remove(late, 'purged') : tier.put(newer));
    state.isHeld = true;
    tier.put(late);
    clock.advance(DISK_FLUSH_MS);
    await turns();
    if (isBefore) takeItsPlace();
    clock.advance(MAX_DISK_JOB_MS);
    await turns();
    t.equal(tier.stats.state, 'read-only');
    if (!isBefore) takeItsPlace();
    t.equal(await tier.settled(), false, 'whoever waits for that to be on disk is told that it is not');
    state.isHeld = false;
    for (const end of held.splice(0)) end();
    await turns();
    t.equal(tier.find(late.key).length, 0, 'nor when it has just come');
    clock.advance(DISK_RETRY_FIRST_MS);
    await turns();
    t.equal(tier.stats.state, 'writable');
    t.ok(await tier.settled());
    t.equal(tier.find(late.key).length, 0);
    t.equal(tier.stats.records, 0);
    tier.put(newer);
    t.ok(await tier.settled());
    t.equal(tier.find(late.key).length, 1, 'what is put then stays');
  });
}

t.test('what waited behind a job that is given up leaves nothing older in its place', async (t) => {
  const { clock, tier, state, held } = open(t);
  state.isHeld = true;
  tier.put(makeStored({ key: 'http://a.test/late', bornAt: 0 }));
  clock.advance(DISK_FLUSH_MS);
  await turns();
  tier.put(makeStored({ key: 'http://a.test/late', bodyBytes: 2_000, bornAt: 1 }));
  clock.advance(MAX_DISK_JOB_MS);
  await turns();
  state.isHeld = false;
  for (const end of held.splice(0)) end();
  await turns();
  clock.advance(DISK_RETRY_FIRST_MS);
  await turns();
  t.ok(await tier.settled());
  t.equal(tier.find('http://a.test/late').length, 0);
});

t.test('what was purged stays away where what came behind it, with its body below, is not written', async (t) => {
  const { clock, tier, state } = open(t);
  const key = 'http://a.test/large';
  tier.put(makeStored({ key, bodyBytes: 400_000, bornAt: 0 }));
  t.ok(await tier.settled());
  const [there] = tier.find(key);
  if (there === undefined) throw new Error('it is there');
  tier.remove(there, 'purged');
  tier.put(there);
  state.cannotSend = true;
  await tier.settled();
  t.equal(tier.stats.state, 'read-only');
  t.equal(tier.find(key).length, 0);
  state.cannotSend = false;
  clock.advance(DISK_RETRY_FIRST_MS);
  await turns();
  t.equal(tier.stats.state, 'writable');
  t.ok(await tier.settled());
  t.equal(tier.find(key).length, 0);
});

t.test('what is under way is read by the writer: its orders stay as they are, whatever is put meanwhile', async (t) => {
  const { clock, tier, state, held } = open(t);
  state.isHeld = true;
  const stored = makeStored({ key: 'http://a.test/under-way', bodyBytes: 2_000, bornAt: 0 });
  tier.put(stored);
  clock.advance(DISK_FLUSH_MS);
  await turns();
  clock.advance(MAX_DISK_JOB_MS);
  await turns();
  // In place of the orders that were given up, if anything were.
  tier.remove(makeStored({ key: 'http://a.test/another', bornAt: 0 }), 'purged');
  state.isHeld = false;
  for (const end of held.splice(0)) end();
  await turns();
  clock.advance(DISK_RETRY_FIRST_MS);
  await turns();
  t.ok(await tier.settled());
  t.equal(tier.stats.state, 'writable');
  t.ok(Object.values(tier.stats.unreadable).every((count) => count === 0));
});

t.test('a job that could not even be sent is not waited for', async (t) => {
  const { clock, tier, state } = open(t);
  state.cannotSend = true;
  tier.put(makeStored({ key: 'http://a.test/1', bornAt: 0 }));
  await tier.settled();
  t.equal(tier.stats.state, 'read-only');
  state.cannotSend = false;
  clock.advance(DISK_RETRY_FIRST_MS);
  await turns();
  t.equal(tier.stats.state, 'writable');
  for (let passedMs = 0; passedMs < MAX_DISK_JOB_MS; passedMs += SECOND_MS) {
    clock.advance(SECOND_MS);
    await turns();
  }
  tier.put(makeStored({ key: 'http://a.test/2', bornAt: 0 }));
  t.ok(await tier.settled(), 'and the next are done, however late');
  t.equal(tier.find('http://a.test/2').length, 1);
});

t.test('time in which the whole process stands still is not held against the job that is under way', async (t) => {
  const clock = new FakeClock();
  const due: (() => void)[] = [];
  // Whose timers are late by any amount, as after such a time.
  const late: Clock = Object.setPrototypeOf({ after: (_: number, run: () => void) => onceMore(run) }, clock) as Clock;
  const onceMore = (run: () => void): Timer => {
    due.push(run);
    return { cancel: () => void due.splice(due.indexOf(run), 1) };
  };
  let end: (report: DiskReport) => void = () => t.fail('nothing was sent');
  const report: DiskReport = {
    ...{ records: 1, removed: {}, bodiless: [], outdated: [], refused: [] },
    ...{ isFull: false, hasMore: false },
  };
  const port = { send: () => new Promise<DiskReport>((resolve) => (end = resolve)), close: () => Promise.resolve() };
  const sent = patientPort(port, late).send({ batch: undefined, now: 0 });
  due.shift()?.();
  end(report);
  t.equal(await sent, report);
  t.same(due, [], 'and no timer is left');
});
