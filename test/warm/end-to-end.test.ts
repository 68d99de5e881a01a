// Goal: an edit at the origin reaches the cache by way of its sitemap, with no purge and no visitor. Method: the whole proxy before a scripted CMS, time owned by the test.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { HOST, metric, type OpenProxy, openProxy, settled, TOKEN } from '../kit/proxy-kit.js';
import type { Answer } from '../kit/scripted-origin.js';

interface Page {
  body: string;
  etag: string;
  lastmod: string;
}

/** A CMS that has pages, lists them in a sitemap, and can say "not modified" of all of it. */
class Cms {
  readonly pages = new Map<string, Page>();
  version = 1;

  put(path: string, body: string, lastmod: string, etag = `"${body}"`): void {
    this.pages.set(path, { body, etag, lastmod });
    this.version++;
  }

  get sitemap(): string {
    const urls = [...this.pages].map(
      ([path, { lastmod }]) => `<url><loc>http://${HOST}${path}</loc><lastmod>${lastmod}</lastmod></url>`,
    );
    return `<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">${urls.join('')}</urlset>`;
  }

  answer(target: string, ifNoneMatch: string | undefined): Answer {
    const page = this.pages.get(target);
    const etag = target === '/sitemap.xml' ? `"map-${this.version}"` : page?.etag;
    const body = target === '/sitemap.xml' ? this.sitemap : page?.body;
    if (etag === undefined || body === undefined) return { status: 404, body: 'no such page' };
    if (ifNoneMatch === etag) return { status: 304, fields: ['ETag', etag] };
    return { fields: ['ETag', etag], body };
  }
}

interface House extends OpenProxy {
  readonly clock: FakeClock;
  readonly cms: Cms;
  /** What the origin was asked for, with its status, since the last call. */
  told(): string[];
  /** Time passes until the next reading, and all it leads to. */
  nextRound(): Promise<void>;
}

async function open(
  t: Test,
  warm: Readonly<Record<string, unknown>> = {},
  prepare: (cms: Cms) => void = () => {},
): Promise<House> {
  const clock = new FakeClock();
  const cms = new Cms();
  prepare(cms);
  const conf = {
    defaults: { ttl: '1d' },
    warm: { sitemaps: [`http://${HOST}/sitemap.xml`], every: '1m', jitter: '0%', rate: 10_000, ...warm },
  };
  let isReady = false;
  const asked: string[] = [];
  const house = await openProxy(t, {
    clock,
    conf,
    token: TOKEN,
    prepareOrigin: (origin) => {
      origin.respond(({ target, field }) => {
        const answer = cms.answer(target, field('if-none-match'));
        asked.push(`${target} ${answer.status ?? 200}`);
        return answer;
      });
      isReady = true;
    },
  });
  t.ok(isReady);
  const rounds = (): number => house.notices.filter((code) => code === 'warm-round').length;
  await roundsReach(rounds, 1, clock);
  return {
    ...house,
    clock,
    cms,
    told: () => asked.splice(0),
    nextRound: async () => {
      const before = rounds();
      clock.advance(60_000);
      await roundsReach(rounds, before + 1, clock);
    },
  };
}

async function roundsReach(rounds: () => number, count: number, clock: FakeClock): Promise<void> {
  await settled(() => {
    // The pace of requests is by the clock as well.
    if (rounds() < count) clock.advance(1);
    return rounds() >= count;
  });
}

t.test('issue 4: every URL of a sitemap is filled at the start, before any visitor', async (t) => {
  const house = await open(t, {}, (cms) => {
    cms.put('/a', 'a1', '2025-06-01T10:00:00Z');
    cms.put('/b', 'b1', '2025-06-01');
  });
  t.same(house.told(), ['/sitemap.xml 200', '/a 200', '/b 200']);
  for (const [path, body] of [
    ['/a', 'a1'],
    ['/b', 'b1'],
  ] as const) {
    const response = await house.get(path, 'Accept-Encoding: gzip, deflate, br, zstd');
    t.equal(response.field('cdn-cache'), 'HIT');
    t.equal(response.body.toString(), body);
  }
  t.equal(house.origin.requestCount, 3);
});

t.test(
  'issue 4: an edit with a new lastmod reaches the cache on the next round, although the ttl has a day to run',
  async (t) => {
    const house = await open(t, {}, (cms) => {
      cms.put('/a', 'a1', '2025-06-01T10:00:00Z');
      cms.put('/b', 'b1', '2025-06-01T10:00:00Z');
    });
    house.told();
    house.cms.put('/a', 'a2', '2026-01-01T00:00:30Z');
    await house.nextRound();
    t.same(house.told(), ['/sitemap.xml 200', '/a 200'], 'nobody asks about what was not edited');
    const response = await house.get('/a');
    t.strictSame([response.field('cdn-cache'), response.body.toString()], ['HIT', 'a2'], 'replaced by the 200');
    t.equal((await house.get('/b')).body.toString(), 'b1');
    await house.nextRound();
    t.same(house.told(), ['/sitemap.xml 304'], 'and it is not asked about again');
  },
);

t.test('issue 4: a lastmod that moved over an unchanged page costs a 304, which freshens', async (t) => {
  const house = await open(t, {}, (cms) => cms.put('/a', 'a1', '2025-06-01T10:00:00Z'));
  house.told();
  house.cms.put('/a', 'a1', '2026-01-01T00:00:30Z');
  await house.nextRound();
  t.same(house.told(), ['/sitemap.xml 200', '/a 304']);
  const response = await house.get('/a');
  t.strictSame([response.field('cdn-cache'), response.body.toString()], ['HIT', 'a1']);
  t.equal(response.field('age'), '0', 'its life began anew');
  t.equal(metric(await house.metrics(), 'patina_warm_urls_total', 'outcome="freshened"'), 1);
});

t.test('issue 4: the sitemap itself is asked for by condition', async (t) => {
  const house = await open(t, {}, (cms) => cms.put('/a', 'a1', '2025-06-01'));
  house.told();
  await house.nextRound();
  await house.nextRound();
  t.same(house.told(), ['/sitemap.xml 304', '/sitemap.xml 304']);
  t.equal(metric(await house.metrics(), 'patina_warm_rounds_total', 'outcome="complete"'), 3);
});

t.test('a sitemap of the public host reaches the origin with that Host', async (t) => {
  const house = await open(t, {}, (cms) => cms.put('/a', 'a1', '2025-06-01'));
  t.same(
    house.origin.requests.map(({ field }) => field('host')),
    [HOST, HOST],
  );
});

t.test('issue 4: what vanished from the sitemap is made stale where that is wanted, and kept where not', async (t) => {
  for (const vanished of ['expire', 'keep']) {
    const house = await open(t, { vanished }, (cms) => {
      cms.put('/a', 'a1', '2025-06-01');
      cms.put('/b', 'b1', '2025-06-01');
    });
    house.cms.pages.delete('/b');
    house.cms.version++;
    await house.nextRound();
    t.equal(
      metric(await house.metrics(), 'patina_warm_urls_total', 'outcome="expired"'),
      vanished === 'expire' ? 1 : 0,
    );
    const { status } = await house.get('/b');
    t.equal(status, vanished === 'expire' ? 404 : 200);
    t.equal((await house.get('/a')).field('cdn-cache'), 'HIT');
  }
});

t.test(
  'nothing vanishes because a sitemap failed, was cut off, was replaced by an error page, or lists nothing',
  async (t) => {
    const FAULTS: readonly Answer[] = [
      { status: 503, body: 'down' },
      { status: 404, body: 'gone' },
      { body: '<!doctype html><html>an error with status 200</html>' },
      { body: '' },
      { body: '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"></urlset>' },
      { body: `<urlset><url><loc>http://${HOST}/a</loc></url>` },
    ];
    for (const fault of FAULTS) {
      const house = await open(t, { vanished: 'expire' }, (cms) => {
        cms.put('/a', 'a1', '2025-06-01');
        cms.put('/b', 'b1', '2025-06-01');
      });
      house.origin.respond(({ target }) => (target === '/sitemap.xml' ? fault : { status: 500 }));
      await house.nextRound();
      t.equal(house.notices.filter((code) => code === 'warm-refused').length, 1, 'one line says it');
      t.equal((await house.get('/b')).field('cdn-cache'), 'HIT');
      const exposition = await house.metrics();
      t.equal(metric(exposition, 'patina_warm_urls_total', 'outcome="expired"'), 0);
      t.equal(metric(exposition, 'patina_warm_refused_total'), 1);
      t.equal(metric(exposition, 'patina_warm_listed'), 2, 'what it listed last holds');
    }
  },
);

t.test('issue 4: POST /v1/warm begins a round now, and says where there is nothing to warm', async (t) => {
  const house = await open(t, { every: '1d' }, (cms) => cms.put('/a', 'a1', '2025-06-01'));
  house.told();
  const reply = await house.operate('POST', '/v1/warm');
  t.equal(reply.status, 202);
  t.same(JSON.parse(reply.body.toString()), { operation: 'warm', sitemaps: 1 });
  await settled(() => house.notices.filter((code) => code === 'warm-round').length === 2);
  t.same(house.told(), ['/sitemap.xml 304']);
  t.equal((await house.operate('POST', '/v1/warm', {}, [])).status, 401, 'the token is needed');
  const idle = await openProxy(t, { token: TOKEN });
  t.equal((await idle.operate('POST', '/v1/warm')).status, 409);
});

t.test(
  'a sitemap at the host of the origin warms pages of the host that visitors use, where that is named',
  async (t) => {
    const clock = new FakeClock();
    let map = '';
    const house = await openProxy(t, {
      clock,
      prepareOrigin: (origin) => {
        map = new URL('/map.txt', origin.url).href;
        origin.respond(({ target }) => ({
          fields: ['Cache-Control', 'max-age=600'],
          body: target === '/map.txt' ? `http://${HOST}/a\nhttp://other.example/b\n` : 'page',
        }));
      },
      next: () => ({ warm: { sitemaps: [map], hosts: [HOST] } }),
    });
    t.equal((await house.proxy.reload()).kind, 'reloaded');
    await roundsReach(() => house.notices.filter((code) => code === 'warm-round').length, 1, clock);
    t.same(
      house.origin.requests.map(({ target, field }) => [target, field('host')]),
      [
        ['/map.txt', new URL(map).host],
        ['/a', HOST],
      ],
    );
    t.equal(metric(await house.metrics(), 'patina_warm_refused_total', 'reason="foreign-host"'), 1);
    t.equal((await house.get('/a', 'Accept-Encoding: gzip')).field('cdn-cache'), 'HIT');
  },
);

t.test('every variant that is stored for an edited page is asked about', async (t) => {
  const clock = new FakeClock();
  let lastmod = '2025-06-01T00:00:00Z';
  const asked: (string | undefined)[] = [];
  const house = await openProxy(t, {
    clock,
    conf: { defaults: { ttl: '1d' }, warm: { sitemaps: [`http://${HOST}/map`], every: '1m', jitter: '0%' } },
    prepareOrigin: (origin) =>
      origin.respond(({ target, field }) => {
        if (target === '/map')
          return { body: `<urlset><url><loc>http://${HOST}/a</loc><lastmod>${lastmod}</lastmod></url></urlset>` };
        asked.push(field('accept-language'));
        const etag = `"${field('accept-language')} ${lastmod}"`;
        const fields = ['ETag', etag, 'Vary', 'Accept-Language'];
        return field('if-none-match')?.includes(etag) ? { status: 304, fields } : { fields, body: etag };
      }),
  });
  const rounds = (): number => house.notices.filter((code) => code === 'warm-round').length;
  await roundsReach(rounds, 1, clock);
  await house.get('/a', 'Accept-Language: de');
  await house.get('/a', 'Accept-Language: fr');
  lastmod = '2026-01-01T00:00:30Z';
  asked.length = 0;
  clock.advance(60_000);
  await roundsReach(rounds, 2, clock);
  t.same(asked.sort(), ['de', 'fr', undefined]);
  for (const language of ['de', 'fr']) {
    const response = await house.get('/a', `Accept-Language: ${language}`);
    t.strictSame([response.field('cdn-cache'), response.body.toString()], ['HIT', `"${language} ${lastmod}"`]);
  }
});

t.test(
  'what the origin marks private is not stored for having been listed, and not asked for at every round',
  async (t) => {
    const clock = new FakeClock();
    const house = await openProxy(t, {
      clock,
      conf: {
        rules: [{ name: 'past', match: { path: '/past' }, pass: true }],
        warm: { sitemaps: [`http://${HOST}/map`], every: '1m', jitter: '0%' },
      },
      prepareOrigin: (origin) =>
        origin.respond(({ target }) => {
          const fields = ['Cache-Control', 'private, max-age=60'];
          return target === '/map' ? { body: `http://${HOST}/a\nhttp://${HOST}/past\n` } : { fields, body: 'yours' };
        }),
    });
    const rounds = (): number => house.notices.filter((code) => code === 'warm-round').length;
    for (const count of [1, 2, 3]) {
      await roundsReach(rounds, count, clock);
      clock.advance(60_000);
    }
    t.equal(house.origin.requests.filter(({ target }) => target === '/a').length, 1);
    t.equal(house.origin.requests.filter(({ target }) => target === '/past').length, 0);
    t.equal((await house.get('/a')).field('cdn-cache'), 'MISS');
  },
);

t.test(
  'issue 5: after a restart what is on disk is not fetched again, and what was edited meanwhile is asked about',
  async (t) => {
    const path = mkdtempSync(join(tmpdir(), 'patina-warm-'));
    t.teardown(() => rmSync(path, { recursive: true, force: true }));
    const clock = new FakeClock();
    const cms = new Cms();
    cms.put('/a', 'a1', '2025-06-01T10:00:00Z');
    cms.put('/b', 'b1', '2025-06-01T10:00:00Z');
    const asked: string[] = [];
    const start = (url?: URL): Promise<OpenProxy> =>
      openProxy(t, {
        clock,
        ...(url === undefined ? {} : { url }),
        conf: {
          cache: { disk: { path, size: '64MB' } },
          defaults: { ttl: '1d' },
          warm: { sitemaps: [`http://${HOST}/sitemap.xml`], every: '1m', rate: 10_000 },
        },
        prepareOrigin: (origin) =>
          origin.respond(({ target, field }) => {
            const answer = cms.answer(target, field('if-none-match'));
            asked.push(`${target} ${answer.status ?? 200} ${field('if-none-match') ?? '-'}`);
            return answer;
          }),
      });
    const roundsOf = (house: OpenProxy) => (): number => house.notices.filter((code) => code === 'warm-round').length;
    const first = await start();
    await roundsReach(roundsOf(first), 1, clock);
    await first.proxy.close();
    clock.advance(600_000);
    cms.put('/b', 'b2', '2026-01-01T00:05:00Z');
    asked.length = 0;
    const second = await start(first.origin.url);
    await roundsReach(roundsOf(second), 1, clock);
    t.same(asked, ['/sitemap.xml 200 -', '/b 200 "b1"']);
    for (const [target, body] of [
      ['/a', 'a1'],
      ['/b', 'b2'],
    ] as const) {
      const response = await second.get(target);
      t.strictSame([response.field('cdn-cache'), response.body.toString()], ['HIT', body]);
    }
  },
);

t.test('a drained proxy warms no more', async (t) => {
  const house = await open(t, {}, (cms) => cms.put('/a', 'a1', '2025-06-01'));
  house.told();
  const drained = house.proxy.drain();
  house.clock.advance(10 * 60_000);
  await turns(50);
  t.same(house.told(), []);
  house.clock.advance(60_000);
  await drained;
});

t.test('memory that is nearly full is left to what visitors chose', async (t) => {
  const clock = new FakeClock();
  const urls = Array.from({ length: 80 }, (_, at) => `http://${HOST}/${at}`);
  const house = await openProxy(t, {
    clock,
    conf: { cache: { memory: '1MB' }, warm: { sitemaps: [`http://${HOST}/map`], rate: 10_000, concurrency: 1 } },
    prepareOrigin: (origin) =>
      origin.respond(({ target }) => ({
        fields: ['Cache-Control', 'max-age=600'],
        body: target === '/map' ? urls.join('\n') : Buffer.alloc(20_000),
      })),
  });
  await roundsReach(() => house.notices.filter((code) => code === 'warm-round').length, 1, clock);
  const exposition = await house.metrics();
  const filled = metric(exposition, 'patina_warm_urls_total', 'outcome="filled"');
  const refused = metric(exposition, 'patina_warm_urls_total', 'outcome="no-room"');
  t.ok(filled >= 35 && filled <= 42, `${filled} filled`);
  t.equal(filled + refused, urls.length);
  t.equal(metric(exposition, 'patina_removals_total', 'reason="evicted"'), 0, 'nothing was pushed out for it');
});
