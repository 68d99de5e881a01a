// Goal: what is ready goes out whole and in order where more than a fresh hit on a connection that stays is asked for. Method: a whole proxy, a clock that is moved, raw clients.
import t from 'tap';
import { FakeClock } from '../kit/clock.js';
import { openProxy, request, settled } from '../kit/proxy-kit.js';

const BODY = 'abcdefgh'.repeat(1024);
const COUNT = 400;

function stored(body: string, control = 'max-age=60, stale-while-revalidate=600') {
  return { fields: ['Cache-Control', control, 'ETag', '"v1"'], body };
}

t.test(
  'RFC 9112 §9.6: a hit says Connection: close to a client that does, and ends the connection behind it',
  async (t) => {
    const house = await openProxy(t, { clock: new FakeClock(), conf: { fast_lane: 'on', debug_header: 'CDN-Cache' } });
    house.origin.respond(() => stored(BODY));
    await house.get('/a');
    for (const [method, more, status] of [
      ['GET', [], 200],
      ['HEAD', [], 200],
      ['GET', ['If-None-Match: "v1"'], 304],
    ] as const) {
      const client = await house.connect();
      client.send(request(method, '/a', ...more, 'Connection: close') + request('GET', '/never'));
      const response = await client.response(method);
      t.equal(response.status, status);
      t.equal(response.field('connection'), 'close');
      t.equal(response.field('cdn-cache'), 'HIT');
      t.equal(response.field('content-length'), status === 304 ? undefined : String(BODY.length));
      t.equal(response.body.toString(), method === 'GET' && status === 200 ? BODY : '');
      t.equal(await client.ended, 'finished');
      t.equal(client.surplusBytes, 0, 'nothing behind a last request is looked at');
    }
    await settled(() => house.answered.length === 4);
    t.strictSame(
      house.answered.slice(1).map(({ status, bodyBytes }) => [status, bodyBytes]),
      [
        [200, BODY.length],
        [200, 0],
        [304, 0],
      ],
    );
  },
);

t.test('RFC 5861 §3: stale hits go out at once, and one request asks the origin for all of them', async (t) => {
  const clock = new FakeClock();
  const house = await openProxy(t, { clock, conf: { fast_lane: 'on' } });
  house.origin.respond(() => stored('first'));
  await house.get('/a');
  clock.advance(61_000);
  const asked = house.origin.requests.length;
  house.origin.respond(() => stored('second'));
  const client = await house.connect();
  client.send(request('GET', '/a').repeat(5));
  for (let i = 0; i < 5; i++) {
    const response = await client.response();
    t.equal(response.body.toString(), 'first');
    t.equal(response.field('cache-status'), 'patina; hit; ttl=-1; detail=stale-while-revalidate');
  }
  await settled(() => house.origin.requests.length > asked);
  t.equal((await house.get('/a')).body.toString(), 'second');
  t.equal(house.origin.requests.length, asked + 1);
});

t.test('decision 0026: a slow client gets every body of one piece as it was, among those of others', async (t) => {
  const conf = { fast_lane: 'on', limits: { reply_idle: '1h', keep_alive: '1h' } };
  const house = await openProxy(t, { clock: new FakeClock(), conf });
  house.origin.respond(({ target }) => stored(`${target}:${BODY}`));
  const targets = Array.from({ length: 40 }, (_, i) => `/body/${i}`);
  for (const target of targets) await house.get(target);
  const slow = await house.connect();
  slow.pause();
  const wanted = Array.from({ length: COUNT }, (_, i) => targets[(i * 7) % targets.length] as string);
  slow.send(wanted.map((target) => request('GET', target)).join(''));
  for (let i = 0; i < 3; i++)
    for (const target of targets) t.equal((await house.get(target)).body.toString(), `${target}:${BODY}`);
  slow.resume();
  let right = 0;
  for (const target of wanted) if ((await slow.response()).body.toString() === `${target}:${BODY}`) right++;
  t.equal(right, COUNT);
});
