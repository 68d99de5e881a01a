/**
 * What a field section says, worked out once: the requests of one connection mostly repeat it byte for byte, and
 * neighbouring connections send the same. Implements RFC 9112 §3.2 (Host), §9.3 (Connection) and what RFC 9111 lets a
 * request say to a cache, as far as telling whether it says anything.
 */
import type { PartAsked } from '../engine/contract.js';
import { Fields } from '../http/fields.js';
import { parseSingleRange } from '../http/ranges.js';
import type { HeadScan } from './head-scan.js';
import { hostKeyOf, LINE_OVERHEAD_BYTES } from './intake.js';

let viewed: Buffer = Buffer.alloc(0);
let view = new DataView(viewed.buffer, viewed.byteOffset, 0);

/** These bytes as words. Made anew for others alone: nearly all bytes come in the one buffer that is read into. */
function wordsOf(bytes: Buffer): DataView {
  if (bytes !== viewed) {
    viewed = bytes;
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }
  return view;
}

export class FieldMemo {
  /** The section with its empty line. */
  readonly #words: DataView;
  readonly fields: Fields;
  /** The host that counts, in lower case. */
  readonly host: string;
  /** The client said Connection: close. */
  readonly isLast: boolean;
  /** As the intake counts it. */
  readonly fieldsBytes: number;
  /** Nothing in it means anything to a cache, but for If-None-Match and what asks for a part. */
  readonly isPlain: boolean;
  /** The value of If-None-Match. */
  readonly condition: string | undefined;
  readonly part: PartAsked | undefined;
  /** For the log. */
  readonly userAgent: string | undefined;
  readonly referer: string | undefined;

  private constructor(words: DataView, fields: Fields, host: string, isLast: boolean, fieldsBytes: number) {
    this.#words = words;
    this.fields = fields;
    this.host = host;
    this.isLast = isLast;
    this.fieldsBytes = fieldsBytes;
    this.part = partIn(fields);
    this.isPlain = !saysSomething(fields, this.part !== undefined);
    this.condition = fields.get('if-none-match');
    this.userAgent = fields.first('user-agent');
    this.referer = fields.first('referer');
  }

  /** What the section that `scan` has just read says; undefined where it is not for here. */
  static of(bytes: Buffer, scan: HeadScan, from: number, until: number): FieldMemo | undefined {
    const { marks } = scan;
    const raw: string[] = [];
    let host: string | undefined;
    let connection: string | undefined;
    let fieldsBytes = 0;
    for (let i = 0; i < marks.length; i += 4) {
      const name = bytes.toString('latin1', marks[i], marks[i + 1]);
      const value = bytes.toString('latin1', marks[i + 2], marks[i + 3]);
      fieldsBytes += name.length + value.length + LINE_OVERHEAD_BYTES;
      raw.push(name, value);
      if (name.length === HOST_LENGTH && name.toLowerCase() === 'host') {
        if (host !== undefined) return undefined;
        host = hostKeyOf(value);
        if (host === undefined) return undefined;
      } else if (name.length === CONNECTION_LENGTH && name.toLowerCase() === 'connection') {
        if (connection !== undefined) return undefined;
        connection = value.toLowerCase();
        if (connection !== 'close' && connection !== 'keep-alive') return undefined;
      }
    }
    if (host === undefined) return undefined;
    const section = Uint8Array.prototype.slice.call(bytes, from, until);
    return new FieldMemo(new DataView(section.buffer), new Fields(raw), host, connection === 'close', fieldsBytes);
  }

  get length(): number {
    return this.#words.byteLength;
  }

  /** Whether the section at `from` is this one. */
  isAt(bytes: Buffer, from: number, until: number): boolean {
    const own = this.#words;
    const { byteLength } = own;
    if (until - from < byteLength) return false;
    const words = wordsOf(bytes);
    // From the end, four bytes at a time: sections that differ do so there more often than in Host.
    let at = byteLength - 4;
    for (; at >= 0; at -= 4) if (words.getInt32(from + at) !== own.getInt32(at)) return false;
    // The shortest has more than four: what is left is looked at with bytes that were looked at already.
    return words.getInt32(from) === own.getInt32(0);
  }
}

/**
 * Fields by which a request says how it wants to be answered, or which the key is made with: all that the engine looks at
 * on the way to a fresh response where neither a rule nor Vary asks for more. A test holds this list against what it asks for.
 */
export const SAYS_SOMETHING: ReadonlySet<string> = new Set([
  'cache-control',
  'forwarded',
  'if-match',
  'if-modified-since',
  'if-range',
  'if-unmodified-since',
  'pragma',
  'range',
  'via',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
]);

/** Fields that ask for a part. */
const OF_A_PART: ReadonlySet<string> = new Set(['if-range', 'range']);

/** The part that the fields ask for, where it is one range. */
export function partIn(fields: Fields): PartAsked | undefined {
  const range = fields.get('range');
  const spec = range === undefined ? undefined : parseSingleRange(range);
  return spec === undefined ? undefined : { spec, fields: fields.filter((name) => OF_A_PART.has(name)) };
}

/** `hasPart`: those that ask for it say nothing else. */
function saysSomething(fields: Fields, hasPart: boolean): boolean {
  for (let i = 0; i < fields.raw.length; i += 2) {
    const name = (fields.raw[i] as string).toLowerCase();
    if (SAYS_SOMETHING.has(name) && !(hasPart && OF_A_PART.has(name))) return true;
  }
  return false;
}

const HOST_LENGTH = 4;
const CONNECTION_LENGTH = 10;
