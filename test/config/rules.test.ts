// Goal: the first rule that matches counts and inherits what it does not say. Method: tables; comparison of the index with a walk over all rules.
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { ConfigError } from '../../lib/base/errors.js';
import { compileGlob } from '../../lib/config/glob.js';
import { readConfig } from '../../lib/config/load.js';
import { makeRules, type RuleRequest } from '../../lib/config/rules.js';
import { Fields } from '../../lib/http/fields.js';

function asked(target: string): RuleRequest {
  return { method: 'GET', host: 'example.test', target, fields: Fields.empty };
}

function rulesOf(paths: readonly (string | undefined)[]) {
  const rules = paths.map((path, at) => ({ name: `r${at}`, match: path === undefined ? {} : { path } }));
  return makeRules(readConfig({ rules }));
}

t.test('section 7: the first match wins', async (t) => {
  const rules = rulesOf(['/a/b', '/a/**', '/**/*.css', '/b*', undefined]);
  const table: [string, string][] = [
    ['/a/b', 'r0'],
    ['/a/c', 'r1'],
    ['/a/x.css', 'r1'],
    ['/x.css', 'r2'],
    ['/b.css', 'r2'],
    ['/bcd', 'r3'],
    ['/', 'r4'],
    ['*', 'r4'],
    ['', 'r4'],
  ];
  for (const [path, name] of table) t.equal(rules.ruleFor(asked(path)).name, name, path);
});

t.test('where no rule matches the defaults hold, under that name', async (t) => {
  t.equal(rulesOf([]).ruleFor(asked('/x')).name, 'defaults');
  t.equal(rulesOf(['/a']).ruleFor(asked('/x')).name, 'defaults');
  t.same(
    rulesOf(['/a', '/b']).all.map(({ name }) => name),
    ['r0', 'r1', 'defaults'],
  );
});

t.test('section 7: a rule inherits from defaults what it does not say', async (t) => {
  const rules = makeRules(
    readConfig({
      defaults: {
        ttl: '1s',
        grace: '2s',
        keep: '3s',
        stale_if_error: '4s',
        set_cookie: 'strip',
        cold: 'accepted',
        tags_from: 'X-Tags',
        targeted_fields: ['surrogate-control'],
        stale_despite: ['no-cache'],
      },
      rules: [
        {
          name: 'all',
          match: { path: '/all' },
          ttl: 'origin',
          grace: 0,
          keep: 0,
          stale_if_error: 0,
          set_cookie: 'share',
          cold: 'wait',
          tags_from: 'none',
          targeted_fields: [],
          stale_despite: [],
        },
        { name: 'none', match: { path: '/none' } },
      ],
    }),
  );
  const fixed = (ms: number) => ({ kind: 'fixed', ms });
  t.match(rules.ruleFor(asked('/all')), {
    name: 'all',
    ttl: { kind: 'origin' },
    grace: fixed(0),
    keep: fixed(0),
    staleIfError: fixed(0),
    setCookie: 'share',
    cold: 'wait',
    tagsFrom: 'none',
    targetedFields: [],
    staleDespite: [],
  });
  t.match(rules.ruleFor(asked('/none')), {
    name: 'none',
    ttl: fixed(1000),
    grace: fixed(2000),
    keep: fixed(3000),
    staleIfError: fixed(4000),
    setCookie: 'strip',
    cold: 'accepted',
    tagsFrom: 'x-tags',
    targetedFields: ['surrogate-control'],
    staleDespite: ['no-cache'],
  });
});

t.test('the query is left out of account', async (t) => {
  const rules = rulesOf(['/search', '/a/**']);
  t.equal(rules.ruleFor(asked('/search?q=/a/b')).name, 'r0');
  t.equal(rules.ruleFor(asked('/x?/a/')).name, 'defaults');
});

t.test('RFC 3986 §6.2.2: a rule cannot be dodged, or drawn over other pages, by another spelling', async (t) => {
  const rules = rulesOf(['/admin/**', '/public/**']);
  const table: [string, string][] = [
    ['/%61dmin/x', 'r0'],
    ['/x/../admin/y', 'r0'],
    ['/public/../admin/y', 'r0'],
    ['/public/%2e%2E/admin/y', 'r0'],
    ['/./admin/.', 'r0'],
    ['/../../public/..x', 'r1'],
    ['/public/..', 'defaults'],
  ];
  for (const [path, name] of table) t.equal(rules.ruleFor(asked(path)).name, name, path);
});

t.test('the index finds the same rule as a walk over all rules', async () => {
  const patterns = fc.array(
    fc.option(
      fc.array(fc.constantFrom('a', 'b', '/', '*', '**', '?'), { maxLength: 5 }).map((pieces) => `/${pieces.join('')}`),
      { nil: undefined, freq: 20 },
    ),
    { maxLength: 8 },
  );
  const paths = fc.array(fc.constantFrom('a', 'b', '/'), { maxLength: 8 }).map((chars) => `/${chars.join('')}`);
  fc.assert(
    fc.property(patterns, paths, (all, path) => {
      const first = all.findIndex((pattern) => {
        const compiled = pattern === undefined ? undefined : compileGlob(pattern);
        return compiled === undefined || ('glob' in compiled && compiled.glob.matches(path));
      });
      return rulesOf(all).ruleFor(asked(path)).name === (first < 0 ? 'defaults' : `r${first}`);
    }),
    { numRuns: 2000 },
  );
});

function refused(t: Test, make: () => unknown, problem: string | RegExp): void {
  try {
    make();
    t.fail('it was taken');
  } catch (error) {
    t.match(error instanceof ConfigError ? error.problems : error, [problem]);
  }
}

function rulesFrom(
  rules: readonly Readonly<Record<string, unknown>>[],
  defaults: Readonly<Record<string, unknown>> = {},
) {
  return makeRules(readConfig({ defaults, rules }));
}

t.test('issue 4: all that a match says must hold, and of a list one member', async (t) => {
  const rules = rulesFrom([
    { name: 'both', match: { path: ['/a/**', '/b/*'], ext: ['css', 'js'], methods: 'GET' } },
    { name: 'host', match: { host: ['*.example', 'x:81'] } },
  ]);
  const table: [Partial<RuleRequest>, string][] = [
    [{ target: '/a/1/x.css' }, 'both'],
    [{ target: '/b/x.JS?y' }, 'both'],
    [{ target: '/b/x.js', method: 'HEAD' }, 'both'],
    [{ target: '/b/x.js', method: 'POST' }, 'defaults'],
    [{ target: '/b/1/x.js' }, 'defaults'],
    [{ target: '/c.css/x' }, 'defaults'],
    [{ host: 'a.example' }, 'host'],
    [{ host: 'a.example:8080' }, 'host'],
    [{ host: '.example' }, 'host'],
    [{ host: 'example' }, 'defaults'],
    [{ host: 'x:81' }, 'host'],
    [{ host: 'x' }, 'defaults'],
    [{ host: '[::1]' }, 'defaults'],
  ];
  for (const [request, name] of table) {
    t.equal(rules.ruleFor({ ...asked('/'), ...request }).name, name, JSON.stringify(request));
  }
});

t.test('issue 4: inner rules inherit from their group, and the group stands behind them', async (t) => {
  const rules = rulesFrom(
    [
      {
        name: 'shop',
        match: { path: '/shop/**', host: 'a' },
        ttl: '10s',
        grace: '1h',
        rules: [
          {
            name: 'images',
            match: { ext: 'png' },
            ttl: '1d',
            rules: [{ name: 'thumbs', match: { path: '/shop/t/*' }, keep: '1m' }],
          },
          { name: 'cart', match: { path: '/shop/cart' }, grace: 0 },
        ],
      },
    ],
    { keep: '2h' },
  );
  const at = (target: string, host = 'a') => rules.ruleFor({ ...asked(target), host });
  const fixed = (ms: number) => ({ kind: 'fixed', ms });
  t.match(at('/shop/x'), { name: 'shop', ttl: fixed(10_000), grace: fixed(3_600_000), keep: fixed(7_200_000) });
  t.match(at('/shop/x.png'), { name: 'images', ttl: fixed(86_400_000), grace: fixed(3_600_000) });
  t.match(at('/shop/t/x.png'), { name: 'thumbs', ttl: fixed(86_400_000), keep: fixed(60_000) });
  t.equal(at('/shop/t/x.css').name, 'shop');
  t.match(at('/shop/cart'), { name: 'cart', ttl: fixed(10_000), grace: fixed(0) });
  t.equal(at('/shop/cart', 'b').name, 'defaults', 'an inner rule matches only where its group does');
  t.same(
    rules.all.map(({ name }) => name),
    ['thumbs', 'images', 'cart', 'shop', 'defaults'],
  );
});

t.test('issue 4: a rule that asks for something of the response is passed over until there is one', async (t) => {
  const rules = rulesFrom([
    { name: 'errors', match: { status: ['404', '5xx'] }, ttl: '1s' },
    { name: 'pages', match: { content_type: ['text/html', 'application/*'], path: '/p/**' }, ttl: '2s' },
    { name: 'rest', match: { path: '/p/**' } },
  ]);
  const html = Fields.of({ 'Content-Type': 'Text/HTML; charset=utf-8' });
  t.equal(rules.ruleFor(asked('/p/a')).name, 'rest');
  t.equal(rules.ruleForResponse(asked('/p/a'), 404, html).name, 'errors');
  t.equal(rules.ruleForResponse(asked('/p/a'), 503, Fields.empty).name, 'errors');
  t.equal(rules.ruleForResponse(asked('/p/a'), 200, html).name, 'pages');
  t.equal(rules.ruleForResponse(asked('/p/a'), 200, Fields.of({ 'Content-Type': 'application/json' })).name, 'pages');
  t.equal(rules.ruleForResponse(asked('/p/a'), 200, Fields.of({ 'Content-Type': 'text/htmlx' })).name, 'rest');
  t.equal(rules.ruleForResponse(asked('/q'), 200, html).name, 'defaults');
});

t.test('issue 4: such a rule comes too late for what a request goes by', async (t) => {
  refused(
    t,
    () => rulesFrom([{ name: 'a', match: { status: 404 }, cold: 'accepted' }]),
    'rules.0.cold: a rule that matches by status or content_type is chosen too late for this',
  );
  refused(
    t,
    () => rulesFrom([{ name: 'a', match: { status: 200 }, methods: ['GET', 'POST'] }]),
    /rules\.0\.methods: .*too late/,
  );
  const inner = { name: 'b', cold: 'accepted' };
  refused(
    t,
    () => rulesFrom([{ name: 'a', match: { content_type: 'a/b' }, rules: [inner] }]),
    /rules\.0\.rules\.0\.cold/,
  );
});

t.test('issue 4: names are told apart in the whole file, and a fourth level is refused', async (t) => {
  refused(
    t,
    () => rulesFrom([{ name: 'a', rules: [{ name: 'b' }] }, { name: 'b' }]),
    'rules.1.name: another rule has the name "b" already',
  );
  const deep = { name: 'a', rules: [{ name: 'b', rules: [{ name: 'c', rules: [{ name: 'd' }] }] }] };
  refused(t, () => rulesFrom([deep]), /unknown key "rules" in rules\.0\.rules\.0\.rules\.0/);
});

t.test('issue 4: an expression takes time linear in the path, whatever a client sends', async (t) => {
  const rules = rulesFrom([{ name: 'a', match: { path_regex: '^/(a+)+$' } }]);
  const started = process.cpuUsage().user;
  t.equal(rules.ruleFor(asked(`/${'a'.repeat(8000)}!`)).name, 'defaults');
  // A backtracking engine would not come back in this universe's time: a second is far from both.
  t.ok(process.cpuUsage().user - started < 1_000_000);
  t.equal(rules.ruleFor(asked('/aaa')).name, 'a');
});

t.test('issue 4: a rule that a reload did not change is the same one', async (t) => {
  const conf = (ttl: string) =>
    readConfig({
      rules: [
        { name: 'a', ttl },
        { name: 'b', max_staleness: '1h' },
      ],
    });
  const before = makeRules(conf('1s'));
  const after = makeRules(conf('2s'), before);
  t.not(after.all[0], before.all[0]);
  t.equal(after.all[1], before.all[1]);
  t.equal(after.all[2], before.all[2]);
});
