// Goal: an answer that is here at once takes the short way to the same end (decisions/0027). Method: walks that give each answer whole and in parts.
import t from 'tap';
import { STORE_AT_ONCE_BYTES } from '../../lib/base/limits.js';
import { makeWalk, type PlayedClient, type Walk, type WalkOptions } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=60, stale-if-error=600', ETag: '"one"' };

type Answering = (walk: Walk, status: number, fields: Record<string, string | string[]>, body: string) => void;

const whole: Answering = (walk, status, fields, body) => walk.origin.last.respond(status, fields, body);
const inParts: Answering = (walk, status, fields, body) => {
  const origin = walk.origin.last.head(status, { 'Content-Length': String(body.length), ...fields });
  if (body !== '') origin.data(body);
  origin.end();
};

/** What clients and listeners saw of it. */
function told(walk: Walk, clients: readonly PlayedClient[]): unknown {
  return {
    clients: clients.map(({ status, body, ending, replied }) => [
      status,
      body,
      ending,
      replied?.fields.raw,
      replied?.note,
    ]),
    asked: walk.asked,
    objects: walk.engine.parts.store.stats.objects,
    reservedBytes: walk.engine.parts.store.stats.reservedBytes,
    fills: walk.engine.stats,
  };
}

/** The same walk with its answers whole and in parts. */
function both(run: (walk: Walk, answer: Answering) => readonly PlayedClient[], options: WalkOptions = {}): unknown[] {
  return [whole, inParts].map((answer) => {
    const walk = makeWalk(options);
    return told(walk, run(walk, answer));
  });
}

const CASES: readonly (readonly [string, (walk: Walk, answer: Answering) => readonly PlayedClient[], WalkOptions?])[] =
  [
    [
      'a miss, and the hit after it',
      (walk, answer) => {
        const first = walk.get('/a');
        answer(walk, 200, CACHEABLE, 'hello');
        return [first, walk.get('/a')];
      },
    ],
    [
      'all who wait, and one of another variant',
      (walk, answer) => {
        const same = [1, 2, 3].map(() => walk.get('/a', { Accept: 'text/html' }));
        const other = walk.get('/a', { Accept: 'image/png' });
        answer(walk, 200, { ...CACHEABLE, Vary: 'Accept' }, 'page');
        answer(walk, 200, { ...CACHEABLE, Vary: 'Accept' }, 'picture');
        return [...same, other];
      },
    ],
    [
      'an empty body, a 204, a 404 that may be stored, a 500 that may not',
      (walk, answer) => {
        const clients: PlayedClient[] = [];
        for (const [status, body] of [
          [200, ''],
          [204, ''],
          [404, 'none'],
          [500, 'broken'],
        ] as const) {
          clients.push(walk.get(`/${status}`));
          answer(walk, status, status === 500 ? {} : CACHEABLE, body);
        }
        return clients;
      },
    ],
    [
      'a cookie that is stripped, for the one who leads alone',
      (walk, answer) => {
        const clients = [walk.get('/a'), walk.get('/a')];
        answer(walk, 200, { ...CACHEABLE, 'Set-Cookie': 'a=1' }, 'hello');
        return clients;
      },
      { rule: { setCookie: 'strip' } },
    ],
    [
      'a tag that is made',
      (walk, answer) => {
        const first = walk.get('/a');
        answer(walk, 200, { 'Cache-Control': 'max-age=60' }, 'hello');
        return [first, walk.get('/a')];
      },
      { rule: { etag: 'make' } },
    ],
    [
      'a stale one that is replaced, freshened, and kept on a failure',
      (walk, answer) => {
        const clients = [walk.get('/a')];
        answer(walk, 200, CACHEABLE, 'one');
        walk.clock.advance(61_000);
        clients.push(walk.get('/a'));
        answer(walk, 200, { ...CACHEABLE, ETag: '"two"' }, 'two');
        walk.clock.advance(61_000);
        clients.push(walk.get('/a'), walk.get('/a'));
        answer(walk, 304, { ETag: '"two"' }, '');
        walk.clock.advance(61_000);
        clients.push(walk.get('/a'));
        answer(walk, 503, {}, 'down');
        return clients;
      },
    ],
    [
      'what is larger than what is stored in one step',
      (walk, answer) => {
        const first = walk.get('/a');
        answer(walk, 200, CACHEABLE, 'x'.repeat(STORE_AT_ONCE_BYTES + 1));
        return [first, walk.get('/a')];
      },
    ],
  ];

for (const [what, run, options] of CASES) {
  t.test(`design 3: an answer that is here at once ends as one that arrives in parts: ${what}`, async (t) => {
    const [atOnce, parts] = both(run, options);
    t.same(atOnce, parts);
  });
}

t.test('design 3: it is stored before anybody is told: who asks on hearing of it gets a hit', async (t) => {
  const walk = makeWalk();
  let second: PlayedClient | undefined;
  const first = walk.get('/a');
  const reply = first.reply.bind(first);
  first.reply = (made) => {
    reply(made);
    second ??= walk.get('/a');
  };
  walk.origin.last.respond(200, CACHEABLE, 'hello');
  t.match([first.body, first.outcome], ['hello', 'MISS']);
  t.match([second?.body, second?.outcome, walk.origin.count], ['hello', 'HIT', 1]);
});

t.test(
  'design 2: a purge that came while it was on its way wins: it is told of, and neither stored nor said to be',
  async (t) => {
    const walk = makeWalk();
    const client = walk.get('/a');
    walk.engine.purging.purgeUrl('http://example.test/a');
    walk.origin.last.respond(200, CACHEABLE, 'hello');
    t.match(
      [client.body, client.field('cache-status')],
      ['hello', /^patina; fwd=uri-miss; fwd-status=200; ttl=60; detail=/],
    );
    t.match(walk.asked.at(-1), { end: 'uncacheable', reason: 'superseded' });
    t.equal(walk.engine.parts.store.stats.objects, 0);
  },
);

t.test('design 2: an expiry that came while it was on its way: it is stored, and stale', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  await walk.engine.operations.expire({ kind: 'url', url: 'http://example.test/a' });
  walk.origin.last.respond(200, CACHEABLE, 'hello');
  walk.clock.advance(1);
  walk.get('/a');
  t.equal(walk.origin.count, 2);
  t.equal(walk.origin.last.field('if-none-match'), '"one"');
});

t.test('a piece of a larger buffer that others are in too is not kept with it', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, CACHEABLE, Buffer.alloc(65_536, 'x').subarray(0, 10_000));
  const [stored] = walk.engine.parts.store.known('http://example.test/a');
  t.equal(stored?.body.wholeChunks?.[0]?.buffer.byteLength, 10_000);
});
