/** Goal: conditions are made from what is stored, and a 304 finds what it is about (RFC 9111 §4.3); method: tables. */
import t from 'tap';
import { MAX_SENT_ENTITY_TAG_BYTES, MAX_SENT_ENTITY_TAGS } from '../../lib/base/limits.js';
import { Fields } from '../../lib/http/fields.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { conditionalFields, hasValidator, judgeNotModified, unconditionalFields } from '../../lib/policy/validate.js';
import { selectionOf } from '../../lib/policy/vary.js';
import { type FieldRecord, storedResponse } from './stored.kit.js';

const LM = 'Wed, 01 Jan 2020 00:00:00 GMT';
const LM_850 = 'Wednesday, 01-Jan-20 00:00:00 GMT';
const OTHER_LM = 'Wed, 01 Jan 2020 00:00:01 GMT';
const DATE = 'Thu, 01 Jan 2026 12:00:00 GMT';
const NO_REQUEST = Fields.empty;

function stored(fields: FieldRecord, status = 200): StoredResponse {
  return storedResponse({ fields, status });
}

t.test('design 2: both validators go to the origin byte for byte, weak or strong', async (t) => {
  for (const etag of ['"a"', 'W/"a"', 'unquoted', 'w/"a"', '"\xfc"']) {
    for (const lm of [LM, LM_850]) {
      const chosen = stored({ ETag: etag, 'Last-Modified': lm });
      const { fields, sent } = conditionalFields(Fields.of({ Accept: 'x' }), [chosen], chosen);
      t.same(fields.raw, ['Accept', 'x', 'If-None-Match', etag, 'If-Modified-Since', lm]);
      t.same(sent, { none: false, entityTags: [etag], lastModified: lm });
    }
  }
});

t.test("RFC 9111 §4.3.1: the client's own conditions and ranges do not go along", async (t) => {
  const request = Fields.of({
    'If-None-Match': '"client"',
    'if-modified-since': LM,
    'If-Match': '*',
    'If-Unmodified-Since': LM,
    'If-Range': '"x"',
    Range: 'bytes=0-1',
    Abc: '123',
  });
  const chosen = stored({ ETag: '"a"' });
  t.same(conditionalFields(request, [chosen], chosen).fields.raw, ['Abc', '123', 'If-None-Match', '"a"']);
  t.same(unconditionalFields(request).raw, ['Abc', '123']);
});

t.test('RFC 9111 §4.3.1: without a validator there is no condition; Date is none', async (t) => {
  for (const fields of [{}, { Date: DATE }, { 'Last-Modified': 'yesterday' }, { ETag: '' }]) {
    const chosen = stored(fields);
    const { fields: made, sent } = conditionalFields(Fields.of({ A: '1', Range: 'bytes=0-' }), [chosen], chosen);
    t.same(made.raw, ['A', '1']);
    t.ok(sent.none);
    t.notOk(hasValidator(chosen.fields));
  }
  t.ok(conditionalFields(NO_REQUEST, [], undefined).sent.none);
  t.ok(hasValidator(Fields.of({ ETag: 'W/"a"' })));
  t.ok(hasValidator(Fields.of({ 'Last-Modified': LM })));
});

t.test('design 2: with several variants all their tags go, the chosen one first, each once', async (t) => {
  const [a, b, c] = [stored({ ETag: '"a"' }), stored({ ETag: '"b"' }), stored({ ETag: '"c"', 'Last-Modified': LM })];
  const again = stored({ ETag: '"a"' });
  t.equal(conditionalFields(NO_REQUEST, [a, b, c, again], c).fields.get('if-none-match'), '"c", "a", "b"');
  const unchosen = conditionalFields(NO_REQUEST, [a, b, c], undefined);
  t.same(unchosen.sent, { none: false, entityTags: ['"a"', '"b"', '"c"'], lastModified: undefined });
});

t.test('RFC 9110 §13.1.3: a chosen response that has a date alone is asked about by date alone', async (t) => {
  const chosen = stored({ 'Last-Modified': LM });
  const { fields } = conditionalFields(NO_REQUEST, [chosen, stored({ ETag: '"b"' })], chosen);
  t.same(fields.raw, ['If-Modified-Since', LM]);
});

t.test('RFC 9111 §4.3.2: the tag of partial content is not sent', async (t) => {
  t.ok(conditionalFields(NO_REQUEST, [stored({ ETag: '"a"' }, 206)], undefined).sent.none);
});

t.test('the list of tags is bounded in members and in bytes', async (t) => {
  const many = Array.from({ length: 100 }, (_, i) => stored({ ETag: `"${i}"` }));
  t.equal(conditionalFields(NO_REQUEST, many, undefined).sent.entityTags.length, MAX_SENT_ENTITY_TAGS);
  const long = Array.from({ length: 20 }, (_, i) => stored({ ETag: `"${'x'.repeat(1000)}${i}"` }));
  const value = conditionalFields(NO_REQUEST, long, undefined).fields.get('if-none-match') ?? '';
  t.ok(value.length > 1000 && value.length <= MAX_SENT_ENTITY_TAG_BYTES);
});

/** Sends conditions for the candidates and judges a 304 with these fields. */
function judge(
  update: FieldRecord,
  candidates: readonly StoredResponse[],
  chosen?: StoredResponse,
  request = NO_REQUEST,
) {
  const { sent } = conditionalFields(request, candidates, chosen);
  const verdict = judgeNotModified(Fields.of(update), sent, candidates, chosen, request);
  return verdict.kind === 'freshen' ? verdict.target : verdict.reason;
}

t.test('RFC 9111 §4.3.4: what a 304 makes of the one response that was asked about', async (t) => {
  const strong = { ETag: '"a"', 'Last-Modified': LM, Date: DATE };
  const weak = { ETag: 'W/"a"' };
  const dated = { 'Last-Modified': LM, Date: DATE };
  const table: readonly [stored: FieldRecord, update: FieldRecord, expected: 'freshen' | string][] = [
    [strong, { ETag: '"a"' }, 'freshen'],
    [strong, { ETag: '"b"' }, 'etag-mismatch'],
    [strong, { ETag: '"b"', 'Last-Modified': LM }, 'etag-mismatch'],
    [strong, { ETag: 'W/"a"' }, 'freshen'],
    [strong, { ETag: 'W/"b"' }, 'etag-mismatch'],
    [strong, { 'Last-Modified': LM }, 'freshen'],
    [strong, { 'Last-Modified': OTHER_LM }, 'last-modified-mismatch'],
    [strong, {}, 'freshen'],
    [weak, { ETag: 'W/"a"' }, 'freshen'],
    [weak, { ETag: 'W/"b"' }, 'etag-mismatch'],
    [weak, { ETag: '"a"' }, 'freshen'],
    [weak, { ETag: '"b"' }, 'etag-mismatch'],
    [weak, { 'Last-Modified': LM }, 'last-modified-mismatch'],
    [weak, {}, 'freshen'],
    [dated, { 'Last-Modified': LM }, 'freshen'],
    [dated, { 'Last-Modified': LM_850 }, 'freshen'],
    [dated, { 'Last-Modified': OTHER_LM }, 'last-modified-mismatch'],
    [dated, {}, 'freshen'],
    [dated, { ETag: '"new"' }, 'etag-mismatch'],
    [dated, { ETag: '"new"', 'Last-Modified': LM }, 'freshen'],
    [{ 'Last-Modified': LM, Date: LM }, { ETag: '"new"', 'Last-Modified': LM }, 'etag-mismatch'],
    [{ ETag: 'bare' }, { ETag: 'bare' }, 'freshen'],
  ];
  for (const [fields, update, expected] of table) {
    const chosen = stored(fields);
    t.equal(
      judge(update, [chosen], chosen),
      expected === 'freshen' ? chosen : expected,
      JSON.stringify([fields, update]),
    );
  }
});

t.test('RFC 9111 §4.3.4: the strong tag of a 304 selects among several', async (t) => {
  const [a, b, c] = [stored({ ETag: '"a"' }), stored({ ETag: '"b"' }), stored({ ETag: 'W/"c"' })];
  const all = [a, b, c];
  t.equal(judge({ ETag: '"b"' }, all, a), b);
  t.equal(judge({ ETag: '"b"' }, all), b);
  t.equal(judge({ ETag: 'W/"c"' }, all, a), c);
  t.equal(judge({ ETag: '"c"' }, all, a), 'etag-mismatch', 'the mark is missing, and others were asked about');
  t.equal(judge({ ETag: '"d"' }, all, a), 'etag-mismatch');
  t.equal(judge({}, all, a), 'ambiguous-304');
});

t.test('RFC 9111 §4.3.4: of several with one tag, that which the request selects comes first', async (t) => {
  const of = (foo: string) =>
    storedResponse({
      fields: { ETag: '"same"', Vary: 'Foo' },
      selection: selectionOf(['foo'], Fields.of({ Foo: foo })),
    });
  const [one, two] = [of('1'), of('2')];
  t.equal(judge({ ETag: '"same"' }, [one, two], undefined, Fields.of({ Foo: '2' })), two);
  t.equal(judge({ ETag: '"same"' }, [one, two], two, Fields.of({ Foo: '2' })), two);
  t.equal(judge({ ETag: '"same"' }, [one, two], undefined, Fields.of({ Foo: '3' })), one, 'newest first');
  t.equal(judge({}, [one, two], undefined, Fields.of({ Foo: '2' })), two, 'one tag alone was sent');
});

t.test('scar 9: a 304 to no condition, or about what is gone, is refetched', async (t) => {
  const bare = stored({});
  t.equal(judge({ ETag: '"a"' }, [bare], bare), 'unsolicited-304');
  t.equal(judge({}, [], undefined), 'unsolicited-304');
  const chosen = stored({ ETag: '"a"' });
  const { sent } = conditionalFields(NO_REQUEST, [chosen], chosen);
  t.same(judgeNotModified(Fields.of({ ETag: '"a"' }), sent, [], undefined, NO_REQUEST), {
    kind: 'refetch',
    reason: 'unsolicited-304',
  });
});

t.test('RFC 9111 §4.3.4: a 304 is about nothing that was not asked about: no later tag, and no part', async (t) => {
  const chosen = stored({ ETag: '"a"' });
  const { sent } = conditionalFields(NO_REQUEST, [chosen], chosen);
  // Stored meanwhile, by another request.
  const late = stored({ ETag: '"b"' });
  const part = stored({ ETag: '"a"', 'Content-Range': 'bytes 0-1/9' }, 206);
  const judged = (update: FieldRecord, candidates: StoredResponse[], own?: StoredResponse) =>
    judgeNotModified(Fields.of(update), sent, candidates, own, NO_REQUEST);
  t.same(judged({ ETag: '"b"' }, [late, chosen], chosen), { kind: 'refetch', reason: 'etag-mismatch' });
  t.same(judged({ ETag: '"b"' }, [late]), { kind: 'refetch', reason: 'unsolicited-304' });
  t.same(judged({ ETag: '"a"' }, [part]), { kind: 'refetch', reason: 'unsolicited-304' });
  const verdict = judged({ ETag: '"a"' }, [part, chosen]);
  t.equal(verdict.kind === 'freshen' && verdict.target, chosen);
});

t.test('scar 21: a 304 whose Vary nominates other fields is not merged', async (t) => {
  const table: readonly [stored: string | undefined, update: string | undefined, merges: boolean][] = [
    ['Foo', 'foo', true],
    ['Foo, Bar', 'bar,FOO', true],
    ['Foo', undefined, true],
    [undefined, undefined, true],
    ['Foo', 'Foo, Bar', false],
    ['Foo, Bar', 'Foo', false],
    [undefined, 'Foo', false],
    ['Foo', '*', false],
    ['Foo', '', false],
    ['*', '*', true],
  ];
  for (const [own, update, merges] of table) {
    const chosen = stored(own === undefined ? { ETag: '"a"' } : { ETag: '"a"', Vary: own });
    const fields: FieldRecord = update === undefined ? { ETag: '"a"' } : { ETag: '"a"', Vary: update };
    t.equal(judge(fields, [chosen], chosen), merges ? chosen : 'vary-changed', `${own} ${update}`);
  }
});
