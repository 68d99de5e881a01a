/**
 * What one look at the disk gives (decision 0022). There is one of these, used for each look in its turn: a hit from
 * disk leaves next to nothing behind for the garbage collector.
 */
import { DISK_INLINE_BODY_BYTES } from '../base/disk-limits.js';
import { Views } from '../base/views.js';
import { Body } from '../object/body.js';
import { NO_BYTES } from '../object/chunks.js';
import { RecordSight } from '../object/record-sight.js';
import { storedAround } from '../object/record-stored.js';
import type { Selection, StoredResponse } from '../object/stored.js';
import type { Glance, PlainSight } from './contract.js';
import { CHECK_BYTES, Entry } from './disk-entry.js';
import { shifted } from './shifted.js';

export const NO_SELECTION: Selection = { names: [], values: [] };

/** A copy of the small body that was found, for as long as nothing else is looked at. */
const copy = Buffer.alloc(DISK_INLINE_BODY_BYTES);

class Sight extends RecordSight implements PlainSight {
  bodyFrom = 0;
}

export class DiskGlance implements Glance {
  readonly selection = NO_SELECTION;
  plain: PlainSight | undefined;
  readonly #skewMs: number;
  readonly #sight = new Sight();
  #key = '';
  /** The end of the key. */
  #rest = '';
  /** Where the bytes lay that were looked at last: the next ones mostly do too. */
  #seen: ArrayBufferLike | undefined;
  #seenFrom = 0;
  #views = new Views(copy);
  #entry: Entry | undefined;
  #stored: StoredResponse | undefined;

  /** `skewMs`: by how much the clock of the file is ahead of this process's. */
  constructor(skewMs: number) {
    this.#skewMs = skewMs;
  }

  /** False where this is damaged, or not the only entry of its key. */
  over(bytes: Buffer, key: string, rest: string): boolean {
    const entry = Entry.over(bytes, this.#checked(bytes));
    if (entry === undefined || entry.isAccompanied) return false;
    this.#key = key;
    this.#rest = rest;
    this.#entry = entry;
    this.#stored = undefined;
    const { recordAt, bodyAt } = entry;
    const sight = this.#sight;
    // Instants on another scale are moved before anything is told by them.
    const isPlain =
      this.#skewMs === 0 && sight.over(bytes, recordAt, bodyAt, key, rest) && sight.bodyBytes === entry.bodyBytes;
    sight.bodyFrom = bodyAt;
    this.plain = isPlain ? sight : undefined;
    return isPlain || this.stored !== undefined;
  }

  get key(): string {
    return this.#key + this.#rest;
  }

  /** What the checksum is of. */
  #checked(bytes: Buffer): Buffer {
    if (bytes.buffer !== this.#seen || bytes.byteOffset !== this.#seenFrom) {
      this.#seen = bytes.buffer;
      this.#seenFrom = bytes.byteOffset;
      this.#views = new Views(Buffer.from(bytes.buffer, bytes.byteOffset), CHECK_BYTES);
    }
    return this.#views.until(bytes.length);
  }

  /** Good until the next look from now on, whatever else is read. */
  keep(): void {
    if (this.plain === undefined) return;
    this.#sight.bytes = Buffer.from(this.#sight.bytes);
    this.#entry = Entry.over(this.#sight.bytes);
  }

  /** The entry, where it lies. */
  get bytes(): Buffer {
    return this.#entry?.bytes ?? NO_BYTES;
  }

  get stored(): StoredResponse | undefined {
    this.#stored ??= this.#read();
    return this.#stored;
  }

  #read(): StoredResponse | undefined {
    const head = this.#entry?.headAbout(this.key);
    if (head === undefined || head.parts !== undefined || this.#entry?.bodyBytes !== head.bodyBytes) return undefined;
    this.#entry.copyBody(copy);
    const stored = storedAround(head, head.bodyBytes === 0 ? Body.empty : Body.of([copy.subarray(0, head.bodyBytes)]));
    return this.#skewMs === 0 ? stored : shifted(stored, -this.#skewMs);
  }

  get fetchedAt(): number {
    return this.plain === undefined ? (this.stored?.fetchedAt ?? 0) : this.#sight.fetchedAt;
  }

  get requestedAt(): number | undefined {
    return this.plain === undefined ? this.stored?.requestedAt : this.#sight.requestedAt;
  }

  /** Second of the last use, as the file says. */
  get usedSec(): number {
    return this.#entry?.epoch ?? 0;
  }

  /** What tells its entry from others, near enough. */
  get check(): number {
    return this.#entry?.check ?? 0;
  }
}
