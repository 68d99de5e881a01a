/** Goal: lists and quoted strings are taken apart as RFC 9110 §5.6 says; method: tables, and fast-check for round trips. */
import fc from 'fast-check';
import t from 'tap';
import { isToken, quote, splitList, trimOws, unquote } from '../../lib/http/tokens.js';

t.test(
  'RFC 9110 §5.6.1: a list is split at its commas, white space around elements and empty elements are dropped',
  async (t) => {
    const table: readonly [value: string, elements: readonly string[]][] = [
      ['', []],
      [' \t ', []],
      [',', []],
      [' , ,, ', []],
      ['a', ['a']],
      ['a,b', ['a', 'b']],
      [' a\t,\t b ', ['a', 'b']],
      [',a,,b,', ['a', 'b']],
      ['a b, c', ['a b', 'c']],
      ['a=1, b = 2', ['a=1', 'b = 2']],
    ];
    for (const [value, elements] of table) t.same(splitList(value), elements, JSON.stringify(value));
  },
);

t.test('RFC 9110 §5.6.4: a comma inside a quoted string separates nothing', async (t) => {
  const table: readonly [value: string, elements: readonly string[]][] = [
    ['"a,b", c', ['"a,b"', 'c']],
    ['x="a,b",y', ['x="a,b"', 'y']],
    ['x="a\\",b",y', ['x="a\\",b"', 'y']],
    ['x="a\\\\",y', ['x="a\\\\"', 'y']],
    ['"",x', ['""', 'x']],
    ['a, "never, ends', ['a', '"never, ends']],
    ['a, "ends in \\', ['a', '"ends in \\']],
  ];
  for (const [value, elements] of table) t.same(splitList(value), elements, value);
});

t.test('RFC 9110 §5.6.3: white space that is trimmed is space and tab, and nothing else', async (t) => {
  t.equal(trimOws(' \ta\u00a0 '), 'a\u00a0');
  t.equal(trimOws('a b'), 'a b');
  t.equal(trimOws(''), '');
});

t.test(
  'RFC 9110 §5.6.2: a token has no white space, no separator, no control character and is not empty',
  async (t) => {
    for (const yes of ['a', 'max-age', "!#$%&'*+-.^_`|~09AZaz"]) t.ok(isToken(yes), yes);
    for (const no of ['', ' ', 'a b', 'a,b', 'a=b', '"a"', 'a;', '(a)', 'a/b', 'a:b', 'a\u0000', 'ä', 'a\n'])
      t.notOk(isToken(no), JSON.stringify(no));
  },
);

t.test('RFC 9110 §5.6.4: unquote resolves escapes and refuses what is not one quoted string', async (t) => {
  const table: readonly [text: string, meaning: string | undefined][] = [
    ['""', ''],
    ['"a"', 'a'],
    ['"a b,c"', 'a b,c'],
    ['"a\\"b"', 'a"b'],
    ['"\\\\"', '\\'],
    ['"\\a"', 'a'],
    ['a', undefined],
    ['', undefined],
    ['"', undefined],
    ['"a', undefined],
    ['a"', undefined],
    ['"\\"', undefined],
    ['"a"b"', undefined],
    ['"a" "b"', undefined],
    [' "a"', undefined],
  ];
  for (const [text, meaning] of table) t.equal(unquote(text), meaning, text);
});

t.test(
  'RFC 9110 §5.6.4: quote and unquote are each the reverse of the other, and a quoted element survives a list',
  async () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), (texts) => {
        const elements = splitList(texts.map(quote).join(' , '));
        return elements.length === texts.length && elements.every((element, i) => unquote(element) === texts[i]);
      }),
    );
  },
);

t.test('RFC 9110 §5.6.1: splitting never throws and gives trimmed elements that are not empty', async () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('"', '\\', ',', ' ', '\t', 'a', '=') }), (value) =>
      splitList(value).every((element) => element !== '' && element === trimOws(element)),
    ),
  );
});
