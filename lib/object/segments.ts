/**
 * The parts that are at hand of a body that is not there as a whole (RFC 9111 §3.3, §3.4): runs of bytes in order,
 * without overlap, adjoining runs made one. Immutable; buffers are shared, never copied.
 */
import { sliceChunks } from './slice.js';
import { Taken } from './taken.js';

export interface Segment {
  readonly from: number;
  /** Exclusive. */
  readonly until: number;
  readonly chunks: readonly Buffer[];
}

export class Segments extends Taken {
  readonly runs: readonly Segment[];
  /** Length of the whole body, where it is known. */
  readonly totalBytes: number | undefined;

  private constructor(runs: readonly Segment[], totalBytes: number | undefined) {
    super();
    this.runs = runs;
    this.totalBytes = totalBytes;
  }

  static of(segment: Segment, totalBytes: number | undefined): Segments {
    return new Segments([segment], totalBytes);
  }

  /** Bytes at hand. */
  get heldBytes(): number {
    let sum = 0;
    for (const run of this.runs) sum += run.until - run.from;
    return sum;
  }

  get lastingBytes(): number {
    return this.heldBytes;
  }

  get chunkCount(): number {
    let sum = 0;
    for (const run of this.runs) sum += run.chunks.length;
    return sum;
  }

  /** How far the body is at hand without a gap, from its start on. */
  get prefixBytes(): number {
    const first = this.runs[0];
    return first?.from === 0 ? first.until : 0;
  }

  /** The bytes from `from` up to but not including `until`, or undefined where one of them is missing. */
  read(from: number, until: number): Buffer[] | undefined {
    const run = this.runs.find((candidate) => candidate.from <= from && until <= candidate.until);
    return run === undefined ? undefined : sliceChunks(run.chunks, from - run.from, until - run.from);
  }

  /** With one more run; where it overlaps what is here, what is here stays. */
  with(added: Segment): Segments {
    const runs: Segment[] = [];
    let { from, until } = added;
    let chunks: readonly Buffer[] = added.chunks;
    for (const run of this.runs) {
      if (run.until < from || run.from > until) {
        runs.push(run);
        continue;
      }
      const head = from < run.from ? sliceChunks(chunks, 0, run.from - from) : [];
      const tail = until > run.until ? sliceChunks(chunks, run.until - from, until - from) : [];
      chunks = [...head, ...run.chunks, ...tail];
      from = Math.min(from, run.from);
      until = Math.max(until, run.until);
    }
    runs.push({ from, until, chunks });
    runs.sort((a, b) => a.from - b.from);
    return new Segments(runs, this.totalBytes);
  }
}
