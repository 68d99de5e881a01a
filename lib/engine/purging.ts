/**
 * What is stored at a URL, under how many keys so ever, is taken out as a whole: by an operator, or because a request
 * changed what is there. Implements RFC 9111 §4.4.
 */
import { MAX_ALIASES, MAX_ALIASES_BYTES, OPERATION_BELOW_STEP_COUNT, STORE_STEP_DELAY_MS } from '../base/limits.js';
import type { StoredResponse } from '../object/stored.js';
import { keyOfUrl, keysAt, targetKey } from '../policy/key.js';
import type { RemovalReason } from '../store/contract.js';
import { Aliases } from './aliases.js';
import type { CollapseTable } from './collapse.js';
import type { ClientRequest } from './contract.js';
import { markerKeysOf } from './fill-order.js';
import type { EngineParts } from './parts.js';
import { type Share, tellPeers, WHOLE } from './peers-contract.js';
import type { Refreshes } from './refreshes.js';

/** Where what is at a URL may be stored. */
export interface KeysAt {
  readonly keys: readonly string[];
  /** What the keys begin with of which more lie below than were looked for. */
  readonly further: readonly string[];
}

export class Purging {
  readonly #parts: EngineParts;
  readonly #collapse: CollapseTable;
  readonly #refreshes: Refreshes;
  readonly #aliases = new Aliases(MAX_ALIASES, MAX_ALIASES_BYTES);
  /** Walks that are under way, by what they are about; with whether they are to begin once more. */
  readonly #walks = new Map<string, boolean>();

  constructor(parts: EngineParts, collapse: CollapseTable, refreshes: Refreshes) {
    this.#parts = parts;
    this.#collapse = collapse;
    this.#refreshes = refreshes;
  }

  /** So that a purge of the target finds what is stored under this key of it. */
  noteAlias(key: string, request: ClientRequest): void {
    const target = targetKey(request, this.#parts.live.rules.ruleFor(request));
    if (target === key) return;
    // What no purge of its target would reach any more must not stay.
    for (const forgotten of this.#aliases.note(target, key)) this.#purgeOne(forgotten, 'evicted');
  }

  /**
   * Every key under which what is at `url` may be stored, itself written as a key: as each rule would have it, and with
   * what headers, cookies and forwarding fields added to that.
   */
  keysOf(url: string): readonly string[] {
    return this.at(url).keys;
  }

  /** The same, and whether these are all. */
  at(url: string): KeysAt {
    const keys: string[] = [];
    const further: string[] = [];
    for (const key of keysAt(url, this.#parts.live.rules.keyings)) {
      // What forwarding fields, headers and cookies add to a key stands behind it (policy/key).
      const beginning = `${key} `;
      const below = this.#parts.store.keysBelow(beginning);
      keys.push(key, ...this.#aliases.of(key), ...below.keys);
      if (!below.areAll) further.push(beginning);
    }
    return { keys: [...new Set(keys)], further };
  }

  /** Takes out all that is stored for a URL, itself written as a key; what is in flight for it is not stored any more. Returns how many. */
  purgeKey(url: string, reason: 'purged' | 'invalidated' = 'purged'): number {
    if (reason === 'invalidated') this.#parts.siblings?.invalidated(url);
    return this.purgeHere(url, reason);
  }

  /** The same, in this process alone. What could not be looked for goes in steps, and is not counted. */
  purgeHere(url: string, reason: 'purged' | 'invalidated', { isQuiet }: Share = WHOLE): number {
    const { keys, further } = this.at(url);
    const count = this.#purgeKeys(keys, reason, isQuiet);
    for (const beginning of further) this.#walk(beginning, reason, isQuiet);
    return count;
  }

  #purgeKeys(keys: readonly string[], reason: 'purged' | 'invalidated', isQuiet: boolean): number {
    tellPeers(this.#parts.peers, 'purge', { kind: 'keys', keys }, isQuiet, reason === 'invalidated');
    let count = 0;
    for (const key of keys) count += this.#purgeOne(key, reason);
    return count;
  }

  /**
   * Purges all keys below memory that begin so. It goes on behind its last place: what it has taken out stays in the file until that is
   * written. One walk of a kind is enough: where another is wanted meanwhile, that begins where this ends.
   */
  #walk(prefix: string, reason: 'purged' | 'invalidated', isQuiet: boolean): void {
    const name = `${reason} ${isQuiet} ${prefix}`;
    const isUnderWay = this.#walks.has(name);
    this.#walks.set(name, isUnderWay);
    if (isUnderWay) return;
    const step = (after: string | undefined): void => {
      let isOver = true;
      try {
        const next = this.#purgeSome(prefix, after, reason, isQuiet);
        isOver = next === undefined && this.#walks.get(name) !== true;
        if (next === undefined) this.#walks.set(name, false);
        if (!isOver) this.#parts.clock.after(STORE_STEP_DELAY_MS, () => step(next));
      } finally {
        // Also where it broke: the next one is to begin.
        if (isOver) this.#walks.delete(name);
      }
    };
    this.#parts.clock.after(STORE_STEP_DELAY_MS, () => step(undefined));
  }

  /** One step of it. Returns where the next one goes on, where there is more. */
  #purgeSome(
    prefix: string,
    after: string | undefined,
    reason: 'purged' | 'invalidated',
    isQuiet: boolean,
  ): string | undefined {
    const keys = new Set<string>();
    const visit = ({ key }: StoredResponse): void => void keys.add(key);
    const reach = { kind: 'prefix', prefix } as const;
    const next = this.#parts.store.scanBelow(reach, after, OPERATION_BELOW_STEP_COUNT, visit, 'all');
    if (keys.size > 0) this.#purgeKeys([...keys], reason, isQuiet);
    return next;
  }

  /** purgeKey for an absolute URL. Undefined where it is none. */
  purgeUrl(url: string): number | undefined {
    const key = keyOfUrl(url);
    return key === undefined ? undefined : this.purgeKey(key);
  }

  /** Forgets that answers for a key could not be shared, or that the origin failed on it. */
  forget(key: string): void {
    for (const marked of markerKeysOf(key)) this.#parts.markers.unmark(marked);
    this.#parts.failures.succeeded(key);
    this.#refreshes.forget(key);
  }

  #purgeOne(key: string, reason: RemovalReason): number {
    for (const fill of this.#collapse.running(key)) fill.supersede();
    for (const capture of this.#collapse.captures) if (capture.key === key) capture.supersede();
    this.forget(key);
    return this.#parts.store.removeKey(key, reason);
  }
}
