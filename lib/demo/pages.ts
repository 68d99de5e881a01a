/**
 * What the demo origin answers: a small, slow "CMS". Pure: the answer follows from the request and the wall clock,
 * so pages change with time and not with traffic. Its validators are real ones (RFC 9110 §8.8, §13.1).
 */
import { deflateSync } from 'node:zlib';
import { SECOND_MS } from '../base/units.js';
import { formatHttpDate, parseHttpDate } from '../http/dates.js';
import { parseEntityTags, weakMatch } from '../http/entity-tags.js';
import { Fields } from '../http/fields.js';

export interface DemoRequest {
  readonly method: string;
  readonly path: string;
  readonly fields: Fields;
}

export interface DemoAnswer {
  readonly status: number;
  readonly fields: Fields;
  readonly body: Buffer;
  /** How long this origin "works" before it answers. */
  readonly delayMs: number;
}

/** Time to render a page, and to find out that it has not changed. */
export const RENDER_MS = 300;
export const NOT_MODIFIED_MS = 5;
const FAIL_MS = 20;
const ARTICLE_COUNT = 9;

/** A page whose content is that of the period in which it is asked for. */
interface Page {
  readonly type: string;
  readonly cacheControl: string;
  /** How often the content changes. */
  readonly periodMs: number;
  readonly hasDate: boolean;
  /** Part of each period, from its beginning, in which the page answers 503. */
  readonly failsFor?: number;
  readonly render: (version: number, changedWall: number) => Buffer;
}

const HTML = 'text/html; charset=utf-8';

function html(title: string, body: string): Buffer {
  return Buffer.from(`<!doctype html>\n<title>${title}</title>\n<h1>${title}</h1>\n${body}\n`);
}

function article(number: number): Page {
  return {
    type: HTML,
    cacheControl: 'max-age=5, stale-while-revalidate=60, stale-if-error=600',
    // Each at a time of its own, so that now and then one of them has changed.
    periodMs: (30 + number * 7) * SECOND_MS,
    hasDate: true,
    render: (version, changedWall) => {
      const text = `<p>Edition ${version}, written ${formatHttpDate(changedWall)}.</p>\n`;
      return html(`Article ${number}`, text + '<p>It took this CMS a third of a second to render.</p>\n'.repeat(60));
    },
  };
}

const STOCK: Page = {
  type: 'application/json',
  cacheControl: 'max-age=2, stale-while-revalidate=30',
  periodMs: 15 * SECOND_MS,
  hasDate: false,
  render: (version) => Buffer.from(`${JSON.stringify({ item: 'lamp', left: 1000 - (version % 1000) })}\n`),
};

const LATEST: Page = {
  type: HTML,
  cacheControl: 'no-cache',
  periodMs: 20 * SECOND_MS,
  hasDate: true,
  render: (version) => html('Latest', `<p>Headline number ${version}: to be checked with the origin at every use.</p>`),
};

const FLAKY: Page = {
  type: HTML,
  cacheControl: 'max-age=3, stale-while-revalidate=10, stale-if-error=300',
  periodMs: 40 * SECOND_MS,
  hasDate: true,
  failsFor: 0.5,
  render: (version) => html('Flaky', `<p>Edition ${version}. Twenty seconds of every forty this page fails.</p>`),
};

const PHOTO: Page = {
  type: 'image/png',
  cacheControl: 'max-age=10, stale-while-revalidate=3600',
  periodMs: 24 * 3600 * SECOND_MS,
  hasDate: true,
  render: () => photo(),
};

const HOME: Page = {
  type: HTML,
  cacheControl: 'max-age=5, stale-while-revalidate=60, stale-if-error=600',
  periodMs: 3600 * SECOND_MS,
  hasDate: true,
  render: () => {
    const link = (path: string, what: string) => `<li><a href="${path}">${path}</a> ${what}</li>`;
    const links = Array.from({ length: ARTICLE_COUNT }, (_, at) => link(`/article/${at + 1}`, 'a page that changes'));
    links.push(link('/latest', 'no-cache: validated at every use'), link('/api/stock', 'JSON with only an ETag'));
    links.push(link('/photo.png', 'a large image'), link('/flaky', 'fails half of the time'));
    links.push(link('/account', 'one per user, never shared'));
    return html('A slow CMS', `<ul>\n${links.join('\n')}\n</ul>`);
  },
};

const PAGES: ReadonlyMap<string, Page> = new Map([
  ['/', HOME],
  ...Array.from({ length: ARTICLE_COUNT }, (_, at) => [`/article/${at + 1}`, article(at + 1)] as const),
  ['/latest', LATEST],
  ['/api/stock', STOCK],
  ['/photo.png', PHOTO],
  ['/flaky', FLAKY],
]);

/** Answers one request as it stands at `wall`. `edits` counts for each path how often it was edited. */
export function answer(request: DemoRequest, wall: number, edits: ReadonlyMap<string, number>): DemoAnswer {
  const { method, path } = request;
  if (path === '/account') return account(request);
  const page = PAGES.get(path);
  if (page === undefined) return plain(404, 'No such page.\n', { 'Cache-Control': 'max-age=5' });
  if (method === 'POST') return plain(200, 'Edited.\n', { 'Cache-Control': 'no-store' });
  if (method !== 'GET' && method !== 'HEAD') return plain(405, 'GET, HEAD or POST.\n', { Allow: 'GET, HEAD, POST' });
  const period = Math.floor(wall / page.periodMs);
  const isFailing = page.failsFor !== undefined && wall % page.periodMs < page.periodMs * page.failsFor;
  if (isFailing) return plain(503, 'The database is on fire.\n', {});
  return render(request, page, period, edits.get(path) ?? 0, wall);
}

function render(request: DemoRequest, page: Page, period: number, edit: number, wall: number): DemoAnswer {
  const changedWall = period * page.periodMs;
  const version = period + edit;
  const etag = `"${period.toString(36)}-${edit}"`;
  const record: Record<string, string> = { ETag: etag, 'Cache-Control': page.cacheControl };
  if (page.hasDate) record['Last-Modified'] = formatHttpDate(changedWall);
  if (isUnchanged(request.fields, etag, page.hasDate ? changedWall : undefined, wall)) {
    return { status: 304, fields: Fields.of(record), body: Buffer.alloc(0), delayMs: NOT_MODIFIED_MS };
  }
  const fields = Fields.of({ 'Content-Type': page.type, ...record });
  return { status: 200, fields, body: page.render(version, changedWall), delayMs: RENDER_MS };
}

/** RFC 9110 §13.1.2, §13.1.3: a condition on the entity-tag counts before one on the date. */
function isUnchanged(fields: Fields, etag: string, changedWall: number | undefined, wall: number): boolean {
  const tags = fields.get('if-none-match');
  if (tags !== undefined) {
    const parsed = parseEntityTags(tags);
    return parsed === '*' || parsed.some((tag) => weakMatch(tag, etag));
  }
  const since = parseHttpDate(fields.first('if-modified-since') ?? '', wall);
  return since !== undefined && changedWall !== undefined && Math.floor(changedWall / SECOND_MS) * SECOND_MS <= since;
}

/** One page for each user: the name comes in a cookie, and goes out in one. */
function account({ fields }: DemoRequest): DemoAnswer {
  const user = /(?:^|;\s*)user=([A-Za-z0-9]{1,20})/.exec(fields.get('cookie') ?? '')?.[1];
  const greeting = user === undefined ? 'Hello, stranger. Send a cookie user=NAME.' : `Hello, ${user}.`;
  return {
    status: 200,
    fields: Fields.of({
      'Content-Type': HTML,
      'Cache-Control': 'private, max-age=60',
      'Set-Cookie': `user=${user ?? 'stranger'}; Path=/; HttpOnly`,
    }),
    body: html('Account', `<p>${greeting}</p>`),
    delayMs: RENDER_MS,
  };
}

function plain(status: number, text: string, fields: Readonly<Record<string, string>>): DemoAnswer {
  return {
    status,
    fields: Fields.of({ 'Content-Type': 'text/plain; charset=utf-8', ...fields }),
    body: Buffer.from(text),
    delayMs: FAIL_MS,
  };
}

const PHOTO_SIDE = 768;
let photoBytes: Buffer | undefined;

/** A picture of about a megabyte, made once: rings with a grain that does not compress. */
function photo(): Buffer {
  photoBytes ??= makePng(PHOTO_SIDE, (x, y) => {
    const ring = Math.floor(127 + 127 * Math.sin(Math.hypot(x - PHOTO_SIDE / 2, y - PHOTO_SIDE / 2) / 12));
    const grain = (Math.imul(x * 7919 + y, 2654435761) >>> 24) & 63;
    return [ring, (x * 255) / PHOTO_SIDE, (y * 192) / PHOTO_SIDE + grain];
  });
  return photoBytes;
}

function makePng(side: number, colour: (x: number, y: number) => readonly number[]): Buffer {
  const rows = Buffer.alloc(side * (side * 3 + 1));
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) rows.set(colour(x, y), y * (side * 3 + 1) + 1 + x * 3);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const chunks = [pngChunk('IHDR', header), pngChunk('IDAT', deflateSync(rows)), pngChunk('IEND', Buffer.alloc(0))];
  return Buffer.concat([signature, ...chunks]);
}

function pngChunk(type: string, content: Buffer): Buffer {
  const chunk = Buffer.alloc(content.length + 12);
  chunk.writeUInt32BE(content.length, 0);
  chunk.write(type, 4, 'latin1');
  content.copy(chunk, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, content.length + 8)), content.length + 8);
  return chunk;
}

/** The checksum of PNG; node:zlib has one from Node 22 on. */
function crc32(bytes: Buffer): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return (sum ^ 0xffffffff) >>> 0;
}
