/**
 * `node --expose-gc dist/test/warm/measure.js`: reads sitemaps of about 50 MB as a round does, and prints how long the
 * event loop was kept from turning, in CPU time so that a busy machine does not count, and what stays in memory.
 */
import { gzipSync } from 'node:zlib';
import { readSitemap } from '../../lib/warm/reader.js';
import { unpacked } from '../../lib/warm/unpack.js';
import { entriesOf } from './sitemaps.kit.js';

const URLS = 50_000;
const PIECE_BYTES = 64 * 1024;
const SITE = 'https://www.example.org';

const withImages = (at: number): string =>
  `<url><loc>${SITE}/category-${at % 97}/article-${at}?page=${at}&amp;a=1</loc><lastmod>2026-01-02T03:04:05+00:00</lastmod>` +
  `<image:image><image:loc>${SITE}/i/${at}.jpg</image:loc><image:title>${'x'.repeat(700)}</image:title></image:image></url>\n`;
const withLongUrls = (at: number): string =>
  `<url><loc>${SITE}/${'y'.repeat(900)}/${at}</loc><lastmod>2026-01-02</lastmod></url>\n`;

function sitemapOf(entry: (at: number) => string): Buffer {
  return Buffer.from(`<urlset>${Array.from({ length: URLS }, (_, at) => entry(at)).join('')}</urlset>`);
}

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function measure(name: string, bytes: Buffer): Promise<void> {
  globalThis.gc?.();
  const heapBefore = process.memoryUsage().heapUsed;
  const turnsMs: number[] = [];
  let isRunning = true;
  const begin = cpuMs();
  let last = begin;
  const turn = (): void => {
    const now = cpuMs();
    turnsMs.push(now - last);
    last = now;
    if (isRunning) setImmediate(turn);
  };
  turn();
  const read = await readSitemap(unpacked(pieces(bytes), undefined), {
    base: SITE,
    contentType: undefined,
    maxUrls: URLS,
    isOurs: () => true,
    asVisited: (url) => url,
  });
  isRunning = false;
  const allMs = cpuMs() - begin;
  globalThis.gc?.();
  const urls = entriesOf(read).length;
  const kept = Math.round((process.memoryUsage().heapUsed - heapBefore) / urls);
  turnsMs.sort((one, other) => one - other);
  const p99 = turnsMs[Math.floor(turnsMs.length * 0.99)] ?? 0;
  const longest = turnsMs.at(-1) ?? 0;
  console.log(
    `${name}: ${(bytes.length / 2 ** 20).toFixed(1)} MB, ${urls} URLs, ${allMs.toFixed(0)} ms of CPU; longest turn ${longest.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms; ${kept} bytes kept for each URL`,
  );
}

await measure('images', sitemapOf(withImages));
await measure('images, gzipped', gzipSync(sitemapOf(withImages)));
await measure('long URLs', sitemapOf(withLongUrls));
