// Goal: the style of the project is held by a test and not by reviewers. Method: reading every source with the compiler's own parser.
import t from 'tap';
import ts from 'typescript';
import { commentsOf, placeOf, sourcesOf, walk } from './sources.js';

const LIB = sourcesOf('lib');
const TESTS = sourcesOf('test');
const ALL = [...LIB, ...TESTS, ...sourcesOf('bench')];

/** A file that grows past this has two purposes. */
const MAX_LIB_LINES = 400;
const MAX_OTHER_LINES = 600;
const MAX_FUNCTION_LINES = 60;

/** Calls that read or wait for time; base/clock is the one door to it. */
const TIME = new Set([
  'Date.now',
  'performance.now',
  'performance.timeOrigin',
  'process.hrtime',
  'process.hrtime.bigint',
]);
const TIMERS = new Set(['setTimeout', 'setInterval']);

t.test('STYLE habit 3: time is read and waited for in base/clock alone', async (t) => {
  const found: string[] = [];
  for (const source of LIB.filter(({ path }) => path !== 'lib/base/clock.ts')) {
    walk(source.tree, (node) => {
      const isNow = ts.isPropertyAccessExpression(node) && TIME.has(node.getText());
      const isTimer = ts.isCallExpression(node) && ts.isIdentifier(node.expression) && TIMERS.has(node.expression.text);
      const isToday =
        ts.isNewExpression(node) && node.expression.getText() === 'Date' && (node.arguments?.length ?? 0) === 0;
      if (isNow || isTimer || isToday) found.push(placeOf(source, node));
    });
    for (const { from } of source.imports) {
      if (/^(?:node:)?(?:timers|perf_hooks)/.test(from)) found.push(`${source.path} imports ${from}`);
    }
  }
  t.same(found, []);
});

t.test('no `any`, no non-null `!`, no enum, no parameter property', async (t) => {
  const found: string[] = [];
  for (const source of ALL) {
    walk(source.tree, (node) => {
      const isBanned =
        node.kind === ts.SyntaxKind.AnyKeyword ||
        ts.isNonNullExpression(node) ||
        ts.isEnumDeclaration(node) ||
        (ts.isParameter(node) && ts.isParameterPropertyDeclaration(node, node.parent));
      if (isBanned) found.push(placeOf(source, node));
    });
  }
  t.same(found, []);
});

t.test('no comment puts work off', async (t) => {
  const found = ALL.flatMap(commentsOf).filter(({ text }) => /\b(?:TODO|FIXME|XXX|HACK)\b/.test(text));
  t.same(found, []);
});

t.test('no catch is empty: what is swallowed is counted, or said to be harmless', async (t) => {
  const found: string[] = [];
  for (const source of LIB) {
    walk(source.tree, (node) => {
      if (ts.isCatchClause(node) && node.block.statements.length === 0) found.push(placeOf(source, node));
    });
  }
  t.same(found, []);
});

t.test('STYLE part 2: each file of lib begins with its purpose, each test with its goal and method', async (t) => {
  const lib = LIB.filter(({ lines }) => !/^(?:#!.*\n)?\/\*\*/.test(lines.slice(0, 2).join('\n'))).map(
    ({ path }) => path,
  );
  t.same(lib, []);
  const tests = TESTS.filter(({ path }) => path.endsWith('.test.ts'))
    .filter(({ lines }) => !/^\/[/*]+ Goal: /.test(lines[0] ?? ''))
    .map(({ path }) => path);
  t.same(tests, []);
});

t.test('STYLE part 2: RFCs are cited in one form, and current ones alone', async (t) => {
  const OBSOLETE = /RFC ?(?:2068|2616|3229|7230|7231|7232|7233|7234|7235|7540)\b/;
  const OTHER_FORM = /RFC(?:\d|-)| §[A-Za-z]?\d[^\s]* of RFC|RFC \d+ [Ss]ection/;
  const found = ALL.filter(({ path }) => !path.startsWith('test/tidy/'))
    .flatMap(commentsOf)
    .filter(({ text }) => OBSOLETE.test(text) || OTHER_FORM.test(text));
  t.same(found, []);
});

t.test('STYLE part 2: nothing is called manager, helper or util', async (t) => {
  const VAGUE = /(?:manager|helpers?|utils?|misc|common)(?:\.|$)/i;
  const files = ALL.map(({ path }) => path).filter((path) =>
    path.split('/').some((part) => VAGUE.test(part.replace(/\.ts$/, ''))),
  );
  t.same(files, []);
  const names: string[] = [];
  for (const source of LIB) {
    walk(source.tree, (node) => {
      const isNamed = ts.isClassDeclaration(node) || ts.isFunctionDeclaration(node) || ts.isInterfaceDeclaration(node);
      if (isNamed && /(?:Manager|Helper|Util)s?$/i.test(node.name?.text ?? '')) names.push(placeOf(source, node));
    });
  }
  t.same(names, []);
});

t.test('files and functions are short enough to be read', async (t) => {
  const files = ALL.filter(
    ({ path, lines }) => lines.length > (path.startsWith('lib/') ? MAX_LIB_LINES : MAX_OTHER_LINES),
  );
  t.same(
    files.map(({ path, lines }) => `${path}: ${lines.length} lines`),
    [],
  );
  const functions: string[] = [];
  for (const source of LIB) {
    walk(source.tree, (node) => {
      if (!ts.isFunctionLike(node)) return;
      const from = source.tree.getLineAndCharacterOfPosition(node.getStart()).line;
      const until = source.tree.getLineAndCharacterOfPosition(node.getEnd()).line;
      if (until - from + 1 > MAX_FUNCTION_LINES) functions.push(`${placeOf(source, node)}: ${until - from + 1} lines`);
    });
  }
  t.same(functions, []);
});
