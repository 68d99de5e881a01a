/** What workers write, line by line into one place: pieces of two lines never meet in one. */
import type { Readable } from 'node:stream';
import { MAX_OUTPUT_LINE_BYTES } from '../base/worker-limits.js';

export interface OutputSink {
  /** Whole lines. Returns whether there is room for more now. */
  pass(lines: Uint8Array): boolean;
  /** Resolves when there is. */
  flush(): Promise<void>;
}

const NEWLINE = 0x0a;

/** Passes on all that `from` gives, whole lines at a time, no faster than `to` takes them. */
export function passLines(from: Readable, to: OutputSink): void {
  let held: Buffer = Buffer.alloc(0);
  from.on('data', (piece: Buffer) => {
    const bytes = held.length === 0 ? piece : Buffer.concat([held, piece]);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    const isEndless = end === 0 && bytes.length > MAX_OUTPUT_LINE_BYTES;
    const whole = isEndless ? bytes : bytes.subarray(0, end);
    held = isEndless ? Buffer.alloc(0) : bytes.subarray(end);
    if (whole.length === 0 || to.pass(whole)) return;
    from.pause();
    void to.flush().then(() => from.resume());
  });
  from.on('end', () => {
    // The last words of one that died in the middle of a line.
    if (held.length > 0) to.pass(Buffer.concat([held, Buffer.of(NEWLINE)]));
  });
}
