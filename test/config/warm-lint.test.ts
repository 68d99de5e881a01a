// Goal: settings of warming that are hardly meant are told with their consequence. Method: configurations that differ in one thing.
import t from 'tap';
import { lint } from '../../lib/config/lint.js';
import { readConfig } from '../../lib/config/load.js';

const SITEMAP = 'http://www.example.org/sitemap.xml';

function codesOf(warm: Readonly<Record<string, unknown>>): string[] {
  const settings = readConfig({ origin: 'http://127.0.0.1:3000', warm });
  return lint(settings)
    .filter(({ path }) => path[0] === 'warm')
    .map(({ code, path }) => `${code} at ${path.join('.')}`);
}

t.test('issue 4: patina check warns of what warming will not do as meant', async (t) => {
  const cases: readonly [Readonly<Record<string, unknown>>, readonly string[]][] = [
    [{}, []],
    [{ sitemaps: [SITEMAP] }, []],
    [{ sitemaps: [SITEMAP], hosts: ['static.example.org:8080'] }, []],
    [{ sitemaps: [SITEMAP, 'http://b.example/x'], hosts: ['b.example'] }, ['warm-foreign-host at warm.sitemaps.0']],
    [{ sitemaps: [SITEMAP, 'http://b.example/x'], hosts: ['b.example', 'www.example.org'] }, []],
    [{ hosts: ['www.example.org'] }, ['warm-idle at warm']],
    [{ sitemaps: ['http://127.0.0.1:3000/sitemap.xml'] }, ['warm-at-origin at warm.sitemaps.0']],
    [{ sitemaps: ['http://127.0.0.1:3000/sitemap.xml'], hosts: ['www.example.org'] }, []],
    [
      { sitemaps: [SITEMAP, 'http://b.example/x'], hosts: ['www.example.org'] },
      ['warm-foreign-host at warm.sitemaps.1'],
    ],
    [{ sitemaps: [SITEMAP], rate: 1, max_urls: 100_000 }, ['warm-slow at warm.rate']],
    [{ sitemaps: [SITEMAP, 'https://www.example.org/x'] }, ['warm-scheme at warm.sitemaps.1']],
    [{ sitemaps: ['https://www.example.org/x'], scheme: 'http' }, []],
  ];
  for (const [warm, codes] of cases) t.same(codesOf(warm), codes, JSON.stringify(warm));
});
