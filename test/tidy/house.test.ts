// Goal: the house keeps its floors. Method: the imports of every file of lib against DESIGN section 5.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { dirname, normalize } from 'node:path/posix';
import t from 'tap';
import { ROOT, type Source, sourcesOf } from './sources.js';

/** From the roof to the ground; those in one line may not import each other. */
const FLOORS: readonly (readonly string[])[] = [
  ['cli'],
  ['index'],
  ['workers'],
  ['proxy'],
  ['demo'],
  ['front'],
  ['admin', 'warm'],
  ['engine'],
  ['explain'],
  ['policy'],
  ['store'],
  ['origin'],
  ['config'],
  ['object'],
  ['observe'],
  ['http'],
  ['base'],
];

/** Floors that know no socket: what they decide can be tested without one. */
const SOCKETLESS = ['engine', 'policy', 'store', 'object', 'http', 'base'];
/** Its sockets carry nothing: that somebody is behind them is all that they say (decision 0045). */
const WORDLESS = 'lib/store/disk-holders.ts';
const SOCKETS = /^node:(?:http|https|http2|net|tls|dgram|dns)(?:\/|$)/;

const LIB = sourcesOf('lib');

function floorOf(path: string): string {
  const [, first = '', ...rest] = path.split('/');
  return rest.length === 0 ? first.replace(/\.[jt]s$/, '') : first;
}

/** Above is smaller. Undefined: not a floor. */
function heightOf(floor: string): number {
  return FLOORS.findIndex((floors) => floors.includes(floor));
}

/** The file that a relative import means. */
function fileOf(source: Source, from: string): string {
  return normalize(join(dirname(source.path), from)).replace(/\.js$/, '.ts');
}

function packageOf(from: string): string | undefined {
  if (from.startsWith('.') || isBuiltin(from)) return undefined;
  return from
    .split('/')
    .slice(0, from.startsWith('@') ? 2 : 1)
    .join('/');
}

t.test('DESIGN section 5: every file is on a floor of the house', async (t) => {
  const strays = LIB.filter(({ path }) => heightOf(floorOf(path)) < 0).map(({ path }) => path);
  t.same(strays, []);
});

t.test('DESIGN section 5: imports run downwards only', async (t) => {
  const upward: string[] = [];
  for (const source of LIB) {
    const own = floorOf(source.path);
    for (const { from } of source.imports.filter(({ from }) => from.startsWith('.'))) {
      const file = fileOf(source, from);
      const other = floorOf(file);
      if (!file.startsWith('lib/')) upward.push(`${source.path} imports ${file}`);
      else if (own !== other && heightOf(own) >= heightOf(other)) upward.push(`${source.path} imports ${file}`);
    }
  }
  t.same(upward, []);
});

t.test('STYLE habit 7: each outside package is imported by exactly one file', async (t) => {
  const importers = new Map<string, Set<string>>();
  for (const source of LIB) {
    for (const { from } of source.imports) {
      const name = packageOf(from);
      if (name !== undefined) importers.set(name, (importers.get(name) ?? new Set()).add(source.path));
    }
  }
  for (const [name, files] of importers) t.equal(files.size, 1, `${name}: ${[...files].join(', ')}`);
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const unlisted = [...importers.keys()].filter((name) => !(name in dependencies));
  t.same(unlisted, [], 'what lib imports is a dependency');
});

t.test('DESIGN section 5: the engine and what is below it know no socket', async (t) => {
  const socketless = LIB.filter(({ path }) => SOCKETLESS.includes(floorOf(path)) && path !== WORDLESS);
  const found = socketless.flatMap(({ path, imports }) =>
    imports.filter(({ from }) => SOCKETS.test(from)).map(({ from }) => `${path} imports ${from}`),
  );
  t.same(found, []);
});

t.test('STYLE habit 2: policy is pure: no clock, no file, no event', async (t) => {
  const found = LIB.filter(({ path }) => floorOf(path) === 'policy').flatMap(({ path, imports }) =>
    imports
      .filter(({ from, isTypeOnly }) => isBuiltin(from) || (!isTypeOnly && /base\/clock|observe\/events/.test(from)))
      .map(({ from }) => `${path} imports ${from}`),
  );
  t.same(found, []);
});

t.test('no file imports itself by way of others', async (t) => {
  const graph = new Map(
    LIB.map((source) => [
      source.path,
      source.imports
        .filter(({ from, isTypeOnly }) => from.startsWith('.') && !isTypeOnly)
        .map(({ from }) => fileOf(source, from)),
    ]),
  );
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
    else if (!done.has(path)) for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  t.same(cycles, []);
});

/** What git keeps, as `mode object stage TAB path`; none without git or a repository. */
function keptFiles(): readonly string[] {
  return (
    spawnSync('git', ['ls-files', '-s', '-z'], { cwd: ROOT, encoding: 'utf8' }).stdout?.split('\0').filter(Boolean) ??
    []
  );
}

// Where the tests run in a clone, the one below does.
const KEPT = keptFiles();
const UNTOLD = KEPT.length === 0 && 'git or the repository is missing: nothing tells what is kept';

t.test('STYLE: what is kept is the project: no package, nothing built, no link', { skip: UNTOLD }, async (t) => {
  const strays = KEPT.filter(
    (line) => line.startsWith('120000') || /\t(?:node_modules|dist|\.tap|var)(?:\/|$)/.test(line),
  );
  t.same(strays, []);
});
