/**
 * Refreshes that an operator asks for: one conditional request for each stored response, a bounded number at a time.
 * What is under way already was asked before the operator knew of a change, so it is waited for, and asked again.
 */
import { MAX_OPERATION_REFRESHES } from '../base/limits.js';
import { Fields } from '../http/fields.js';
import { requestKey } from '../policy/key.js';
import type { ClientRequest } from './contract.js';
import type { Engine } from './engine.js';
import type { FillEnd } from './fill-contract.js';
import { unledOrder } from './fill-order.js';
import { requestOfKey, requestOfUrl } from './own-request.js';
import { currentOf, type StoredPlace } from './reach.js';

/**
 * How the refresh of one stored response ended: as its exchange did, this cache's or another's (`elsewhere`); `gone`: it left the store before its turn came;
 * `skipped`: its key does not tell what to ask for, or too much is under way.
 */
export type RefreshEnd = FillEnd | 'gone' | 'skipped';

/** Has what is stored for a request refreshed in the background, where it is stale and that is not under way. */
export function refreshIfStale(engine: Engine, key: string, request: ClientRequest): void {
  const { clock, failures } = engine.parts;
  const stored = engine.select(key, request);
  if (stored === undefined || clock.now() < stored.life.staleAt || failures.pending(key) !== undefined) return;
  if (!engine.collapse.isRefreshing(stored, request.fields)) engine.refresh(stored, request);
}

/** Lets a bounded number in at once; the others wait in the order in which they came. */
class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#free = most;
  }

  async enter(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}

export class Refreshing {
  readonly #engine: Engine;
  readonly #gate = new Gate(MAX_OPERATION_REFRESHES);

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Refreshes each of `all`, which is stored for `url` if given; `told` hears of each end. Resolves when the last one is over. */
  async each(all: Iterable<StoredPlace>, url: string | undefined, told: (end: RefreshEnd) => void): Promise<void> {
    const askedAt = this.#engine.parts.clock.now();
    const running = new Set<Promise<void>>();
    for (const place of all) {
      // In turn, so that no more wait at the gate than there are operations.
      await this.#gate.enter();
      const one = this.#one(place, askedAt, url).then((end) => {
        running.delete(one);
        this.#gate.leave();
        told(end);
      });
      running.add(one);
    }
    await Promise.all(running);
  }

  async #one(place: StoredPlace, askedAt: number, url: string | undefined): Promise<RefreshEnd> {
    const { collapse, parts } = this.#engine;
    for (;;) {
      const current = currentOf(parts.store, place);
      if (current === undefined) return 'gone';
      const running = collapse.freshening(current);
      if (running === undefined) {
        const request = requestOfKey(current.key, parts.live.rules, parts.clock.now(), current.selection, url);
        const fill = request === undefined ? undefined : this.#engine.refresh(current, request);
        return fill === undefined ? 'skipped' : collapse.endOf(fill);
      }
      const isNewer = running.requestedAt > askedAt;
      const end = await collapse.endOf(running);
      if (isNewer) return end;
    }
  }

  /** Asks the origin for what is not stored, as a visitor would. */
  async fill(url: string, told: (end: RefreshEnd) => void): Promise<void> {
    const { collapse, parts } = this.#engine;
    const request = requestOfUrl(url, Fields.empty, parts.live.rules, parts.clock.now());
    const key =
      request === undefined ? undefined : requestKey(request, parts.live.rules.ruleFor(request.received ?? request));
    if (request === undefined || key === undefined || collapse.isFull) {
      told('skipped');
      return;
    }
    await this.#gate.enter();
    let fill = collapse.find(key, request.fields);
    if (fill === undefined) {
      fill = this.#engine.makeFill(unledOrder(key, request));
      fill.start();
    }
    told(await collapse.endOf(fill));
    this.#gate.leave();
  }
}
