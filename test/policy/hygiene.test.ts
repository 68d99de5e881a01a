/** Goal: nothing of one connection reaches the next, and what a proxy must say it says; method: tables of messages. */
import t from 'tap';
import { Fields } from '../../lib/http/fields.js';
import {
  connectionOptions,
  endToEndFields,
  isHopByHop,
  isLoop,
  makePseudonym,
  type ReceivedRequest,
  type RequestSettings,
  receivedResponseFields,
  requestToOrigin,
} from '../../lib/policy/hygiene.js';
import type { FieldRecord } from './stored.kit.js';

const HOP_BY_HOP = [
  'Connection',
  'Keep-Alive',
  'Proxy-Connection',
  'TE',
  'Trailer',
  'Transfer-Encoding',
  'Upgrade',
  'Proxy-Authenticate',
  'Proxy-Authentication-Info',
  'Proxy-Authorization',
  'HTTP2-Settings',
];
const SETTINGS: RequestSettings = { via: 'patina-1', forwardedFor: 'append' };

function send(
  fields: FieldRecord,
  settings: Partial<RequestSettings> = {},
  request: Partial<ReceivedRequest> = {},
): Fields {
  const received: ReceivedRequest = {
    method: 'GET',
    scheme: 'http',
    host: 'example.com',
    httpVersion: '1.1',
    remoteAddress: '192.0.2.1',
    ...request,
    fields: Fields.of({ Host: 'example.com', ...fields }),
  };
  return requestToOrigin(received, { ...SETTINGS, ...settings });
}

t.test('RFC 9110 §7.6.1: hop-by-hop fields go in both directions', async (t) => {
  for (const name of HOP_BY_HOP) {
    const lower = name.toLowerCase();
    t.ok(isHopByHop(lower), name);
    t.notOk(send({ [name]: 'x' }).has(lower), `${name} of a request`);
    t.same(receivedResponseFields(Fields.of({ [name]: 'x', A: '1' })).raw, ['A', '1'], `${name} of a response`);
  }
  for (const name of ['content-length', 'cache-control', 'host', 'x-foo']) t.notOk(isHopByHop(name), name);
});

t.test('RFC 9110 §7.6.1: fields that Connection lists go in both directions, on any of its lines', async (t) => {
  const fields = { Connection: ['close, X-A', 'x-B , ,'], 'x-a': '1', 'X-B': '2', 'X-C': '3', Connect: '4' };
  t.same(receivedResponseFields(Fields.of(fields)).raw, ['X-C', '3', 'Connect', '4']);
  const sent = send(fields);
  t.notOk(sent.has('x-a') || sent.has('x-b') || sent.has('connection'));
  t.equal(sent.get('x-c'), '3');
});

t.test('a quote in Connection hides no option after it', async (t) => {
  t.same([...connectionOptions(Fields.of({ Connection: '", x-a' }))], ['"', 'x-a']);
});

t.test(
  'Connection takes out nothing that routing, framing, freshness, identity or loop detection rests on',
  async (t) => {
    const names = [
      'Host',
      'Via',
      'X-Forwarded-For',
      'X-Forwarded-Proto',
      'X-Forwarded-Host',
      'Cache-Control',
      'Content-Length',
    ];
    const sent = send({
      Connection: names.join(', '),
      'Cache-Control': 'no-store',
      'X-Forwarded-For': '198.51.100.7',
      Via: '1.1 a',
    });
    t.equal(sent.get('host'), 'example.com');
    t.equal(sent.get('via'), '1.1 a, 1.1 patina-1');
    t.equal(sent.get('x-forwarded-for'), '198.51.100.7, 192.0.2.1');
    t.equal(sent.get('cache-control'), 'no-store');
    const response = { Connection: 'cache-control, vary, age', 'Cache-Control': 'private', Vary: 'Cookie', Age: '5' };
    t.same(receivedResponseFields(Fields.of(response)).raw, ['Cache-Control', 'private', 'Vary', 'Cookie', 'Age', '5']);
  },
);

t.test('a message with nothing to take out is passed on as it is', async (t) => {
  const fields = Fields.of({ A: '1', 'Content-Length': '3' });
  t.equal(receivedResponseFields(fields), fields);
  t.equal(endToEndFields(fields), fields);
  for (const value of ['keep-alive', 'close', 'Keep-Alive']) {
    t.equal(connectionOptions(Fields.of({ Connection: value })).size, 0, value);
  }
});

t.test('RFC 9110 §7.6.3: Via gets the version as received and our pseudonym, after what is there', async (t) => {
  t.equal(send({}).get('via'), '1.1 patina-1');
  t.equal(send({}, {}, { httpVersion: '1.0' }).get('via'), '1.0 patina-1');
  t.equal(send({ Via: ['1.0 a', '1.1 b (c)'] }).get('via'), '1.0 a, 1.1 b (c), 1.1 patina-1');
});

t.test('RFC 9110 §7.6.3: a request that was here before is a loop, and no other one', async (t) => {
  const table: readonly [via: readonly string[], loop: boolean][] = [
    [[], false],
    [['1.1 patina-1'], true],
    [['1.1 PATINA-1'], true],
    [['1.0 a, 1.1\tpatina-1 (comment), 1.1 b'], true],
    [['1.0 a', '1.1 patina-1'], true],
    [['HTTP/1.1 patina-1:8080'], true],
    [['1.1 patina-2'], false],
    [['1.1 patina-11'], false],
    [['1.1 my-patina-1'], false],
    [['1.1 patina'], false],
    [['1.1 x-patina-1, 1.1 patina-1'], true],
    [['1.1 a ("open', '1.1 patina-1'], true],
  ];
  for (const [via, loop] of table) t.equal(isLoop(Fields.of({ Via: via }), 'patina-1'), loop, JSON.stringify(via));
});

t.test('two instances in a row are no loop: each has an id of its own', async (t) => {
  const [first, second] = [makePseudonym('patina', '3f2a'), makePseudonym('patina', '91bc')];
  const sent = send({}, { via: first });
  t.notOk(isLoop(sent, second));
  t.ok(isLoop(sent, first));
  t.throws(() => makePseudonym('patina', 'a b'), RangeError);
});

t.test('design 7: the client Host goes to the origin unchanged, unless another is set', async (t) => {
  t.same(send({ Host: 'Example.COM' }).raw.slice(0, 2), ['Host', 'Example.COM']);
  t.equal(send({}, { hostOverride: 'inner:3000' }).get('host'), 'inner:3000');
  t.equal(send({}, { hostOverride: 'inner:3000' }).get('x-forwarded-host'), 'example.com');
  t.equal(send({ Host: 'wrong.com' }).get('host'), 'example.com', 'RFC 9112 §3.2.2: absolute-form counts');
  t.equal(send({ Host: ['example.com', 'x'] }).lines('host').length, 1);
});

t.test('X-Forwarded-For is appended to, -Proto and -Host are set where absent', async (t) => {
  const fresh = send({ Host: 'Example.com' }, {}, { scheme: 'https' });
  t.equal(fresh.get('x-forwarded-for'), '192.0.2.1');
  t.equal(fresh.get('x-forwarded-proto'), 'https');
  t.equal(fresh.get('x-forwarded-host'), 'Example.com');
  const before = send({ 'X-Forwarded-For': ['a', 'b'], 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'outer' });
  t.same(before.lines('x-forwarded-for'), ['a, b, 192.0.2.1']);
  t.equal(before.get('x-forwarded-proto'), 'https');
  t.equal(before.get('x-forwarded-host'), 'outer');
  t.equal(send({}, {}, { remoteAddress: '::ffff:192.0.2.9' }).get('x-forwarded-for'), '192.0.2.9');
  t.equal(send({}, {}, { remoteAddress: '2001:db8::1' }).get('x-forwarded-for'), '2001:db8::1');
});

t.test('what a client claims about forwarding is replaced, or left alone, as set', async (t) => {
  const claims = { 'X-Forwarded-For': 'a', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'x', Forwarded: 'for=a' };
  const replaced = send(claims, { forwardedFor: 'replace' });
  t.same(
    ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded'].map((name) => replaced.get(name)),
    ['192.0.2.1', 'http', 'example.com', undefined],
  );
  const off = send(claims, { forwardedFor: 'off' });
  t.equal(off.get('x-forwarded-for'), 'a');
  t.equal(off.get('forwarded'), 'for=a');
  t.notOk(send({}, { forwardedFor: 'off' }).has('x-forwarded-for'));
});

t.test('RFC 9110 §10.1.1: Expect goes on with content alone; Max-Forwards and all else stay', async (t) => {
  t.notOk(send({ Expect: '100-continue' }).has('expect'));
  t.ok(send({ Expect: '100-continue' }, {}, { method: 'PUT' }).has('expect'));
  for (const method of ['GET', 'HEAD']) {
    t.ok(send({ Expect: '100-continue', 'Content-Length': '5' }, {}, { method }).has('expect'), 'its client waits too');
    t.ok(send({ Expect: '100-continue', 'Transfer-Encoding': 'chunked' }, {}, { method }).has('expect'));
    t.notOk(send({ Expect: '100-continue', 'Content-Length': '0' }, {}, { method }).has('expect'));
  }
  const sent = send({ 'Max-Forwards': '3', Authorization: 'Basic x', Cookie: 'a=b', 'X-Twice': ['1', '2'] });
  t.equal(sent.get('max-forwards'), '3');
  t.equal(sent.get('authorization'), 'Basic x');
  t.equal(sent.get('cookie'), 'a=b');
  t.same(sent.lines('x-twice'), ['1', '2']);
});
