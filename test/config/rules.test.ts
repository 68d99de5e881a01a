// Goal: the first rule that matches counts and inherits what it does not say. Method: tables; comparison of the index with a walk over all rules.
import fc from 'fast-check';
import t from 'tap';
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
          targeted_fields: [],
          stale_despite: [],
        },
        { name: 'none', match: { path: '/none' } },
      ],
    }),
  );
  const fixed = (ms: number) => ({ kind: 'fixed', ms });
  t.same(rules.ruleFor(asked('/all')), {
    name: 'all',
    ttl: { kind: 'origin' },
    grace: fixed(0),
    keep: fixed(0),
    staleIfError: fixed(0),
    setCookie: 'share',
    cold: 'wait',
    targetedFields: [],
    staleDespite: [],
  });
  t.same(rules.ruleFor(asked('/none')), {
    name: 'none',
    ttl: fixed(1000),
    grace: fixed(2000),
    keep: fixed(3000),
    staleIfError: fixed(4000),
    setCookie: 'strip',
    cold: 'accepted',
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
