/** What goes to the tier that machines share: behind, a few at a time, and no more of it than a bound. */
import { MAX_SHARED_PENDING, MAX_SHARED_PENDING_BYTES, MAX_SHARED_WRITES } from '../base/shared-limits.js';
import { askedAt } from '../object/asked-at.js';
import type { StoredResponse } from '../object/stored.js';
import type { SharedBodies } from './shared-bodies.js';
import type { SharedClock } from './shared-clock.js';
import type { KeepVerdict, LeasePlace, SharedTable } from './shared-contract.js';
import type { SharedGuard } from './shared-guard.js';
import type { News } from './shared-news.js';
import { encodeShared, nameOf, variantOf } from './shared-record.js';

export interface SharedWritingParts {
  readonly table: SharedTable;
  readonly guard: SharedGuard;
  readonly clock: SharedClock;
  readonly bodies: SharedBodies;
  readonly counts: { kept: number; refused: number; unshared: number };
  /** Larger bodies are not shared. */
  readonly maxBodyBytes: number;
  /** Gives a lease back with what came of it. */
  release(place: LeasePlace, key: string, what: News['what']): Promise<void>;
  /** A fault of our own ended a write. */
  faulted(error: unknown): void;
  news(key: string, variant: string, what: News['what'], record?: Buffer): Buffer;
}

/** A response that is being written, or waits to be. */
interface Write {
  readonly response: StoredResponse;
  /** Of its body, as they were counted. */
  readonly bytes: number;
  readonly lease: LeasePlace | undefined;
  readonly isPush: boolean;
  readonly over: (isKept: boolean) => void;
}

export class SharedWriting {
  readonly #parts: SharedWritingParts;
  readonly #waiting: Write[] = [];
  #running = 0;
  /** Of the bodies of all of them. */
  #bytes = 0;

  constructor(parts: SharedWritingParts) {
    this.#parts = parts;
  }

  /** Responses that are being written, or wait to be. */
  get count(): number {
    return this.#waiting.length + this.#running;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Writes a response; with it the lease is given back. Resolves with whether it was kept. */
  async keep(response: StoredResponse, lease: LeasePlace | undefined, isPush: boolean): Promise<boolean> {
    const { counts, maxBodyBytes, release } = this.#parts;
    const bytes = response.body.receivedBytes;
    const isFull = this.#waiting.length >= MAX_SHARED_PENDING || this.#bytes + bytes > MAX_SHARED_PENDING_BYTES;
    if (isFull || bytes > maxBodyBytes || response.partial !== undefined) {
      counts.unshared++;
      if (lease !== undefined) await release(lease, response.key, 'alone');
      return false;
    }
    this.#bytes += bytes;
    return new Promise((over) => {
      this.#waiting.push({ response, bytes, lease, isPush, over });
      this.#writeNext();
    });
  }

  #writeNext(): void {
    while (this.#running < MAX_SHARED_WRITES) {
      const write = this.#waiting.shift();
      if (write === undefined) return;
      this.#running++;
      void this.#tryTo(write).then((isKept) => {
        this.#parts.counts[isKept ? 'kept' : 'refused']++;
        this.#running--;
        this.#bytes -= write.bytes;
        write.over(isKept);
        this.#writeNext();
      });
    }
  }

  /** A fault ends this one, its lease is given back, and those behind it go on. */
  async #tryTo(write: Write): Promise<boolean> {
    const { faulted, release } = this.#parts;
    try {
      return await this.#write(write);
    } catch (error) {
      faulted(error);
      const { lease, response } = write;
      if (lease !== undefined) await release(lease, response.key, 'left').catch(faulted);
      return false;
    }
  }

  async #write({ response, lease, isPush }: Write): Promise<boolean> {
    const { table, guard, clock, bodies, release, news } = this.#parts;
    const { key, selection, life, body, tags = [] } = response;
    const name = nameOf(key);
    const keepUntil = clock.toServer(life.keepUntil);
    const now = clock.now();
    const place = keepUntil > now && guard.isUp ? await bodies.keep(name, body, keepUntil, now) : undefined;
    if (place === undefined) {
      if (lease !== undefined) await release(lease, key, 'left');
      return false;
    }
    const record = encodeShared(response, place, clock.offsetMs);
    const recordVariant = variantOf(selection);
    const variant = lease?.variant ?? recordVariant;
    const given = await guard.background(
      (): Promise<KeepVerdict> =>
        table.keep({
          name,
          variant,
          holder: lease?.holder ?? '',
          recordVariant,
          key,
          record,
          keepUntil,
          requestedAt: clock.toServer(askedAt(response)),
          isPush,
          news: news(key, variant, isPush ? 'pushed' : 'kept', record),
          otherwise: news(key, variant, 'left'),
        }),
    );
    // It may not have come that far.
    if (given === undefined && lease !== undefined) await release(lease, key, 'left');
    if (given?.value !== 'kept') return false;
    for (const tag of tags) await guard.background(() => table.noteTag(tag, name, keepUntil, now));
    return true;
  }
}
