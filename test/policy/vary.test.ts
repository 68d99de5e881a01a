/** Goal: a response is selected by exactly the requests that RFC 9111 §4.1 says; method: tables of two requests. */
import fc from 'fast-check';
import t from 'tap';
import { MAX_NORMAL_FORMS, MAX_VARY_NAMES } from '../../lib/base/limits.js';
import { formatHttpDate } from '../../lib/http/dates.js';
import { Fields } from '../../lib/http/fields.js';
import {
  chooseVariant,
  isSelectedBy,
  SELECTS_ALL,
  SELECTS_NONE,
  sameNames,
  selectionOf,
  varyNames,
} from '../../lib/policy/vary.js';
import { type FieldRecord, NOW, storedResponse } from './stored.kit.js';

t.test('RFC 9110 §12.5.5: Vary nominates names in lower case, each once, from all its lines', async (t) => {
  const table: readonly [vary: readonly string[], names: readonly string[] | '*'][] = [
    [[], []],
    [[''], []],
    [['Foo'], ['foo']],
    [
      ['Foo, Bar', 'baz,foo'],
      ['bar', 'baz', 'foo'],
    ],
    [[' , Foo ,,'], ['foo']],
    [['*'], '*'],
    [['*, *'], '*'],
    [['*', '*'], '*'],
    [[', *'], '*'],
    [['', '*'], '*'],
    [['*, Foo'], '*'],
    [['Foo, *'], '*'],
  ];
  for (const [vary, names] of table) t.same(varyNames(Fields.of({ Vary: vary })), names, JSON.stringify(vary));
});

t.test('a Vary beyond understanding counts as *: what it wanted apart is not mixed up', async (t) => {
  const many = Array.from({ length: MAX_VARY_NAMES + 1 }, (_, i) => `f${i}`);
  for (const vary of ['Accept Encoding', 'Foo; Bar', '"Foo, Bar"', many.join()]) {
    t.equal(varyNames(Fields.of({ Vary: vary })), '*', vary.slice(0, 40));
  }
  t.equal(varyNames(Fields.of({ Vary: many.slice(1).join() })).length, MAX_VARY_NAMES);
});

function select(name: string, stored: FieldRecord, presented: FieldRecord): boolean {
  return isSelectedBy(selectionOf([name], Fields.of(stored)), Fields.of(presented));
}

t.test('RFC 9111 §4.1: nominated fields match by value, presence included', async (t) => {
  const table: readonly [stored: FieldRecord, presented: FieldRecord, matches: boolean][] = [
    [{ Foo: '1' }, { Foo: '1' }, true],
    [{ Foo: '1' }, { Foo: '2' }, false],
    [{ Foo: '1' }, {}, false],
    [{}, { Foo: '1' }, false],
    [{}, {}, true],
    [{}, { Foo: '' }, false],
    [{ Foo: '1', Other: '2' }, { Foo: '1', Other: '3' }, true],
    [{ Foo: 'a' }, { Foo: 'A' }, false],
    [{ Foo: '1, 2' }, { Foo: ['1', '2'] }, true],
    [{ Foo: '1,2' }, { Foo: ' 1, 2 ' }, true],
    [{ Foo: '1, 2' }, { Foo: '2, 1' }, false],
    [{ Foo: '"a, b"' }, { Foo: '"a,b"' }, false],
    [{ Foo: '"a\\", b"' }, { Foo: '"a\\",b"' }, false],
    [{ Foo: '1,,2' }, { Foo: '1,2' }, false],
    [{ foo: '1' }, { FOO: '1' }, true],
  ];
  for (const [stored, presented, matches] of table) {
    t.equal(select('foo', stored, presented), matches, `${JSON.stringify(stored)} ${JSON.stringify(presented)}`);
  }
});

t.test('RFC 9111 §4.1: of fields that are no lists only the ends are trimmed', async (t) => {
  t.notOk(select('cookie', { Cookie: 'a=1, 2' }, { Cookie: 'a=1,2' }));
  t.notOk(select('user-agent', { 'User-Agent': 'x (a, b)' }, { 'User-Agent': 'x (a,b)' }));
  t.ok(select('cookie', { Cookie: 'a=1' }, { Cookie: 'a=1' }));
});

t.test(
  'RFC 9111 §4.1, RFC 9110 §12.5.4: ranked lists match whatever their order, case, space and weights are written like',
  async (t) => {
    const table: readonly [name: string, a: string, b: string, matches: boolean][] = [
      ['accept-language', 'en, de', 'de, en', true],
      ['accept-language', 'en, de', 'eN, De', true],
      ['accept-language', 'en, de', ' en ,   de', true],
      ['accept-language', 'en;q=0.5', 'en; q=0.500', true],
      ['accept-language', 'en', 'en;q=1.0', true],
      ['accept-language', 'en', 'en;q=0.9', false],
      ['accept-language', 'en, de;q=0.5', 'de, en;q=0.5', false],
      ['accept-language', 'en', 'en, de', false],
      ['accept-language', 'en;q=2', 'en', false],
      ['accept-encoding', 'gzip, br', 'BR,gzip', true],
      ['accept-encoding', 'gzip', 'gzip;q=0', false],
      ['accept-encoding', 'gzip', 'br', false],
      ['accept', 'Text/HTML, */*;q=0.1', '*/*;q=0.1,text/html', true],
      ['accept', 'a/b;v=X', 'a/b;v=x', false],
      ['accept', 'a/b;q=0.5;q=1', 'a/b;q=0.5', false],
      ['accept', 'a/b;q=1;q=0.5', 'a/b;q=0.5', false],
      ['accept', 'a/b;Q=0.5;v=1;q=1', 'a/b;q=0.5;v=1', false],
      ['accept', 'a/b;q=0.5;q=1', 'c/d', false],
      ['accept-language', 'en;q=0.5;q=1', 'en;q=0.5', false],
      ['accept', 'a/b;v="1 ;2"', 'a/b;v="1;2"', false],
    ];
    for (const [name, a, b, matches] of table)
      t.equal(select(name, { [name]: a }, { [name]: b }), matches, `${a} | ${b}`);
  },
);

t.test('remembered normal forms stay bounded, and forgetting changes no verdict', async (t) => {
  const selection = selectionOf(['accept-encoding'], Fields.of({ 'Accept-Encoding': 'gzip, br' }));
  for (let i = 0; i < MAX_NORMAL_FORMS + 10; i++)
    selectionOf(['accept-encoding'], Fields.of({ 'Accept-Encoding': `x${i}` }));
  t.ok(isSelectedBy(selection, Fields.of({ 'Accept-Encoding': 'br,gzip' })));
});

t.test('RFC 9111 §4.1: Vary * is selected by no request, no Vary by every one', async (t) => {
  t.notOk(isSelectedBy(SELECTS_NONE, Fields.of({ '*': '1' })));
  t.notOk(isSelectedBy(SELECTS_NONE, Fields.empty));
  t.equal(selectionOf('*', Fields.empty), SELECTS_NONE);
  t.ok(isSelectedBy(SELECTS_ALL, Fields.of({ Foo: '1' })));
  t.equal(selectionOf([], Fields.of({ Foo: '1' })), SELECTS_ALL);
});

t.test('scar 24: values are compared in full: no client can make two of them collide', async () => {
  const value = fc.stringMatching(/^[\x21\x23-\x2b\x2d-\x7e]{1,30}$/);
  fc.assert(fc.property(value, value, (a, b) => select('foo', { Foo: a }, { Foo: b }) === (a === b)));
});

t.test('two responses nominate the same fields whatever order they name them in', async (t) => {
  const of = (vary: string) => varyNames(Fields.of({ Vary: vary }));
  t.ok(sameNames(of('a, B'), of('b,A')));
  t.ok(sameNames(of('*'), of('a, *')));
  t.notOk(sameNames(of('a'), of('a, b')));
  t.notOk(sameNames(of('a'), of('b')));
  t.notOk(sameNames(of('*'), of('')));
  t.notOk(sameNames(of('*'), of('a')));
  t.notOk(sameNames(of('a'), of('*')));
});

function variant(presented: FieldRecord, vary: string, fields: FieldRecord = {}, dateOffsetMs = 0) {
  const all = { Vary: vary, Date: formatHttpDate(NOW + dateOffsetMs), ...fields };
  return storedResponse({ fields: all, selection: selectionOf(varyNames(Fields.of(all)), Fields.of(presented)) });
}

t.test('RFC 9111 §4: of several selected responses the most recent by Date is chosen', async (t) => {
  const older = variant({ Foo: '1' }, 'Foo', {}, -5000);
  const newer = variant({ Foo: '1', Bar: 'x' }, 'Foo, Bar', {}, -1000);
  const request = Fields.of({ Foo: '1', Bar: 'x' });
  t.equal(chooseVariant([older, newer], request), newer);
  t.equal(chooseVariant([newer, older], request), newer);
  t.equal(chooseVariant([newer, older], Fields.of({ Foo: '1' })), older);
  t.equal(chooseVariant([newer, older], Fields.of({ Foo: '2' })), undefined);
  t.equal(chooseVariant([], request), undefined);
});

t.test('RFC 9111 §4.1: what was varied is chosen before a later one whose origin left Vary off', async (t) => {
  const varied = variant({ Foo: '1' }, 'Foo', {}, -5000);
  const bare = variant({}, '', {}, -1000);
  for (const all of [
    [varied, bare],
    [bare, varied],
  ]) {
    t.equal(chooseVariant(all, Fields.of({ Foo: '1' })), varied);
    t.equal(chooseVariant(all, Fields.of({ Foo: '2' })), bare);
  }
});

t.test('RFC 9111 §4: at the same Date, and without one, the store is asked: newest first', async (t) => {
  const a = variant({ Foo: '1' }, 'Foo');
  const b = variant({ Foo: '1' }, 'Foo, Bar');
  t.equal(chooseVariant([a, b], Fields.of({ Foo: '1' })), a);
  t.equal(chooseVariant([b, a], Fields.of({ Foo: '1' })), b);
  const undated = storedResponse({ fields: { Vary: 'Foo' }, selection: a.selection, receivedWall: NOW + 9000 });
  t.equal(chooseVariant([a, undated], Fields.of({ Foo: '1' })), undated);
});

t.test('RFC 9111 §4.1: a response with Vary is chosen before a newer one that leaves it off', async (t) => {
  const plain = storedResponse({ fields: { Date: formatHttpDate(NOW) } });
  const varied = variant({ Foo: '1' }, 'Foo', {}, -60_000);
  t.equal(chooseVariant([plain, varied], Fields.of({ Foo: '1' })), varied);
  t.equal(chooseVariant([plain, varied], Fields.of({ Foo: '2' })), plain);
});

t.test('RFC 9110 §12.5.4: the language that a request ranks above all others selects the response in it', async (t) => {
  const german = variant({ 'Accept-Language': 'en, de' }, 'Accept-Language', { 'Content-Language': 'De' });
  const table: readonly [acceptLanguage: string | undefined, chosen: boolean][] = [
    ['fr;q=0.5, de;q=1.0', true],
    ['de', true],
    ['de, en;q=0.9, *;q=0.1', true],
    ['de, en', true],
    ['de, fr', false],
    ['fr, de;q=0.9', false],
    ['de-AT', false],
    ['*', false],
    ['de;q=0', false],
    ['', false],
    [undefined, false],
  ];
  for (const [value, chosen] of table) {
    const request = Fields.of(value === undefined ? {} : { 'Accept-Language': value });
    t.equal(chooseVariant([german], request), chosen ? german : undefined, String(value));
  }
});

t.test(
  'a response in several languages, or one that differs in another nominated field, is not selected by language',
  async (t) => {
    const both = variant({ 'Accept-Language': 'en' }, 'Accept-Language', { 'Content-Language': 'de, en' });
    const other = variant({ 'Accept-Language': 'en', Foo: '1' }, 'Accept-Language, Foo', { 'Content-Language': 'de' });
    const request = Fields.of({ 'Accept-Language': 'de', Foo: '2' });
    t.equal(chooseVariant([both, other], request), undefined);
    t.equal(chooseVariant([both, other], Fields.of({ 'Accept-Language': 'de', Foo: '1' })), other);
  },
);
