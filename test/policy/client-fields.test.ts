// Goal: clients are told what the rule says, and nothing private becomes public on its way (issue 4, `client` and `response`). Method: tables.
import t from 'tap';
import { ORIGIN_DECIDES, type Rule } from '../../lib/config/rule.js';
import { Fields } from '../../lib/http/fields.js';
import { clientFields, leavesResponses } from '../../lib/policy/client-fields.js';

const STORED = Fields.of({
  'Cache-Control': 'max-age=10, must-revalidate',
  Expires: 'Thu, 01 Jan 1970 00:00:00 GMT',
  Pragma: 'no-cache',
  ETag: '"1"',
  'Set-Cookie': 'a=b',
  'Surrogate-Key': 'x y',
});
const CLIENT = ORIGIN_DECIDES.client;

function told(client: Partial<Rule['client']>, isShared = true, ageSec = 7): Fields {
  return clientFields(STORED, { ...ORIGIN_DECIDES, client: { ...CLIENT, ...client } }, ageSec, isShared);
}

t.test('issue 4: cache_control takes the place of Cache-Control, Expires and Pragma', async (t) => {
  const fields = told({ cacheControl: 'public, max-age=30' });
  t.same(fields.lines('cache-control'), ['public, max-age=30']);
  t.notOk(fields.has('expires') || fields.has('pragma'));
  t.equal(fields.get('etag'), '"1"');
});

t.test('issue 4: ttl is what the client has from now on, although the Age stays true', async (t) => {
  t.equal(told({ ttlMs: 30_000 }).get('cache-control'), 'public, max-age=37');
  t.equal(told({ ttlMs: 30_000, immutable: true }).get('cache-control'), 'public, max-age=37, immutable');
  t.equal(told({ ttlMs: 0 }, true, 0).get('cache-control'), 'public, max-age=0');
});

t.test('RFC 8246 §2: immutable is added to what the origin says', async (t) => {
  t.equal(told({ immutable: true }).get('cache-control'), 'max-age=10, must-revalidate, immutable');
  const bare = clientFields(Fields.empty, { ...ORIGIN_DECIDES, client: { ...CLIENT, immutable: true } }, 0, true);
  t.equal(bare.get('cache-control'), 'immutable');
});

t.test('promise 1: the lifetime of what is not shared stays as the origin has it', async (t) => {
  for (const client of [{ cacheControl: 'public, max-age=30' }, { ttlMs: 1000 }, { immutable: true }]) {
    t.equal(told(client, false).get('cache-control'), 'max-age=10, must-revalidate');
  }
  t.notOk(told({ remove: ['set-cookie'] }, false).has('set-cookie'), 'what is taken out is taken out of all');
});

t.test('issue 4: fields are taken out, and response fields edited after that', async (t) => {
  const client = { ...CLIENT, remove: ['set-cookie', 'etag', 'surrogate-key'] };
  const response = { remove: ['Expires'], set: [['X-A', '1'] as const], append: [['Set-Cookie', 'c=d'] as const] };
  const fields = clientFields(STORED, { ...ORIGIN_DECIDES, client, response }, 0, true);
  t.same(fields.lines('set-cookie'), ['c=d']);
  t.notOk(fields.has('etag') || fields.has('surrogate-key') || fields.has('expires'));
  t.equal(fields.get('x-a'), '1');
});

t.test('a rule that says nothing of responses leaves them alone', async (t) => {
  t.ok(leavesResponses(ORIGIN_DECIDES));
  t.notOk(leavesResponses({ ...ORIGIN_DECIDES, client: { ...CLIENT, immutable: true } }));
  t.notOk(leavesResponses({ ...ORIGIN_DECIDES, etag: 'make' }));
});
