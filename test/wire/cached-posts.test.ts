// Goal: the content of a POST that its rule caches is read whole, or reaches the origin whole (issue 4, `methods`). Method: raw clients, a scripted origin, the whole proxy.
import t, { type Test } from 'tap';
import { BODY_IDLE_TIMEOUT_MS, CONNECTION_SWEEP_MS, MAX_KEYED_CONTENT_BYTES } from '../../lib/base/limits.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { detailOf, type OpenProxy, openProxy, request } from '../kit/proxy-kit.js';

const CONF = { rules: [{ name: 'search', methods: ['GET', 'POST'], ttl: '60s' }] };

async function house(t: Test, clock?: FakeClock): Promise<OpenProxy> {
  const proxy = await openProxy(t, { conf: CONF, ...(clock === undefined ? {} : { clock }) });
  proxy.origin.respond(async (asked) => {
    await asked.ending;
    return { body: `${asked.body.length} bytes` };
  });
  return proxy;
}

const sized = (content: string, ...lines: string[]): string =>
  `${request('POST', '/s', ...lines, `Content-Length: ${content.length}`)}${content}`;
const chunked = (...chunks: string[]): string =>
  `${request('POST', '/s', 'Transfer-Encoding: chunked')}${[...chunks, ''].map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')}`;

t.test('issue 4: sized or chunked, whole or in pieces, a content is one entry', async (t) => {
  const proxy = await house(t);
  t.equal((await proxy.ask(sized('a=1&b=2'), 'POST')).field('cdn-cache'), 'MISS');
  t.equal(proxy.origin.requests[0]?.body.toString(), 'a=1&b=2');
  t.equal(proxy.origin.requests[0]?.field('content-length'), '7');
  t.equal((await proxy.ask(chunked('a=1', '&b=2'), 'POST')).field('cdn-cache'), 'HIT');
  const client = await proxy.connect();
  for (const byte of sized('a=1&b=2')) {
    client.send(byte);
    await turns(1);
  }
  t.equal((await client.response('POST')).field('cdn-cache'), 'HIT');
  t.equal(
    (await client.send(sized('a=1&b=2')).response('POST')).field('cdn-cache'),
    'HIT',
    'and the connection goes on',
  );
  t.equal(proxy.origin.requestCount, 1);
});

t.test('issue 4: a content over the bound reaches the origin whole, and is not stored', async (t) => {
  const proxy = await house(t);
  const large = 'x'.repeat(MAX_KEYED_CONTENT_BYTES + 1);
  for (const bytes of [sized(large), chunked(...(large.match(/.{1,10000}/g) ?? []), 'tail')]) {
    for (let time = 0; time < 2; time++) {
      const answer = await proxy.ask(bytes, 'POST');
      t.same([answer.status, answer.field('cdn-cache'), detailOf(answer)], [200, 'BYPASS', 'content-too-large']);
      t.equal(proxy.origin.requests.at(-1)?.body.length, large.length + (bytes.includes('tail') ? 4 : 0));
    }
  }
  t.equal(proxy.origin.requestCount, 4);
});

t.test('RFC 9110 §10.1.1: a client that waits for leave to send its content gets it', async (t) => {
  const proxy = await house(t);
  const client = await proxy.connect();
  client.send(request('POST', '/s', 'Expect: 100-continue', 'Content-Length: 3'));
  t.match((await client.bytes(25)).toString(), /^HTTP\/1\.1 100 Continue\r\n/);
  const answer = await client.send('abc').response('POST');
  t.same([answer.status, answer.body.toString()], [200, '3 bytes']);
  t.equal(proxy.origin.requests[0]?.field('expect'), undefined, 'the origin is sent the content with the head');
});

t.test('issue 4: a client that leaves or stalls within its content leaves nothing behind', async (t) => {
  const clock = new FakeClock();
  const proxy = await house(t, clock);
  const gone = await proxy.connect();
  gone.send(`${request('POST', '/s', 'Content-Length: 10')}abc`);
  await turns(20);
  gone.reset();
  await proxy.answers.reached(1);
  t.match(proxy.answered, [{ ending: 'aborted' }]);
  const slow = await proxy.connect();
  slow.send(request('POST', '/s', 'Content-Length: 10'));
  await turns(20);
  for (let passed = 0; passed <= BODY_IDLE_TIMEOUT_MS + CONNECTION_SWEEP_MS; passed += CONNECTION_SWEEP_MS) {
    clock.advance(CONNECTION_SWEEP_MS);
    await turns(3);
  }
  t.equal((await slow.response('POST')).status, 408);
  t.equal(proxy.origin.requestCount, 0);
});
