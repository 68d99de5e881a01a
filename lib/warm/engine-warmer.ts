/**
 * The store and the origin as warming sees them, through the engine: what it asks for goes through the refresh queue, so
 * that it shares the budget of all that no visitor waits for, and gives way to the more urgent of it.
 */
import { WARM_ROOM_SHARE } from '../base/warm-limits.js';
import type { Engine } from '../engine/engine.js';
import { markerKeyOf } from '../engine/fill-order.js';
import { requestOfUrl } from '../engine/own-request.js';
import type { StoredPlace } from '../engine/reach.js';
import type { RefreshEnd } from '../engine/refreshes.js';
import { Fields } from '../http/fields.js';
import { askedAt } from '../object/asked-at.js';
import type { StoredResponse } from '../object/stored.js';
import { requestKey } from '../policy/key.js';
import { reasonToPass } from '../policy/pass.js';
import type { Standing, WarmEnd, Warmer, WarmSettings } from './contract.js';

/** How what the queue tells is counted here: what did not come about is `skipped`. */
const ENDS: Readonly<Partial<Record<RefreshEnd, WarmEnd>>> = {
  stored: 'replaced',
  'not-modified': 'freshened',
  uncacheable: 'uncacheable',
  error: 'failed',
  failed: 'failed',
  // It waited for as long as one may while the origin was slow or failing.
  expired: 'failed',
};
/** Of several variants the end that most wants to be known. */
const WORST: readonly WarmEnd[] = ['failed', 'skipped', 'uncacheable', 'replaced', 'freshened'];

export class EngineWarmer implements Warmer {
  readonly #engine: Engine;
  /** What a fill asks with. */
  readonly #fields: Fields;
  readonly #hasDisk: boolean;

  constructor(engine: Engine, { fields, hasDisk }: WarmSettings) {
    this.#engine = engine;
    this.#fields = new Fields(fields);
    this.#hasDisk = hasDisk;
  }

  look(url: string): Standing {
    const { clock } = this.#engine.parts;
    const toWall = clock.wall() - clock.now();
    let firstAt = Number.POSITIVE_INFINITY;
    for (const stored of this.#storedFor(url)) firstAt = Math.min(firstAt, askedAt(stored) + toWall);
    if (firstAt !== Number.POSITIVE_INFINITY) return { kind: 'stored', askedAt: firstAt };
    return { kind: this.#isOurs(url) ? 'absent' : 'not-ours' };
  }

  /** What is stored, in whatever tier, and of any use yet. Nothing is promoted for having been looked at. */
  #storedFor(url: string): StoredResponse[] {
    const { store, clock } = this.#engine.parts;
    const now = clock.now();
    const isOfUse = ({ life }: StoredResponse): boolean => life.keepUntil > now;
    return this.#engine.purging.keysOf(url).flatMap((key) => store.known(key).filter(isOfUse));
  }

  /** Whether the answer to a request for it could be stored, as far as its rule and what came before say. */
  #isOurs(url: string): boolean {
    const { live, clock, markers } = this.#engine.parts;
    const request = requestOfUrl(url, this.#fields, live.rules, clock.now());
    if (request === undefined) return false;
    const rule = live.rules.ruleFor(request.received ?? request);
    if (reasonToPass(request, rule) !== undefined || rule.push !== 'off') return false;
    return !markers.isMarked(markerKeyOf(requestKey(request, rule), request));
  }

  /** What memory evicts is on disk, where there is one. */
  get hasRoom(): boolean {
    if (this.#hasDisk) return true;
    const { bytes, reservedBytes, budgetBytes } = this.#engine.parts.store.stats;
    return bytes + reservedBytes <= budgetBytes * WARM_ROOM_SHARE;
  }

  async fill(url: string): Promise<WarmEnd> {
    const end = await new Promise<RefreshEnd>((resolve) => {
      this.#engine.refreshes.warm({ what: url, how: 'fill', fields: this.#fields }, resolve);
    });
    if (end === 'stored' || end === 'not-modified') return 'filled';
    return ENDS[end] ?? 'skipped';
  }

  async refresh(url: string): Promise<WarmEnd> {
    const ends = await Promise.all(
      this.#placesFor(url).map(
        (what) =>
          new Promise<RefreshEnd>((resolve) => {
            this.#engine.refreshes.warm({ what, how: 'validate', url }, resolve);
          }),
      ),
    );
    const told = new Set(ends.map((end) => ENDS[end] ?? 'skipped'));
    return WORST.find((end) => told.has(end)) ?? 'skipped';
  }

  #placesFor(url: string): StoredPlace[] {
    return this.#storedFor(url).map(({ key, selection }) => ({ key, selection }));
  }

  withdraw(url: string): void {
    const { refreshes } = this.#engine;
    refreshes.cancelWarm({ what: url, fields: this.#fields });
    for (const what of this.#placesFor(url)) refreshes.cancelWarm({ what, url });
  }

  async expire(url: string): Promise<number> {
    const target = { kind: 'url', url } as const;
    const { siblings } = this.#engine.parts;
    const counts = await (siblings?.expire(target) ?? this.#engine.operations.expire(target));
    return counts?.objects ?? 0;
  }
}
