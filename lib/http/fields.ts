/**
 * A field section as it came off the wire: names in their own case, order and duplicates kept.
 * Implements RFC 9110 §5.1-5.3. Immutable; every change makes a new one.
 */
import type { Slab } from '../base/slab.js';
import { lowerName } from './lower-names.js';
import type { NameSet } from './name-set.js';

/** Flat list of names and values, [name, value, name, value ...], the form that node:http takes and gives. */
export type RawFields = readonly string[];

/** Between the parts of a packed section: no name and no value holds it (RFC 9110 §5.5). */
const BETWEEN = '\n';
export const BETWEEN_CODE = 10;
/** Packed sections that are also there as lists: those read last. */
const IN_USE_COUNT = 1024;

/** Writes the parts joined, one byte for each character. Whether they are found again in that. */
function writeJoined(parts: RawFields, bytes: Buffer, from: number): boolean {
  let at = from;
  for (let n = 0; n < parts.length; n++) {
    if (n > 0) bytes[at++] = BETWEEN_CODE;
    const part = parts[n] as string;
    const { length } = part;
    for (let i = 0; i < length; i++) {
      const code = part.charCodeAt(i);
      if (code > 0xff || code === BETWEEN_CODE) return false;
      bytes[at++] = code;
    }
  }
  return true;
}

/** What writeJoined() has written. */
function partsIn(bytes: Buffer, from: number, until: number): string[] {
  return bytes.toString('latin1', from, until).split(BETWEEN);
}

function lengthsOf(raw: RawFields): number {
  let lengths = 0;
  for (let i = 0; i < raw.length; i += 2) lengths |= 1 << (raw[i] as string).length;
  return lengths;
}

const NO_LINES: readonly string[] = [];

export class Fields {
  static readonly empty = new Fields([]);

  /** Undefined while it is packed and nobody reads it. Not a `#` name, so that comparing two sections deeply compares this. */
  protected list: RawFields | undefined;
  /** Where it is packed: see pack(). */
  #slab: Slab | undefined;
  #slabAt = 0;
  #slabBytes = 0;
  #counted = -1;
  /** A bit for each length of a name, that of 32 with that of 0; 0: not looked at yet. */
  #lengths = 0;

  /** Wraps without copying: the caller gives the list away. */
  constructor(raw: RawFields | undefined) {
    this.list = raw;
  }

  /** Names and values in turn. Shared, never to be changed in place. */
  get raw(): RawFields {
    return this.list ?? this.unpacked();
  }

  /** From an object, for code and tests that write fields by hand. */
  static of(record: Readonly<Record<string, string | readonly string[]>>): Fields {
    const raw: string[] = [];
    for (const [name, value] of Object.entries(record)) {
      if (typeof value === 'string') raw.push(name, value);
      else for (const line of value) raw.push(name, line);
    }
    return new Fields(raw);
  }

  /** Index of the first line of `name` at or after `from`, else -1. `name` is in lower case. */
  #find(name: string, from: number): number {
    const { length } = name;
    if (this.#lengths === 0) this.#lengths = lengthsOf(this.raw);
    // Most of what is asked for is not there, and its length tells that.
    if ((this.#lengths & (1 << length)) === 0) return -1;
    const { raw } = this;
    for (let i = from; i < raw.length; i += 2) {
      const own = raw[i] as string;
      if (own.length === length && lowerName(own) === name) return i;
    }
    return -1;
  }

  has(name: string): boolean {
    return this.#find(name, 0) >= 0;
  }

  /** All lines of `name` (lower case) joined by `, ` (RFC 9110 §5.3), or undefined where there is none. */
  get(name: string): string | undefined {
    let at = this.#find(name, 0);
    if (at < 0) return undefined;
    let value = this.raw[at + 1] as string;
    for (at = this.#find(name, at + 2); at >= 0; at = this.#find(name, at + 2))
      value += `, ${this.raw[at + 1] as string}`;
    return value;
  }

  /** The value of the first line of `name` (lower case) alone: for fields that are not lists. */
  first(name: string): string | undefined {
    const at = this.#find(name, 0);
    return at < 0 ? undefined : (this.raw[at + 1] as string);
  }

  /** Where in the list of names and values the first line of `name` (lower case) from `from` on stands; -1: nowhere. */
  placeOf(name: string, from = 0): number {
    return this.#find(name, from);
  }

  /** The value of the only line of `name` (lower case); undefined where there is none, or there are several. */
  only(name: string): string | undefined {
    const at = this.#find(name, 0);
    return at < 0 || this.#find(name, at + 2) >= 0 ? undefined : (this.raw[at + 1] as string);
  }

  /** Each line of `name` (lower case), in order. */
  lines(name: string): readonly string[] {
    let at = this.#find(name, 0);
    if (at < 0) return NO_LINES;
    const out: string[] = [];
    for (; at >= 0; at = this.#find(name, at + 2)) out.push(this.raw[at + 1] as string);
    return out;
  }

  /** Without the lines whose lower-case name is refused by `keep`. */
  filter(keep: (lowerName: string, value: string) => boolean): Fields {
    const { raw } = this;
    // Nothing is copied before there is something to leave out, which is rare.
    let out: string[] | undefined;
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i] as string;
      const value = raw[i + 1] as string;
      if (!keep(lowerName(name), value)) out ??= raw.slice(0, i);
      else if (out !== undefined) out.push(name, value);
    }
    return out === undefined ? this : new Fields(out);
  }

  /** Without every line of `name` (lower case). */
  without(name: string): Fields {
    const at = this.#find(name, 0);
    if (at < 0) return this;
    const { raw } = this;
    const out = raw.slice(0, at);
    for (let from = at + 2; ; ) {
      const next = this.#find(name, from);
      const until = next < 0 ? raw.length : next;
      for (let i = from; i < until; i++) out.push(raw[i] as string);
      if (next < 0) return new Fields(out);
      from = next + 2;
    }
  }

  /** Without the lines of any of these names. */
  withoutAny(names: NameSet): Fields {
    const { raw } = this;
    if (this.#lengths === 0) this.#lengths = lengthsOf(raw);
    if (names.hasNoneOf(this.#lengths)) return this;
    let out: string[] | undefined;
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i] as string;
      if (names.has(name)) out ??= raw.slice(0, i);
      else if (out !== undefined) out.push(name, raw[i + 1] as string);
    }
    return out === undefined ? this : new Fields(out);
  }

  /** With one more line at the end. */
  append(name: string, value: string): Fields {
    return new Fields([...this.raw, name, value]);
  }

  /** With exactly one line of `name`, at the end. */
  set(name: string, value: string): Fields {
    return this.without(name.toLowerCase()).append(name, value);
  }

  *[Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    const { raw } = this;
    for (let i = 0; i < raw.length; i += 2) yield [raw[i] as string, raw[i + 1] as string];
  }

  /** A list of what pack() has written there, which may be written over then. */
  static readFrom(bytes: Buffer, from: number, until: number): Fields {
    return new Fields(partsIn(bytes, from, until));
  }

  /** One that is packed already. */
  static packedIn(slab: Slab, at: number, bytes: number): Fields {
    const fields = new Fields(NO_LINES);
    fields.list = undefined;
    fields.#slab = slab;
    fields.#slabAt = at;
    fields.#slabBytes = bytes;
    return fields;
  }

  /** With these lines at the end, which are not joined to the others before somebody asks for a list of all. */
  followedBy(lines: RawFields): Fields {
    return new FollowedFields(this, lines);
  }

  /** The slab that it is packed in, if it is. */
  get slab(): Slab | undefined {
    return this.#slab;
  }

  /** Its place there. */
  get slabAt(): number {
    return this.#slabAt;
  }

  /** Bytes that pack() would take a place for: 0 where it is better left as it is. */
  get packableBytes(): number {
    if (this.#slab !== undefined) return this.#slabBytes;
    return Math.max(0, this.#textBytes() + this.raw.length - 1);
  }

  /**
   * Keeps the section as one text in a slab from now on, and as a list only while it is in use: for what is stored and
   * seldom asked for. Returns whether it could: a text that holds what no field may hold stays as it is.
   */
  pack(slab: Slab): boolean {
    const from = this.#slab;
    let length = this.#slabBytes;
    let at: number;
    if (from === undefined) {
      length = this.packableBytes;
      if (length === 0) return false;
      at = slab.take(length);
      if (!writeJoined(this.raw, slab.bytes, at)) return false;
    } else {
      at = slab.take(length);
      from.bytes.copy(slab.bytes, at, this.#slabAt, this.#slabAt + length);
    }
    this.#slab = slab;
    this.#slabAt = at;
    this.#slabBytes = length;
    // What was just stored is mostly what is told next: its list goes with the next one that is packed.
    if (packedLast !== undefined && packedLast !== this) packedLast.list = undefined;
    packedLast = this;
    return true;
  }

  protected unpacked(): RawFields {
    const slab = this.#slab;
    if (slab === undefined) return [];
    const raw = partsIn(slab.bytes, this.#slabAt, this.#slabAt + this.#slabBytes);
    const place = nextInUse++ % IN_USE_COUNT;
    const before = inUse[place];
    if (before !== undefined) before.list = undefined;
    inUse[place] = this;
    this.list = raw;
    return raw;
  }

  /** Names and values together; counted once, for it is asked several times of what is to be stored. */
  #textBytes(): number {
    if (this.#counted < 0) {
      let sum = 0;
      for (const text of this.raw) sum += text.length;
      this.#counted = sum;
    }
    return this.#counted;
  }

  /** Number of lines. */
  get count(): number {
    return this.raw.length / 2;
  }

  /** Bytes of the section as HTTP/1.1 would write it, near enough for accounting (values are latin1). */
  get bytes(): number {
    return this.#textBytes() + this.raw.length * 2;
  }
}

/** A section that is stored and what is told behind it: to write the two needs no list of both. */
export class FollowedFields extends Fields {
  readonly base: Fields;
  readonly behind: RawFields;

  constructor(base: Fields, behind: RawFields) {
    super(undefined);
    this.base = base;
    this.behind = behind;
  }

  protected override unpacked(): RawFields {
    this.list = [...this.base.raw, ...this.behind];
    return this.list;
  }
}

let packedLast: Fields | undefined;
const inUse: (Fields | undefined)[] = new Array(IN_USE_COUNT).fill(undefined);
let nextInUse = 0;
