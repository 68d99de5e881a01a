/** Goal: a 304 replaces what it carries and nothing that describes the body (RFC 9111 §3.2, §4.3.4); method: tables. */
import fc from 'fast-check';
import t from 'tap';
import { Fields } from '../../lib/http/fields.js';
import { mergeFields } from '../../lib/policy/merge.js';
import type { FieldRecord } from './stored.kit.js';

function merged(stored: FieldRecord, update: FieldRecord, except?: readonly string[]): readonly string[] {
  return mergeFields(Fields.of(stored), Fields.of(update), except).raw;
}

t.test('scars 16 and 27: RFC 9111 §3.2: every field that a 304 carries replaces the stored one', async (t) => {
  const names = [
    'Test-Header',
    'Content-Foo',
    'X-Content-Foo',
    'Cache-Control',
    'CDN-Cache-Control',
    'Content-Location',
    'Content-Type',
    'Content-Language',
    'Content-Security-Policy',
    'Clear-Site-Data',
    'ETag',
    'Expires',
    'Date',
    'Last-Modified',
    'Link',
    'Set-Cookie',
    'X-Frame-Options',
    'Vary',
    'Via',
    'Warning',
    'Repr-Digest',
    'Surrogate-Control',
  ];
  for (const name of names) {
    t.same(merged({ A: '1', [name]: 'old', B: '2' }, { [name]: 'new' }), ['A', '1', name, 'new', 'B', '2'], name);
    t.same(merged({ A: '1' }, { [name]: 'new' }), ['A', '1', name, 'new'], `${name} that was not stored`);
  }
});

t.test('scar 21: RFC 9111 §3.2: what describes the body, or belongs to the connection, is never taken', async (t) => {
  const names = [
    'Content-Length',
    'Content-Encoding',
    'Content-Range',
    'Content-MD5',
    'Content-Digest',
    'Age',
    'Connection',
    'Keep-Alive',
    'Proxy-Authenticate',
    'Proxy-Authentication-Info',
    'Proxy-Authorization',
    'Proxy-Connection',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
  ];
  for (const name of names) {
    t.same(merged({ [name]: 'old' }, { [name]: 'new', X: '1' }), [name, 'old', 'X', '1'], name);
    t.same(merged({ A: '1' }, { [name.toLowerCase()]: '0' }), ['A', '1'], `${name} that was not stored`);
  }
});

t.test('RFC 9111 §3.1: a field that Connection lists in the 304 is not taken', async (t) => {
  t.same(merged({ a: '0' }, { Connection: 'close, A, b', a: '1', b: '2', c: '3' }), ['a', '0', 'c', '3']);
  t.same(merged({ 'Cache-Control': 'no-store' }, { Connection: 'cache-control', 'Cache-Control': 'max-age=1' }), [
    'Cache-Control',
    'max-age=1',
  ]);
});

t.test('scar 22: duplicates keep their order, and a field beside them is not lost', async (t) => {
  t.same(
    merged(
      { 'Content-Type': 'text/html', Link: ['<a>', '<b>', '<c>'], 'X-End': '1' },
      { Link: ['<x>', '<y>'], 'Cache-Control': ['max-age=1', 'public'] },
    ),
    [
      'Content-Type',
      'text/html',
      'Link',
      '<x>',
      'Link',
      '<y>',
      'X-End',
      '1',
      'Cache-Control',
      'max-age=1',
      'Cache-Control',
      'public',
    ],
  );
  const scattered = new Fields(['A', '1', 'B', '1', 'a', '2', 'C', '1', 'A', '3']);
  t.same(
    mergeFields(scattered, Fields.of({ a: '9' })).raw,
    ['a', '9', 'B', '1', 'C', '1'],
    'all stored lines go, in any case',
  );
});

t.test('design 2: what the 304 does not carry stays, and an empty one changes nothing', async (t) => {
  const stored = Fields.of({ A: '1', ETag: '"a"' });
  t.equal(mergeFields(stored, Fields.empty), stored);
  t.equal(mergeFields(stored, Fields.of({ 'Content-Length': '0', Connection: 'close' })), stored);
});

t.test('RFC 9111 §4.3.4: a 304 that says what is stored already leaves the stored fields the very same', async (t) => {
  const stored = Fields.of({ Date: 'now', ETag: '"a"', 'Cache-Control': 'max-age=1', Link: ['<a>', '<b>'] });
  t.equal(mergeFields(stored, Fields.of({ 'Cache-Control': 'max-age=1', Date: 'now', ETag: '"a"' })), stored);
  const before = [...stored.raw];
  const later = mergeFields(stored, Fields.of({ date: 'later', ETag: '"a"' }));
  t.same(later.raw, ['date', 'later', ...before.slice(2)], 'with the name as it came last');
  t.same(stored.raw, before, 'what is stored is not changed in place');
  t.same(mergeFields(stored, Fields.of({ Date: 'later', Link: '<c>' })).raw, [
    ...['Date', 'later', 'ETag', '"a"', 'Cache-Control', 'max-age=1', 'Link', '<c>'],
  ]);
});

t.test('fields that the caller keeps out are not taken', async (t) => {
  t.same(merged({ A: '1' }, { 'Set-Cookie': 's=1', B: '2' }, ['set-cookie']), ['A', '1', 'B', '2']);
});

t.test('RFC 9111 §4.3.4: a weak stored tag is not made strong by a 304, every other tag is replaced', async (t) => {
  const table: readonly [own: string, update: string, result: string][] = [
    ['W/"a"', '"a"', 'W/"a"'],
    ['"a"', 'W/"a"', 'W/"a"'],
    ['"a"', '"b"', '"b"'],
    ['W/"a"', '"b"', '"b"'],
    ['W/"a"', 'W/"b"', 'W/"b"'],
  ];
  for (const [own, update, result] of table) t.same(merged({ ETag: own }, { ETag: update }), ['ETag', result]);
  // So it is where lines come and go as well.
  const lines = ['A', '2', 'A', '3'];
  const several = new Fields(['ETag', '"a"', ...lines]);
  t.same(mergeFields(Fields.of({ ETag: 'W/"a"', A: '1' }), several).raw, ['ETag', 'W/"a"', ...lines]);
  t.same(mergeFields(Fields.of({ ETag: 'W/"b"', A: '1' }), several).raw, ['ETag', '"a"', ...lines]);
});

t.test('property: after a merge each field has the lines of the update, or where it has none, its own', async () => {
  const section = fc
    .array(fc.tuple(fc.constantFrom('A', 'a', 'B', 'b', 'C', 'Content-Length'), fc.constantFrom('1', '2', '3')), {
      maxLength: 12,
    })
    .map((lines) => new Fields(lines.flat()));
  fc.assert(
    fc.property(section, section, (stored, update) => {
      const result = mergeFields(stored, update);
      const isRight = (name: string) => {
        const source = update.has(name) && name !== 'content-length' ? update : stored;
        return JSON.stringify(result.lines(name)) === JSON.stringify(source.lines(name));
      };
      return ['a', 'b', 'c', 'content-length'].every(isRight);
    }),
  );
});
