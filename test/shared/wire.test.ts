// Goal: whatever a shared tier answers, or does not, clients get the right bytes in time. Method: a proxy before a server that plays Redis and fails, lies, is slow, or cuts connections.
import t, { type Test } from 'tap';
import { SharedRefusals } from '../../lib/store/shared-refusals.js';
import { createBarrier } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { cut, type FakeRedis, type FakeReply, hang, startFakeRedis } from '../kit/fake-redis.js';
import { metric, type OpenProxy, openProxy, TOKEN } from '../kit/proxy-kit.js';
import { eventually } from '../kit/redis-server.js';

async function beforeFake(
  t: Test,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<{ fake: FakeRedis; house: OpenProxy }> {
  const fake = await startFakeRedis(t);
  const redis = { url: `redis://127.0.0.1:${fake.port}`, timeout: '500ms', ...settings };
  const house = await openProxy(t, { token: TOKEN, conf: { cache: { redis } } });
  house.origin.respond(({ target }) => ({ fields: ['Cache-Control', 'max-age=60'], body: target }));
  await eventually(() => house.notices.includes('shared-up'), 'it is used');
  return { fake, house };
}

const NOW = (): string => String(Date.now());

/** Answers to a lookup that no Redis gives. */
const LIES: readonly (readonly [string, () => FakeReply])[] = [
  ['an error', () => new Error('ERR no')],
  ['OOM', () => new Error("OOM command not allowed when used memory > 'maxmemory'.")],
  ['a read-only replica', () => new Error("READONLY You can't write against a read only replica.")],
  ['no list', () => 'OK'],
  ['null', () => null],
  ['an empty list', () => []],
  ['another word', () => [NOW(), 'mine', '0', []]],
  ['no time', () => ['yesterday', 'held', '1000', []]],
  ['found, and nothing in it', () => [NOW(), 'found', '0', []]],
  ['found, and rubbish in it', () => [NOW(), 'found', '0', ['x'.repeat(200), '9'.repeat(40), '']]],
  ['numbers for records', () => [NOW(), 'found', '0', [1, 2]]],
  ['a cut connection', () => cut],
];

for (const [title, answer] of LIES) {
  t.test(`issue 5: ${title} in answer to a lookup is as if the tier were not there`, async (t) => {
    const { fake, house } = await beforeFake(t);
    let lookups = 0;
    fake.answers['look'] = (command) => {
      lookups++;
      return command[8] === 'blind' ? new Error('ERR no') : answer();
    };
    const response = await house.get('/a');
    t.equal(response.status, 200);
    t.equal(response.body.toString(), '/a');
    t.equal(house.origin.requestCount, 1);
    t.ok(lookups > 0);
  });
}

t.test(
  'issue 5: failures in a row make it count as gone: then nothing is sent, until a try in the background succeeds',
  async (t) => {
    const { fake, house } = await beforeFake(t);
    fake.answers['look'] = () => new Error('ERR no');
    fake.answers['readOps'] = () => new Error('ERR no');
    for (let n = 0; n < 5; n++) t.equal((await house.get(`/${n}`)).status, 200);
    t.strictSame(
      house.notices.filter((code) => code.startsWith('shared-')),
      ['shared-up', 'shared-down'],
    );
    const sent = fake.sent('look').length;
    for (let n = 5; n < 20; n++) t.equal((await house.get(`/${n}`)).status, 200);
    t.equal(fake.sent('look').length, sent, 'nobody asks it');
    delete fake.answers['look'];
    fake.answers['look'] = (command) => [NOW(), 'held', command[6] ?? '', []];
    fake.answers['readOps'] = () => [Buffer.from(NOW()), Buffer.from(''), []];
    await eventually(async () => metric(await house.metrics(), 'patina_shared_up') === 1, 'it is back');
    await house.get('/again');
    t.equal(fake.sent('look').length, sent + 1);
    t.equal(house.notices.filter((code) => code.startsWith('shared-')).length, 3, 'one line for each change');
  },
);

t.test('issue 5: a lease that came too late is given back, so that nobody waits for it', async (t) => {
  const fake = await startFakeRedis(t);
  const clock = new FakeClock();
  const house = await openProxy(t, {
    clock,
    conf: { cache: { redis: { url: `redis://127.0.0.1:${fake.port}`, timeout: '20ms' } } },
  });
  house.origin.respond(() => ({ body: 'hello' }));
  await eventually(() => house.notices.includes('shared-up'), 'it is used');
  fake.answers['look'] = () => hang;
  const asked = house.get('/a');
  await eventually(() => fake.sent('look').length === 1, 'it was asked');
  clock.advance(21);
  t.equal((await asked).body.toString(), 'hello');
  fake.late([String(clock.now()), 'held', '10000', []]);
  await eventually(() => fake.sent('release').length === 1, 'it is given back');
});

t.test('issue 5: a write that fails leaves the response stored here, and served', async (t) => {
  const { fake, house } = await beforeFake(t);
  for (const word of ['SET', 'keep']) {
    fake.answers[word] = () => new Error('ERR no');
    t.equal((await house.get(`/${word}`)).status, 200);
    await eventually(
      async () => /writes_total\{result="refused"\} [1-9]/.test(await house.metrics()),
      'it was refused',
    );
    t.match((await house.get(`/${word}`)).field('cache-status'), /; hit;/);
    delete fake.answers[word];
  }
});

t.test('issue 5: a connection that is cut again and again costs no request', async (t) => {
  const { fake, house } = await beforeFake(t);
  for (let n = 0; n < 30; n++) {
    if (n % 3 === 0) fake.drop();
    const response = await house.get(`/${n}`);
    t.equal(`${response.status} ${response.body}`, `200 /${n}`);
  }
  await eventually(async () => metric(await house.metrics(), 'patina_shared_up') === 1, 'it is used again');
});

t.test('issue 5: messages that lie change nothing that they do not name', async (t) => {
  const { fake, house } = await beforeFake(t);
  await house.get('/a');
  const say = (what: unknown): void => fake.publish('patina:news', Buffer.from(`O${JSON.stringify(what)}`));
  say({ e: 'purge', r: 'keys', w: ['http://a.example/b'], at: Date.now() + 1_000, by: 'x' });
  say({ e: 'purge', r: 'keys', w: ['http://a.example/a'], at: 0, by: 'x' });
  say({ e: 'purge', r: 'keys', w: ['http://a.example/a'], at: 'soon', by: 'x' });
  say({ e: 'melt', r: 'keys', w: ['http://a.example/a'], at: Date.now(), by: 'x' });
  say({ e: 'purge', r: 'tag', w: [], at: Date.now(), by: 'x' });
  await eventually(async () => metric(await house.metrics(), 'patina_shared_messages_total') === 5, 'they are heard');
  t.match((await house.get('/a')).field('cache-status'), /; hit;/);
  say({ e: 'purge', r: 'keys', w: ['http://a.example/a'], at: Date.now() + 1_000, by: 'x' });
  await eventually(async () => metric(await house.metrics(), 'patina_objects') === 0, 'this one is true');
});

t.test('issue 5: the password is nowhere to be seen', async (t) => {
  const fake = await startFakeRedis(t);
  const house = await openProxy(t, {
    token: TOKEN,
    conf: { cache: { redis: { url: `redis://me:sesame-1234@127.0.0.1:${fake.port}` } } },
    next: () => ({ cache: { redis: `redis://me:sesame-5678@127.0.0.1:${fake.port}` } }),
  });
  await eventually(() => house.notices.includes('shared-up'), 'it is used');
  const reloaded = await house.operate('POST', '/v1/reload');
  const shown = await house.operate('GET', '/v1/config', '');
  for (const { body } of [reloaded, shown]) t.notMatch(body.toString(), /sesame/);
});

t.test('issue 5: a lease that was taken before a reload is given back after it, with what came of it', async (t) => {
  const fake = await startFakeRedis(t);
  const redis = (timeout: string) => ({ cache: { redis: { url: `redis://127.0.0.1:${fake.port}`, timeout } } });
  const house = await openProxy(t, { token: TOKEN, conf: redis('500ms'), next: () => redis('400ms') });
  const answered = createBarrier();
  house.origin.respond(async () => {
    await answered.passed;
    return { fields: ['Cache-Control', 'max-age=60'], body: 'hello' };
  });
  await eventually(() => house.notices.includes('shared-up'), 'it is used');
  const asked = house.get('/a');
  await house.origin.seen(1);
  await house.operate('POST', '/v1/reload');
  await eventually(() => house.notices.filter((code) => code === 'shared-up').length === 2, 'the new one is used');
  answered.open();
  t.equal((await asked).body.toString(), 'hello');
  await eventually(() => fake.sent('keep').length === 1, 'it is shared');
  const holderOf = (command: readonly string[] | undefined): string | undefined => command?.[5];
  t.equal(holderOf(fake.sent('keep')[0]), holderOf(fake.sent('look')[0]), 'by who holds the lease');
});

t.test(
  'issue 5: a purge is answered once other machines can learn of it, or with the word that they cannot yet',
  async (t) => {
    const { fake, house } = await beforeFake(t);
    await house.get('/a');
    fake.answers['appendOp'] = () => hang;
    let isAnswered = false;
    const purge = house.operate('POST', '/v1/purge', { prefix: 'http://example.test/' }).finally(() => {
      isAnswered = true;
    });
    await eventually(() => fake.sent('appendOp').length > 0, 'it is being written');
    for (let turn = 0; turn < 5; turn++) await house.get('/a');
    t.equal(isAnswered, false, 'where this process died now, nobody would know of it');
    fake.late(Buffer.from('1-1'));
    t.notMatch((await purge).body.toString(), /pending/);
    fake.answers['appendOp'] = () => new Error('ERR no');
    const another = await house.operate('POST', '/v1/purge', { prefix: 'http://example.test/' });
    t.match(another.body.toString(), /"pending":\["shared"\]/);
  },
);

t.test('issue 5: what a request has invalidated is told later, where those who listen could not be told', async (t) => {
  const { fake, house } = await beforeFake(t);
  await house.get('/a');
  fake.answers['PUBLISH'] = () => new Error('ERR no');
  await house.ask('POST /a HTTP/1.1\r\nHost: example.test\r\nContent-Length: 0\r\n\r\n', 'POST');
  await eventually(() => fake.sent('appendOp').length > 0, 'it is written down');
  t.match(fake.sent('appendOp')[0]?.join(' '), /"e":"purge","r":"keys","w":\["http:\/\/example.test\/a"\]/);
});

t.test(
  'issue 5: of a tier that refuses a part of what it is asked a line is logged, and one when that is over',
  async (t) => {
    const changes: string[] = [];
    const refusals = new SharedRefusals((isRefusing, reason) => changes.push(isRefusing ? reason : 'over'));
    const pass = (seconds: number, reason?: string): void => {
      for (let second = 0; second < seconds; second++) {
        if (reason !== undefined) for (let count = 0; count < 3; count++) refusals.note(reason);
        refusals.look();
      }
    };
    pass(2, 'OOM');
    t.same(changes, [], 'it may be going away as a whole');
    pass(50, 'OOM');
    t.same(changes, ['OOM'], 'once');
    pass(29);
    pass(1, 'READONLY');
    pass(29);
    t.same(changes, ['OOM']);
    pass(1);
    t.same(changes, ['OOM', 'over']);
  },
);
