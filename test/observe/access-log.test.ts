/** Goal: one true line for each request, that no client can forge and no destination can hold up. Method: scripted destinations and real files. */
import { closeSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import {
  LOG_BATCH_BYTES,
  LOG_CLOSE_TIMEOUT_MS,
  LOG_FLUSH_MS,
  LOG_LAST_TRIES,
  LOG_RETRY_MS,
  MAX_LOG_PENDING_BYTES,
} from '../../lib/base/limits.js';
import { type AccessLogOptions, createAccessLog } from '../../lib/observe/access-log.js';
import { OUTCOMES } from '../../lib/observe/events.js';
import { FakeClock } from '../kit/clock.js';
import { answered, asked } from './events.kit.js';

/** A destination that a test lets go on, or fail, batch by batch. */
class ScriptedStream {
  text = '';
  writes = 0;
  /** What the next writes are answered with; when empty: success, at once. */
  readonly script: ('hang' | string)[] = [];
  #hanging: (() => void) | undefined;

  write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    this.writes++;
    const step = this.script.shift();
    const succeed = (): void => {
      this.text += Buffer.from(bytes).toString();
      done();
    };
    if (step === undefined) succeed();
    else if (step === 'hang') this.#hanging = succeed;
    else done(Object.assign(new Error(step), { code: step }));
  }

  release(): void {
    this.#hanging?.();
    this.#hanging = undefined;
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1);
  }
}

function make(t: Test, options: Partial<AccessLogOptions> = {}) {
  const stream = new ScriptedStream();
  const clock = new FakeClock();
  const log = createAccessLog({ format: 'json', destination: stream, clock, ...options });
  t.teardown(() => {
    const closed = log.close();
    clock.advance(LOG_CLOSE_TIMEOUT_MS);
    return closed;
  });
  return { stream, clock, log };
}

t.test('json: a request is one line with every field under its stable name', async (t) => {
  const { stream, log } = make(t);
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
  const { stream, log } = make(t);
  log.answered(answered({ ageSec: undefined, userAgent: undefined }));
  await log.flush();
  t.match(JSON.parse(stream.lines[0] ?? ''), { age: null, ua: null, referer: null });
});

t.test('property: whatever a client sends is one line, round-trips, and carries no control character', async (t) => {
  const { stream, log } = make(t);
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

t.test(
  'pretty: quotes, newlines, escapes and bidirectional overrides in a target cannot forge or hide anything',
  async (t) => {
    const { stream, log } = make(t, { format: 'pretty' });
    log.answered(answered({ target: '/a\r\n12:00:00.000  GET /forged\x1b[2J\u202e\x9b' }));
    log.notice('warn', 'x', 'line one\nline two', { path: 'a\nb' });
    await log.flush();
    t.equal(stream.lines.length, 2);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is the claim.
    t.notMatch(stream.text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  },
);

t.test('pretty: the line says in words what happened', async (t) => {
  const { stream, log } = make(t, { format: 'pretty' });
  log.answered(answered({ outcome: 'UPDATING', reason: 'stale-while-revalidate' }));
  await log.flush();
  t.match(
    stream.lines[0],
    /^\d\d:\d\d:\d\d\.124 {2}GET \/article\/3 +200 {2}STALE, refreshing in background +1\.2 ms {2}age 12 s$/,
  );
});

t.test('pretty: every outcome reads differently, and every reason is explained where it matters', async (t) => {
  const { stream, log } = make(t, { format: 'pretty' });
  for (const outcome of OUTCOMES) log.answered(answered({ outcome, reason: 'stale-origin-refused' }));
  await log.flush();
  const words = stream.lines.map((line) => line.slice(line.indexOf('200') + 5, -17).trim());
  t.equal(new Set(words).size, OUTCOMES.length, words.join(' | '));
  t.match(stream.lines[OUTCOMES.indexOf('STALE')], /STALE: the origin refused the connection {2}/);
});

t.test("pretty: the origin's side is told as well", async (t) => {
  const { stream, log } = make(t, { format: 'pretty' });
  log.asked(asked());
  log.asked(
    asked({ askedFor: 'fill', end: 'stored', status: 200, bodyBytes: 3_500_000, savedBytes: 0, durationMs: 1500 }),
  );
  log.asked(asked({ end: 'error', status: 503, reason: 'origin-error-status' }));
  log.asked(asked({ end: 'failed', status: undefined, reason: 'origin-refused' }));
  log.asked(asked({ end: 'uncacheable', status: 200, reason: 'never-heard-of', bodyBytes: 10 }));
  log.asked(asked({ end: 'abandoned', status: undefined, reason: 'origin-aborted' }));
  await log.flush();
  const tails = stream.lines.map((line) => line.slice(14).replace(/ {2,}/g, '  '));
  t.strictSame(tails, [
    '  origin /article/3  304  not modified, 12 KB not sent again  5.0 ms',
    '  origin /article/3  200  sent 3.3 MB, stored  1.5 s',
    '  origin /article/3  503  error: the origin answered with an error  5.0 ms',
    '  origin /article/3  ---  no answer: the origin refused the connection  5.0 ms',
    '  origin /article/3  200  sent 10 B, not stored: never-heard-of  5.0 ms',
    '  origin /article/3  ---  given up: the exchange with the origin was given up  5.0 ms',
  ]);
});

t.test('pretty: an aborted and a collapsed request say so, and a long target is cut', async (t) => {
  const { stream, log } = make(t, { format: 'pretty' });
  log.answered(answered({ ending: 'aborted', collapsed: true, target: `/${'x'.repeat(5000)}` }));
  await log.flush();
  t.match(stream.lines[0], /waited on another.*the client left early$/);
  t.ok((stream.lines[0] ?? '').length < 220);
});

t.test('pretty: colours are for terminals, and for nobody who sets NO_COLOR', async (t) => {
  const { stream, log } = make(t, { format: 'pretty', isColoured: true });
  log.answered(answered());
  log.notice('error', 'x', 'bad');
  await log.flush();
  t.ok(stream.text.includes('\x1b[32mHIT'));
  const terminal = Object.assign(new ScriptedStream(), { isTTY: true });
  const before = process.env['NO_COLOR'];
  process.env['NO_COLOR'] = '1';
  const plain = createAccessLog({ format: 'pretty', destination: terminal, clock: new FakeClock() });
  delete process.env['NO_COLOR'];
  const coloured = createAccessLog({ format: 'pretty', destination: terminal, clock: new FakeClock() });
  if (before !== undefined) process.env['NO_COLOR'] = before;
  plain.answered(answered());
  await plain.close();
  t.notOk(terminal.text.includes('\x1b'));
  coloured.answered(answered());
  await coloured.close();
  t.ok(terminal.text.includes('\x1b'));
});

t.test('notices: JSON lines with level, code and their circumstances in an object of their own', async (t) => {
  const { stream, log } = make(t, { format: 'off' });
  log.answered(answered());
  const error = new Error('no 100% luck', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) });
  log.notice('warn', 'reload-refused', 'The new configuration is bad: 100%s', {
    level: 'forged',
    error,
    url: new URL('http://a/'),
  });
  log.breaker('open', 'origin-refused', 'connect ECONNREFUSED 127.0.0.1:1');
  await log.flush();
  t.strictSame(
    stream.lines.map((line) => JSON.parse(line)),
    [
      {
        level: 'warn',
        time: '2026-01-01T00:00:00.000Z',
        event: 'notice',
        code: 'reload-refused',
        fields: { level: 'forged', error: 'Error: no 100% luck <- Error: refused (ECONNREFUSED)', url: 'http://a/' },
        msg: 'The new configuration is bad: 100%s',
      },
      {
        level: 'warn',
        time: '2026-01-01T00:00:00.000Z',
        event: 'notice',
        code: 'breaker-open',
        fields: { reason: 'origin-refused', error: 'connect ECONNREFUSED 127.0.0.1:1' },
        msg: 'The origin fails; it is not asked until it recovers.',
      },
    ],
  );
});

t.test('notices: circumstances that JSON cannot hold do not throw', async (t) => {
  const { stream, log } = make(t);
  const pretty = make(t, { format: 'pretty' });
  const knot: Record<string, unknown> = {};
  knot['knot'] = knot;
  log.notice('error', 'x', 'y\x9b', { knot, big: 1n, nested: { big: 2n }, nothing: undefined, run: () => {} });
  pretty.log.notice('error', 'x', 'y', { knot, nested: { big: 2n } });
  await Promise.all([log.flush(), pretty.log.flush()]);
  t.match(pretty.stream.text, /ERROR {2}y \[x\] knot=.*Circular.* nested=\{ big: 2n \}/);
  t.equal(JSON.parse(stream.lines[0] ?? '').code, 'x');
  t.notMatch(stream.text, /\x9b/);
});

t.test('level: a notice below it is not written, at debug the exchanges with the origin are', async (t) => {
  for (const format of ['json', 'pretty'] as const) {
    const { stream, log } = make(t, { format, level: 'error' });
    log.notice('warn', 'a', 'a');
    log.breaker('open', 'x');
    log.notice('error', 'b', 'b');
    await log.flush();
    t.equal(stream.lines.length, 1, format);
  }
  const quiet = make(t, { level: 'info' });
  quiet.log.asked(asked());
  const loud = make(t, { level: 'debug' });
  loud.log.asked(asked());
  await Promise.all([quiet.log.flush(), loud.log.flush()]);
  t.equal(quiet.stream.text, '');
  t.match(JSON.parse(loud.stream.lines[0] ?? ''), {
    level: 'debug',
    event: 'origin',
    code: 'revalidated',
    fields: { savedBytes: 12_288 },
  });
});

t.test('batches: lines wait for each other, but for no longer than the flush time', async (t) => {
  const { stream, clock, log } = make(t);
  for (let i = 0; i < 50; i++) log.answered(answered());
  t.equal(stream.writes, 0);
  clock.advance(LOG_FLUSH_MS);
  t.equal(stream.writes, 1);
  t.equal(stream.lines.length, 50);
  t.equal(clock.pendingCount, 0, 'an idle log has no timer');
});

t.test('batches: a full batch is written at once', async (t) => {
  const { stream, log } = make(t);
  let bytes = 0;
  while (bytes < LOG_BATCH_BYTES) {
    log.answered(answered());
    bytes += 300;
  }
  t.ok(stream.writes >= 1);
});

t.test(
  'a destination that hangs holds up nothing: lines are held to a bound, then dropped, counted and reported',
  async (t) => {
    const { stream, log } = make(t);
    stream.script.push('hang');
    const line = answered({ target: `/${'x'.repeat(8000)}` });
    const count = Math.ceil(MAX_LOG_PENDING_BYTES / 8000) + 100;
    for (let i = 0; i < count; i++) log.answered(line);
    const lost = log.stats.droppedLines;
    t.ok(lost > 0 && lost < 200, `${lost}`);
    stream.release();
    await log.flush();
    const last = JSON.parse(stream.lines.find((text) => text.includes('log-lines-dropped')) ?? '{}');
    t.strictSame(last.fields, { lostLines: lost });
    t.equal(stream.lines.length, count - lost + 1);
  },
);

t.test(
  'what waits for a destination that hangs takes no more memory than the limit says, however long lines may be',
  async (t) => {
    const { stream, log } = make(t);
    stream.script.push('hang');
    // The room for such a line is six times as much as it takes.
    const line = answered({ target: `/${'x'.repeat(8000)}` });
    const before = process.memoryUsage().arrayBuffers;
    while (log.stats.droppedLines === 0) log.answered(line);
    const held = process.memoryUsage().arrayBuffers - before;
    t.ok(held > MAX_LOG_PENDING_BYTES * 0.8, `${held} bytes`);
    t.ok(held < MAX_LOG_PENDING_BYTES + 3 * LOG_BATCH_BYTES, `${held} bytes`);
    stream.release();
    await log.flush();
  },
);

t.test('a destination that is slow gets full batches, in order, whatever is written meanwhile', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'patina-log-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'access.log');
  const log = createAccessLog({ format: 'json', destination: path, clock: new FakeClock() });
  const count = 3000;
  for (let i = 0; i < count; i++) {
    // A write to a file ends on another thread: batches go out while others are filled, and their memory is used again.
    if (i % 500 === 499) await log.flush();
    log.answered(answered({ target: `/${i}`, userAgent: 'x'.repeat(i % 700), ageSec: i }));
  }
  await log.close();
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  const wanted = Array.from({ length: count }, (_, i) => `/${i} ${i % 700} ${i}`);
  const told = lines.map((line) => JSON.parse(line) as { target: string; ua: string; age: number });
  t.strictSame(
    told.map(({ target, ua, age }) => `${target} ${ua.length} ${age}`),
    wanted,
  );
});

t.test('a line of any length is whole, between others', async (t) => {
  const { stream, log } = make(t);
  const targets = [10, 4 * LOG_BATCH_BYTES, 20, LOG_BATCH_BYTES, 30].map((length) => `/${'\u00e4'.repeat(length)}`);
  for (const target of targets) log.answered(answered({ target }));
  await log.flush();
  t.strictSame(
    stream.lines.map((line) => (JSON.parse(line) as { target: string }).target),
    targets,
  );
});

t.test('numbers and instants on a line are those of the request, as JSON writes them', async (t) => {
  const { stream, log } = make(t);
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

t.test('a full disk: the batch is kept and written once there is room again', async (t) => {
  const { stream, clock, log } = make(t);
  stream.script.push('ENOSPC', 'ENOSPC', 'EAGAIN');
  log.answered(answered());
  clock.advance(LOG_FLUSH_MS);
  t.equal(stream.text, '');
  clock.advance(LOG_RETRY_MS * 3);
  t.equal(stream.lines.length, 1);
  t.strictSame(log.stats, { droppedLines: 0, failedWrites: 3 });
});

t.test('a reader that went away (EPIPE) ends writing for good, counts what is lost, and throws nowhere', async (t) => {
  const { stream, log } = make(t);
  stream.script.push('EPIPE');
  log.answered(answered());
  await log.flush();
  for (let i = 0; i < 10; i++) log.answered(answered());
  await log.flush();
  t.equal(stream.writes, 1);
  t.strictSame(log.stats, { droppedLines: 11, failedWrites: 1 });
});

t.test('a stream that throws from write is a failing one', async (t) => {
  const throwing = {
    write: () => {
      throw Object.assign(new Error('gone'), { code: 'ERR_STREAM_DESTROYED' });
    },
  };
  const log = createAccessLog({ format: 'json', destination: throwing, clock: new FakeClock() });
  log.answered(answered());
  await log.close();
  t.equal(log.stats.droppedLines, 1);
});

t.test('close waits for a hanging destination no longer than its limit', async (t) => {
  const { stream, clock, log } = make(t);
  stream.script.push('hang');
  log.answered(answered());
  const closed = log.close();
  clock.advance(LOG_CLOSE_TIMEOUT_MS);
  await closed;
  log.answered(answered());
  t.equal(log.stats.droppedLines, 1, 'after close nothing is taken');
});

t.test('close gives up a destination that fails, and is patient with one that is only busy', async (t) => {
  const full = make(t);
  full.stream.script.push('ENOSPC', 'ENOSPC');
  full.log.answered(answered());
  await full.log.close();
  t.strictSame(full.log.stats, { droppedLines: 1, failedWrites: 1 });
  t.equal(full.clock.pendingCount, 0);
  const waiting = make(t);
  waiting.stream.script.push('ENOSPC');
  waiting.log.answered(answered());
  waiting.clock.advance(LOG_FLUSH_MS);
  await waiting.log.close();
  t.equal(waiting.stream.lines.length, 1, 'a pause after a failure is cut short');
  const busy = make(t);
  busy.stream.script.push(...Array.from({ length: 40 }, () => 'EAGAIN'));
  busy.log.answered(answered());
  await busy.log.close();
  t.equal(busy.stream.lines.length, 1);
  const stuck = make(t);
  stuck.stream.script.push(...Array.from({ length: LOG_LAST_TRIES + 10 }, () => 'EAGAIN'));
  stuck.log.answered(answered());
  await stuck.log.close();
  t.equal(stuck.log.stats.droppedLines, 1);
});

t.test('a file: lines are appended, reopen goes on in a new one after the old was moved away', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'patina-log-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'access.log');
  const first = createAccessLog({ format: 'json', destination: path, clock: new FakeClock() });
  first.answered(answered());
  await first.close();
  const log = createAccessLog({ format: 'json', destination: path, clock: new FakeClock() });
  log.answered(answered());
  await log.flush();
  renameSync(path, `${path}.1`);
  log.answered(answered());
  t.equal(log.reopen(), true);
  log.answered(answered());
  log.answered(answered());
  await log.close();
  const count = (name: string): number => readFileSync(name, 'utf8').split('\n').length - 1;
  t.equal(count(`${path}.1`) + count(path), 5);
  t.ok(count(path) >= 2);
  t.equal(log.reopen(), false, 'a closed log stays closed');
});

t.test('a file that cannot be opened is found at the start, or leaves the old one in place', async (t) => {
  t.throws(() => createAccessLog({ format: 'json', destination: '/no/such/folder/x.log', clock: new FakeClock() }), {
    code: 'ENOENT',
  });
  const folder = mkdtempSync(join(tmpdir(), 'patina-log-'));
  const log = createAccessLog({ format: 'json', destination: join(folder, 'a.log'), clock: new FakeClock() });
  rmSync(folder, { recursive: true });
  t.equal(log.reopen(), false);
  t.equal(log.stats.failedWrites, 1);
  log.answered(answered());
  await log.close();
  t.equal(log.stats.droppedLines, 0);
});

t.test(
  'a descriptor: lines are written to it, and it is not closed',
  { skip: process.platform === 'win32' && 'descriptors are tried on POSIX systems' },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'patina-log-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const fd = openSync(join(folder, 'a.log'), 'a');
    const log = createAccessLog({ format: 'json', destination: fd, clock: new FakeClock() });
    log.answered(answered());
    t.equal(log.reopen(), false);
    await log.close();
    t.doesNotThrow(() => closeSync(fd));
    t.equal(readFileSync(join(folder, 'a.log'), 'utf8').split('\n').length, 2);
  },
);

t.test('a sampled log has an even share of the lines, and each of what did not go well', async (t) => {
  const { stream, log } = make(t, { sample: 0.25 });
  for (let i = 0; i < 100; i++) log.answered(answered({ target: `/${i}` }));
  log.answered(answered({ target: '/down', status: 503, outcome: 'ERROR' }));
  log.answered(answered({ target: '/bad', status: 400, outcome: 'ERROR' }));
  log.answered(answered({ target: '/left', ending: 'aborted' }));
  await log.flush();
  const targets = stream.lines.map((line) => String((JSON.parse(line) as { target: string }).target));
  t.strictSame(targets.slice(-3), ['/down', '/bad', '/left']);
  t.strictSame(targets.slice(0, 4), ['/0', '/4', '/8', '/12']);
  t.equal(targets.length, 28);
  log.reconfigure({ format: 'json', sample: 0 });
  log.answered(answered({ target: '/unseen' }));
  await log.flush();
  t.equal(stream.lines.length, 28);
});

t.test('whatever the line before said, each line tells of its own request', async (t) => {
  const { stream, log } = make(t);
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
