// Goal: a machine of several workers tells other machines of an operation once, and hears theirs in all workers. Method: two built commands, one redis-server.
import t from 'tap';
import { createBarrier } from '../kit/barrier.js';
import { HOST, request } from '../kit/proxy-kit.js';
import type { RawClient } from '../kit/raw-client.js';
import { eventually, needsRedis, type RedisServer, startRedis, surelyOlder } from '../kit/redis-server.js';
import { startCrew } from './crew.kit.js';

const SHARED = ['Cache-Control', 'max-age=600', 'ETag', '"1"', 'Cache-Tag', 'all'];
const url = (path: string): string => `http://${HOST}${path}`;

t.test('issue 5: an operation on several workers is told to other machines once', needsRedis(), async (t) => {
  const redis = await startRedis(t);
  const conf = `debug_header: CDN-Cache\ncache: {redis: {url: "${redis.url}", timeout: 500ms}}`;
  const [here, there] = await Promise.all([startCrew(t, { conf }), startCrew(t, { conf })]);
  for (const { origin } of [here, there]) origin.respond(() => ({ fields: SHARED, body: 'hello' }));
  const isUp = async () =>
    (await here.metric('patina_shared_up')) === 1 && (await there.metric('patina_shared_up')) === 1;
  await eventually(isUp, 'all workers are connected');
  const told = (): Promise<number> => redis.client.xlen('patina:log:{ops}');
  const clients = await there.eachWorker();
  for (const client of clients) await client.send(request('GET', '/a')).response();
  t.equal(there.origin.requests.length, 1, 'the lease of the workers comes first');
  await here.call('/v1/purge', 'POST', { url: url('/a') });
  await eventually(async () => (await told()) >= 1, 'it is told');
  await eventually(
    async () => (await there.metric('patina_objects')) === 0,
    'all workers of the other machine drop it',
  );
  await here.call('/v1/expire', 'POST', { tag: 'all' });
  await eventually(async () => (await told()) >= 2, 'so is that');
  await here.call('/v1/purge', 'POST', { prefix: url('/') });
  await eventually(async () => (await told()) >= 3, 'and that');
  t.equal(await told(), 3, 'once each');
});

/** The leases of a key, as they lie in Redis. */
async function leasesOf({ client }: RedisServer): Promise<string[]> {
  const [name] = (await client.keys('patina:{*}')).filter((key) => key.endsWith('}'));
  const fields = name === undefined ? {} : await client.hgetall(name);
  return Object.entries(fields).flatMap(([field, value]) => (field.startsWith('l') ? [value.slice(20)] : []));
}

t.test(
  'issue 5: what a worker that dies held among machines is free at once, and one of those who wait asks',
  needsRedis(),
  async (t) => {
    const redis = await startRedis(t);
    const conf = `debug_header: CDN-Cache\ncache: {redis: {url: "${redis.url}", timeout: 500ms, lease: 600s}}`;
    const [here, there] = await Promise.all([startCrew(t, { conf }), startCrew(t, { conf })]);
    const answered = createBarrier();
    for (const { origin } of [here, there]) {
      origin.respond(async () => {
        await answered.passed;
        return { fields: SHARED, body: 'hello' };
      });
    }
    for (const crew of [here, there]) {
      await eventually(async () => (await crew.metric('patina_shared_up')) === 1, 'all workers are connected');
    }
    const [dying, other] = await here.eachWorker();
    const [elsewhere] = await there.eachWorker();
    dying.send(request('GET', '/a'));
    await here.origin.seen(1);
    const [held] = await leasesOf(redis);
    const waiting = elsewhere.send(request('GET', '/a')).response();
    await eventually(async () => (await there.metric('patina_shared_waiting')) === 1, 'the other machine waits for it');
    process.kill(here.first?.pid ?? 0, 'SIGKILL');
    await there.origin.seen(1);
    const [next] = await leasesOf(redis);
    t.ok(next !== undefined && next !== held, `held by ${next} after ${held}`);
    const beside = other.send(request('GET', '/a')).response();
    answered.open();
    t.equal((await waiting).body.toString(), 'hello');
    t.equal((await beside).body.toString(), 'hello', 'and the workers beside it wait for who asks now');
    t.equal(here.origin.requests.length, 1);
  },
);

t.test(
  'issue 5: where nobody serves when a worker dies, the next that does gives back what it held',
  needsRedis(),
  async (t) => {
    const redis = await startRedis(t);
    const crew = await startCrew(t, { conf: `cache: {redis: {url: "${redis.url}", timeout: 500ms, lease: 600s}}` });
    await eventually(async () => (await crew.metric('patina_shared_up')) === 1, 'all workers are connected');
    const client = await crew.connect();
    client.send(request('GET', '/a'));
    await crew.origin.seen(1);
    t.equal((await leasesOf(redis)).length, 1);
    for (const { pid } of await crew.workers()) process.kill(pid, 'SIGKILL');
    await eventually(async () => (await leasesOf(redis)).length === 0, 'it is given back');
  },
);

t.test(
  'issue 5: a pushed response too large to be shared stays with all workers of its machine, and others drop the one before',
  needsRedis(),
  async (t) => {
    const redis = await startRedis(t);
    const conf = `cache: {redis: {url: "${redis.url}", timeout: 500ms, max_body: 1KB}}`;
    const [here, there] = await Promise.all([startCrew(t, { conf }), startCrew(t, { conf })]);
    for (const { origin } of [here, there]) origin.respond(() => ({ fields: SHARED, body: 'fetched' }));
    for (const crew of [here, there]) {
      await eventually(async () => (await crew.metric('patina_shared_up')) === 1, 'all workers are connected');
    }
    const ours = await here.eachWorker();
    const theirs = await there.eachWorker();
    const bodies = async (clients: readonly RawClient[]): Promise<string[]> => {
      const answers = await Promise.all(clients.map((client) => client.send(request('GET', '/a')).response()));
      return answers.map(({ body }) => body.toString());
    };
    const push = (body: string) => here.call(`/v1/objects?url=${encodeURIComponent(url('/a'))}`, 'PUT', body);
    const heard = () => there.metric('patina_shared_messages_total');
    await push('first');
    const heardHere = () => here.metric('patina_shared_messages_total');
    // Of the second one nothing may be left to be heard.
    const areTold = async () => (await heard()) === 2 && (await heardHere()) === 2;
    await eventually(areTold, 'all workers of both machines hear of it');
    t.same(await bodies([...ours, ...theirs]), ['first', 'first', 'first', 'first']);
    await surelyOlder();
    const large = 'x'.repeat(2_000);
    await push(large);
    await eventually(async () => (await heard()) === 4, 'of the larger one as well');
    await eventually(async () => (await heardHere()) === 4, 'as do the workers beside the one that tells of it');
    t.same(await bodies(ours), [large, large]);
    t.equal(here.origin.requests.length, 0);
    t.same(await bodies(theirs), ['fetched', 'fetched'], 'and the other machine asks its origin');
  },
);
