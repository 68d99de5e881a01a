// Goal: sitemaps are fetched from the origin alone, by condition, within bounds, and what fails takes nothing away. Method: a played origin that has documents.
import t from 'tap';
import { OriginError } from '../../lib/base/errors.js';
import {
  MAX_SITEMAP_DEPTH,
  MAX_SITEMAP_REDIRECTS,
  MAX_SITEMAPS,
  SITEMAP_FETCH_MAX_MS,
} from '../../lib/base/warm-limits.js';
import type { Refusal } from '../../lib/warm/contract.js';
import { type ReadTree, SitemapTree } from '../../lib/warm/tree.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { gzipped, index, MAP, PlayedSource, type Served, SITE, urlset } from './sitemaps.kit.js';

interface Forest {
  readonly clock: FakeClock;
  readonly source: PlayedSource;
  readonly tree: SitemapTree;
  /** What was refused since the last reading began. */
  readonly refused: string[];
  readonly details: string[];
  serve(path: string, document: Parameters<PlayedSource['documents']['set']>[1]): void;
  read(roots?: readonly string[], maxUrls?: number): Promise<ReadTree>;
}

function open(): Forest {
  const clock = new FakeClock();
  const source = new PlayedSource();
  const tree = new SitemapTree();
  const refused: string[] = [];
  const details: string[] = [];
  return {
    clock,
    source,
    tree,
    refused,
    details,
    serve: (path, document) => void source.documents.set(SITE + path, document),
    read: (roots = [MAP], maxUrls = 1000) => {
      refused.length = 0;
      source.asked.length = 0;
      source.validators.length = 0;
      return tree.read(roots, maxUrls, {
        clock,
        source,
        isOurs: (url) => url.startsWith(`${SITE}/`),
        asVisited: (url) => url,
        refused: (url: string, refusal: Refusal) => {
          refused.push(`${url.replace(SITE, '')} ${refusal.reason}`);
          details.push(refusal.message);
        },
        passedOver: (_url, { foreign, badUrls }) => {
          if (foreign + badUrls > 0) refused.push(`${foreign} foreign, ${badUrls} bad`);
        },
      });
    },
  };
}

function paths({ urls }: ReadTree): string[] {
  return [...urls.keys()].map((url) => url.replace(SITE, ''));
}

t.test('issue 4: an index leads to its sitemaps, gzipped ones too, and what two list is wanted once', async (t) => {
  const forest = open();
  forest.serve('/sitemap.xml', { body: index('/1.xml', '/2.xml.gz', '/1.xml') });
  forest.serve('/1.xml', { body: urlset(['/a', '2026-01-01'], '/b') });
  forest.serve('/2.xml.gz', {
    body: gzipped(urlset(['/a', '2026-02-01'], '/c')),
    fields: { 'content-type': 'application/gzip' },
  });
  const read = await forest.read();
  t.same(paths(read), ['/a', '/b', '/c']);
  t.equal(read.urls.get(`${SITE}/a`)?.lastmod?.from, Date.parse('2026-01-31T10:00:00Z'), 'the later date counts');
  t.same([read.changed, read.failed, read.isWhole], [3, 0, true]);
});

t.test('issue 4: a document is asked for by condition, and a 304 costs nothing more', async (t) => {
  const forest = open();
  const conditional: Served = {
    body: urlset('/a'),
    fields: { etag: '"1"', 'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT' },
  };
  forest.serve('/sitemap.xml', ({ etag }) => (etag === '"1"' ? { status: 304 } : conditional));
  await forest.read();
  t.same(forest.source.validators, [{ etag: undefined, lastModified: undefined }]);
  const again = await forest.read();
  t.same(forest.source.validators, [{ etag: '"1"', lastModified: 'Thu, 01 Jan 2026 00:00:00 GMT' }]);
  t.same([paths(again), again.notModified, again.changed], [['/a'], 1, 0]);
  forest.tree.forgetValidators();
  t.same(
    [(await forest.read()).changed, forest.source.validators[0]?.etag],
    [1, undefined],
    'another origin is asked for all of it',
  );
});

t.test('a 304 to no condition is refused', async (t) => {
  const forest = open();
  forest.serve('/sitemap.xml', { status: 304 });
  const read = await forest.read();
  t.same([forest.refused, read.isWhole], [['/sitemap.xml unexpected-304'], false]);
});

t.test('issue 4: whatever goes wrong is refused by name, and what was listed stays', async (t) => {
  const faults: readonly [string, Served | OriginError][] = [
    ['not-found', { status: 404 }],
    ['not-found', { status: 410 }],
    ['client-error', { status: 403 }],
    ['origin-error', { status: 500 }],
    ['origin-error', { status: 429 }],
    ['not-a-sitemap', { status: 204 }],
    ['not-a-sitemap', { status: 206, body: urlset('/a') }],
    ['not-a-sitemap', { body: '<html></html>', fields: { 'content-type': 'text/html' } }],
    ['no-answer', new OriginError('origin-refused', 'nobody listens')],
    ['no-answer', { body: urlset('/a').slice(0, 60), breaks: new OriginError('origin-truncated', 'cut off') }],
    ['broken-xml', { body: urlset('/a').slice(0, -4) }],
    ['broken-gzip', { body: gzipped(urlset('/a')).subarray(0, -4) }],
    ['content-coding', { body: 'x', fields: { 'content-encoding': 'zstd' } }],
    ['doctype', { body: '<!DOCTYPE urlset [<!ENTITY a "b">]><urlset/>' }],
    ['empty', { body: urlset() }],
    ['empty', { body: '' }],
    ['redirects', { status: 301 }],
    ['redirects', { status: 302, fields: { location: 'ftp://a.example/x' } }],
    ['foreign-host', { status: 302, fields: { location: 'http://b.example/sitemap.xml' } }],
  ];
  for (const [reason, fault] of faults) {
    const forest = open();
    forest.serve('/sitemap.xml', { body: urlset('/a', '/b') });
    await forest.read();
    forest.serve('/sitemap.xml', fault);
    const read = await forest.read();
    t.same([forest.refused, paths(read)], [[`/sitemap.xml ${reason}`], ['/a', '/b']], reason);
    t.equal(read.failed, 1);
    forest.serve('/sitemap.xml', { body: urlset('/c') });
    t.same([paths(await forest.read()), forest.refused], [['/c'], []], 'and it recovers');
  }
});

t.test('redirects within the hosts are followed, a few of them, and validators are of where they lead', async (t) => {
  const forest = open();
  const to = (path: string): Served => ({ status: 301, fields: { location: path } });
  forest.serve('/sitemap.xml', to('/s/1'));
  forest.serve('/s/1', to('2'));
  forest.serve('/s/2', ({ etag }) =>
    etag === '"1"' ? { status: 304 } : { body: urlset('/a'), fields: { etag: '"1"' } },
  );
  t.same(paths(await forest.read()), ['/a']);
  t.equal((await forest.read()).notModified, 1);
  t.same(
    forest.source.validators.map(({ etag }) => etag),
    [undefined, undefined, '"1"'],
  );
  forest.serve('/sitemap.xml', to('/sitemap.xml'));
  await forest.read();
  t.same(forest.refused, ['/sitemap.xml redirects']);
  t.equal(forest.source.asked.length, MAX_SITEMAP_REDIRECTS + 1);
});

t.test('issue 4: circles and depths of index files are bounded', async (t) => {
  const forest = open();
  forest.serve('/sitemap.xml', { body: index('/1.xml', '/pages.xml') });
  forest.serve('/1.xml', { body: index('/sitemap.xml', '/1.xml') });
  forest.serve('/pages.xml', { body: urlset('/a') });
  t.same(paths(await forest.read()), ['/a']);
  t.same(forest.refused, ['/sitemap.xml cyclic', '/1.xml cyclic']);
  t.equal(forest.source.asked.length, 3, 'each is asked for once');
  const deep = open();
  for (let at = 0; at < 9; at++) deep.serve(at === 0 ? '/sitemap.xml' : `/${at}`, { body: index(`/${at + 1}`) });
  await deep.read();
  t.equal(deep.source.asked.length, MAX_SITEMAP_DEPTH);
  t.same(deep.refused, [`/${MAX_SITEMAP_DEPTH - 1} too-deep`]);
});

t.test('issue 4: the number of sitemaps is bounded', async (t) => {
  const forest = open();
  const many = Array.from({ length: MAX_SITEMAPS + 5 }, (_, at) => `/${at}`);
  forest.serve('/sitemap.xml', { body: index(...many) });
  for (const path of many) forest.serve(path, { body: urlset(`${path}/page`) });
  const read = await forest.read([MAP], 1_000_000);
  t.equal(forest.source.asked.length, MAX_SITEMAPS);
  t.equal(read.urls.size, MAX_SITEMAPS - 1);
  t.equal(forest.refused.filter((line) => line.endsWith('too-many-sitemaps')).length, 6);
  t.equal(read.isWhole, false, 'what is listed nowhere may be listed in what was not read');
});

t.test('issue 4: the number of URLs in all is bounded, and sitemaps that fit are taken', async (t) => {
  const forest = open();
  forest.serve('/sitemap.xml', { body: index('/1', '/2', '/3') });
  forest.serve('/1', { body: urlset('/a', '/b') });
  forest.serve('/2', { body: urlset('/c', '/d') });
  forest.serve('/3', { body: urlset('/e') });
  const read = await forest.read([MAP], 3);
  t.same(paths(read), ['/a', '/b', '/e']);
  t.same([forest.refused, read.isWhole], [['/2 too-many-urls'], false]);
});

t.test('a sitemap that could not be had yet may have what another one lost', async (t) => {
  const forest = open();
  forest.serve('/sitemap.xml', { body: index('/1', '/2') });
  forest.serve('/1', { body: urlset('/a') });
  forest.serve('/2', { status: 503 });
  t.equal((await forest.read()).isWhole, false);
  forest.serve('/2', { status: 404 });
  t.equal((await forest.read()).isWhole, true, 'one that does not exist has nothing');
  forest.serve('/2', { body: urlset('/b') });
  t.same(paths(await forest.read()), ['/a', '/b']);
  forest.serve('/2', { status: 503 });
  const read = await forest.read();
  t.same([paths(read), read.isWhole, read.isWaiting], [['/a', '/b'], true, true], 'what it listed last holds');
});

t.test('RFC 9110 §10.2.3: Retry-After is honoured, and the others are read meanwhile', async (t) => {
  const forest = open();
  forest.serve('/sitemap.xml', { body: index('/1', '/2') });
  forest.serve('/1', { body: urlset('/a') });
  forest.serve('/2', { status: 503, fields: { 'retry-after': '60' } });
  const read = await forest.read();
  t.equal(read.notBefore, forest.clock.now() + 60_000);
  forest.serve('/2', { body: urlset('/b') });
  forest.clock.advance(59_999);
  t.same([paths(await forest.read()), forest.source.asked.length], [['/a'], 2]);
  forest.clock.advance(1);
  t.same(paths(await forest.read()), ['/a', '/b']);
  forest.serve('/2', { status: 429, fields: { 'retry-after': 'Thu, 01 Jan 2026 00:02:00 GMT' } });
  t.equal((await forest.read()).notBefore, Date.UTC(2026, 0, 1, 0, 2));
  forest.serve('/1', new OriginError('origin-breaker-open', 'it is down', { retryAfterSec: 5 }));
  await forest.read();
  t.equal((await forest.read()).notBefore, Date.UTC(2026, 0, 1, 0, 2));
});

t.test('issue 4: a sitemap that drips or hangs is given up', async (t) => {
  for (const kind of ['hangs', 'drips'] as const) {
    const forest = open();
    const dripping = async function* (signal: AbortSignal): AsyncGenerator<Buffer> {
      yield Buffer.from('<urlset>');
      await new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(new OriginError('origin-aborted', ''))),
      );
    };
    forest.source.ask = async (_url, _validators, signal) => {
      if (kind === 'drips') return { status: 200, field: () => undefined, body: dripping(signal) };
      return new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(new OriginError('origin-aborted', ''))),
      );
    };
    const reading = forest.read();
    await turns(5);
    forest.clock.advance(SITEMAP_FETCH_MAX_MS);
    const read = await reading;
    t.same([forest.refused, read.isWaiting], [['/sitemap.xml too-slow'], true], kind);
    t.equal(forest.clock.pendingCount, 0);
  }
});

t.test('a reading that is stopped ends at once, and forgets nothing', async (t) => {
  const forest = open();
  forest.serve('/sitemap.xml', { body: urlset('/a') });
  await forest.read();
  forest.serve('/sitemap.xml', () => new Promise<Served>(() => {}));
  const reading = forest.read();
  await turns(5);
  forest.tree.stop();
  t.equal((await reading).isWhole, false);
  forest.serve('/sitemap.xml', { status: 503 });
  t.same(paths(await forest.read()), ['/a']);
});

t.test('a feed and a sitemap: what either lists for certain is no window', async (t) => {
  const forest = open();
  const feed = `<feed xmlns="http://www.w3.org/2005/Atom">${['/a', '/b'].map((path) => `<entry><link href="${SITE}${path}"/></entry>`).join('')}</feed>`;
  forest.serve('/feed', { body: feed });
  forest.serve('/sitemap.xml', { body: urlset('/a') });
  const { urls } = await forest.read([`${SITE}/feed`, MAP]);
  t.same(
    [...urls.values()].map(({ isWindow }) => isWindow),
    [false, true],
  );
});
