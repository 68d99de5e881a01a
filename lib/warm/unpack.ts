/** Takes the compression off a sitemap as it comes: the coding it was sent in (RFC 9110 §8.4), and that of a .gz file. Bounded on the way. */
import { pipeline, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { MAX_GZIP_LAYERS, MAX_SITEMAP_BYTES } from '../base/warm-limits.js';
import { Refusal } from './contract.js';

const DECODERS: Readonly<Partial<Record<string, () => Transform>>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/** The bytes of a sitemap from those of an answer with this Content-Encoding. Throws a Refusal, or what `body` throws. */
export async function* unpacked(
  body: AsyncIterable<Buffer>,
  contentEncoding: string | undefined,
): AsyncGenerator<Buffer> {
  let bytes = bounded(body);
  let layers = 0;
  const codings = (contentEncoding ?? '')
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity');
  // The last one was put on last (RFC 9110 §8.4).
  for (const coding of codings.reverse()) {
    const make = Object.hasOwn(DECODERS, coding) ? DECODERS[coding] : undefined;
    if (make === undefined || ++layers > MAX_GZIP_LAYERS) throw new Refusal('content-coding', contentEncoding ?? '');
    bytes = bounded(decoded(bytes, make()));
  }
  while (layers < MAX_GZIP_LAYERS) {
    const { isGzip, all } = await sniffed(bytes);
    bytes = all;
    if (!isGzip) break;
    layers++;
    bytes = bounded(decoded(bytes, createGunzip()));
  }
  yield* bytes;
}

/** The same bytes, but no more of them than a sitemap may have. */
async function* bounded(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let sum = 0;
  for await (const chunk of bytes) {
    sum += chunk.length;
    if (sum > MAX_SITEMAP_BYTES) throw new Refusal('too-large', `more than ${MAX_SITEMAP_BYTES} bytes`);
    yield chunk;
  }
}

async function* decoded(bytes: AsyncIterable<Buffer>, decoder: Transform): AsyncGenerator<Buffer> {
  let broken: unknown;
  const source = async function* (): AsyncGenerator<Buffer> {
    try {
      yield* bytes;
    } catch (error) {
      broken = error;
      throw error;
    }
  };
  // An error reaches the loop below by way of the decoder.
  pipeline(source, decoder, () => {});
  try {
    for await (const chunk of decoder) yield chunk as Buffer;
  } catch (cause) {
    if (broken !== undefined) throw broken;
    throw new Refusal('broken-gzip', cause instanceof Error ? cause.message : String(cause), { cause });
  } finally {
    decoder.destroy();
  }
}

/** Whether these bytes begin as those of a gzip file do (RFC 1952 §2.3.1). */
async function sniffed(bytes: AsyncGenerator<Buffer>): Promise<{ isGzip: boolean; all: AsyncGenerator<Buffer> }> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < 2) {
    const next = await bytes.next();
    if (next.done === true) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  const all = async function* (): AsyncGenerator<Buffer> {
    try {
      if (head.length > 0) yield head;
      yield* bytes;
    } finally {
      await bytes.return(undefined);
    }
  };
  return { isGzip: head.length >= 2 && head[0] === 0x1f && head[1] === 0x8b, all: all() };
}
