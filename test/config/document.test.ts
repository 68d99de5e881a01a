// Goal: the value of a flag is what YAML reads, whether the parser is asked or not. Method: fast-check makes values, and the two are compared.
import fc from 'fast-check';
import t from 'tap';
import { parse } from 'yaml';
import { parseYamlValue } from '../../lib/config/document.js';

const piece = fc.constantFrom(
  ...['64', '0', '1', 'MB', 'ms', 's', 'x', 'e', 'o', 'inf', 'nan', 'true', 'Null', 'FALSE', 'yes', 'off', 'y', '~'],
  ...[
    '/',
    '.',
    '-',
    '_',
    ':',
    ' ',
    '#',
    'var/patina',
    'memory',
    '+',
    '\n',
    '[',
    '{',
    '"',
    "'",
    '&',
    '*',
    '!',
    '%',
    '@',
  ],
);

t.test('the value of a flag is read as YAML reads it', (t) => {
  const read = (source: string): unknown => {
    try {
      return { value: parse(source, { prettyErrors: false, logLevel: 'error', maxAliasCount: 0 }) };
    } catch {
      return 'a problem';
    }
  };
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 4 }), (pieces) => {
      const source = pieces.join('');
      const mine = parseYamlValue(source);
      t.same('problem' in mine ? 'a problem' : mine, read(source), JSON.stringify(source));
    }),
    { numRuns: 3000 },
  );
  t.end();
});
