// Goal: every wrong conf file is refused with all its problems, each in its place. Method: files in a scratch folder, and a table of what is said of each.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MAX_CONFIG_BYTES, MAX_CONFIG_PROBLEMS } from '../../lib/base/config-limits.js';
import { ConfigError } from '../../lib/base/errors.js';
import { loadConfig, readConfig } from '../../lib/config/load.js';
import { type Override, parseSetting } from '../../lib/config/overrides.js';
import { hasOrigin, withOrigin } from '../../lib/config/schema.js';
import { CERT } from '../origin/certificate.js';

const folder = t.testdir();
let fileCount = 0;

function write(content: string | Buffer): string {
  fileCount += 1;
  const file = join(folder, `conf-${fileCount}.yaml`);
  writeFileSync(file, content);
  return file;
}

function sets(...settings: string[]): Override[] {
  return settings.map((setting) => {
    const override = parseSetting(setting);
    if ('problem' in override) throw new Error(override.problem);
    return override;
  });
}

/** The problems of a file, with its own path left out. */
function problemsOf(load: () => unknown, file = 'FILE'): string[] {
  try {
    load();
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => problem.replace(file, 'FILE'));
  }
}

const DURATION = 'a duration such as 500ms, 10s, 5m, 1h or 1d';

const REFUSED: readonly [title: string, content: string | Buffer, ...problems: string[]][] = [
  ['an unknown key with a suggestion', 'lsten: 8080', 'FILE:1:1: unknown key "lsten": did you mean "listen"?'],
  [
    'a key in another spelling',
    'defaults: {staleIfError: 1h}',
    'FILE:1:12: unknown key "staleIfError" in defaults: did you mean "stale_if_error"?',
  ],
  [
    'a key that belongs elsewhere',
    '\nttl: 5s',
    'FILE:2:1: unknown key "ttl": it belongs elsewhere, as defaults.ttl or rules[].ttl',
  ],
  [
    'an option of a later version',
    'cache: {tape: {path: ./var}}',
    'FILE:1:9: unknown key "tape" in cache: this version knows memory, disk, redis',
  ],
  [
    '__proto__',
    'cache: {__proto__: 1}',
    'FILE:1:9: unknown key "__proto__" in cache: this version knows memory, disk, redis',
  ],
  [
    'a number without a unit',
    'defaults:\n  grace: 60',
    `FILE:2:10: defaults.grace: expected origin, ${DURATION}, or a map of default, min and max, or one of these by status, or a map of healthy and unhealthy, got 60 without a unit`,
  ],
  [
    'a bad duration',
    'origin: {timeouts: {idle: 10 sec}}',
    `FILE:1:27: origin.timeouts.idle: expected ${DURATION}, got "10 sec"`,
  ],
  [
    'a duration too short',
    'limits: {keep_alive: 1ms}',
    'FILE:1:22: limits.keep_alive: 1ms is too small: the least is 1s',
  ],
  [
    'a bad size',
    'cache: {memory: lots}',
    'FILE:1:17: cache.memory: expected a size such as 64KB, 256MB or 2GB, got "lots"',
  ],
  ['a path of no letters', 'cache: {disk: ""}', 'FILE:1:15: cache.disk.path: expected the path of a directory, got ""'],
  [
    'a word that says no, taken for a directory',
    'cache: {disk: off}',
    'FILE:1:15: cache.disk.path: expected the path of a directory: leave it out where there is to be none, and write ./off for one of that name',
  ],
  [
    'a disk beyond the address space',
    'cache: {disk: {path: var, size: 100TB}}',
    'FILE:1:33: cache.disk.size: 100TB is too large: the most is 16TB',
  ],
  ['a size too small', 'cache: {memory: 1KB}', 'FILE:1:17: cache.memory: 1KB is too small: the least is 1MB'],
  [
    'a number that is not whole',
    'origin: {connections: 1.5}',
    'FILE:1:23: origin.connections: expected a whole number, got 1.5 without a unit',
  ],
  ['no connections', 'origin: {connections: 0}', 'FILE:1:23: origin.connections: 0 is too small: the least is 1'],
  [
    'bounds the wrong way round',
    'defaults: {ttl: {min: 5s, max: 1s}}',
    'FILE:1:23: defaults.ttl.min: min is longer than max',
  ],
  [
    'a default outside its bounds',
    'defaults: {ttl: {default: 5s, max: 1s}}',
    'FILE:1:27: defaults.ttl.default: default is not between min and max',
  ],
  [
    'bounds without any',
    'defaults: {ttl: {}}',
    'FILE:1:17: defaults.ttl: an empty map says nothing: expected default, min or max in it',
  ],
  ['a mistyped bound', 'defaults: {ttl: {mx: 1s}}', 'FILE:1:18: unknown key "mx" in defaults.ttl: did you mean "max"?'],
  ['a lifetime of ages', 'defaults: {keep: 99999d}', 'FILE:1:18: defaults.keep: longer than ten years (3650d)'],
  [
    'a negative lifetime',
    'defaults: {keep: -1s}',
    `FILE:1:18: defaults.keep: expected origin, ${DURATION}, or a map of default, min and max, or one of these by status, got "-1s"`,
  ],
  [
    'an origin that is no URL',
    'origin: localhost',
    'FILE:1:9: origin.url: expected a URL such as http://127.0.0.1:3000, got "localhost"',
  ],
  [
    'an origin of another scheme',
    'origin: ftp://a',
    'FILE:1:9: origin.url: expected a URL such as http://127.0.0.1:3000 or https://..., got "ftp://a"',
  ],
  [
    'an origin with a path',
    'origin: http://a/x',
    'FILE:1:9: origin.url: an origin is scheme, host and port alone: write http://a',
  ],
  [
    'an origin with a password',
    'origin: http://u:p@a',
    'FILE:1:9: origin.url: an origin has no user name and password: write http://a',
  ],
  ['a port too large', 'listen: 127.0.0.1:99999', 'FILE:1:9: listen: 99999 is not a port: the most is 65535'],
  [
    'an address without a port',
    'listen: localhost',
    'FILE:1:9: listen: expected HOST:PORT such as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:80, or a port alone for loopback, got "localhost"',
  ],
  [
    'a port behind a colon',
    'listen: :8080',
    'FILE:1:9: listen: :8080 names no host: write 127.0.0.1:8080, or 0.0.0.0:8080 for every address',
  ],
  [
    'the same for the operators',
    'admin: :8081',
    'FILE:1:8: admin.listen: :8081 names no host: write 127.0.0.1:8081, or 0.0.0.0:8081 for every address',
  ],
  [
    'an address of the operators without a port',
    'admin: localhost',
    'FILE:1:8: admin.listen: expected HOST:PORT such as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:80, or a port alone for loopback, or off, got "localhost"',
  ],
  [
    'two listeners on one address',
    'listen: 127.0.0.1:80\nadmin: 127.0.0.1:80',
    'FILE:2:8: admin.listen: 127.0.0.1:80 is the address of listen already: choose another, or off',
  ],
  [
    'an origin that is the proxy itself',
    'listen: 0.0.0.0:80\norigin: http://localhost',
    'FILE:2:9: origin.url: http://localhost is this proxy itself (listen): write the address of the server behind it',
  ],
  [
    'an origin that is the door of the operators',
    'admin: "[::1]:81"\norigin: http://[::1]:81',
    'FILE:2:9: origin.url: http://[::1]:81 is this proxy itself (admin.listen): write the address of the server behind it',
  ],
  [
    'a list for a map',
    'origin: [http://a]',
    'FILE:1:9: origin: expected a map of options, or its url alone, got a list',
  ],
  [
    'a map for a word',
    'debug_header: {a: 1}',
    'FILE:1:15: debug_header: expected the name of a header field, got a map',
  ],
  [
    'an origin that is left blank',
    'listen: 80\norigin:',
    'FILE:2:8: origin: expected a URL such as http://127.0.0.1:3000, got an empty value: without this key a demo starts',
  ],
  [
    'an empty value',
    'debug_header:',
    'FILE:1:14: debug_header: expected the name of a header field, got an empty value',
  ],
  [
    'a header with a meaning',
    'debug_header: Age',
    'FILE:1:15: debug_header: Age has a meaning of its own: choose another name',
  ],
  [
    'a header that is no token',
    'debug_header: "a b"',
    'FILE:1:15: debug_header: expected the name of a header field such as CDN-Cache, got "a b"',
  ],
  [
    'a word not in the choice',
    'log: {access: maybe}',
    'FILE:1:15: log.access: expected one of auto, pretty, json, off, got "maybe"',
  ],
  [
    'a rule without a name',
    'rules:\n  - match: {path: /x}',
    'FILE:2:5: rules.0.name: expected a short name of letters, digits, dots, dashes and underscores, got nothing',
  ],
  [
    'two rules of one name',
    'rules: [{name: a}, {name: a}]',
    'FILE:1:27: rules.1.name: another rule has the name "a" already',
  ],
  [
    'a rule named defaults',
    'rules: [{name: defaults}]',
    'FILE:1:16: rules.0.name: "defaults" is what no rule matches: give the rule another name',
  ],
  [
    'a path without its slash',
    'rules: [{name: a, match: {path: x/**}}]',
    'FILE:1:33: rules.0.match.path: a path begins with /: write "/x/**"',
  ],
  [
    'a field that is not targeted',
    'defaults: {targeted_fields: [cache-control]}',
    'FILE:1:30: defaults.targeted_fields.0: expected one of cdn-cache-control, surrogate-control, got "cache-control"',
  ],
  [
    'a cold policy that is none',
    'defaults: {cold: maybe}',
    'FILE:1:18: defaults.cold: expected one of wait, accepted, got "maybe"',
  ],
  [
    'a directive that forbids nothing',
    'defaults: {stale_despite: [private]}',
    'FILE:1:28: defaults.stale_despite.0: expected one of must-revalidate, proxy-revalidate, no-cache, s-maxage, got "private"',
  ],
  [
    'a host that is none',
    'origin: {host: "a b"}',
    'FILE:1:16: origin.host: expected a host such as www.example.org or www.example.org:8080, got "a b"',
  ],
  [
    'a CA file that is not there',
    'origin: {tls: {ca_file: none.pem}}',
    `FILE:1:25: origin.tls.ca_file: ${join(folder, 'none.pem')} cannot be read: there is no such file`,
  ],
  [
    'a CA file that is a folder',
    'origin: {tls: {ca_file: .}}',
    `FILE:1:25: origin.tls.ca_file: ${folder} cannot be read: it is a directory: expected a file`,
  ],
  ['a key given twice', 'listen: 80\nlisten: 81', 'FILE:2:1: this key was given before in the same map'],
  ['a tab', 'cache:\n\tmemory: 1GB', 'FILE:2:1: a tab indents this line: YAML takes spaces alone'],
  [
    'two documents',
    'listen: 80\n---\nlisten: 81',
    'FILE:2:1: a second document begins here: a conf file is one document',
  ],
  [
    'an alias of nothing',
    'rules:\n  - {name: a, match: {path: /a/**}}\n  - name: b\n    match: {host: *.example.org}',
    'FILE:4:19: YAML takes * for the name of something said before: put "*.example.org" in quotes',
  ],
  [
    'a map that is not closed',
    'defaults: {ttl: 10s\nlisten: 80',
    'FILE:2:1: expected } before this: what it closes was begun and has no end',
  ],
  [
    'a list that is not closed',
    'defaults: {methods: [GET}',
    'FILE:1:25: expected ] before this: what it closes was begun and has no end',
  ],
  ['a quote that is not closed', 'listen: 80\norigin: "http://a\nname: x\n', 'FILE:2:9: no " ends this text'],
  [
    'a line that is no key',
    'listen: 80\norigin http://a\nname: x',
    'FILE:2:1: expected KEY: VALUE in this line, with a space after the colon',
  ],
  [
    'a key that is indented too little',
    'cache:\n  memory: 1MB\n disk: ./var',
    'FILE:3:1: this line is not indented as the others of its map or list',
  ],
  [
    'a rule that is indented too little',
    'rules:\n  - name: a\n - name: b',
    'FILE:3:1: this line is not indented as the others of its list',
  ],
  [
    'a key of a rule that is indented too little',
    'rules:\n  - name: a\n   match: {path: /a}',
    'FILE:3:1: this line is not indented as the others of its map or list',
  ],
  [
    'a star alone',
    'rules:\n  - match: {host: *}',
    'FILE:2:19: YAML takes * for the name of something said before: put "*" in quotes',
  ],
  [
    'a key behind a value',
    'listen: 80\n  name: x',
    'FILE:1:9: a second key in this value: a key stands on a line of its own, indented as the others of its map, and text with ": " in it in quotes',
  ],
  ['a sign that begins no value', 'name: @x', 'FILE:1:7: a value cannot begin with @: put it in quotes'],
  ['a bracket too many', 'admin: {listen: 80}}', 'FILE:1:20: unexpected "}"'],
  [
    'more behind a quote',
    'name: "x" y',
    'FILE:1:11: something follows the end of a value: put the whole of it in quotes',
  ],
  [
    'an alias bomb',
    'a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c]',
    'FILE:1:4: Excessive alias count indicates a resource exhaustion attack',
  ],
  ['an unknown tag', 'listen: !secret 80', 'FILE:1:9: Unresolved tag: !secret'],
  ['an empty file', '', 'FILE:1:1: no option is in this file: expected at least origin: http://HOST:PORT'],
  [
    'nothing but comments',
    '# listen: 80\n',
    'FILE:1:1: no option is in this file: expected at least origin: http://HOST:PORT',
  ],
  ['text alone', 'hello', 'FILE:1:1: expected a map of options such as origin: http://HOST:PORT, got "hello"'],
  ['bytes that are no UTF-8', Buffer.from([0x61, 0xff, 0xfe]), 'FILE:1:1: the file is not UTF-8 text'],
];

t.test('section 7: a bad conf file is refused with file, line, column and what was expected', async (t) => {
  for (const [title, content, ...problems] of REFUSED) {
    const file = write(content);
    t.same(
      problemsOf(() => loadConfig({ file }), file),
      problems,
      title,
    );
  }
});

t.test('a CA file without a certificate is refused at start, not by every request', async (t) => {
  const ca = write('-----BEGIN NONSENSE-----');
  const file = write(`origin: {tls: {ca_file: ${ca}}}`);
  t.match(
    problemsOf(() => loadConfig({ file }), file),
    [/^FILE:1:25: origin\.tls\.ca_file: .*\.yaml has no certificate in PEM form: \S/],
  );
});

t.test('section 7: all problems are told at once, in the order of the file, those of flags at the end', async (t) => {
  const file = write('cache: {memory: x}\nlsten: 1\norigin: y\n');
  const overrides = sets('defaults.ttl=7', 'limits.url=9');
  const places = problemsOf(() => loadConfig({ file, overrides }), file).map((problem) => problem.split(': ', 1)[0]);
  t.same(places, ['FILE:1:17', 'FILE:2:1', 'FILE:3:9', '--set defaults.ttl=7', '--set limits.url=9']);
});

t.test('the problems told at once are bounded', async (t) => {
  const file = write(Array.from({ length: MAX_CONFIG_PROBLEMS + 7 }, (_, at) => `zzz${at}: 1`).join('\n'));
  const problems = problemsOf(() => loadConfig({ file }));
  t.equal(problems.length, MAX_CONFIG_PROBLEMS + 1);
  t.equal(problems.at(-1), 'and 7 more problems');
});

t.test('a file that cannot be read is refused with the reason', async (t) => {
  const absent = join(folder, 'absent.yaml');
  t.same(
    problemsOf(() => loadConfig({ file: absent }), absent),
    ['FILE: the conf file cannot be read: there is no such file'],
  );
  const directory = join(folder, 'directory');
  mkdirSync(directory);
  t.same(
    problemsOf(() => loadConfig({ file: directory }), directory),
    ['FILE: the conf file cannot be read: it is a directory: expected a file'],
  );
  const large = write(`# ${'x'.repeat(MAX_CONFIG_BYTES)}`);
  t.match(
    problemsOf(() => loadConfig({ file: large }), large),
    [/^FILE: it has \d+ bytes: the most is 1MB$/],
  );
});

t.test('section 7: with no file and no flag the defaults hold: the headers of the origin decide', async (t) => {
  const settings = loadConfig();
  const origin = { kind: 'origin' };
  t.match(settings.defaults, {
    ttl: origin,
    grace: origin,
    keep: origin,
    staleIfError: origin,
    setCookie: 'refuse',
    cold: 'wait',
    tagsFrom: 'none',
    targetedFields: ['cdn-cache-control'],
    staleDespite: [],
  });
  t.same(settings.listen, { host: '127.0.0.1', port: 8080 });
  t.same(settings.admin.listen, { host: '127.0.0.1', port: 8081 });
  t.same(settings.origin.timeouts, { connectMs: 2000, headersMs: 15_000, idleMs: 30_000 });
  t.equal(settings.cache.memoryBytes, 256 * 1024 * 1024);
  t.same(settings.rules, []);
  t.equal(hasOrigin(settings), false);
  t.ok(hasOrigin(withOrigin(settings, new URL('http://a'))));
});

t.test('every option of a file arrives, durations in milliseconds and sizes in bytes', async (t) => {
  const ca = write(CERT);
  const file = write(`
listen: "[::1]:0"
admin: {listen: off}
origin: {url: 'https://a:1', host: b, timeouts: {connect: 1s, headers: 2s, idle: 3s}, connections: 4, tls: {ca_file: ${ca}, verify: false}}
name: edge-1
cache: {memory: 1GB}
defaults: {ttl: {default: 1s, min: 0, max: 1h}, grace: 0, keep: 1d, stale_if_error: 1.5h, set_cookie: strip, cold: accepted, tags_from: Surrogate-Key, targeted_fields: surrogate-control, stale_despite: no-cache}
rules:
  - {name: a, match: {path: /a}, ttl: origin, set_cookie: share, cold: wait, tags_from: none, targeted_fields: [], stale_despite: [s-maxage, s-maxage]}
  - name: b
debug_header: CDN-Cache
log: {access: json, level: warn}
limits: {url: 1KB, headers: 2KB, header_count: 9, head_timeout: 1s, body_idle: 2s, reply_idle: 3s, keep_alive: 4s, connections: 5, waiters: 6, wait: 7s, drain: 0s}
`);
  const settings = loadConfig({ file });
  t.equal(settings.origin.url?.href, 'https://a:1/');
  const { url: _, ...origin } = settings.origin;
  t.match(
    { ...settings, origin },
    {
      listen: { host: '::1', port: 0 },
      admin: { listen: undefined },
      origin: {
        host: 'b',
        timeouts: { connectMs: 1000, headersMs: 2000, idleMs: 3000 },
        connections: 4,
        tls: { caFile: ca, verify: false },
      },
      name: 'edge-1',
      cache: { memoryBytes: 1024 ** 3, disk: { path: undefined, sizeBytes: 4 * 1024 ** 3 } },
      defaults: {
        ttl: { kind: 'bounded', defaultMs: 1000, minMs: 0, maxMs: 3_600_000 },
        grace: { kind: 'fixed', ms: 0 },
        keep: { kind: 'fixed', ms: 86_400_000 },
        staleIfError: { kind: 'fixed', ms: 5_400_000 },
        setCookie: 'strip',
        cold: 'accepted',
        tagsFrom: 'surrogate-key',
        targetedFields: ['surrogate-control'],
        staleDespite: ['no-cache'],
      },
      rules: [
        {
          name: 'a',
          match: { path: ['/a'] },
          ttl: { kind: 'origin' },
          setCookie: 'share',
          cold: 'wait',
          tagsFrom: 'none',
          targetedFields: [],
          staleDespite: ['s-maxage'],
        },
        {
          name: 'b',
          ttl: undefined,
        },
      ],
      debugHeader: 'CDN-Cache',
      log: { access: 'json', level: 'warn' },
      limits: {
        urlBytes: 1024,
        headersBytes: 2048,
        headerCount: 9,
        headTimeoutMs: 1000,
        bodyIdleMs: 2000,
        replyIdleMs: 3000,
        keepAliveMs: 4000,
        connections: 5,
        waiters: 6,
        waitMs: 7000,
        drainMs: 0,
      },
    },
  );
});

t.test('a section whose options are all commented out has its defaults', async (t) => {
  const file = write('cache:\nrules:\nlisten: 9000\n');
  const settings = loadConfig({ file });
  t.equal(settings.cache.memoryBytes, 256 * 1024 * 1024);
  t.same(settings.rules, []);
  t.same(settings.listen, { host: '127.0.0.1', port: 9000 }, 'a port alone is loopback');
});

t.test('aliases and merge-free anchors may name a value twice', async (t) => {
  const file = write('defaults: {ttl: &t {max: 1m}, grace: *t}\n');
  const { defaults } = loadConfig({ file });
  t.same(defaults.grace, defaults.ttl);
});

t.test('section 7: flags override the file, and the last one counts', async (t) => {
  const file = write('origin: http://a\nadmin: off\nrules: [{name: a}]\ndefaults: {ttl: 1s}\n');
  const settings = loadConfig({
    file,
    overrides: [
      { path: ['listen'], value: '0.0.0.0:80', flag: '--listen 0.0.0.0:80' },
      ...sets(
        'origin.timeouts.connect=1s',
        'admin=127.0.0.1:9',
        'rules.0.ttl={default: 5s}',
        'rules.1.name=b',
        'defaults.ttl=2s',
        'defaults.ttl=3s',
      ),
    ],
  });
  t.same(settings.listen, { host: '0.0.0.0', port: 80 });
  t.equal(settings.origin.url?.host, 'a', 'the short form of the file is kept beside an option of the long form');
  t.equal(settings.origin.timeouts.connectMs, 1000);
  t.same(settings.admin.listen, { host: '127.0.0.1', port: 9 });
  t.same(settings.rules[0]?.ttl, { kind: 'bounded', defaultMs: 5000, minMs: undefined, maxMs: undefined });
  t.equal(settings.rules[1]?.name, 'b');
  t.same(settings.defaults.ttl, { kind: 'fixed', ms: 3000 });
});

t.test('a problem of a flag names the flag', async (t) => {
  const file = write('listen: 80\norigin: x\n');
  const cases: [string, string][] = [
    [
      'origin.timeouts.conect=1s',
      '--set origin.timeouts.conect=1s: unknown key "conect" in origin.timeouts: did you mean "connect"?',
    ],
    [
      'nothing.here=1',
      '--set nothing.here=1: unknown key "nothing": this version knows listen, admin, purge_methods, origin, name, workers, cache, defaults, rules, debug_header, fast_lane, log, explain, warm, limits',
    ],
    ['rules.5.name=a', '--set rules.5.name=a: rules: expected a list, got a map'],
    ['cache.memory.x=1', '--set cache.memory.x=1: cache.memory: expected a size such as 64KB, 256MB or 2GB, got a map'],
    [
      'origin=',
      '--set origin=: origin: expected a URL such as http://127.0.0.1:3000, got an empty value: without this key a demo starts',
    ],
    ['origin=y', '--set origin=y: origin.url: expected a URL such as http://127.0.0.1:3000, got "y"'],
  ];
  for (const [setting, problem] of cases) {
    const problems = problemsOf(() => loadConfig({ file, overrides: sets(setting) }), file);
    t.ok(problems.includes(problem), `${setting}: ${problems.join(' / ')}`);
  }
});

t.test('--set takes key.path=value and refuses other shapes', async (t) => {
  for (const setting of ['', 'a', '=1', 'a..b=1', '.a=1', 'a.=1', 'a=[1', 'a=*x']) {
    t.match(parseSetting(setting), { problem: `--set ${setting}: ` }, setting);
  }
  t.same(parseSetting('a.b=x=y'), { path: ['a', 'b'], value: 'x=y', flag: '--set a.b=x=y' });
  t.same(parseSetting('a=[1, x]'), { path: ['a'], value: [1, 'x'], flag: '--set a=[1, x]' });
});

t.test('readConfig takes an object of the same shape as the file', async (t) => {
  t.equal(readConfig({ origin: 'http://a:5' }).origin.url?.port, '5');
  t.same(
    problemsOf(() => readConfig({ helpers: 2, cache: { memory: 'x' } })).map((problem) => problem.split(':', 1)[0]),
    ['cache.memory', 'unknown key "helpers"'],
  );
  t.same(
    problemsOf(() => readConfig(7)),
    ['expected a map of options, got 7'],
  );
});
