// Goal: the origin's answers are read alike however they are split, and what could be read in two ways is refused. Method: properties over generated answers, node's own parser beside ours, and tables of broken ones.
import { request } from 'node:http';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import t from 'tap';
import { MAX_INTERIM_RESPONSES, MAX_RESPONSE_FIELDS_BYTES } from '../../lib/base/limits.js';
import {
  MAX_CHUNK_EXTENSION_BYTES,
  MAX_CHUNK_LINE_BYTES,
  MAX_KNOWN_FIELD_VALUE_LENGTH,
  MAX_RESPONSE_FIELD_COUNT,
} from '../../lib/base/origin-limits.js';
import { refusal, type Sample, sample, type Told, tell } from './answers.kit.js';

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

/** Each is refused, for a reason of its own. */
const REFUSED: readonly [title: string, answer: string][] = [
  ['nothing of HTTP', 'SSH-2.0-OpenSSH\r\n'],
  ['nothing of HTTP, without the end of a line', '\x16\x03\x01'],
  ['an empty line before the status line', `\r\n${OK}\r\n`],
  ['HTTP/0.9', '<html>'],
  ['HTTP/2.0', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['HTTP/1', 'HTTP/1 200 OK\r\n\r\n'],
  ['HTTP/1.x', 'HTTP/1.x 200 OK\r\n\r\n'],
  ['HTTP/11.1', 'HTTP/11.1 200 OK\r\n\r\n'],
  ['HTTP/1.10', 'HTTP/1.10 200 OK\r\n\r\n'],
  ['lower case', 'http/1.1 200 OK\r\n\r\n'],
  ['two blanks before the status', 'HTTP/1.1  200 OK\r\n\r\n'],
  ['a tab before the status', 'HTTP/1.1\t200 OK\r\n\r\n'],
  ['a tab behind the status', 'HTTP/1.1 200\tOK\r\n\r\n'],
  ['a status of two digits', 'HTTP/1.1 20\r\n\r\n'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
  ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
  ['a status with a sign', 'HTTP/1.1 +20 OK\r\n\r\n'],
  ['no status', 'HTTP/1.1\r\n\r\n'],
  ['101', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'],
  ['LF alone behind the status line', 'HTTP/1.1 200 OK\n\r\n'],
  ['LF alone behind a field', `${OK}A: b\n\r\n`],
  ['LF alone at the end of the head', `${OK}A: b\r\n\n`],
  ['CR CR LF', `${OK}A: b\r\r\n\r\n`],
  ['CR in a value', `${OK}A: b\rC: d\r\n\r\n`],
  ['CR in a name', `${OK}A\rB: c\r\n\r\n`],
  ['NUL in a value', `${OK}A: b\0\r\n\r\n`],
  ['NUL in a name', `${OK}A\0: b\r\n\r\n`],
  ['DEL in a value', `${OK}A: \x7f\r\n\r\n`],
  ['a blank before the colon', `${OK}A : b\r\n\r\n`],
  ['a tab before the colon', `${OK}A\t: b\r\n\r\n`],
  ['a blank before the first name', `${OK} A: b\r\n\r\n`],
  ['a folded line', `${OK}A: b\r\n c\r\n\r\n`],
  ['a line folded with a tab', `${OK}A: b\r\n\tc\r\n\r\n`],
  ['a folded line that looks like a field', `${OK}A: b\r\n Content-Length: 3\r\n\r\n`],
  ['no name', `${OK}: b\r\n\r\n`],
  ['no colon', `${OK}A\r\n\r\n`],
  ['a name with brackets', `${OK}A(b): c\r\n\r\n`],
  ['a name beyond ASCII', `${OK}\xc4: c\r\n\r\n`],
  ['an empty length', `${OK}Content-Length:\r\n\r\n`],
  ['a length with a plus', `${OK}Content-Length: +3\r\n\r\n`],
  ['a length with a minus', `${OK}Content-Length: -3\r\n\r\n`],
  ['a length with a point', `${OK}Content-Length: 3.0\r\n\r\n`],
  ['a length in hex', `${OK}Content-Length: 0x3\r\n\r\n`],
  ['a length with a blank in it', `${OK}Content-Length: 1 2\r\n\r\n`],
  ['a length in fullwidth digits, as bytes', `${OK}Content-Length: \xef\xbc\x93\r\n\r\n`],
  ['a length beyond 2^53', `${OK}Content-Length: 9007199254740993\r\n\r\n`],
  ['a length beyond 2^64', `${OK}Content-Length: 18446744073709551619\r\n\r\n`],
  ['lengths that differ', `${OK}Content-Length: 3\r\nContent-Length: 4\r\n\r\n`],
  ['lengths that differ in one line', `${OK}Content-Length: 3, 4\r\n\r\n`],
  ['lengths that are written differently', `${OK}Content-Length: 3\r\nContent-Length: 03\r\n\r\n`],
  ['a length and an empty one', `${OK}Content-Length: 3,\r\n\r\n`],
  ['a length in an answer without a body', 'HTTP/1.1 304 No\r\nContent-Length: x\r\n\r\n'],
  ['both framings', `${OK}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n`],
  [
    'both framings, in an answer without a body',
    'HTTP/1.1 304 No\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n',
  ],
  ['chunked twice', `${OK}Transfer-Encoding: chunked, chunked\r\n\r\n`],
  ['chunked twice, in two lines', `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`],
  ['chunked not last', `${OK}Transfer-Encoding: chunked, gzip\r\n\r\n`],
  ['gzip, chunked', `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`],
  ['chunked with a parameter', `${OK}Transfer-Encoding: chunked;q=1\r\n\r\n`],
  ['chunked in quotes', `${OK}Transfer-Encoding: "chunked"\r\n\r\n`],
  ['an empty coding', `${OK}Transfer-Encoding:\r\n\r\n`],
  ['a coding in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['no chunk size', `${CHUNKED}\r\n`],
  ['a chunk size with a sign', `${CHUNKED}+3\r\nabc\r\n`],
  ['a chunk size with 0x', `${CHUNKED}0x3\r\nabc\r\n`],
  ['a blank before a chunk size', `${CHUNKED} 3\r\nabc\r\n`],
  ['a blank behind a chunk size', `${CHUNKED}3 \r\nabc\r\n`],
  ['a chunk size beyond all numbers', `${CHUNKED}fffffffffffffffff\r\nabc\r\n`],
  ['LF alone behind a chunk size', `${CHUNKED}3\nabc\r\n`],
  ['LF alone behind an extension', `${CHUNKED}3;a\nabc\r\n`],
  ['CR in an extension', `${CHUNKED}3;a\rb\r\nabc\r\n`],
  ['NUL in an extension', `${CHUNKED}3;a\0\r\nabc\r\n`],
  ['what is no extension', `${CHUNKED}3 a\r\nabc\r\n`],
  ['a chunk that is too long', `${CHUNKED}3\r\nabcd\r\n`],
  ['LF alone behind a chunk', `${CHUNKED}3\r\nabc\n`],
  ['CR and no LF behind a chunk', `${CHUNKED}3\r\nabc\rx`],
  ['a bad trailer', `${CHUNKED}0\r\nA : b\r\n\r\n`],
  ['a folded trailer', `${CHUNKED}0\r\nA: b\r\n c\r\n\r\n`],
  ['LF alone at the end of the trailers', `${CHUNKED}0\r\n\n`],
  ['an answer within an answer to a chunk', `${CHUNKED}0\r\n${OK}\r\n`],
  ['a broken interim response', 'HTTP/1.1 103 Early\r\nA : b\r\n\r\n'],
];

t.test('RFC 9112 §2.2, §4, §5, §6, §7: an answer that breaks the grammar is refused', async (t) => {
  for (const [title, answer] of REFUSED) t.not(refusal(answer), '', title);
});

t.test('RFC 9112 §6: it is refused however it is split', async (t) => {
  for (const [title, answer] of REFUSED) {
    const everywhere = Array.from({ length: answer.length }, (_, i) => i + 1);
    const whole = tell(answer);
    t.same({ ...tell(answer, everywhere), surplus: 0 }, { ...whole, surplus: 0 }, title);
  }
});

const TAKEN: readonly [title: string, answer: string, expected: Partial<Told>][] = [
  ['RFC 9112 §4: no reason, and no blank before it', 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n', { reason: '' }],
  [
    'RFC 9110 §2.5: a later minor version',
    'HTTP/1.2 200 OK\r\nContent-Length: 1\r\n\r\nx',
    { body: 'x', keepsAlive: true },
  ],
  [
    'RFC 9112 §6.3: equal lengths are one, and go on as one',
    `${OK}Content-Length: 3\r\nA: b\r\nContent-Length: 3, 3\r\n\r\nabc`,
    { body: 'abc', fields: ['A', 'b', 'Content-Length', '3'] },
  ],
  [
    'RFC 9112 §7: coding names know no case',
    `${OK}Transfer-Encoding: CHUNKED\r\n\r\n1\r\nx\r\n0\r\n\r\n`,
    { body: 'x' },
  ],
  [
    'RFC 9112 §7.1.1: blanks around the semicolon of an extension',
    `${CHUNKED}1 \t; a = "b;\\"c"\r\nx\r\n0;z\r\n\r\n`,
    { body: 'x', ending: 'complete' },
  ],
  [
    'RFC 9112 §7.1: leading zeros of a chunk size',
    `${CHUNKED}0001\r\nx\r\n000\r\n\r\n`,
    { body: 'x', ending: 'complete' },
  ],
  ['RFC 9112 §6.3: bytes behind the end are surplus', `${OK}Content-Length: 1\r\n\r\nxyz`, { body: 'x', surplus: 2 }],
  [
    'RFC 9112 §6.3: a 304 has no body, chunked or not',
    `HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n0`,
    { surplus: 1 },
  ],
  ['RFC 9112 §9.3: close', `${OK}Connection: x, Close\r\nContent-Length: 0\r\n\r\n`, { keepsAlive: false }],
  ['RFC 9112 §9.3: HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', { keepsAlive: false }],
  [
    'RFC 9112 §9.3: HTTP/1.0 that says so',
    'HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n',
    { keepsAlive: true },
  ],
  ['RFC 9112 §9.3: a 304 with a length', 'HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n', { keepsAlive: true }],
  [
    'RFC 9110 §15.2.1: a 100 behind another interim response',
    `HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 0\r\n\r\n`,
    {
      interim: [
        { status: 103, fields: ['A', 'b'] },
        { status: 100, fields: [] },
      ],
      ending: 'complete',
    },
  ],
];

t.test('an answer that is unusual and valid is taken', async (t) => {
  for (const [title, answer, expected] of TAKEN)
    t.match({ ...tell(answer), expected }, { ...expected, expected }, title);
});

t.test('the limits hold at their last byte', async (t) => {
  const fields = (count: number): string => `${OK}${'A: b\r\n'.repeat(count)}Content-Length: 0\r\n\r\n`;
  t.equal(tell(fields(MAX_RESPONSE_FIELD_COUNT - 1)).ending, 'complete');
  t.equal(tell(fields(MAX_RESPONSE_FIELD_COUNT)).ending, 'refused');
  const wide = (bytes: number): string => `${OK}A: ${'b'.repeat(bytes)}`;
  t.equal(tell(wide(MAX_RESPONSE_FIELDS_BYTES - 100)).ending, 'open');
  t.equal(tell(wide(MAX_RESPONSE_FIELDS_BYTES)).ending, 'refused', 'though its line has no end');
  t.equal(tell(`${wide(MAX_RESPONSE_FIELDS_BYTES)}\r\n`).ending, 'refused');
  const interim = (count: number): string => `${'HTTP/1.1 103 E\r\n\r\n'.repeat(count)}${OK}Content-Length: 0\r\n\r\n`;
  t.equal(tell(interim(MAX_INTERIM_RESPONSES)).ending, 'complete');
  t.equal(tell(interim(MAX_INTERIM_RESPONSES + 1)).ending, 'refused');
  t.equal(tell(`${CHUNKED}${'0'.repeat(MAX_CHUNK_LINE_BYTES + 1)}`).ending, 'refused', 'a size without end');
  t.equal(tell(`${CHUNKED}1;${'a'.repeat(MAX_CHUNK_LINE_BYTES)}\r\nx`).ending, 'refused');
  const extended = `1;${'a'.repeat(MAX_CHUNK_LINE_BYTES - 10)}\r\nx\r\n`;
  const count = Math.ceil(MAX_CHUNK_EXTENSION_BYTES / (MAX_CHUNK_LINE_BYTES - 10));
  t.equal(tell(`${CHUNKED}${extended.repeat(count - 1)}0\r\n\r\n`).ending, 'complete');
  t.equal(tell(`${CHUNKED}${extended.repeat(count + 1)}`).ending, 'refused');
  t.equal(tell(`${CHUNKED}0\r\n${'A: b\r\n'.repeat(MAX_RESPONSE_FIELD_COUNT + 1)}`).ending, 'refused', 'trailers');
});

t.test('RFC 9112 §8: an answer is complete with its last byte and not before', async (t) => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(sample, ({ method, bytes, isClosed }) => {
        if (isClosed) return tell(bytes, [], method).ending === 'open';
        return (
          tell(bytes, [], method).ending === 'complete' && tell(bytes.slice(0, -1), [], method, true).ending === 'open'
        );
      }),
    ),
  );
});

t.test('every split of the bytes of an answer gives the same result', async (t) => {
  const cuts = fc.oneof(
    fc.array(fc.nat({ max: 600 }), { maxLength: 8 }),
    fc.constant(Array.from({ length: 2000 }, (_, i) => i)),
  );
  const surplus = fc.constantFrom('', 'x', '\r\n', OK);
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(sample, cuts, surplus, ({ method, bytes, isClosed }, where, behind) => {
        const all = isClosed ? bytes : bytes + behind;
        const within = where.filter((cut) => cut < all.length);
        const whole = tell(all, [], method, isClosed);
        if (whole.ending !== 'complete') throw new Error(whole.ending);
        if (!isClosed && whole.surplus !== behind.length) throw new Error('the surplus is not what was added');
        if (JSON.stringify(tell(all, within, method, isClosed)) !== JSON.stringify(whole)) throw new Error('differs');
      }),
      { numRuns: 1000 },
    ),
  );
});

t.test('one byte changed anywhere: whatever comes of it, every split gives it', async (t) => {
  const byte = fc.constantFrom('\0', '\r', '\n', ' ', '\t', ':', ',', ';', '0', '9', 'a', '\x7f', '\xff');
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(sample, fc.nat(), byte, fc.boolean(), ({ method, bytes, isClosed }, where, other, isAdded) => {
        const at = where % bytes.length;
        const changed = bytes.slice(0, at) + other + bytes.slice(isAdded ? at : at + 1);
        const everywhere = Array.from({ length: changed.length }, (_, i) => i);
        const whole = { ...tell(changed, [], method, isClosed), surplus: 0 };
        const split = { ...tell(changed, everywhere, method, isClosed), surplus: 0 };
        if (JSON.stringify(split) !== JSON.stringify(whole))
          throw new Error(`${JSON.stringify(split)} is not ${JSON.stringify(whole)}`);
      }),
      { numRuns: 2000 },
    ),
  );
});

/** What node's own parser makes of it. */
async function tellOfNode({ method, bytes, isClosed }: Sample): Promise<Partial<Told>> {
  const wire = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  const interim: { status: number; fields: readonly string[] }[] = [];
  return new Promise((resolve, reject) => {
    const asked = request({ method, createConnection: () => wire, host: 'a.example' });
    asked.on('error', reject);
    asked.on('information', ({ statusCode, rawHeaders }) => interim.push({ status: statusCode, fields: rawHeaders }));
    asked.on('response', (answer) => {
      let body = '';
      answer.setEncoding('latin1');
      answer.on('data', (text: string) => {
        body += text;
      });
      answer.on('error', reject);
      answer.on('end', () => {
        const { statusCode, rawHeaders, rawTrailers } = answer;
        resolve({ interim, status: statusCode ?? 0, fields: rawHeaders, body, trailers: rawTrailers });
      });
    });
    asked.end(() => {
      wire.push(Buffer.from(bytes, 'latin1'));
      if (isClosed) wire.push(null);
    });
  });
}

/** That parser leaves the blanks at the end of a value. */
function trimmed(fields: readonly string[] | undefined): readonly string[] | undefined {
  return fields?.map((text) => text.replace(/^[ \t]+|[ \t]+$/g, ''));
}

t.test('valid answers are read as node reads them', async (t) => {
  await t.resolves(
    fc.assert(
      fc.asyncProperty(sample, async (one) => {
        const theirs = await tellOfNode(one);
        const { interim, status, fields, body, trailers } = tell(one.bytes, [], one.method, one.isClosed);
        const ours = { interim, status, fields, body, trailers };
        const expected = {
          interim: theirs.interim?.map((hint) => ({ status: hint.status, fields: trimmed(hint.fields) })),
          status: theirs.status,
          fields: trimmed(theirs.fields),
          body: theirs.body,
          trailers: trimmed(theirs.trailers),
        };
        if (JSON.stringify(ours) !== JSON.stringify(expected))
          throw new Error(`${JSON.stringify(ours)} is not ${JSON.stringify(expected)}`);
      }),
      { numRuns: 300 },
    ),
  );
});

t.test('a value is what came, whatever came before it under that name', async (t) => {
  const long = 'v'.repeat(MAX_KNOWN_FIELD_VALUE_LENGTH + 1);
  for (const value of ['a', 'a', 'b', '', 'b', 'ab', long, 'a', `${long}w`, '\xe9', '\xe8', 'a b', 'a\tb', 'a b']) {
    const { fields } = tell(`HTTP/1.1 200 OK\r\nX-Again: ${value}\r\nContent-Length: 0\r\n\r\n`);
    t.strictSame(fields, ['X-Again', value, 'Content-Length', '0']);
  }
  t.equal(tell('HTTP/1.1 200 OK\r\nX-Again: a\x01b\r\nContent-Length: 0\r\n\r\n').ending, 'refused');
});
