// Goal: whatever could mean two things to two readers is refused, reaches no origin and poisons nothing stored.
// Method: raw bytes to the whole proxy, a request smuggled behind each of them, then a clean client.
import t, { type Test } from 'tap';
import { cacheStatus, detailOf, HOST, metric, openProxy, request } from '../kit/proxy-kit.js';
import { CutOff } from '../kit/raw-client.js';

const HOST_LINE = `Host: ${HOST}\r\n`;
const SMUGGLED = `GET /smuggled HTTP/1.1\r\n${HOST_LINE}\r\n`;
const head = (...lines: string[]) => `${['POST /x HTTP/1.1', `Host: ${HOST}`, ...lines].join('\r\n')}\r\n\r\n`;
const get = (...lines: string[]) => `${['GET /x HTTP/1.1', ...lines].join('\r\n')}\r\n\r\n`;
const line = (text: string) => `${text}\r\n${HOST_LINE}\r\n`;

interface Attack {
  readonly title: string;
  readonly bytes: string;
  readonly status: number;
}

const attack = (title: string, bytes: string, status = 400): Attack => ({ title, bytes, status });

/** Content-Length and Transfer-Encoding against each other (RFC 9112 §6.1, §6.3). */
const FRAMING: readonly Attack[] = [
  attack(
    'Content-Length, then Transfer-Encoding',
    `${head('Content-Length: 6', 'Transfer-Encoding: chunked')}0\r\n\r\nG`,
  ),
  attack(
    'Transfer-Encoding, then Content-Length',
    `${head('Transfer-Encoding: chunked', 'Content-Length: 6')}0\r\n\r\nG`,
  ),
  attack('both, in odd case', `${head('tRANSFER-eNCODING: CHUNKED', 'cONTENT-lENGTH: 6')}0\r\n\r\nG`),
  attack('both, Content-Length: 0', `${head('Content-Length: 0', 'Transfer-Encoding: chunked')}0\r\n\r\n`),
  attack('two different Content-Lengths', `${head('Content-Length: 0', 'Content-Length: 44')}`),
  attack('two equal Content-Lengths', `${head('Content-Length: 1', 'Content-Length: 1')}a`),
  attack('two Content-Lengths apart, in odd case', `${head('content-length: 1', 'X: y', 'CONTENT-LENGTH: 0')}a`),
  attack('a comma in Content-Length', `${head('Content-Length: 1, 1')}a`),
  attack('a trailing comma in Content-Length', `${head('Content-Length: 1,')}a`),
  attack('Content-Length: +5', `${head('Content-Length: +5')}abcde`),
  attack('Content-Length: -1', `${head('Content-Length: -1')}`),
  attack('Content-Length: 0x5', `${head('Content-Length: 0x5')}abcde`),
  attack('Content-Length: 5a', `${head('Content-Length: 5a')}abcde`),
  attack('Content-Length: 1.0', `${head('Content-Length: 1.0')}a`),
  attack('Content-Length: "1"', `${head('Content-Length: "1"')}a`),
  attack('Content-Length: 1e1', `${head('Content-Length: 1e1')}abcdefghij`),
  attack('Content-Length with a space inside', `${head('Content-Length: 1 1')}a`),
  attack('an empty Content-Length', head('Content-Length:')),
  attack('a Content-Length of blanks', head('Content-Length:   ')),
  attack('a Content-Length beyond 2^53', head('Content-Length: 9007199254740993')),
  attack('a Content-Length beyond 2^64', head('Content-Length: 18446744073709551617')),
  attack('a vertical tab before the length', `${head('Content-Length: \x0b5')}abcde`),
  attack('a form feed behind the length', `${head('Content-Length: 5\x0c')}abcde`),
  attack('a no-break space before the length', `${head('Content-Length: \xa05')}abcde`),
  attack('Content-Length with a space before the colon', `${head('Content-Length : 5')}abcde`),
  attack('Content-Length with a tab before the colon', `${head('Content-Length\t: 5')}abcde`),
  attack('Transfer-Encoding with a space before the colon', `${head('Transfer-Encoding : chunked')}0\r\n\r\n`),
  attack('the same beside Content-Length', `${head('Content-Length: 5', 'Transfer-Encoding : chunked')}0\r\n\r\n`),
  attack('Transfer-Encoding behind a blank', `${head('X: y', ' Transfer-Encoding: chunked')}0\r\n\r\n`),
  attack(
    'Transfer-Encoding as the first, folded line',
    `POST /x HTTP/1.1\r\n Transfer-Encoding: chunked\r\n${HOST_LINE}\r\n`,
  ),
  attack('chunked on a folded line', `${head('Transfer-Encoding:', ' chunked')}0\r\n\r\n`),
  attack('a vertical tab before chunked', `${head('Transfer-Encoding:\x0bchunked')}0\r\n\r\n`),
  attack('a vertical tab behind chunked', `${head('Transfer-Encoding: chunked\x0b')}0\r\n\r\n`),
  attack('NUL behind chunked', `${head('Transfer-Encoding: chunked\0')}0\r\n\r\n`),
  attack('a bare CR before chunked', `${head('Transfer-Encoding: \rchunked')}0\r\n\r\n`),
  attack('chunked, identity', `${head('Transfer-Encoding: chunked, identity')}0\r\n\r\n`),
  attack('identity, chunked', `${head('Transfer-Encoding: identity, chunked')}0\r\n\r\n`, 501),
  attack('chunked, chunked', `${head('Transfer-Encoding: chunked, chunked')}0\r\n\r\n`),
  attack('chunked on two lines', `${head('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')}0\r\n\r\n`),
  attack('chunked, then x on another line', `${head('Transfer-Encoding: chunked', 'Transfer-Encoding: x')}0\r\n\r\n`),
  attack(
    'x, then chunked on another line',
    `${head('Transfer-Encoding: x', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    501,
  ),
  attack('xchunked', `${head('Transfer-Encoding: xchunked')}0\r\n\r\n`, 501),
  attack('chunkedx', `${head('Transfer-Encoding: chunkedx')}0\r\n\r\n`, 501),
  attack('"chunked" in quotes', `${head('Transfer-Encoding: "chunked"')}0\r\n\r\n`, 501),
  attack('chunked with a parameter', `${head('Transfer-Encoding: chunked;q=1')}0\r\n\r\n`, 501),
  attack('gzip', head('Transfer-Encoding: gzip'), 501),
  attack('an empty coding', head('Transfer-Encoding:')),
  attack('a comma alone', `${head('Transfer-Encoding: ,')}`, 501),
  attack('chunked behind a comma', `${head('Transfer-Encoding: ,chunked')}0\r\n\r\n`, 501),
  attack('chunked in HTTP/1.0', `POST /x HTTP/1.0\r\n${HOST_LINE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
  attack(
    'Transfer_Encoding beside Content-Length is a field of its own',
    get('Host: a\r\nHost: a', 'Transfer_Encoding: chunked'),
  ),
];

/** Bytes that are not in the grammar of a head (RFC 9112 §2.2, §3, §5; RFC 9110 §5). */
const HEADS: readonly Attack[] = [
  attack('a space before the colon of Host', get(`Host : ${HOST}`)),
  attack('a space before the colon', get(`Host: ${HOST}`, 'X : y')),
  attack('a space in front of a name', get(`Host: ${HOST}`, ' X: y')),
  attack('a line of blanks', get(`Host: ${HOST}`, '   ')),
  attack('a line without a colon', get(`Host: ${HOST}`, 'X')),
  attack('an empty name', get(`Host: ${HOST}`, ': y')),
  attack('a bare LF behind a field', `GET /x HTTP/1.1\r\n${HOST_LINE}X: y\nZ: z\r\n\r\n`),
  attack('bare LFs throughout', `GET /x HTTP/1.1\nHost: ${HOST}\n\n`),
  attack('a bare LF as the end of the head', `GET /x HTTP/1.1\r\nHost: ${HOST}\r\n\n`),
  attack('CR CR LF', `GET /x HTTP/1.1\r\n${HOST_LINE}X: y\r\r\n\r\n`),
  attack('a bare CR in a name', get(`Host: ${HOST}`, 'X\rY: z')),
  attack('a bare CR in a value', get(`Host: ${HOST}`, 'X: y\rContent-Length: 5')),
  attack('a bare CR in place of a line end', `GET /x HTTP/1.1\rHost: ${HOST}\r\r`),
  attack('obs-fold with a space', get(`Host: ${HOST}`, 'X: y', ' z')),
  attack('obs-fold with a tab', get(`Host: ${HOST}`, 'X: y', '\tz')),
  attack('Host folded onto the next line', get('Host:', ` ${HOST}`)),
  ...[0x00, 0x01, 0x08, 0x0b, 0x0c, 0x1b, 0x1f, 0x7f].flatMap((code) => {
    const byte = String.fromCharCode(code);
    const name = `0x${code.toString(16).padStart(2, '0')}`;
    return [
      attack(`${name} in a name`, get(`Host: ${HOST}`, `X${byte}Y: z`)),
      attack(`${name} in a value`, get(`Host: ${HOST}`, `X: y${byte}z`)),
      attack(`${name} in Host`, get(`Host: ${HOST}${byte}`)),
      attack(`${name} in the target`, line(`GET /x${byte} HTTP/1.1`)),
    ];
  }),
  ...[...' "(),/:;<=>?@[\\]{}\x80\xff']
    .map((delimiter) => attack(`${JSON.stringify(delimiter)} in a name`, get(`Host: ${HOST}`, `X${delimiter}: y`)))
    .filter(({ bytes }) => !bytes.includes('X:: y')),
];

/** The request line and Host (RFC 9112 §2.3, §3, §3.2; RFC 9110 §7.2). */
const LINES: readonly Attack[] = [
  attack('HTTP/0.9 without a version', 'GET /x\r\n\r\n'),
  attack('HTTP/0.9', line('GET /x HTTP/0.9')),
  attack('HTTP/1.2', line('GET /x HTTP/1.2')),
  attack('HTTP/2.0', line('GET /x HTTP/2.0')),
  attack('HTTP/3', line('GET /x HTTP/3')),
  attack('HTTP/1.10', line('GET /x HTTP/1.10')),
  attack('HTTP/01.1', line('GET /x HTTP/01.1')),
  attack('HTTP/1,1', line('GET /x HTTP/1,1')),
  attack('HTTP /1.1', line('GET /x HTTP /1.1')),
  attack('http/1.1', line('GET /x http/1.1')),
  attack('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  attack('a TLS handshake', '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03'),
  attack('garbage', 'nonsense nonsense nonsense\r\n\r\n'),
  attack('a tab between the parts', line('GET\t/x\tHTTP/1.1')),
  attack('a space behind the version', line('GET /x HTTP/1.1 ')),
  attack('a space before the method', line(' GET /x HTTP/1.1')),
  attack('a space in the target', line('GET /x y HTTP/1.1')),
  attack('a request line as the target', line('GET /x HTTP/1.1 /y HTTP/1.1')),
  attack('a lower-case method', line('get /x HTTP/1.1'), 501),
  attack('a method in mixed case', line('Get /x HTTP/1.1'), 501),
  attack('an unknown method', line('SMUGGLE /x HTTP/1.1'), 501),
  attack('a method with a delimiter', line('GE(T /x HTTP/1.1')),
  attack('CONNECT', `CONNECT ${HOST}:80 HTTP/1.1\r\nHost: ${HOST}:80\r\n\r\n`, 501),
  attack('CONNECT with a path', line('CONNECT /x HTTP/1.1'), 501),
  attack('a fragment', line('GET /x#y HTTP/1.1')),
  attack('a byte beyond ASCII in the target', line('GET /\xe9 HTTP/1.1')),
  attack('a relative target', line('GET x HTTP/1.1')),
  attack('an empty target', line('GET  HTTP/1.1')),
  attack('an asterisk for GET', line('GET * HTTP/1.1')),
  attack('authority-form for GET', line(`GET ${HOST}:80 HTTP/1.1`)),
  attack('an absolute target with userinfo', line(`GET http://u:p@${HOST}/x HTTP/1.1`)),
  attack('an absolute target without a host', line('GET http:///x HTTP/1.1')),
  attack('an absolute target of another scheme', line(`GET ftp://${HOST}/x HTTP/1.1`)),
  attack('an https target on a plain connection', line(`GET https://${HOST}/x HTTP/1.1`)),
  attack('a backslash in the authority', line(`GET http://${HOST}\\@evil/x HTTP/1.1`)),
  attack('no Host', 'GET /x HTTP/1.1\r\nX: y\r\n\r\n'),
  attack('no Host beside an absolute target', `GET http://${HOST}/x HTTP/1.1\r\n\r\n`),
  attack('two Hosts', get(`Host: ${HOST}`, 'Host: evil')),
  attack('two equal Hosts', get(`Host: ${HOST}`, `hOST: ${HOST}`)),
  attack('two Hosts beside an absolute target', `GET http://${HOST}/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`),
  attack('an empty Host', get('Host:')),
  attack('a list in Host', get(`Host: ${HOST}, evil`)),
  attack('a space in Host', get(`Host: ${HOST} evil`)),
  attack('a path in Host', get(`Host: ${HOST}/evil`)),
  attack('userinfo in Host', get(`Host: evil@${HOST}`)),
  attack('a port that is no number', get(`Host: ${HOST}:x`)),
  attack('two ports', get(`Host: ${HOST}:80:81`)),
  attack('a URL in Host', get(`Host: http://${HOST}`)),
  attack('a target too long', line(`GET /${'a'.repeat(9000)} HTTP/1.1`), 414),
  attack('a target far too long', line(`GET /${'a'.repeat(200_000)} HTTP/1.1`), 414),
  attack('fields too large', get(`Host: ${HOST}`, `X: ${'a'.repeat(33_000)}`), 431),
  attack('fields far too large', get(`Host: ${HOST}`, `X: ${'a'.repeat(200_000)}`), 431),
  attack('too many fields', get(`Host: ${HOST}`, ...Array.from({ length: 100 }, (_, i) => `X${i}: y`)), 431),
];

const CLEAN = { fields: ['Cache-Control', 'max-age=60'] } as const;

/** One attack with a request smuggled behind it, then two clean clients. */
async function mustFail(t: Test, { bytes, status }: Attack): Promise<void> {
  const house = await openProxy(t);
  house.origin.respond(({ target }) => ({ ...CLEAN, body: `clean ${target}` }));
  const client = await house.connect();
  const refused = await client.send(bytes + SMUGGLED).response();
  t.equal(refused.status, status);
  t.equal(refused.field('connection'), 'close');
  t.notOk(cacheStatus(refused).parameters.has('hit'));
  t.equal(refused.field('cdn-cache'), 'ERROR');
  t.ok((await client.ended) !== 'left');
  t.equal(client.surplusBytes, 0, 'one answer and no more');
  t.equal(house.origin.connectionCount, 0, 'nothing reached the origin');
  t.equal(metric(await house.metrics(), 'patina_objects'), 0, 'nothing is stored');
  for (const outcome of ['MISS', 'HIT']) {
    const clean = await house.get('/x');
    t.equal(clean.body.toString(), 'clean /x');
    t.equal(clean.field('cdn-cache'), outcome);
  }
  t.strictSame(
    house.origin.requests.map(({ target }) => target),
    ['/x'],
  );
}

for (const [name, attacks] of [
  ['RFC 9112 §6.3, framing', FRAMING],
  ['RFC 9112 §5, fields', HEADS],
  ['RFC 9112 §3, request line and Host', LINES],
] as const) {
  t.test(name, async (t) => {
    for (const one of attacks) {
      t.test(`${one.title}: ${one.status}, closed, and the origin hears nothing`, (t) => mustFail(t, one));
    }
  });
}

const chunked = (rest: string) => `${head('Transfer-Encoding: chunked')}${rest}`;

/** Faults in a chunked body (RFC 9112 §7.1): the head before it was fine, and may have gone on. */
const CHUNKS: readonly (readonly [string, string, number?])[] = [
  ['no size', '\r\nab\r\n0\r\n\r\n'],
  ['a size that is no number', 'xyz\r\nab\r\n0\r\n\r\n'],
  ['a negative size', '-1\r\nab\r\n0\r\n\r\n'],
  ['a size with a sign', '+2\r\nab\r\n0\r\n\r\n'],
  ['a size with 0x', '0x2\r\nab\r\n0\r\n\r\n'],
  ['a size beyond 64 bits', '10000000000000002\r\nab\r\n0\r\n\r\n'],
  ['a size of many digits', 'fffffffffffffffff2\r\nab\r\n0\r\n\r\n'],
  ['a space before the size', ' 2\r\nab\r\n0\r\n\r\n'],
  ['a space behind the size', '2 \r\nab\r\n0\r\n\r\n'],
  ['a tab behind the size', '2\t\r\nab\r\n0\r\n\r\n'],
  ['a bare LF behind the size', '2\nab\r\n0\r\n\r\n'],
  ['a bare CR behind the size', '2\rab\r\n0\r\n\r\n'],
  ['a bare LF behind the data', '2\r\nab\n0\r\n\r\n'],
  ['no line end behind the data', '2\r\nab0\r\n\r\n'],
  ['more data than the size says', '2\r\nabc\r\n0\r\n\r\n'],
  ['a bare LF in an extension', '2;x\nab\r\n0\r\n\r\n'],
  ['a bare CR in an extension', '2;x\ry\r\nab\r\n0\r\n\r\n'],
  ['NUL in an extension', '2;x=\0\r\nab\r\n0\r\n\r\n'],
  ['an open quote in an extension', '2;x="\r\nab\r\n0\r\n\r\n'],
  ['extensions without end', `2;${'x'.repeat(40_000)}\r\nab\r\n0\r\n\r\n`, 413],
  ['a trailer with a space in its name', '0\r\nX Y: z\r\n\r\n'],
  ['a trailer with a space before its colon', '0\r\nX : z\r\n\r\n'],
  ['a trailer without a colon', '0\r\nX\r\n\r\n'],
  ['a folded trailer', '0\r\nX: y\r\n z\r\n\r\n'],
  ['a control byte in a trailer', '0\r\nX: \x01\r\n\r\n'],
  ['a bare LF behind a trailer', '0\r\nX: y\n\r\n'],
  ['a bare LF as the end of the trailers', '0\r\nX: y\r\n\n'],
  ['Content-Length as a trailer', '0\r\nContent-Length: 44\r\n\r\n'],
  ['Transfer-Encoding as a trailer', '0\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['trailers without end', `0\r\n${`X: ${'y'.repeat(1000)}\r\n`.repeat(100)}\r\n`, 431],
];

t.test('RFC 9112 §7.1, chunks', async (t) => {
  for (const [title, bytes, status = 400] of CHUNKS) {
    t.test(`${title}: ${status}, closed, and the origin sees no whole request`, async (t) => {
      const house = await openProxy(t);
      house.origin.respond(async (seen) => {
        // As an origin that answers only to a whole request.
        const ending = seen.method === 'POST' ? await seen.ending : 'complete';
        return { ...CLEAN, body: `${ending} ${seen.target}` };
      });
      const client = await house.connect();
      t.equal((await client.send(chunked(bytes) + SMUGGLED).response()).status, status);
      t.ok((await client.ended) !== 'left');
      t.equal(client.surplusBytes, 0, 'one answer and no more');
      t.equal((await house.get('/x')).body.toString(), 'complete /x');
      t.notOk(house.origin.requests.some(({ target }) => target === '/smuggled'));
      for (const seen of house.origin.requests) {
        if (seen.method === 'POST') t.equal(await seen.ending, 'cut-off');
      }
    });
  }
});

t.test('RFC 9112 §3: more than one space between the parts of a request line is one to the origin', async (t) => {
  const house = await openProxy(t);
  house.origin.respond(({ target }) => ({ body: target }));
  t.equal((await house.ask(line('GET  /x  HTTP/1.1'))).body.toString(), '/x');
  t.match(house.origin.requests[0]?.head, /^GET \/x HTTP\/1\.1\r\n/);
});

t.test('RFC 9112 §7.1.1: chunk extensions mean nothing to us and go no further', async (t) => {
  const house = await openProxy(t);
  house.origin.respond(async (seen) => ({ body: `${await seen.ending} ${seen.body}` }));
  const client = await house.connect();
  client.send(chunked('2;a=b;c="d;e"\r\nab\r\n002\r\ncd\r\n0;last\r\n\r\n') + request('GET', '/next'));
  t.equal((await client.response()).body.toString(), 'complete abcd');
  t.equal((await client.response()).body.toString(), 'complete ');
  t.strictSame(
    house.origin.requests.map(({ target }) => target),
    ['/x', '/next'],
  );
});

t.test('RFC 9110 §6.5.1: trailers that route, authenticate or frame are not passed on, others are', async (t) => {
  const house = await openProxy(t);
  house.origin.respond(async (seen) => ({ body: await seen.ending }));
  const forbidden = ['Host: evil', 'Authorization: x', 'Cookie: a=b', 'Set-Cookie: a=b', 'Content-Type: x', 'TE: x'];
  const bytes = chunked(`2\r\nab\r\n0\r\n${forbidden.join('\r\n')}\r\nX-Sum: 1\r\n\r\n`);
  t.equal((await house.ask(bytes)).body.toString(), 'complete');
  const trailers = house.origin.requests[0]?.trailers ?? [];
  t.ok(trailers.includes('X-Sum'));
  for (const name of ['host', 'authorization', 'set-cookie', 'content-type', 'te']) {
    t.notOk(
      trailers.some((trailer) => trailer.toLowerCase() === name),
      name,
    );
  }
});

t.test('RFC 9112 §3.2.2: the host of an absolute target wins over Host, at the origin and in the key', async (t) => {
  const house = await openProxy(t);
  house.origin.respond((seen) => ({ ...CLEAN, body: `${seen.field('host')} ${seen.target}` }));
  const poison = await house.ask(`GET http://evil.example/x HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  t.equal(poison.body.toString(), 'evil.example /x');
  t.equal((await house.get('/x')).body.toString(), `${HOST} /x`, 'the other host has a key of its own');
  const same = await house.ask(`GET http://${HOST.toUpperCase()}/x HTTP/1.1\r\nHost: other\r\n\r\n`);
  t.equal(same.field('cdn-cache'), 'HIT');
  t.equal(same.body.toString(), `${HOST} /x`);
});

t.test(
  'RFC 9110 §9.3.1: a GET with a body is neither stored nor answered from the store, and frames exactly',
  async (t) => {
    const house = await openProxy(t);
    house.origin.respond(async (seen) => ({ ...CLEAN, body: `${await seen.ending} ${seen.body}` }));
    const client = await house.connect();
    client.send(`${request('GET', '/x', `Content-Length: ${SMUGGLED.length}`)}${SMUGGLED}${request('GET', '/x')}`);
    t.equal((await client.response()).body.toString(), `complete ${SMUGGLED}`);
    t.equal((await client.response()).body.toString(), 'complete ');
    t.strictSame(
      house.origin.requests.map(({ target }) => target),
      ['/x', '/x'],
    );
    t.equal((await house.get('/x')).body.toString(), 'complete ');
  },
);

t.test('a refusal is told once, in the counters by its reason, and never by what a client made up', async (t) => {
  const house = await openProxy(t);
  const refused = await house.ask(line('GET /x HTTP/1.1').replace(HOST, 'evil@x'));
  t.equal(detailOf(refused), 'host-invalid');
  const metrics = await house.metrics();
  t.equal(metric(metrics, 'patina_requests_total', 'outcome="ERROR"', 'reason="host-invalid"', 'status="4xx"'), 1);
  t.notMatch(metrics, /evil/);
});

t.test('RFC 9112 §9.3.2: what a refused request pipelined behind good ones does not take their answers', async (t) => {
  const house = await openProxy(t);
  house.origin.respond(({ target }) => ({ ...CLEAN, body: target }));
  const client = await house.connect();
  client.send(request('GET', '/1') + request('GET', '/2') + get(`Host : ${HOST}`) + SMUGGLED);
  t.equal((await client.response()).body.toString(), '/1');
  t.equal((await client.response()).body.toString(), '/2');
  t.equal((await client.response()).status, 400);
  t.equal(await client.ended, 'finished');
  await t.rejects(client.response(), CutOff);
  t.strictSame(house.origin.requests.map(({ target }) => target).sort(), ['/1', '/2']);
});
