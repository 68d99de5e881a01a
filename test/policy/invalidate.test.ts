/** Goal: an unsafe exchange invalidates what RFC 9111 §4.4 says and nothing else; method: tables of exchanges. */
import t from 'tap';
import { Fields } from '../../lib/http/fields.js';
import { invalidatedKeys, isSafe } from '../../lib/policy/invalidate.js';

const TARGET = { scheme: 'http', host: 'example.com', target: '/dir/page?q=1' };
const OWN = 'http://example.com/dir/page?q=1';

function keys(method: string, status: number, fields: Record<string, string> = {}): readonly string[] {
  return invalidatedKeys({ ...TARGET, method, status, fields: Fields.of(fields) });
}

t.test('RFC 9111 §4.4: a non-error answer to an unsafe or unknown method invalidates the target', async (t) => {
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH', 'FOO', 'get']) {
    for (const status of [200, 201, 204, 299, 301, 303, 399])
      t.same(keys(method, status), [OWN], `${method} ${status}`);
  }
});

t.test('RFC 9111 §4.4: an error answer invalidates nothing', async (t) => {
  for (const status of [100, 400, 404, 409, 500, 503]) {
    t.same(keys('POST', status, { Location: '/x' }), [], String(status));
  }
});

t.test('RFC 9110 §9.2.1: a safe method invalidates nothing', async (t) => {
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND']) {
    t.ok(isSafe(method));
    t.same(keys(method, 200, { Location: '/x' }), [], method);
  }
});

t.test('RFC 9111 §4.4: Location and Content-Location of the same origin go too, references resolved', async (t) => {
  const table: readonly [reference: string, key: string][] = [
    ['http://example.com/x', 'http://example.com/x'],
    ['HTTP://EXAMPLE.com:80/x', 'http://example.com/x'],
    ['http://example.com', 'http://example.com/'],
    ['http://example.com/a/../b', 'http://example.com/b'],
    ['//example.com/x', 'http://example.com/x'],
    ['/x?y', 'http://example.com/x?y'],
    ['/x#part', 'http://example.com/x'],
    ['x', 'http://example.com/dir/x'],
    ['./x', 'http://example.com/dir/x'],
    ['../x', 'http://example.com/x'],
    ['../../../x', 'http://example.com/x'],
    ['..', 'http://example.com/'],
    ['.', 'http://example.com/dir/'],
    ['?z', 'http://example.com/dir/page?z'],
    ['/a%2Fb', 'http://example.com/a%2Fb'],
  ];
  for (const [reference, key] of table) {
    t.same(keys('POST', 201, { Location: reference }), [OWN, key], reference);
    t.same(keys('PUT', 200, { 'Content-Location': reference }), [OWN, key], reference);
  }
  t.same(keys('POST', 201, { Location: '/x', 'Content-Location': '/y' }), [
    OWN,
    'http://example.com/x',
    'http://example.com/y',
  ]);
  t.same(keys('POST', 201, { Location: '#part' }), [OWN], 'each key once');
});

t.test('RFC 9111 §4.4: another origin is never invalidated', async (t) => {
  const table = [
    'http://other.com/x',
    'https://example.com/x',
    'http://example.com:8080/x',
    '//other.com/x',
    'http://example.com@other.com/x',
    'http://example.com.other.com/x',
    'mailto:a@example.com',
    'http:x',
  ];
  for (const reference of table) t.same(keys('POST', 201, { Location: reference }), [OWN], reference);
});
