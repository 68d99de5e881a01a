// Goal: what an operator pushes on one machine takes the place of what all of them had, and of nothing that was pushed for others. Method: two whole proxies, and a real redis-server between them.
import t from 'tap';
import { makeDirectory } from '../kit/disk.js';
import { cacheStatus, type OpenProxy, openProxy, TOKEN } from '../kit/proxy-kit.js';
import { eventually, needsRedis, startRedis, surelyOlder } from '../kit/redis-server.js';
import { type Hearing, isPush, listenIn } from './hearing.kit.js';
import { heard, LIVING, type Machines, openMachines } from './machines.kit.js';

const VARIED = ['Vary', 'Accept-Language'];
const language = (name: string): string => `Accept-Language: ${name}`;

/** Two machines before an origin that says which version it has, in any language. */
async function open(
  t: Parameters<typeof openMachines>[0],
  settings: Readonly<Record<string, unknown>> = {},
): Promise<Machines & { publish(): void }> {
  let version = 1;
  const answer = () => ({ fields: [...LIVING, ...VARIED], body: `version ${version}` });
  const machines = await openMachines(t, answer, {}, settings);
  return { ...machines, publish: () => version++ };
}

/** Pushes it on a machine for a language, and waits until the other one has heard of that: who asks the origin before it has, has something newer. */
async function push(hearing: Hearing, house: OpenProxy, to: OpenProxy, name: string, body: string): Promise<void> {
  const before = hearing.count;
  const target = `/v1/objects?url=${encodeURIComponent('http://a.example/a')}`;
  const lines = ['Cache-Control: max-age=60', 'Vary: Accept-Language', `Patina-Request-${language(name)}`];
  const pushed = await house.operate('PUT', target, body, undefined, lines);
  if (pushed.status !== 200) throw new Error(`${pushed.status} ${pushed.body.toString()}`);
  await heard(to, await hearing.told(isPush, before));
}

async function bodyOf(house: OpenProxy, name: string): Promise<string> {
  return (await house.get('/a', language(name))).body.toString();
}

function becomes(house: OpenProxy, name: string, body: string, what: string): Promise<void> {
  return eventually(async () => (await bodyOf(house, name)) === body, what);
}

t.test(
  'issue 5: a pushed response takes the place of variants of its URL that only another machine has seen',
  needsRedis(),
  async (t) => {
    const { hearing, here, there, publish } = await open(t);
    for (const name of ['de', 'fr']) t.equal(await bodyOf(there, name), 'version 1');
    await heard(here, 2);
    publish();
    await push(hearing, here, there, 'en', 'pushed');
    await becomes(there, 'en', 'pushed', 'it is there as well');
    await becomes(there, 'de', 'version 2', 'one of the others is gone there');
    await becomes(here, 'fr', 'version 2', 'and one does not come back from Redis');
  },
);

t.test(
  'issue 5: a machine that has variants alone, because they are too large to be shared, drops them for a pushed response',
  needsRedis(),
  async (t) => {
    const { redis, hearing, here, there, publish } = await open(t, { max_body: '8B' });
    t.equal(await bodyOf(there, 'de'), 'version 1');
    publish();
    await push(hearing, here, there, 'en', 'pushed');
    await becomes(there, 'de', 'version 2', 'it is gone there');
    t.equal(await redis.client.xlen('patina:log:{ops}'), 0, 'of what nobody else can have the log says nothing');
  },
);

t.test('issue 5: what was pushed for other values stays on all machines', needsRedis(), async (t) => {
  const { redis, hearing, here, there } = await open(t);
  await push(hearing, here, there, 'en', 'english');
  await becomes(there, 'en', 'english', 'it is there as well');
  await push(hearing, there, here, 'de', 'deutsch');
  await becomes(here, 'de', 'deutsch', 'so is that');
  for (const house of [here, there]) {
    for (const [name, body] of Object.entries({ en: 'english', de: 'deutsch' }))
      t.equal(await bodyOf(house, name), body);
  }
  t.equal(here.origin.requestCount, 0);
  t.equal(await redis.client.xlen('patina:log:{ops}'), 0, 'who pushes a whole site does not fill the log');
});

t.test(
  'issue 5: a pushed response that cannot be shared takes the place of what was pushed before on other machines',
  needsRedis(),
  async (t) => {
    const { hearing, here, there } = await open(t, { max_body: '1KB' });
    await push(hearing, here, there, 'de', 'deutsch');
    await push(hearing, here, there, 'en', 'first');
    await becomes(there, 'de', 'deutsch', 'both are there');
    await becomes(there, 'en', 'first', 'as well');
    await surelyOlder();
    const large = 'x'.repeat(2_000);
    await push(hearing, here, there, 'en', large);
    t.equal(await bodyOf(here, 'en'), large);
    await becomes(there, 'en', 'version 1', 'that machine asks the origin');
    for (const house of [here, there]) t.equal(await bodyOf(house, 'de'), 'deutsch', 'what is for others stays');
  },
);

t.test(
  'issue 5: a pushed response that cannot be shared takes the place of one that was pushed a moment before it',
  needsRedis(),
  async (t) => {
    const { redis, here, there } = await open(t, { max_body: '1KB' });
    const large = 'x'.repeat(2_000);
    const target = `/v1/objects?url=${encodeURIComponent('http://a.example/a')}`;
    const lines = ['Cache-Control: max-age=60', 'Vary: Accept-Language', `Patina-Request-${language('en')}`];
    for (const body of ['first', large]) {
      t.equal((await here.operate('PUT', target, body, undefined, lines)).status, 200);
    }
    await eventually(async () => (await redis.client.xlen('patina:log:{ops}')) > 0, 'the log says so');
    t.equal(await bodyOf(here, 'en'), large);
    await becomes(there, 'en', 'version 1', 'the other machine asks the origin');
  },
);

t.test(
  'issue 5: a pushed response that cannot be shared outlives a restart of its machine',
  needsRedis(),
  async (t) => {
    const redis = await startRedis(t);
    const hearing = await listenIn(redis);
    const disk = { path: makeDirectory(t), size: '64MB' };
    const cache = { memory: '16MB', disk, redis: { url: redis.url, timeout: '500ms', max_body: '1KB' } };
    const start = async (): Promise<OpenProxy> => {
      const house = await openProxy(t, { token: TOKEN, conf: { cache } });
      house.origin.respond(() => ({ fields: [...LIVING, ...VARIED], body: 'fetched' }));
      await eventually(() => house.notices.includes('shared-up'), 'it is connected');
      return house;
    };
    const before = await start();
    const large = 'x'.repeat(2_000);
    await push(hearing, before, before, 'en', large);
    await eventually(async () => (await redis.client.xlen('patina:log:{ops}')) === 1, 'the log says so');
    t.equal(await bodyOf(before, 'en'), large);
    await before.proxy.close();
    const after = await start();
    const answer = await after.get('/a', language('en'));
    t.equal(cacheStatus(answer).parameters.get('hit'), true);
    t.equal(answer.body.toString(), large);
  },
);

for (const push of ['not_found', 'origin']) {
  t.test(`issue 5: a rule with push: ${push} serves what was pushed on another machine`, needsRedis(), async (t) => {
    const defaults = { push };
    const { here, there } = await openMachines(t, () => ({ fields: LIVING, body: 'of the origin' }), { defaults });
    const nothing = push === 'origin' ? [200, 'of the origin'] : [404, 'Nothing was pushed for this resource.\n'];
    const before = await there.get('/a');
    t.same([before.status, before.body.toString()], nothing, 'nothing was pushed yet');
    for (const [at, size] of [10, 700_000].entries()) {
      const body = 'x'.repeat(size);
      const target = `/v1/objects?url=${encodeURIComponent(`http://a.example/${at}`)}`;
      t.equal((await here.operate('PUT', target, body, undefined, ['Cache-Control: max-age=60'])).status, 200);
      await eventually(async () => (await there.get(`/${at}`)).body.toString() === body, `${size} bytes are had there`);
    }
    t.equal(cacheStatus(await there.get('/0')).parameters.get('hit'), true);
    t.equal((await there.get('/none')).status, nothing[0]);
  });
}
