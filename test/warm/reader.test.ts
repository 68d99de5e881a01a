// Goal: every form of sitemap is read, and nothing that is none of them does harm. Method: documents in pieces of every size, good and broken.
import t from 'tap';
import {
  MAX_SITEMAP_BYTES,
  MAX_SITEMAP_ENTRY_BYTES,
  MAX_SITEMAP_URL_LENGTH,
  MAX_SITEMAP_URLS,
  MAX_XML_DEPTH,
  MAX_XML_TOKEN_BYTES,
  SITEMAP_STEP_BYTES,
} from '../../lib/base/warm-limits.js';
import { Refusal } from '../../lib/warm/contract.js';
import { entriesOf, index, pathsOf, read, SITE, URLSET, urlset } from './sitemaps.kit.js';

const day = (text: string): number => Date.parse(text);

async function refusalOf(body: string | Buffer, options: Parameters<typeof read>[1] = {}): Promise<string> {
  try {
    const { listing } = await read(body, options);
    return `read: ${JSON.stringify(listing).slice(0, 80)}`;
  } catch (error) {
    if (error instanceof Refusal) return error.reason;
    throw error;
  }
}

t.test('issue 4: a sitemap is read, in pieces of whatever size', async (t) => {
  const body = urlset('/a', ['/b?x=1&amp;y=2', '2026-01-02T03:04:05Z'], ['/c', 'nonsense']);
  for (const pieceBytes of [1, 2, 7, 64, 100_000]) {
    const result = await read(body, { pieceBytes });
    t.same(pathsOf(result), ['/a', '/b?x=1&y=2', '/c']);
    t.same(entriesOf(result)[1]?.lastmod, { from: day('2026-01-02T03:04:05Z'), until: day('2026-01-02T03:04:06Z') });
    t.equal(entriesOf(result)[2]?.lastmod, undefined, 'what is no date says nothing');
  }
});

t.test('references, CDATA, comments, prefixes and what else stands in an entry', async (t) => {
  const body = `<?xml version='1.0'?><!-- <urlset> --><?pi <url> ?>
<s:urlset xmlns:s="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="i" title="a > b">
  <s:url><!-- <s:loc>http://a.example/no</s:loc> --><s:loc> ${SITE}/&#97;&#x62;&quot;&nbsp;x </s:loc><image:image><image:loc>${SITE}/no</image:loc>
    <s:loc>${SITE}/deeper</s:loc></image:image><s:priority>1</s:priority></s:url>
  <s:url attr='</s:url>'><s:loc><![CDATA[${SITE}/c?d&e]]></s:loc></s:url >
  <other:url xmlns:other="o"><other:loc>${SITE}/no</other:loc></other:url>
  <s:url/><s:url><s:loc/></s:url>
</s:urlset>`;
  for (const pieceBytes of [1, 13, 100_000]) {
    const result = await read(body, { pieceBytes });
    t.same(pathsOf(result), ['/ab"&nbsp;x', '/c?d&e']);
    t.equal(result.badUrls, 1, 'the one without a URL is counted');
  }
});

t.test('issue 4: an index file leads to sitemaps', async (t) => {
  const { listing } = await read(index('/1.xml', '/2.xml.gz'));
  t.same(listing, { kind: 'index', sitemaps: [`${SITE}/1.xml`, `${SITE}/2.xml.gz`] });
});

t.test('issue 4: RSS 2.0 is read: link or guid, and the latest date that an item has', async (t) => {
  const body = `<rss version="2.0" xmlns:dc="d" xmlns:atom="http://www.w3.org/2005/Atom"><channel><link>${SITE}/no</link><title>x</title>
    <atom:link href="${SITE}/feed" rel="self"/>
    <item><title>&nbsp;</title><link>${SITE}/a</link><atom:link href="${SITE}/no"/><pubDate>Fri, 02 Jan 2026 03:04:05 GMT</pubDate></item>
    <item><guid>${SITE}/b</guid><pubDate>02 Jan 26 03:04 EST</pubDate><atom:updated>2026-02-01T00:00:00Z</atom:updated></item>
    <item><guid isPermaLink="false">${SITE}/no</guid></item>
    <item><link>/relative</link><description><![CDATA[ <item> ]]></description></item>
  </channel></rss>`;
  const result = await read(body);
  t.same(pathsOf(result), ['/a', '/b', '/relative']);
  t.equal(entriesOf(result)[0]?.lastmod?.from, day('2026-01-02T03:04:05Z'));
  t.equal(entriesOf(result)[1]?.lastmod?.from, day('2026-02-01T00:00:00Z'));
  t.equal(result.badUrls, 1);
  t.ok(result.listing.kind === 'urls' && result.listing.isWindow, 'what leaves a feed is not gone');
});

t.test('issue 4: Atom is read (RFC 4287): the link to the page itself, and updated', async (t) => {
  const body = `<feed xmlns="http://www.w3.org/2005/Atom"><link href="${SITE}/no"/><updated>2026-03-01T00:00:00Z</updated>
    <entry><link rel="edit" href="${SITE}/no"/><link rel="alternate" type="application/json" href="${SITE}/no"/>
      <link rel="alternate" type="text/html" href="${SITE}/a"/><published>2026-01-01T00:00:00Z</published><updated>2026-01-02T00:00:00.5+01:00</updated></entry>
    <entry><link href='b?c=1&amp;d'/></entry>
  </feed>`;
  const result = await read(body, { base: `${SITE}/blog/feed` });
  t.same(pathsOf(result), ['/a', '/blog/b?c=1&d']);
  t.equal(entriesOf(result)[0]?.lastmod?.from, day('2026-01-01T23:00:00.500Z'));
});

t.test('issue 4: a plain list of URLs is read', async (t) => {
  for (const newline of ['\n', '\r\n', '\r']) {
    const body = ['', `${SITE}/a`, '', `  ${SITE}/b `, 'not a URL', `${SITE}/c`].join(newline);
    for (const pieceBytes of [1, 5, 1000]) {
      const result = await read(`\ufeff${body}`, { pieceBytes });
      t.same(pathsOf(result), ['/a', '/b', '/c']);
      t.equal(result.badUrls, 1);
    }
  }
});

t.test('RFC 7303 §3: the encoding is that of the byte order mark, the answer, the declaration, or UTF-8', async (t) => {
  const umlaut = encodeURIComponent('ä');
  const path = async (body: Buffer, contentType?: string): Promise<string | undefined> =>
    pathsOf(await read(body, { contentType }))[0];
  const document = (encoding: string): string =>
    `<?xml version="1.0" encoding="${encoding}"?>${URLSET}<url><loc>${SITE}/ä</loc></url></urlset>`;
  t.equal(await path(Buffer.from(`\ufeff${document('x')}`, 'utf16le')), `/${umlaut}`);
  t.equal(await path(Buffer.from(document('iso-8859-1'), 'latin1')), `/${umlaut}`);
  t.equal(await path(Buffer.from(document('utf-8'), 'latin1'), 'text/xml; charset="iso-8859-1"'), `/${umlaut}`);
  t.equal(await path(Buffer.from(document('utf-8'))), `/${umlaut}`);
  t.equal(await refusalOf(Buffer.from(document('utf-8'), 'latin1')), 'charset');
  t.equal(await refusalOf(document('klingon')), 'charset');
  t.equal(
    await refusalOf(Buffer.concat([Buffer.from(document('utf-8')), Buffer.from([0xc3])])),
    'charset',
    'cut off within a character',
  );
});

t.test('issue 4: document types are refused before an entity of them can be used', async (t) => {
  const bomb = `<?xml version="1.0"?><!DOCTYPE urlset [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>
    ${URLSET}<url><loc>${SITE}/&b;</loc></url></urlset>`;
  t.equal(await refusalOf(bomb), 'doctype');
  t.equal(await refusalOf(bomb, { pieceBytes: 1 }), 'doctype');
  t.equal(await refusalOf('<!doctype urlset SYSTEM "file:///etc/passwd">'), 'doctype');
  t.equal(await refusalOf('<!DOCTYPE html><html></html>'), 'not-a-sitemap');
  t.same(
    pathsOf(await read(`${URLSET}<url><loc>${SITE}/&b;</loc></url></urlset>`)),
    ['/&b;'],
    'one that is not defined is text',
  );
});

t.test('issue 4: broken XML is refused', async (t) => {
  const entry = `<url><loc>${SITE}/a</loc></url>`;
  for (const body of [
    `${URLSET}${entry}`,
    `${URLSET}${entry}</urlset`,
    `${URLSET}<url><loc>${SITE}/a</url></loc></urlset>`,
    `${URLSET}${entry}</urlset></urlset>`,
    `${URLSET}${entry}</urlset>text`,
    `${URLSET}</urlset>${URLSET}</urlset>`,
    `${URLSET}<url><loc a="></loc></url></urlset>`,
    `${URLSET}<url <loc></loc></url></urlset>`,
    `${URLSET}<1></1></urlset>`,
    `${URLSET}<></></urlset>`,
    `${URLSET}<!ELEMENT a></urlset>`,
    `${URLSET}<!-- `,
    `${URLSET}<url><loc>${SITE}/a</loc><__proto__>x</__proto__></url></urlset`,
    '<',
    '</a>',
  ]) {
    t.equal(await refusalOf(body), 'broken-xml', body.slice(0, 90));
    t.equal(await refusalOf(body, { pieceBytes: 3 }), 'broken-xml');
  }
  t.equal(await refusalOf(`${URLSET}${'<a>'.repeat(MAX_XML_DEPTH)}`), 'broken-xml', 'too deep');
});

t.test('issue 4: what is no sitemap is refused', async (t) => {
  for (const body of [
    '<html><body>x</body></html>',
    '<constructor/>',
    'hello',
    '{"urls": []}',
    Buffer.from([0x50, 0x4b, 3, 4]),
  ])
    t.equal(await refusalOf(body), 'not-a-sitemap', String(body));
  t.equal(await refusalOf(''), 'empty');
  t.equal(await refusalOf(' \n '), 'empty');
  t.equal(await refusalOf(`${SITE}/a\n${'x'.repeat(3 * MAX_SITEMAP_URL_LENGTH)}`), 'not-a-sitemap');
});

t.test('issue 4: what is too large is refused, and never held whole', async (t) => {
  const long = 'x'.repeat(MAX_XML_TOKEN_BYTES + 1);
  t.equal(await refusalOf(`${URLSET}<!-- ${long}`), 'entry-too-large');
  t.equal(await refusalOf(`${URLSET}<url a="${long}`), 'entry-too-large');
  t.equal(await refusalOf(`${URLSET}<url><loc>${'x'.repeat(2 * MAX_SITEMAP_ENTRY_BYTES)}`), 'entry-too-large');
  const loc = `<loc>${'x'.repeat(1000)}</loc>`;
  t.equal(await refusalOf(`${URLSET}<url>${loc.repeat(30)}</url></urlset>`), 'entry-too-large');
  const text = `${URLSET}<url><loc>${SITE}/a</loc><content>${long}</content></url></urlset>`;
  t.same(pathsOf(await read(text)), ['/a'], 'what is not wanted may be long');
  t.ok(MAX_SITEMAP_BYTES >= 50_000_000);
});

t.test('issue 4: more URLs than the protocol or the configuration allow are refused', async (t) => {
  const many = (count: number): string[] => Array.from({ length: count }, (_, at) => `/${at}`);
  t.equal((await read(urlset(...many(10)), { maxUrls: 10 })).listing.kind, 'urls');
  t.equal(await refusalOf(urlset(...many(11)), { maxUrls: 10 }), 'too-many-urls');
  t.equal(pathsOf(await read(urlset(...many(MAX_SITEMAP_URLS)))).length, MAX_SITEMAP_URLS);
  const over = urlset(...many(MAX_SITEMAP_URLS + 1));
  t.equal(await refusalOf(over, { maxUrls: 1_000_000 }), 'too-many-urls');
  t.equal(
    await refusalOf(over, { maxUrls: 1_000_000, isOurs: () => false }),
    'too-many-urls',
    'foreign ones count as well',
  );
  t.equal(await refusalOf(index(...many(MAX_SITEMAP_URLS + 1))), 'too-many-urls');
});

t.test('issue 4: URLs of foreign hosts, and what is no URL, are passed over and counted', async (t) => {
  const locs = [
    `${SITE}/a`,
    'http://b.example/x',
    'https://a.example/b',
    'http://user:secret@a.example/',
    'ftp://a.example/',
    'javascript:alert(1)',
    `${SITE}/${'x'.repeat(MAX_SITEMAP_URL_LENGTH)}`,
    'http://',
    '//b.example/c',
    `${SITE}:80/d#fragment`,
    `HTTP://A.EXAMPLE/e`,
  ];
  const body = `${URLSET}${locs.map((loc) => `<url><loc>${loc}</loc></url>`).join('')}</urlset>`;
  const result = await read(body);
  t.same(pathsOf(result), ['/a', 'https://a.example/b', '/d', '/e']);
  t.same([result.badUrls, result.foreign, result.foreignExample], [5, 2, 'http://b.example/x']);
});

t.test('issue 4: a large sitemap never keeps the event loop for more than a step', async (t) => {
  const body = urlset(...Array.from({ length: 40_000 }, (_, at) => `/${'x'.repeat(60)}/${at}`));
  let turnCount = 0;
  let isRunning = true;
  const turn = (): void => {
    turnCount++;
    if (isRunning) setImmediate(turn);
  };
  turn();
  await read(body, { pieceBytes: body.length });
  isRunning = false;
  t.ok(turnCount >= body.length / SITEMAP_STEP_BYTES, `${turnCount} turns for ${body.length} bytes`);
});
