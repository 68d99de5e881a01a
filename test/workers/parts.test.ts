// Goal: the parts of the primary process by themselves. Method: fakes for processes, a fake clock, bytes cut at every place.
import { PassThrough } from 'node:stream';
import t from 'tap';
import { ConfigError } from '../../lib/base/errors.js';
import { workerWarnings } from '../../lib/config/lint.js';
import { readConfig } from '../../lib/config/load.js';
import { withOrigin } from '../../lib/config/schema.js';
import { SILENT } from '../../lib/observe/events.js';
import type { FamilyReading } from '../../lib/observe/families.js';
import type { Part } from '../../lib/proxy.js';
import { Channel, NoAnswerError } from '../../lib/workers/channel.js';
import type { ChildListener } from '../../lib/workers/fork.js';
import { readToPrimary, readToWorker, type ToPrimary } from '../../lib/workers/messages.js';
import { LastReadings, mergeReadings } from '../../lib/workers/metrics.js';
import { passLines } from '../../lib/workers/output.js';
import { FRAME, FrameReader, frame, headPayload, readAsk, readHeadPayload } from '../../lib/workers/relay-frames.js';
import { Sequence } from '../../lib/workers/sequence.js';
import { memoryShare, shareOf } from '../../lib/workers/share.js';
import { StartStoppedError, Supervisor } from '../../lib/workers/supervisor.js';
import { WorkerTasks } from '../../lib/workers/worker-tasks.js';
import { createBarrier, turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';

t.test('issue 5: a push that breaks at its end is over all the same', async (t) => {
  const sequence = new Sequence(0);
  const pushing = {
    end() {
      throw new Error('the end broke');
    },
  };
  const part = { engine: { operations: { update: () => pushing } } } as unknown as Part;
  const tasks = new WorkerTasks({ part, clock: new FakeClock(), sequence, tell() {} });
  const head = { status: 200, reasonPhrase: 'OK', fields: [], selecting: [], bodyBytes: undefined };
  t.equal(await tasks.answer('push', { push: 1, url: 'http://a.example/a', head }), null);
  await t.rejects(tasks.answer('pushEnd', { push: 1, sequence: 7, isQuiet: false }), /the end broke/);
  t.same([sequence.begun, sequence.ended], [7, 7]);
});

t.test('issue 5: a push is over with the last step of what it takes the place of', async (t) => {
  const sequence = new Sequence(0);
  const walk = createBarrier();
  const purging = { walked: () => walk.passed };
  const pushing = { end: () => ({ fills: 0, bytes: 1, ttlMs: 1 }) };
  const part = { engine: { operations: { update: () => pushing }, purging } } as unknown as Part;
  const tasks = new WorkerTasks({ part, clock: new FakeClock(), sequence, tell() {} });
  const head = { status: 200, reasonPhrase: 'OK', fields: [], selecting: [], bodyBytes: undefined };
  await tasks.answer('push', { push: 1, url: 'http://a.example/a', head });
  t.match(await tasks.answer('pushEnd', { push: 1, sequence: 7, isQuiet: false }), { bytes: 1 });
  t.same([sequence.begun, sequence.ended], [7, 6]);
  walk.open();
  await turns();
  t.equal(sequence.ended, 7);
});

t.test('issue 5: what is no message does not get in', async (t) => {
  t.ok(readToPrimary({ kind: 'beat', connections: 3 }));
  t.ok(readToWorker({ kind: 'granted', id: 1, lease: 2 }));
  for (const value of [
    undefined,
    null,
    'beat',
    { kind: 'beat' },
    { kind: 'beat', connections: '3' },
    { kind: 'beat', connections: Number.NaN },
    { kind: 'granted', id: 1, lease: 2 },
    { kind: 'toString' },
    { kind: 'release', lease: 1, outcome: [], sequence: 0 },
  ]) {
    t.equal(readToPrimary(value), undefined, JSON.stringify(value));
  }
  t.equal(readToWorker({ kind: 'beat', connections: 3 }), undefined, 'nor what is for the other end');
});

function line(clock = new FakeClock()) {
  const sent: object[] = [];
  const done: (() => void)[] = [];
  let congestions = 0;
  const channel = new Channel<ToPrimary>({
    clock,
    send: (message, over) => {
      sent.push(message);
      done.push(() => over());
    },
    congested: () => congestions++,
    answering: async (name) => {
      if (name === 'commit') return null;
      throw new Error('no question');
    },
  });
  return { clock, channel, sent, done, congestions: () => congestions };
}

t.test('issue 5: a question has an answer, a time, and an end with the line', async (t) => {
  const { clock, channel, sent } = line();
  const first = channel.ask('commit', {}, 1000);
  channel.heard({ kind: 'answer', id: 1, value: null } as { kind: string });
  t.equal(await first, null);
  const refused = t.rejects(channel.ask('prepare', {} as never, 1000), new ConfigError(['a: b']));
  channel.heard({ kind: 'failed', id: 2, problems: ['a: b'] } as { kind: string });
  await refused;
  const late = t.rejects(channel.ask('commit', {}, 1000), NoAnswerError);
  clock.advance(1000);
  await late;
  const cut = t.rejects(channel.ask('commit', {}, 1000), NoAnswerError);
  channel.gone();
  await cut;
  await t.rejects(channel.ask('commit', {}, 1000), NoAnswerError);
  t.equal(sent.length, 4, 'nothing is sent on a line that is gone');
});

t.test('issue 5: questions of the other end are answered, or told why not', async (t) => {
  const { channel, sent } = line();
  channel.heard({ kind: 'question', id: 5, name: 'commit', asked: {} } as { kind: string });
  channel.heard({ kind: 'question', id: 6, name: 'nonsense', asked: {} } as { kind: string });
  await turns();
  t.match(sent, [
    { kind: 'answer', id: 5, value: null },
    { kind: 'failed', id: 6, problems: ['Error: no question'] },
  ]);
});

t.test('issue 5: who does not take what it is told is told no more', async (t) => {
  const { channel, done, congestions } = line();
  let taken = 0;
  while (channel.tell({ kind: 'beat', connections: 0 })) taken++;
  t.equal(taken, 10_000);
  t.equal(congestions(), 1);
  done[0]?.();
  t.ok(channel.tell({ kind: 'beat', connections: 0 }));
});

t.test('issue 5: frames are read however they are cut, and the end is said outright', async (t) => {
  const record = Buffer.from('a record');
  const bytes = Buffer.concat([
    frame(FRAME.head, headPayload(record, undefined)),
    frame(FRAME.data, Buffer.from('hello ')),
    frame(FRAME.data, Buffer.from('world')),
    frame(FRAME.end, Buffer.alloc(0)),
  ]);
  for (let size = 1; size <= bytes.length; size++) {
    const told: string[] = [];
    let body = '';
    const reader = new FrameReader(1000, {
      data: (piece) => {
        body += piece.toString();
      },
      whole: (kind, payload) => {
        told.push(String.fromCharCode(kind));
        if (kind === FRAME.head) t.same(readHeadPayload(payload), { record, totalBytes: undefined });
      },
      broken: () => told.push('broken'),
    });
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
    t.same([...told, body], ['H', 'E', 'hello world']);
  }
  const broken: string[] = [];
  const reader = new FrameReader(10, { data() {}, whole() {}, broken: () => broken.push('broken') });
  reader.push(frame(FRAME.head, Buffer.alloc(11)));
  reader.push(Buffer.from('more'));
  t.same(broken, ['broken'], 'too large, told once');
});

t.test('issue 5: frames that are held come later, none is lost', async (t) => {
  const told: string[] = [];
  const reader = new FrameReader(1000, {
    data: (piece) => told.push(piece.toString()),
    whole: (kind) => {
      told.push(String.fromCharCode(kind));
      if (kind === FRAME.head) reader.hold();
    },
    broken: () => told.push('broken'),
  });
  reader.push(Buffer.concat([frame(FRAME.head, Buffer.alloc(8)), frame(FRAME.data, Buffer.from('a'))]));
  reader.push(frame(FRAME.data, Buffer.from('b')));
  t.same(told, ['H']);
  reader.goOn();
  t.same(told, ['H', 'a', 'b']);
});

t.test('issue 5: a question to another worker is sound, or is none', async (t) => {
  const ask = { key: 'k', selection: { names: [], values: [] }, askedAt: 1, sequence: 0 };
  t.same(readAsk(Buffer.from(JSON.stringify(ask))), ask);
  for (const bad of ['', 'null', '[]', '{"key":1}', '{"key":"k","askedAt":1,"sequence":0,"selection":null}']) {
    t.equal(readAsk(Buffer.from(bad)), undefined, bad);
  }
});

t.test('issue 5: an operation that still runs is not over, nor are those after it', async (t) => {
  const sequence = new Sequence(4);
  t.same([sequence.begun, sequence.ended], [4, 4]);
  sequence.begin(5);
  sequence.begin(6);
  sequence.end(6);
  t.same([sequence.begun, sequence.ended], [6, 4]);
  sequence.end(5);
  t.equal(sequence.ended, 6);
  for (let number = 7; number < 300_000; number++) sequence.begin(number);
  t.equal(sequence.ended, 6, 'however many run');
});

function counted(value: number, gauge: number): FamilyReading[] {
  return [
    { name: 'c', help: '', type: 'counter', samples: [{ labels: { a: '1' }, value }] },
    { name: 'g', help: '', type: 'gauge', samples: [{ labels: {}, value: gauge }] },
    { name: 'f', help: '', type: 'gauge', together: 'first', samples: [{ labels: {}, value: gauge }] },
    {
      name: 'h',
      help: '',
      type: 'histogram',
      samples: [
        { labels: { le: '1' }, value, part: 'bucket' },
        { labels: {}, value, part: 'count' },
      ],
    },
  ];
}

function valueIn(readings: readonly FamilyReading[], name: string, at = 0): number | undefined {
  return readings.find((reading) => reading.name === name)?.samples[at]?.value;
}

t.test('issue 5: metrics of workers add up, and no counter falls when a worker dies', async (t) => {
  const merged = mergeReadings([counted(1, 10), counted(2, 20)]);
  t.same([valueIn(merged, 'c'), valueIn(merged, 'g'), valueIn(merged, 'f')], [3, 30, 10]);
  t.same([valueIn(merged, 'h'), valueIn(merged, 'h', 1)], [3, 3], 'each series by itself');
  const last = new LastReadings();
  last.note(1, counted(5, 1));
  last.note(2, counted(7, 1));
  t.equal(valueIn(last.all([]), 'c'), 12);
  last.retire(1);
  t.equal(valueIn(last.all([]), 'c'), 12);
  t.equal(valueIn(last.all([]), 'g'), 1, 'its gauges end with it');
  last.note(3, counted(1, 1));
  last.retire(2);
  last.retire(3);
  t.equal(valueIn(last.all([]), 'c'), 13);
  t.equal(valueIn(last.all([]), 'h'), 13);
  last.note(4, undefined);
  t.equal(valueIn(last.all(counted(2, 0)), 'c'), 15, 'those of the primary process too');
});

t.test('issue 5: lines pass whole, and no faster than they are taken', async (t) => {
  const from = new PassThrough();
  const passed: string[] = [];
  let flushed = (): void => {};
  passLines(from, {
    pass: (lines) => passed.push(Buffer.from(lines).toString()) !== 2,
    flush: () =>
      new Promise((resolve) => {
        flushed = resolve;
      }),
  });
  from.write('a line\nhalf of ');
  from.write('another\n');
  await turns();
  t.same(passed, ['a line\n', 'half of another\n']);
  from.write('third\n');
  await turns();
  t.equal(passed.length, 2, 'there is no room');
  flushed();
  await turns();
  from.end('last words');
  await turns();
  t.equal(passed.join(''), 'a line\nhalf of another\nthird\nlast words\n');
});

t.test('issue 5: each worker has its share of memory and connections, and the first one warms', async (t) => {
  const config = withOrigin(
    readConfig({
      cache: { memory: '64MB' },
      workers: 3,
      origin: { url: 'http://127.0.0.1:1', connections: 10 },
      warm: { sitemaps: ['http://a/sitemap.xml'] },
    }),
    new URL('http://127.0.0.1:1'),
  );
  const address = { host: '127.0.0.1', port: 8080 };
  const share = shareOf(config, { count: 3, isFirst: false }, address);
  t.equal(share.cache.memoryBytes, Math.floor((64 * 1024 * 1024) / 3));
  t.equal(share.origin.connections, 4);
  t.equal(share.limits.connections, Math.ceil(config.limits.connections / 3));
  t.equal(share.admin.listen, undefined);
  t.same(share.listen, address);
  t.equal(share.warm.sitemaps.length, 0);
  t.equal(shareOf(config, { count: 3, isFirst: true }, address).warm.sitemaps.length, 1);
  for (const [bytes, count] of [
    [1024 * 1024, 256],
    [5_000_001, 7],
  ] as const) {
    t.ok(memoryShare(bytes, count) * count <= bytes, 'all shares together are no more than there is');
    t.ok(memoryShare(bytes, count) * count > bytes - count);
  }
});

/** A crew of fake processes, each with its listener. */
function fakeCrew(count: number) {
  const clock = new FakeClock();
  const children: { listener: ChildListener; sent: { name?: string; id: number }[]; isKilled: boolean }[] = [];
  const notices: string[] = [];
  const failures: Error[] = [];
  const serving: number[] = [];
  const supervisor = new Supervisor({
    clock,
    events: { ...SILENT, notice: (_, code) => notices.push(code) },
    count,
    fork: (listener) => {
      const child = { listener, sent: [] as { id: number }[], isKilled: false };
      const id = children.push(child);
      return {
        id,
        pid: id,
        output: undefined,
        send: (message, done) => {
          child.sent.push(message as { id: number });
          done();
        },
        give() {},
        kill: () => {
          child.isKilled = true;
        },
      };
    },
    beginning: () => ({}) as never,
    answering: () => async () => null,
    heard() {},
    joined: async () => {},
    serves: () => serving.push(supervisor.serving.length),
    gone() {},
    failed: (error) => failures.push(error),
  });
  const begin = async (at: number): Promise<void> => {
    children[at]?.listener.message({ kind: 'hello' });
    await turns();
    const { id = 0 } = children[at]?.sent.at(-1) ?? {};
    children[at]?.listener.message({ kind: 'answer', id, value: { problems: [] } });
    await turns();
  };
  const die = (at: number, signal: string | null = null): void =>
    children[at]?.listener.gone({ exitCode: signal === null ? 1 : null, signal });
  return { clock, children, notices, failures, serving, supervisor, begin, die };
}

t.test('issue 5: workers begin once they listen, and the start is over when all serve', async (t) => {
  const { supervisor, children, serving, begin } = fakeCrew(2);
  let isOver = false;
  void supervisor.start().then(() => {
    isOver = true;
  });
  t.equal(children[0]?.sent.length, 0, 'nothing is said to one that does not listen yet');
  await begin(0);
  t.equal(isOver, false);
  t.equal(supervisor.serving.length, 1);
  await begin(1);
  t.equal(isOver, true);
  t.same(serving, [1, 2], 'it is told of one that serves once it does: what waits for one goes there');
});

t.test('issue 5: a dead worker is replaced after a pause that doubles while they die young', async (t) => {
  const { clock, supervisor, children, begin, die, failures } = fakeCrew(2);
  void supervisor.start();
  await begin(0);
  await begin(1);
  clock.advance(5000);
  let at = 1;
  for (const pauseMs of [100, 100, 200, 400]) {
    die(at);
    clock.advance(pauseMs - 1);
    t.equal(children.length, at === 1 ? 2 : at + 1, `not before ${pauseMs} ms`);
    clock.advance(1);
    at = children.length - 1;
    await begin(at);
  }
  clock.advance(5000);
  die(at);
  clock.advance(100);
  t.equal(children.length, at + 2, 'after one that was sound, soon again');
  t.same(failures, []);
});

t.test('issue 5: while one serves, another may die for ever; where all do, the whole gives up', async (t) => {
  const { clock, supervisor, children, begin, die, failures } = fakeCrew(2);
  void supervisor.start().catch(() => {});
  await begin(0);
  await begin(1);
  die(1);
  for (let n = 0; n < 12; n++) {
    clock.advance(10_000);
    children[0]?.listener.message({ kind: 'beat', connections: 0 });
    die(children.length - 1);
  }
  t.same(failures, []);
  die(0);
  for (let n = 0; n < 20 && failures.length === 0; n++) {
    clock.advance(10_000);
    die(children.length - 1);
    die(children.length - 2);
  }
  t.match(failures[0]?.message, /no worker stays alive/);
});

t.test(
  'a signal to all processes that ends a worker before it listens is no death where it ends the whole',
  async (t) => {
    const { clock, supervisor, children, begin, die, notices } = fakeCrew(2);
    const starting = t.rejects(supervisor.start(), StartStoppedError);
    await begin(0);
    die(1, 'SIGTERM');
    t.same(notices, [], 'this process has not heard of it yet');
    supervisor.stop();
    await starting;
    clock.advance(10_000);
    t.same(notices, []);
    t.equal(children.length, 2, 'and nothing takes its place');
  },
);

t.test('a worker that a signal has ended alone is told of and replaced', async (t) => {
  for (const [hasBegun, toldAt] of [
    [false, 100],
    [true, 0],
  ] as const) {
    const { clock, supervisor, children, begin, die, notices } = fakeCrew(2);
    void supervisor.start();
    if (hasBegun) await begin(1);
    die(1, 'SIGTERM');
    clock.advance(toldAt);
    t.same(notices, ['worker-died']);
    clock.advance(100);
    t.same(notices, ['worker-died'], 'once');
    t.equal(children.length, 3);
  }
});

t.test('issue 5: one that gives no sign of life is killed, one that cannot begin too', async (t) => {
  const { clock, supervisor, children, begin, notices } = fakeCrew(2);
  void supervisor.start();
  await begin(0);
  for (let n = 0; n < 10; n++) clock.advance(1000);
  t.equal(children[0]?.isKilled, false);
  clock.advance(1000);
  t.equal(children[0]?.isKilled, true);
  t.ok(notices.includes('worker-hung'));
  clock.advance(20_000);
  t.equal(children[1]?.isKilled, true, 'it never said that it listens');
  t.ok(notices.includes('worker-not-started'));
});

t.test('issue 5: more workers than processors, and too little memory for each, are warned of', async (t) => {
  const codes = (conf: object, cores: number) => workerWarnings(readConfig(conf), cores).map(({ code }) => code);
  t.same(codes({ workers: 4 }, 2), ['more-workers-than-cores']);
  t.same(codes({ workers: 4, cache: { memory: '32MB' } }, 4), ['small-workers']);
  t.same(codes({ workers: 4 }, 4), []);
  t.same(codes({ cache: { memory: '2MB' } }, 1), [], 'one worker has all of it');
});
