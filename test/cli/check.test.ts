// Goal: `patina check` shows every problem and every warning, with the place under a caret (issue 4). Method: what a person sees, compared as text; a property that a warning of shadowing is never wrong.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { parseArguments } from '../../lib/cli/arguments.js';
import { lint } from '../../lib/config/lint.js';
import { readConfig } from '../../lib/config/load.js';
import { makeRules } from '../../lib/config/rules.js';
import { Fields } from '../../lib/http/fields.js';
import { makeDirectory } from '../kit/disk.js';

interface Seen {
  readonly code: number;
  readonly said: string;
  readonly complained: string;
}

function check(t: Test, text: string, ...flags: string[]): Promise<Seen> {
  return checkIn(t, {}, text, ...flags);
}

async function checkIn(t: Test, env: Record<string, string>, text: string, ...flags: string[]): Promise<Seen> {
  const file = join(t.testdir({ 'p.yaml': text }), 'p.yaml');
  const command = parseArguments(['check', file, ...flags]);
  if (command.kind !== 'other') throw new Error(JSON.stringify(command));
  const said: string[] = [];
  const complained: string[] = [];
  const shell = { env, say: (line: string) => said.push(line), complain: (line: string) => complained.push(line) };
  const code = await command.spec.run(command.given, shell);
  const plain = (lines: readonly string[]) => lines.map((line) => `${line.replaceAll(file, 'FILE')}\n`).join('');
  return { code, said: plain(said), complained: plain(complained) };
}

const BAD = `listen: 8080
origin: http://127.0.0.1:3000
defaults: {ttl: 10 parsecs, grce: 1h}
rules:
  - name: a
    match: {path: /a/**, exts: [css]}
  - name: a
    match: {path: a}
`;

t.test('issue 4: all errors at once, each with its place, a caret, what was expected and a suggestion', async (t) => {
  const { code, complained } = await check(t, BAD);
  t.equal(code, 2);
  t.equal(
    complained,
    `FILE:3:17: defaults.ttl: expected origin, a duration such as 500ms, 10s, 5m, 1h or 1d, or a map of default, min and max, or one of these by status, got "10 parsecs"
  3 | defaults: {ttl: 10 parsecs, grce: 1h}
                      ^
FILE:3:29: unknown key "grce" in defaults: did you mean "grace"?
  3 | defaults: {ttl: 10 parsecs, grce: 1h}
                                  ^
FILE:6:26: unknown key "exts" in rules.0.match: did you mean "ext"?
  6 |     match: {path: /a/**, exts: [css]}
                               ^
FILE:7:11: rules.1.name: another rule has the name "a" already
  7 |   - name: a
                ^
FILE:8:19: rules.1.match.path: a path begins with /: write "/a"
  8 |     match: {path: a}
                        ^
FILE: 5 problems
`,
  );
});

const ODD = `origin: {url: http://127.0.0.1:3000}
admin: 0.0.0.0:8081
defaults: {grace: 5s, keep: 90d, max_staleness: 1h}
rules:
  - name: all-a
    match: {path: /a/**}
    ttl: 2h
  - name: inner
    match: {path: [/a/b/*.css, /a/c], ext: css}
    set_cookie: share
  - name: same
    match: {path: /a/**}
    share_private: true
  - name: odd
    match: {path_exact: /x, path: /y/*}
  - name: q
    match: {methods: [PUT]}
    query: ignore
`;

t.test('issue 4: what is hardly meant is told with its consequence; --strict makes it count', async (t) => {
  const { code, said, complained } = await check(t, ODD, '--strict');
  t.equal(code, 1);
  t.equal(said, 'FILE: valid, 11 warnings\n');
  t.equal(
    complained,
    `FILE:2:8: warning: admin: the admin listener can be reached from other machines: keep them out by other means [admin-in-the-open]
  2 | admin: 0.0.0.0:8081
             ^
FILE:3:19: warning: defaults.grace: a refresh may take 15s (origin.timeouts.headers), and grace ends after 5s: while the origin is slow, clients wait for it [short-grace]
  3 | defaults: {grace: 5s, keep: 90d, max_staleness: 1h}
                        ^
FILE:3:29: warning: defaults.keep: 90d is longer than memory lasts: what nobody asks for is evicted when it is full, and all is lost at a restart [long-keep]
  3 | defaults: {grace: 5s, keep: 90d, max_staleness: 1h}
                                  ^
FILE:7:10: warning: rules.0.ttl: nothing older than 1h is served (max_staleness), so a ttl of 2h never lasts [ttl-past-ceiling]
  7 |     ttl: 2h
               ^
FILE:9:12: warning: rules.1.match: this rule never counts: rule all-a before it takes all that it matches [shadowed]
  9 |     match: {path: [/a/b/*.css, /a/c], ext: css}
                 ^
FILE:10:17: warning: rules.1.set_cookie: the cookie of one visitor is given to everybody: where it is a session, all are logged in as one. Use strip unless it is the same for all [shares-cookies]
  10 |     set_cookie: share
                       ^
FILE:12:12: warning: rules.2.match: rule all-a before it matches the same and says something else: only that one ever counts [disagrees]
  12 |     match: {path: /a/**}
                  ^
FILE:13:20: warning: rules.2.share_private: what the origin marks private, for one user alone, is given to everybody [shares-private]
  13 |     share_private: true
                          ^
FILE:15:12: warning: rules.3.match: this rule can never match: no path of its path_exact is one that the rest of its match takes [never-matches]
  15 |     match: {path_exact: /x, path: /y/*}
                  ^
FILE:17:22: warning: rules.4.match.methods: requests with PUT always go past the cache: of this rule only what it does to fields counts [uncached-methods]
  17 |     match: {methods: [PUT]}
                            ^
FILE:18:12: warning: rules.4.query: whoever asks first decides, by its parameters, what everybody gets: right only where the origin ignores the query [one-page-for-all-queries]
  18 |     query: ignore
                  ^
`,
  );
  t.equal((await check(t, ODD)).code, 0);
});

t.test('issue 4: a method that no request comes to a rule with is told, with the one that was meant', async (t) => {
  const rules = 'rules: [{name: a, match: {methods: [GETT, PUT]}}, {name: b, match: {methods: [MAKEPIE]}}]';
  const { code, complained } = await check(t, `origin: http://127.0.0.1:3000\n${rules}\n`);
  t.equal(code, 0, 'any token is a method (RFC 9110 §9.1)');
  t.match(
    complained,
    'requests with GETT are answered with 501 and come to no rule: did you mean GET? [unknown-method]',
  );
  t.match(complained, 'requests with PUT always go past the cache');
  t.match(complained, 'requests with MAKEPIE are answered with 501 and come to no rule [unknown-method]');
});

const IDLE = `origin: {url: http://127.0.0.1:3000, connections: 8, refresh: {concurrency: 8}}
rules:
  - {name: never, match: {path: /a}, ttl: 0, refresh_ahead: {hits: 5, within: 1m}}
  - {name: asked, match: {path: /b}, validate: always, refresh_ahead: {hits: 5, within: 1m}}
  - {name: past, match: {path: /c}, pass: true, refresh_ahead: {hits: 5, within: 1m}}
  - {name: pushed, match: {path: /d}, push: origin, refresh_ahead: {hits: 5, within: 1m}}
  - {name: rare, match: {path: /e}, refresh_ahead: {hits: 200001, within: 1s}}
  - {name: short, match: {path: /f}, ttl: {max: 0}, refresh_ahead: {hits: 5, within: 1m}}
  - {name: good, match: {path: /g}, ttl: 1s, refresh_ahead: {hits: 200000, within: 1s}}
  - {name: none, match: {path: /h}, ttl: 0, refresh_ahead: off}
`;

t.test(
  'issue 4: refresh_ahead from which nothing can come is warned of, and so is a budget that cannot be spent',
  async (t) => {
    const { said, complained } = await check(t, IDLE);
    t.equal(said, 'FILE: valid, 7 warnings\n');
    const told = [...complained.matchAll(/^FILE:(\d+):\d+: warning: (\S+): (.*) \[(.*)\]$/gm)].map((one) =>
      one.slice(1),
    );
    const pointless = 'pointless-refresh-ahead';
    t.strictSame(told, [
      [
        '1',
        'origin.refresh.concurrency',
        'of 8 connections (origin.connections) one is left to clients: no more than 7 refreshes run at once',
        'idle-refresh-budget',
      ],
      ['3', 'rules.0.refresh_ahead', 'with a ttl of 0 nothing is ever fresh, ahead or not', pointless],
      [
        '4',
        'rules.1.refresh_ahead',
        'the origin is asked at every use (validate: always): nothing is ever fresh without that',
        pointless,
      ],
      ['5', 'rules.2.refresh_ahead', 'requests of this rule go past the cache: nothing is refreshed', pointless],
      ['6', 'rules.3.refresh_ahead', 'only what was pushed is served: the origin is not asked', pointless],
      ['7', 'rules.4.refresh_ahead', 'nothing is asked for 200001 times within 1s: it never happens', pointless],
      ['8', 'rules.5.refresh_ahead', 'with a ttl of 0 nothing is ever fresh, ahead or not', pointless],
    ]);
  },
);

t.test('a good file is good', async (t) => {
  t.same(await check(t, 'origin: http://a\n', '--strict'), { code: 0, said: 'FILE: good\n', complained: '' });
});

t.test('a file that cannot be read, and one with a tab, are told as such', async (t) => {
  const missing = parseArguments(['check', '/nowhere/p.yaml']);
  if (missing.kind !== 'other') throw new Error('no command');
  const lines: string[] = [];
  t.equal(await missing.spec.run(missing.given, { env: {}, say() {}, complain: (line) => lines.push(line) }), 2);
  t.match(lines[0], /^\/nowhere\/p\.yaml: the conf file cannot be read: there is no such file/);
  t.match(
    (await check(t, 'defaults:\n\tttl: 1s\n')).complained,
    /^FILE:2:1: a tab indents this line[\s\S]*\n {2}2 \| {2}ttl: 1s\n {6}\^\n/,
  );
});

const globs = fc.constantFrom('/a/**', '/a/b/*', '/a/b/c', '/**/*.css', '/a*', '/a/b/**');
const match = fc.record(
  {
    path: fc.uniqueArray(globs, { minLength: 1, maxLength: 2 }),
    path_prefix: fc.constantFrom('/a', '/a/b', '/a/b/'),
    path_exact: fc.constantFrom('/a/b/c', '/a/x.css'),
    ext: fc.constantFrom('css', 'js'),
    methods: fc.constantFrom(['GET'], ['GET', 'PUT'], ['PUT']),
    header: fc.constantFrom({ 'X-A': true }, { 'X-A': '1' }, { 'X-A': false }),
  },
  { requiredKeys: [] },
);
const TARGETS = ['/', '/a', '/a/', '/a/b', '/a/b/', '/a/b/c', '/a/b/x.css', '/a/x.css', '/a/x/y.js', '/x.css', '/ab'];

t.test('property: a rule that is said never to count never does', async () => {
  fc.assert(
    fc.property(match, match, (first, second) => {
      const settings = readConfig({
        rules: [
          { name: 'first', match: first },
          { name: 'second', match: second },
        ],
      });
      const isSaid = lint(settings).some(
        ({ path, code }) => path[1] === 1 && (code === 'shadowed' || code === 'never-matches'),
      );
      if (!isSaid) return true;
      const rules = makeRules(settings);
      return TARGETS.every((target) =>
        ['GET', 'HEAD', 'PUT'].every((method) =>
          [Fields.empty, Fields.of({ 'X-A': '1' }), Fields.of({ 'X-A': '2' })].every(
            (fields) => rules.ruleFor({ method, host: 'h', target, fields }).name !== 'second',
          ),
        ),
      );
    }),
    { numRuns: 3000 },
  );
});

t.test('issue 5: a path that is no disk tier for now, and a disk smaller than memory, are warned of', async (t) => {
  const own = makeDirectory(t);
  mkdirSync(join(own, 'empty'));
  writeFileSync(join(own, 'file'), 'no directory');
  const warned = async (path: string, size: string): Promise<string> => {
    const text = `origin: http://127.0.0.1:3000\ncache: {memory: 64MB, disk: {path: ${join(own, path)}, size: ${size}}}\n`;
    const { code, complained } = await check(t, text);
    t.equal(code, 0);
    return complained;
  };
  t.match(await warned('file', '1GB'), /is not a directory: it starts without a disk tier \[disk-path\]/);
  t.match(await warned('empty', '32MB'), /smaller than memory \(64MB\).*\[small-disk\]/);
  t.equal(await warned('empty', '1GB'), '');
  t.equal(await warned('none/yet', '1GB'), '');
});

t.test('section 7: what keeps the proxy from starting is a problem with its place, and exit code 2', async (t) => {
  const own = makeDirectory(t);
  writeFileSync(join(own, 'letters.txt'), 'dear');
  const taken = `origin: http://127.0.0.1:3000\ncache:\n  disk: {path: ${own}}\n`;
  const { code, said, complained } = await check(t, taken);
  t.equal(code, 2);
  t.equal(said, '');
  t.match(complained, /^FILE:3:16: cache\.disk\.path: .* holds something that is not of this program \(letters\.txt\)/);
  t.match(complained, /\n +3 \| +disk: .*\n +\^\nFILE: 1 problem\n$/);

  const byFlag = await check(t, 'origin: http://127.0.0.1:3000\n', '--set', `cache.disk.path=${own}`);
  t.equal(byFlag.code, 2);
  t.match(byFlag.complained, /^--set.*: cache\.disk\.path: .*letters\.txt/);
});

t.test('section 7: a token in the environment that cannot be one is a problem where no file holds one', async (t) => {
  const own = makeDirectory(t);
  const file = join(own, 'token');
  writeFileSync(file, 'a-token-that-is-long-enough', { mode: 0o600 });
  const origin = 'origin: http://127.0.0.1:3000\n';
  const env = { PATINA_ADMIN_TOKEN: 'short' };
  const without = await checkIn(t, env, origin);
  t.equal(without.code, 2);
  t.match(without.complained, /^PATINA_ADMIN_TOKEN: expected a token of 16 characters/);
  t.notMatch(without.complained, /short/);
  t.equal((await checkIn(t, env, `${origin}admin: {token_file: ${file}}\n`)).code, 0);
  t.equal((await checkIn(t, { PATINA_ADMIN_TOKEN: '' }, origin)).code, 0);
});

t.test('issue 5: settings of a tier that nothing switches on are warned of', async (t) => {
  const warned = async (cache: string): Promise<string> => {
    const { code, complained } = await check(t, `origin: http://127.0.0.1:3000\ncache: ${cache}\n`);
    t.equal(code, 0);
    return complained;
  };
  t.match(await warned('{disk: {size: 1GB}}'), /:2:22: warning: .*cache\.disk\.path \[no-disk-path\]/);
  t.match(await warned('{redis: {password: secret}}'), /nothing is shared: .*\[no-redis-address\]/);
  t.match(await warned("{redis: {prefix: 'shop:'}}"), /\[no-redis-address\]/);
  t.match(await warned('{redis: {tls: {on: true}}}'), /\[no-redis-address\]/);
  t.equal(await warned('{memory: 64MB}'), '');
});
