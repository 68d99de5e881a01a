// Goal: the origin client calls a message complete only if it is, and names every failure. Method: raw bytes from a scripted origin over real sockets.
import t, { type Test } from 'tap';
import { Fields } from '../../lib/http/fields.js';
import { createBarrier, turns } from '../kit/barrier.js';
import {
  finish,
  reset,
  type ScriptedOrigin,
  type Step,
  send,
  startScriptedOrigin,
  until,
} from '../kit/scripted-origin.js';
import { clientFor, get, Recorder } from './exchange.js';

const head = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;
const OK = 'HTTP/1.1 200 OK';

type Ask = (target?: string, method?: 'GET' | 'HEAD') => Promise<Recorder>;

async function setUp(t: Test, connections = 1): Promise<{ origin: ScriptedOrigin; ask: Ask }> {
  const origin = await startScriptedOrigin();
  const client = clientFor(origin.url, { connections });
  t.teardown(async () => {
    await origin.close();
    await client.close();
  });
  const ask: Ask = async (target = '/', method = 'GET') => {
    const recorder = new Recorder();
    client.fetch({ ...get(target), method }, recorder);
    await recorder.over;
    return recorder;
  };
  return { origin, ask };
}

/** Lets what was sent arrive by itself. */
const pause: Step = () => turns(10);

interface WireCase {
  readonly title: string;
  readonly steps: readonly Step[];
  readonly method?: 'GET' | 'HEAD';
  /** `end`, or the code of the failure. */
  readonly ending: string;
  readonly body?: string;
  readonly story?: readonly string[];
}

const CASES: readonly WireCase[] = [
  {
    title: 'RFC 9112 §6.3: a body of Content-Length bytes is complete',
    steps: [send(`${head(OK, 'Content-Length: 5')}hello`)],
    ending: 'end',
    body: 'hello',
  },
  {
    title: 'RFC 9112 §7.1: a chunked body is complete at its last chunk',
    steps: [send(`${head(OK, 'Transfer-Encoding: chunked')}3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n`)],
    ending: 'end',
    body: 'hello',
  },
  {
    title: 'RFC 9112 §8: a body delimited by close is complete at a clean end',
    steps: [send(`${head(OK)}hello`), finish()],
    ending: 'end',
    body: 'hello',
  },
  {
    title: 'RFC 9112 §2.5: an HTTP/1.0 answer is understood',
    steps: [send(`${head('HTTP/1.0 200 OK')}hello`), finish()],
    ending: 'end',
    body: 'hello',
  },
  {
    title: 'RFC 9112 §6.3: an HTTP/1.0 answer with Content-Length is understood',
    steps: [send(`${head('HTTP/1.0 200 OK', 'Content-Length: 5')}hello`), finish()],
    ending: 'end',
    body: 'hello',
  },
  {
    title: 'RFC 9112 §6.3: a 304 with Content-Length has no body',
    steps: [send(head('HTTP/1.1 304 Not Modified', 'Content-Length: 1234', 'ETag: "a"'))],
    ending: 'end',
    body: '',
    story: ['head', 'end'],
  },
  {
    title: 'RFC 9112 §6.3: a 204 is complete at the end of its head',
    steps: [send(head('HTTP/1.1 204 No Content'))],
    ending: 'end',
    body: '',
  },
  {
    title: 'RFC 9112 §6.3: bytes behind a 304 are no body',
    steps: [send(`${head('HTTP/1.1 304 Not Modified', 'Content-Length: 5')}hello`)],
    ending: 'end',
    body: '',
  },
  {
    title: 'RFC 9112 §6.3: bytes behind a 204 are no body',
    steps: [send(`${head('HTTP/1.1 204 No Content')}hello`)],
    ending: 'end',
    body: '',
  },
  {
    title: 'RFC 9112 §6.3: an answer to HEAD has no body, whatever its Content-Length',
    steps: [send(head(OK, 'Content-Length: 5'))],
    method: 'HEAD',
    ending: 'end',
    body: '',
  },
  {
    title: 'RFC 9112 §6.3: bytes behind an answer to HEAD are no body',
    steps: [send(`${head(OK, 'Content-Length: 5')}hello`)],
    method: 'HEAD',
    ending: 'end',
    body: '',
  },
  {
    title: 'RFC 9112 §6.3: an answer to HEAD without framing fields is complete',
    steps: [send(head(OK)), finish()],
    method: 'HEAD',
    ending: 'end',
    body: '',
  },
  {
    title: 'RFC 9110 §15.2: interim responses come before the head',
    steps: [
      send(head('HTTP/1.1 103 Early Hints', 'Link: </a>')),
      send(head('HTTP/1.1 102 Processing')),
      send(`${head(OK, 'Content-Length: 0')}`),
    ],
    ending: 'end',
    story: ['inform', 'inform', 'head', 'end'],
  },
  {
    title: 'RFC 9110 §15.2.1: a 100 that was not asked for is passed over',
    steps: [send(head('HTTP/1.1 100 Continue')), send(`${head(OK, 'Content-Length: 2')}ok`)],
    ending: 'end',
    body: 'ok',
    story: ['head', 'data', 'end'],
  },
  {
    title: 'RFC 9110 §15.2: a 100 in pieces, and one more, are passed over',
    steps: [
      send('HTTP/1.1'),
      pause,
      send(' 100 Continue\r\nX-A'),
      pause,
      send(`: b\r\n\r\n${head('HTTP/1.1 100')}`),
      send(`${head(OK, 'Content-Length: 2')}ok`),
    ],
    ending: 'end',
    body: 'ok',
    story: ['head', 'data', 'end'],
  },
  {
    title: 'RFC 9112 §6.1: Transfer-Encoding in an HTTP/1.0 answer is malformed',
    steps: [send(`${head('HTTP/1.0 200 OK', 'Transfer-Encoding: chunked')}2\r\nok\r\n0\r\n\r\n`)],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'RFC 9112 §8: fewer bytes than Content-Length are a truncated answer (clean end)',
    steps: [send(`${head(OK, 'Content-Length: 9')}hello`), finish()],
    ending: 'origin-truncated',
    body: 'hello',
  },
  {
    title: 'RFC 9112 §8: fewer bytes than Content-Length are a truncated answer (Connection: close)',
    steps: [send(`${head(OK, 'Connection: close', 'Content-Length: 9')}hello`), finish()],
    ending: 'origin-truncated',
    body: 'hello',
  },
  {
    title: 'RFC 9112 §8: no byte of a promised body is a truncated answer',
    steps: [send(head(OK, 'Content-Length: 9')), finish()],
    ending: 'origin-truncated',
    body: '',
  },
  {
    title: 'RFC 9112 §8: chunked without its last chunk is a truncated answer',
    steps: [send(`${head(OK, 'Transfer-Encoding: chunked')}5\r\nhello\r\n`), finish()],
    ending: 'origin-truncated',
    body: 'hello',
  },
  {
    title: 'RFC 9112 §8: chunked without its last chunk is a truncated answer (Connection: close)',
    steps: [send(`${head(OK, 'Connection: close', 'Transfer-Encoding: chunked')}5\r\nhello\r\n`), finish()],
    ending: 'origin-truncated',
    body: 'hello',
  },
  {
    title: 'RFC 9112 §8: chunked without the empty line at its end is a truncated answer',
    steps: [send(`${head(OK, 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n`), finish()],
    ending: 'origin-truncated',
  },
  {
    title: 'RFC 9112 §8: a head that is cut off is a truncated answer',
    steps: [send('HTTP/1.1 200 OK\r\nContent-Le'), finish()],
    ending: 'origin-truncated',
    story: ['fail'],
  },
  {
    title: 'a connection that ends before the first byte is reset',
    steps: [finish()],
    ending: 'origin-reset',
    story: ['fail'],
  },
  {
    title: 'a connection cut before the first byte is reset',
    steps: [reset()],
    ending: 'origin-reset',
    story: ['fail'],
  },
  {
    title: 'a bad chunk size is malformed',
    steps: [send(`${head(OK, 'Transfer-Encoding: chunked')}5\r\nhello\r\nzz\r\n`)],
    ending: 'origin-malformed',
  },
  {
    title: 'a chunk longer than its size is malformed',
    steps: [send(`${head(OK, 'Transfer-Encoding: chunked')}3\r\nhello\r\n0\r\n\r\n`)],
    ending: 'origin-malformed',
  },
  {
    title: 'RFC 9112 §6.3: two Content-Length fields are malformed',
    steps: [send(`${head(OK, 'Content-Length: 5', 'Content-Length: 6')}hello`)],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'RFC 9112 §6.3: a list of lengths is malformed',
    steps: [send(`${head(OK, 'Content-Length: 5, 6')}hello`)],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'a negative length is malformed',
    steps: [send(`${head(OK, 'Content-Length: -5')}hello`)],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'a length beyond all numbers is malformed',
    steps: [send(`${head(OK, 'Content-Length: 99999999999999999999999')}hello`)],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'RFC 9112 §6.3: a coding that nobody knows leaves the body to end with its connection',
    steps: [send(`${head(OK, 'Transfer-Encoding: LMNOPQR')}hello`), finish()],
    ending: 'end',
    body: 'hello',
  },
  {
    title: 'RFC 9112 §6.3: what only looks like chunked is malformed',
    steps: [send(`${head(OK, 'Transfer-Encoding: xchunked')}hello`), finish()],
    ending: 'origin-malformed',
  },
  {
    title: 'RFC 9112 §6.3: Transfer-Encoding beside Content-Length is malformed',
    steps: [send(`${head(OK, 'Content-Length: 5', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`)],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'RFC 9112 §6.3: Content-Length after Transfer-Encoding is malformed',
    steps: [send(`${head(OK, 'Transfer-Encoding: chunked', 'Content-Length: 5')}5\r\nhello\r\n0\r\n\r\n`)],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'RFC 9112 §6.1: a transfer coding that was not asked for is malformed',
    steps: [send(`${head(OK, 'Transfer-Encoding: gzip, chunked')}5\r\nhello\r\n0\r\n\r\n`)],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'RFC 9112 §6.1: a last transfer coding other than chunked is malformed',
    steps: [send(`${head(OK, 'Transfer-Encoding: gzip')}hello`), finish()],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'garbage is malformed',
    steps: [send('this is not HTTP\r\n\r\n')],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'a status of two digits is malformed',
    steps: [send(head('HTTP/1.1 20 OK', 'Content-Length: 0'))],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'RFC 9112 §2.3: HTTP/2.0 in a status line is malformed',
    steps: [send(head('HTTP/2.0 200 OK', 'Content-Length: 0'))],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'RFC 9112 §5.1: a blank before the colon is malformed',
    steps: [send(head(OK, 'X-A : b', 'Content-Length: 0'))],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'RFC 9112 §5.2: obs-fold is malformed',
    steps: [send(head(OK, 'X-A: b', ' c', 'Content-Length: 0'))],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'RFC 9110 §5.5: NUL in a field value is malformed',
    steps: [send(head(OK, 'X-A: b\0c', 'Content-Length: 0'))],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'RFC 9110 §5.5: a control byte in a field value is malformed',
    steps: [send(head(OK, 'X-A: b\x01c', 'Content-Length: 0'))],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'RFC 9112 §2.2: a bare CR in a field is malformed',
    steps: [send(head(OK, 'X-A: b\rc', 'Content-Length: 0'))],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'RFC 9112 §2.2: bare LF as a line end is malformed',
    steps: [send('HTTP/1.1 200 OK\nContent-Length: 0\n\n')],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'a field without a colon is malformed',
    steps: [send(head(OK, 'oops', 'Content-Length: 0'))],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'MAX_RESPONSE_FIELDS_BYTES: a larger field section is malformed',
    steps: [send(head(OK, `X-A: ${'a'.repeat(70_000)}`, 'Content-Length: 0'))],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'MAX_RESPONSE_FIELDS_BYTES: endless fields are malformed',
    steps: [send(`${OK}\r\n${'X-A: 0123456789\r\n'.repeat(6_000)}`)],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'MAX_INTERIM_RESPONSES: endless interim responses are malformed',
    steps: [send(head('HTTP/1.1 103 Early Hints', 'Link: </a>').repeat(40))],
    ending: 'origin-malformed',
  },
  {
    title: 'RFC 9110 §15.2.2: a 101 that nobody asked for is malformed',
    steps: [send(head('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'))],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'RFC 9110 §15.2.2: a bare 101 is malformed too',
    steps: [send(head('HTTP/1.1 101 Switching Protocols'))],
    ending: 'origin-malformed',
    story: ['fail'],
  },
  {
    title: 'RFC 9112 §7.1.2: a control byte in a trailer is malformed',
    steps: [send(`${head(OK, 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\nX-T: a\x01\r\n\r\n`)],
    ending: 'origin-malformed',
  },
];

for (const one of CASES) {
  t.test(one.title, async (t) => {
    const { origin, ask } = await setUp(t);
    origin.script(...one.steps);
    const recorder = await ask('/', one.method);
    t.equal(await recorder.ending(), one.ending, recorder.error?.message ?? 'no error');
    if (one.body !== undefined) t.equal(recorder.body, one.body);
    if (one.story !== undefined) t.same(recorder.story, one.story);
    // Whatever happened, the next exchange is not touched by it.
    origin.script(send(`${head(OK, 'Content-Length: 4')}next`));
    const next = await ask('/next');
    t.equal(next.body, 'next', next.error?.message ?? 'the next answer is the next answer');
  });
}

t.test('RFC 9112 §8: a reset is never the clean end of a body', async (t) => {
  for (const lines of [
    [OK],
    ['HTTP/1.0 200 OK'],
    [OK, 'Connection: close', 'Content-Length: 9'],
    [OK, 'Content-Length: 9'],
    [OK, 'Transfer-Encoding: chunked'],
  ]) {
    for (const paused of [false, true]) {
      const origin = await startScriptedOrigin();
      const client = clientFor(origin.url);
      const barrier = createBarrier();
      const body = lines[1]?.startsWith('Transfer') ? '5\r\nhello\r\n' : 'hello';
      origin.script(send(`${head(...lines)}${body}`), until(barrier), reset());
      const recorder = new Recorder();
      const exchange = client.fetch(get(), recorder);
      if (paused) recorder.onData = () => exchange.pause();
      await recorder.received(5);
      barrier.open();
      if (paused) {
        await origin.departed(1);
        await turns(20);
        exchange.resume();
      }
      t.equal(await recorder.ending(), 'origin-truncated', `${lines.join(' | ')} ${paused ? 'paused' : ''}`);
      await origin.close();
      await client.close();
    }
  }
});

t.test('a body that is paused over a clean end of the connection arrives whole', async (t) => {
  for (const lines of [[OK], [OK, 'Connection: close', 'Content-Length: 5']]) {
    const origin = await startScriptedOrigin();
    const client = clientFor(origin.url);
    const barrier = createBarrier();
    origin.script(send(`${head(...lines)}he`), until(barrier), send('llo'), finish());
    const recorder = new Recorder();
    const exchange = client.fetch(get(), recorder);
    recorder.onData = () => exchange.pause();
    await recorder.received(2);
    barrier.open();
    await turns(50);
    t.equal(recorder.body, 'he', 'nothing comes while paused');
    recorder.onData = () => {};
    exchange.resume();
    t.equal(await recorder.ending(), 'end');
    t.equal(recorder.body, 'hello');
    await origin.close();
    await client.close();
  }
});

t.test('surplus bytes behind an answer do not become the next one', async (t) => {
  const smuggled = `${head(OK, 'Content-Length: 4', 'X-Smuggled: 1')}evil`;
  for (const surplus of ['garbage', 'x', '\r\n\r\n', smuggled]) {
    const { origin, ask } = await setUp(t);
    origin.script(send(`${head(OK, 'Content-Length: 5')}hello${surplus}`));
    origin.script(send(`${head(OK, 'Content-Length: 4')}next`));
    t.equal((await ask('/a')).body, 'hello');
    const next = await ask('/b');
    t.equal(next.body, 'next', JSON.stringify(surplus));
  }
});

t.test('surplus bytes that come while the connection is idle close it', async (t) => {
  const { origin, ask } = await setUp(t);
  const barrier = createBarrier();
  const smuggled = `${head(OK, 'Content-Length: 4')}evil`;
  origin.script(send(`${head(OK, 'Content-Length: 5')}hello`), until(barrier), send(smuggled));
  origin.script(send(`${head(OK, 'Content-Length: 4')}next`));
  t.equal((await ask('/a')).body, 'hello');
  barrier.open();
  await origin.departed(1);
  t.equal((await ask('/b')).body, 'next');
  t.equal(origin.connectionCount, 2);
});

t.test('fields keep their case, order and duplicates, latin1 and all; blanks around values go', async (t) => {
  const { origin, ask } = await setUp(t);
  origin.script(
    send(
      head('HTTP/1.1 200 Tr\xe8s bien', 'X-B: 1', 'sEt-CooKie: a=\xff', 'X-B:  2 \t', 'X-Empty:', 'Content-Length: 0'),
    ),
  );
  const recorder = await ask();
  t.same(recorder.response?.fields.raw, [
    'X-B',
    '1',
    'sEt-CooKie',
    'a=\xff',
    'X-B',
    '2',
    'X-Empty',
    '',
    'Content-Length',
    '0',
  ]);
  t.equal(recorder.response?.status, 200);
  t.match(recorder.response?.reasonPhrase, /^[\t\x20-\xff]*$/);
});

t.test('RFC 9110 §6.5: trailers are handed over apart', async (t) => {
  const { origin, ask } = await setUp(t);
  origin.script(
    send(`${head(OK, 'Transfer-Encoding: chunked', 'Trailer: X-T')}2\r\nab\r\n0\r\nX-T: 1\r\nX-T: 2\r\n\r\n`),
  );
  const recorder = await ask();
  t.same(recorder.trailers?.raw, ['X-T', '1', 'X-T', '2']);
  t.notOk(recorder.response?.fields.has('x-t'));
});

t.test('interim fields are handed over', async (t) => {
  const { origin, ask } = await setUp(t);
  origin.script(
    send(head('HTTP/1.1 103 Early Hints', 'Link: </a>', 'Link: </b>')),
    send(head(OK, 'Content-Length: 0')),
  );
  const recorder = await ask();
  t.equal(recorder.interim[0]?.status, 103);
  t.same(recorder.interim[0]?.fields.lines('link'), ['</a>', '</b>']);
  t.notOk(recorder.response?.fields.has('link'));
});

t.test('the request goes out as given', async (t) => {
  const origin = await startScriptedOrigin();
  origin.respond(() => ({}));
  const client = clientFor(origin.url);
  t.teardown(async () => {
    await client.close();
    await origin.close();
  });
  const recorder = new Recorder();
  const fields = new Fields(['HOST', 'a.example:81', 'X-A', '1', 'accept', '*/*', 'X-A', '\xe9', 'X-Empty', '']);
  client.fetch(get('/a/../b//c?q={|}&x=%2f', fields), recorder);
  t.equal(await recorder.ending(), 'end');
  const request = await origin.seen(1);
  t.equal(
    request.head,
    [
      'GET /a/../b//c?q={|}&x=%2f HTTP/1.1',
      'host: a.example:81',
      'connection: keep-alive',
      'X-A: 1',
      'accept: */*',
      'X-A: \xe9',
      'X-Empty: ',
    ].join('\r\n'),
  );
});

t.test('no request makes fetch throw or call back at once', async (t) => {
  const origin = await startScriptedOrigin();
  origin.respond(() => ({}));
  const client = clientFor(origin.url, { connections: 1 });
  t.teardown(async () => {
    await client.close();
    await origin.close();
  });
  const H = ['Host', 'a'];
  const cases: [target: string, raw: string[], ending: string][] = [
    ['/', [...H, 'Connection', 'x'], 'end'],
    ['/', [...H, 'Keep-Alive', 'timeout=5'], 'end'],
    ['/', [...H, 'Expect', '100-continue'], 'end'],
    ['/', [...H, 'Upgrade', 'h2c'], 'end'],
    ['/', [...H, 'Transfer-Encoding', 'chunked'], 'end'],
    ['/', [...H, 'Content-Length', '5'], 'end'],
    ['/', [], 'end'],
    ['/', [...H, 'Host', 'b'], 'origin-aborted'],
    ['/', [...H, 'X-A', 'a\nb'], 'origin-aborted'],
    ['/', [...H, 'X-A', '\u0100'], 'origin-aborted'],
    ['/', [...H, 'X A', 'b'], 'origin-aborted'],
    ['/', [...H, '', 'b'], 'origin-aborted'],
    ['*', H, 'origin-aborted'],
    ['', H, 'origin-aborted'],
    ['/a b', H, 'origin-aborted'],
    ['/\u0100', H, 'origin-aborted'],
    ['/a\r\nX: y', H, 'origin-aborted'],
  ];
  for (const [target, raw, ending] of cases) {
    const recorder = new Recorder();
    client.fetch(get(target, new Fields(raw)), recorder);
    t.same(recorder.story, [], 'nothing is called from within fetch');
    t.equal(await recorder.ending(), ending, JSON.stringify([target, raw]));
  }
});
