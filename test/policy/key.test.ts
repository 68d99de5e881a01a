/** Goal: one target has one key, and two targets never share one; method: tables, fast-check for the second. */
import fc from 'fast-check';
import t from 'tap';
import { keyOfUrl, primaryKey } from '../../lib/policy/key.js';

t.test('RFC 9110 §4.2.3: scheme and host in lower case, default port gone, empty path is /', async (t) => {
  const table: readonly [scheme: string, host: string, target: string, key: string][] = [
    ['http', 'example.com', '/a?b=C', 'http://example.com/a?b=C'],
    ['HTTP', 'Example.COM', '/A', 'http://example.com/A'],
    ['http', 'example.com:80', '/', 'http://example.com/'],
    ['https', 'example.com:443', '/', 'https://example.com/'],
    ['http', 'example.com:443', '/', 'http://example.com:443/'],
    ['http', 'example.com:8080', '/', 'http://example.com:8080/'],
    ['http', 'example.com:', '/', 'http://example.com/'],
    ['http', '[::1]:80', '/', 'http://[::1]/'],
    ['http', '[::1]', '/', 'http://[::1]/'],
    ['http', 'example.com', '', 'http://example.com/'],
    ['http', 'example.com', '?q', 'http://example.com/?q'],
  ];
  for (const [scheme, host, target, key] of table) t.equal(primaryKey({ scheme, host, target }), key);
});

t.test('RFC 9111 §2: the target stays byte for byte, for an origin may tell any two apart', async (t) => {
  const pairs: readonly [string, string][] = [
    ['/a%2Fb', '/a/b'],
    ['/a%2fb', '/a%2Fb'],
    ['/%61', '/a'],
    ['/a/../b', '/b'],
    ['//a', '/a'],
    ['/a', '/a/'],
    ['/a', '/a?'],
    ['/?a=1&b=2', '/?b=2&a=1'],
  ];
  const of = (target: string) => primaryKey({ scheme: 'http', host: 'h', target });
  for (const [a, b] of pairs) t.not(of(a), of(b));
});

t.test('property: different targets or hosts have different keys', async () => {
  const target = fc.stringMatching(/^\/[\x21-\x7e]{0,20}$/);
  const host = fc.stringMatching(/^[a-z0-9.-]{1,12}(:[1-9][0-9]{3})?$/);
  fc.assert(
    fc.property(host, target, host, target, (h1, t1, h2, t2) => {
      const same = h1 === h2 && t1 === t2;
      return (
        (primaryKey({ scheme: 'http', host: h1, target: t1 }) ===
          primaryKey({ scheme: 'http', host: h2, target: t2 })) ===
        same
      );
    }),
  );
});

t.test('a URL that an operator writes has the key of the request that it makes', async (t) => {
  const table: readonly [url: string, key: string | undefined][] = [
    ['http://example.com/a?b#frag', 'http://example.com/a?b'],
    ['HTTPS://Example.com:443', 'https://example.com/'],
    ['http://example.com?q', 'http://example.com/?q'],
    ['  http://example.com/  ', 'http://example.com/'],
    ['http://example.com/\u00fc b', 'http://example.com/%C3%BC%20b'],
    ['http://example.com/%C3%BC', 'http://example.com/%C3%BC'],
    ['/a', undefined],
    ['ftp://example.com/', undefined],
    ['http://user@example.com/', undefined],
    ['http://', undefined],
    ['http:///a', undefined],
    ['http://exa mple.com/', undefined],
    ['http://example.com\\a', undefined],
    ['http://example.com/\ud800', undefined],
    ['', undefined],
  ];
  for (const [url, key] of table) t.equal(keyOfUrl(url), key, JSON.stringify(url));
});
