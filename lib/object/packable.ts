/** The bytes of a body that memory holds: in chunks, or, where it is small and stored, in a place in a slab that many share. */
import { MAX_IN_SLAB_BYTES, type Slab } from '../base/slab.js';
import { NO_CHUNKS } from './chunks.js';
import { Taken } from './taken.js';

export abstract class Packable extends Taken {
  protected chunks: Buffer[] = [];
  /** The slab that the bytes are in, and their place in it: set by pack() alone, and by who finds them there. */
  slab: Slab | undefined;
  slabAt = 0;
  /** Bytes that arrived so far, kept or not. */
  protected received = 0;

  /** Complete, and held whole for good. */
  abstract readonly isHeldWhole: boolean;

  get receivedBytes(): number {
    return this.received;
  }

  /** All chunks, where there are such for good: what one write can send. */
  get wholeChunks(): readonly Buffer[] | undefined {
    if (!this.isHeldWhole) return undefined;
    return this.slab === undefined ? this.chunks : [this.bytesIn(this.slab)];
  }

  /** Buffers that hold it. */
  get chunkCount(): number {
    return this.chunks.length;
  }

  /** Bytes that pack() would move. */
  get packableBytes(): number {
    const isSmall = this.received <= MAX_IN_SLAB_BYTES && this.isHeldWhole;
    return isSmall && (this.slab !== undefined || this.chunks.length === 1) ? this.received : 0;
  }

  /** Moves the bytes to a place in a slab. Who was given them before keeps what it has. */
  pack(slab: Slab): void {
    const chunk = this.slab === undefined ? this.chunks[0] : this.bytesIn(this.slab);
    if (chunk === undefined || this.packableBytes === 0) return;
    this.slabAt = slab.take(chunk.length);
    slab.bytes.set(chunk, this.slabAt);
    this.slab = slab;
    this.chunks = NO_CHUNKS;
  }

  protected bytesIn({ bytes }: Slab): Buffer {
    return bytes.subarray(this.slabAt, this.slabAt + this.received);
  }
}
