/** A body on its way to disk while it arrives: cut into chunks, each handed to the queue as soon as it is full. */
import type { BodyBelow, BodySink, BodySinkListener } from '../object/body.js';
import type { DiskBodies } from './disk-bodies.js';
import { chunkKey, DISK_CHUNK_BYTES, sealChunk } from './disk-keys.js';
import type { DiskQueue } from './disk-queue.js';

export class DiskSpill implements BodySink {
  readonly below: BodyBelow;
  listener: BodySinkListener | undefined;
  readonly #queue: DiskQueue;
  readonly #bodies: DiskBodies;
  readonly #id: Buffer;
  /** The chunk that is being filled. */
  #chunk = Buffer.allocUnsafeSlow(DISK_CHUNK_BYTES);
  #filledBytes = 0;
  #chunks = 0;
  #takenBytes = 0;
  #storedBytes = 0;
  #isOver = false;

  constructor(queue: DiskQueue, bodies: DiskBodies) {
    this.#queue = queue;
    this.#bodies = bodies;
    this.#id = bodies.newId();
    this.below = bodies.reading(
      { id: this.#id },
      () => this.#storedBytes,
      () => undefined,
    );
  }

  write(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.#isOver; ) {
      const bytes = Math.min(chunk.length - at, DISK_CHUNK_BYTES - this.#filledBytes);
      chunk.copy(this.#chunk, this.#filledBytes, at, at + bytes);
      this.#filledBytes += bytes;
      at += bytes;
      if (this.#filledBytes === DISK_CHUNK_BYTES) this.#flush();
    }
  }

  end(): void {
    if (this.#filledBytes > 0) this.#flush();
    if (this.#isOver) return;
    // From here on a record can be written for it.
    this.#bodies.noteBelow(this.below, { id: this.#id, bytes: this.#takenBytes, isInline: false });
  }

  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#queue.order({ kind: 'drop-body', bodyId: this.#id, chunks: this.#chunks }, 0);
  }

  needed(): void {
    this.#bodies.tellReading(this.#id);
  }

  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.needed();
    this.#queue.order({ kind: 'orphan', bodyId: this.#id }, 0);
  }

  #flush(): void {
    if (this.#isOver) return;
    const key = chunkKey(this.#id, this.#chunks++);
    const value = sealChunk(key, this.#chunk.subarray(0, this.#filledBytes));
    this.#takenBytes += this.#filledBytes;
    this.#filledBytes = 0;
    const until = this.#takenBytes;
    this.#queue.order({ kind: 'chunk', key, value }, value.length, (isWritten) => {
      if (this.#isOver) return;
      if (isWritten) {
        this.#storedBytes = until;
        this.listener?.stored(until);
        return;
      }
      if (this.listener === undefined) this.abort();
      else this.listener.lost();
    });
  }
}
