// Goal: a rule narrows Accept-Encoding and Accept-Language to what it tells apart, and edits request fields. Method: tables.
import t from 'tap';
import { NO_EDITS, ORIGIN_DECIDES, type Rule } from '../../lib/config/rule.js';
import { Fields } from '../../lib/http/fields.js';
import { shapedFields } from '../../lib/policy/shape-request.js';

function shaped(name: string, value: string | undefined, rule: Partial<Rule>): string | undefined {
  const fields = value === undefined ? Fields.empty : Fields.of({ [name]: value });
  return shapedFields(fields, { ...ORIGIN_DECIDES, ...rule }).get(name.toLowerCase());
}

t.test('RFC 9110 §12.5.3: of the codings of the rule the best that the client accepts is left', async (t) => {
  const normalize = { acceptEncoding: ['br', 'gzip'], acceptLanguage: [] };
  const table: [string | undefined, string | undefined][] = [
    ['gzip, deflate, br', 'br'],
    ['gzip, deflate', 'gzip'],
    ['x-gzip', 'gzip'],
    ['gzip;q=1, br;q=0.5', 'gzip'],
    ['br;q=0, *', 'gzip'],
    ['*', 'br'],
    ['*;q=0', undefined],
    ['deflate', undefined],
    ['GZIP', 'gzip'],
    ['', undefined],
    [undefined, undefined],
  ];
  for (const [sent, left] of table) t.equal(shaped('Accept-Encoding', sent, { normalize }), left, String(sent));
});

t.test('RFC 4647 §3.4: of the languages of the rule the best for the client is left', async (t) => {
  const normalize = { acceptEncoding: [], acceptLanguage: ['en', 'de', 'pt-br'] };
  const table: [string, string | undefined][] = [
    ['de-AT, de;q=0.9, en;q=0.8', 'de'],
    ['en-GB', 'en'],
    ['fr', undefined],
    ['fr, *;q=0.1', 'en'],
    ['pt', 'pt-br'],
    ['den', undefined],
    ['en;q=0, de;q=0.1', 'de'],
  ];
  for (const [sent, left] of table) t.equal(shaped('Accept-Language', sent, { normalize }), left, sent);
});

t.test('issue 4: request fields are removed, set and appended', async (t) => {
  const rule: Rule = {
    ...ORIGIN_DECIDES,
    request: { remove: ['X-Gone'], set: [['X-Set', '1']], append: [['X-More', 'b']] },
  };
  const fields = Fields.of({ 'x-gone': ['a', 'b'], 'x-set': ['0', '0'], 'X-More': 'a' });
  t.same(shapedFields(fields, rule).raw, ['X-More', 'a', 'X-Set', '1', 'X-More', 'b']);
  t.equal(shapedFields(fields, { ...rule, request: NO_EDITS }), fields, 'the same object where nothing changes');
});
