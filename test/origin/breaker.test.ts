// Goal: the breaker opens, probes and closes as promised, and late results cannot disturb it. Method: a fake client and a FakeClock; model-free properties with fast-check; one walk against a real origin.
import fc from 'fast-check';
import t from 'tap';
import { OriginError, type OriginFailure } from '../../lib/base/errors.js';
import {
  BREAKER_FAILURES,
  BREAKER_IDLE_PROBE_MS,
  BREAKER_JITTER,
  BREAKER_OPEN_FIRST_MS,
  BREAKER_OPEN_MAX_MS,
} from '../../lib/base/limits.js';
import { Fields } from '../../lib/http/fields.js';
import { SILENT } from '../../lib/observe/events.js';
import { Breaker, guardOrigin, type Permit } from '../../lib/origin/breaker.js';
import type { OriginClient, OriginListener, OriginRequest } from '../../lib/origin/contract.js';
import { FakeClock } from '../kit/clock.js';
import { startScriptedOrigin } from '../kit/scripted-origin.js';
import { clientFor, get, Recorder } from './exchange.js';

/** A client whose exchanges the test ends by hand. */
class FakeClient implements OriginClient {
  readonly asked: { request: OriginRequest; listener: OriginListener; isAborted: boolean }[] = [];
  readonly reachable = true;
  readonly healthy = true;
  readonly stats = { connected: 0, running: 0, queued: 0 };
  isClosed = false;

  fetch(request: OriginRequest, listener: OriginListener) {
    const one = { request, listener, isAborted: false };
    this.asked.push(one);
    return {
      isAwaited: false,
      pause() {},
      resume() {},
      abort() {
        one.isAborted = true;
      },
    };
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  fail(index: number, code: OriginFailure): void {
    this.asked.at(index)?.listener.fail(new OriginError(code, code));
  }

  answer(index: number, status = 200): void {
    this.asked.at(index)?.listener.head({ status, reasonPhrase: '', fields: Fields.empty });
    this.asked.at(index)?.listener.end(Fields.empty);
  }
}

function setUp(random = 0.5) {
  const clock = new FakeClock();
  const client = new FakeClient();
  const told: string[] = [];
  const events = { ...SILENT, breaker: (state: string, reason: string) => void told.push(`${state}: ${reason}`) };
  const guard = guardOrigin(client, { clock, events, random: () => random });
  const ask = (): Recorder => {
    const recorder = new Recorder();
    guard.fetch(get(), recorder);
    return recorder;
  };
  const open = (): void => {
    for (let i = 0; i < BREAKER_FAILURES; i++) {
      ask();
      client.fail(-1, 'origin-refused');
    }
  };
  return { clock, client, guard, told, ask, open };
}

t.test('BREAKER_FAILURES failures in a row to reach the origin open it', async (t) => {
  for (const code of [
    'origin-unresolvable',
    'origin-refused',
    'origin-tls',
    'origin-connect-timeout',
    'origin-headers-timeout',
  ] as const) {
    const { client, guard, told, ask } = setUp();
    for (let i = 0; i < BREAKER_FAILURES; i++) {
      t.equal(guard.reachable, true);
      const recorder = ask();
      client.fail(-1, code);
      t.equal(await recorder.ending(), code);
    }
    t.equal(guard.reachable, false);
    t.same(told, [`open: ${code}`]);
    const refused = ask();
    t.same(refused.story, [], 'not from within fetch');
    t.equal(await refused.ending(), 'origin-breaker-open');
    t.equal(refused.error?.retryAfterSec, 1);
    t.equal(refused.error?.status, 503);
    t.equal(client.asked.length, BREAKER_FAILURES, 'the origin is not asked');
  }
});

t.test('an answer, of whatever status or form, is the origin reached', async (t) => {
  const { client, guard, ask } = setUp();
  for (const reached of [
    () => client.answer(-1, 503),
    () => client.answer(-1, 200),
    () => client.fail(-1, 'origin-malformed'),
    () => client.fail(-1, 'origin-truncated'),
    () => client.asked.at(-1)?.listener.inform(103, Fields.empty),
  ]) {
    for (let i = 0; i < BREAKER_FAILURES - 1; i++) {
      ask();
      client.fail(-1, 'origin-refused');
    }
    ask();
    reached();
    t.equal(guard.reachable, true);
  }
});

t.test('what says nothing of the origin is not counted', async (t) => {
  const { client, guard, ask } = setUp();
  for (let i = 0; i < BREAKER_FAILURES * 2; i++) {
    ask();
    client.fail(-1, 'origin-queue-full');
    ask();
    client.fail(-1, 'origin-reset');
    guard.fetch(get(), new Recorder()).abort();
  }
  t.equal(guard.reachable, true);
  t.equal(client.asked.at(-1)?.isAborted, true);
});

t.test('when the time is over, one request is the probe and the others are refused until it ends', async (t) => {
  const { clock, client, guard, told, ask, open } = setUp();
  open();
  clock.advance(BREAKER_OPEN_FIRST_MS - 1);
  t.equal(await ask().ending(), 'origin-breaker-open');
  clock.advance(1);
  t.equal(guard.reachable, true);
  ask();
  t.equal(guard.reachable, false);
  t.equal(await ask().ending(), 'origin-breaker-open');
  t.equal(client.asked.length, BREAKER_FAILURES + 1);
  client.answer(-1);
  t.equal(guard.reachable, true);
  t.same(told, ['open: origin-refused', 'half-open: probe', 'closed: reached']);
  t.equal(clock.pendingCount, 0);
});

t.test('a probe that fails opens it for twice as long, up to BREAKER_OPEN_MAX_MS', async (t) => {
  const { clock, client, guard, ask, open } = setUp();
  open();
  let ms = BREAKER_OPEN_FIRST_MS;
  for (let i = 0; i < 10; i++) {
    clock.advance(ms - 1);
    t.equal(guard.reachable, false);
    clock.advance(1);
    t.equal(guard.reachable, true);
    ask();
    client.fail(-1, 'origin-headers-timeout');
    t.equal(guard.reachable, false);
    ms = Math.min(ms * 2, BREAKER_OPEN_MAX_MS);
  }
  clock.advance(ms);
  ask();
  client.answer(-1);
  open();
  clock.advance(BREAKER_OPEN_FIRST_MS);
  t.equal(guard.reachable, true, 'an answer makes the time short again');
});

t.test('a probe that is reset brought no answer', async (t) => {
  const { clock, client, guard, told, ask, open } = setUp();
  open();
  clock.advance(BREAKER_OPEN_FIRST_MS);
  ask();
  client.fail(-1, 'origin-reset');
  t.equal(guard.reachable, false);
  t.equal(told.at(-1), 'open: origin-reset');
});

t.test('BREAKER_JITTER moves the time at random, up and down', async (t) => {
  for (const [random, factor] of [
    [0, 1 - BREAKER_JITTER],
    [0.999999, 1 + BREAKER_JITTER],
  ] as const) {
    const { clock, guard, open } = setUp(random);
    open();
    clock.advance(BREAKER_OPEN_FIRST_MS * factor - 1);
    t.equal(guard.reachable, false);
    clock.advance(1);
    t.equal(guard.reachable, true);
  }
});

t.test('with no traffic, a HEAD of our own is the probe', async (t) => {
  const { clock, client, guard, told, open } = setUp();
  open();
  clock.advance(BREAKER_OPEN_FIRST_MS + BREAKER_IDLE_PROBE_MS);
  t.match(client.asked.at(-1)?.request, { method: 'HEAD', target: '/' });
  client.fail(-1, 'origin-refused');
  clock.advance(2 * BREAKER_OPEN_FIRST_MS + BREAKER_IDLE_PROBE_MS);
  t.equal(client.asked.length, BREAKER_FAILURES + 2);
  client.answer(-1, 404);
  t.equal(guard.reachable, true);
  t.same(told.at(-1), 'closed: reached');
  t.equal(clock.pendingCount, 0);
});

t.test('a probe that says nothing of the origin is followed by another', async (t) => {
  const { clock, client, guard, open } = setUp();
  open();
  clock.advance(BREAKER_OPEN_FIRST_MS);
  const exchange = guard.fetch(get(), new Recorder());
  exchange.abort();
  t.equal(guard.reachable, true);
  clock.advance(BREAKER_IDLE_PROBE_MS);
  t.equal(client.asked.at(-1)?.request.method, 'HEAD');
  client.answer(-1);
  t.equal(guard.reachable, true);
});

t.test('probe() asks at once, and not twice at the same time', async (t) => {
  const { client, guard, open } = setUp();
  t.equal(await guard.probe(), true, 'closed: nothing to ask');
  t.equal(client.asked.length, 0);
  open();
  const first = guard.probe();
  t.equal(await guard.probe(), false);
  t.equal(client.asked.length, BREAKER_FAILURES + 1);
  client.answer(-1);
  t.equal(await first, true);
});

t.test('a late result of an older state is ignored', async (t) => {
  const { clock, client, guard, ask, open } = setUp();
  ask();
  ask();
  open();
  client.answer(0);
  t.equal(guard.reachable, false, 'a success that began before it opened does not close it');
  clock.advance(BREAKER_OPEN_FIRST_MS);
  ask();
  client.fail(1, 'origin-refused');
  client.answer(-1);
  t.equal(guard.reachable, true, 'nor does an old failure spoil the probe');
});

t.test('an abort of a refused request is silent', async (t) => {
  const { guard, open } = setUp();
  open();
  const recorder = new Recorder();
  const exchange = guard.fetch(get(), recorder);
  exchange.pause();
  exchange.resume();
  exchange.abort();
  await Promise.resolve();
  t.same(recorder.story, []);
});

t.test('close() ends the probing', async (t) => {
  const { clock, client, guard, open } = setUp();
  open();
  await guard.close();
  t.equal(client.isClosed, true);
  t.equal(clock.pendingCount, 0);
});

t.test('whatever happens: half-open has at most one request, and open has none before its time', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('ask' as const) }),
    fc.record({
      kind: fc.constant('settle' as const),
      which: fc.nat(20),
      how: fc.constantFrom('reached', 'failed', 'released'),
    }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(40_000) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (steps, random) => {
      const clock = new FakeClock();
      const breaker = new Breaker({ clock, random: () => random, changed() {} });
      const running: Permit[] = [];
      for (const one of steps) {
        if (one.kind === 'wait') clock.advance(one.ms);
        else if (one.kind === 'ask') {
          const before = breaker.state;
          const passable = breaker.isPassable;
          const verdict = breaker.admit();
          if ((verdict.kind === 'permit') !== passable) return false;
          if (verdict.kind === 'refusal') {
            if (!(verdict.retryAfterMs > 0 && verdict.retryAfterMs <= BREAKER_OPEN_MAX_MS * (1 + BREAKER_JITTER))) {
              return false;
            }
          } else {
            if (before.kind === 'open' && clock.now() < before.until) return false;
            running.push(verdict);
          }
        } else {
          const permit = running.splice(one.which % Math.max(1, running.length), 1)[0];
          if (permit === undefined) continue;
          if (one.how === 'reached') breaker.reached(permit);
          else if (one.how === 'failed') breaker.failed(permit, 'origin-refused');
          else breaker.released(permit);
        }
        const state = breaker.state;
        const probes = running.filter((permit) => permit.state === state).length;
        if (state.kind === 'half-open' && probes > 1) return false;
        if (state.kind === 'half-open' && state.isProbing !== (probes === 1)) return false;
        if (state.kind === 'closed' && state.failureCount >= BREAKER_FAILURES) return false;
      }
      return true;
    }),
  );
});

t.test('a real origin that dies and comes back is noticed without traffic', async (t) => {
  const clock = new FakeClock();
  const origin = await startScriptedOrigin();
  origin.respond(() => ({ status: 503 }));
  const guard = guardOrigin(clientFor(origin.url, { clock }), { clock, events: SILENT, random: () => 0.5 });
  await origin.stop();
  for (let i = 0; i < BREAKER_FAILURES; i++) {
    const recorder = new Recorder();
    guard.fetch(get(), recorder);
    t.equal(await recorder.ending(), 'origin-refused');
  }
  t.equal(guard.reachable, false);
  await origin.restart();
  clock.advance(BREAKER_OPEN_FIRST_MS + BREAKER_IDLE_PROBE_MS);
  const probe = await origin.seen(1);
  t.equal(probe.method, 'HEAD');
  t.equal(probe.field('host'), `127.0.0.1:${origin.port}`);
  while (!guard.reachable) await new Promise<void>((resolve) => setImmediate(resolve));
  await guard.close();
  await origin.close();
});
