// Goal: the lanes stay alike over time: what is ready in the fast lane follows every change of what is stored. Method: the same random story (pipelined requests with wishes of all kinds, cut anywhere; time; purges, expiries, pushes; new versions at the origin; reloads) told to two proxies that differ in the lane alone.
import fc from 'fast-check';
import t from 'tap';
import { parseCacheStatus } from '../../lib/http/structured.js';
import { turns } from '../kit/barrier.js';
import { HOST, request, TOKEN } from '../kit/proxy-kit.js';
import type { Answer, RecordedRequest } from '../kit/scripted-origin.js';
import { compare, openTwins, rested, restedOne, type Twins } from './lanes.kit.js';

const BODY = 'abcdefghijklmnopqrstuvwxyz'.repeat(8);
const MODIFIED = ['Mon, 01 Dec 2025 00:00:00 GMT', 'Tue, 02 Dec 2025 00:00:00 GMT'] as const;

/** What the origin says changes with its version. It never fails: when what failed is tried again is up to chance. */
interface Origin {
  version: number;
}

/** By path: how validated, how long fresh, what it varies with, how framed. */
function answerOf({ target, method, field }: RecordedRequest, origin: Origin, wall: number): Answer {
  const path = target.replace(/\?.*/, '');
  const date = ['Date', new Date(wall).toUTCString(), 'Content-Type', 'text/plain'];
  if (method === 'POST') return { status: 204, fields: date };
  const version = origin.version % 2;
  const fields = [...date, 'Cache-Control', 'max-age=3, stale-while-revalidate=4'];
  const tag = path === '/weak' ? `W/"v${version}"` : `"v${version}"`;
  if (path === '/gone')
    return { status: 410, fields: [...date, 'Cache-Control', 'max-age=2'], body: `gone ${version}` };
  if (path === '/moved') return { status: 301, fields: [...fields, 'Location', `/to-${version}`] };
  if (path === '/private') return { fields: [...date, 'Cache-Control', 'no-store'], body: 'once' };
  if (path === '/always') fields.splice(4, 2, 'Cache-Control', 'no-cache');
  if (path === '/strict') fields.splice(4, 2, 'Cache-Control', 'max-age=2, must-revalidate');
  if (path === '/varied') fields.push('Vary', version === 0 ? 'Accept-Language' : 'Accept-Language, Accept-Encoding');
  if (path === '/aged') fields.push('Age', '1', 'Cache-Status', 'inner; hit', 'CDN-Cache', 'HIT');
  if (path === '/dated') fields.push('Last-Modified', MODIFIED[version] as string);
  else if (path !== '/bare') fields.push('ETag', tag);
  const since = path === '/dated' && field('if-modified-since') === MODIFIED[version];
  if (path !== '/bare' && (since || field('if-none-match')?.includes(tag) === true)) return { status: 304, fields };
  if (path === '/chunked') {
    const body = method === 'HEAD' ? '' : '8\r\nabcdefgh\r\n0\r\n\r\n';
    return { fields: [...fields, 'Transfer-Encoding', 'chunked'], body };
  }
  if (path === '/large') return { fields, body: `${version}`.repeat(90_000) };
  return { fields, body: `${version}${BODY}` };
}

const TARGETS = [
  '/plain', '/plain?q=1', '/weak', '/dated', '/bare', '/strict', '/always', '/varied', '/aged', '/gone', '/moved', '/private', '/chunked', '/large',
]; // biome-ignore format: one table
const WISHES = [
  'Range: bytes=0-3', 'Range: bytes=5-', 'Range: bytes=-4', 'Range: bytes=0-0,9-11', 'Range: bytes=9999-', 'Range: bytes=3-1', 'Range: x=1',
  'If-Range: "v0"', 'If-Range: "v1"', 'If-Range: W/"v0"', `If-Range: ${MODIFIED[0]}`, 'If-None-Match: "v0"', 'If-None-Match: "v1"', 'If-None-Match: W/"v0"',
  'If-None-Match: "x", "v0"', 'If-None-Match: *', 'If-None-Match: v0', 'If-None-Match: "v0" , W/"v1",', `If-Modified-Since: ${MODIFIED[0]}`,
  `If-Modified-Since: ${MODIFIED[1]}`, 'If-Modified-Since: yesterday', 'If-Match: "v0"', 'If-Match: *', `If-Unmodified-Since: ${MODIFIED[0]}`,
  'Cache-Control: no-cache', 'Cache-Control: max-age=0', 'Cache-Control: max-age=1', 'Cache-Control: max-stale', 'Cache-Control: max-stale=1',
  'Cache-Control: min-fresh=2', 'Cache-Control: only-if-cached', 'Cache-Control: no-store', 'Pragma: no-cache', 'Accept-Language: de', 'Accept-Language: en',
  'Accept-Encoding: gzip', 'Accept-Encoding: br, gzip', 'Cookie: a=b', 'Authorization: Basic eA==', 'Connection: keep-alive', 'X-Other: y',
  'X-Forwarded-Proto: https', 'X-Forwarded-Host: b.example', 'User-Agent: one', 'Via: 1.1 twin',
]; // biome-ignore format: one table

const OF_RULES = [
  { defaults: { keep: '20s' } },
  { defaults: { keep: '20s' }, rules: [{ name: 'long', match: { path: '/plain' }, ttl: '30s' }] },
  { defaults: { keep: '20s', stale_if_error: '1m' }, rules: [{ name: 'told', client: { cache_control: 'max-age=9' } }] },
  { defaults: { keep: '20s' }, rules: [{ name: 'edited', response: { set: { 'X-Edited': 'yes' } }, etag: 'make' }] },
  { defaults: { keep: '20s' }, rules: [{ name: 'fields', match: { header: { 'X-Other': 'y' } }, ttl: '10s' }], debug_header: 'X-Cache' },
] as const; // biome-ignore format: one table

type Step =
  | {
      readonly kind: 'requests';
      readonly all: readonly (readonly [string, string, readonly string[]])[];
      readonly cuts: readonly number[];
    }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'operate'; readonly what: 'purge' | 'expire' | 'refresh'; readonly target: string }
  | { readonly kind: 'push' | 'post'; readonly target: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'reload'; readonly rules: number };

const target = fc.constantFrom(...TARGETS);
const asked = fc.tuple(
  fc.constantFrom('GET', 'GET', 'GET', 'HEAD'),
  target,
  fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, fc.uniqueArray(fc.constantFrom(...WISHES), { maxLength: 3 })),
);
/** The same few again and again, so that there is something ready. */
const requests = fc
  .tuple(
    fc.array(asked, { minLength: 1, maxLength: 5 }),
    fc.integer({ min: 1, max: 3 }),
    fc.array(fc.nat(), { maxLength: 3 }),
  )
  .map(
    ([all, times, cuts]) => ({ kind: 'requests', all: Array.from({ length: times }, () => all).flat(), cuts }) as const,
  );
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: requests },
  { weight: 4, arbitrary: fc.constantFrom(1, 300, 999, 1000, 2500, 6000, 30_000).map((ms) => ({ kind: 'wait', ms }) as const) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('purge', 'expire', 'refresh'), target).map(([what, its]) => ({ kind: 'operate', what, target: its }) as const) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('push', 'post'), target).map(([kind, its]) => ({ kind, target: its }) as const) },
  { weight: 1, arbitrary: fc.constant({ kind: 'version' } as const) },
  { weight: 1, arbitrary: fc.nat(OF_RULES.length - 1).map((rules) => ({ kind: 'reload', rules }) as const) },
); // biome-ignore format: one table

function cutUp(text: string, cuts: readonly number[]): Buffer[] {
  const whole = Buffer.from(text, 'latin1');
  const places = [...new Set(cuts.map((cut) => cut % whole.length))].filter((at) => at > 0).sort((a, b) => a - b);
  return [0, ...places].map((from, at) => whole.subarray(from, places[at] ?? whole.length));
}

/** What can be said of any reply, whatever it answers. */
function flawOf(text: string): string | undefined {
  for (const head of text.split(/(?=HTTP\/1\.1 \d{3} )/)) {
    const lines = head.split('\r\n\r\n', 1)[0]?.split('\r\n').slice(1) ?? [];
    const values = (name: string): string[] =>
      lines
        .filter((line) => line.toLowerCase().startsWith(`${name}:`))
        .map((line) => line.slice(name.length + 1).trim());
    for (const name of ['date', 'age', 'content-length', 'etag', 'connection'])
      if (values(name).length > 1) return `${name} twice`;
    if (values('date').length === 0 || Number.isNaN(Date.parse(values('date')[0] as string))) return 'no Date';
    if (values('age').some((age) => !/^\d+$/.test(age))) return 'Age is no count';
    if (values('content-length').length > 0 && values('transfer-encoding').length > 0) return 'framed twice';
    if (parseCacheStatus(values('cache-status'))?.at(-1)?.cache !== 'patina') return 'Cache-Status is not valid';
  }
  return undefined;
}

class Story {
  readonly #t: Tap;
  readonly #twins: Twins;
  readonly #origin: Origin;
  /** Which of the rules the next reload reads. */
  readonly #next: { rules: number };

  constructor(t: Tap, twins: Twins, origin: Origin, next: { rules: number }) {
    this.#t = t;
    this.#twins = twins;
    this.#origin = origin;
    this.#next = next;
  }

  async tell(step: Step): Promise<void> {
    const { fast, full } = this.#twins;
    switch (step.kind) {
      case 'requests': {
        const text = step.all.map(([method, its, lines]) => request(method, its, ...lines)).join('');
        const heard = await compare(
          this.#t,
          this.#twins,
          JSON.stringify(step),
          cutUp(text, step.cuts),
          async (house) => {
            // What a piece has begun is over before the next one comes: else it is a matter of time who is told what.
            await turns(6);
            await restedOne(house);
          },
        );
        const flaw = flawOf(heard.text);
        if (flaw !== undefined) this.#t.fail(`${flaw}: ${heard.text}`);
        break;
      }
      case 'wait':
        for (const { clock } of [fast, full]) clock.advance(step.ms);
        break;
      case 'post':
        await compare(this.#t, this.#twins, JSON.stringify(step), [
          Buffer.from(request('POST', step.target, 'Content-Length: 0')),
        ]);
        break;
      case 'operate':
        for (const house of [fast, full])
          await house.operate('POST', `/v1/${step.what}`, { url: `http://${HOST}${step.target}` });
        break;
      case 'push':
        for (const house of [fast, full])
          await house.operate('PUT', `/v1/objects?url=http://${HOST}${step.target}`, 'pushed', undefined, [
            'Cache-Control: max-age=5',
            'Content-Type: text/x',
          ]);
        break;
      case 'version':
        this.#origin.version++;
        break;
      case 'reload':
        this.#next.rules = step.rules;
        for (const house of [fast, full]) await house.operate('POST', '/v1/reload');
    }
    await rested(this.#twins);
    await turns(2);
  }
}

type Tap = Parameters<typeof openTwins>[0];

t.test(
  'design 5: through whatever story of requests, time, operations and reloads, both lanes answer alike',
  async (t) => {
    const origin: Origin = { version: 0 };
    const next = { rules: 0 };
    const twins = await openTwins(t, OF_RULES[0], { token: TOKEN, next: () => OF_RULES[next.rules] ?? OF_RULES[0] });
    for (const house of [twins.fast, twins.full])
      house.origin.respond((asked) => answerOf(asked, origin, house.clock.wall()));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
        const failed = t.counts.fail;
        // Each story begins with nothing stored, nothing failed, and the first rules.
        Object.assign(origin, { version: 0 });
        const story = new Story(t, twins, origin, next);
        for (const { clock } of [twins.fast, twins.full]) clock.advance(3_600_000);
        await rested(twins);
        await story.tell({ kind: 'reload', rules: 0 });
        for (const house of [twins.fast, twins.full])
          await house.operate('POST', '/v1/purge', { prefix: `http://${HOST}/` });
        for (const one of steps) await story.tell(one);
        return t.counts.fail === failed;
      }),
      { numRuns: 15 },
    );
    t.pass('as many as fast-check made');
  },
);
