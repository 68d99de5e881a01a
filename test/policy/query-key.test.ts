// Goal: the query goes into the key as the rule says, and never joins what it tells apart. Method: tables, and fast-check.
import fc from 'fast-check';
import t from 'tap';
import { ORIGIN_DECIDES, type Rule } from '../../lib/config/rule.js';
import { Fields } from '../../lib/http/fields.js';
import { keysAt, requestKey } from '../../lib/policy/key.js';
import { isExactQuery, targetForKey } from '../../lib/policy/query-key.js';

t.test('issue 4: query keep, sort, ignore, only, drop and exact', async (t) => {
  const table: [string, Parameters<typeof targetForKey>[1], string][] = [
    ['/a?b=2&a=1', { kind: 'keep' }, '/a?b=2&a=1'],
    ['/a?', { kind: 'keep' }, '/a?'],
    ['/a?b=2&a=1&b=1', { kind: 'sort' }, '/a?a=1&b=2&b=1'],
    ['/a?', { kind: 'sort' }, '/a'],
    ['/a?&&b', { kind: 'sort' }, '/a?b'],
    ['/a?b=2', { kind: 'ignore' }, '/a'],
    ['/a?p=2&utm_x=1&q=3', { kind: 'only', names: ['q', 'p'] }, '/a?p=2&q=3'],
    ['/a?%70=2&x=1', { kind: 'only', names: ['p'] }, '/a?%70=2'],
    ['/a?utm_x=1&q=3&fbclid=9&utm=1', { kind: 'drop', names: ['utm_*', 'fbclid'] }, '/a?q=3&utm=1'],
    // One name, written in two ways: the order of its values may mean something.
    ['/a?a=1&%61=2', { kind: 'sort' }, '/a?a=1&%61=2'],
    ['/a?%61=2&a=1', { kind: 'sort' }, '/a?%61=2&a=1'],
    // Some origins begin a new parameter at `;`: what looks like the value of one may be another.
    ['/a?q=1&utm_x=1;q=2', { kind: 'drop', names: ['utm_*'] }, '/a?q=1&utm_x=1;q=2'],
    ['/a?q=1&x=1;q=2', { kind: 'only', names: ['q'] }, '/a?q=1&x=1;q=2'],
    ['/a?z=1&b=1', { kind: 'exact', names: ['b', 'z'] }, '/a?b=1&z=1'],
  ];
  for (const [target, setting, key] of table) t.equal(targetForKey(target, setting), key, `${target} ${setting.kind}`);
  t.ok(isExactQuery('/a', []));
  t.notOk(isExactQuery('/a?x', []));
  t.ok(isExactQuery('/a?x=1&y=2', ['y', 'x']));
  t.notOk(isExactQuery('/a?x=1&y=2&z', ['y', 'x']));
});

t.test(
  'property: sorting makes one key of all orders of different names, and tells values of one name apart',
  async () => {
    const pair = fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('1', '2'));
    fc.assert(
      fc.property(fc.uniqueArray(pair, { selector: ([name]) => name, maxLength: 4 }), fc.nat(), (pairs, seed) => {
        const shuffled = [...pairs].sort(
          (x, y) => ((x[0].charCodeAt(0) * 7 + seed) % 5) - ((y[0].charCodeAt(0) * 7 + seed) % 5),
        );
        const of = (list: typeof pairs) =>
          targetForKey(`/?${list.map(([n, v]) => `${n}=${v}`).join('&')}`, { kind: 'sort' });
        return of(pairs) === of(shuffled);
      }),
    );
  },
);

function keyOf(fields: Readonly<Record<string, string>>, rule: Partial<Rule>): string {
  const request = { scheme: 'http', host: 'a.test:80', target: '/x?b&a', fields: Fields.of(fields) };
  return requestKey(request, { ...ORIGIN_DECIDES, ...rule });
}

t.test('issue 4: host and scheme can be left out, headers and cookies put in', async (t) => {
  const key = { host: true, scheme: true, headers: [] as string[], cookies: [] as string[] };
  t.equal(keyOf({}, {}), 'http://a.test/x?b&a');
  t.equal(keyOf({}, { key: { ...key, host: false } }), 'http://*/x?b&a');
  t.equal(keyOf({}, { key: { ...key, scheme: false } }), '*://a.test/x?b&a');
  t.equal(keyOf({}, { query: { kind: 'sort' }, key: { ...key, headers: ['x-a'] } }), 'http://a.test/x?a&b x-a=-');
  t.equal(keyOf({ 'X-A': 'v' }, { key: { ...key, headers: ['x-a'] } }), 'http://a.test/x?b&a x-a="v"');
  t.equal(keyOf({ Cookie: 'q=1; s=2' }, { key: { ...key, cookies: ['s'] } }), 'http://a.test/x?b&a cookie:s="2"');
});

t.test('promise 1: a cookie that may be read in two ways has a key of its own', async (t) => {
  const rule = { key: { host: true, scheme: true, headers: [], cookies: ['s'] } };
  const plain = keyOf({ Cookie: 's=1' }, rule);
  t.equal(keyOf({ Cookie: 'q=2; s=1' }, rule), plain);
  // RFC 6265 §5.4 has no order of cookies of one name: an origin takes the first or the last.
  t.not(keyOf({ Cookie: 's=1; s=2' }, rule), plain);
  t.not(keyOf({ Cookie: 's=1; s=2' }, rule), keyOf({ Cookie: 's=2; s=1' }, rule));
  // A comma belongs to a value for most origins, and ends a line for those that join lines by one.
  t.not(keyOf({ Cookie: 'q=2,s=1' }, rule), plain);
  t.not(keyOf({ Cookie: 'q=2,s=1' }, rule), keyOf({}, rule));
  t.not(keyOf({ Cookie: 'q=2,s=1; s=2' }, rule), plain);
  t.not(keyOf({ Cookie: 's=1,q=2' }, rule), plain);
});

t.test('promise 1: no two requests that differ in what is keyed have one key', async () => {
  const value = fc.option(
    fc.string({ minLength: 1, maxLength: 6, unit: fc.constantFrom('a', '"', ' ', '=', 'x', '-', '\\') }),
    {
      nil: undefined,
    },
  );
  const headers = fc.record({ 'x-a': value, 'x-b': value, 'x-forwarded-host': value, 'x-forwarded-proto': value });
  const rule = { key: { host: true, scheme: true, headers: ['x-a', 'x-b'], cookies: [] } };
  const fieldsOf = (one: Readonly<Record<string, string | undefined>>): Record<string, string> =>
    Object.fromEntries(Object.entries(one).filter((entry): entry is [string, string] => entry[1] !== undefined));
  const told = (one: Readonly<Record<string, string | undefined>>): string =>
    JSON.stringify(Object.entries(one).map(([name, text]) => (name.startsWith('x-f') ? text : text?.trim())));
  fc.assert(
    fc.property(headers, headers, (one, other) => {
      return (keyOf(fieldsOf(one), rule) === keyOf(fieldsOf(other), rule)) === (told(one) === told(other));
    }),
    { numRuns: 2000 },
  );
});

t.test('a purge of a URL finds the keys of every rule', async (t) => {
  const key = { host: true, scheme: true, headers: [], cookies: [] };
  const keyings = [
    { query: { kind: 'keep' }, key },
    { query: { kind: 'ignore' }, key: { ...key, host: false } },
    { query: { kind: 'sort' }, key: { ...key, scheme: false } },
  ] as const;
  t.same([...keysAt('http://a.test/x?b&a', keyings)], ['http://a.test/x?b&a', 'http://*/x', '*://a.test/x?a&b']);
});
