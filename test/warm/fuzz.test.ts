// Goal: no document, however broken or cut into pieces, does more than be refused. Method: seeded random documents, mutations and cuts.

import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { Refusal } from '../../lib/warm/contract.js';
import { readLastmod } from '../../lib/warm/lastmod.js';
import { unpacked } from '../../lib/warm/unpack.js';
import { index, read, SITE, urlset } from './sitemaps.kit.js';

const RSS = `<rss><channel><item><link>${SITE}/a</link><pubDate>Fri, 02 Jan 2026 03:04:05 GMT</pubDate></item></channel></rss>`;
const ATOM = `<feed xmlns="http://www.w3.org/2005/Atom"><entry><link href="${SITE}/a"/><updated>2026-01-02T00:00:00Z</updated></entry></feed>`;
const SEEDS = [urlset(['/a', '2026-01-02'], '/b?c&amp;d'), index('/1', '/2'), RSS, ATOM, `${SITE}/a\n${SITE}/b\n`];
const MARKUP = [
  '<',
  '>',
  '/',
  '<!--',
  '-->',
  '<![CDATA[',
  ']]>',
  '<!DOCTYPE',
  '<?',
  '?>',
  '&',
  '&#0;',
  '&#x110000;',
  '"',
  "'",
  '\0',
  '\ufeff',
  '</url>',
  '<loc>',
  '<url ',
  '<__proto__>',
  '\n',
];

/** What comes of a document: its listing, or the reason why it was refused. Anything else is thrown. */
async function outcome(body: string | Buffer, pieceBytes: number): Promise<string> {
  try {
    return JSON.stringify((await read(body, { pieceBytes })).listing);
  } catch (error) {
    if (error instanceof Refusal) return error.reason;
    throw error;
  }
}

const mutated = fc
  .tuple(
    fc.constantFrom(...SEEDS),
    fc.array(fc.tuple(fc.nat(), fc.nat(6), fc.oneof(fc.constantFrom(...MARKUP), fc.string({ maxLength: 4 }))), {
      maxLength: 4,
    }),
  )
  .map(([seed, edits]) => {
    let text = seed;
    for (const [where, length, insert] of edits) {
      const at = where % (text.length + 1);
      text = text.slice(0, at) + insert + text.slice(at + length);
    }
    return text;
  });

t.test('a mutated sitemap is read or refused, and the same however it is cut', async (t) => {
  await fc.assert(
    fc.asyncProperty(mutated, fc.integer({ min: 1, max: 40 }), async (text, pieceBytes) => {
      const whole = await outcome(text, 1_000_000);
      const cut = await outcome(text, pieceBytes);
      if (whole !== cut) throw new Error(`${whole} is not ${cut}`);
    }),
    { numRuns: 1500, seed: 13 },
  );
  t.pass();
});

t.test('random bytes are read or refused', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 1, max: 50 }), async (bytes, pieceBytes) => {
      await outcome(Buffer.from(bytes), pieceBytes);
    }),
    { numRuns: 500, seed: 13 },
  );
  t.pass();
});

t.test('damaged gzip is refused, or unpacked to what it was', async (t) => {
  const packed = gzipSync(urlset('/a', '/b'));
  await fc.assert(
    fc.asyncProperty(fc.nat(packed.length - 1), fc.nat(255), fc.nat(packed.length), async (at, byte, length) => {
      const bytes = Buffer.from(packed.subarray(0, Math.max(2, length)));
      if (at < bytes.length) bytes[at] = byte;
      try {
        const source = async function* (): AsyncGenerator<Buffer> {
          yield bytes;
        };
        for await (const _ of unpacked(source(), undefined));
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
      }
    }),
    { numRuns: 500, seed: 13 },
  );
  t.pass();
});

t.test('a date is a span that ends after it begins, or none', async (t) => {
  const part = fc.constantFrom(
    '2026',
    '-01',
    '-02',
    'T',
    '03:04',
    ':05',
    '.678',
    'Z',
    '+01:00',
    '-99:99',
    ' ',
    'Jan',
    '26',
    'GMT',
    ',',
    'Fri',
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 9 }), (parts) => {
      const span = readLastmod(parts.join(''));
      return span === undefined || (Number.isFinite(span.from) && span.until > span.from);
    }),
    { numRuns: 3000, seed: 13 },
  );
  t.pass();
});
