// Goal: among workers one asks the origin, and the others get what it gets as it comes. Method: the built command, a scripted origin held by barriers.
// A crew takes seconds to start: one serves all of these, those that kill one of its workers come late, and last the one whose fetch that failed is tried again.
import { createHash } from 'node:crypto';
import t from 'tap';
import { createBarrier } from '../kit/barrier.js';
import { HOST, request } from '../kit/proxy-kit.js';
import type { RawClient } from '../kit/raw-client.js';
import { answerBytes, send, until as untilOpen } from '../kit/scripted-origin.js';
import { startCrew, until } from './crew.kit.js';

const SHARED = ['Cache-Control', 'max-age=60, stale-while-revalidate=60', 'ETag', '"1"'];
const WORKERS = 3;

const crew = await startCrew(t, {
  workers: WORKERS,
  conf: 'debug_header: CDN-Cache\nrules: [{name: short, match: {path: /short}, ttl: 300ms, grace: 1h}]',
});
/** Of the origin, in the tests before. */
let askedBefore = 0;
const asked = (): number => crew.origin.requests.length - askedBefore;
const opened: RawClient[] = [];

t.beforeEach(() => {
  askedBefore = crew.origin.requests.length;
});

t.afterEach(() => {
  for (const client of opened.splice(0)) client.close();
});

async function eachWorker(): Promise<[RawClient, RawClient]> {
  const two = await crew.eachWorker();
  opened.push(...two);
  return two;
}

t.test('issue 5: of many clients of all workers one makes the origin be asked', async (t) => {
  const barrier = createBarrier();
  crew.origin.respond(async () => {
    await barrier.passed;
    return { fields: SHARED, body: 'hello' };
  });
  const clients = await Promise.all(Array.from({ length: 30 }, () => crew.connect()));
  opened.push(...clients);
  const answers = clients.map((client) => client.send(request('GET', '/a')).response());
  await crew.waiting(2);
  // The others may be waiting before the one that asks has come to the origin.
  await until(async () => asked() > 0);
  t.equal(asked(), 1);
  barrier.open();
  for (const answer of await Promise.all(answers)) t.equal(answer.body.toString(), 'hello');
  t.equal(asked(), 1);
  t.equal(await crew.metric('patina_leases_total', 'answer="held"'), 1);
  t.equal(await crew.metric('patina_requests_total'), 30, 'the requests of all workers are counted together');
});

t.test('issue 5: a large body reaches the clients of another worker while it arrives', async (t) => {
  const barrier = createBarrier();
  const half = Buffer.alloc(3 * 1024 * 1024, 'first half ');
  const rest = Buffer.alloc(3 * 1024 * 1024, 'the rest ');
  const head = `HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: ${half.length + rest.length}\r\n\r\n`;
  crew.origin.script(send(head), send(half), untilOpen(barrier), send(rest));
  const [one, other] = await eachWorker();
  const first = await one.send(request('GET', '/large')).head();
  const second = await other.send(request('GET', '/large')).head();
  t.equal(second.status, 200, 'before the origin has sent all of it');
  await Promise.all([first.received(half.length), second.received(half.length)]);
  t.equal(asked(), 1);
  barrier.open();
  const expected = createHash('sha256').update(half).update(rest).digest('hex');
  for (const response of await Promise.all([first.whole(), second.whole()])) {
    t.equal(createHash('sha256').update(response.body).digest('hex'), expected);
  }
  t.equal(asked(), 1);
});

t.test(
  'issue 5: an answer for one alone sends the others on at once, and no worker collapses on it after',
  async (t) => {
    const [head, body] = [createBarrier(), createBarrier()];
    const lone = 'HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: 4\r\n\r\n';
    crew.origin.script(untilOpen(head), send(lone), untilOpen(body), send('mine'));
    crew.origin.respond(() => ({ fields: ['Cache-Control', 'private'], body: 'your' }));
    const [one, other] = await eachWorker();
    const first = one.send(request('GET', '/me')).response();
    await crew.origin.seen(askedBefore + 1);
    const second = other.send(request('GET', '/me')).response();
    await crew.waiting(1);
    head.open();
    t.equal((await second).body.toString(), 'your', 'while the body of the first is still to come');
    body.open();
    t.equal((await first).body.toString(), 'mine');
    t.equal((await other.send(request('GET', '/me')).response()).body.toString(), 'your');
    t.equal(await crew.metric('patina_uncacheable_markers'), WORKERS, 'all workers know');
  },
);

t.test('issue 5: one refresh among workers, and both have its result', async (t) => {
  crew.origin.respond((asked) =>
    asked.field('if-none-match') === undefined
      ? { fields: ['ETag', '"1"', 'X-Round', '1'], body: 'hello' }
      : { status: 304, fields: ['ETag', '"1"', 'X-Round', '2'] },
  );
  const clients = await eachWorker();
  for (const client of clients) await client.send(request('GET', '/short')).response();
  t.equal(asked(), 1, 'the second worker took it from the first');
  const barrier = createBarrier();
  crew.origin.script(untilOpen(barrier), send(answerBytes({ status: 304, fields: ['ETag', '"1"', 'X-Round', '2'] })));
  const stale = async (at: 0 | 1): Promise<boolean> => {
    const response = await clients[at].send(request('GET', '/short')).response();
    return response.field('cdn-cache') === 'UPDATING';
  };
  await until(() => stale(0));
  await until(() => stale(1));
  await crew.waiting(1);
  await until(async () => asked() > 1);
  t.equal(asked(), 2);
  barrier.open();
  for (const client of clients) {
    await until(async () => (await client.send(request('GET', '/short')).response()).field('x-round') === '2');
  }
  const mine = crew.origin.requests.slice(askedBefore);
  const conditional = mine.filter((asked) => asked.field('if-none-match') !== undefined);
  t.equal(conditional.length, mine.length - 1, 'the body was fetched once');
});

t.test('issue 5: a worker that is killed while it fills leaves its place to one that waits', async (t) => {
  const barrier = createBarrier();
  crew.origin.script(untilOpen(barrier));
  crew.origin.respond(() => ({ fields: SHARED, body: 'hello' }));
  const [one, other] = await eachWorker();
  const first = one.send(request('GET', '/killed')).response();
  await crew.origin.seen(askedBefore + 1);
  const second = other.send(request('GET', '/killed')).response();
  await crew.waiting(1);
  const broken = t.rejects(first, { name: 'CutOff' }, 'its own connections break');
  process.kill(crew.first?.pid ?? 0, 'SIGKILL');
  t.equal((await second).body.toString(), 'hello');
  await broken;
  t.equal(
    (await other.send(request('GET', '/killed')).response()).field('age') !== undefined,
    true,
    'the other goes on',
  );
  await until(async () => (await crew.metric('patina_workers_serving')) === WORKERS);
  t.equal(await crew.metric('patina_worker_deaths_total'), 1);
  t.equal(asked(), 2);
  barrier.open();
});

t.test('issue 5: a worker that is killed in the middle of a body: another one fetches the rest', async (t) => {
  const barrier = createBarrier();
  const body = Buffer.alloc(400_000, 'abcdefg');
  const fields = `ETag: "1"\r\nCache-Control: max-age=60\r\nContent-Length: ${body.length}\r\n`;
  crew.origin.script(send(`HTTP/1.1 200 OK\r\n${fields}\r\n`), send(body.subarray(0, 200_000)), untilOpen(barrier));
  crew.origin.respond((asked) => {
    const from = Number(/bytes=(\d+)-/.exec(asked.field('range') ?? '')?.[1]);
    const range = `bytes ${from}-${body.length - 1}/${body.length}`;
    return { status: 206, fields: ['ETag', '"1"', 'Content-Range', range], body: body.subarray(from) };
  });
  const [one, other] = await eachWorker();
  const first = await one.send(request('GET', '/b')).head();
  const second = await other.send(request('GET', '/b')).head();
  await Promise.all([first.received(200_000), second.received(200_000)]);
  const broken = t.rejects(first.whole());
  process.kill(crew.first?.pid ?? 0, 'SIGKILL');
  t.ok((await second.whole()).body.equals(body), 'the reader never notices');
  await broken;
  barrier.open();
  t.equal(crew.origin.requests[askedBefore + 1]?.field('if-range'), '"1"', HOST);
});

t.test('issue 5: the same without a length, and a body that breaks off never ends cleanly there', async (t) => {
  const barrier = createBarrier();
  const head = 'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n';
  crew.origin.script(send(`${head}5\r\nhello\r\n`), untilOpen(barrier), (socket) => void socket.destroy());
  const [one, other] = await eachWorker();
  const first = await one.send(request('GET', '/broken')).head();
  const second = await other.send(request('GET', '/broken')).head();
  await Promise.all([first.received(5), second.received(5)]);
  barrier.open();
  await t.rejects(first.whole(), { name: 'CutOff' });
  await t.rejects(second.whole(), { name: 'CutOff' });
});
