/** Goal: the right part of a stored response goes out, with the right wrapping (RFC 9110 §14, §15.3.7); method: tables. */
import t from 'tap';
import { Fields } from '../../lib/http/fields.js';
import { contentRange, multipartByteranges, selectRanges, unsatisfiedRange } from '../../lib/policy/range.js';
import type { FieldRecord } from './stored.kit.js';

const STORED: FieldRecord = { ETag: '"a"', 'Content-Type': 'text/plain' };

function select(request: FieldRecord, status = 200, total: number | undefined = 11): unknown {
  return selectRanges(Fields.of(request), { status, fields: Fields.of(STORED) }, total);
}

t.test('RFC 9110 §14.2: the range of a request selects the part of a stored 200', async (t) => {
  t.same(select({}), { kind: 'whole' });
  t.same(select({ Range: 'bytes=0-1' }), { kind: 'single', from: 0, until: 2 });
  t.same(select({ Range: 'bytes=1-' }), { kind: 'single', from: 1, until: 11 });
  t.same(select({ Range: 'bytes=-1' }), { kind: 'single', from: 10, until: 11 });
  t.same(select({ Range: 'bytes=0-1,4-5' }), {
    kind: 'multiple',
    ranges: [
      { from: 0, until: 2 },
      { from: 4, until: 6 },
    ],
  });
  t.same(select({ Range: 'bytes=11-' }), { kind: 'unsatisfiable' });
});

t.test('RFC 9110 §15.3.7.2: several ranges of which one is left are sent as one', async (t) => {
  t.same(select({ Range: 'bytes=0-1,50-60' }), { kind: 'single', from: 0, until: 2 });
  t.same(select({ Range: 'bytes=0-3,2-5' }), { kind: 'single', from: 0, until: 6 });
});

t.test('scar 12: an unknown unit, bad syntax, another status or an unknown length get the whole', async (t) => {
  t.same(select({ Range: 'lines=0-1' }), { kind: 'whole' });
  t.same(select({ Range: 'bytes=5-1' }), { kind: 'whole' });
  t.same(select({ Range: 'bytes=0-1' }, 404), { kind: 'whole' });
  t.same(select({ Range: 'bytes=0-1' }, 206), { kind: 'whole' });
  t.same(selectRanges(Fields.of({ Range: 'bytes=0-1' }), { status: 200, fields: Fields.empty }, undefined), {
    kind: 'whole',
  });
});

t.test('RFC 9110 §13.1.5: a Range whose If-Range does not hold gets the whole, not a 416', async (t) => {
  t.same(select({ Range: 'bytes=0-1', 'If-Range': '"a"' }), { kind: 'single', from: 0, until: 2 });
  t.same(select({ Range: 'bytes=0-1', 'If-Range': '"b"' }), { kind: 'whole' });
  t.same(select({ Range: 'bytes=99-', 'If-Range': '"b"' }), { kind: 'whole' });
});

t.test('RFC 9110 §14.4: Content-Range counts its last byte in', async (t) => {
  t.equal(contentRange(0, 5, 10), 'bytes 0-4/10');
  t.equal(unsatisfiedRange(10), 'bytes */10');
});

t.test('RFC 9110 §14.6: the parts are wrapped, in order, and the length is that of all that is written', async (t) => {
  const body = Buffer.from('0123456789A');
  const ranges = [
    { from: 8, until: 11 },
    { from: 0, until: 2 },
  ];
  const multipart = multipartByteranges(ranges, 'text/plain', body.length, 'BOUNDARY');
  t.equal(multipart.contentType, 'multipart/byteranges; boundary=BOUNDARY');
  const written = Buffer.concat([
    ...multipart.parts.flatMap(({ head, range }) => [head, body.subarray(range.from, range.until)]),
    multipart.tail,
  ]);
  t.equal(
    written.toString('latin1'),
    [
      '--BOUNDARY',
      'Content-Type: text/plain',
      'Content-Range: bytes 8-10/11',
      '',
      '89A',
      '--BOUNDARY',
      'Content-Type: text/plain',
      'Content-Range: bytes 0-1/11',
      '',
      '01',
      '--BOUNDARY--',
      '',
    ].join('\r\n'),
  );
  t.equal(multipart.totalBytes, written.length);
});

t.test('RFC 9110 §15.3.7.2: a part of a response without Content-Type has none', async (t) => {
  const [part] = multipartByteranges([{ from: 0, until: 1 }], undefined, 5, 'B').parts;
  t.equal(part?.head.toString('latin1'), '--B\r\nContent-Range: bytes 0-0/5\r\n\r\n');
});
