// Goal: bytes that are kept for a hit and grow older in place say what they should, and stay as they are while a slow client still has them before it. Method: a whole proxy, a clock that is moved by seconds.
import t from 'tap';
import { FakeClock } from '../kit/clock.js';
import { openProxy, request, settled } from '../kit/proxy-kit.js';

const LIFE_SEC = 1_200;
const COUNT = 15_000;
const STORED = { fields: ['Cache-Control', `max-age=${LIFE_SEC}`, 'ETag', '"v1"'], body: 'x'.repeat(2000) };

t.test('RFC 9111 §5.1: Age and the ttl of Cache-Status follow the clock, over every number of digits', async (t) => {
  const clock = new FakeClock();
  const house = await openProxy(t, { clock, conf: { fast_lane: 'on' } });
  house.origin.respond(() => STORED);
  await house.get('/a');
  const until = [0, 1, 2, 8, 9, 10, 11, 98, 99, 100, 101, 199, 200, 201, 202, 999, 1_000, 1_101, 1_190, 1_191, 1_199];
  let age = 0;
  for (const next of until) {
    clock.advance((next - age) * 1000);
    age = next;
    for (const method of ['GET', 'GET', 'HEAD']) {
      const response = await house.ask(request(method, '/a'), method);
      t.equal(response.field('age'), String(age), method);
      t.equal(response.field('cache-status'), `patina; hit; ttl=${LIFE_SEC - age}; detail=fresh`, method);
      t.equal(response.body.length, method === 'HEAD' ? 0 : 2000);
    }
    const unchanged = await house.get('/a', 'If-None-Match: "v1"');
    t.equal(unchanged.status, 304);
    t.equal(unchanged.field('age'), String(age));
  }
});

t.test('RFC 9111 §5.1: what waits for a slow client says how old it was when it was answered', async (t) => {
  const clock = new FakeClock();
  const conf = { fast_lane: 'on', limits: { reply_idle: '1h', keep_alive: '1h' } };
  const house = await openProxy(t, { clock, conf });
  house.origin.respond(() => STORED);
  await house.get('/a');
  const slow = await house.connect();
  slow.pause();
  slow.send(request('GET', '/a').repeat(COUNT));
  let before = -1;
  await settled(() => {
    const isStill = house.answered.length === before;
    before = house.answered.length;
    return isStill && before > 1;
  });
  const finished = house.answered.length - 1;
  t.ok(finished < COUNT, `${finished} of ${COUNT} are with the kernel, and a part of one more`);
  clock.advance(1000);
  for (let i = 0; i < 3; i++) t.equal((await house.get('/a')).field('age'), '1');
  slow.resume();
  const ages: string[] = [];
  for (let i = 0; i < COUNT; i++) ages.push((await slow.response()).field('age') ?? '');
  t.ok(ages.indexOf('1') > finished, 'the one that had begun, too, says what it said');
  t.same(ages, ages.slice().sort(), 'and none before it says more');
});
