/** The store and the origin as warming sees them, through the engine: its fills and refreshes, collapsed with those of visitors. */
import { WARM_ROOM_SHARE } from '../base/limits.js';
import type { Engine } from '../engine/engine.js';
import { requestOfUrl } from '../engine/own-request.js';
import type { StoredPlace } from '../engine/reach.js';
import { type RefreshEnd, Refreshing } from '../engine/refreshing.js';
import type { Fields } from '../http/fields.js';
import type { StoredResponse } from '../object/stored.js';
import { reasonToPass } from '../policy/pass.js';
import type { Standing, WarmEnd, Warmer } from './contract.js';

const ENDS: Readonly<Record<RefreshEnd, WarmEnd>> = {
  stored: 'replaced',
  'not-modified': 'freshened',
  uncacheable: 'uncacheable',
  error: 'failed',
  failed: 'failed',
  abandoned: 'skipped',
  elsewhere: 'skipped',
  gone: 'skipped',
  skipped: 'skipped',
};
/** Of several variants the end that most wants to be known. */
const WORST: readonly WarmEnd[] = ['failed', 'skipped', 'uncacheable', 'replaced', 'freshened'];

export class EngineWarmer implements Warmer {
  readonly #engine: Engine;
  readonly #refreshing: Refreshing;
  /** What a fill asks with. */
  readonly #fields: Fields;

  constructor(engine: Engine, fields: Fields, concurrency: number) {
    this.#engine = engine;
    this.#refreshing = new Refreshing(engine, concurrency);
    this.#fields = fields;
  }

  look(url: string): Standing {
    const { clock } = this.#engine.parts;
    const toWall = clock.wall() - clock.now();
    let askedAt = Number.POSITIVE_INFINITY;
    for (const stored of this.#storedFor(url)) askedAt = Math.min(askedAt, askedAtOf(stored) + toWall);
    if (askedAt !== Number.POSITIVE_INFINITY) return { kind: 'stored', askedAt };
    return { kind: this.#isOurs(url) ? 'absent' : 'not-ours' };
  }

  /** Whether the answer to a request for it could be stored at all, as far as its rule says. */
  #isOurs(url: string): boolean {
    const { live, clock } = this.#engine.parts;
    const request = requestOfUrl(url, this.#fields, live.rules, clock.now());
    if (request === undefined) return false;
    const rule = live.rules.ruleFor(request.received ?? request);
    return reasonToPass(request, rule) === undefined && rule.push === 'off';
  }

  /** What is stored and of any use yet. */
  #storedFor(url: string): StoredResponse[] {
    const { store, clock } = this.#engine.parts;
    const now = clock.now();
    return this.#engine
      .keysOf(url)
      .flatMap((key) => (store.peek(key) ?? []).filter(({ life }) => life.keepUntil > now));
  }

  get hasRoom(): boolean {
    const { bytes, reservedBytes, budgetBytes } = this.#engine.parts.store.stats;
    return bytes + reservedBytes <= budgetBytes * WARM_ROOM_SHARE;
  }

  async fill(url: string): Promise<WarmEnd> {
    const ends: RefreshEnd[] = [];
    await this.#refreshing.fill(url, (end) => void ends.push(end), this.#fields);
    const [end = 'skipped'] = ends;
    return end === 'stored' || end === 'not-modified' ? 'filled' : ENDS[end];
  }

  async refresh(url: string): Promise<WarmEnd> {
    const places: StoredPlace[] = this.#storedFor(url).map(({ key, selection }) => ({ key, selection }));
    const ends = new Set<WarmEnd>();
    await this.#refreshing.each(places, url, (end) => void ends.add(ENDS[end]));
    return WORST.find((end) => ends.has(end)) ?? 'skipped';
  }

  async expire(url: string): Promise<number> {
    const counts = await this.#engine.operations.expire({ kind: 'url', url });
    return counts?.objects ?? 0;
  }
}

/** When the request was sent that a stored response answers, or by which it was last freshened. */
function askedAtOf({ requestedAt, fetchedAt }: StoredResponse): number {
  return requestedAt ?? fetchedAt;
}
