/** What an operator can do to what is stored: purge, expire, refresh, update (design, section 7). */
import { MAX_REFRESH_OPERATIONS } from '../base/limits.js';
import { askedAt } from '../object/asked-at.js';
import type { StoredResponse } from '../object/stored.js';
import { expiredResponse } from '../policy/expire.js';
import { keyOfUrl } from '../policy/key.js';
import { isSameSelection } from '../store/variants.js';
import type { Engine } from './engine.js';
import type { Effect } from './fate.js';
import { type Share, tellPeers, WHOLE } from './peers-contract.js';
import {
  affectInFlight,
  changeUnseen,
  eachStored,
  forgetNotes,
  type Reach,
  reachesOf,
  type StoredPlace,
  type Target,
} from './reach.js';
import { type RefreshEnd, Refreshing } from './refreshing.js';
import { beginUpdate, type Pushed, type PushedHead, type Pushing, type Refused } from './update.js';

export type { Target } from './reach.js';
export type { RefreshEnd } from './refreshing.js';
export type { PushedHead, Refused } from './update.js';

export interface Counts {
  /** Stored responses. */
  readonly objects: number;
  /** Answers of the origin that were on their way. */
  readonly fills: number;
  /** Where it is still to be done; absent: nowhere. */
  readonly pending?: readonly PendingTier[];
}

/** A tier that cannot be reached for now: there it is done once it can, and not at all if the process ends before. */
export type PendingTier = 'disk' | 'shared';

/** What a push came to. */
export interface PushCounts extends Pushed, Pick<Counts, 'pending'> {}

/** A push whose end() resolves when it is done wherever it can be: what it took the place of must not be there again after a crash. */
export interface LastingPush extends Omit<Pushing, 'end'> {
  end(share?: Share): Promise<Refused | PushCounts>;
}

export interface RefreshOrder {
  /** Ask for a URL that is not stored as well. */
  readonly fill: boolean;
  /** Whether it is another one's to ask about a stored response. Undefined: nobody else does. */
  readonly isOthers?: (place: StoredPlace) => boolean;
  /** Hears of each that is asked about here. */
  readonly reached?: (place: StoredPlace) => void;
}

/** A refresh that has begun. */
export interface RefreshRun {
  /** Stored responses within reach when it began. */
  readonly objects: number;
  /** How many have ended how; it grows until the end. */
  readonly ends: Readonly<Partial<Record<RefreshEnd, number>>>;
  /** Resolves when the last one has ended. */
  readonly over: Promise<void>;
}

/** What an operator may do by way of the main listener. */
export interface OperatorDoor {
  purge(target: Target): Promise<Counts | undefined>;
  /** How many it will ask about, where it has begun. */
  refresh(target: Target, order: RefreshOrder): Promise<Pick<RefreshRun, 'objects'> | 'busy' | undefined>;
}

export class Operations implements OperatorDoor {
  readonly #engine: Engine;
  readonly #refreshing: Refreshing;
  #refreshCount = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#refreshing = new Refreshing(engine);
  }

  /**
   * Takes out what is stored, and sees to it that nothing asked for before now is stored. What was stored before the call
   * is gone when it resolves; what comes in meanwhile may stay. Undefined where the target is none.
   */
  async purge(target: Target, { isQuiet, reached }: Share = WHOLE): Promise<Counts | undefined> {
    const reaches = reachesOf(this.#engine, target);
    if (reaches === undefined) return undefined;
    const fills = this.#affectOnTheWay(reaches, 'purge', isQuiet);
    for (const reach of reaches) {
      forgetNotes(this.#engine, reach);
      changeUnseen(this.#engine, reach, () => undefined);
    }
    const { store, clock } = this.#engine.parts;
    let objects = 0;
    await this.#each(reaches, (stored) => {
      // What is past keep is gone for every request, and waits to be swept: no purge took it out.
      const isGone = stored.life.keepUntil <= clock.now();
      if (!store.remove(stored, 'purged') || isGone) return;
      objects++;
      reached?.(stored);
    });
    return { objects, fills, ...(await this.#pending(isQuiet)) };
  }

  /**
   * Makes what is stored stale as of now; its grace and keep follow from here, and it may still stand in for a failing
   * origin. What was asked for before is stored, but stale. Undefined where the target is none.
   */
  async expire(target: Target, { isQuiet, reached }: Share = WHOLE): Promise<Counts | undefined> {
    const reaches = reachesOf(this.#engine, target);
    if (reaches === undefined) return undefined;
    const fills = this.#affectOnTheWay(reaches, 'expire', isQuiet);
    const { store, clock } = this.#engine.parts;
    const expiredAt = clock.now();
    for (const reach of reaches) changeUnseen(this.#engine, reach, (stored) => expiredResponse(stored, expiredAt));
    let objects = 0;
    await this.#each(reaches, (stored) => {
      const isSince = askedAt(stored) > expiredAt;
      const isDone = (stored.expiredAt ?? Number.NEGATIVE_INFINITY) >= expiredAt || stored.life.keepUntil <= expiredAt;
      if (isSince || isDone || !store.swap(stored, expiredResponse(stored, clock.now()))) return;
      objects++;
      reached?.(stored);
    });
    return { objects, fills, ...(await this.#pending(isQuiet)) };
  }

  /** Tells others, and does it to what is on its way here; returns to how many: all of them are within the first reach. */
  #affectOnTheWay(reaches: readonly Reach[], effect: Effect, isQuiet: boolean): number {
    const counts = reaches.map((reach) => {
      tellPeers(this.#engine.parts.peers, effect, reach, isQuiet);
      return affectInFlight(this.#engine, reach, effect);
    });
    return counts[0] ?? 0;
  }

  async #each(reaches: readonly Reach[], visit: (stored: StoredResponse) => void): Promise<void> {
    for (const reach of reaches) await eachStored(this.#engine, reach, visit);
  }

  /** Resolves when it is done wherever it can be. `isQuiet`: another process tells the shared tier. */
  async #pending(isQuiet: boolean): Promise<Pick<Counts, 'pending'>> {
    const { store, peers } = this.#engine.parts;
    const pending: PendingTier[] = (await store.settled()) ? [] : ['disk'];
    if (!isQuiet && peers !== undefined && !(await peers.told())) pending.push('shared');
    return pending.length === 0 ? {} : { pending };
  }

  /**
   * Asks the origin about each stored response within reach, by condition. `busy`: too many refreshes are under way.
   * Undefined where the target is none.
   */
  async refresh(target: Target, order: RefreshOrder): Promise<RefreshRun | 'busy' | undefined> {
    const reaches = reachesOf(this.#engine, target);
    if (reaches === undefined) return undefined;
    if (this.#refreshCount >= MAX_REFRESH_OPERATIONS) return 'busy';
    this.#refreshCount++;
    const byKey = new Map<string, StoredPlace[]>();
    await this.#each(reaches, ({ key, selection }) => {
      const variants = byKey.get(key) ?? [];
      if (variants.some((one) => isSameSelection(one.selection, selection))) return;
      if (order.isOthers?.({ key, selection }) === true) return;
      byKey.set(key, [...variants, { key, selection }]);
      order.reached?.({ key, selection });
    });
    const found = [...byKey.values()].flat();
    const ends: Partial<Record<RefreshEnd, number>> = {};
    const told = (end: RefreshEnd): void => {
      ends[end] = (ends[end] ?? 0) + 1;
    };
    const url = target.kind === 'url' ? keyOfUrl(target.url) : undefined;
    const isCold = order.fill && found.length === 0 && url !== undefined;
    const work = isCold ? this.#refreshing.fill(url, told) : this.#refreshing.each(found, url, told);
    const over = work.finally(() => {
      this.#refreshCount--;
    });
    return { objects: found.length, ends, over };
  }

  /** Begins to take in a response that is pushed for a URL. */
  update(url: string, head: PushedHead): LastingPush | Refused {
    const pushing = beginUpdate(this.#engine, url, head);
    if ('refused' in pushing) return pushing;
    return {
      write: (chunk) => pushing.write(chunk),
      end: async (share = WHOLE) => {
        const ended = pushing.end(share);
        // Where there was no room for it, what it was to take the place of goes, and has to stay away too.
        const pending = await this.#pending(share.isQuiet);
        return 'refused' in ended ? ended : { ...ended, ...pending };
      },
      fail: () => pushing.fail(),
    };
  }
}
