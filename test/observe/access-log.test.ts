/** Goal: one true line for each request, that no client can forge and no destination can hold up. Method: scripted destinations and real files. */
import { closeSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import {
  FAULT_LINES_MS,
  LOG_BATCH_BYTES,
  LOG_CLOSE_TIMEOUT_MS,
  LOG_FLUSH_MS,
  LOG_LAST_TRIES,
  LOG_RETRY_MS,
  MAX_FAULT_LINES,
  MAX_LOG_PENDING_BYTES,
} from '../../lib/base/limits.js';
import { createAccessLog } from '../../lib/observe/access-log.js';
import { OUTCOMES } from '../../lib/observe/events.js';
import { FakeClock } from '../kit/clock.js';
import { collectAll } from '../kit/collect.js';
import { answered, asked } from './events.kit.js';
import { makeLog, ScriptedStream } from './log.kit.js';

t.test(
  'pretty: quotes, newlines, escapes and bidirectional overrides in a target cannot forge or hide anything',
  async (t) => {
    const { stream, log } = makeLog(t, { format: 'pretty' });
    log.answered(answered({ target: '/a\r\n12:00:00.000  GET /forged\x1b[2J\u202e\x9b' }));
    log.notice('warn', 'x', 'line one\nline two', { path: 'a\nb' });
    await log.flush();
    t.equal(stream.lines.length, 2);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is the claim.
    t.notMatch(stream.text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  },
);

t.test('pretty: the line says in words what happened', async (t) => {
  const { stream, log } = makeLog(t, { format: 'pretty' });
  log.answered(answered({ outcome: 'UPDATING', reason: 'stale-while-revalidate' }));
  await log.flush();
  t.match(
    stream.lines[0],
    /^\d\d:\d\d:\d\d\.124 {2}GET \/article\/3 +200 {2}STALE, refreshing in background +1\.2 ms {2}age 12 s$/,
  );
});

t.test('pretty: every outcome reads differently, and every reason is explained where it matters', async (t) => {
  const { stream, log } = makeLog(t, { format: 'pretty' });
  for (const outcome of OUTCOMES) log.answered(answered({ outcome, reason: 'stale-origin-refused' }));
  await log.flush();
  const words = stream.lines.map((line) => line.slice(line.indexOf('200') + 5, -17).trim());
  t.equal(new Set(words).size, OUTCOMES.length, words.join(' | '));
  t.match(stream.lines[OUTCOMES.indexOf('STALE')], /STALE: the origin refused the connection {2}/);
});

t.test("pretty: the origin's side is told as well", async (t) => {
  const { stream, log } = makeLog(t, { format: 'pretty' });
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
  const { stream, log } = makeLog(t, { format: 'pretty' });
  log.answered(answered({ ending: 'aborted', collapsed: true, target: `/${'x'.repeat(5000)}` }));
  await log.flush();
  t.match(stream.lines[0], /waited on another.*the client left early$/);
  t.ok((stream.lines[0] ?? '').length < 220);
});

t.test('pretty: colours are for terminals, and for nobody who sets NO_COLOR', async (t) => {
  const { stream, log } = makeLog(t, { format: 'pretty', isColoured: true });
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
  const { stream, log } = makeLog(t, { format: 'off' });
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
  const { stream, log } = makeLog(t);
  const pretty = makeLog(t, { format: 'pretty' });
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
    const { stream, log } = makeLog(t, { format, level: 'error' });
    log.notice('warn', 'a', 'a');
    log.breaker('open', 'x');
    log.notice('error', 'b', 'b');
    await log.flush();
    t.equal(stream.lines.length, 1, format);
  }
  const quiet = makeLog(t, { level: 'info' });
  quiet.log.asked(asked());
  const loud = makeLog(t, { level: 'debug' });
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
  const { stream, clock, log } = makeLog(t);
  for (let i = 0; i < 50; i++) log.answered(answered());
  t.equal(stream.writes, 0);
  clock.advance(LOG_FLUSH_MS);
  t.equal(stream.writes, 1);
  t.equal(stream.lines.length, 50);
  t.equal(clock.pendingCount, 0, 'an idle log has no timer');
});

t.test('batches: a full batch is written at once', async (t) => {
  const { stream, log } = makeLog(t);
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
    const { stream, log } = makeLog(t);
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
    const { stream, log } = makeLog(t);
    stream.script.push('hang');
    // The room for such a line is six times as much as it takes.
    const line = answered({ target: `/${'x'.repeat(8000)}` });
    collectAll();
    const before = process.memoryUsage().arrayBuffers;
    while (log.stats.droppedLines === 0) log.answered(line);
    collectAll();
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

t.test('a line waits no longer than the flush time, also where a slow write ends while it waits', async (t) => {
  const { stream, clock, log } = makeLog(t);
  stream.script.push('hang');
  log.answered(answered({ target: '/1' }));
  clock.advance(LOG_FLUSH_MS);
  log.answered(answered({ target: '/2' }));
  clock.advance(LOG_FLUSH_MS);
  t.equal(stream.writes, 1, 'the second is due, and waits for the first');
  log.answered(answered({ target: '/3' }));
  stream.release();
  t.equal(stream.lines.length, 2);
  clock.advance(LOG_FLUSH_MS);
  t.equal(stream.lines.length, 3);
  t.equal(clock.pendingCount, 0);
});

t.test('a line waits no longer than the flush time, also where what comes before it fills a batch', async (t) => {
  const { stream, clock, log } = makeLog(t);
  const userAgent = 'x'.repeat(3000);
  const count = Math.ceil((2 * LOG_BATCH_BYTES) / userAgent.length) + 10;
  for (let at = 0; at < count; at++) log.answered(answered({ target: `/${at}`, userAgent: `${userAgent}${at}` }));
  t.ok(stream.writes >= 1);
  clock.advance(LOG_FLUSH_MS);
  t.equal(stream.lines.length, count);
  t.equal(clock.pendingCount, 0);
});

t.test('a full disk: the batch is kept and written once there is room again', async (t) => {
  const { stream, clock, log } = makeLog(t);
  stream.script.push('ENOSPC', 'ENOSPC', 'EAGAIN');
  log.answered(answered());
  clock.advance(LOG_FLUSH_MS);
  t.equal(stream.text, '');
  clock.advance(LOG_RETRY_MS * 3);
  t.equal(stream.lines.length, 1);
  t.strictSame(log.stats, { droppedLines: 0, failedWrites: 3 });
});

t.test('a reader that went away (EPIPE) ends writing for good, counts what is lost, and throws nowhere', async (t) => {
  const { stream, log } = makeLog(t);
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
  const { stream, clock, log } = makeLog(t);
  stream.script.push('hang');
  log.answered(answered());
  const closed = log.close();
  clock.advance(LOG_CLOSE_TIMEOUT_MS);
  await closed;
  log.answered(answered());
  t.equal(log.stats.droppedLines, 1, 'after close nothing is taken');
});

t.test('close gives up a destination that fails, and is patient with one that is only busy', async (t) => {
  const full = makeLog(t);
  full.stream.script.push('ENOSPC', 'ENOSPC');
  full.log.answered(answered());
  await full.log.close();
  t.strictSame(full.log.stats, { droppedLines: 1, failedWrites: 1 });
  t.equal(full.clock.pendingCount, 0);
  const waiting = makeLog(t);
  waiting.stream.script.push('ENOSPC');
  waiting.log.answered(answered());
  waiting.clock.advance(LOG_FLUSH_MS);
  await waiting.log.close();
  t.equal(waiting.stream.lines.length, 1, 'a pause after a failure is cut short');
  const busy = makeLog(t);
  busy.stream.script.push(...Array.from({ length: 40 }, () => 'EAGAIN'));
  busy.log.answered(answered());
  await busy.log.close();
  t.equal(busy.stream.lines.length, 1);
  const stuck = makeLog(t);
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
  const { stream, log } = makeLog(t, { sample: 0.25 });
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

t.test('requests whose lines were not made when the destination broke are counted as lost', async (t) => {
  const { stream, log } = makeLog(t);
  stream.script.push('EPIPE');
  log.answered(answered());
  await log.flush();
  t.equal(log.stats.droppedLines, 1);
  log.answered(answered());
  log.answered(answered());
  t.equal(log.stats.droppedLines, 3);
});

t.test('a fault that comes with each request gets so many lines, and how many more there were', async (t) => {
  const { stream, log, clock } = makeLog(t, { format: 'json' });
  for (let n = 0; n < MAX_FAULT_LINES + 5; n++) log.notice('error', 'internal', 'It broke', { n });
  log.notice('error', 'other', 'Something else');
  clock.advance(FAULT_LINES_MS);
  log.notice('error', 'internal', 'It broke', { n: 100 });
  log.notice('error', 'internal', 'It broke', { n: 101 });
  await log.flush();
  const told = stream.lines.map((line) => JSON.parse(line));
  t.equal(told.filter(({ code }) => code === 'internal').length, MAX_FAULT_LINES + 2);
  t.equal(told.filter(({ code }) => code === 'other').length, 1);
  t.same(
    told.slice(-2).map(({ fields }) => fields),
    [{ n: 100, leftOut: 5 }, { n: 101 }],
  );
});
