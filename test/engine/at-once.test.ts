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

/** Has `run` called as soon as a client has its reply. */
function onReply(client: PlayedClient, run: () => void): void {
  const reply = client.reply.bind(client);
  client.reply = (made) => {
    reply(made);
    run();
  };
}

t.test(
  'design 3: where several wait it is stored before anybody is told: who asks on hearing of it gets a hit',
  async (t) => {
    const walk = makeWalk();
    let asked: PlayedClient | undefined;
    const clients = [walk.get('/a'), walk.get('/a')];
    onReply(clients[0] as PlayedClient, () => {
      asked = walk.get('/a');
    });
    walk.origin.last.respond(200, CACHEABLE, 'hello');
    t.match([asked?.body, asked?.outcome, walk.origin.count], ['hello', 'HIT', 1]);
  },
);

t.test(
  'design 3: one who waits alone is replied to first, and who asks until it is stored is answered with the same',
  async (t) => {
    const walk = makeWalk();
    const { store } = walk.engine.parts;
    const stored: number[] = [];
    let asked: PlayedClient | undefined;
    const client = walk.get('/a');
    onReply(client, () => {
      stored.push(store.stats.objects);
      asked = walk.get('/a');
    });
    walk.origin.last.respond(200, CACHEABLE, 'hello');
    stored.push(store.stats.objects);
    t.strictSame(stored, [0, 1]);
    t.match([client.body, client.field('cache-status')], ['hello', /; stored;/]);
    t.match([asked?.body, asked?.field('cache-status'), walk.origin.count], ['hello', /; collapsed;/, 1]);
    t.equal(walk.get('/a').outcome, 'HIT');
    t.equal(walk.engine.stats.fills, 0);
  },
);

t.test('design 2: what is done to it between its reply and its being stored counts as before that', async (t) => {
  const purged = makeWalk();
  onReply(purged.get('/a'), () => void purged.engine.purging.purgeUrl('http://example.test/a'));
  purged.origin.last.respond(200, CACHEABLE, 'hello');
  t.equal(purged.engine.parts.store.stats.objects, 0);
  t.match(purged.asked.at(-1), { end: 'uncacheable', reason: 'superseded' });
  const expired = makeWalk();
  onReply(
    expired.get('/a'),
    () => void expired.engine.operations.expire({ kind: 'url', url: 'http://example.test/a' }),
  );
  expired.origin.last.respond(200, CACHEABLE, 'hello');
  expired.clock.advance(1);
  expired.get('/a');
  t.equal(expired.origin.last.field('if-none-match'), '"one"');
});

t.test(
  'RFC 9211 §2.4: where something has to go for it, or nothing may, it is stored before it is said to be',
  async (t) => {
    const walk = makeWalk({ budgetBytes: 12_000 });
    const { store } = walk.engine.parts;
    const wasStored: boolean[] = [];
    for (let n = 0; n < 12; n++) {
      const client = walk.get(`/${n}`);
      onReply(client, () => wasStored.push(store.known(`http://example.test/${n}`).length > 0));
      walk.origin.last.respond(200, CACHEABLE, 'x'.repeat(1_000));
      t.match(client.field('cache-status'), /; stored;/);
      t.equal(walk.get(`/${n}`).outcome, 'HIT');
    }
    const firstFull = wasStored.indexOf(true);
    t.ok(firstFull > 0, 'as long as there is room it is replied to first');
    t.notOk(wasStored.slice(firstFull).includes(false));
    store.reserve(5_000);
    const refused = walk.get('/refused');
    walk.origin.last.respond(200, CACHEABLE, 'x'.repeat(4_000));
    t.equal(/; stored;/.test(String(refused.field('cache-status'))), walk.get('/refused').outcome === 'HIT');
  },
);

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
