// Goal: a body too large for the memory of a worker that follows it is asked for once, however many clients wait there. Method: engines in one process, over one file and one table of leases.
import t, { type Test } from 'tap';
import { SPILL_FROM_BYTES } from '../../lib/base/disk-limits.js';
import { MAX_COPIES_AT_ONCE, MAX_LOOKUPS_PER_REQUEST } from '../../lib/base/limits.js';
import { turns } from '../kit/lease-desk.js';
import { type SiblingCrew, type SiblingWorker, startSiblings } from '../kit/sibling-workers.js';
import type { PlayedClient, PlayedExchange } from '../kit/walk.js';

const MB = 1024 * 1024;
/** More than the looks that one request has. */
const WAITERS = MAX_LOOKUPS_PER_REQUEST + 3;
const LIVING = { 'Cache-Control': 'max-age=10', ETag: '"1"', 'Accept-Ranges': 'bytes' };

/** Pieces of a body in which each place tells where it is, and of which body. */
function pieces(name: string, bytes: number): string[] {
  const places = (piece: number): string =>
    Array.from({ length: MB / 16 }, (_, at) => `${name}${piece * MB + at * 16} `.padStart(16, '.')).join('');
  return Array.from({ length: bytes / MB }, (_, piece) => places(piece));
}

const PIECES = pieces('a', SPILL_FROM_BYTES + 2 * MB);
const WHOLE = PIECES.join('');
const LARGE = { ...LIVING, 'Content-Length': String(WHOLE.length) };

function two(crew: SiblingCrew): [SiblingWorker, SiblingWorker] {
  const [one, other] = crew.workers;
  if (one === undefined || other === undefined) throw new Error('there are no two');
  return [one, other];
}

function clients({ walk }: SiblingWorker, count: number): PlayedClient[] {
  return Array.from({ length: count }, () => walk.get('/a'));
}

/** One asks, and as many clients as that wait in the other when the head of the answer comes. */
async function following(crew: SiblingCrew, count: number, fields: Readonly<Record<string, string>> = LARGE) {
  const [one, other] = two(crew);
  const first = one.walk.get('/a');
  await turns();
  const waiting = clients(other, count);
  await turns();
  const exchange = one.walk.origin.last.head(200, fields);
  // Each that takes its own needs a few turns for it.
  for (let n = 0; n < count; n++) await turns();
  return { one, other, first, waiting, exchange };
}

async function send(crew: SiblingCrew, exchange: PlayedExchange, parts: readonly string[]): Promise<void> {
  for (const part of parts) {
    exchange.data(part);
    await turns();
    await crew.written();
  }
}

async function finish(crew: SiblingCrew, exchange: PlayedExchange): Promise<void> {
  exchange.end();
  await turns();
  await crew.written();
  await turns();
}

function allHave(t: Test, readers: readonly PlayedClient[], body = WHOLE): void {
  const wrong = readers.filter((client) => client.ending !== 'finished' || client.body !== body);
  t.same(
    wrong.map(({ ending, status, reason, body: { length } }) => ({ ending, status, reason, length })),
    [],
  );
}

function bodiesOnDisk({ bench }: SiblingWorker): number {
  const ids = new Set<string>();
  bench?.file.refresh();
  bench?.file.tables.bodies.range(Buffer.of(0), Buffer.alloc(16, 0xff), (key) => {
    ids.add(key.subarray(0, key.length - 4).toString('hex'));
    return true;
  });
  return ids.size;
}

t.test('issue 5: a large body is asked for once, however many wait for it in another worker', async (t) => {
  const crew = startSiblings(t);
  const { one, other, first, waiting, exchange } = await following(crew, WAITERS);
  await send(crew, exchange, PIECES.slice(0, 3));
  const late = [...clients(other, WAITERS), ...clients(one, 2)];
  await turns();
  t.same(
    [...waiting, ...late].map(({ body }) => body.length),
    Array.from({ length: 2 * WAITERS + 2 }, () => 3 * MB),
    'as it comes, from the first byte on',
  );
  await send(crew, exchange, PIECES.slice(3));
  await finish(crew, exchange);
  allHave(t, [first, ...waiting, ...late]);
  t.equal(crew.asked, 1);
  t.equal(one.bench?.file.tables.records.count, 1);
  t.same(crew.writes()[1], { response: 0, header: 0 }, 'who asked writes it');
});

t.test('issue 5: so it is where it takes the place of one that is stale', async (t) => {
  const crew = startSiblings(t);
  const before = await following(crew, WAITERS);
  await send(crew, before.exchange, PIECES);
  await finish(crew, before.exchange);
  crew.clock.advance(10_000);
  const newer = pieces('b', WHOLE.length);
  const { first, waiting, exchange } = await following(crew, WAITERS, { ...LARGE, ETag: '"2"' });
  t.equal(exchange.field('if-none-match'), '"1"');
  await send(crew, exchange, newer);
  await finish(crew, exchange);
  allHave(t, [first, ...waiting], newer.join(''));
  t.equal(crew.asked, 2);
});

t.test(
  'decision 0009: one client alone takes it at its own pace, without the disk, and others join one copy',
  async (t) => {
    const crew = startSiblings(t);
    const { other, first, waiting, exchange } = await following(crew, 1);
    await send(crew, exchange, PIECES.slice(0, 2));
    t.equal(bodiesOnDisk(other), 1, 'that of the worker that asked');
    const late: PlayedClient[] = [];
    for (let n = 0; n < WAITERS; n++) {
      late.push(...clients(other, 1));
      await turns();
    }
    await send(crew, exchange, PIECES.slice(2));
    t.equal(bodiesOnDisk(other), 2, 'and one that all of these read');
    await finish(crew, exchange);
    allHave(t, [first, ...waiting, ...late]);
    t.equal(crew.asked, 1);
  },
);

t.test('issue 5: where it can be kept nowhere here, each has it sent from the other worker', async (t) => {
  const crew = startSiblings(t, { hasDisk: false });
  const [, other] = two(crew);
  other.walk.engine.parts.store.reserve = () => false;
  const count = MAX_COPIES_AT_ONCE + WAITERS;
  const { first, waiting, exchange } = await following(crew, count);
  const begun = waiting.filter(({ ending }) => ending === 'streaming');
  t.equal(begun.length, MAX_COPIES_AT_ONCE + 1, 'so many at once');
  await send(crew, exchange, PIECES);
  await finish(crew, exchange);
  for (let n = 0; n < WAITERS; n++) await turns();
  allHave(t, [first, ...waiting]);
  t.equal(crew.asked, 1);
});

t.test('issue 5: who waits for others to be through waits for no longer than a request may', async (t) => {
  const crew = startSiblings(t, { hasDisk: false, waitMs: 5_000 });
  const [, other] = two(crew);
  other.walk.engine.parts.store.reserve = () => false;
  const { waiting } = await following(crew, MAX_COPIES_AT_ONCE + WAITERS);
  waiting.at(-1)?.leave();
  crew.clock.advance(5_000);
  const statuses = waiting.map(({ status }) => status);
  t.equal(statuses.filter((status) => status === 200).length, MAX_COPIES_AT_ONCE + 1);
  t.equal(statuses.filter((status) => status === 504).length, WAITERS - 2);
  t.equal(crew.asked, 1);
});

t.test(
  'decision 0010: where the worker that asked dies, one asks for the rest for all clients of another',
  async (t) => {
    const crew = startSiblings(t);
    const { one, other, waiting, exchange } = await following(crew, WAITERS);
    await send(crew, exchange, PIECES.slice(0, 3));
    crew.kill(one);
    await turns();
    t.equal(other.walk.origin.count, 1);
    const rest = other.walk.origin.last;
    const [from, last] = [3 * MB, WHOLE.length - 1];
    t.same([rest.field('range'), rest.field('if-range')], [`bytes=${from}-`, '"1"']);
    rest.head(206, { ...LIVING, 'Content-Range': `bytes ${from}-${last}/${WHOLE.length}` });
    const late = clients(other, 2);
    await send(crew, rest, PIECES.slice(3));
    await finish(crew, rest);
    allHave(t, [...waiting, ...late]);
    const after = other.walk.get('/a');
    t.equal(after.outcome, 'HIT', 'it is stored by who went on');
    allHave(t, [after]);
    t.equal(other.walk.origin.count, 1);
  },
);

for (const [what, length] of [
  ['said to be large', { 'Content-Length': String(WHOLE.length) }],
  ['that turns out to be large', {}],
] as const) {
  t.test(`issue 5: of a body ${what} that has to be validated at each use, each worker asks for one`, async (t) => {
    const crew = startSiblings(t);
    const fields = { 'Cache-Control': 'no-cache', ETag: '"1"', ...length };
    const { other, first, waiting, exchange } = await following(crew, WAITERS, fields);
    await send(crew, exchange, PIECES);
    await turns();
    t.equal(other.walk.origin.count, 1, 'for all who wait there');
    const own = other.walk.origin.last.head(200, fields);
    await send(crew, own, PIECES);
    await finish(crew, own);
    await finish(crew, exchange);
    allHave(t, [first, ...waiting]);
    t.equal(crew.asked, 2);
    t.same(crew.writes()[1], { response: 0, header: 1 }, 'and writes the record of it, behind the body');
  });
}
