/** Goal: each line tells of its own request, whatever is in it and whatever was before it. Method: a scripted destination. */
import fc from 'fast-check';
import t from 'tap';
import { LOG_BATCH_BYTES } from '../../lib/base/limits.js';
import { type AnsweredEvent, OUTCOMES } from '../../lib/observe/events.js';
import { answered } from './events.kit.js';
import { makeLog } from './log.kit.js';

t.test('json: a request is one line with every field under its stable name', async (t) => {
  const { stream, log } = makeLog(t);
  log.answered(answered({ referer: 'http://a.example/' }));
  await log.flush();
  t.strictSame(
    stream.lines.map((line) => JSON.parse(line)),
    [
      {
        level: 'info',
        time: '2026-01-01T12:00:01.123Z',
        event: 'request',
        client: '192.0.2.7',
        method: 'GET',
        host: 'www.example.com',
        target: '/article/3',
        protocol: '1.1',
        status: 200,
        bytes: 1024,
        ms: 1.234,
        outcome: 'HIT',
        reason: 'fresh',
        rule: 'defaults',
        age: 12,
        collapsed: false,
        ending: 'finished',
        ua: 'test/1.0',
        referer: 'http://a.example/',
      },
    ],
  );
});

t.test('json: a field without a value is there and null', async (t) => {
  const { stream, log } = makeLog(t);
  log.answered(answered({ ageSec: undefined, userAgent: undefined }));
  await log.flush();
  t.match(JSON.parse(stream.lines[0] ?? ''), { age: null, ua: null, referer: null });
});

t.test('property: whatever a client sends is one line, round-trips, and carries no control character', async (t) => {
  const { stream, log } = makeLog(t);
  const anything = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom('"}\n{"level":"error"', '\x1b[2J', '\x9b2J', '\u2028', '\x7f'),
  );
  await fc.assert(
    fc.asyncProperty(anything, anything, anything, async (target, userAgent, method) => {
      stream.text = '';
      log.answered(answered({ target, userAgent, method }));
      await log.flush();
      const line = stream.lines[0] ?? '';
      const back = JSON.parse(line);
      return (
        stream.lines.length === 1 &&
        // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is the claim.
        !/[\x00-\x1f\x7f-\x9f\u2028\u2029]/.test(line) &&
        back.target === Buffer.from(target).toString() &&
        back.ua === Buffer.from(userAgent).toString() &&
        back.method === Buffer.from(method).toString()
      );
    }),
  );
  t.pass('holds');
});

t.test('a line of any length is whole, between others', async (t) => {
  const { stream, log } = makeLog(t);
  const targets = [10, 4 * LOG_BATCH_BYTES, 20, LOG_BATCH_BYTES, 30].map((length) => `/${'\u00e4'.repeat(length)}`);
  for (const target of targets) log.answered(answered({ target }));
  await log.flush();
  t.strictSame(
    stream.lines.map((line) => (JSON.parse(line) as { target: string }).target),
    targets,
  );
});

t.test('numbers and instants on a line are those of the request, as JSON writes them', async (t) => {
  const { stream, log } = makeLog(t);
  const event = fc.record({
    durationMs: fc.oneof(
      fc.double({ min: 0, max: 1e7, noNaN: true }),
      fc.constantFrom(0, 0.001, 0.01, 0.1, 1, 1.05, 1e12),
    ),
    bodyBytes: fc.oneof(fc.nat(), fc.maxSafeNat()),
    ageSec: fc.oneof(fc.nat(1000), fc.constantFrom(2 ** 31 - 1, 2 ** 31, 2 ** 32)),
    startedWall: fc.oneof(fc.integer({ min: 0, max: 4e12 }), fc.double({ min: 1.8e12, max: 1.80001e12, noNaN: true })),
  });
  const events = fc.sample(event, 1000);
  for (const one of events) log.answered(answered(one));
  await log.flush();
  for (const [i, line] of stream.lines.entries()) {
    const { durationMs, bodyBytes, ageSec, startedWall } = events[i] ?? answered({});
    const ms = Math.round(durationMs * 1000) / 1000;
    const wanted = `"bytes":${bodyBytes},"ms":${ms},"outcome":"HIT","reason":"fresh","rule":"defaults","age":${ageSec},`;
    t.ok(line.includes(wanted), `${wanted} in ${line}`);
    t.equal((JSON.parse(line) as { time: string }).time, new Date(Math.floor(startedWall)).toISOString());
  }
});

t.test('whatever the line before said, each line tells of its own request', async (t) => {
  const { stream, log } = makeLog(t);
  const few = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
  const event = fc.record({
    method: few('GET', 'HEAD'),
    host: few('a', 'b"'),
    target: few('/', '/\u00e4'),
    remoteAddress: few('1.1.1.1', '::1'),
    status: few(200, 304),
    outcome: few(...OUTCOMES),
    reason: few('fresh', 'uri-miss'),
    rule: few('', 'r'),
    ageSec: few(undefined, 0, 7),
    bodyBytes: few(0, 5),
    collapsed: fc.boolean(),
    ending: few('finished' as const, 'aborted' as const),
    userAgent: few(undefined, 'x', '\u00e4"'),
    referer: few(undefined, 'y'),
  });
  const events = fc.sample(event, 500).map((one) => answered(one));
  for (const one of events) log.answered(one);
  await log.flush();
  for (const [i, line] of stream.lines.entries()) {
    const { method, host, target, remoteAddress, status, outcome, reason, rule, ageSec, bodyBytes } =
      events[i] ?? answered({});
    const told = JSON.parse(line) as Record<string, unknown>;
    const wanted = {
      method,
      host,
      target,
      client: remoteAddress,
      status,
      outcome,
      reason,
      rule,
      age: ageSec ?? null,
      bytes: bodyBytes,
    };
    t.match(told, wanted);
    t.match(told, {
      collapsed: events[i]?.collapsed,
      ending: events[i]?.ending,
      ua: events[i]?.userAgent ?? null,
      referer: events[i]?.referer ?? null,
    });
  }
});

t.test('of requests alike, each line has its own time and duration; of any other, its own fields', async (t) => {
  const { stream, log } = makeLog(t);
  const other = {
    method: 'HEAD',
    host: 'www.example.org',
    target: '/article/4',
    remoteAddress: '192.0.2.8',
    httpVersion: '1.0',
    status: 304,
    outcome: 'STALE',
    reason: 'stale',
    rule: 'other',
    ageSec: undefined,
    bodyBytes: 10,
    collapsed: true,
    ending: 'aborted',
    userAgent: undefined,
    referer: 'y',
  } as const;
  const changes: Partial<AnsweredEvent>[] = Object.entries(other).flatMap(([name, value]) => [{}, { [name]: value }]);
  const durations = [1.234, 0.5, 0.501, 12, 0, 100_000.25, 0.013, 7];
  const events = Array.from({ length: 400 }, (_, i) =>
    answered({
      ...(i % 20 < 10 ? {} : changes[i % changes.length]),
      durationMs: durations[i % durations.length] ?? 0,
      startedWall: Date.UTC(2026, 0, 1, 23, 59, 59, 900) + i * 3,
    }),
  );
  for (const one of events) log.answered(one);
  await log.flush();
  const told = stream.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const wanted = events.map((one) => ({
    time: new Date(one.startedWall).toISOString(),
    client: one.remoteAddress,
    method: one.method,
    host: one.host,
    target: one.target,
    protocol: one.httpVersion,
    status: one.status,
    bytes: one.bodyBytes,
    ms: one.durationMs,
    outcome: one.outcome,
    reason: one.reason,
    rule: one.rule,
    age: one.ageSec ?? null,
    collapsed: one.collapsed,
    ending: one.ending,
    ua: one.userAgent ?? null,
    referer: one.referer ?? null,
  }));
  t.strictSame(
    told.map(({ level, event, ...rest }) => (level === 'info' && event === 'request' ? rest : undefined)),
    wanted,
  );
});

t.test(
  'of requests alike, each duration takes the place of each other one: as long, shorter, longer, round or not',
  async (t) => {
    const { stream, log } = makeLog(t);
    const durations = [0, 7, 8, 12, 0.5, 0.6, 1.5, 0.12, 0.13, 38.47, 10.1, 0.119, 0.001, 1.234, 100, 2_147_484, 3e6];
    // The first of those with one target is what the others are made after.
    const told = durations.flatMap((first) => [first, ...durations].map((ms) => ({ target: `/${first}`, ms })));
    for (const { target, ms } of told) log.answered(answered({ target, durationMs: ms }));
    await log.flush();
    const lines = stream.lines.map((line) => JSON.parse(line) as { target: string; ms: number });
    t.strictSame(
      lines.map(({ target, ms }) => ({ target, ms })),
      told,
    );
  },
);

t.test(
  'lines stand in the order in which things happened, though lines of requests are made several at a time',
  async (t) => {
    const { stream, log } = makeLog(t);
    log.answered(answered({ target: '/1' }));
    log.notice('info', 'between', 'between');
    log.answered(answered({ target: '/2' }));
    log.pass(Buffer.from('{"code":"of another process"}\n'));
    log.answered(answered({ target: '/3' }));
    log.reconfigure({ format: 'pretty' });
    log.answered(answered({ target: '/4' }));
    await log.flush();
    const marks = stream.lines.map((line) => /\/\d|between|of another process/.exec(line)?.[0]);
    t.strictSame(marks, ['/1', 'between', '/2', 'of another process', '/3', '/4']);
  },
);

t.test('requests that ended together have each the second in which they began', async (t) => {
  const { stream, log } = makeLog(t);
  const began = Array.from({ length: 200 }, (_, i) => Date.UTC(2026, 0, 1) - (i % 40) * 1000 - i);
  for (const startedWall of began) log.answered(answered({ startedWall, target: `/${startedWall % 7}` }));
  await log.flush();
  const times = stream.lines.map((line) => (JSON.parse(line) as { time: string }).time);
  t.strictSame(
    times,
    began.map((wall) => new Date(wall).toISOString()),
  );
});
