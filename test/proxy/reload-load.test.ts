// Goal: 100 reloads under load, 10 of them bad, cost no request and no stored response (issue 4, "Done when"). Method: the whole proxy on real sockets; clients that ask one after another, at any rate above 1,000 a second in all, until the last reload is through.
import t from 'tap';
import { MAX_FILLS } from '../../lib/base/limits.js';
import { openProxy, request, settled } from '../kit/proxy-kit.js';

const RELOADS = 100;
const BAD_EVERY = 10;
const CLIENTS = 16;
const KEYS = 200;
/** Answers between two reloads: at 1,000 requests a second, a reload every 20 ms. */
const ANSWERS_PER_RELOAD = 20;

type Conf = Readonly<Record<string, unknown>>;

/** What each reload reads: every part of the house has something to take over, and one in ten is wrong. */
function confOf(reload: number): Conf {
  if (reload % BAD_EVERY === BAD_EVERY - 1) return { defaults: { ttl: 'soon' }, rules: [{ match: {} }] };
  return {
    defaults: { ttl: '1h', grace: `${reload + 1}s` },
    cache: { memory: reload % 2 === 0 ? '64MB' : '96MB' },
    debug_header: reload % 3 === 0 ? 'X-Cache' : 'CDN-Cache',
    origin: { connections: 8 + (reload % 4), timeouts: { headers: `${10 + (reload % 2)}s` } },
    limits: { url: reload % 2 === 0 ? '4KB' : '8KB', waiters: MAX_FILLS },
    rules: [{ name: `odd-${reload}`, match: { path: '/1*' }, ttl: `${60 + reload}m` }],
    ...(reload % 5 === 0 ? { listen: '127.0.0.1:0' } : {}),
  };
}

t.test('issue 4: 100 reloads under load, 10 of them bad: no failed request, no lost stored response', async (t) => {
  const state = { reload: 0 };
  const house = await openProxy(t, { conf: confOf(0), next: () => confOf(state.reload) });
  house.origin.respond(({ target }) => ({ fields: ['ETag', `"${target}"`], body: `body of ${target}` }));
  const target = (at: number): string => `/${at % KEYS}`;
  for (let at = 0; at < KEYS; at++) await house.get(target(at));
  t.equal(house.origin.requestCount, KEYS);
  const counts = { answers: 0, wrong: 0 };
  const over = { isOver: false };
  const load = async (start: number): Promise<void> => {
    const client = await house.connect();
    for (let at = start; !over.isOver; at += 7) {
      const answer = await client.send(request('GET', target(at))).response();
      const word = answer.field('x-cache') ?? answer.field('cdn-cache');
      if (answer.status !== 200 || answer.body.toString() !== `body of ${target(at)}` || word !== 'HIT') counts.wrong++;
      counts.answers++;
    }
  };
  const startedAt = performance.now();
  const clients = Array.from({ length: CLIENTS }, (_, client) => load(client * 31));
  const outcomes = { reloaded: 0, refused: 0 };
  for (state.reload = 1; state.reload <= RELOADS; state.reload++) {
    const before = counts.answers;
    const { kind } = await house.proxy.reload();
    outcomes[kind]++;
    await settled(() => counts.answers >= before + ANSWERS_PER_RELOAD);
  }
  over.isOver = true;
  await Promise.all(clients);
  const perSecond = Math.round((counts.answers / (performance.now() - startedAt)) * 1000);
  t.comment(`${counts.answers} requests, ${perSecond} a second`);
  t.same(outcomes, { reloaded: RELOADS - RELOADS / BAD_EVERY, refused: RELOADS / BAD_EVERY });
  t.equal(counts.wrong, 0, 'each of them is a hit, with its own body');
  t.equal(house.origin.requestCount, KEYS, 'nothing that was stored had to be asked for again');
  for (let at = 0; at < KEYS; at++) {
    const client = await house.connect();
    const last = await client.send(request('GET', target(at))).response();
    if (last.body.toString() !== `body of ${target(at)}`) t.fail(target(at));
    client.close();
  }
  t.equal(house.origin.requestCount, KEYS);
});
