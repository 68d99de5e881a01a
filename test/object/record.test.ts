// Goal: a record gives back the response it was made of, or nothing at all. Method: fast-check makes responses, and damage.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Slab } from '../../lib/base/slab.js';
import { Fields } from '../../lib/http/fields.js';
import { Body } from '../../lib/object/body.js';
import { compactLife } from '../../lib/object/life.js';
import {
  decodeRecord,
  encodeRecord,
  RECORD_MEMBERS,
  RECORD_VERSION,
  recordBodyBytes,
  recordChunks,
} from '../../lib/object/record.js';
import { FROM_RECORD, storedOf } from '../../lib/object/record-stored.js';
import { Segments } from '../../lib/object/segments.js';
import { SAFETY_OVERRIDES, type StoredResponse } from '../../lib/object/stored.js';
import { makeStored } from '../store/make-stored.js';

const instant = fc.oneof(
  fc.double({ min: 0, max: 8.64e15, noNaN: true }),
  fc.constantFrom(0, Number.POSITIVE_INFINITY, 1_790_000_000_000.125),
);
const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('', 'é', '€', '\ud800'));
const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
const maybe = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(one, { nil: undefined });
const chunks = fc.array(
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  { maxLength: 4 },
);

const life: fc.Arbitrary<StoredResponse['life']> = plain<StoredResponse['life']>({
  bornAt: instant,
  staleAt: instant,
  graceUntil: instant,
  offlineGraceUntil: instant,
  keepUntil: instant,
  errorUntil: instant,
  unreachableUntil: instant,
  ceilingAt: instant,
  alwaysValidate: fc.boolean(),
  validateByRule: fc.boolean(),
  staleForbiddenBy: maybe(
    fc.constantFrom('must-revalidate' as const, 'proxy-revalidate' as const, 'no-cache' as const, 's-maxage' as const),
  ),
  ttlSource: fc.constantFrom(
    'rule' as const,
    'cdn-cache-control' as const,
    'surrogate-control' as const,
    's-maxage' as const,
    'max-age' as const,
    'expires' as const,
    'heuristic' as const,
    'default' as const,
    'none' as const,
  ),
}).map(compactLife);

const partial: fc.Arbitrary<Segments> = fc
  .tuple(fc.array(fc.tuple(fc.nat(50), fc.integer({ min: 1, max: 50 })), { minLength: 1, maxLength: 5 }), fc.boolean())
  .map(([gaps, isKnown]) => {
    let at = 0;
    const runs = gaps.map(([gap, length], index) => {
      const from = at + gap + 1;
      at = from + length;
      return { from, until: at, chunks: [Buffer.alloc(length, index + 1)] };
    });
    const [first, ...more] = runs;
    if (first === undefined) throw new Error('there is at least one run');
    return more.reduce((all, run) => all.with(run), Segments.of(first, isKnown ? at + 10 : undefined));
  });

type Optional =
  | 'tags'
  | 'pushed'
  | 'receivedVersion'
  | 'madeTag'
  | 'expiredAt'
  | 'receivedAt'
  | 'chance'
  | 'despite'
  | 'requestedAt';

const response: fc.Arbitrary<StoredResponse> = fc
  .record({
    required: plain({
      key: text,
      selection: fc
        .array(fc.tuple(text, maybe(text)), { maxLength: 4 })
        .map((pairs) => ({ names: pairs.map(([name]) => name), values: pairs.map(([, value]) => value) })),
      status: fc.integer({ min: 100, max: 999 }),
      reasonPhrase: text,
      fields: fc.array(fc.tuple(text, text), { maxLength: 8 }).map((lines) => new Fields(lines.flat())),
      life,
      rule: text,
      fetchedAt: instant,
      receivedWall: instant,
    }),
    optional: fc.record(
      {
        tags: fc.array(text, { maxLength: 4 }),
        pushed: fc.boolean(),
        receivedVersion: fc.constant('1.0' as const),
        madeTag: text,
        expiredAt: instant,
        receivedAt: instant,
        chance: fc.double({ min: 0, max: 0.999, noNaN: true }),
        despite: fc.subarray([...SAFETY_OVERRIDES]),
        requestedAt: instant,
      },
      { requiredKeys: [], noNullPrototype: true },
    ) as fc.Arbitrary<Partial<Pick<StoredResponse, Optional>>>,
    bytes: fc.oneof(chunks, partial),
  })
  .map(({ required, optional, bytes }) => {
    const whole = bytes instanceof Segments ? { body: Body.empty, partial: bytes } : { body: Body.of(bytes) };
    return { ...required, ...optional, ...whole, madeBy: FROM_RECORD };
  });

/** The bytes of a response as a tier would keep them, in pieces of its own. */
function keptBytes(stored: StoredResponse): Body {
  const all = Buffer.concat(recordChunks(stored) ?? []);
  return Body.of([all.subarray(0, all.length >> 1), all.subarray(all.length >> 1)]);
}

function bytesOf(stored: StoredResponse): string {
  const runs = stored.partial?.runs.map(({ from, until, chunks: own }) => {
    return `${from}-${until}:${Buffer.concat(own).toString('hex')}`;
  });
  return runs?.join(' ') ?? Buffer.concat(stored.body.wholeChunks ?? []).toString('hex');
}

t.test('issue 5: a record gives back each member of the response that it was made of', (t) => {
  fc.assert(
    fc.property(response, fc.uint8Array({ maxLength: 30 }), (stored, note) => {
      const { head, reason } = decodeRecord(encodeRecord(stored, note));
      if (head === undefined) throw new Error(reason);
      if (!head.note.equals(note)) throw new Error('the note is another');
      if (head.bodyBytes !== recordBodyBytes(stored)) throw new Error('the length of the body is another');
      const read = storedOf(head, keptBytes(stored));
      if (read === undefined) throw new Error('the body does not fit');
      const { body: _b, partial: _p, fields, ...members } = stored;
      const { body: _rb, partial: readPartial, fields: readFields, ...readMembers } = read;
      assert.deepStrictEqual(readMembers, members);
      assert.deepStrictEqual(readFields.raw, fields.raw);
      assert.equal(readPartial?.totalBytes, stored.partial?.totalBytes);
      assert.equal(bytesOf(read), bytesOf(stored));
    }),
    { numRuns: 400 },
  );
  t.end();
});

t.test('issue 5: each member of a stored response is in the record, in the body, or made anew', (t) => {
  const stored = { ...makeStored({ bornAt: 5 }), tags: ['a'], pushed: true, madeTag: '"p"', expiredAt: 1 };
  const full: Required<StoredResponse> = {
    ...stored,
    partial: Segments.of({ from: 0, until: 1, chunks: [Buffer.alloc(1)] }, 3),
    madeBy: {},
    receivedAt: 2,
    chance: 0.5,
    despite: ['sharePrivate'],
    requestedAt: 3,
    receivedVersion: '1.0' as const,
  };
  t.strictSame(Object.keys(RECORD_MEMBERS).sort(), Object.keys(full).sort());
  const { head } = decodeRecord(encodeRecord(full));
  for (const [member, where] of Object.entries(RECORD_MEMBERS)) {
    t.equal(head !== undefined && member in head, where === 'record', member);
  }
  t.end();
});

const octets = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)) });
const lineName = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'aZ09-_'), minLength: 1, maxLength: 20 }),
  fc.constantFrom('Content-Length', 'connection', 'Keep-Alive', 'X-Not-Framed', 'a b', ''),
);

t.test('a record says the same of fields that are packed in a slab as of the list of them', (t) => {
  let packedCount = 0;
  fc.assert(
    fc.property(response, fc.array(fc.tuple(lineName, fc.oneof(octets, text)), { maxLength: 8 }), (stored, lines) => {
      const listed = encodeRecord({ ...stored, fields: new Fields(lines.flat()) });
      const fields = new Fields(lines.flat());
      if (fields.pack(new Slab(Math.max(1, fields.packableBytes)))) packedCount++;
      // Until here it is a list as well.
      const { slab, slabAt, packableBytes } = fields;
      const alone = slab === undefined ? fields : Fields.packedIn(slab, slabAt, packableBytes);
      return encodeRecord({ ...stored, fields: alone }).equals(listed);
    }),
    { numRuns: 2000 },
  );
  t.ok(packedCount > 500, `${packedCount} were packed`);
  t.end();
});

t.test('issue 5: any changed byte of a record, and any record cut short, is unreadable, and nothing is thrown', (t) => {
  fc.assert(
    fc.property(response, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean(), (stored, pick, flip, cut) => {
      const bytes = encodeRecord(stored, Buffer.from('where the body is'));
      const at = pick % bytes.length;
      const damaged = cut ? bytes.subarray(0, at) : Buffer.from(bytes);
      if (!cut) damaged[at] = (damaged[at] as number) ^ flip;
      return decodeRecord(damaged).reason !== undefined;
    }),
    { numRuns: 1000 },
  );
  t.end();
});

t.test('issue 5: bytes that are no record are told apart by reason', (t) => {
  const bytes = encodeRecord(makeStored({ bornAt: 1 }));
  t.equal(decodeRecord(bytes).reason, undefined);
  t.equal(decodeRecord(Buffer.alloc(0)).reason, 'short');
  t.equal(decodeRecord(bytes.subarray(0, 6)).reason, 'short');
  t.equal(decodeRecord(Buffer.alloc(100)).reason, 'foreign');
  const later = Buffer.from(bytes);
  later[1] = RECORD_VERSION + 1;
  t.equal(decodeRecord(later).reason, 'version', 'of a later version');
  t.equal(decodeRecord(bytes.subarray(0, -1)).reason, 'checksum');
  t.end();
});

t.test('issue 5: bytes with a right checksum and no sense are unreadable', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (content) => {
      const model = encodeRecord(makeStored({ bornAt: 1 }));
      // The writer of the checksum, fed with noise: what a faulty version would leave behind.
      const bytes = Buffer.concat([model.subarray(0, 6), content]);
      bytes.writeUInt32LE(checksum(content), 2);
      return decodeRecord(bytes).reason === 'malformed';
    }),
    { numRuns: 1000 },
  );
  t.end();
});

function checksum(content: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of content) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

t.test('a body of another length than the record says makes no response', (t) => {
  const { head } = decodeRecord(encodeRecord(makeStored({ bornAt: 1, bodyBytes: 10 })));
  if (head === undefined) throw new Error('unreadable');
  t.equal(storedOf(head, Body.of([Buffer.alloc(9)])), undefined);
  t.equal(storedOf(head, Body.of([Buffer.alloc(10)]))?.body.receivedBytes, 10);
  t.end();
});

t.test('issue 5: the record of a common response takes a few hundred bytes', (t) => {
  const fields = Fields.of({
    Date: 'Thu, 01 Jan 2026 00:00:00 GMT',
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'public, max-age=60',
    ETag: '"33a64df551425fcc55e4d42a148795d9f25f89d4"',
    'Last-Modified': 'Wed, 31 Dec 2025 12:00:00 GMT',
  });
  const bytes = encodeRecord(makeStored({ key: 'http://www.example.com/articles/12345', bornAt: 1, fields }));
  t.ok(bytes.length < 500, `${bytes.length} bytes`);
  t.end();
});
