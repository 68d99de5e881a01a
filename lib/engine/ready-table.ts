/** What is kept ready, by host and target, for as long as it is asked for and is what is stored. */
import { MAX_READY_HOSTS, READY_IDLE_PRUNINGS } from '../base/ready-limits.js';
import type { StoredResponse } from '../object/stored.js';
import type { Place } from '../store/contract.js';
import { Answer } from './ready-answer.js';

/** A target whose requests are answered from one stored response. */
export class ReadyEntry {
  readonly place: Place;
  /** What was stored under the key. The store puts another list in its place where that changes. */
  readonly list: readonly StoredResponse[];
  readonly stored: StoredResponse;
  readonly get = new Answer();
  readonly head = new Answer();
  readonly conditional = new Answer();
  /** Prunings since it was asked for. */
  idle = 0;

  constructor(place: Place, list: readonly StoredResponse[], stored: StoredResponse) {
    this.place = place;
    this.list = list;
    this.stored = stored;
  }
}

type Entries = Map<string, ReadyEntry>;

export class ReadyTable {
  readonly #hosts = new Map<string, Entries>();
  #count = 0;
  /** Most requests are for the host of the one before. */
  #lastHost = '';
  #lastEntries: Entries | undefined;

  get count(): number {
    return this.#count;
  }

  get(host: string, target: string): ReadyEntry | undefined {
    if (host !== this.#lastHost || this.#lastEntries === undefined) this.#enter(host);
    return this.#lastEntries?.get(target);
  }

  #enter(host: string): void {
    this.#lastHost = host;
    this.#lastEntries = this.#hosts.get(host);
  }

  /** Whether another target of this host may be kept, as far as hosts have a bound. */
  hasRoomUnder(host: string): boolean {
    return this.#hosts.size < MAX_READY_HOSTS || this.#hosts.has(host);
  }

  set(host: string, target: string, entry: ReadyEntry): void {
    let entries = this.#hosts.get(host);
    if (entries === undefined) {
      entries = new Map();
      this.#hosts.set(host, entries);
    }
    if (!entries.has(target)) this.#count++;
    entries.set(target, entry);
    this.#lastHost = host;
    this.#lastEntries = entries;
  }

  delete(host: string, target: string): void {
    if (this.#hosts.get(host)?.delete(target) === true) this.#count--;
  }

  /** Takes out what was not asked for lately, or is not what is stored any more: a body must not be held by this alone. */
  prune(): void {
    for (const [host, entries] of this.#hosts) {
      for (const [target, entry] of entries) {
        if (entry.place.list === entry.list && entry.idle++ < READY_IDLE_PRUNINGS) continue;
        if (entries.delete(target)) this.#count--;
      }
      if (entries.size === 0) this.#hosts.delete(host);
    }
    this.#lastEntries = undefined;
  }

  clear(): void {
    this.#hosts.clear();
    this.#lastEntries = undefined;
    this.#count = 0;
  }
}
