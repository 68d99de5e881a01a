// Goal: the JSON Schema takes what the option table takes, as far as an editor has to know. Method: ajv over the example and over typical mistakes.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import t from 'tap';
import { parse } from 'yaml';
import { jsonSchema } from '../../lib/config/json-schema.js';
import { readConfig } from '../../lib/config/load.js';

const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(jsonSchema());
const EXAMPLE = fileURLToPath(new URL('../../../conf/patina.yaml', import.meta.url));

t.test('conf/patina.yaml is valid by the schema that its first line names', async (t) => {
  const text = readFileSync(EXAMPLE, 'utf8');
  t.match(text, /^# yaml-language-server: \$schema=\.\/patina\.schema\.json\n/);
  t.ok(validate(parse(text)), JSON.stringify(validate.errors));
});

t.test('what the option table takes, the schema takes', async (t) => {
  const good = [
    {},
    { origin: 'http://127.0.0.1:3000', admin: 'off', rules: null },
    { listen: 8080, admin: { listen: '[::1]:81' }, cache: { memory: '1GB' } },
    { defaults: { ttl: { default: '1s', max: '1h' }, grace: 0, stale_despite: 'no-cache' } },
    {
      rules: [{ name: 'a', match: { path: '/a/**', header: { 'X-A': true } }, rules: [{ name: 'b', ttl: 'origin' }] }],
    },
  ];
  for (const conf of good) {
    t.doesNotThrow(() => readConfig(conf), JSON.stringify(conf));
    t.ok(validate(conf), JSON.stringify([conf, validate.errors]));
  }
});

t.test('what is mistyped is refused by both', async (t) => {
  const bad = [
    { lisen: 8080 },
    { defaults: { ttl: '10 parsecs' } },
    { defaults: { ttl: { maximum: '1s' } } },
    { defaults: { set_cookie: 'maybe' } },
    { cache: { memory: '12 apples' } },
    { rules: [{ name: 'a', match: { pth: '/a' } }] },
    { rules: [{ name: 'a', rules: [{ name: 'b', tll: '1s' }] }] },
    { limits: { connections: 'many' } },
    { rules: {} },
  ];
  for (const conf of bad) {
    t.throws(() => readConfig(conf), JSON.stringify(conf));
    t.notOk(validate(conf), JSON.stringify(conf));
  }
});
