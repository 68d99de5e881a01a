// Goal: every answer says how it came about, and the counters agree: Cache-Status, Age, debug header, metrics.
// Method: each kind of answer in one table over real sockets, parsed with the structured-field library; FakeClock for ages.
import t, { type Test } from 'tap';
import { MAX_WAIT_MS } from '../../lib/base/limits.js';
import { REASONS } from '../../lib/observe/reasons.js';
import { createBarrier, turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { cacheStatus, HOST, metric, type OpenProxy, openProxy, request, settled } from '../kit/proxy-kit.js';
import type { RawResponse } from '../kit/raw-client.js';
import { hang, send, until } from '../kit/scripted-origin.js';

const PATIENT = { origin: { timeouts: { connect: '1h', headers: '1h', idle: '1h' } } };
const BASE = { ...PATIENT, defaults: { stale_if_error: '1h' } };

interface Kind {
  readonly title: string;
  readonly status: number;
  readonly outcome: string;
  readonly has: Readonly<Record<string, string | number | boolean>>;
  readonly hasNot?: readonly string[];
  readonly conf?: Readonly<Record<string, unknown>>;
  run(house: OpenProxy, clock: FakeClock): Promise<RawResponse>;
}

const fields = (cacheControl: string, ...more: string[]) => ['Cache-Control', cacheControl, 'ETag', '"1"', ...more];

/** Stores /x with these directives, lets time pass, and leaves the origin as `then` says. */
async function stored(house: OpenProxy, clock: FakeClock, cacheControl: string, ms: number): Promise<void> {
  house.origin.respond(({ method }) => ({ fields: fields(cacheControl), body: `${method} x` }));
  await house.get('/x');
  clock.advance(ms);
}

const notModified = (house: OpenProxy) => house.origin.respond(() => ({ status: 304, fields: ['ETag', '"1"'] }));

const HIT = { hasNot: ['fwd', 'fwd-status', 'stored', 'collapsed'] } as const;
const FWD = { hasNot: ['hit'] } as const;
const OWN = { hasNot: ['hit', 'fwd', 'ttl', 'stored'] } as const;

const KINDS: readonly Kind[] = [
  {
    ...FWD,
    title: 'a miss that is stored',
    status: 200,
    outcome: 'MISS',
    has: { fwd: 'uri-miss', stored: true, ttl: 60, detail: 'uri-miss' },
    run: (house) => {
      house.origin.respond(() => ({ fields: fields('max-age=60'), body: 'x' }));
      return house.get('/x');
    },
  },
  {
    ...FWD,
    title: 'a miss that is not stored',
    status: 200,
    outcome: 'MISS',
    has: { fwd: 'uri-miss', detail: 'no-store' },
    run: (house) => {
      house.origin.respond(() => ({ fields: fields('no-store'), body: 'x' }));
      return house.get('/x');
    },
  },
  {
    ...FWD,
    title: 'another variant',
    status: 200,
    outcome: 'MISS',
    has: { fwd: 'vary-miss', stored: true },
    run: async (house) => {
      house.origin.respond((seen) => ({ fields: fields('max-age=60', 'Vary', 'X-V'), body: seen.field('x-v') ?? '' }));
      await house.get('/x', 'X-V: 1');
      return house.get('/x', 'X-V: 2');
    },
  },
  {
    ...HIT,
    title: 'a fresh hit',
    status: 200,
    outcome: 'HIT',
    has: { hit: true, ttl: 50, detail: 'fresh' },
    run: async (house, clock) => {
      await stored(house, clock, 'max-age=60', 10_000);
      return house.get('/x');
    },
  },
  {
    ...HIT,
    title: 'a 304 to the client, from the store',
    status: 304,
    outcome: 'HIT',
    has: { hit: true, detail: 'fresh' },
    run: async (house, clock) => {
      await stored(house, clock, 'max-age=60', 0);
      return house.get('/x', 'If-None-Match: "1"');
    },
  },
  {
    ...HIT,
    title: 'in grace, being refreshed',
    status: 200,
    outcome: 'UPDATING',
    has: { hit: true, ttl: -2, detail: 'stale-while-revalidate' },
    run: async (house, clock) => {
      await stored(house, clock, 'max-age=10, stale-while-revalidate=60', 11_500);
      return house.get('/x');
    },
  },
  {
    ...FWD,
    title: 'revalidated by a 304',
    status: 200,
    outcome: 'REVALIDATED',
    has: { fwd: 'stale', 'fwd-status': 304, stored: true, detail: 'revalidated' },
    run: async (house, clock) => {
      await stored(house, clock, 'max-age=10', 11_000);
      notModified(house);
      return house.get('/x');
    },
  },
  {
    ...FWD,
    title: 'expired, and fetched anew',
    status: 200,
    outcome: 'EXPIRED',
    has: { fwd: 'stale', 'fwd-status': 200, stored: true },
    run: async (house, clock) => {
      await stored(house, clock, 'max-age=10', 11_000);
      return house.get('/x');
    },
  },
  {
    ...FWD,
    title: 'revalidated because the client said no-cache',
    status: 200,
    outcome: 'REVALIDATED',
    has: { fwd: 'request', 'fwd-status': 304 },
    run: async (house, clock) => {
      await stored(house, clock, 'max-age=60', 0);
      notModified(house);
      return house.get('/x', 'Cache-Control: no-cache');
    },
  },
  {
    ...HIT,
    title: 'stale because the origin answers 503',
    status: 200,
    outcome: 'STALE',
    has: { hit: true, ttl: -1, detail: 'stale-origin-error-status' },
    run: async (house, clock) => {
      await stored(house, clock, 'max-age=10', 11_000);
      house.origin.respond(() => ({ status: 503 }));
      return house.get('/x');
    },
  },
  {
    ...HIT,
    title: 'stale because the origin is away',
    status: 200,
    outcome: 'STALE',
    has: { hit: true, ttl: -1, detail: 'stale-origin-refused' },
    run: async (house, clock) => {
      await stored(house, clock, 'max-age=10', 11_000);
      await house.origin.stop();
      return house.get('/x');
    },
  },
  {
    ...HIT,
    title: 'stale because the client accepts it',
    status: 200,
    outcome: 'UPDATING',
    has: { hit: true, detail: 'max-stale' },
    run: async (house, clock) => {
      await stored(house, clock, 'max-age=10', 11_000);
      return house.get('/x', 'Cache-Control: max-stale=60');
    },
  },
  {
    ...FWD,
    title: 'passed for its method',
    status: 200,
    outcome: 'BYPASS',
    has: { fwd: 'method', detail: 'method' },
    run: (house) => {
      house.origin.respond(() => ({ body: 'x' }));
      return house.ask(request('POST', '/x', 'Content-Length: 0'));
    },
  },
  {
    ...FWD,
    title: 'passed for its body',
    status: 200,
    outcome: 'BYPASS',
    has: { fwd: 'bypass', detail: 'request-body' },
    run: (house) => {
      house.origin.respond(() => ({ body: 'x' }));
      return house.ask(`${request('GET', '/x', 'Content-Length: 1')}a`);
    },
  },
  {
    ...FWD,
    title: "the origin's own error",
    status: 503,
    outcome: 'ERROR',
    has: { fwd: 'uri-miss', detail: 'origin-error-status' },
    run: (house) => {
      house.origin.respond(() => ({ status: 503 }));
      return house.get('/x');
    },
  },
  {
    ...OWN,
    title: 'a 502 of ours',
    status: 502,
    outcome: 'ERROR',
    has: { detail: 'origin-refused' },
    run: async (house) => {
      await house.origin.stop();
      return house.get('/x');
    },
  },
  {
    ...OWN,
    title: 'a 502 of the pass lane',
    status: 502,
    outcome: 'ERROR',
    has: { detail: 'origin-refused' },
    run: async (house) => {
      await house.origin.stop();
      return house.ask(request('POST', '/x', 'Content-Length: 0'));
    },
  },
  {
    ...OWN,
    title: 'only-if-cached with nothing stored',
    status: 504,
    outcome: 'ERROR',
    has: { detail: 'only-if-cached' },
    run: (house) => house.get('/x', 'Cache-Control: only-if-cached'),
  },
  {
    ...OWN,
    title: 'a waiter that waited too long',
    status: 504,
    outcome: 'ERROR',
    has: { detail: 'waited-too-long' },
    run: async (house, clock) => {
      house.origin.script(hang());
      (await house.connect()).send(request('GET', '/x'));
      await house.origin.seen(1);
      const waiting = house.get('/x');
      while (metric(await house.metrics(), 'patina_waiters') < 1) await turns(1);
      clock.advance(MAX_WAIT_MS);
      return waiting;
    },
  },
  {
    ...OWN,
    title: 'a waiter too many',
    status: 503,
    outcome: 'ERROR',
    has: { detail: 'too-many-waiters' },
    conf: { limits: { waiters: 1 } },
    run: async (house) => {
      house.origin.script(hang());
      (await house.connect()).send(request('GET', '/x'));
      await house.origin.seen(1);
      (await house.connect()).send(request('GET', '/x'));
      while (metric(await house.metrics(), 'patina_waiters') < 1) await turns(1);
      return house.get('/x');
    },
  },
  {
    ...OWN,
    title: 'a request that is refused',
    status: 400,
    outcome: 'ERROR',
    has: { detail: 'host-invalid' },
    run: (house) => house.ask('GET /x HTTP/1.1\r\n\r\n'),
  },
  {
    ...OWN,
    title: 'a connection too many',
    status: 503,
    outcome: 'ERROR',
    has: { detail: 'too-many-connections' },
    conf: { limits: { connections: 1 } },
    run: async (house) => {
      await house.connect();
      return (await house.connect()).response();
    },
  },
];

async function tellsItsKind(t: Test, kind: Kind): Promise<void> {
  const clock = new FakeClock();
  const house = await openProxy(t, { clock, conf: { ...BASE, ...kind.conf } });
  const response = await kind.run(house, clock);
  t.equal(response.status, kind.status);
  const { parameters } = cacheStatus(response);
  for (const [name, value] of Object.entries(kind.has)) t.equal(parameters.get(name), value, name);
  for (const name of kind.hasNot ?? []) t.notOk(parameters.has(name), `no ${name}`);
  const detail = String(parameters.get('detail'));
  t.ok(Object.hasOwn(REASONS, detail), `${detail} is explained`);
  t.equal(response.field('cdn-cache'), kind.outcome);
  t.ok(response.field('date') !== undefined, 'RFC 9110 §6.6.1: it has a Date');
  t.ok(response.field('via') !== undefined, 'RFC 9110 §7.6.3: it has a Via');
  if (kind.has['hit'] === true) t.match(response.field('age'), /^\d+$/, 'RFC 9111 §5.1: it has an Age');
  const metrics = await house.metrics();
  t.ok(metric(metrics, 'patina_requests_total', `outcome="${kind.outcome}"`, `reason="${detail}"`) >= 1, 'counted');
}

t.test('RFC 9211 §2: every kind of answer tells its kind', async (t) => {
  for (const kind of KINDS) t.test(kind.title, (t) => tellsItsKind(t, kind));
});

t.test('RFC 9211 §2.6: one who waited on another says collapsed', async (t) => {
  const house = await openProxy(t);
  const barrier = createBarrier();
  house.origin.script(
    until(barrier),
    send('HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1\r\n\r\na'),
  );
  const leader = house.get('/x');
  await house.origin.seen(1);
  const waiter = house.get('/x');
  while (metric(await house.metrics(), 'patina_waiters') < 1) await turns(1);
  barrier.open();
  t.equal(cacheStatus(await leader).parameters.get('collapsed'), undefined);
  t.equal(cacheStatus(await waiter).parameters.get('collapsed'), true);
});

t.test("RFC 9211 §2: our member follows those of the origin's side", async (t) => {
  const house = await openProxy(t);
  house.origin.respond(() => ({
    fields: ['Cache-Control', 'max-age=60', 'Cache-Status', 'inner; hit; ttl=9'],
    body: 'x',
  }));
  for (const detail of ['uri-miss', 'fresh']) {
    t.match(
      (await house.get('/x')).field('cache-status'),
      new RegExp(`^inner; hit; ttl=9, patina; .*detail=${detail}$`),
    );
  }
});

t.test('RFC 9111 §5.1: Age is right to the second, across the Age of an upstream cache too', async (t) => {
  const clock = new FakeClock();
  const house = await openProxy(t, { clock, conf: PATIENT });
  house.origin.respond(({ target }) => ({
    fields: ['Cache-Control', 'max-age=100', ...(target === '/aged' ? ['Age', '30'] : [])],
    body: 'x',
  }));
  for (const [target, age] of [
    ['/new', 0],
    ['/aged', 30],
  ] as const) {
    const first = await house.get(target);
    const bornAt = clock.now() - age * 1000;
    t.equal(first.field('age') ?? '0', String(age), target);
    for (const [ms, passed] of [
      [999, 0],
      [1, 1],
      [1000, 2],
      [1999, 3],
      [1, 4],
    ] as const) {
      clock.advance(ms);
      const hit = await house.get(target);
      t.equal(hit.field('age'), String(age + passed), target);
      t.equal(cacheStatus(hit).parameters.get('ttl'), Math.floor(100 - (clock.now() - bornAt) / 1000), target);
    }
  }
});

t.test('metrics: what clients got, what the origin was asked, and what 304s saved', async (t) => {
  const clock = new FakeClock();
  const house = await openProxy(t, { clock, conf: PATIENT });
  const body = 'x'.repeat(5000);
  house.origin.respond((seen) =>
    seen.field('if-none-match') === undefined
      ? { fields: fields('max-age=10'), body }
      : { status: 304, fields: ['ETag', '"1"', 'Cache-Control', 'max-age=10'] },
  );
  await house.get('/x');
  for (let i = 0; i < 3; i++) await house.get('/x');
  clock.advance(11_000);
  await house.get('/x');
  await house.ask(request('POST', '/y', 'Content-Length: 0'));
  await house.ask(`GET /x HTTP/1.1\r\nHost: ${HOST}\r\nHost: ${HOST}\r\n\r\n`);
  await house.answers.reached(7);
  const metrics = await house.metrics();
  for (const [outcome, count] of [
    ['MISS', 1],
    ['HIT', 3],
    ['REVALIDATED', 1],
    ['BYPASS', 1],
    ['ERROR', 1],
  ] as const) {
    t.equal(metric(metrics, 'patina_requests_total', `outcome="${outcome}"`), count, outcome);
  }
  t.equal(metric(metrics, 'patina_saved_body_bytes_total'), body.length);
  t.equal(metric(metrics, 'patina_saved_transfers_total'), 1);
  t.equal(metric(metrics, 'patina_origin_body_bytes_total'), body.length);
  t.equal(metric(metrics, 'patina_response_body_bytes_total', 'outcome="HIT"'), 3 * body.length);
  t.equal(metric(metrics, 'patina_origin_exchanges_total', 'end="not-modified"'), 1);
  t.equal(metric(metrics, 'patina_served_age_seconds_count'), 4);
  t.equal(metric(metrics, 'patina_objects'), 1);
  t.equal(metric(metrics, 'patina_fills_in_flight'), 0);
  t.equal(metric(metrics, 'patina_waiters'), 0);
});

t.test('memory: what is charged returns to zero when all is purged, in the middle of a fill too', async (t) => {
  const house = await openProxy(t);
  house.origin.respond(() => ({ fields: fields('max-age=60'), body: 'x'.repeat(10_000) }));
  for (let i = 0; i < 20; i++) await house.get(`/${i}`);
  const barrier = createBarrier();
  house.origin.script(
    send('HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 200000\r\n\r\n'),
    send(Buffer.alloc(100_000)),
    until(barrier),
    send(Buffer.alloc(100_000)),
  );
  const client = await house.connect();
  const response = await client.send(request('GET', '/filling')).head();
  await response.received(100_000);
  const full = await house.metrics();
  t.ok(metric(full, 'patina_stored_bytes') >= 200_000);
  t.ok(metric(full, 'patina_reserved_bytes') >= 200_000);
  for (let i = 0; i < 20; i++) t.equal(house.proxy.purgeUrl(`http://${HOST}/${i}`), 1);
  house.proxy.purgeUrl(`http://${HOST}/filling`);
  barrier.open();
  t.equal((await response.whole()).body.length, 200_000, 'who reads goes on reading');
  await settled(() => house.asked.length === 21);
  const empty = await house.metrics();
  t.equal(metric(empty, 'patina_objects'), 0);
  t.equal(metric(empty, 'patina_stored_bytes'), 0);
  t.equal(metric(empty, 'patina_reserved_bytes'), 0);
  t.equal((await house.get('/filling')).field('cdn-cache'), 'MISS');
});
