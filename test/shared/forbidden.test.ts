// Goal: a Redis whose user may not do all that is asked of it is told of in one line, nobody waits for what it keeps back, and its client library prints nothing. Method: whole proxies, a real redis-server with users of several kinds, the console listened to.
import t, { type Test } from 'tap';
import { createBarrier } from '../kit/barrier.js';
import { startFakeRedis } from '../kit/fake-redis.js';
import { metric, type OpenProxy, openProxy } from '../kit/proxy-kit.js';
import { eventually, needsRedis, type RedisServer, startRedis } from '../kit/redis-server.js';
import { LIVING, openMachinesAt } from './machines.kit.js';

const USER = { username: 'shop', password: 'sesame-1234' };
const MAY = [
  'on',
  `>${USER.password}`,
  '~*',
  '&*',
  '+@read',
  '+@write',
  '+@scripting',
  '+@pubsub',
  '+@connection',
  '+time',
];

async function allow(redis: RedisServer, ...may: string[]): Promise<void> {
  await redis.client.call('ACL', 'SETUSER', USER.username, ...may);
}

function linesOf({ said }: OpenProxy): string[] {
  return said.filter((line) => line.startsWith('shared-'));
}

t.test('issue 5: a server at which nobody may publish is not used, and why is told once', needsRedis(), async (t) => {
  const redis = await startRedis(t);
  await allow(redis, ...MAY, '+info', '-publish');
  const house = await openProxy(t, { conf: { cache: { redis: { url: redis.url, ...USER } } } });
  house.origin.respond(() => ({ fields: LIVING, body: 'hello' }));
  await eventually(() => linesOf(house).length > 0, 'it is told');
  t.match(linesOf(house), [/^shared-down: .*PUBLISH/]);
  t.equal((await house.get('/a')).body.toString(), 'hello');
  t.equal(metric(await house.metrics(), 'patina_shared_up'), 0);
  await allow(redis, '+publish');
  await eventually(() => linesOf(house).length > 1, 'it is tried again');
  t.match(linesOf(house).at(-1), /^shared-up/);
});

t.test(
  'issue 5: who waits for another machine is sent on once nobody may publish: what it waits for would not be told',
  needsRedis(),
  async (t) => {
    const redis = await startRedis(t);
    await allow(redis, ...MAY, '+info');
    const [asked, answered] = [createBarrier(), createBarrier()];
    const respond = async () => {
      asked.open();
      await answered.passed;
      return { fields: LIVING, body: 'hello' };
    };
    const { here, there } = await openMachinesAt(redis, t, respond, {}, { ...USER, lease: '600s' });
    const first = here.get('/a');
    await asked.passed;
    const second = there.get('/a');
    await eventually(async () => metric(await there.metrics(), 'patina_shared_waiting') === 1, 'the other one waits');
    await allow(redis, '-publish');
    answered.open();
    t.equal((await first).body.toString(), 'hello');
    t.equal((await second).body.toString(), 'hello', 'long before the lease lapses');
    await eventually(() => [here, there].every((house) => linesOf(house).length > 1), 'it is told');
    for (const house of [here, there]) t.match(linesOf(house), [/^shared-up/, /^shared-down: .*PUBLISH/]);
  },
);

/** What is written to the console by others than us while a test runs. */
function heardConsole(t: Test): string[] {
  const lines: string[] = [];
  const { warn, error, log } = console;
  const hear = (...words: unknown[]): void => void lines.push(words.join(' '));
  Object.assign(console, { warn: hear, error: hear, log: hear });
  t.teardown(() => Object.assign(console, { warn, error, log }));
  return lines;
}

t.test('issue 5: a user that may not ask for INFO is enough, and no line is about it', needsRedis(), async (t) => {
  const redis = await startRedis(t);
  await allow(redis, ...MAY, '-info');
  const lines = heardConsole(t);
  const { here, there } = await openMachinesAt(redis, t, () => ({ fields: LIVING, body: 'hello' }), {}, USER);
  await here.get('/a');
  const hits = async () => /; hit;/.test((await there.get('/a')).field('cache-status') ?? '');
  await eventually(hits, 'it is shared');
  t.same(lines, []);
  for (const house of [here, there]) t.match(linesOf(house), [/^shared-up/]);
});

for (const [what, answer] of [
  ['no password', 'ERR Client sent AUTH, but no password is set'],
  [
    'no password of its default user',
    'ERR AUTH <password> called without any password configured for the default user.',
  ],
] as const) {
  t.test(
    `issue 5: a server that wants ${what} is used, though one is configured, and a line says so, once, that is ours`,
    async (t) => {
      const lines = heardConsole(t);
      const fake = await startFakeRedis(t);
      fake.answers['AUTH'] = () => new Error(answer);
      const url = `redis://127.0.0.1:${fake.port}`;
      const house = await openProxy(t, { conf: { cache: { redis: { url, password: USER.password } } } });
      await eventually(() => linesOf(house).length > 1, 'it is told');
      t.match(linesOf(house), [/^shared-unguarded: .* no password/, /^shared-up/]);
      fake.drop();
      await eventually(() => linesOf(house).length > 3, 'it is there again');
      t.match(linesOf(house).slice(2), [/^shared-down/, /^shared-up/]);
      t.same(lines, []);
    },
  );
}

t.test('issue 5: a server too old for users is told of, without a line of another', async (t) => {
  const lines = heardConsole(t);
  const fake = await startFakeRedis(t);
  fake.answers['AUTH'] = () => new Error("ERR wrong number of arguments for 'auth' command");
  const house = await openProxy(t, { conf: { cache: { redis: { url: `redis://127.0.0.1:${fake.port}`, ...USER } } } });
  await eventually(() => linesOf(house).length > 0, 'it is told');
  t.match(linesOf(house), [/^shared-down: .*6\.2/]);
  t.same(lines, []);
});
