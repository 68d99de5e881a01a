/** Goal: field names are found in whatever case they came (RFC 9110 §5.1), however many share a length or a place; method: tables, and fast-check against a plain search. */
import fc from 'fast-check';
import t from 'tap';
import { MAX_KEPT_NAME_LENGTH } from '../../lib/base/limits.js';
import { Slab } from '../../lib/base/slab.js';
import { Fields } from '../../lib/http/fields.js';
import { lowerName } from '../../lib/http/lower-names.js';
import { NameSet } from '../../lib/http/name-set.js';

const TOKEN_CHARACTERS = [..."abcXYZ019!#$%&'*+-.^_`|~"];
/** Few different letters, so that many share first and last letter and length. */
const name = fc.oneof(
  fc.array(fc.constantFrom(...TOKEN_CHARACTERS), { minLength: 1, maxLength: 4 }).map((all) => all.join('')),
  fc.constantFrom('Cache-Control', 'CACHE-CONTROL', 'content-range', 'Content-Range', 'ETag', 'Date', 'date'),
  fc.integer({ min: 30, max: MAX_KEPT_NAME_LENGTH + 3 }).map((length) => `X${'-long'.repeat(9)}`.slice(0, length)),
  fc.integer({ min: 30, max: MAX_KEPT_NAME_LENGTH + 3 }).map((length) => `x${'-LONG'.repeat(9)}`.slice(0, length)),
);
const lines = fc.array(fc.tuple(name, fc.constantFrom('', 'a', 'b, c')), { maxLength: 8 });

t.test('RFC 9110 §5.1: a name in lower case is the same whatever was asked for before', async (t) => {
  fc.assert(
    fc.property(fc.array(name, { maxLength: 30 }), (names) =>
      names.every((one) => lowerName(one) === one.toLowerCase()),
    ),
  );
  t.equal(lowerName(''), '');
  t.equal(lowerName('ETAG'), 'etag');
  t.equal(lowerName('EtaG'), 'etag', 'in the same place, in another case');
});

t.test('RFC 9110 §5.1: lines are found as a search that compares all names in lower case finds them', async () => {
  fc.assert(
    fc.property(lines, name, (all, asked) => {
      const fields = new Fields(all.flat());
      const wanted = asked.toLowerCase();
      const values = all.filter(([own]) => own.toLowerCase() === wanted).map(([, value]) => value);
      const rest = all.filter(([own]) => own.toLowerCase() !== wanted).flat();
      return (
        fields.has(wanted) === values.length > 0 &&
        fields.first(wanted) === values[0] &&
        fields.get(wanted) === (values.length === 0 ? undefined : values.join(', ')) &&
        JSON.stringify(fields.lines(wanted)) === JSON.stringify(values) &&
        JSON.stringify(fields.without(wanted).raw) === JSON.stringify(rest) &&
        new NameSet([wanted]).has(asked) &&
        JSON.stringify(fields.withoutAny(new NameSet([wanted])).raw) === JSON.stringify(rest)
      );
    }),
    { numRuns: 2000 },
  );
});

t.test('names of which one is longer than the other by 32 are told apart', async (t) => {
  const long = `a${'b'.repeat(34)}`;
  const fields = new Fields(['abc', 'short']);
  t.notOk(fields.has(long));
  t.equal(new Fields([long, 'long']).first('abc'), undefined);
  t.equal(new Fields([long, 'long', 'ABC', 'short']).first('abc'), 'short');
  t.equal(new Fields(['x'.repeat(32), 'whole turn']).first('x'.repeat(32)), 'whole turn');
});

t.test('an empty section holds nothing, and a packed one is asked as before', async (t) => {
  t.notOk(Fields.empty.has('date'));
  const fields = new Fields(['Date', 'now', 'ETag', '"a"']);
  t.ok(fields.has('etag'));
  const slab = new Slab();
  t.ok(fields.pack(slab));
  const packed = Fields.packedIn(slab, fields.slabAt, fields.packableBytes);
  t.equal(packed.first('etag'), '"a"');
  t.notOk(packed.has('expires'));
  const followed = packed.followedBy(['Age', '1']);
  t.equal(followed.first('age'), '1');
  t.equal(followed.first('date'), 'now');
});
