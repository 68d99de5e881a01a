// Goal: the option table is complete, and everything made from it agrees with it. Method: walking the table.
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { loadConfig, readConfig } from '../../lib/config/load.js';
import { markdownReference, optionRows, plainReference, sections, wrap } from '../../lib/config/reference.js';
import { editDistance, nearest } from '../../lib/config/suggest.js';

const EXAMPLE = fileURLToPath(new URL('../../../conf/patina.yaml', import.meta.url));

t.test('every option has a paragraph, and its default is a good value of it', async (t) => {
  for (const row of optionRows()) {
    t.match(row.doc, /^[A-Z`].{15,}\.$/s, `${row.path} is documented in sentences`);
    const path = row.path.replace('[]', '.0').split('.');
    if (row.default === undefined || path[0] === 'rules') continue;
    const list = /^\[(.*)\]$/.exec(row.default)?.[1];
    const plain: unknown = row.default === '{}' ? {} : row.default;
    const value: unknown = list === undefined ? plain : list.split(', ').filter((name) => name !== '');
    const written = path.reduceRight<unknown>((below, key) => ({ [key]: below }), value);
    t.same(readConfig(written), readConfig(), `${row.path}: writing the default changes nothing`);
  }
});

t.test('every section has its line', async (t) => {
  for (const { path, doc } of sections()) t.match(doc, /\S.*\.$/, path);
});

t.test('--help and the README name every option', async (t) => {
  const [help, readme] = [plainReference(), markdownReference()];
  for (const { path } of optionRows()) {
    t.ok(help.includes(`  ${path}  (`), `--help: ${path}`);
    t.ok(readme.includes(`| \`${path}\` |`), `README: ${path}`);
  }
  t.ok(Math.max(...help.split('\n').map((line) => line.length)) <= 100, 'the help fits a terminal');
});

t.test('what rules take over from defaults is explained once', async (t) => {
  const [help, readme] = [plainReference(), markdownReference()];
  t.match(readme, '| `rules[].ttl` | as `defaults.ttl` |', 'README');
  t.match(help, '  rules[].ttl  (as defaults.ttl)\n  rules[].grace', '--help');
  const { doc = '' } = optionRows().find(({ path }) => path === 'defaults.ttl') ?? {};
  t.equal(readme.split(doc.replaceAll('|', '\\|')).length, 2, 'README: one paragraph');
});

t.test('conf/patina.yaml is valid', async (t) => {
  const settings = loadConfig({ file: EXAMPLE });
  t.equal(settings.origin.url?.origin, 'http://127.0.0.1:3000');
  t.same(
    settings.rules.map(({ name }) => name),
    ['assets', 'search', 'articles', 'reports'],
  );
  t.same(settings.limits, readConfig().limits, 'the limits that it shows are the defaults');
});

t.test('a mistyped word is found by the edits that typing errors take', async (t) => {
  const distances: [string, string, number][] = [
    ['', '', 0],
    ['a', '', 1],
    ['abc', 'abc', 0],
    ['abc', 'acb', 1],
    ['abc', 'abcd', 1],
    ['abc', 'xbc', 1],
    ['listen', 'silent', 4],
  ];
  for (const [one, other, distance] of distances) t.equal(editDistance(one, other), distance, `${one} ${other}`);
  t.equal(nearest('memroy', ['memory', 'disk']), 'memory');
  t.equal(nearest('stale-if-error', ['stale_if_error']), 'stale_if_error');
  t.equal(nearest('conf', ['config', 'origin']), 'config');
  t.equal(nearest('workers', ['listen', 'rules']), undefined);
  t.equal(nearest('x'.repeat(100), ['x'.repeat(99)]), undefined, 'nobody mistypes that, and comparing it costs');
});

t.test('wrapped text has no line over its width but a longer word', async (t) => {
  t.same(wrap('aa bb cc', 5), ['aa bb', 'cc']);
  t.same(wrap('aaaaaaaa b', 5), ['aaaaaaaa', 'b']);
  t.same(wrap('', 5), []);
});
