/**
 * Range and Content-Range of byte ranges.
 * Implements RFC 9110 §14.1.1, §14.1.2, §14.2, §14.4; the bounds are those of §17.15.
 */
import { MAX_RANGES } from '../base/limits.js';
import { splitList } from './tokens.js';

/** Bytes from `from` up to, not including, `until`. */
export interface ByteRange {
  readonly from: number;
  readonly until: number;
}

/** One range as it is written: of what, only a representation tells. */
export type RangeSpec =
  /** `last` is infinite where it is open. */
  | { readonly kind: 'from'; readonly first: number; readonly last: number }
  | { readonly kind: 'suffix'; readonly length: number };

export type RangeRequest =
  /** Treat the request as if it had no Range. */
  | { readonly kind: 'ignore' }
  /** Understood, and no range of it lies within the representation: 416. */
  | { readonly kind: 'unsatisfiable' }
  /** At least one, none empty, none overlapping another. */
  | { readonly kind: 'ranges'; readonly ranges: readonly ByteRange[] };

const IGNORE: RangeRequest = { kind: 'ignore' };
const UNSATISFIABLE: RangeRequest = { kind: 'unsatisfiable' };

const BYTES_UNIT = /^bytes=/i;
const INT_RANGE = /^(\d+)-(\d*)$/;
const SUFFIX_RANGE = /^-(\d+)$/;

/** What a Range value asks of a representation of `totalBytes` bytes. */
export function parseRange(value: string, totalBytes: number): RangeRequest {
  // RFC 9110 §14.2: a unit that is not understood makes the field ignored. Unit names know no case (RFC 9110 §14.1).
  if (!BYTES_UNIT.test(value)) return IGNORE;
  const specs = splitList(value.slice('bytes='.length));
  // RFC 9110 §17.15: many small ranges cost more than the whole representation; they get the whole.
  if (specs.length === 0 || specs.length > MAX_RANGES) return IGNORE;
  const ranges: ByteRange[] = [];
  for (const text of specs) {
    const spec = parseSpec(text);
    // RFC 9110 §14.2: an invalid ranges-specifier may be ignored, and one bad member makes all of it invalid.
    if (spec === undefined) return IGNORE;
    const range = resolveRange(spec, totalBytes);
    if (range !== undefined) ranges.push(range);
  }
  if (ranges.length === 0) return UNSATISFIABLE;
  // RFC 9110 §14.1.2: a suffix of nothing is satisfiable, but no Content-Range can say so; the whole can.
  if (totalBytes === 0) return IGNORE;
  return { kind: 'ranges', ranges: coalesce(ranges) };
}

/** The range of a value that has one and nothing else; undefined for any other, also where that means no more. */
export function parseSingleRange(value: string): RangeSpec | undefined {
  return BYTES_UNIT.test(value) ? parseSpec(value.slice('bytes='.length)) : undefined;
}

/** Undefined where it is invalid. */
function parseSpec(text: string): RangeSpec | undefined {
  const suffix = SUFFIX_RANGE.exec(text);
  if (suffix !== null) return { kind: 'suffix', length: Number(suffix[1]) };
  const int = INT_RANGE.exec(text);
  if (int === null) return undefined;
  const first = Number(int[1]);
  const last = int[2] === '' ? Number.POSITIVE_INFINITY : Number(int[2]);
  // RFC 9110 §14.1.1: a last position before the first is invalid, not unsatisfiable.
  return last < first ? undefined : { kind: 'from', first, last };
}

/** What a range is of a representation; undefined where it is not satisfiable. Empty only where the representation is. */
export function resolveRange(spec: RangeSpec, totalBytes: number): ByteRange | undefined {
  if (spec.kind === 'suffix') {
    // RFC 9110 §14.1.2: a suffix longer than the representation means all of it; one of length 0 nothing.
    if (spec.length === 0) return undefined;
    return { from: Math.max(0, totalBytes - spec.length), until: totalBytes };
  }
  return spec.first >= totalBytes ? undefined : { from: spec.first, until: Math.min(spec.last + 1, totalBytes) };
}

/**
 * Joins ranges that share bytes, so that no request gets more bytes than the representation has (RFC 9110 §15.3.7.2).
 * The others stay as asked, in the order asked for. At most MAX_RANGES squared steps.
 */
function coalesce(ranges: readonly ByteRange[]): readonly ByteRange[] {
  const joined: ByteRange[] = [];
  for (const range of ranges) {
    let current = range;
    let place = joined.length;
    for (let i = joined.length - 1; i >= 0; i--) {
      const other = joined[i];
      if (other === undefined || other.from >= current.until || other.until <= current.from) continue;
      current = { from: Math.min(other.from, current.from), until: Math.max(other.until, current.until) };
      joined.splice(i, 1);
      place = i;
      // What grew may now touch one that was passed over.
      i = joined.length;
    }
    joined.splice(Math.min(place, joined.length), 0, current);
  }
  return joined;
}

export type ContentRange =
  | { readonly kind: 'part'; readonly from: number; readonly until: number; readonly totalBytes: number | undefined }
  /** Of a 416: only the length of the representation (RFC 9110 §15.5.17). */
  | { readonly kind: 'unsatisfied'; readonly totalBytes: number };

const CONTENT_RANGE = /^bytes (?:(\d{1,16})-(\d{1,16})|\*)\/(?:(\d{1,16})|\*)$/i;

/** What a Content-Range value says; undefined where it is not of bytes or not valid (RFC 9110 §14.4). */
export function parseContentRange(value: string): ContentRange | undefined {
  const match = CONTENT_RANGE.exec(value);
  if (match === null) return undefined;
  const totalBytes = match[3] === undefined ? undefined : Number(match[3]);
  // One that nothing can be added to cannot be told from others.
  if (totalBytes !== undefined && !(totalBytes < Number.MAX_SAFE_INTEGER)) return undefined;
  if (match[1] === undefined || match[2] === undefined) {
    return totalBytes === undefined ? undefined : { kind: 'unsatisfied', totalBytes };
  }
  const from = Number(match[1]);
  const until = Number(match[2]) + 1;
  if (!Number.isSafeInteger(until)) return undefined;
  // RFC 9110 §14.4: a last position before the first, or a length not beyond the last, is invalid.
  if (until <= from || (totalBytes !== undefined && totalBytes < until)) return undefined;
  return { kind: 'part', from, until, totalBytes };
}
