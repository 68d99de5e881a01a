// Goal: the intake, alone, gives each head one meaning or refuses it. Method: a table, and properties over random heads.
import fc from 'fast-check';
import t from 'tap';
import { Intake, isRefused, type RequestHead } from '../../lib/front/intake.js';
import { REFUSALS, type Refusal } from '../../lib/front/refusal.js';
import { splitList } from '../../lib/http/tokens.js';

const LIMITS = { targetBytes: 100, fieldsBytes: 500, fieldCount: 10 };
const intake = () => new Intake(LIMITS, 'Default.example:8080');

const head = (more: Partial<RequestHead> = {}): RequestHead => ({
  method: 'GET',
  target: '/x',
  httpVersion: '1.1',
  raw: ['Host', 'a.example'],
  ...more,
});

const CASES: readonly (readonly [title: string, head: RequestHead, refusal: Refusal])[] = [
  ['a target one byte too long', head({ target: `/${'x'.repeat(100)}` }), REFUSALS.targetLength],
  ['fields of too many bytes', head({ raw: ['Host', 'a', 'X', 'y'.repeat(490)] }), REFUSALS.fieldsBytes],
  ['too many fields', head({ raw: Array.from({ length: 22 }, () => 'x') }), REFUSALS.fieldCount],
  [
    'RFC 9112 §6.3: two framing fields, should the parser ever let them by',
    head({ raw: ['Host', 'a', 'Content-Length', '1', 'Transfer-Encoding', 'chunked'] }),
    REFUSALS.framing,
  ],
  [
    'RFC 9112 §6.3: two lengths, should the parser ever let them by',
    head({ raw: ['Host', 'a', 'Content-Length', '1', 'content-length', '1'] }),
    REFUSALS.framing,
  ],
  ['RFC 9110 §8.6: a length with a sign', head({ raw: ['Host', 'a', 'Content-Length', '+1'] }), REFUSALS.length],
  ['RFC 9110 §8.6: an empty length', head({ raw: ['Host', 'a', 'Content-Length', ''] }), REFUSALS.length],
  ['RFC 9112 §3: an empty target', head({ target: '' }), REFUSALS.target],
  ['RFC 9112 §3: a line end in a target', head({ target: '/a\r\nX: y' }), REFUSALS.target],
  ['RFC 9110 §4.2.1: a host of more than one port', head({ raw: ['Host', 'a:1:2'] }), REFUSALS.host],
  ['RFC 3986 §2.1: a broken escape in a host', head({ raw: ['Host', 'a%zz'] }), REFUSALS.host],
  [
    'RFC 9110 §9.3.6: CONNECT, should node:http hand it on',
    head({ method: 'CONNECT', target: 'a:1' }),
    REFUSALS.method,
  ],
];

t.test('refused', async (t) => {
  for (const [title, one, refusal] of CASES) t.equal(intake().judge(one), refusal, title);
});

t.test('limits: what is exactly as long as allowed is taken', async (t) => {
  t.notOk(isRefused(intake().judge(head({ target: `/${'x'.repeat(99)}` }))));
  t.notOk(isRefused(intake().judge(head({ raw: ['Host', 'a', ...Array.from({ length: 18 }, () => 'x')] }))));
});

t.test('RFC 9112 §3.2: the default host is for HTTP/1.0 without Host, in lower case', async (t) => {
  t.match(intake().judge(head({ httpVersion: '1.0', raw: [] })), { host: 'default.example:8080' });
  t.match(intake().judge(head({ httpVersion: '1.0', raw: ['Host', 'b'] })), { host: 'b' });
  const absolute = intake().judge(head({ httpVersion: '1.0', raw: ['X', 'y'], target: 'http://C/p' }));
  t.match(absolute, { host: 'c', target: '/p', fields: { raw: ['Host', 'C', 'X', 'y'] } });
});

t.test('one intake judges many hosts, and remembers none wrongly', async (t) => {
  const one = intake();
  for (const host of ['a', 'b', 'A', 'bad host', 'a', 'bad host', '[::1]']) {
    const verdict = one.judge(head({ raw: ['Host', host] }));
    if (host === 'bad host') t.equal(verdict, REFUSALS.host);
    else t.match(verdict, { host: host.toLowerCase() });
  }
});

t.test('the fields are handed on without a copy', async (t) => {
  const raw = ['Host', 'a', 'X', 'y'];
  const verdict = intake().judge(head({ raw }));
  t.notOk(isRefused(verdict));
  if (!isRefused(verdict)) t.equal(verdict.fields.raw, raw);
});

const NAMES = ['Host', 'host', 'Content-Length', 'Transfer-Encoding', 'Expect', 'X', 'Connection', 'Upgrade'] as const;
const VALUES = ['a', 'b.example:80', '', '0', '12', '1,1', 'chunked', 'gzip', 'Chunked', '100-continue', 'u@a', '/'];
const anyHead = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'OPTIONS', 'CONNECT', 'PLAY', 'PURGE'),
  target: fc.oneof(
    fc.constantFrom(
      '/',
      '*',
      'http://h/p',
      'http://h?q',
      'https://h/',
      'http://u@h/',
      '/a#b',
      'h:80',
      'HTTP://[::1]:8/x',
    ),
    fc.string({ maxLength: 12, unit: 'binary-ascii' }),
    fc.webPath(),
  ),
  httpVersion: fc.constantFrom('0.9', '1.0', '1.1', '2.0'),
  raw: fc
    .array(fc.tuple(fc.constantFrom(...NAMES), fc.oneof(fc.constantFrom(...VALUES), fc.string({ maxLength: 6 }))), {
      maxLength: 6,
    })
    .map((lines) => lines.flat()),
});

t.test('property: what is taken has one target, one host and one framing', async (t) => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(anyHead, (one) => {
        const verdict = intake().judge(one);
        if (isRefused(verdict)) {
          return verdict.status >= 400 && verdict.sentence.endsWith('.');
        }
        const { target, host, fields, hasBody } = verdict;
        const framing = fields.lines('content-length').length + fields.lines('transfer-encoding').length;
        return (
          (/^\/[\x21\x22\x24-\x7e]*$/.test(target) || (target === '*' && one.method === 'OPTIONS')) &&
          host !== '' &&
          host === host.toLowerCase() &&
          !/[\s/@?#]/.test(host) &&
          fields.lines('host').length <= 1 &&
          (fields.first('host') ?? host).toLowerCase() === host &&
          framing <= 1 &&
          hasBody === (fields.has('transfer-encoding') || Number(fields.first('content-length') ?? 0) > 0)
        );
      }),
      { numRuns: 2000 },
    ),
  );
});

t.test('property: a verdict does not depend on what was judged before', async (t) => {
  const used = intake();
  fc.assert(
    fc.property(anyHead, (one) => {
      t.same(used.judge(one), intake().judge(one));
    }),
    { numRuns: 300 },
  );
});

t.test('every refusal is one sentence with a reason that Cache-Status can hold', async (t) => {
  for (const refusal of Object.values(REFUSALS)) {
    t.match(refusal.sentence, /^[A-Z][^.]*(1\.[01][^.]*)*\.$/);
    t.match(refusal.reason, /^[a-z]+(-[a-z]+)*$/);
    t.equal(splitList(refusal.reason).length, 1);
  }
});
