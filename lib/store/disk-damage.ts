/** What is said and done where the disk tier cannot be written: as long as it fails once, and where it is the file that fails, so that the next start sets that aside. */
import { MAX_DISK_DAMAGED_WRITES } from '../base/disk-limits.js';
import type { Events } from '../observe/events.js';
import { noticeEnd } from '../observe/states.js';
import type { DiskFailure } from './disk-contract.js';

/** What lmdb says where a page is not what it should be: nobody but a new file makes an end of that. */
const DAMAGE = /\bMDB_(?:BAD_TXN|CORRUPTED|PAGE_NOTFOUND|PROBLEM)\b/;

export class DiskDamage {
  readonly #events: Events;
  readonly #onDamaged: () => void;
  /** Writes that failed over what is in the file, none in between that did not. */
  #damagedWrites = 0;

  /** `onDamaged` has the next start set the file aside. */
  constructor(events: Events, onDamaged: () => void) {
    this.#events = events;
    this.#onDamaged = onDamaged;
  }

  written(): void {
    this.#damagedWrites = 0;
  }

  /** It can be written again. */
  recovered(): void {
    noticeEnd(this.#events, 'disk-read-only');
  }

  /** `isNews`: it could be written before. */
  unwritten(failure: DiskFailure, isNews: boolean): void {
    if (isNews) {
      const message = `The disk tier cannot be written (${failure.message}): what is there is served, nothing is added, and it is tried again.`;
      this.#events.notice('error', 'disk-read-only', message, { reason: failure.code });
    }
    if (!DAMAGE.test(failure.message) || ++this.#damagedWrites !== MAX_DISK_DAMAGED_WRITES) return;
    const message = `The file of the disk tier is damaged (${failure.message}): what can be read of it is served, and the next start ${this.#mark()}.`;
    this.#events.notice('error', 'disk-unwritable', message);
  }

  unreadable(error: unknown): void {
    const message = `The file of the disk tier cannot be read (${String(error)}): it is left alone until the next start`;
    this.#events.notice('error', 'disk-unreadable', `${message}, which ${this.#mark()}.`);
  }

  /** Has the next start know. Returns what it will do: where not even that can be written, the file is met as it is. */
  #mark(): string {
    try {
      this.#onDamaged();
      return 'sets it aside';
    } catch (error) {
      return `finds it as it is, for that could not be noted beside it (${String(error)})`;
    }
  }
}
