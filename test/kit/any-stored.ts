/** Stored responses of every kind at random, valid on the wire or not, and what the common way writes of a reply. */
import fc from 'fast-check';
import type { Rule } from '../../lib/config/rule.js';
import type { Reply } from '../../lib/engine/contract.js';
import { plainHead, UnwritableField } from '../../lib/front/reply-head.js';
import { Fields } from '../../lib/http/fields.js';
import { Body } from '../../lib/object/body.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { makeStored } from '../store/make-stored.js';

export interface AnyShape {
  readonly status: number;
  readonly reasonPhrase: string;
  readonly lines: readonly (readonly [name: string, value: string])[];
  readonly chunks: readonly Buffer[];
  readonly tags: readonly string[] | undefined;
}

const name = fc.oneof(
  fc.constantFrom('Content-Type', 'ETag', 'X-Served', 'CDN-Cache', 'cdn-cache', 'Vary', 'Link', 'Age'),
  fc.constantFrom('Content-Length', 'content-length', 'Connection', 'Keep-Alive', 'Transfer-Encoding', 'X Y', ''),
);
const value = fc.oneof(
  fc.constantFrom('', 'text/html; charset=utf-8', '12', 'a\r\nB: c', 'Content-Length: 3', '\u0000', 'é', '€', '\ttab'),
  fc.string({ maxLength: 20 }),
);
const line = fc.oneof({ weight: 3, arbitrary: fc.constant(['X-Plain', 'v'] as const) }, fc.tuple(name, value));

export function anyShape(chunks: fc.Arbitrary<readonly Buffer[]>, minLines = 0): fc.Arbitrary<AnyShape> {
  return fc.record({
    status: fc.oneof(fc.constantFrom(200, 200, 200, 203, 204, 304, 404, 410, 500), fc.integer({ min: 200, max: 599 })),
    reasonPhrase: fc.oneof(
      fc.constantFrom('OK', 'OK', '', 'Not Found', 'a\nb', 'ü', '€'),
      fc.string({ maxLength: 10 }),
    ),
    lines: fc.array(line, { minLength: minLines, maxLength: 6 }),
    chunks,
    tags: fc.option(fc.array(fc.string({ maxLength: 4 }), { maxLength: 2 }), { nil: undefined }),
  });
}

/** A response of this shape, made by `madeBy`. */
export function storedOf(shape: AnyShape, key: string, bornAt: number, madeBy: Rule): StoredResponse {
  const { status, reasonPhrase, lines, chunks, tags } = shape;
  const made = makeStored({ bornAt, key, body: Body.of([...chunks]) });
  const stored: StoredResponse = { ...made, status, reasonPhrase, fields: new Fields(lines.flat()), madeBy };
  return tags === undefined ? stored : { ...stored, tags };
}

/** The bytes that the common way writes of a reply to GET, as latin1; undefined where it refuses to. */
export function commonBytes(reply: Reply | undefined, debugHeader: string | undefined): string | undefined {
  if (reply === undefined) return undefined;
  try {
    const chunks = reply.payload.kind === 'bytes' ? reply.payload.chunks : [];
    const head = Buffer.from(plainHead(reply, 'GET', debugHeader), 'latin1');
    return Buffer.concat([head, ...chunks]).toString('latin1');
  } catch (error) {
    if (error instanceof UnwritableField) return undefined;
    throw error;
  }
}
