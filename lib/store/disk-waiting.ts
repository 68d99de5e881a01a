/** What waits to be written or to go, by key and record key: whoever reads asks here before the file. */
import type { StoredResponse } from '../object/stored.js';
import type { GoneItem, PutItem } from './disk-queued.js';

type Waiting = PutItem | GoneItem;

export class DiskWaiting {
  /** Those of one key are a chain: nearly always it is one. */
  readonly #first = new Map<string, Waiting>();
  /** How often what waits has changed. */
  changes = 0;

  get size(): number {
    return this.#first.size;
  }

  hasKey(key: string): boolean {
    return this.#first.has(key);
  }

  /** `place`: a record key, as placeOf() has it. */
  at(key: string, place: string): Waiting | undefined {
    let item = this.#first.get(key);
    while (item !== undefined && item.place !== place) item = item.next;
    return item;
  }

  /** One under this key; the others are behind it. */
  first(key: string): Waiting | undefined {
    return this.#first.get(key);
  }

  *all(): IterableIterator<Waiting> {
    for (const first of this.#first.values())
      for (let item: Waiting | undefined = first; item !== undefined; item = item.next) yield item;
  }

  /** Nothing of its key and place is there. */
  add(item: Waiting): void {
    this.changes++;
    item.next = this.#first.get(item.key);
    this.#first.set(item.key, item);
  }

  /** `stored` waits in the place of what `item` was about. */
  renew(item: PutItem, stored: StoredResponse): void {
    this.changes++;
    item.stored = stored;
  }

  /** Takes out exactly this one, where it is there. */
  delete(item: Waiting): void {
    this.changes++;
    const first = this.#first.get(item.key);
    if (first === item) {
      if (item.next === undefined) this.#first.delete(item.key);
      else this.#first.set(item.key, item.next);
      return;
    }
    for (let before = first; before !== undefined; before = before.next) {
      if (before.next !== item) continue;
      before.next = item.next;
      return;
    }
  }

  clear(): void {
    this.changes++;
    this.#first.clear();
  }
}
