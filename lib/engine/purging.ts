/**
 * What is stored at a URL, under how many keys so ever, is taken out as a whole: by an operator, or because a request
 * changed what is there. Implements RFC 9111 §4.4.
 */
import { MAX_DISK_KEYS } from '../base/disk-limits.js';
import { MAX_ALIASES, MAX_ALIASES_BYTES, OPERATION_BELOW_STEP_COUNT } from '../base/limits.js';
import { keyOfUrl, keysAt, targetKey } from '../policy/key.js';
import type { RemovalReason } from '../store/contract.js';
import { Aliases } from './aliases.js';
import type { CollapseTable } from './collapse.js';
import type { ClientRequest } from './contract.js';
import { markerKeysOf } from './fill-order.js';
import type { EngineParts } from './parts.js';
import { type Share, tellPeers, WHOLE } from './peers-contract.js';
import type { Refreshes } from './refreshes.js';
import { behind, inSteps, pause } from './steps.js';

/** Where what is at a URL may be stored. */
export interface KeysAt {
  readonly keys: readonly string[];
  /** Where more lie below than were looked for. */
  readonly further: readonly FurtherKeys[];
}

/** Keys below that begin so, from behind a place on. */
export interface FurtherKeys {
  readonly beginning: string;
  readonly after: string;
}

/** Through keys below; `next`: from the beginning once more, after that. */
interface Walk {
  readonly over: Promise<void>;
  next: Promise<void> | undefined;
}

export class Purging {
  readonly #parts: EngineParts;
  readonly #collapse: CollapseTable;
  readonly #refreshes: Refreshes;
  readonly #aliases = new Aliases(MAX_ALIASES, MAX_ALIASES_BYTES);
  /** Those that are under way, by what they are about. */
  readonly #walks = new Map<string, Walk>();
  /** Those of others. */
  readonly #followed = new Set<Promise<void>>();

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
    const further: FurtherKeys[] = [];
    for (const key of keysAt(url, this.#parts.live.rules.keyings)) {
      // What forwarding fields, headers and cookies add to a key stands behind it (policy/key).
      const beginning = `${key} `;
      const below = this.#parts.store.keysBelow(beginning, MAX_DISK_KEYS);
      keys.push(key, ...this.#aliases.of(key), ...below.keys);
      if (below.next !== undefined) further.push({ beginning, after: below.next });
    }
    return { keys: [...new Set(keys)], further };
  }

  /** Takes out all that is stored for a URL, itself written as a key; what is in flight for it is not stored any more. Returns how many. */
  purgeKey(url: string, reason: 'purged' | 'invalidated' = 'purged'): number {
    if (reason === 'invalidated') this.#parts.siblings?.invalidated(url);
    return this.purgeHere(url, reason);
  }

  /** The same, in this process alone. What could not be looked for goes in steps (walked()), and is not counted. */
  purgeHere(url: string, reason: 'purged' | 'invalidated', { isQuiet }: Share = WHOLE): number {
    const { keys, further } = this.at(url);
    const count = this.#purgeKeys(keys, reason, isQuiet);
    for (const rest of further) this.#walk(rest, reason, isQuiet);
    return count;
  }

  /** Resolves once all that goes in steps by now has gone; undefined where nothing does. */
  walked(): Promise<unknown> | undefined {
    const all = [...[...this.#walks.values()].map(({ over, next }) => next ?? over), ...this.#followed];
    return all.length === 0 ? undefined : Promise.all(all);
  }

  /** Another walk through keys below, one that never rejects: walked() waits for it as well. */
  follow(walk: Promise<void>): void {
    this.#followed.add(walk);
    void walk.then(() => this.#followed.delete(walk));
  }

  #purgeKeys(keys: readonly string[], reason: 'purged' | 'invalidated', isQuiet: boolean): number {
    tellPeers(this.#parts.peers, 'purge', { kind: 'keys', keys }, isQuiet, reason === 'invalidated');
    let count = 0;
    for (const key of keys) count += this.#purgeOne(key, reason);
    return count;
  }

  /** One walk of a kind is enough: where others are wanted meanwhile, one for all of them, from the beginning, follows it. */
  #walk({ beginning, after }: FurtherKeys, reason: 'purged' | 'invalidated', isQuiet: boolean): void {
    const name = `${reason} ${isQuiet} ${beginning}`;
    const under = this.#walks.get(name);
    const begin = (from?: string): Promise<void> => {
      const walk: Walk = { over: this.#walkOn(beginning, from, reason, isQuiet), next: undefined };
      this.#walks.set(name, walk);
      return walk.over.then(() => {
        if (walk.next === undefined) this.#walks.delete(name);
      });
    };
    if (under === undefined) void begin(after);
    // Each may have looked as far as another place, and what is stored meanwhile moves that.
    else under.next ??= under.over.then(() => begin());
  }

  /** It goes on behind its last place: what it has taken out stays in the file until that is written. */
  #walkOn(
    beginning: string,
    after: string | undefined,
    reason: 'purged' | 'invalidated',
    isQuiet: boolean,
  ): Promise<void> {
    const { store, clock, events } = this.#parts;
    const step = (from: string | undefined): string | undefined => {
      const { keys, next } = store.keysBelow(beginning, OPERATION_BELOW_STEP_COUNT, from);
      if (keys.length > 0) this.#purgeKeys(keys, reason, isQuiet);
      return next;
    };
    return behind(
      events,
      pause(clock).then(() => inSteps(clock, step, after)),
    );
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
