/** Proofs that each option of warming acts: proxies that differ in it alone, told apart by what their origin is asked for. */
import type { Test } from 'tap';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { HOST, metric, type OpenProxy, openProxy, settled } from '../kit/proxy-kit.js';
import type { Answer, RecordedRequest } from '../kit/scripted-origin.js';

interface Warmed extends OpenProxy {
  readonly clock: FakeClock;
  /** Targets that the origin was asked for, the sitemap left out. */
  readonly pages: string[];
}

type Respond = (request: RecordedRequest) => Answer | Promise<Answer>;

const MAP = `http://${HOST}/map`;

function urlset(...urls: readonly string[]): string {
  return `<urlset>${urls.map((url) => `<url><loc>${url}</loc></url>`).join('')}</urlset>`;
}

/** A proxy that warms what `respond` lists at /map; other targets have pages where it gives undefined. */
async function open(
  t: Test,
  warm: Readonly<Record<string, unknown>>,
  map: () => string,
  page?: Respond,
): Promise<Warmed> {
  const clock = new FakeClock();
  const pages: string[] = [];
  const house = await openProxy(t, {
    clock,
    conf: { warm: { sitemaps: [MAP], rate: 10_000, ...warm } },
    prepareOrigin: (origin) =>
      origin.respond((request) => {
        if (request.target === '/map') return { body: map() };
        pages.push(request.target);
        return page?.(request) ?? { fields: ['Cache-Control', 'max-age=600'], body: 'page' };
      }),
  });
  return { ...house, clock, pages };
}

function rounds(house: Warmed): number {
  return house.notices.filter((code) => code === 'warm-round').length;
}

async function round(house: Warmed, count = 1): Promise<Warmed> {
  await settled(() => {
    if (rounds(house) < count) house.clock.advance(1);
    return rounds(house) >= count;
  });
  return house;
}

/** How long after the first reading the second one comes, in steps of a second. */
async function secondReadingAfter(t: Test, warm: Readonly<Record<string, unknown>>): Promise<number> {
  let readings = 0;
  const house = await round(
    await open(t, warm, () => {
      readings++;
      return urlset();
    }),
  );
  for (let sec = 1; ; sec++) {
    house.clock.advance(1000);
    await turns(10);
    if (rounds(house) > 1 || readings > 1) return sec;
  }
}

export const WARM_PROOFS: Readonly<Record<string, (t: Test) => Promise<void>>> = {
  'warm.sitemaps': async (t) => {
    const house = await round(await open(t, {}, () => urlset(`http://${HOST}/a`)));
    t.same(house.pages, ['/a']);
    const idle = await open(t, { sitemaps: [] }, () => '');
    await turns(50);
    t.equal(idle.origin.requestCount, 0);
  },
  'warm.hosts': async (t) => {
    const map = (): string => urlset(`http://${HOST}/a`, 'http://b.example/b');
    t.same((await round(await open(t, {}, map))).pages, ['/a']);
    const both = await round(await open(t, { hosts: ['B.example'] }, map));
    t.same(both.pages, ['/a', '/b']);
    t.equal(both.origin.requests.at(-1)?.field('host'), 'b.example');
  },
  'warm.scheme': async (t) => {
    const map = (): string => urlset(`https://${HOST}/a`);
    const listed = await round(await open(t, {}, map));
    t.equal((await listed.get('/a')).field('cdn-cache'), 'MISS', 'it is stored for those who come by https');
    const byBoth = ['Accept-Encoding: gzip', 'X-Forwarded-Proto: https', 'Forwarded: for=192.0.2.1;proto=https'];
    t.equal((await listed.get('/a', ...byBoth)).field('cdn-cache'), 'HIT');
    t.equal(
      (await listed.get('/a', 'Accept-Encoding: gzip', 'Forwarded: proto=https')).field('cdn-cache'),
      'MISS',
      'said',
    );
    const http = await round(await open(t, { scheme: 'http' }, map));
    const [, page] = http.origin.requests;
    t.equal(page?.field('x-forwarded-proto'), 'http');
    t.equal((await http.get('/a', 'Accept-Encoding: gzip')).field('cdn-cache'), 'HIT');
  },
  'warm.every': async (t) => {
    t.equal(await secondReadingAfter(t, { every: '20s', jitter: '0%' }), 20);
    t.equal(await secondReadingAfter(t, { every: '40s', jitter: '0%' }), 40);
  },
  'warm.jitter': async (t) => {
    const seen = new Set<number>();
    for (let at = 0; at < 8; at++) seen.add(await secondReadingAfter(t, { every: '100s', jitter: '90%' }));
    t.ok(seen.size > 1, 'it differs');
    for (const sec of seen) t.ok(sec >= 10 && sec <= 190, String(sec));
  },
  'warm.rate': async (t) => {
    const map = (): string => urlset(...Array.from({ length: 6 }, (_, at) => `http://${HOST}/${at}`));
    const house = await open(t, { rate: 2, concurrency: 64 }, map);
    await settled(() => house.pages.length > 0);
    await turns(50);
    t.equal(house.pages.length, 1);
    for (const count of [2, 3, 4]) {
      house.clock.advance(499);
      await turns(50);
      t.equal(house.pages.length, count - 1);
      house.clock.advance(1);
      await turns(50);
      t.equal(house.pages.length, count);
    }
  },
  'warm.concurrency': async (t) => {
    const map = (): string => urlset(...Array.from({ length: 6 }, (_, at) => `http://${HOST}/${at}`));
    const house = await open(t, { concurrency: 3 }, map, () => new Promise<Answer>(() => {}));
    await settled(() => {
      house.clock.advance(1);
      return house.pages.length === 3;
    });
    for (let at = 0; at < 20; at++) {
      house.clock.advance(1);
      await turns(3);
    }
    t.equal(house.pages.length, 3);
  },
  'warm.vanished': async (t) => {
    for (const vanished of ['keep', 'expire']) {
      let urls = [`http://${HOST}/a`, `http://${HOST}/b`];
      const house = await round(await open(t, { vanished, every: '60s', jitter: '0%' }, () => urlset(...urls)));
      urls = urls.slice(1);
      house.clock.advance(60_000);
      await round(house, 2);
      const word = (await house.get('/a', 'Accept-Encoding: gzip')).field('cdn-cache');
      t.equal(word, vanished === 'keep' ? 'HIT' : 'EXPIRED');
    }
  },
  'warm.max_urls': async (t) => {
    const map = (): string => urlset(`http://${HOST}/a`, `http://${HOST}/b`);
    t.same((await round(await open(t, { max_urls: 2 }, map))).pages, ['/a', '/b']);
    const house = await round(await open(t, { max_urls: 1 }, map));
    t.same(house.pages, []);
    t.equal(metric(await house.metrics(), 'patina_warm_refused_total', 'reason="too-many-urls"'), 1);
  },
  'warm.headers': async (t) => {
    const map = (): string => urlset(`http://${HOST}/a`);
    const preset = await round(await open(t, {}, map));
    t.match(preset.origin.requests.at(-1)?.field('accept-encoding'), /\bgzip\b/);
    const house = await round(await open(t, { headers: { 'Accept-Language': 'de' } }, map));
    const page = house.origin.requests.at(-1);
    t.same([page?.field('accept-language'), page?.field('accept-encoding')], ['de', undefined]);
  },
};

/** Values that only look right. */
export const BAD_WARM_VALUES: Readonly<Record<string, readonly unknown[]>> = {
  'warm.sitemaps': [
    'sitemap.xml',
    'ftp://a.example/x',
    '',
    null,
    5,
    ['http://u:p@a.example/'],
    [null],
    ['http://a.example/a b'],
  ],
  'warm.hosts': ['http://a.example', 'a b', '', null, 5, ['a.example/'], [{}]],
  'warm.headers': [
    'x',
    null,
    ['a'],
    { zzz: 1 },
    { 'a b': 'x' },
    { Cookie: 'a=1' },
    { Host: 'x' },
    { Range: 'bytes=0-1' },
    { A: 'a\r\nB: c' },
  ],
};
