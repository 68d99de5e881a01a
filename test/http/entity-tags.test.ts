/** Goal: entity-tags stay byte for byte and compare as RFC 9110 §8.8.3 says; method: tables, and fast-check for lists. */
import fc from 'fast-check';
import t from 'tap';
import { entityTagOf, isStrong, parseEntityTags, strongMatch, weakMatch } from '../../lib/http/entity-tags.js';

t.test('RFC 9110 §13.1.2: a list of entity-tags is taken apart without changing a byte', async (t) => {
  const table: readonly [value: string, tags: readonly string[] | '*'][] = [
    ['"a"', ['"a"']],
    ['"a", "b","c"', ['"a"', '"b"', '"c"']],
    ['W/"a", "b"', ['W/"a"', '"b"']],
    ['*', '*'],
    [' * ', '*'],
    ['"a,b", "c"', ['"a,b"', '"c"']],
    ['""', ['""']],
    [',, "a" ,,', ['"a"']],
    ['', []],
    ['"\xfc"', ['"\xfc"']],
  ];
  for (const [value, tags] of table) t.same(parseEntityTags(value), tags, JSON.stringify(value));
});

t.test('RFC 9110 §8.8.3: a backslash in an entity-tag escapes nothing', async (t) => {
  t.same(parseEntityTags('"a\\", "b"'), ['"a\\"', '"b"']);
});

t.test('a member that is no entity-tag is kept as it is, and spoils no other one', async (t) => {
  const table: readonly [value: string, tags: readonly string[]][] = [
    ['abc', ['abc']],
    ['abc, "d"', ['abc', '"d"']],
    ['w/"a", "b"', ['w/"a"', '"b"']],
    ['"a"x, "b"', ['"a"x', '"b"']],
    ['"b", "open', ['"b"', '"open']],
    ['*, "a"', ['*', '"a"']],
  ];
  for (const [value, tags] of table) t.same(parseEntityTags(value), tags, JSON.stringify(value));
});

t.test('RFC 9110 §8.8.3.2: the comparison table', async (t) => {
  const table: readonly [a: string, b: string, strong: boolean, weak: boolean][] = [
    ['W/"1"', 'W/"1"', false, true],
    ['W/"1"', 'W/"2"', false, false],
    ['W/"1"', '"1"', false, true],
    ['"1"', '"1"', true, true],
    ['"a"', '"A"', false, false],
    ['abc', 'abc', false, true],
    ['abc', '"abc"', false, false],
    ['w/"1"', '"1"', false, false],
    ['w/"1"', 'w/"1"', false, true],
    ['W/1', '1', false, false],
  ];
  for (const [a, b, strong, weak] of table) {
    t.equal(strongMatch(a, b), strong, `${a} ${b} strong`);
    t.equal(weakMatch(a, b), weak, `${a} ${b} weak`);
    t.equal(weakMatch(b, a), weak, `${b} ${a} weak`);
  }
});

t.test('RFC 9110 §8.8.1: only a well-formed tag without W/ is strong', async (t) => {
  t.same(['"a"', '""', 'W/"a"', 'w/"a"', 'a', '"a', '"a"b"'].map(isStrong), [
    true,
    true,
    false,
    false,
    false,
    false,
    false,
  ]);
});

t.test('an empty ETag is none', async (t) => {
  t.same([entityTagOf(undefined), entityTagOf(' '), entityTagOf(' "a" ')], [undefined, undefined, '"a"']);
});

t.test('property: what is joined to a list is taken apart into the same tags', async () => {
  const tag = fc
    .tuple(fc.boolean(), fc.stringMatching(/^[\x21\x23-\x7e]{0,12}$/))
    .map(([weak, opaque]) => `${weak ? 'W/' : ''}"${opaque}"`);
  fc.assert(
    fc.property(fc.array(tag), fc.constantFrom(',', ', ', ' ,\t'), (tags, separator) => {
      t.same(parseEntityTags(tags.join(separator)), tags);
    }),
  );
});
