// Goal: a large body is read into one buffer again and again where its taker gives that back, and never into one that somebody still has. Method: reads as node:net makes them, and a taker that lets go at once, later, or never.
import t from 'tap';
import { ORIGIN_LARGE_READ_BYTES, ORIGIN_READ_BYTES } from '../../lib/base/limits.js';
import type { ReadBuffer } from '../../lib/base/read-buffer.js';
import { Intake, type IntakeOwner } from '../../lib/origin/intake.js';

const PART = ORIGIN_LARGE_READ_BYTES / 4;

/** A connection whose taker keeps each read as one piece. */
class Line implements IntakeOwner {
  expectedBytes = Number.POSITIVE_INFINITY;
  /** At once. */
  letsGo = false;
  readonly pieces: Buffer[] = [];
  lent: ReadBuffer | undefined;
  readonly #intake = new Intake(this);
  /** What node holds: asked for at the start, and after each read. */
  buffer = this.#intake.buffer();

  constructor() {
    // The first read fills the buffer that all have, so that large ones follow.
    this.read(ORIGIN_READ_BYTES, 'a');
  }

  take(bytes: Buffer, length: number): boolean {
    this.pieces.push(this.#intake.keep(bytes, 0, length));
    this.lent = this.#intake.lent;
    if (this.letsGo) this.lent?.letGo();
    return true;
  }

  /** Returns the piece that it was kept as. */
  read(length: number, letter: string): Buffer {
    this.buffer.fill(letter, 0, length);
    this.#intake.callback(length);
    this.buffer = this.#intake.buffer();
    return this.pieces.at(-1) as Buffer;
  }
}

t.test('what is let go at once is read into again, and then no piece is copied, however small', async (t) => {
  const line = new Line();
  line.letsGo = true;
  const { buffer } = line;
  t.equal(line.read(ORIGIN_LARGE_READ_BYTES, 'b').buffer, buffer.buffer);
  for (const length of [PART, ORIGIN_LARGE_READ_BYTES, PART]) {
    t.equal(line.buffer, buffer);
    t.equal(line.read(length, 'c').buffer, buffer.buffer);
  }
});

t.test('what is not let go is not read into again, and pins no more than twice its size', async (t) => {
  const line = new Line();
  const first = line.read(ORIGIN_LARGE_READ_BYTES, 'b');
  t.not(line.buffer.buffer, first.buffer);
  const small = line.read(PART, 'c');
  t.equal(small.buffer.byteLength, PART);
  line.read(ORIGIN_LARGE_READ_BYTES, 'd');
  line.read(ORIGIN_LARGE_READ_BYTES, 'e');
  t.ok(first.equals(Buffer.alloc(ORIGIN_LARGE_READ_BYTES, 'b')));
  t.ok(small.equals(Buffer.alloc(PART, 'c')));
});

t.test('one that lets go late has what it was given until then, and is lent to again afterwards', async (t) => {
  const line = new Line();
  const first = line.read(ORIGIN_LARGE_READ_BYTES, 'b');
  const late = line.lent;
  const second = line.read(PART, 'c');
  t.equal(line.lent, undefined);
  t.ok(first.equals(Buffer.alloc(ORIGIN_LARGE_READ_BYTES, 'b')));
  late?.letGo();
  const third = line.read(PART, 'd');
  t.not(line.lent, undefined);
  line.read(PART, 'e');
  t.ok(second.equals(Buffer.alloc(PART, 'c')));
  t.ok(third.equals(Buffer.alloc(PART, 'd')), 'it has not been let go');
});

t.test('a connection leaves its buffer to the next one when its body ends', async (t) => {
  const [one, two] = [new Line(), new Line()];
  one.letsGo = true;
  const { buffer } = one;
  one.expectedBytes = 0;
  one.read(ORIGIN_LARGE_READ_BYTES, 'b');
  t.not(one.buffer, buffer);
  two.read(ORIGIN_LARGE_READ_BYTES, 'c');
  t.equal(two.buffer, buffer);
});

t.test('the end of a body that is smaller than a large buffer is read into one of its size', async (t) => {
  const line = new Line();
  line.expectedBytes = ORIGIN_READ_BYTES + 1;
  line.read(ORIGIN_LARGE_READ_BYTES, 'b');
  t.equal(line.buffer.length, ORIGIN_READ_BYTES + 1);
  line.expectedBytes = 0;
  const last = line.read(ORIGIN_READ_BYTES + 1, 'c');
  t.equal(line.lent, undefined);
  t.equal(last.buffer.byteLength, ORIGIN_READ_BYTES + 1);
});

t.test('a small read that does not come back is the last one that pins a large buffer', async (t) => {
  const line = new Line();
  line.letsGo = true;
  line.read(ORIGIN_LARGE_READ_BYTES, 'b');
  line.letsGo = false;
  const small = ORIGIN_LARGE_READ_BYTES / 32;
  const pinned = (): boolean => line.read(small, 'c').buffer.byteLength >= ORIGIN_LARGE_READ_BYTES;
  t.ok(pinned(), 'its taker has given all back until then');
  // Another one that fills the buffer of all, so that a large one follows.
  line.read(ORIGIN_READ_BYTES, 'd');
  t.notOk(pinned());
});
