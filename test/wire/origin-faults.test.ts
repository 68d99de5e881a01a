// Goal: an origin's answer that is not HTTP to the letter is never stored and never ends cleanly; the next request is fresh.
// Method: each broken answer as raw bytes, through the cache (GET) and through the pass lane (POST), over real sockets.
import t, { type Test } from 'tap';
import { createBarrier, turns } from '../kit/barrier.js';
import { detailOf, metric, type OpenProxy, openProxy, request, settled } from '../kit/proxy-kit.js';
import { CutOff, type RawResponse } from '../kit/raw-client.js';
import { finish, reset, type Step, send, until } from '../kit/scripted-origin.js';

const OK = 'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nETag: "1"\r\n';
const withFields = (...lines: string[]) => send(`${OK}${lines.map((line) => `${line}\r\n`).join('')}\r\n`);
const chunks = (bytes: string) => send(`${OK}Transfer-Encoding: chunked\r\n\r\n${bytes}`);

interface Fault {
  readonly title: string;
  readonly steps: readonly Step[];
  /** The reason code where nothing was sent to the client yet. */
  readonly detail: string;
}

/** node:http does not tell whether a byte of a head came before the connection ended. */
const RESET_OR_TRUNCATED: ReadonlySet<string> = new Set(['origin-reset', 'origin-truncated']);

const fault = (title: string, detail: string, ...steps: Step[]): Fault => ({ title, detail, steps });
const bad = (title: string, ...steps: Step[]): Fault => fault(title, 'origin-malformed', ...steps);
const short = (title: string, ...steps: Step[]): Fault => fault(title, 'origin-truncated', ...steps);

/** The head is at fault: the client gets a 502. */
const HEADS: readonly Fault[] = [
  bad('garbage in place of a status line', send('nonsense\r\n\r\n'), finish()),
  bad('another protocol', send('SSH-2.0-OpenSSH_9.2\r\n'), finish()),
  bad('HTTP/0.9: a body and no head', send('<html></html>'), finish()),
  bad('a status line of HTTP/2.0', send('HTTP/2.0 200 OK\r\nContent-Length: 1\r\n\r\na')),
  bad('a status of two digits', send('HTTP/1.1 20 OK\r\nContent-Length: 1\r\n\r\na'), finish()),
  bad('a status of four digits', send('HTTP/1.1 2000 OK\r\nContent-Length: 1\r\n\r\na'), finish()),
  bad('a status that is no number', send('HTTP/1.1 abc OK\r\nContent-Length: 1\r\n\r\na'), finish()),
  bad('a status of 0', send('HTTP/1.1 000 OK\r\nContent-Length: 1\r\n\r\na'), finish()),
  bad('two different Content-Lengths', withFields('Content-Length: 1', 'Content-Length: 2'), send('ab')),
  bad('a list of different Content-Lengths', withFields('Content-Length: 1, 2'), send('ab')),
  bad('a Content-Length that is no number', withFields('Content-Length: abc'), send('ab')),
  bad('a negative Content-Length', withFields('Content-Length: -1'), send('ab')),
  bad('a Content-Length with a sign', withFields('Content-Length: +1'), send('a')),
  bad('a hexadecimal Content-Length', withFields('Content-Length: 0x1'), send('a')),
  bad('a Content-Length beyond 64 bits', withFields('Content-Length: 99999999999999999999'), send('a')),
  bad(
    'Content-Length beside Transfer-Encoding',
    withFields('Content-Length: 5', 'Transfer-Encoding: chunked'),
    send('0\r\n\r\n'),
  ),
  bad(
    'Transfer-Encoding beside Content-Length',
    withFields('Transfer-Encoding: chunked', 'Content-Length: 5'),
    send('0\r\n\r\n'),
  ),
  bad('a coding behind chunked', withFields('Transfer-Encoding: chunked, gzip'), send('0\r\n\r\n'), finish()),
  bad('a compression as transfer coding', withFields('Transfer-Encoding: gzip, chunked'), send('0\r\n\r\n'), finish()),
  bad('a space before the colon', withFields('X : y', 'Content-Length: 1'), send('a')),
  bad('obs-fold', withFields('X: y', ' z', 'Content-Length: 1'), send('a')),
  bad('NUL in a value', withFields('X: y\0z', 'Content-Length: 1'), send('a')),
  bad('NUL in a name', withFields('X\0: y', 'Content-Length: 1'), send('a')),
  bad('a control byte in a value', withFields('X: y\x01z', 'Content-Length: 1'), send('a')),
  bad('a bare CR in a value', withFields('X: y\rz', 'Content-Length: 1'), send('a')),
  bad('a line without a colon', withFields('nonsense', 'Content-Length: 1'), send('a')),
  bad('a head beyond its limit', withFields(`X: ${'a'.repeat(70_000)}`, 'Content-Length: 1'), send('a')),
  bad('a head that never ends', send(OK), send(`X: ${'a'.repeat(1000)}\r\n`.repeat(200))),
  bad(
    'an upgrade that nobody asked for',
    send('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
  ),
  bad('interim responses without end', send('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(100))),
  fault('the end before a byte', 'origin-reset', finish()),
  fault('a reset before a byte', 'origin-reset', reset()),
  short('the end within the status line', send('HTTP/1.1 2'), finish()),
  short('the end within the fields', send(`${OK}X: y`), finish()),
  short('a reset within the fields', send(`${OK}X: y`), reset()),
];

/** The body is at fault: the head may be with the client by then. */
const BODIES: readonly Fault[] = [
  short('Content-Length too long', withFields('Content-Length: 10'), send('abc'), finish()),
  short('a reset within a sized body', withFields('Content-Length: 10'), send('abc'), reset()),
  short('a reset within a body that ends with the connection', withFields(), send('abc'), reset()),
  short('chunks without the last one', chunks('3\r\nabc\r\n'), finish()),
  short('the end within a chunk', chunks('5\r\nabc'), finish()),
  short('the end within the last chunk', chunks('3\r\nabc\r\n0\r\n'), finish()),
  short('a reset within a chunk', chunks('5\r\nabc'), reset()),
  bad('a chunk size that is no number', chunks('3\r\nabc\r\nxyz\r\n')),
  bad('a negative chunk size', chunks('3\r\nabc\r\n-1\r\n')),
  bad('a chunk size with 0x', chunks('3\r\nabc\r\n0x1\r\n')),
  bad('a chunk size beyond 64 bits', chunks('3\r\nabc\r\nfffffffffffffffff1\r\n')),
  bad('a chunk longer than its size', chunks('3\r\nabcd\r\n0\r\n\r\n')),
  bad('a bare LF behind a chunk', chunks('3\r\nabc\n0\r\n\r\n')),
  bad('a trailer with a space in its name', chunks('3\r\nabc\r\n0\r\nX Y: z\r\n\r\n')),
  bad('a trailer with a control byte', chunks('3\r\nabc\r\n0\r\nX: \x01\r\n\r\n')),
];

/** The whole response, or undefined where it broke off. */
async function outcomeOf(house: OpenProxy, bytes: string): Promise<RawResponse | undefined> {
  try {
    return await house.ask(bytes);
  } catch (error) {
    if (error instanceof CutOff) return undefined;
    throw error;
  }
}

const LANES = [
  ['stored', request('GET', '/x')],
  ['passed', request('POST', '/x', 'Content-Length: 0')],
] as const;

async function mustFail(t: Test, { steps, detail }: Fault, bytes: string, isHead: boolean): Promise<void> {
  const house = await openProxy(t);
  house.origin.script(...steps);
  // What an interrupted download asks for to go on is not to be had either.
  house.origin.respond(() => ({ status: 404, body: 'fresh' }));
  const response = await outcomeOf(house, bytes);
  if (isHead || response !== undefined) {
    t.equal(response?.status, 502);
    const told = response === undefined ? '' : detailOf(response);
    if (detail === 'origin-truncated') t.ok(RESET_OR_TRUNCATED.has(told), told);
    else t.equal(told, detail);
    t.equal(response?.field('cdn-cache'), 'ERROR');
    t.notOk(response?.field('x'), 'nothing of the broken answer comes through');
  }
  t.equal(metric(await house.metrics(), 'patina_objects'), 0, 'nothing is stored');
  t.equal(metric(await house.metrics(), 'patina_reserved_bytes'), 0);
  const next = await house.get('/x');
  t.equal(next.status, 404);
  t.equal(next.body.toString(), 'fresh');
  t.not(house.origin.requests.at(-1)?.connection, 1, 'the connection was not used again');
}

for (const [lane, bytes] of LANES) {
  t.test(`a malformed head, ${lane}`, async (t) => {
    for (const one of HEADS) {
      t.test(`RFC 9112 §8: ${one.title} is a 502, and not stored`, (t) => mustFail(t, one, bytes, true));
    }
  });
  t.test(`a malformed body, ${lane}`, async (t) => {
    for (const one of BODIES) {
      t.test(`RFC 9112 §8: ${one.title} never ends cleanly, and is not stored`, (t) => mustFail(t, one, bytes, false));
    }
  });
}

t.test('RFC 9112 §6.3: bytes beyond Content-Length are no answer to the next request', async (t) => {
  for (const [lane, bytes] of LANES) {
    const house = await openProxy(t);
    const poison = `${OK}Content-Length: 4\r\n\r\nevil`;
    house.origin.script(withFields('Content-Length: 3'), send(`abc${poison}`));
    house.origin.respond(({ target }) => ({ body: `fresh ${target}` }));
    const client = await house.connect();
    t.equal((await client.send(bytes).response()).body.toString(), 'abc', lane);
    client.send(request('GET', '/y'));
    t.equal((await client.response()).body.toString(), 'fresh /y', lane);
    client.send(request('POST', '/z', 'Content-Length: 0'));
    t.equal((await client.response()).body.toString(), 'fresh /z', lane);
  }
});

t.test('design 1: a malformed answer to a refresh leaves what is stored in place, served stale', async (t) => {
  for (const one of [...HEADS, ...BODIES]) {
    const house = await openProxy(t, { conf: { defaults: { stale_if_error: '1h' } } });
    house.origin.script(
      send('HTTP/1.1 200 OK\r\nCache-Control: max-age=0\r\nETag: "0"\r\nContent-Length: 4\r\n\r\ngood'),
    );
    t.equal((await house.get('/x')).body.toString(), 'good');
    house.origin.script(...one.steps);
    // What is repeated on a fresh connection fails too.
    house.origin.respond(() => ({ status: 503 }));
    // Only the head can be waited for; a body that breaks off is seen by the one who asked.
    await outcomeOf(house, request('GET', '/x'));
    const later = await house.get('/x');
    t.equal(later.body.toString(), 'good', one.title);
    t.equal(later.field('cdn-cache'), 'STALE', one.title);
    await house.origin.close();
  }
});

const UNREADABLE = ['GET /next HTT', 'no request\r\n\r\n'];
const HALVES = ['Content-Length: 100\r\n\r\nabc', 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'];

t.test(
  'RFC 9112 §8: behind a reply that breaks off nothing else is said, not even of what is no request',
  async (t) => {
    for (const lane of ['on', 'off']) {
      for (const half of HALVES) {
        for (const next of UNREADABLE) {
          const house = await openProxy(t, { conf: { fast_lane: lane } });
          const barrier = createBarrier();
          house.origin.script(send(`HTTP/1.1 200 OK\r\n${half}`), until(barrier), reset());
          const client = await house.connect();
          let heard = '';
          client.socket.on('data', (chunk: Buffer) => {
            heard += chunk.toString('latin1');
          });
          client.send(request('GET', '/x') + next).finish();
          await settled(() => heard.includes('abc'));
          await turns(20);
          barrier.open();
          await client.ended;
          t.match(heard, /\r\n\r\n(3\r\n)?abc(\r\n)?$/, `${lane}, ${next}`);
        }
      }
    }
  },
);

/** The fast lane reads ahead GETs and HEADs alone. */
const READ_AHEAD = [
  ['GET', 'on'],
  ['GET', 'off'],
  ['DELETE', 'off'],
];

/** Two replies, of which the second breaks off before its turn: the first is whole, and then the connection ends. */
async function breakSecond(t: Test, [method = '', lane]: readonly string[], behind: string): Promise<void> {
  const house = await openProxy(t, { conf: { fast_lane: lane } });
  const [first, second] = [createBarrier(), createBarrier()];
  house.origin.perform(({ target }) => {
    if (target === '/first') return [withFields('Content-Length: 6'), send('abc'), until(first), send('def')];
    if (target === '/third') return [withFields('Content-Length: 3'), send('ghi')];
    return [send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nxyz'), until(second), reset()];
  });
  const client = await house.connect();
  const isWhole = behind.endsWith('\r\n\r\n');
  client.send(`${request('GET', '/first')}${request(method, '/second')}${behind}`);
  if (!isWhole) client.finish();
  const one = await client.head();
  await house.origin.seen(isWhole ? 3 : 2);
  await turns(20);
  second.open();
  await turns(20);
  first.open();
  t.equal((await one.whole()).body.toString(), 'abcdef', `${method}, ${lane}`);
  await t.rejects(client.response(), CutOff, `${method}, ${lane}`);
}

t.test(
  'RFC 9112 §9.3.2: a reply that breaks off cuts none of those before it, and has no other in its place',
  async (t) => {
    for (const way of READ_AHEAD) await breakSecond(t, way, 'GET /next HTT');
  },
);

t.test(
  'RFC 9112 §9.3.2: a reply that breaks off before its turn cuts those behind it when that has come',
  async (t) => {
    for (const way of READ_AHEAD) await breakSecond(t, way, request(way[0] ?? '', '/third'));
  },
);
