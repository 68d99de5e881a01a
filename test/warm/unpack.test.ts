// Goal: compressed sitemaps are unpacked within bounds, and what is damaged or a bomb is refused. Method: bytes in pieces through the unpacker.
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import t from 'tap';
import { OriginError } from '../../lib/base/errors.js';
import { MAX_SITEMAP_BYTES } from '../../lib/base/warm-limits.js';
import { Refusal } from '../../lib/warm/contract.js';
import { unpacked } from '../../lib/warm/unpack.js';

async function* pieces(bytes: Buffer, pieceBytes: number, breaks?: Error): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  if (breaks !== undefined) throw breaks;
}

async function text(bytes: Buffer, coding?: string, pieceBytes = 1000): Promise<string> {
  const out: Buffer[] = [];
  for await (const chunk of unpacked(pieces(bytes, pieceBytes), coding)) out.push(chunk);
  return Buffer.concat(out).toString();
}

async function refusalOf(run: Promise<unknown>): Promise<string> {
  try {
    await run;
    return 'taken';
  } catch (error) {
    return error instanceof Refusal ? error.reason : String(error);
  }
}

const PLAIN = Buffer.from('http://a.example/\n'.repeat(300));

t.test('issue 4: a .gz file, a coding, and both at once', async (t) => {
  for (const pieceBytes of [1, 1000, 100_000]) {
    t.equal(await text(PLAIN, undefined, pieceBytes), PLAIN.toString());
    t.equal(await text(gzipSync(PLAIN), undefined, pieceBytes), PLAIN.toString());
    t.equal(await text(gzipSync(PLAIN), 'gzip', pieceBytes), PLAIN.toString());
    t.equal(await text(gzipSync(gzipSync(PLAIN)), 'x-gzip', pieceBytes), PLAIN.toString());
  }
  t.equal(await text(deflateSync(PLAIN), 'Deflate'), PLAIN.toString());
  t.equal(await text(brotliCompressSync(PLAIN), 'br'), PLAIN.toString());
  t.equal(await text(PLAIN, 'identity'), PLAIN.toString());
  t.equal(await text(gzipSync(deflateSync(PLAIN)), 'deflate, gzip'), PLAIN.toString());
  t.equal(await text(Buffer.concat([gzipSync('a'), gzipSync('b')])), 'ab', 'several members');
  t.equal(await text(Buffer.alloc(0)), '');
  t.equal(await text(Buffer.from('x')), 'x');
});

t.test('issue 4: what is damaged, cut off, or in another coding is refused', async (t) => {
  const packed = gzipSync(PLAIN);
  t.equal(await refusalOf(text(packed.subarray(0, -9))), 'broken-gzip');
  t.equal(await refusalOf(text(Buffer.concat([packed.subarray(0, 20), Buffer.alloc(50, 0xff)]))), 'broken-gzip');
  t.equal(await refusalOf(text(PLAIN, 'gzip')), 'broken-gzip');
  for (const coding of ['zstd', 'aes128gcm', 'constructor', 'gzip, gzip, gzip'])
    t.equal(await refusalOf(text(packed, coding)), 'content-coding', coding);
});

t.test('issue 4: a gzip bomb is refused at 50 MB, however it is wrapped', async (t) => {
  const bomb = gzipSync(Buffer.alloc(MAX_SITEMAP_BYTES + 1, 0x20));
  t.ok(bomb.length < 100_000, 'small on the wire');
  t.equal(await refusalOf(text(bomb)), 'too-large');
  t.equal(await refusalOf(text(bomb, 'gzip')), 'too-large');
  t.equal(await refusalOf(text(gzipSync(bomb), 'gzip')), 'too-large');
  t.equal(
    await refusalOf(text(gzipSync(gzipSync(gzipSync(PLAIN))), 'gzip')),
    'taken',
    'a third layer is no text, and is for the reader to refuse',
  );
  t.equal(await refusalOf(text(Buffer.alloc(MAX_SITEMAP_BYTES + 1, 0x20), undefined, 1 << 20)), 'too-large');
});

t.test('a failure of the origin stays what it is, through any layer', async (t) => {
  const failure = new OriginError('origin-truncated', 'cut off');
  for (const [bytes, coding] of [
    [PLAIN, undefined],
    [gzipSync(PLAIN).subarray(0, 40), 'gzip'],
    [gzipSync(gzipSync(PLAIN)).subarray(0, 40), 'gzip'],
  ] as const) {
    const run = async (): Promise<void> => {
      for await (const _ of unpacked(pieces(bytes, 10, failure), coding));
    };
    await t.rejects(run(), failure);
  }
});

t.test('a reader that stops early lets go of the source', async (t) => {
  let isClosed = false;
  const source = async function* (): AsyncGenerator<Buffer> {
    try {
      for (;;) yield gzipSync(PLAIN);
    } finally {
      isClosed = true;
    }
  };
  for await (const _ of unpacked(source(), 'gzip')) break;
  await new Promise<void>((resolve) => setImmediate(resolve));
  t.equal(isClosed, true);
});
