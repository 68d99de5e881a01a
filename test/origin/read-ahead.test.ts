// Goal: bytes that were handed on are never written over by a later read, and no small answer pins a large buffer. Method: reads as node:net makes them, into the buffer that is named after each, on several connections in turn.
import type { Socket } from 'node:net';
import t from 'tap';
import { ORIGIN_LARGE_READ_BYTES, ORIGIN_READ_BYTES } from '../../lib/base/limits.js';
import { ReadAhead } from '../../lib/origin/read-ahead.js';
import { startScriptedOrigin } from '../kit/scripted-origin.js';
import { clientFor, get, Recorder } from './exchange.js';

class Line {
  readonly chunks: Buffer[] = [];
  readonly #reads = new ReadAhead();
  /** What node holds: asked for at the start, and after each read. */
  buffer: Buffer;
  wantsMore = true;

  constructor() {
    this.buffer = this.#reads.buffer();
    this.#reads.socket = {
      push: (chunk: Buffer) => this.chunks.push(chunk) > 0 && this.wantsMore,
    } as unknown as Socket;
  }

  read(length: number, letter: string): boolean {
    this.buffer.fill(letter, 0, length);
    const goesOn = this.#reads.callback(length);
    this.buffer = this.#reads.buffer();
    return goesOn;
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }
}

t.test('small answers of all connections go through one buffer, each into a buffer of its own size', async (t) => {
  const [one, two] = [new Line(), new Line()];
  t.equal(one.buffer, two.buffer);
  one.read(100, 'a');
  two.read(200, 'b');
  one.read(300, 'c');
  t.equal(one.text, 'a'.repeat(100) + 'c'.repeat(300));
  t.equal(two.text, 'b'.repeat(200));
  t.strictSame(
    one.chunks.map(({ buffer }) => buffer.byteLength),
    [100, 300],
  );
});

t.test('issue 6: a body that keeps coming is read in large pieces without a copy, and then no more', async (t) => {
  const [large, small] = [new Line(), new Line()];
  large.read(ORIGIN_READ_BYTES, 'a');
  t.equal(large.buffer.length, ORIGIN_LARGE_READ_BYTES);
  t.not(large.buffer, small.buffer);
  const first = large.buffer.buffer;
  large.read(ORIGIN_LARGE_READ_BYTES, 'b');
  t.equal(large.chunks[1]?.buffer, first, 'it is handed on as it is');
  t.not(large.buffer.buffer, first, 'and not read into again');
  large.read(ORIGIN_LARGE_READ_BYTES / 4, 'c');
  t.equal(
    large.chunks[2]?.buffer.byteLength,
    ORIGIN_LARGE_READ_BYTES / 4,
    'a piece is copied out of what it would pin',
  );
  large.read(10, 'd');
  t.equal(large.buffer, small.buffer, 'the rest goes the way of small answers');
  small.read(ORIGIN_READ_BYTES - 1, 'x');
  large.read(10, 'e');
  const whole = ORIGIN_READ_BYTES + ORIGIN_LARGE_READ_BYTES;
  t.equal(large.text.length, whole + ORIGIN_LARGE_READ_BYTES / 4 + 20);
  t.equal(large.text.slice(whole - 1), `b${'c'.repeat(ORIGIN_LARGE_READ_BYTES / 4)}${'d'.repeat(10)}${'e'.repeat(10)}`);
});

t.test('the stream says when it has enough; without one nothing more is wanted', async (t) => {
  const line = new Line();
  t.ok(line.read(5, 'a'));
  line.wantsMore = false;
  t.notOk(line.read(5, 'a'));
  t.notOk(new ReadAhead().callback(1));
});

t.test(
  'RFC 9112 §6: bodies of every size come whole over one connection, one after another, however they are read',
  async (t) => {
    const origin = await startScriptedOrigin();
    const client = clientFor(origin.url, { connections: 1 });
    t.teardown(async () => {
      await origin.close();
      await client.close();
    });
    const sizes = [3, ORIGIN_READ_BYTES, 3_000_000, 1, ORIGIN_LARGE_READ_BYTES, 900_001, 70_000, 2];
    origin.respond(({ target }) => ({ body: bodyOf(Number(target.slice(1))) }));
    const kept: Recorder[] = [];
    for (const size of sizes) {
      const recorder = new Recorder();
      client.fetch(get(`/${size}`), recorder);
      t.equal(await recorder.over, 'end');
      kept.push(recorder);
    }
    // Looked at last: what was read later must not have come over it.
    for (const [i, size] of sizes.entries()) {
      t.ok(Buffer.concat(kept[i]?.chunks ?? []).equals(Buffer.from(bodyOf(size))), `${size} bytes`);
    }
  },
);

function bodyOf(size: number): string {
  return `${size} `.repeat(Math.ceil(size / 2)).slice(0, size);
}
