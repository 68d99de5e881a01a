/**
 * Which part of a stored response a request gets, and how parts are written.
 * Implements RFC 9110 §13.1.5, §14.2, §14.4, §14.6, §15.3.7, §15.5.17 and RFC 9111 §3.3.
 */
import type { Fields } from '../http/fields.js';
import { type ByteRange, parseRange } from '../http/ranges.js';
import { ifRangeHolds } from './precondition.js';

export type RangeVerdict =
  /** The response as it is stored. */
  | { readonly kind: 'whole' }
  /** A 206 with Content-Range. */
  | ({ readonly kind: 'single' } & ByteRange)
  /** A 206 of multipart/byteranges; at least two. */
  | { readonly kind: 'multiple'; readonly ranges: readonly ByteRange[] }
  /** A 416 with `Content-Range: bytes *`/length. */
  | { readonly kind: 'unsatisfiable' };

const WHOLE: RangeVerdict = { kind: 'whole' };
const UNSATISFIABLE: RangeVerdict = { kind: 'unsatisfiable' };

/**
 * To be asked for GET alone, since no other method has ranges defined (RFC 9110 §14.2), and after the other
 * conditions were found to hold (RFC 9110 §13.2.2). `totalBytes` is undefined while the length of a body that is
 * still arriving is not known: where its ranges end is then not known either, and the whole is sent.
 */
export function selectRanges(
  requestFields: Fields,
  stored: { readonly status: number; readonly fields: Fields; readonly receivedWall?: number },
  totalBytes: number | undefined,
): RangeVerdict {
  const value = requestFields.get('range');
  if (value === undefined || totalBytes === undefined) return WHOLE;
  // RFC 9110 §14.2: Range applies where the answer without it would be a 200.
  if (stored.status !== 200 || !ifRangeHolds(requestFields, stored)) return WHOLE;
  const request = parseRange(value, totalBytes);
  if (request.kind === 'ignore') return WHOLE;
  if (request.kind === 'unsatisfiable') return UNSATISFIABLE;
  const [first, ...others] = request.ranges;
  if (first === undefined) return WHOLE;
  // RFC 9110 §15.3.7.2: one range that is left of several may go out without the multipart wrapping.
  if (others.length === 0) return { kind: 'single', from: first.from, until: first.until };
  return { kind: 'multiple', ranges: request.ranges };
}

/** The reason phrase of a 206. */
export const PARTIAL_CONTENT = 'Partial Content';

/** The Content-Range of a 206 (RFC 9110 §14.4). */
export function contentRange(from: number, until: number, totalBytes: number): string {
  return `bytes ${from}-${until - 1}/${totalBytes}`;
}

/** The Content-Range of a 416 (RFC 9110 §15.5.17). */
export function unsatisfiedRange(totalBytes: number): string {
  return `bytes */${totalBytes}`;
}

/** One part: write `head`, then the bytes of `range`. */
export interface BodyPart {
  readonly head: Buffer;
  readonly range: ByteRange;
}

export interface MultipartBody {
  /** The Content-Type of the whole. */
  readonly contentType: string;
  /** In the order asked for. */
  readonly parts: readonly BodyPart[];
  /** Written after the last part. */
  readonly tail: Buffer;
  /** Bytes of all heads, ranges and the tail: the Content-Length. */
  readonly totalBytes: number;
}

/**
 * The wrapping of several ranges (RFC 9110 §14.6), apart from the bytes, which go out from where they are stored.
 * `boundary` is the caller's: it must not occur in the body, so it is long and random.
 */
export function multipartByteranges(
  ranges: readonly ByteRange[],
  contentType: string | undefined,
  totalBytes: number,
  boundary: string,
): MultipartBody {
  const typeLine = contentType === undefined ? '' : `Content-Type: ${contentType}\r\n`;
  const parts = ranges.map((range, i): BodyPart => {
    const start = i === 0 ? '' : '\r\n';
    const place = contentRange(range.from, range.until, totalBytes);
    return {
      head: Buffer.from(`${start}--${boundary}\r\n${typeLine}Content-Range: ${place}\r\n\r\n`, 'latin1'),
      range,
    };
  });
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1');
  let length = tail.length;
  for (const { head, range } of parts) length += head.length + range.until - range.from;
  return { contentType: `multipart/byteranges; boundary=${boundary}`, parts, tail, totalBytes: length };
}
