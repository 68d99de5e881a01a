/**
 * Reads the head of a plain request from its bytes, once, and takes what it knows to the letter alone: a subset of the
 * grammar on which no two parsers differ. What is outside is `FOREIGN`, as soon as its first byte shows it.
 * Implements RFC 9112 §2.2, §3, §5 and RFC 9110 §5.5 as far as that.
 */

/** The head is not complete yet, and so far there is nothing wrong with it. */
export const INCOMPLETE = 0;
/** Not for here, or no request at all: that is for others to tell. */
export const FOREIGN = -1;

const TOKEN = 1;
const VALUE = 2;
const TARGET = 4;

/** What each byte may stand in. */
const CLASSES = makeClasses();

function makeClasses(): Uint8Array {
  const classes = new Uint8Array(256);
  const allow = (characters: string, kind: number): void => {
    for (const character of characters) {
      const at = character.charCodeAt(0);
      classes[at] = (classes[at] as number) | kind;
    }
  };
  const alphanumeric = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  // RFC 9110 §5.6.2.
  allow(`${alphanumeric}!#$%&'*+-.^_\`|~`, TOKEN);
  // RFC 3986 §3.3, §3.4. Browsers leave more as it is in a query; those targets go by the full lane.
  allow(`${alphanumeric}-._~!$&'()*+,;=:@%/?[]|`, TARGET);
  for (let at = 0x20; at <= 0xff; at++) if (at !== 0x7f) classes[at] = (classes[at] as number) | VALUE;
  classes[0x09] = (classes[0x09] as number) | VALUE;
  return classes;
}

const SPACE = 0x20;
const TAB = 0x09;
const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;

const GET = Buffer.from('GET /');
const HEAD = Buffer.from('HEAD /');
/** A method of operators that the parser of node:http does not know. */
const REFRESH = Buffer.from('REFRESH /');
const VERSION = Buffer.from(' HTTP/1.1\r\n');

/** Fields that make more of a request than a plain one, by their length. */
const FOREIGN_NAMES: ReadonlySet<string> = new Set([
  'content-length',
  'expect',
  'http2-settings',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const FOREIGN_LENGTHS: ReadonlySet<number> = new Set([...FOREIGN_NAMES].map((name) => name.length));

/** Where the parts of the head are that was read last. One for all, because nothing here yields. */
export class HeadScan {
  isHead = false;
  isRefresh = false;
  targetFrom = 0;
  targetUntil = 0;
  /** Of the target's bytes. */
  targetHash = 0;
  /** First byte of the field section. */
  fieldsFrom = 0;
  /** From and until of each name and value, in turn. */
  readonly marks: number[] = [];

  /** Reads a request line. Returns where the field section begins, INCOMPLETE or FOREIGN. */
  readLine(bytes: Uint8Array, from: number, until: number): number {
    this.isHead = bytes[from] === 0x48;
    this.isRefresh = bytes[from] === 0x52;
    const method = this.isHead ? HEAD : this.isRefresh ? REFRESH : GET;
    let at = matched(bytes, from, until, method);
    if (at <= 0) return at;
    this.targetFrom = at - 1;
    let hash = 0;
    for (; at < until; at++) {
      const byte = bytes[at] as number;
      if (((CLASSES[byte] as number) & TARGET) === 0) break;
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    this.targetUntil = at;
    this.targetHash = hash;
    at = matched(bytes, at, until, VERSION);
    this.fieldsFrom = at;
    return at;
  }

  /** Reads a field section into `marks`. Returns where it ends, behind the empty line, INCOMPLETE or FOREIGN. */
  readFields(bytes: Uint8Array, from: number, until: number): number {
    const { marks } = this;
    marks.length = 0;
    let at = from;
    for (;;) {
      if (at >= until) return INCOMPLETE;
      if (bytes[at] === CR) {
        if (at + 1 >= until) return INCOMPLETE;
        return bytes[at + 1] === LF ? at + 2 : FOREIGN;
      }
      at = this.#readField(bytes, at, until);
      if (at <= 0) return at;
    }
  }

  #readField(bytes: Uint8Array, from: number, until: number): number {
    let at = from;
    while (at < until && ((CLASSES[bytes[at] as number] as number) & TOKEN) !== 0) at++;
    if (at >= until) return INCOMPLETE;
    if (bytes[at] !== COLON || at === from || isForeignName(bytes, from, at)) return FOREIGN;
    const nameUntil = at++;
    while (at < until && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
    const valueFrom = at;
    while (at < until && ((CLASSES[bytes[at] as number] as number) & VALUE) !== 0) at++;
    if (at >= until) return INCOMPLETE;
    const last = bytes[at - 1];
    // Empty values, and white space before the line end, are read in more than one way.
    if (bytes[at] !== CR || at === valueFrom || last === SPACE || last === TAB) return FOREIGN;
    if (at + 1 >= until) return INCOMPLETE;
    if (bytes[at + 1] !== LF) return FOREIGN;
    this.marks.push(from, nameUntil, valueFrom, at);
    return at + 2;
  }
}

/** Where `wanted` ends, if it stands at `from`; INCOMPLETE where so much of it does as there is. */
function matched(bytes: Uint8Array, from: number, until: number, wanted: Uint8Array): number {
  const { length } = wanted;
  for (let i = 0; i < length; i++) {
    if (from + i >= until) return INCOMPLETE;
    if (bytes[from + i] !== wanted[i]) return FOREIGN;
  }
  return from + length;
}

function isForeignName(bytes: Uint8Array, from: number, until: number): boolean {
  if (!FOREIGN_LENGTHS.has(until - from)) return false;
  let name = '';
  for (let at = from; at < until; at++) name += String.fromCharCode(bytes[at] as number);
  return FOREIGN_NAMES.has(name.toLowerCase());
}
