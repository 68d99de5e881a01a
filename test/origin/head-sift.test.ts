// Goal: an unasked 100 is taken out and nothing else is touched, however the bytes arrive. Method: properties with fast-check over all splits.
import fc from 'fast-check';
import t from 'tap';
import { HeadSift } from '../../lib/origin/head-sift.js';

const CONTINUE = 'HTTP/1.1 100 Continue\r\nX-A: b\r\n\r\n';
const BARE = 'HTTP/1.1 100\r\n\r\n';

function sift(sifter: HeadSift, bytes: string, cuts: readonly number[]): string {
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let out = '';
  let from = 0;
  for (const end of [...ends, bytes.length]) {
    out += sifter.pass(Buffer.from(bytes.slice(from, end), 'latin1')).toString('latin1');
    from = end;
  }
  return out;
}

const cuts = fc.array(fc.nat(400), { maxLength: 30 });

t.test('RFC 9110 §15.2: what follows any number of 100s comes through whole', async (t) => {
  const answers = [
    'HTTP/1.1 200 OK\r\n\r\nabc',
    'HTTP/1.0 200 OK\r\n\r\n',
    'HTTP/1.1 103 E\r\n\r\n',
    'HTTP/1.1 101 S\r\n\r\n',
    'garbage',
  ];
  fc.assert(
    fc.property(fc.nat(5), fc.nat(5), fc.constantFrom(...answers), cuts, (long, short, answer, cuts) => {
      const sifter = new HeadSift();
      sifter.expect();
      const out = sift(sifter, CONTINUE.repeat(long) + BARE.repeat(short) + answer, cuts);
      return (
        out === answer && sifter.version === answer.slice(0, Math.min(8, answer.length)).slice(0, sifter.version.length)
      );
    }),
  );
  t.pass();
});

t.test('bytes that no answer is due for, and those behind the first, are not touched', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii' }), cuts, (tail, cuts) => {
      const sifter = new HeadSift();
      if (sift(sifter, CONTINUE + tail, cuts) !== CONTINUE + tail) return false;
      sifter.expect();
      const bytes = `HTTP/1.1 200 OK\r\n\r\n${CONTINUE}${tail}`;
      return sift(sifter, bytes, cuts) === bytes;
    }),
  );
  t.pass();
});

t.test('the version is told as soon as the parser has bytes', async (t) => {
  for (const [bytes, version] of [
    ['HTTP/1.1 200 OK\r\n\r\n', 'HTTP/1.1'],
    ['HTTP/1.0 200 OK\r\n\r\n', 'HTTP/1.0'],
    [`${CONTINUE}HTTP/1.0 200 OK\r\n\r\n`, 'HTTP/1.0'],
    ['HTTP/2.0 200 OK\r\n\r\n', 'HTTP/2.0'],
  ] as const) {
    const sifter = new HeadSift();
    sifter.expect();
    sifter.pass(Buffer.from(bytes));
    t.equal(sifter.version, version);
    sifter.expect();
    t.equal(sifter.version, '');
  }
});

t.test(
  'MAX_RESPONSE_FIELDS_BYTES, MAX_INTERIM_RESPONSES: beyond them the parser gets what is there, to refuse it',
  async (t) => {
    const long = new HeadSift();
    long.expect();
    const endless = `HTTP/1.1 100 ${'a'.repeat(70_000)}`;
    t.equal(long.pass(Buffer.from(endless)).length, endless.length);
    const many = new HeadSift();
    many.expect();
    t.ok(many.pass(Buffer.from(BARE.repeat(100))).length > 0);
  },
);
