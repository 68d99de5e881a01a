// Goal: path patterns mean what they say and cannot be made slow. Method: tables, and comparison with an equal regular expression.
import fc from 'fast-check';
import t from 'tap';
import { compileGlob, withPlainEscapes } from '../../lib/config/glob.js';

function matches(pattern: string, path: string): boolean {
  const compiled = compileGlob(pattern);
  if ('problem' in compiled) throw new Error(compiled.problem);
  return compiled.glob.matches(path);
}

const TABLE: readonly [pattern: string, matching: readonly string[], others: readonly string[]][] = [
  ['/', ['/'], ['', '//', '/x']],
  ['/a', ['/a'], ['/', '/a/', '/ab', '/A']],
  ['/a/**', ['/a/', '/a/b', '/a/b/c'], ['/a', '/ab', '/b/a/']],
  ['/**', ['/', '/a', '/a/b/c.d'], ['']],
  ['/a*', ['/a', '/ab', '/a.b'], ['/a/', '/a/b', '/b']],
  ['/*.css', ['/x.css', '/.css', '/a.b.css'], ['/a/x.css', '/x.css/', '/x.cssx']],
  ['/**/*.css', ['/x.css', '/a/x.css', '/a/b/x.css'], ['/x.js', '/x.css/y']],
  ['/**.css', ['/x.css', '/a/b.css'], ['/x.js']],
  ['/a/**/z', ['/a/z', '/a/b/z', '/a/b/c/z', '/a//z'], ['/a/bz', '/az', '/a/z/', '/a']],
  ['/a/*/z', ['/a/b/z', '/a//z'], ['/a/z', '/a/b/c/z']],
  ['/a?', ['/ab', '/a?'], ['/a', '/abc', '/a/']],
  ['/a\\*b', ['/a*b'], ['/axb', '/ab']],
  ['/a/b*c*d', ['/a/bcd', '/a/bxcyd', '/a/bccdd'], ['/a/bdc', '/a/b/cd']],
  ['/**a**', ['/a', '/xay', '/x/a/y'], ['/x']],
  ['/**/**/z', ['/z', '/a/z', '/a/b/z'], ['/az']],
  ['/*/**/*', ['/a/b', '/a/b/c', '//'], ['/a', '/']],
  [
    `/*/${'x'.repeat(70)}/*/${'y'.repeat(70)}/**/z`,
    [`/a/${'x'.repeat(70)}/b/${'y'.repeat(70)}/z`],
    [`/a/${'x'.repeat(70)}/${'y'.repeat(70)}/z`],
  ],
  ['/%61b', ['/ab'], ['/%61b']],
];

t.test('section 7: a path pattern matches whole paths', async (t) => {
  for (const [pattern, matching, others] of TABLE) {
    for (const path of matching) t.ok(matches(pattern, path), `${pattern} matches ${path}`);
    for (const path of others) t.notOk(matches(pattern, path), `${pattern} does not match ${path}`);
  }
});

t.test('a pattern that could never match is refused with the reason', async (t) => {
  const cases: [string, RegExp][] = [
    ['', /begins with \//],
    ['a', /write "\/a"/],
    ['/a b', /no spaces/],
    ['/ä', /beyond ASCII/],
    ['/a#b', /has no #/],
    ['/a\\', /escapes nothing/],
    ['/a/../b', /segments resolved/],
    [`/${'a'.repeat(256)}`, /256 characters at most/],
  ];
  for (const [pattern, problem] of cases) t.match(compileGlob(pattern), { problem }, pattern);
});

t.test('a pattern is equal to its regular expression', async () => {
  const piece = fc.constantFrom('a', 'b', '/', '*', '?', '**', '/**/', '.');
  // Long pieces carry the steps across the words that their bits are in.
  const patterns = fc
    .array(fc.oneof({ weight: 5, arbitrary: piece }, { weight: 1, arbitrary: fc.constant('ab/.'.repeat(7)) }), {
      maxLength: 8,
    })
    .map((pieces) => `/${pieces.join('')}`);
  const paths = fc
    .array(
      fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom('a', 'b', '/', '.') },
        { weight: 1, arbitrary: fc.constant('ab/.'.repeat(7)) },
      ),
      { maxLength: 10 },
    )
    .map((chars) => `/${chars.join('')}`);
  fc.assert(
    fc.property(patterns, paths, (pattern, path) => {
      fc.pre('glob' in compileGlob(pattern));
      const source = pattern.replace(/[.]/g, '\\.').replace(/(?<=\/)\*\*+\/|\*+|\?/g, (wild) => {
        if (wild === '?') return '[^/]';
        if (wild === '*') return '[^/]*';
        return wild.endsWith('/') ? '(?:.*/)?' : '.*';
      });
      return matches(pattern, path) === new RegExp(`^${source}$`).test(path);
    }),
    { numRuns: 10_000 },
  );
});

t.test('the work of a match is linear in the path, whatever the pattern', async (t) => {
  const pattern = `/${'**a'.repeat(60)}b`;
  const compiled = compileGlob(pattern);
  if (!('glob' in compiled)) throw new Error(compiled.problem);
  // With backtracking this would not end in the lifetime of the universe; a hang fails the file.
  t.notOk(compiled.glob.matches(`/${'a'.repeat(8000)}`));
});

t.test('RFC 3986 §6.2.2: escapes that need none are undone, the others are in capitals', async (t) => {
  t.equal(withPlainEscapes('/%61%2d%7e%2f%zz%'), '/a-~%2F%zz%');
});
