// Goal: what is generated is current. Method: making it anew and comparing.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { jsonSchemaText } from '../../lib/config/json-schema.js';
import { generatedParts, README, SCHEMA, withParts } from '../docs.js';
import { ROOT } from './sources.js';

const TEXT = readFileSync(README, 'utf8');

t.test('STYLE habit 5: the generated parts of the README are current (npm run docs renews them)', async (t) => {
  for (const [marker, part] of await generatedParts()) {
    const single = new Map([[marker, part]]);
    t.ok(withParts(TEXT, single) === TEXT, marker);
  }
});

t.test('issue 4: the JSON Schema in conf/ is current (npm run docs renews it)', async (t) => {
  t.ok(readFileSync(SCHEMA, 'utf8') === jsonSchemaText());
});

t.test('a README without a pair of markers is refused', async (t) => {
  t.throws(() => withParts('<!-- a -->', new Map([['a', 'x']])), { message: /<!-- \/a -->/ });
});

t.test('links of the README lead to files that are there', async (t) => {
  for (const [, target = ''] of TEXT.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
    t.ok(existsSync(join(ROOT, target)), target);
  }
});

function scriptsOfPackage(): Readonly<Record<string, string>> {
  return (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> }).scripts;
}

t.test('npm start says at once what takes so long, and not on the output where the addresses come', async (t) => {
  const [first = '', ...others] = scriptsOfPackage()['start']?.split(' && ') ?? [];
  const { stdout, stderr } = spawnSync(first, { shell: true, encoding: 'utf8' });
  t.match(stderr, /^building Patina: .*\n$/);
  t.equal(stdout, '');
  t.match(others, [/build/, /main\.js$/]);
});

t.test('every command that the README names is a script of package.json', async (t) => {
  const scripts = scriptsOfPackage();
  for (const [, name = ''] of TEXT.matchAll(/npm run ([a-z:]+)/g)) t.ok(name in scripts, name);
});
