// Goal: the fast lane holds little of a client that does not read, tells the truth of one that leaves, and lets go of what is not for it. Method: a whole proxy, raw sockets.
import t from 'tap';
import { MAX_HELD_HEAD_BYTES } from '../../lib/base/limits.js';
import { turns } from '../kit/barrier.js';
import { HOST, metric, openProxy, request, settled } from '../kit/proxy-kit.js';

const STORED = ['Cache-Control', 'max-age=600', 'Content-Type', 'text/plain'];
const FAST = { fast_lane: 'on' };

t.test('design 5: a client that asks on and on and reads nothing is not read from either', async (t) => {
  for (const bytes of [2000, 60_000, 200_000]) {
    const house = await openProxy(t, { conf: FAST });
    house.origin.respond(() => ({ fields: STORED, body: 'x'.repeat(bytes) }));
    await house.get('/a');
    const client = await house.connect();
    client.pause();
    const count = Math.ceil(30_000_000 / bytes);
    client.send(request('GET', '/a').repeat(count));
    let before = -1;
    await settled(() => {
      const isStill = house.answered.length === before;
      before = house.answered.length;
      return isStill && before > 1;
    });
    for (let i = 0; i < 5; i++) await turns(20);
    const taken = house.answered.length;
    t.ok(taken * bytes < 20_000_000, `${taken} of ${count} were answered`);
    client.resume();
    for (let i = 0; i < count; i++) {
      const { status, body } = await client.response();
      if (status !== 200 || body.length !== bytes) t.fail(`answer ${i}: ${status}, ${body.length} bytes`);
    }
    await settled(() => house.answered.length === count + 1);
    t.equal(house.answered.filter(({ ending }) => ending === 'finished').length, count + 1);
  }
});

t.test('a client that leaves with replies unread is told as such, once for each that it did not get', async (t) => {
  const house = await openProxy(t, { conf: FAST });
  house.origin.respond(() => ({ fields: STORED, body: 'x'.repeat(250_000) }));
  await house.get('/a');
  const client = await house.connect();
  client.pause();
  client.send(request('GET', '/a').repeat(100));
  await settled(() => house.answered.length > 2);
  await turns(50);
  client.reset();
  await settled(() => house.answered.some(({ ending }) => ending === 'aborted'));
  await turns(10);
  const aborted = house.answered.filter(({ ending }) => ending === 'aborted');
  t.ok(aborted.length <= 2, `${aborted.length} had begun`);
  t.strictSame(aborted[0]?.outcome, 'HIT');
  t.equal(metric(await house.metrics(), 'patina_client_connections'), 0);
});

t.test('a passed answer goes at the pace of a slow client, in this lane', async (t) => {
  const rules = [{ name: 'passed', match: { path: '/p' }, pass: true }];
  const house = await openProxy(t, { conf: { ...FAST, rules } });
  house.origin.respond(() => ({ body: 'y'.repeat(20_000_000) }));
  const client = await house.connect();
  client.pause();
  client.send(request('GET', '/p') + request('GET', '/p'));
  await settled(() => house.origin.requestCount >= 1);
  await turns(50);
  t.equal(house.answered.length, 0);
  client.resume();
  for (let i = 0; i < 2; i++) t.equal((await client.response()).body.length, 20_000_000);
  await settled(() => house.answered.length === 2);
  t.strictSame(
    house.answered.map(({ outcome, ending, bodyBytes }) => [outcome, ending, bodyBytes]),
    [0, 1].map(() => ['BYPASS', 'finished', 20_000_000]),
  );
  t.equal(metric(await house.metrics(), 'patina_fast_lane_connections'), 1);
});

t.test(
  'limits: a head that grows beyond what this lane waits for goes to the other, and is answered there',
  async (t) => {
    const house = await openProxy(t, { conf: FAST });
    house.origin.respond(() => ({ fields: STORED, body: 'z' }));
    const client = await house.connect();
    client.send(`GET /a HTTP/1.1\r\nHost: ${HOST}\r\nX: `);
    for (let sent = 0; sent <= MAX_HELD_HEAD_BYTES; sent += 1024) {
      client.send('x'.repeat(1024));
      await turns(2);
    }
    const isFast = async (): Promise<number> => metric(await house.metrics(), 'patina_fast_lane_connections');
    t.equal(await isFast(), 0);
    client.send('\r\n\r\n');
    t.equal((await client.response()).status, 200);
    const other = await house.connect();
    other.send(`${request('GET', '/a', `X: ${'x'.repeat(MAX_HELD_HEAD_BYTES)}`)}`);
    t.equal((await other.response()).status, 200, 'one that comes whole may be as long as the limits allow');
  },
);

t.test('bytes of one connection are not those of another that is read in between', async (t) => {
  const house = await openProxy(t, { conf: FAST });
  house.origin.respond(({ target }) => ({ fields: STORED, body: target }));
  const clients = await Promise.all(Array.from({ length: 20 }, () => house.connect()));
  const heads = clients.map((_, i) => request('GET', `/${'abcdefghij'.repeat(i)}${i}`, `X-Own: ${i}`));
  const longest = Math.max(...heads.map(({ length }) => length));
  for (let at = 0; at < longest; at += 7) {
    for (const [i, client] of clients.entries()) client.send(heads[i]?.slice(at, at + 7) ?? '');
    await turns(2);
  }
  for (const [i, client] of clients.entries()) {
    t.equal((await client.response()).body.toString(), `/${'abcdefghij'.repeat(i)}${i}`);
  }
});
