// Goal: what another machine tells is written once for a machine, however many workers hear of it. Method: engines in one process over one disk, each told the same; then the built command and a redis-server.
import t from 'tap';
import { takeNews } from '../../lib/engine/shared-effects.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { SharedClock } from '../../lib/store/shared-clock.js';
import type { News } from '../../lib/store/shared-news.js';
import { variantOf } from '../../lib/store/shared-record.js';
import { makeDirectory } from '../kit/disk.js';
import { turns } from '../kit/lease-desk.js';
import { request } from '../kit/proxy-kit.js';
import { eventually, needsRedis, startRedis } from '../kit/redis-server.js';
import { type SiblingCrew, type SiblingWorker, startSiblings } from '../kit/sibling-workers.js';
import { startCrew } from './crew.kit.js';

const URL = 'http://example.test/a';
const LIVING = { 'Cache-Control': 'max-age=10, stale-while-revalidate=60', ETag: '"1"' };
const SELECTION = { names: [], values: [] };
const NEWS: News = { by: 'another', key: URL, variant: variantOf(SELECTION), what: 'kept', how: {}, record: undefined };

/** All have it in memory, and it is on disk. */
async function allHave(crew: SiblingCrew): Promise<StoredResponse> {
  for (const { walk } of crew.workers) {
    const before = walk.origin.count;
    walk.get('/a');
    await turns();
    if (walk.origin.count > before) walk.origin.last.respond(200, LIVING, 'hello');
    await turns();
  }
  await crew.written();
  const stored = crew.workers[0]?.walk.engine.parts.store.peek(URL)?.[0];
  if (stored === undefined) throw new Error('nothing is stored');
  return stored;
}

/** Every worker hears of a record that was asked for just now: around the same body, or around another. */
async function tell(crew: SiblingCrew, stored: StoredResponse, isSameBody: boolean): Promise<void> {
  crew.clock.advance(1_000);
  const now = crew.clock.now();
  const next = { ...stored, requestedAt: now, fields: stored.fields.set('X-Round', '2') };
  const around = (held: StoredResponse): StoredResponse | undefined =>
    isSameBody ? { ...next, body: held.body } : undefined;
  for (const [at, { walk }] of crew.workers.entries()) {
    const tier = { around, clock: new SharedClock(crew.clock) };
    takeNews(walk.engine, tier, NEWS, { response: next, body: undefined }, at === 0 ? 'here' : 'elsewhere');
  }
  await crew.written();
}

function onDisk({ bench }: SiblingWorker): StoredResponse | undefined {
  return bench?.tier.find(URL)[0];
}

for (const isSameBody of [true, false]) {
  t.test(`issue 5: news of ${isSameBody ? 'the same body' : 'another body'} are written by one worker`, async (t) => {
    const crew = startSiblings(t, { workers: 3 });
    const stored = await allHave(crew);
    await tell(crew, stored, isSameBody);
    t.same(
      crew.writes().map(({ header }) => header),
      [1, 0, 0],
    );
    for (const { walk } of crew.workers) {
      const held = walk.engine.parts.store.peek(URL)?.[0];
      if (isSameBody) t.equal(held?.fields.first('x-round'), '2', 'all have it in memory');
      else t.equal(held?.expiredAt, crew.clock.now(), 'what each has in memory is stale');
    }
  });

  t.test('issue 5: the one that writes does so too where it has it on disk alone', async (t) => {
    const crew = startSiblings(t, { workers: 2 });
    const stored = await allHave(crew);
    const [first] = crew.workers;
    first?.bench?.memory.removeKey(URL, 'evicted');
    await tell(crew, stored, isSameBody);
    t.same(
      crew.writes().map(({ header }) => header),
      [1, 0],
    );
    const below = first === undefined ? undefined : onDisk(first);
    if (isSameBody) t.equal(below?.fields.first('x-round'), '2');
    else t.ok(below?.expiredAt !== undefined);
  });
}

t.test('issue 5: a machine of several workers writes what another one has refreshed once', needsRedis(), async (t) => {
  const redis = await startRedis(t);
  const shared = `debug_header: CDN-Cache\ndefaults: {ttl: 2s, grace: 1h}`;
  const cacheOf = (disk: string): string => `cache: {redis: {url: "${redis.url}", timeout: 500ms}${disk}}`;
  const here = await startCrew(t, { workers: 1, conf: `${shared}\n${cacheOf('')}` });
  const there = await startCrew(t, {
    workers: 2,
    conf: `${shared}\n${cacheOf(`, disk: {path: ${makeDirectory(t)}}`)}`,
  });
  for (const { origin } of [here, there]) {
    origin.respond((asked) => ({
      status: asked.field('if-none-match') === undefined ? 200 : 304,
      fields: ['ETag', '"1"'],
      ...(asked.field('if-none-match') === undefined ? { body: 'hello' } : {}),
    }));
  }
  const up = (crew: typeof here) => async () => (await crew.metric('patina_shared_up')) === 1;
  await eventually(up(here), 'here is connected');
  await eventually(up(there), 'both workers there are connected');
  for (const client of await there.eachWorker()) await client.send(request('GET', '/a')).response();
  await eventually(async () => (await there.metric('patina_disk_records')) === 1, 'it is on disk');
  const client = await here.connect();
  await client.send(request('GET', '/a')).response();
  const heard = () => there.metric('patina_shared_messages_total');
  await eventually(async () => (await heard()) === 2, 'both workers there have heard of what they stored');
  await eventually(async () => {
    await client.send(request('GET', '/a')).response();
    return here.origin.requests.length > 0;
  }, 'here refreshes it');
  await eventually(async () => (await heard()) >= 4, 'both workers there hear of it');
  await eventually(async () => (await there.metric('patina_disk_pending_bytes')) === 0, 'nothing waits');
  const headers = await there.metric('patina_disk_writes_total', 'kind="header"');
  t.ok(headers <= 1, `${headers} writes`);
});
