// Goal: parts of a response are stored, reused, completed; a broken download goes on (RFC 9111 §3.3, §3.4). Method: walks with a fake clock and a played origin.
import t from 'tap';
import { makeWalk, type Walk } from '../kit/walk.js';

const FRESH = { 'Cache-Control': 'max-age=60', ETag: '"one"' };

t.test('RFC 9111 §3.3: a 206 is stored, and answers the ranges that it covers', async (t) => {
  const walk = makeWalk();
  const first = walk.get('/a', { Range: 'bytes=2-7' });
  walk.origin.last.respond(206, { ...FRESH, 'Content-Range': 'bytes 2-7/10' }, '234567');
  t.match([first.status, first.body], [206, '234567']);
  const within = walk.get('/a', { Range: 'bytes=3-4' });
  t.match(
    [within.status, within.body, within.outcome, within.field('content-range')],
    [206, '34', 'HIT', 'bytes 3-4/10'],
  );
  walk.get('/a', { Range: 'bytes=0-1' });
  t.equal(walk.origin.count, 2);
  t.match(walk.get('/a', { Range: 'bytes=50-' }).status, 416);
});

t.test('RFC 9111 §3.4: parts with the same strong entity-tag are combined', async (t) => {
  const walk = makeWalk();
  for (const [from, text] of [
    [0, '01234'],
    [5, '56789'],
  ] as const) {
    walk.get('/a', { Range: `bytes=${from}-${from + 4}` });
    walk.origin.last.respond(206, { ...FRESH, 'Content-Range': `bytes ${from}-${from + 4}/10` }, text);
  }
  const both = walk.get('/a', { Range: 'bytes=3-6' });
  t.match([both.body, both.outcome], ['3456', 'HIT']);
  t.match([walk.get('/a').status, walk.get('/a').body], [200, '0123456789'], 'together they are the whole');
  t.equal(walk.origin.count, 2);
});

t.test(
  'RFC 9111 §3.4: parts of another representation, or with a weak or no validator, are not combined',
  async (t) => {
    for (const etags of [
      ['"one"', '"two"'],
      ['W/"one"', 'W/"one"'],
      ['', ''],
    ]) {
      const walk = makeWalk();
      for (const [i, from, text] of [
        [0, 0, '01234'],
        [1, 5, '56789'],
      ] as const) {
        walk.get('/a', { Range: `bytes=${from}-${from + 4}` });
        const etag = etags[i] === '' ? {} : { ETag: etags[i] ?? '' };
        const fields = { 'Cache-Control': 'max-age=60', ...etag, 'Content-Range': `bytes ${from}-${from + 4}/10` };
        walk.origin.last.respond(206, fields, text);
      }
      t.equal(walk.get('/a', { Range: 'bytes=3-6' }).ending, 'waiting', etags.join());
    }
  },
);

t.test('RFC 9111 §3.4: a stored beginning is completed by asking for the rest alone', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { Range: 'bytes=0-4' });
  walk.origin.last.respond(206, { ...FRESH, 'Content-Range': 'bytes 0-4/10' }, '01234');
  const clients = [walk.get('/a'), walk.get('/a')];
  t.equal(walk.origin.count, 2, 'collapsed');
  t.match([walk.origin.last.field('range'), walk.origin.last.field('if-range')], ['bytes=5-', '"one"']);
  walk.origin.last.head(206, { ...FRESH, 'X-New': 'n', 'Content-Range': 'bytes 5-9/10', 'Content-Length': '5' });
  for (const client of clients)
    t.match([client.status, client.body], [200, '01234'], 'what is at hand goes out at once');
  walk.origin.last.data('56789').end();
  for (const client of clients)
    t.match([client.body, client.ending, client.field('x-new')], ['0123456789', 'finished', 'n']);
  t.equal(clients[0]?.field('content-range'), undefined);
  for (const client of clients)
    t.match(client.field('cache-status'), /fwd=partial; fwd-status=206;/, 'RFC 9211 §2.3: what the origin answered');
  t.match([walk.get('/a').body, walk.get('/a').outcome], ['0123456789', 'HIT']);
});

t.test('RFC 9111 §3: a 416 says of no cache behind this one how long it is to keep it', (t) => {
  const walk = makeWalk();
  walk.get('/a');
  const lifetimes = { 'CDN-Cache-Control': 'max-age=60', Expires: 'Thu, 01 Jan 2099 00:00:00 GMT', Pragma: 'no-cache' };
  walk.origin.last.respond(200, { ...FRESH, ...lifetimes, 'X-Other': 'o' }, '0123456789');
  const client = walk.get('/a', { Range: 'bytes=10-' });
  t.match([client.status, client.field('content-range'), client.field('x-other')], [416, 'bytes */10', 'o']);
  for (const name of ['cache-control', ...Object.keys(lifetimes)]) t.equal(client.field(name), undefined, name);
  t.equal(walk.get('/a', { Range: 'bytes=0-' }).field('cache-control'), 'max-age=60', 'a 206 does');
  t.end();
});

t.test('RFC 9111 §3.4: a range that the origin answers while the whole arrives does not cost the whole', async (t) => {
  const rows: [etag: string, total: number, outcome: string][] = [
    ['"one"', 10, 'HIT'],
    ['"two"', 10, 'MISS'],
    ['"one"', 12, 'MISS'],
    ['W/"one"', 10, 'MISS'],
  ];
  for (const [etag, total, outcome] of rows) {
    const walk = makeWalk();
    const whole = walk.get('/a');
    const arriving = walk.origin.last;
    arriving.head(200, { ...FRESH, 'Content-Length': '10' });
    arriving.data('01234');
    walk.clock.advance(1_000);
    const seek = walk.get('/a', { Range: 'bytes=8-9' });
    const fields = { ...FRESH, ETag: etag, 'X-New': 'n', 'Content-Range': `bytes 8-9/${total}` };
    walk.origin.last.respond(206, fields, '89');
    t.match([seek.status, seek.body], [206, '89']);
    arriving.data('56789').end();
    t.match([whole.status, whole.body, whole.ending], [200, '0123456789', 'finished']);
    const again = walk.get('/a');
    const message = `${etag} of ${total}`;
    if (outcome === 'HIT') {
      t.match(
        [again.outcome, again.body, again.field('x-new'), again.field('age')],
        ['HIT', '0123456789', 'n', '0'],
        message,
      );
      t.equal(again.field('content-range'), undefined);
    } else t.equal(again.ending, 'waiting', `${message}: the part is newer, and of another representation`);
  }
});

/** What a 206 may leave out. */
const OF_THE_WHOLE = { 'Content-Encoding': 'br', 'Content-Type': 'text/html', 'Surrogate-Key': 'shoes' };

t.test('RFC 9111 §3.4: fields that a part leaves out stay those of the whole that arrived meanwhile', async (t) => {
  const walk = makeWalk({ rule: { tagsFrom: 'surrogate-key' } });
  walk.get('/a');
  const arriving = walk.origin.last;
  arriving.head(200, { ...FRESH, ...OF_THE_WHOLE, 'X-Old': 'o', 'Content-Length': '10' });
  arriving.data('01234');
  walk.clock.advance(1_000);
  walk.get('/a', { Range: 'bytes=8-9' });
  const fields = { ETag: '"one"', 'Cache-Control': 'max-age=30', 'X-Old': 'n', 'Content-Range': 'bytes 8-9/10' };
  walk.origin.last.respond(206, { ...fields, 'Content-Length': '2' }, '89');
  arriving.data('56789').end();
  const again = walk.get('/a');
  t.match([again.outcome, again.body, again.field('age')], ['HIT', '0123456789', '0']);
  t.match([again.field('content-encoding'), again.field('content-type')], ['br', 'text/html']);
  t.match([again.field('x-old'), again.field('cache-control')], ['n', 'max-age=30'], 'newer ones take their place');
  t.equal(again.field('content-range'), undefined);
  const [stored] = walk.engine.parts.store.peek('http://example.test/a') ?? [];
  t.strictSame(stored?.tags, ['shoes'], 'and it is found by its tags');
  walk.clock.advance(31_000);
  t.not(walk.get('/a').outcome, 'HIT', 'it lives as the newer fields say');
});

t.test('RFC 9111 §3.4: parts that are combined have the fields of both', async (t) => {
  const coding = { 'Content-Encoding': 'br' };
  const rows: [first: Record<string, string>, second: Record<string, string>, isCombined: boolean][] = [
    [OF_THE_WHOLE, {}, true],
    [{}, OF_THE_WHOLE, true],
    [OF_THE_WHOLE, coding, true],
    [coding, { 'Content-Encoding': 'gzip' }, false],
  ];
  for (const [first, second, isCombined] of rows) {
    const walk = makeWalk({ rule: { tagsFrom: 'surrogate-key' } });
    walk.get('/a', { Range: 'bytes=0-4' });
    walk.origin.last.respond(206, { ...FRESH, ...first, 'Content-Range': 'bytes 0-4/10' }, '01234');
    walk.get('/a', { Range: 'bytes=5-9', 'If-Range': '"one"' });
    walk.origin.last.respond(206, { ...FRESH, ...second, 'Content-Range': 'bytes 5-9/10' }, '56789');
    const whole = walk.get('/a');
    const message = JSON.stringify([first, second]);
    if (!isCombined) {
      t.equal(whole.ending, 'waiting', `${message}: one tag for two codings`);
      continue;
    }
    t.match([whole.outcome, whole.body], ['HIT', '0123456789'], message);
    t.match([whole.field('content-encoding'), whole.field('content-type')], ['br', 'text/html'], message);
    t.equal(whole.field('content-range'), undefined);
    const [stored] = walk.engine.parts.store.peek('http://example.test/a') ?? [];
    t.strictSame(stored?.tags, ['shoes'], message);
  }
});

/** Sums over the content of one message (RFC 9530 §2), and over the whole representation (RFC 9530 §3). */
const SUMS = { 'Content-Digest': 'sha-256=:part=:', 'Content-MD5': 'cGFydA==', 'Repr-Digest': 'sha-256=:whole=:' };

function sumsOf(client: ReturnType<Walk['get']>): (string | undefined)[] {
  return ['content-digest', 'content-md5', 'repr-digest'].map((name) => client.field(name));
}

t.test('RFC 9530 §2: what is put together of parts does not have the sum of one of them', async (t) => {
  const walk = makeWalk();
  for (const target of ['/combined', '/completed']) {
    walk.get(target, { Range: 'bytes=0-4' });
    walk.origin.last.respond(206, { ...FRESH, ...SUMS, 'Content-Range': 'bytes 0-4/10' }, '01234');
  }
  t.same(sumsOf(walk.get('/combined', { Range: 'bytes=1-2' })), [undefined, undefined, SUMS['Repr-Digest']]);
  walk.get('/combined', { Range: 'bytes=5-9' });
  walk.origin.last.respond(206, { ...FRESH, ...SUMS, 'Content-Range': 'bytes 5-9/10' }, '56789');
  const completed = walk.get('/completed');
  walk.origin.last.respond(206, { ...FRESH, ...SUMS, 'Content-Range': 'bytes 5-9/10' }, '56789');
  for (const client of [completed, walk.get('/combined'), walk.get('/completed')]) {
    t.match([client.status, client.body], [200, '0123456789']);
    t.same(sumsOf(client), [undefined, undefined, SUMS['Repr-Digest']]);
  }
});

t.test('RFC 9530 §2: a part of what is stored whole does not have the sum of the whole', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  walk.origin.last.respond(200, { ...FRESH, ...SUMS }, '0123456789');
  t.same(sumsOf(walk.get('/a')), Object.values(SUMS));
  for (const range of ['bytes=1-2', 'bytes=1-2,5-6']) {
    const part = walk.get('/a', { Range: range });
    t.equal(part.status, 206);
    t.same(sumsOf(part), [undefined, undefined, SUMS['Repr-Digest']], range);
  }
});

t.test('RFC 9111 §3.4: a whole that the rest completes is in the coding that either of the two names', async (t) => {
  const rows: [first: Record<string, string>, rest: Record<string, string>, isCompleted: boolean][] = [
    [{}, { 'Content-Encoding': 'br' }, true],
    [{ 'Content-Encoding': 'br' }, {}, true],
    [{ 'Content-Encoding': 'br' }, { 'Content-Encoding': 'gzip' }, false],
  ];
  for (const [first, rest, isCompleted] of rows) {
    const walk = makeWalk();
    walk.get('/a', { Range: 'bytes=0-4' });
    walk.origin.last.respond(206, { ...FRESH, ...first, 'Content-Range': 'bytes 0-4/10' }, '01234');
    const client = walk.get('/a');
    walk.origin.last.respond(206, { ...FRESH, ...rest, 'Content-Range': 'bytes 5-9/10' }, '56789');
    const message = JSON.stringify([first, rest]);
    if (!isCompleted) {
      t.equal(client.ending, 'waiting', `${message}: one tag for two codings`);
      continue;
    }
    for (const one of [client, walk.get('/a')])
      t.match([one.body, one.field('content-encoding')], ['0123456789', 'br'], message);
  }
});

t.test(
  'RFC 9111 §3.3: a part lives as the whole does that it is a part of, where a rule goes by the status',
  async (t) => {
    const ttl = {
      kind: 'by-status',
      statuses: { 200: { kind: 'fixed', ms: 60_000 } },
      other: { kind: 'fixed', ms: 0 },
    } as const;
    const walk = makeWalk({ rule: { ttl } });
    walk.get('/a', { Range: 'bytes=0-4' });
    walk.origin.last.respond(206, { ETag: '"one"', 'Content-Range': 'bytes 0-4/10' }, '01234');
    t.equal(walk.get('/a', { Range: 'bytes=0-4' }).outcome, 'HIT');
    walk.clock.advance(61_000);
    t.equal(walk.get('/a', { Range: 'bytes=0-4' }).ending, 'waiting');
  },
);

t.test('RFC 9111 §3.4: where the rest is of another representation, it is fetched anew, whole', async (t) => {
  for (const answer of [
    [206, { ...FRESH, ETag: '"two"', 'Content-Range': 'bytes 5-9/10' }],
    [206, { ...FRESH, 'Content-Range': 'bytes 4-9/10' }],
    [206, { ...FRESH, 'Content-Range': 'bytes 5-10/11' }],
    [416, {}],
  ] as const) {
    const walk = makeWalk();
    walk.get('/a', { Range: 'bytes=0-4' });
    walk.origin.last.respond(206, { ...FRESH, 'Content-Range': 'bytes 0-4/10' }, '01234');
    const client = walk.get('/a');
    walk.origin.last.respond(answer[0], answer[1], 'abcde');
    t.equal(client.ending, 'waiting');
    t.equal(walk.origin.last.field('range'), undefined);
    walk.origin.last.respond(200, FRESH, 'whole');
    t.match([client.status, client.body], [200, 'whole']);
  }
});

t.test('a 200 in place of the rest is taken as it is', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { Range: 'bytes=0-4' });
  walk.origin.last.respond(206, { ...FRESH, 'Content-Range': 'bytes 0-4/10' }, '01234');
  const client = walk.get('/a');
  walk.origin.last.respond(200, { ...FRESH, ETag: '"two"' }, 'abcdefghij');
  t.match([client.body, walk.get('/a').body], ['abcdefghij', 'abcdefghij']);
});

t.test('a part never takes the place of a whole, nor is it served as one', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { Range: 'bytes=0-4' });
  const range = walk.origin.last;
  walk.get('/a');
  walk.origin.last.respond(200, FRESH, '0123456789');
  range.respond(206, { ...FRESH, 'Content-Range': 'bytes 0-4/10' }, '01234');
  t.match([walk.get('/a').body, walk.head('/a').field('content-length')], ['0123456789', '10']);
});

t.test('RFC 9111 §3.3: who waits on the refresh of a part gets no more from it than that covers', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { Range: 'bytes=0-4' });
  walk.origin.last.respond(206, { ...FRESH, 'Content-Range': 'bytes 0-4/10' }, '01234');
  void walk.engine.operations.refresh({ kind: 'url', url: 'http://example.test/a' }, { fill: false });
  await new Promise(setImmediate);
  const refresh = walk.origin.last;
  t.equal(refresh.field('if-none-match'), '"one"');
  const again = { 'Cache-Control': 'no-cache' };
  const whole = [walk.get('/a', again), walk.get('/a', again)];
  t.equal(walk.origin.count, 2, 'both wait on it');
  refresh.respond(304, FRESH);
  t.equal(walk.origin.count, 3, 'and then one asks for the rest, or for all');
  const next = walk.origin.last;
  if (next.field('range') === undefined) next.respond(200, FRESH, '0123456789');
  else next.respond(206, { ...FRESH, 'Content-Range': 'bytes 5-9/10' }, '56789');
  for (const client of whole) t.match([client.status, client.body], [200, '0123456789']);
});

t.test(
  'RFC 9110 §15.3.7: a part to If-Range alone is not stored: what it leaves out is known to its client, and not here',
  async (t) => {
    const walk = makeWalk();
    const client = walk.get('/a', { Range: 'bytes=0-4', 'If-Range': '"one"' });
    walk.origin.last.respond(206, { ...FRESH, 'Content-Range': 'bytes 0-4/10' }, '01234');
    t.match([client.status, client.body], [206, '01234']);
    t.equal(walk.engine.parts.store.stats.objects, 0);
    t.equal(walk.engine.parts.store.stats.reservedBytes, 0);
  },
);

t.test('a 206 that lies about its bytes is not stored', async (t) => {
  const walk = makeWalk();
  const client = walk.get('/a', { Range: 'bytes=0-4' });
  walk.origin.last.respond(206, { ...FRESH, 'Content-Range': 'bytes 0-2/10' }, '01234');
  t.equal(client.status, 206);
  t.equal(walk.engine.parts.store.stats.objects, 0);
  t.equal(walk.engine.parts.store.stats.reservedBytes, 0);
});

t.test('a 206 with a body shorter than Content-Range claims ends where its bytes do', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { Range: 'bytes=-5' });
  walk.origin.last.respond(206, { ...FRESH, 'Content-Range': 'bytes 4-9/10' }, '45678');
  t.match([walk.get('/a', { Range: 'bytes=6-' }).body, walk.get('/a', { Range: 'bytes=-1' }).body], ['678', '8']);
});

t.test(
  'RFC 9112 §8: a 206 that the end of its connection cuts short is no part, and not the end of the whole',
  async (t) => {
    const walk = makeWalk();
    const client = walk.get('/a', { Range: 'bytes=0-' });
    // Without Content-Length its end is told from no other.
    walk.origin.last
      .head(206, { ...FRESH, 'Content-Range': 'bytes 0-9/10' })
      .data('01234')
      .end();
    t.match([client.status, client.body], [206, '01234']);
    t.equal(walk.get('/a').ending, 'waiting', 'half of it is not served as the whole');
    t.equal(walk.engine.parts.store.stats.objects, 0);
    walk.get('/b', { Range: 'bytes=0-4' });
    walk.origin.last
      .head(206, { ...FRESH, 'Content-Range': 'bytes 0-4/10' })
      .data('01234')
      .end();
    t.equal(walk.get('/b', { Range: 'bytes=0-4' }).outcome, 'HIT', 'one that is as long as it says is stored');
  },
);

t.test('RFC 9110 §15.3.7.2: several parts in one 206 are none of them, whatever Content-Range says', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { Range: 'bytes=0-8,9-19' });
  const fields = { ...FRESH, 'Content-Type': 'multipart/byteranges; boundary=x', 'Content-Range': 'bytes 0-19/20' };
  walk.origin.last.respond(206, fields, '--x and the like');
  t.equal(walk.engine.parts.store.stats.objects, 0);
});

t.test('an interrupted download goes on with a range request; no client notices', async (t) => {
  const walk = makeWalk();
  const clients = [walk.get('/a'), walk.get('/a')];
  walk.origin.last.head(200, { ...FRESH, 'Content-Length': '10' }).data('01234');
  walk.origin.last.fail('origin-truncated');
  t.match([walk.origin.last.field('range'), walk.origin.last.field('if-range')], ['bytes=5-', '"one"']);
  for (const client of clients) t.equal(client.ending, 'streaming');
  walk.origin.last.respond(206, { ...FRESH, 'Content-Range': 'bytes 5-9/10' }, '56789');
  for (const client of clients) t.match([client.body, client.ending], ['0123456789', 'finished']);
  t.equal(walk.get('/a').outcome, 'HIT');
});

t.test('an interrupted download that cannot go on is seen as broken, and nothing of it is stored', async (t) => {
  for (const answer of [
    [200, { ...FRESH }],
    [206, { ...FRESH, ETag: '"two"', 'Content-Range': 'bytes 5-9/10' }],
    [206, { ...FRESH, 'Content-Range': 'bytes 4-9/10' }],
    [206, { ...FRESH, 'Content-Encoding': 'gzip', 'Content-Range': 'bytes 5-9/10' }],
    [503, {}],
  ] as const) {
    const walk = makeWalk();
    const client = walk.get('/a');
    walk.origin.last.head(200, { ...FRESH, 'Content-Length': '10' }).data('01234');
    walk.origin.last.fail('origin-reset');
    walk.origin.last.respond(answer[0], answer[1], 'abcde');
    t.match([client.body, client.ending], ['01234', 'broken']);
    t.match(walk.engine.parts.store.stats, { objects: 0, reservedBytes: 0 });
  }
});

t.test('what is coded as it is sent goes on in the same coding, said in so many words, or not at all', async (t) => {
  const rows: [whole: Record<string, string>, rest: Record<string, string>, ending: string][] = [
    [{ 'Content-Encoding': 'br' }, {}, 'broken'],
    [{ 'Content-Encoding': 'br' }, { 'Content-Encoding': 'br' }, 'finished'],
    // Of the length that was told before there is no other coding.
    [{ 'Content-Encoding': 'br', 'Content-Length': '10' }, {}, 'finished'],
    [{}, {}, 'finished'],
  ];
  for (const [whole, rest, ending] of rows) {
    const walk = makeWalk();
    const client = walk.get('/a');
    walk.origin.last.head(200, { ...FRESH, ...whole }).data('01234');
    walk.origin.last.fail('origin-reset');
    walk.origin.last.respond(206, { ...FRESH, ...rest, 'Content-Range': 'bytes 5-9/10' }, '56789');
    t.equal(client.ending, ending, JSON.stringify([whole, rest]));
  }
});

t.test('an origin that breaks off again and again is asked a bounded number of times', async (t) => {
  const walk = makeWalk();
  const client = walk.get('/a');
  walk.origin.last.head(200, { ...FRESH, 'Content-Length': '10' }).data('0');
  for (let i = 0; i < 5 && client.ending === 'streaming'; i++) walk.origin.last.fail('origin-reset');
  t.equal(client.ending, 'broken');
  t.equal(walk.origin.count, 3);
});
