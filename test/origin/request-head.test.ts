// Goal: the head of a request to the origin is what was asked, whatever was asked before, and nothing that could be read as another. Method: pure, over written fields.
import t from 'tap';
import { MAX_CHECKED_NAMES, MAX_KNOWN_FIELD_VALUE_LENGTH } from '../../lib/base/origin-limits.js';
import { Fields } from '../../lib/http/fields.js';
import { writeRequestHead } from '../../lib/origin/request-head.js';

const write = (...raw: string[]): string | undefined =>
  writeRequestHead({ method: 'GET', target: '/a', fields: new Fields(raw) }, 'origin.example', false);

const expected = (host: string, ...lines: string[]): string =>
  `${['GET /a HTTP/1.1', `host: ${host}`, 'connection: keep-alive', ...lines].join('\r\n')}\r\n\r\n`;

t.test('RFC 9112 §3.2: Host comes first, from the request or else from the address', async (t) => {
  t.equal(write('X-A', 'b', 'HOST', 'a.example'), expected('a.example', 'X-A: b'));
  t.equal(write('Host', 'a.example'), expected('a.example'));
  t.equal(write('X-A', 'b'), expected('origin.example', 'X-A: b'));
  t.equal(write('Host', 'a.example', 'host', 'a.example'), undefined, 'twice');
});

t.test('a value is what was given, whatever that name had before', async (t) => {
  const long = 'v'.repeat(MAX_KNOWN_FIELD_VALUE_LENGTH + 1);
  for (const value of ['a', 'a', 'b', '', 'b', long, 'a', `${long}w`, '\xe9']) {
    t.equal(
      write('X-Again', value, 'x-again', value),
      expected('origin.example', `X-Again: ${value}`, `x-again: ${value}`),
    );
    t.equal(write('Host', value === '' ? 'x' : value), expected(value === '' ? 'x' : value));
  }
});

t.test('RFC 9110 §5.5, §5.6.2: what is no field is refused, also behind one that was valid', async (t) => {
  for (const value of ['a\r\nb', 'a\nb', 'a\0', '\u0100', 'a\x7f']) {
    t.ok(write('X-Next', 'a'));
    t.equal(write('X-Next', value), undefined, JSON.stringify(value));
    t.equal(write('X-Next', value), undefined, 'and again');
    t.equal(write('Host', value), undefined);
  }
  for (const name of ['', 'a b', 'a:', 'a\r\n', '\xe9']) {
    t.equal(write(name, 'a'), undefined, JSON.stringify(name));
    t.equal(write(name, 'a'), undefined, 'and again');
  }
});

t.test('RFC 9110 §7.6.1: what speaks of one connection is written anew', async (t) => {
  const own = [
    'Connection',
    'Keep-Alive',
    'Proxy-Connection',
    'Transfer-Encoding',
    'Content-Length',
    'Upgrade',
    'Expect',
  ];
  t.equal(write(...own.flatMap((name) => [name, '1'])), expected('origin.example'));
});

t.test('MAX_CHECKED_NAMES: more names than are remembered are written as well', async (t) => {
  for (let i = 0; i < 2 * MAX_CHECKED_NAMES; i++) t.ok(write(`X-${i}`, 'a')?.includes(`\r\nX-${i}: a\r\n`));
});

t.test('RFC 9111 §4.3.1: conditions stand behind what other requests say as well, and are their own', async (t) => {
  const common = new Fields(['X-A', 'b', 'Host', 'a.example']);
  const head = (...behind: string[]): string | undefined =>
    writeRequestHead({ method: 'GET', target: '/a', fields: common.followedBy(behind) }, 'origin.example', false);
  t.equal(head('If-None-Match', '"a"'), expected('a.example', 'X-A: b', 'If-None-Match: "a"'));
  t.equal(
    head('If-None-Match', '"b"', 'If-Modified-Since', 'x'),
    expected('a.example', 'X-A: b', 'If-None-Match: "b"', 'If-Modified-Since: x'),
  );
  t.equal(head(), expected('a.example', 'X-A: b'));
  t.equal(head('If-None-Match', '"a\r\nB: c"'), undefined);
  t.equal(head('a b', 'c'), undefined);
  t.equal(head('Host', 'b.example'), undefined, 'a second Host');
  t.equal(head('Connection', 'close', 'X-C', 'd'), expected('a.example', 'X-A: b', 'X-C: d'));
});
