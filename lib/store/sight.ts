/** One look at what memory holds under a key, asleep or not: one for all looks, because nothing here yields. */
import { Fields } from '../http/fields.js';
import { NO_BYTES } from '../object/chunks.js';
import type { Life, StoredResponse } from '../object/stored.js';
import type { Taken } from '../object/taken.js';
import type { MemorySight } from './contract.js';
import { NO_SLOT } from './links.js';

const NO_CHUNKS: readonly Buffer[] = [];

/** What is the same for many responses, or said by one. */
type Terms = Pick<StoredResponse, 'status' | 'reasonPhrase' | 'rule' | 'madeBy'>;

export class Sight implements MemorySight {
  slot = NO_SLOT;
  section: Buffer = NO_BYTES;
  sectionFrom = 0;
  sectionUntil = 0;
  slab: Buffer | undefined;
  bodyFrom = 0;
  bodyBytes = 0;
  chunks = NO_CHUNKS;
  taken: Taken | undefined;
  life!: Life;
  #terms!: Terms;

  get status(): number {
    return this.#terms.status;
  }

  get reasonPhrase(): string {
    return this.#terms.reasonPhrase;
  }

  get rule(): string {
    return this.#terms.rule;
  }

  get madeBy(): object | undefined {
    return this.#terms.madeBy;
  }

  get fields(): Fields {
    return Fields.readFrom(this.section, this.sectionFrom, this.sectionUntil);
  }

  is(slot: number, terms: Terms, life: Life): void {
    this.slot = slot;
    this.#terms = terms;
    this.life = life;
  }

  hasSection(bytes: Buffer, from: number, length: number): void {
    this.section = bytes;
    this.sectionFrom = from;
    this.sectionUntil = from + length;
  }

  /** A body that lies in a run of bytes. */
  hasBytes(slab: Buffer, from: number, length: number): void {
    this.slab = slab;
    this.bodyFrom = from;
    this.bodyBytes = length;
    this.chunks = NO_CHUNKS;
    this.taken = undefined;
  }

  /** False where it is not held whole. */
  hasBody(body: StoredResponse['body']): boolean {
    if (body.slab !== undefined) {
      this.hasBytes(body.slab.bytes, body.slabAt, body.receivedBytes);
      return true;
    }
    const chunks = body.wholeChunks;
    if (chunks === undefined) return false;
    this.slab = undefined;
    this.bodyBytes = body.receivedBytes;
    this.chunks = chunks;
    this.taken = body;
    return true;
  }

  /** What is awake. False where it takes more than to write its parts. */
  over(slot: number, stored: StoredResponse): boolean {
    const { fields, selection } = stored;
    if (fields.slab === undefined || stored.partial !== undefined || selection.names.length > 0) return false;
    if (stored.receivedVersion !== undefined) return false;
    this.is(slot, stored, stored.life);
    this.hasSection(fields.slab.bytes, fields.slabAt, fields.packableBytes);
    return this.hasBody(stored.body);
  }
}
