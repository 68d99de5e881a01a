// Goal: what machines tell each other of operations is never believed too little, and never grows without end. Method: the memory of operations and the log alone, before a table that a test plays.
import t from 'tap';
import {
  MAX_SHARED_LOG,
  MAX_SHARED_PENDING_OPS,
  SHARED_CLOCK_MARGIN_MS,
  SHARED_LOG_PAGE,
} from '../../lib/base/shared-limits.js';
import { SharedClock } from '../../lib/store/shared-clock.js';
import type { OpsPage, SharedTable } from '../../lib/store/shared-contract.js';
import { SharedGuard } from '../../lib/store/shared-guard.js';
import { SharedLog } from '../../lib/store/shared-log.js';
import { readNews, writeNews } from '../../lib/store/shared-news.js';
import { OpMemory, readOp, type SharedOp, writeOp } from '../../lib/store/shared-ops.js';
import { FakeClock } from '../kit/clock.js';
import { turns } from '../kit/lease-desk.js';

const selection = { names: [], values: [] };
const german = { names: ['accept-language', 'x'], values: ['de', undefined] };
const page = { key: 'http://a.example/a/1', selection, tags: ['one', 'two'] };

function op(effect: SharedOp['effect'], reach: SharedOp['reach'], at: number): SharedOp {
  return { effect, reach, at, by: 'x' };
}

t.test('issue 5: an operation is about what was asked for up to then, by key, prefix or tag', async (t) => {
  const reaches: readonly SharedOp['reach'][] = [
    { kind: 'keys', keys: ['http://a.example/b', page.key] },
    { kind: 'prefix', prefixes: ['http://b.example/', 'http://a.example/a/'] },
    { kind: 'tag', tag: 'two' },
  ];
  for (const reach of reaches) {
    const memory = new OpMemory();
    memory.add(op('expire', reach, 200));
    memory.add(op('purge', reach, 100));
    t.strictSame(memory.judge(page, 100), { effect: 'purge' });
    t.strictSame(memory.judge(page, 101), { effect: 'expire', at: 200 });
    t.equal(memory.judge(page, 201), undefined);
    t.equal(memory.judge({ selection, key: 'http://a.example/c' }, 50), undefined);
  }
});

t.test(
  'issue 5: what is pushed takes the place of all that was fetched from its URL, and of nothing that was pushed',
  async (t) => {
    const [plain, eu] = ['http://a.example/a', 'http://a.example/a x="eu"'];
    const memory = new OpMemory();
    memory.add(op('purge', { kind: 'keys', keys: [plain], but: 'pushed' }, 100));
    for (const key of [plain, eu]) {
      t.same(memory.judge({ selection, key }, 100), { effect: 'purge' });
      t.equal(memory.judge({ selection, key }, 101), undefined);
      t.equal(memory.judge({ selection, key, pushed: true }, 100), undefined);
    }
    t.equal(memory.judge({ selection, key: 'http://a.example/ab' }, 1), undefined);
    memory.add(op('purge', { kind: 'keys', keys: [plain] }, 200));
    t.same(memory.judge({ selection, key: eu, pushed: true }, 200), { effect: 'purge' }, 'a purge spares nothing');
  },
);

t.test(
  'issue 5: what was pushed for the very same is older than what is pushed now, and nothing else is',
  async (t) => {
    const memory = new OpMemory();
    const [key, eu] = ['http://a.example/a', 'http://a.example/a x="eu"'];
    memory.add(op('purge', { kind: 'keys', keys: [key], but: 'pushed', earlier: { key, selection: german } }, 100));
    t.same(memory.judge({ key, selection: german, pushed: true }, 100), { effect: 'purge' });
    t.same(memory.judge({ key, selection }, 100), { effect: 'purge' });
    t.equal(memory.judge({ key, selection: german, pushed: true }, 101), undefined);
    t.equal(memory.judge({ key, selection, pushed: true }, 100), undefined);
    t.equal(memory.judge({ key: eu, selection: german, pushed: true }, 100), undefined);
  },
);

t.test('issue 5: what was pushed at that moment, or since, is not older than itself, wherever it lies', async (t) => {
  const earlier = { key: page.key, selection };
  const reach = { kind: 'keys', keys: [page.key], but: 'pushed', earlier } as const;
  const { log, appended, clock, guard } = makeLog([{ entries: [] }]);
  guard.linked();
  await turns();
  const pushedAt = clock.now();
  log.append('purge', reach);
  await log.isWritten();
  const [text = ''] = appended;
  const told = readOp(text);
  const other = makeLog([{ entries: [['1-0', text.replace('"me"', '"x"')]] }]);
  await other.log.catchUp();
  t.equal(told?.since, pushedAt - SHARED_CLOCK_MARGIN_MS);
  t.equal(other.applied[0]?.since, told?.since);
  for (const { judge } of [log, other.log]) {
    t.equal(judge({ ...earlier, pushed: true }, pushedAt), undefined, 'what was pushed');
    t.same(judge(earlier, pushedAt), { effect: 'purge' }, 'what the origin had sent');
    t.same(
      judge({ ...earlier, pushed: true }, pushedAt - SHARED_CLOCK_MARGIN_MS),
      { effect: 'purge' },
      'what is older',
    );
  }
});

t.test('issue 5: of two pushes the first one is older, however soon the second one came', async (t) => {
  const { log, appended, clock, guard } = makeLog([{ entries: [] }]);
  guard.linked();
  await turns();
  const first = clock.now();
  clock.advance(2);
  const earlier = { key: page.key, selection, pushedAt: first };
  log.append('purge', { kind: 'keys', keys: [page.key], but: 'pushed', earlier });
  await log.isWritten();
  const [text = ''] = appended;
  const other = makeLog([{ entries: [['1-0', text.replace('"me"', '"x"')]] }]);
  await other.log.catchUp();
  for (const { judge } of [log, other.log]) {
    t.same(judge({ key: page.key, selection, pushed: true }, first), { effect: 'purge' });
    t.equal(judge({ key: page.key, selection, pushed: true }, first + 2), undefined, 'what was pushed');
  }
});

t.test(
  'issue 5: where the push before came by a clock that runs ahead, the later one is not older than itself',
  async (t) => {
    const { log, appended, clock, guard } = makeLog([{ entries: [] }]);
    guard.linked();
    await turns();
    const pushedAt = clock.now();
    const earlier = { key: page.key, selection, pushedAt: pushedAt + 1_000 };
    log.append('purge', { kind: 'keys', keys: [page.key], but: 'pushed', earlier });
    await log.isWritten();
    t.equal(readOp(appended[0] ?? '')?.since, pushedAt - SHARED_CLOCK_MARGIN_MS);
    t.equal(log.judge({ key: page.key, selection, pushed: true }, pushedAt), undefined, 'what was pushed');
  },
);

t.test('issue 5: of what has just been pushed on this machine no process drops its own', async (t) => {
  const earlier = { key: page.key, selection };
  const told = (by: string): readonly [string, string] => {
    const reach = { kind: 'keys', keys: [page.key], but: 'pushed', earlier } as const;
    return [`${by}-0`, writeOp({ ...op('purge', reach, 5), by })];
  };
  const { log, applied } = makeLog([{ entries: [told('sibling'), told('x')] }]);
  await log.catchUp();
  t.strictSame(
    applied.map(({ by, reach }) => [by, reach.kind === 'keys' && reach.earlier !== undefined]),
    [
      ['sibling', false],
      ['x', true],
    ],
  );
});

t.test('issue 5: of what had to be forgotten it is known that it was: it counts as stale', async (t) => {
  const memory = new OpMemory();
  for (let n = 0; n <= MAX_SHARED_LOG; n++) memory.add(op('purge', { kind: 'keys', keys: [`k${n}`] }, n));
  t.strictSame(memory.judge(page, 0), { effect: 'expire', at: 0 });
  t.equal(memory.judge(page, 1), undefined);
  for (let n = 0; n <= MAX_SHARED_LOG; n++) memory.add(op('purge', { kind: 'prefix', prefixes: [`p${n}`] }, 1_000 + n));
  t.strictSame(memory.judge(page, 1_000), { effect: 'expire', at: 1_000 });
});

t.test('issue 5: what is written can be read, and nothing else', async (t) => {
  const ops = [
    op('purge', { kind: 'keys', keys: ['a', 'b'] }, 1.5),
    op('expire', { kind: 'prefix', prefixes: ['a'] }, 2),
    op('purge', { kind: 'tag', tag: 'a b' }, 3),
    op('expire', { kind: 'all' }, 4),
    op('purge', { kind: 'keys', keys: ['a', 'b'], but: 'pushed' }, 5),
    op('purge', { kind: 'keys', keys: ['a'], but: 'pushed', earlier: { key: 'a', selection: german } }, 6),
    {
      ...op('purge', { kind: 'keys', keys: ['a'], but: 'pushed', earlier: { key: 'a', selection: german } }, 7),
      since: 6.5,
    },
  ];
  for (const one of ops) t.strictSame(readOp(writeOp(one)), one);
  const place = '"r":"fetched","w":["a"],"at":1,"by":"x","p":';
  for (const p of ['1', '["a",[],["x"]]', '["a",[1],["x"]]', '["a",["x"],[1]]', '[1,[],[]]'])
    t.same(readOp(`{"e":"purge",${place}${p}}`)?.reach, { kind: 'keys', keys: ['a'], but: 'pushed' }, p);
  for (const text of ['', 'null', '[]', '{}', '{"e":"purge","r":"keys","w":[1],"at":1,"by":"x"}'])
    t.equal(readOp(text), undefined);
  const news = {
    by: 'x',
    key: 'k',
    variant: 'all',
    what: 'kept',
    how: { a: 1 },
    record: Buffer.from('record'),
  } as const;
  t.strictSame(readNews(writeNews(news)), news);
  const large = writeNews({ ...news, record: Buffer.alloc(100_000) });
  t.equal(readNews(large)?.record, undefined, 'what is large is named alone');
  for (let end = 0; end < 20; end++) t.equal(readNews(writeNews(news).subarray(0, end)), undefined);
});

/** A log before a table of which only the log is played. */
function makeLog(pages: readonly Partial<OpsPage>[]) {
  const clock = new FakeClock();
  const applied: SharedOp[] = [];
  const appended: string[] = [];
  let lost = 0;
  let at = 0;
  const table = {
    readOps: async (): Promise<OpsPage> => ({
      serverNow: clock.now(),
      dataset: 'one',
      firstId: undefined,
      entries: [],
      ...pages[Math.min(at++, pages.length - 1)],
    }),
    appendOp: async (text: string): Promise<void> => void appended.push(text),
  } as unknown as SharedTable;
  const guard = new SharedGuard({
    clock,
    random: () => 0.5,
    timeoutMs: 20,
    probe: () => log.catchUp(),
    hung() {},
    isOfOne: () => false,
    changed() {},
    refusing() {},
  });
  const log: SharedLog = new SharedLog({
    table,
    guard,
    clock: new SharedClock(clock),
    instance: 'me',
    isHere: (name) => name === 'me' || name === 'sibling',
    apply: (ops) => applied.push(...ops),
    lost: () => lost++,
  });
  return { clock, guard, log, applied, appended, lostCount: () => lost };
}

const entry = (id: string, at: number, by = 'x') =>
  [id, writeOp({ ...op('purge', { kind: 'tag', tag: 'one' }, at), by })] as const;

t.test('issue 5: the log is read on from where it was left, without the own entries', async (t) => {
  const made = makeLog([
    { firstId: '5-0', entries: [entry('5-0', 5), entry('6-0', 6, 'me')] },
    { firstId: '5-0', entries: [entry('7-0', 7)] },
  ]);
  await made.log.catchUp();
  await made.log.catchUp();
  t.strictSame(
    made.applied.map(({ at }) => at),
    [5, 7],
  );
  t.equal(made.log.gaps, 0);
});

t.test(
  'issue 5: a log that begins behind where it was left is a gap: everything before it counts as stale',
  async (t) => {
    const made = makeLog([
      { firstId: '5-0', entries: [entry('5-0', 5)] },
      { firstId: '9-0', entries: [entry('9-0', 9)] },
    ]);
    await made.log.catchUp();
    await made.log.catchUp();
    t.equal(made.log.gaps, 1);
    t.strictSame(
      made.applied.map(({ reach, effect, at }) => [reach.kind, effect, at]),
      [
        ['tag', 'purge', 5],
        ['all', 'expire', 9],
        ['tag', 'purge', 9],
      ],
    );
  },
);

t.test('issue 5: a log that was empty and is full when it is read next has lost its beginning', async (t) => {
  const many = Array.from({ length: MAX_SHARED_LOG }, (_, n) => entry(`${n + 9}-0`, n + 9));
  const pages: Partial<OpsPage>[] = [{}];
  for (let at = 0; at < many.length; at += SHARED_LOG_PAGE) {
    pages.push({ firstId: '9-0', entries: many.slice(at, at + SHARED_LOG_PAGE) });
  }
  const made = makeLog([...pages, { firstId: '9-0' }]);
  await made.log.catchUp();
  await made.log.catchUp();
  t.equal(made.log.gaps, 1);
  t.ok(made.applied.some(({ reach, at }) => reach.kind === 'all' && at === 9));
  await made.log.catchUp();
  t.equal(made.log.gaps, 1, 'once');
});

t.test('issue 5: another data set is a gap, and what was written to the one before is written again', async (t) => {
  const made = makeLog([{}, { dataset: 'two' }]);
  made.guard.linked();
  await turns();
  made.log.append('purge', { kind: 'tag', tag: 'one' });
  await turns();
  t.equal(made.appended.length, 1);
  await made.log.catchUp();
  await made.log.flush();
  t.equal(made.appended.length, 2);
  t.equal(made.appended[0], made.appended[1]);
  t.equal(made.log.gaps, 1);
  t.equal(made.lostCount(), 1);
});

t.test('issue 5: operations wait while the tier is gone, a bounded number; beyond, all counts as stale', async (t) => {
  const made = makeLog([{}]);
  for (let n = 0; n < MAX_SHARED_PENDING_OPS; n++) made.log.append('purge', { kind: 'keys', keys: [`k${n}`] });
  t.equal(made.log.pendingCount, MAX_SHARED_PENDING_OPS);
  made.log.append('purge', { kind: 'keys', keys: ['one more'] });
  t.equal(made.log.pendingCount, 1);
  t.equal(made.log.overflows, 1);
  made.guard.linked();
  await turns();
  await made.log.flush();
  t.strictSame(
    made.appended.map((text) => readOp(text)?.reach),
    [{ kind: 'all' }],
  );
});

t.test('issue 5: instants are kept by the server’s clock, measured best by the quickest reply', async (t) => {
  const clock = new FakeClock(1_000_000);
  const shared = new SharedClock(clock);
  const sentAt = clock.now();
  clock.advance(10);
  shared.note(sentAt, sentAt + 5 + 3_000);
  t.equal(shared.offsetMs, 3_000);
  t.equal(shared.errorMs, 5);
  clock.advance(1_000);
  shared.note(clock.now() - 400, clock.now());
  t.equal(shared.offsetMs, 3_000, 'a slow reply tells less');
  t.equal(shared.toHere(shared.toServer(42)), 42);
});

t.test(
  'issue 5: where the clock of this machine is set forward, what is asked for and done since keeps its place',
  async (t) => {
    const { clock, log, guard, appended } = makeLog([{}]);
    guard.linked();
    await turns();
    const before = clock.now();
    log.append('purge', { kind: 'tag', tag: 'one' });
    clock.jump(3_600_000);
    clock.advance(10);
    log.append('purge', { kind: 'tag', tag: 'two' });
    await log.isWritten();
    const ats = appended.map((text) => (readOp(text)?.at ?? 0) - before);
    t.ok(
      ats.every((at) => at >= 0 && at < 100),
      `by the server's clock they were done ${ats.join(' and ')} ms later`,
    );
    t.strictSame(log.judge({ ...page, tags: ['two'] }, before + 5), { effect: 'purge' });
    t.equal(log.judge({ ...page, tags: ['two'] }, before + 200), undefined);
  },
);

t.test(
  'issue 5: what another process of this machine writes to the log holds here before it is read there',
  async (t) => {
    const { clock, log } = makeLog([{}]);
    log.remember('purge', { kind: 'tag', tag: 'one' });
    t.strictSame(log.judge(page, clock.now()), { effect: 'purge' });
    clock.advance(1);
    t.equal(log.judge(page, clock.now()), undefined, 'what is asked for since is not meant');
    t.equal(await log.isWritten(), true, 'and it is not for this one to write');
  },
);
