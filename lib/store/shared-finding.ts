/**
 * What lies in the tier that machines share: records as they are found there or come with news, each with what was done to it
 * since. What is damaged is a miss, and is counted.
 */
import { SHARED_CLOCK_MARGIN_MS } from '../base/shared-limits.js';
import { askedAt } from '../object/asked-at.js';
import type { Body } from '../object/body.js';
import type { Selection, StoredResponse } from '../object/stored.js';
import type { SharedBodies, SharedBody } from './shared-bodies.js';
import type { SharedClock } from './shared-clock.js';
import type { LeasePlace, LookReply, SharedTable } from './shared-contract.js';
import type { SharedGuard } from './shared-guard.js';
import type { SharedLog } from './shared-log.js';
import { decodeShared, nameOf, type SharedRecord } from './shared-record.js';

export interface SharedFound {
  readonly response: StoredResponse;
  /** Undefined: the body of `response` is the one that was known. */
  readonly body: SharedBody | undefined;
}

export interface SharedOrder {
  readonly key: string;
  readonly selection: Selection;
  readonly known: StoredResponse | undefined;
  readonly isBlind: boolean;
}

export type SharedAnswer =
  | { readonly kind: 'found'; readonly found: readonly SharedFound[] }
  | { readonly kind: 'held'; readonly place: LeasePlace }
  | { readonly kind: 'elsewhere'; readonly leftMs: number; readonly variant: string }
  /** Nobody need be asked for this key: its responses are not shared. */
  | { readonly kind: 'alone' }
  | { readonly kind: 'unavailable' };

export interface SharedFindingParts {
  readonly table: SharedTable;
  readonly guard: SharedGuard;
  readonly clock: SharedClock;
  readonly log: SharedLog;
  readonly bodies: SharedBodies;
  readonly counts: { found: number; missed: number; damaged: number };
  readonly leaseMs: number;
  /** Gives back a lease that nobody waits for any more. */
  unwanted(place: LeasePlace, key: string): void;
}

export class SharedFinding {
  readonly #parts: SharedFindingParts;

  constructor(parts: SharedFindingParts) {
    this.#parts = parts;
  }

  /** What is found for an order, or else the lease at `place`, where nobody has it. */
  async take({ key, known, isBlind }: SharedOrder, place: LeasePlace): Promise<SharedAnswer> {
    const first = await this.#look(place, known, isBlind ? 'blind' : 'take', key);
    if (first?.kind !== 'found') return this.#answer(first, place);
    const found = first.records.map((record) => this.read(record, key, known?.body)).filter((one) => one !== undefined);
    if (found.length > 0) {
      this.#parts.counts.found++;
      return { kind: 'found', found };
    }
    return this.#answer(await this.#look(place, known, 'blind', key), place);
  }

  async #look(
    place: LeasePlace,
    known: StoredResponse | undefined,
    mode: 'take' | 'blind',
    key: string,
  ): Promise<LookReply | undefined> {
    const { table, guard, clock, counts, leaseMs, unwanted } = this.#parts;
    const marginMs = SHARED_CLOCK_MARGIN_MS + clock.errorMs;
    const knownAt = known === undefined ? undefined : clock.toServer(askedAt(known)) + marginMs;
    const sentAt = clock.mark();
    let isLate = false;
    const given = await guard.run(async () => {
      const reply = await table.look({ ...place, leaseMs, knownAt, mode });
      // Nobody waits for it any more, and nobody else must.
      if (isLate && reply.kind === 'held') unwanted(place, key);
      return reply;
    });
    isLate = given === undefined;
    if (given !== undefined) clock.note(sentAt, given.value.serverNow);
    if (given?.value.isAlien === true) counts.damaged++;
    return given?.value;
  }

  #answer(reply: LookReply | undefined, place: LeasePlace): SharedAnswer {
    switch (reply?.kind) {
      case 'held':
        this.#parts.counts.missed++;
        return { kind: 'held', place };
      case 'elsewhere':
        return { kind: 'elsewhere', leftMs: reply.leftMs, variant: place.variant };
      case 'alone':
        return { kind: 'alone' };
      default:
        return { kind: 'unavailable' };
    }
  }

  /** What a record says. `known`: the body that it may be about. Undefined where it is damaged, or was purged. */
  read(record: Buffer, key: string, known?: Body): SharedFound | undefined {
    const { clock, counts } = this.#parts;
    const name = nameOf(key);
    const read = decodeShared(record, name, clock.offsetMs);
    if (read === undefined) {
      counts.damaged++;
      return undefined;
    }
    return this.#judged(read, name, known);
  }

  /** With what was done to it since; undefined where it was purged. */
  #judged(read: SharedRecord, name: string, known: Body | undefined): SharedFound | undefined {
    const { clock, log, bodies } = this.#parts;
    const verdict = log.judge(read.response, read.askedAt);
    if (verdict?.effect === 'purge') return undefined;
    const expiredAt = verdict === undefined ? undefined : clock.toHere(verdict.at);
    // The life follows where it is put under the rule that holds here.
    const response = expiredAt === undefined ? read.response : { ...read.response, expiredAt };
    if (known !== undefined && bodies.placeOf(known)?.id === read.place.id) {
      bodies.bind(known, read.place);
      return { response: { ...response, body: known }, body: undefined };
    }
    return { response, body: bodies.found(name, read.place) };
  }

  /** Where the record of `found` is about the very body of `stored`, that record around it. */
  around(stored: StoredResponse, found: SharedFound): StoredResponse | undefined {
    const { body } = found;
    const place = this.#parts.bodies.placeOf(stored.body);
    if (body === undefined || place === undefined || !body.isOf(place)) return undefined;
    body.fills(stored.body);
    return { ...found.response, body: stored.body };
  }
}
