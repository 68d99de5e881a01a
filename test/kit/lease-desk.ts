/**
 * Leases among engines of one process: what workers and machines have between them, held in memory, so that a walk can
 * be two machines.
 *
 *   const desk = new LeaseDesk(clock);
 *   const here = makeWalk({ clock, leases: desk });
 *   const there = makeWalk({ clock, leases: desk });
 *   await turns();                                    // answers of the desk come in a later turn
 */
import type {
  Found,
  FoundBytes,
  Lease,
  LeaseAnswer,
  LeaseNotice,
  LeaseOrder,
  LeaseOutcome,
  Leases,
} from '../../lib/engine/leases-contract.js';
import { Body } from '../../lib/object/body.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import type { FakeClock } from './clock.js';

/** Lets everything run that is due in this turn and the next few. */
export async function turns(): Promise<void> {
  for (let n = 0; n < 4; n++) await new Promise((resolve) => setImmediate(resolve));
}

interface Held {
  readonly holder: object;
  until: number;
  readonly waiting: Set<(notice: LeaseNotice) => void>;
}

/** A body that a test plays: it gives what it is told to. */
export class PlayedBody implements FoundBytes {
  #to: Parameters<FoundBytes['read']>[0] | undefined;
  isPaused = false;
  isAborted = false;
  readonly filled: Body[] = [];

  fills(body: Body): void {
    this.filled.push(body);
  }

  read(to: Parameters<FoundBytes['read']>[0]): void {
    this.#to = to;
  }

  data(text: string): this {
    this.#to?.data(Buffer.from(text));
    return this;
  }

  end(): void {
    this.#to?.end();
  }

  fail(): void {
    this.#to?.fail();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  abort(): void {
    this.isAborted = true;
  }
}

export class LeaseDesk implements Leases {
  readonly orders: LeaseOrder[] = [];
  readonly outcomes: LeaseOutcome[] = [];
  readonly opened: StoredResponse[] = [];
  isAway = false;
  /** What lies below, by key, in the place of what was released. */
  below: Found[] = [];
  leaseMs = 10_000;
  readonly #clock: FakeClock;
  readonly #held = new Map<string, Held>();

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  async take(order: LeaseOrder): Promise<LeaseAnswer> {
    this.orders.push(order);
    if (this.isAway) return { kind: 'unavailable' };
    const found = this.below.filter(({ response }) => response.key === order.key && isNewer(response, order.known));
    if (found.length > 0 && !order.isBlind) return { kind: 'found', found };
    const name = `${order.key} ${JSON.stringify(order.selection)}`;
    const held = this.#held.get(name);
    if (held !== undefined && held.until > this.#clock.now()) return this.#elsewhere(held);
    return { kind: 'held', lease: this.#hold(name) };
  }

  announce(): void {}

  #elsewhere(held: Held): LeaseAnswer {
    return {
      kind: 'elsewhere',
      isNear: false,
      wait: (told) => {
        const timer = this.#clock.after(held.until - this.#clock.now(), () => tell({ kind: 'look' }));
        const tell = (notice: LeaseNotice): void => {
          cancel();
          told(notice);
        };
        const cancel = (): void => {
          timer.cancel();
          held.waiting.delete(tell);
        };
        held.waiting.add(tell);
        return cancel;
      },
    };
  }

  #hold(name: string): Lease {
    const held: Held = { holder: {}, until: this.#clock.now() + this.leaseMs, waiting: new Set() };
    this.#held.set(name, held);
    return {
      opened: (response) => this.opened.push(response),
      release: async (outcome) => {
        if (this.#held.get(name) === held) this.#held.delete(name);
        this.outcomes.push(outcome);
        if (outcome.kind === 'stored' || outcome.kind === 'freshened') this.#keep(outcome.response);
        const isShared = outcome.kind === 'uncacheable' || outcome.kind === 'failed';
        for (const tell of [...held.waiting]) tell(isShared ? outcome : { kind: 'look' });
      },
    };
  }

  #keep(response: StoredResponse): void {
    const { names, values } = response.selection;
    this.below = this.below.filter(
      ({ response: { key, selection } }) =>
        key !== response.key || JSON.stringify(selection) !== JSON.stringify({ names, values }),
    );
    this.below.push({ response, body: undefined, writer: 'here' });
  }

  /** Every holder has died. */
  lapse(): void {
    for (const held of this.#held.values()) held.until = this.#clock.now();
  }

  /** Tells all who wait. */
  notify(notice: LeaseNotice): void {
    for (const held of this.#held.values()) for (const tell of [...held.waiting]) tell(notice);
  }

  get waitingCount(): number {
    let sum = 0;
    for (const held of this.#held.values()) sum += held.waiting.size;
    return sum;
  }
}

function isNewer(response: StoredResponse, known: StoredResponse | undefined): boolean {
  return known === undefined || (response.requestedAt ?? 0) > (known.requestedAt ?? 0);
}

/** A response that lies below, with a body that the test plays; undefined: it cannot be had. */
export function lyingBelow(response: StoredResponse, bytes: number, body: PlayedBody | undefined): Found {
  return {
    response: { ...response, body: Body.empty },
    body: { bytes, open: async () => body },
    writer: 'here',
  };
}
