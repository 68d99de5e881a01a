/**
 * Records of variants that were read from disk last. An exchange looks at all variants of its key several times until its
 * answer is stored, and the next one of that key does so again: what stands there is compared with what was read, and read
 * anew only where it is something else.
 */
import { MAX_DISK_RECENT_RECORD_BYTES, RECENT_RECORD_BYTES } from '../base/disk-limits.js';
import type { RecordHead } from '../object/record.js';
import type { BodyRef } from './disk-bodies.js';

/** What is read of an entry; all of it lies in bytes of its own. */
export interface ReadRecord {
  readonly recordKey: Buffer;
  readonly record: Buffer;
  readonly head: RecordHead;
  readonly ref: BodyRef;
  /** The body, where it stands with its record; else empty. */
  readonly inline: Buffer;
}

export class RecentRecords {
  /** By record key, as placeOf() has it, the oldest first. */
  readonly #records = new Map<string, ReadRecord>();
  #bytes = 0;

  /** What was read there, where the very same record stands there now. */
  get(place: string, record: Uint8Array): ReadRecord | undefined {
    const known = this.#records.get(place);
    return known?.record.equals(record) === true ? known : undefined;
  }

  note(place: string, read: ReadRecord): void {
    this.#forget(place);
    this.#records.set(place, read);
    this.#bytes += bytesOf(read);
    for (const oldest of this.#records.keys()) {
      if (this.#bytes <= MAX_DISK_RECENT_RECORD_BYTES) break;
      this.#forget(oldest);
    }
  }

  #forget(place: string): void {
    const known = this.#records.get(place);
    if (known === undefined) return;
    this.#records.delete(place);
    this.#bytes -= bytesOf(known);
  }

  /** Charged for all that is kept. */
  get bytes(): number {
    return this.#bytes;
  }
}

function bytesOf({ record, inline }: ReadRecord): number {
  // Its texts are held as bytes and as text.
  return RECENT_RECORD_BYTES + record.length * 2 + inline.length;
}
