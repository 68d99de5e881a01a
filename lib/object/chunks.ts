/** How the bytes of a body are kept: no small piece pins a large buffer, and many small pieces become few. */

/** Chunks smaller than this are gathered: one buffer costs some 300 bytes beside its content. */
const SMALL_CHUNK_BYTES = 1024;
/** Size of the buffer that they are gathered in. */
const TAIL_BYTES = 8 * 1024;

/** A buffer that the last chunk is a view of, and how much of it is used. */
export interface Tail {
  readonly block: Buffer;
  usedBytes: number;
}

/** The chunk itself, or a copy where it is a small slice of a large receive buffer, which it would pin for as long as it is kept. */
export function compacted(chunk: Buffer): Buffer {
  return chunk.length * 2 > chunk.buffer.byteLength ? chunk : copied(chunk);
}

/** All chunks as one, in a buffer of its own. */
export function joined(chunks: readonly Buffer[], totalBytes: number): Buffer {
  // Not Buffer.concat: it takes small buffers out of a shared pool, which would be pinned.
  const whole = Buffer.allocUnsafeSlow(totalBytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** Appends to a list of chunks, where the last one may be gathering small ones; returns what gathers now. */
export function appendChunk(chunks: Buffer[], tail: Tail | undefined, chunk: Buffer): Tail | undefined {
  if (chunk.length >= SMALL_CHUNK_BYTES) {
    sealTail(chunks, tail);
    chunks.push(compacted(chunk));
    return undefined;
  }
  const last = chunks[chunks.length - 1];
  let gathering = tail;
  if (gathering === undefined && last !== undefined && last.length < SMALL_CHUNK_BYTES) {
    gathering = { block: Buffer.allocUnsafeSlow(TAIL_BYTES), usedBytes: last.length };
    gathering.block.set(last);
  }
  if (gathering === undefined || gathering.usedBytes + chunk.length > TAIL_BYTES) {
    chunks.push(compacted(chunk));
    return undefined;
  }
  gathering.block.set(chunk, gathering.usedBytes);
  gathering.usedBytes += chunk.length;
  chunks[chunks.length - 1] = gathering.block.subarray(0, gathering.usedBytes);
  return gathering;
}

/** Nothing more is gathered: the last chunk gives back what it does not use. Returns the tail that is then there: none. */
export function sealTail(chunks: Buffer[], tail: Tail | undefined): undefined {
  if (tail !== undefined && tail.usedBytes * 2 <= TAIL_BYTES)
    chunks[chunks.length - 1] = copied(tail.block.subarray(0, tail.usedBytes));
  return undefined;
}

export function copied(chunk: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(chunk.length);
  copy.set(chunk);
  return copy;
}

export const NO_BYTES = Buffer.alloc(0);
/** The list of a body that holds no chunk; never written to. */
export const NO_CHUNKS: Buffer[] = [];

/** Those that hold something, as a list without places for more. */
export function filled(chunks: readonly Buffer[]): Buffer[] {
  const [only] = chunks;
  if (only !== undefined && chunks.length === 1 && only.length > 0) return [only];
  // A list made by filter() keeps places for more.
  const some = chunks.filter((chunk) => chunk.length > 0);
  return some.length === 0 ? NO_CHUNKS : some.slice();
}
