/** Lines on their way to the log, as bytes, in memory that is used again and again. */
import { LOG_BATCH_BYTES, MAX_SPARE_LOG_BATCHES } from '../base/limits.js';

/** Lines that are written together. Two that are filled one after another are never the same object. */
export interface LineBatch {
  readonly bytes: Buffer;
  /** Bytes of it that are lines. */
  length: number;
}

const NEWLINE = 10;
/** Share of its memory that a batch which waits has lines in; with less they move to memory of their size. */
const LEAST_FILLED = 7 / 8;

/** Lines that end in it from this byte on. */
export function countLines({ bytes, length }: LineBatch, from: number): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE, from); at >= 0 && at < length; at = bytes.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}

export class LineBatches {
  readonly #spare: Buffer[] = [];

  /** With room for at least so many bytes. */
  make(bytes: number): LineBatch {
    if (bytes > LOG_BATCH_BYTES) return { bytes: Buffer.allocUnsafeSlow(bytes), length: 0 };
    return { bytes: this.#spare.pop() ?? Buffer.allocUnsafeSlow(LOG_BATCH_BYTES), length: 0 };
  }

  /** The same for one that waits: the room that was kept for a long line is several times what it took. */
  fit(batch: LineBatch): LineBatch {
    const { bytes, length } = batch;
    if (length >= bytes.length * LEAST_FILLED) return batch;
    const fitted = { bytes: Buffer.from(bytes.subarray(0, length)), length };
    this.giveBack(batch);
    return fitted;
  }

  /** Nobody looks at its bytes any more. */
  giveBack({ bytes }: LineBatch): void {
    if (bytes.length === LOG_BATCH_BYTES && this.#spare.length < MAX_SPARE_LOG_BATCHES) this.#spare.push(bytes);
  }
}
