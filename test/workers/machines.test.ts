// Goal: a machine of several workers tells other machines of an operation once, and hears theirs in all workers. Method: two built commands, one redis-server.
import t from 'tap';
import { HOST, request } from '../kit/proxy-kit.js';
import { eventually, needsRedis, startRedis } from '../kit/redis-server.js';
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
