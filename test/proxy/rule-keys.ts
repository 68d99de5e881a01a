/** Proofs that the keys of rules act, for the test of the whole option table. */
import { join } from 'node:path';
import type { Test } from 'tap';
import type { FakeClock } from '../kit/clock.js';
import { type OpenProxy, openProxy, request } from '../kit/proxy-kit.js';
import type { Answer } from '../kit/scripted-origin.js';

/** A setting of `defaults`, by what it does to answers like this one. `outcome` is told from what it is without. */
export interface Life {
  readonly value: unknown;
  /** Further lines of the first request. */
  readonly lines?: readonly string[];
  readonly fields: readonly string[];
  readonly afterSec: number;
  readonly refresh?: Answer;
  tell(house: TimedProxy, target: string): Promise<unknown>;
  readonly expected: { readonly without: unknown; readonly with: unknown };
}

export type TimedProxy = OpenProxy & { readonly clock: FakeClock };

export const word = async (house: OpenProxy, target: string): Promise<unknown> =>
  (await house.get(target)).field('cdn-cache');

const get = (target: string, ...lines: string[]): string => request('GET', target, ...lines);

const shared = { without: 'MISS', with: 'HIT' };

const LIFETIME_LIVES: Readonly<Record<string, Life>> = {
  jitter: {
    value: '100%',
    fields: ['Cache-Control', 'max-age=10'],
    afterSec: 0,
    tell: async (house, target) => {
      for (let n = 0; n < 40; n++) await house.get(`${target}${n}`);
      house.clock.advance(9000);
      const words: unknown[] = [];
      for (let n = 0; n < 40; n++) words.push(await word(house, `${target}${n}`));
      return words.every((one) => one === 'HIT');
    },
    expected: { without: true, with: false },
  },
  tags_from: {
    value: 'X-Tags',
    fields: ['Cache-Control', 'max-age=60', 'X-Tags', 'a, b'],
    afterSec: 1,
    tell: (house) => house.proxy.operations.purge({ kind: 'tag', tag: 'b' }),
    expected: { without: { objects: 0, fills: 0 }, with: { objects: 1, fills: 0 } },
  },
  max_staleness: {
    value: '5s',
    fields: ['Cache-Control', 'max-age=60', 'ETag', '"1"'],
    afterSec: 5,
    tell: word,
    expected: { without: 'HIT', with: 'EXPIRED' },
  },
  share_private: {
    value: true,
    fields: ['Cache-Control', 'private, max-age=9'],
    afterSec: 1,
    tell: word,
    expected: shared,
  },
  share_authorized: {
    value: true,
    lines: ['Authorization: Basic YTpi'],
    fields: ['Cache-Control', 'max-age=9'],
    afterSec: 1,
    tell: word,
    expected: shared,
  },
  share_with_cookie: {
    value: true,
    lines: ['Cookie: a=b'],
    fields: ['Last-Modified', 'Thu, 01 Jan 1970 00:00:00 GMT'],
    afterSec: 1,
    tell: word,
    expected: shared,
  },
};

const STORED = ['Cache-Control', 'max-age=60', 'ETag', '"1"'] as const;

/** Whether the second of two requests is answered by what the first one stored. */
async function isOneEntry(house: OpenProxy, first: string, second: string): Promise<boolean> {
  await house.ask(first);
  return (await house.ask(second)).field('cdn-cache') === 'HIT';
}

/** What the origin saw of a field of the newest request. */
async function seen(house: OpenProxy, field: string, target: string, ...lines: string[]): Promise<unknown> {
  await house.get(target, ...lines);
  return house.origin.requests.at(-1)?.field(field);
}

const apart = { without: false, with: true };

const REQUEST_LIVES: Readonly<Record<string, Life>> = {
  query: {
    value: { drop: ['utm_*'] },
    fields: STORED,
    afterSec: 0,
    tell: (house, target) => isOneEntry(house, get(`${target}?utm_a=1&b`), get(`${target}?b&utm_c=2`)),
    expected: apart,
  },
  key: {
    value: { headers: ['X-A'] },
    fields: STORED,
    afterSec: 0,
    tell: (house, target) => isOneEntry(house, get(target, 'X-A: 1'), get(target, 'X-A: 2')),
    expected: { without: true, with: false },
  },
  normalize: {
    value: { accept_encoding: ['gzip'] },
    fields: STORED,
    afterSec: 0,
    tell: (house, target) => seen(house, 'accept-encoding', `${target}/1`, 'Accept-Encoding: br, gzip'),
    expected: { without: 'br, gzip', with: 'gzip' },
  },
  request: {
    value: { set: { 'X-A': 1 }, remove: 'X-B' },
    fields: STORED,
    afterSec: 0,
    tell: async (house, target) => [
      await seen(house, 'x-a', `${target}/1`),
      await seen(house, 'x-b', `${target}/2`, 'X-B: 1'),
    ],
    expected: { without: [undefined, '1'], with: ['1', undefined] },
  },
  client: {
    value: { cache_control: 'public, max-age=30', etag: 'remove' },
    fields: STORED,
    afterSec: 1,
    tell: async (house, target) => {
      const { field } = await house.get(target);
      return [field('cache-control'), field('etag')];
    },
    expected: { without: ['max-age=60', '"1"'], with: ['public, max-age=30', undefined] },
  },
  response: {
    value: { set: { 'X-A': 'b' } },
    fields: STORED,
    afterSec: 1,
    tell: async (house, target) => (await house.get(target)).field('x-a'),
    expected: { without: undefined, with: 'b' },
  },
  etag: {
    value: 'make',
    fields: ['Cache-Control', 'max-age=60'],
    afterSec: 1,
    tell: async (house, target) => (await house.get(target)).field('etag') !== undefined,
    expected: apart,
  },
  validate: { value: 'always', fields: STORED, afterSec: 1, tell: word, expected: { without: 'HIT', with: 'EXPIRED' } },
  methods: {
    value: ['GET', 'POST'],
    fields: STORED,
    afterSec: 0,
    tell: (house, target) => {
      const bytes = `${request('POST', target, 'Content-Length: 3')}a=b`;
      return isOneEntry(house, bytes, bytes);
    },
    expected: apart,
  },
  pass: { value: true, fields: STORED, afterSec: 1, tell: word, expected: { without: 'HIT', with: 'BYPASS' } },
  push: { value: 'not_found', fields: STORED, afterSec: 1, tell: word, expected: { without: 'HIT', with: 'ERROR' } },
};

type Proof = (t: Test) => Promise<void>;

/** Of two requests, the first falls under a rule with this match, and the second does not. */
function tellsApart(match: Readonly<Record<string, unknown>>, first: string, second: string): Proof {
  return async (t) => {
    const house = await openProxy(t, { conf: { rules: [{ name: 'own', match }] } });
    house.origin.respond(({ target }) => {
      const type = target.endsWith('.png') ? 'image/png' : 'text/html; charset=utf-8';
      return { status: target === '/gone' ? 404 : 200, fields: ['Content-Type', type, 'Cache-Control', 'max-age=60'] };
    });
    await house.ask(first);
    await house.ask(second);
    // Again from the store, which must not tell another rule than the one that it was stored by.
    await house.ask(first);
    t.strictSame(
      house.answered.map(({ rule }) => rule),
      ['own', 'defaults', 'own'],
    );
  };
}

export const FURTHER_LIVES: Readonly<Record<string, Life>> = { ...LIFETIME_LIVES, ...REQUEST_LIVES };

/** The explanation that a request with this header gets. */
function explains(explain: Readonly<Record<string, unknown>>, line: string): Proof {
  return async (t) => {
    const house = await openProxy(t, { conf: { explain } });
    house.origin.respond(() => ({}));
    t.match((await house.get('/a', line)).field('x-patina-explanation'), /"rule":"defaults"/);
    t.equal((await house.get('/a', 'X-Other: 0123456789abcdef')).field('x-patina-explanation'), undefined);
  };
}

const SECRET = '0123456789abcdef';

export const RULE_PROOFS: Readonly<Record<string, Proof>> = {
  'explain.header': explains({ header: 'X-Why', secret: SECRET }, `X-Why: ${SECRET}`),
  'explain.secret': explains({ header: 'X-Why', secret: 'another-secret-12' }, 'X-Why: another-secret-12'),
  'explain.secret_file': (t) => {
    const secret_file = join(t.testdir({ secret: 'secret-of-the-file\n' }), 'secret');
    return explains({ header: 'X-Why', secret_file }, 'X-Why: secret-of-the-file')(t);
  },
  'rules[].match.path': tellsApart({ path: ['/assets/*', '/x'] }, get('/assets/a'), get('/other')),
  'rules[].match.path_prefix': tellsApart({ path_prefix: '/a*' }, get('/a*b/c'), get('/ab')),
  'rules[].match.path_exact': tellsApart({ path_exact: '/a*' }, get('/a*?q'), get('/a*b')),
  'rules[].match.path_regex': tellsApart({ path_regex: '^/item/[0-9]+$' }, get('/item/12'), get('/item/x')),
  'rules[].match.host': tellsApart({ host: '*.example' }, get('/a'), 'GET /a HTTP/1.1\r\nHost: example.org:80\r\n\r\n'),
  'rules[].match.ext': tellsApart({ ext: ['css', 'PNG'] }, get('/a/b.png?x=.js'), get('/a.png/b')),
  'rules[].match.methods': tellsApart({ methods: ['DELETE', 'GET'] }, get('/a'), request('PUT', '/a')),
  'rules[].match.header': tellsApart(
    { header: { 'X-Beta': 'yes' } },
    get('/a', 'x-beta: yes'),
    get('/b', 'X-Beta: no'),
  ),
  'rules[].match.cookie': tellsApart(
    { cookie: { sid: false } },
    get('/a', 'Cookie: xsid=1'),
    get('/b', 'Cookie: a=b; sid=1'),
  ),
  'rules[].match.query': tellsApart({ query: { p: '1 2' } }, get('/a?q&p=1+2'), get('/a?p=12')),
  'rules[].match.status': tellsApart({ status: '4xx' }, get('/gone'), get('/there')),
  'rules[].match.content_type': tellsApart({ content_type: 'image/*' }, get('/a.png'), get('/a.html')),
  'rules[].rules': async (t) => {
    const group = { name: 'group', match: { path: '/g/**' }, rules: [{ name: 'inner', match: { ext: 'css' } }] };
    const house = await openProxy(t, { conf: { rules: [group] } });
    house.origin.respond(() => ({}));
    for (const target of ['/g/a.css', '/g/a.js', '/a.css']) await house.get(target);
    t.strictSame(
      house.answered.map(({ rule }) => rule),
      ['inner', 'group', 'defaults'],
    );
  },
};

const NO_MAPS: readonly unknown[] = ['!?', '', null, 'a b', [['!?']], {}];

/** What is refused where nearly any text, or any map, is good. */
export const BAD_VALUES: Readonly<Record<string, readonly unknown[]>> = {
  'rules[].match.path_regex': ['(', '(?=a)', null, { zzz: 1 }, [['!?']], 'a'.repeat(2000)],
  'rules[].match.header': [...NO_MAPS, { 'a b': true }, { a: null }],
  'rules[].match.cookie': [...NO_MAPS, { 'a;b': true }, { a: [] }],
  'rules[].match.query': [...NO_MAPS, { '': true }, { a: {} }],
  'rules[].rules': ['!?', 'a b', { zzz: 1 }, [['!?']], [{ match: {} }]],
};
