/** What waits to be written or to go, by key and record key: whoever reads asks here before the file. */
import { hashOf, hashOfBoth } from '../base/hash.js';
import type { StoredResponse } from '../object/stored.js';
import type { GoneItem, PutItem } from './disk-queued.js';

type Waiting = PutItem | GoneItem;

/** Places in which keys are counted by their hash; a power of two. */
const HASH_PLACES = 4096;

export class DiskWaiting {
  /** Nearly always there is one under a key. Several are found by their places: a miss asks for each variant of its key. */
  readonly #byKey = new Map<string, Waiting | Map<string, Waiting>>();
  /** How many of its keys have a hash that ends so. */
  readonly #counts = new Uint32Array(HASH_PLACES);
  /** How often what waits has changed. */
  changes = 0;

  get size(): number {
    return this.#byKey.size;
  }

  hasKey(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** The same of a key in two parts. To join them, for a map that hashes the whole, is dear: it is done where something is likely there. */
  hasBoth(key: string, rest: string): boolean {
    return this.#counts[hashOfBoth(key, rest) % HASH_PLACES] !== 0 && this.#byKey.has(key + rest);
  }

  #count(key: string, more: number): void {
    const place = hashOf(key) % HASH_PLACES;
    this.#counts[place] = (this.#counts[place] as number) + more;
  }

  /** `place`: a record key, as placeOf() has it. */
  at(key: string, place: string): Waiting | undefined {
    const there = this.#byKey.get(key);
    if (there instanceof Map) return there.get(place);
    return there?.place === place ? there : undefined;
  }

  /** What waits under this key, the latest first; undefined where nothing does. */
  of(key: string): readonly Waiting[] | undefined {
    const there = this.#byKey.get(key);
    if (there instanceof Map) return [...there.values()].reverse();
    return there === undefined ? undefined : [there];
  }

  *all(): IterableIterator<Waiting> {
    for (const there of this.#byKey.values())
      if (there instanceof Map) yield* there.values();
      else yield there;
  }

  /** Nothing of its key and place is there. */
  add(item: Waiting): void {
    this.changes++;
    const there = this.#byKey.get(item.key);
    if (there === undefined) {
      this.#byKey.set(item.key, item);
      this.#count(item.key, 1);
    } else if (there instanceof Map) there.set(item.place, item);
    else this.#byKey.set(item.key, new Map([there, item].map((one) => [one.place, one])));
  }

  /** `stored` waits in the place of what `item` was about. */
  renew(item: PutItem, stored: StoredResponse): void {
    this.changes++;
    item.stored = stored;
  }

  /** Takes out exactly this one, where it is there. */
  delete(item: Waiting): void {
    this.changes++;
    const there = this.#byKey.get(item.key);
    if (there instanceof Map && there.get(item.place) === item) there.delete(item.place);
    if (there !== item && !(there instanceof Map && there.size === 0)) return;
    this.#byKey.delete(item.key);
    this.#count(item.key, -1);
  }

  clear(): void {
    this.changes++;
    this.#byKey.clear();
    this.#counts.fill(0);
  }
}
