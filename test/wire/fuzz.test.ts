// Goal: whatever bytes a client makes of pieces of HTTP, the origin sees well-formed requests alone, and the next client
// its own answer. Method: fast-check strings pieces together; the scripted origin and the raw client parse strictly.
import fc from 'fast-check';
import t from 'tap';
import { HOST, metric, openProxy, request, settled } from '../kit/proxy-kit.js';
import { CutOff } from '../kit/raw-client.js';

const RUNS = 250;

const LINES = [
  'GET /x HTTP/1.1',
  'POST /x HTTP/1.1',
  'HEAD /x HTTP/1.1',
  'GET http://b.example/x HTTP/1.1',
  'POST /x HTTP/1.0',
  'OPTIONS * HTTP/1.1',
  'GET /x',
  `Host: ${HOST}`,
  'Host: b.example',
  'Content-Length: 5',
  'Content-Length: 0',
  'Content-Length:5',
  'content-length: 05',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: Chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding : chunked',
  'Connection: close',
  'Connection: keep-alive, content-length',
  'Expect: 100-continue',
  'Upgrade: websocket',
  'Connection: upgrade',
  'X: y',
  ' folded',
  '5',
  '0',
  '5;ext=1',
  '',
];
const ENDS = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', ''];
const SCRAPS = ['abcde', 'a', ' ', '\t', '\0', ':', ';', '\x0b', '\xff', '0\r\n\r\n', '\r\n\r\n', '5\r\nabcde\r\n'];

const piece = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(fc.constantFrom(...LINES), fc.constantFrom(...ENDS)).map(([line, end]) => line + end),
  },
  { weight: 2, arbitrary: fc.constantFrom(...SCRAPS) },
);
/** A head that is nearly right, which what follows may or may not complete. */
const opening = fc.constantFrom(
  '',
  `GET /x HTTP/1.1\r\nHost: ${HOST}\r\n`,
  `POST /x HTTP/1.1\r\nHost: ${HOST}\r\n`,
  request('POST', '/x', 'Transfer-Encoding: chunked'),
  request('POST', '/x', 'Content-Length: 5'),
);
const stream = fc
  .tuple(opening, fc.array(piece, { minLength: 1, maxLength: 12 }))
  .map(([first, rest]) => first + rest.join(''));

t.test(
  'property: no string of pieces of HTTP reaches the origin malformed, or changes what another client gets',
  async (t) => {
    const house = await openProxy(t, { conf: { origin: { timeouts: { headers: '2s', idle: '2s' } } } });
    house.origin.respond(async (seen) => {
      await seen.ending;
      const body = `${seen.method} ${seen.field('host')} ${seen.target} ${seen.body.toString('latin1')}`;
      return { fields: ['Cache-Control', 'max-age=60'], body };
    });
    await fc.assert(
      fc.asyncProperty(stream, async (bytes) => {
        const client = await house.connect();
        client.send(bytes).finish();
        // Answers are read as such; the strict parser of the kit rejects with anything but CutOff where one breaks the grammar.
        for (let count = 0; count < 20; count++) {
          try {
            await client.response(/^HEAD/.test(bytes) ? 'HEAD' : 'GET');
          } catch (error) {
            if (!(error instanceof CutOff) && !/^HEAD|HEAD \/x/.test(bytes)) throw error;
            break;
          }
        }
        await client.ended;
        client.close();
        const clean = await house.get('/x');
        if (clean.body.toString() !== `GET ${HOST} /x `) throw new Error(`poisoned: ${clean.body}`);
      }),
      { numRuns: RUNS, verbose: 1 },
    );
    t.ok(house.answered.length >= RUNS);
    await settled(() => house.origin.requests.length > 0);
    const metrics = await house.metrics();
    t.equal(metric(metrics, 'patina_fills_in_flight'), 0);
    t.equal(metric(metrics, 'patina_reserved_bytes'), 0);
    t.equal(metric(metrics, 'patina_notices_total', 'code="internal"'), 0);
  },
);
