/** The fills in flight: those that others may join, and all of them, so that a purge reaches each (design, section 3). */
import { MAX_FILLS } from '../base/limits.js';
import { UnderWay } from '../base/under-way.js';
import type { Fields } from '../http/fields.js';
import { isSameRecord, type StoredResponse } from '../object/stored.js';
import { isSelectedBy, selectionOf } from '../policy/vary.js';
import type { Capture } from './capture.js';
import type { Fill } from './fill.js';
import type { FillEnd } from './fill-contract.js';

export class CollapseTable {
  /** By the key under which they may be joined. */
  readonly #joinable = new UnderWay<Fill>();
  /** Every fill until its end, by primary key. */
  readonly #running = new UnderWay<Fill>();
  /** Answers to passed requests that are being stored. */
  readonly captures = new Set<Capture>();
  readonly #onEnd: (fill: Fill, end: FillEnd, retryAfterSec: number | undefined) => void;

  /** `onEnd` hears of the end of each fill, and for how long the origin wants to be left alone, where it said. */
  constructor(onEnd: (fill: Fill, end: FillEnd, retryAfterSec: number | undefined) => void = () => {}) {
    this.#onEnd = onEnd;
  }

  /** Fills and refreshes in flight. */
  get count(): number {
    return this.#running.count;
  }

  /** Requests that wait on any fill. */
  get waiterCount(): number {
    let sum = 0;
    for (const fill of this.#running.all()) sum += fill.waiterCount;
    return sum;
  }

  /** Of those in flight under a key, how many are of a kind. */
  countOf(key: string, isOfKind: (fill: Fill) => boolean): number {
    return this.#running.of(key).filter(isOfKind).length;
  }

  get isFull(): boolean {
    return this.#joinable.count >= MAX_FILLS;
  }

  /** Whether there is any fill that some request with this key may join. */
  isJoinable(key: string): boolean {
    return this.#joinable.has(key);
  }

  /**
   * The fill that will answer a request with these fields too. Once its head is known its own selection decides;
   * before that the selecting fields of what is stored foretell it, and where nothing is stored, hope does:
   * a waiter that turns out to be another variant looks up again. `mayJoin` passes over what is of no use to the one who asks: where nothing is said,
   * what will not ask the origin.
   */
  find(key: string, requestFields: Fields, mayJoin: (fill: Fill) => boolean = asksOrigin): Fill | undefined {
    return this.#joinable.find(key, (fill) => answers(fill, requestFields) && mayJoin(fill));
  }

  /** The request under way that would freshen `stored`, for whatever selecting fields. */
  freshening(stored: StoredResponse): Fill | undefined {
    return this.#joinable.find(stored.key, ({ spec }) => spec.basis !== undefined && isSameRecord(spec.basis, stored));
  }

  /** Whether something is under way that will end with a newer one than `stored`. */
  isRefreshing(stored: StoredResponse, requestFields: Fields): boolean {
    return this.freshening(stored) !== undefined || this.find(stored.key, requestFields) !== undefined;
  }

  add(fill: Fill): void {
    const { key, collapseKey } = fill.spec;
    fill.course.running = this.#running.add(key, fill);
    if (collapseKey !== undefined) fill.course.joinable = this.#joinable.add(collapseKey, fill);
  }

  /** No further request may join. */
  close(fill: Fill): void {
    const { joinable } = fill.course;
    if (joinable !== undefined) this.#joinable.delete(joinable);
  }

  /** What was asked of a key before `newer`, whose answer made what is stored old, must not bring that back (design, section 2). */
  supersedeOlder(newer: Fill): void {
    for (const fill of this.running(newer.spec.key)) {
      // A download that broke off and went on is as old as its beginning.
      const askedAt = fill.response?.requestedAt ?? fill.requestedAt;
      if (fill !== newer && askedAt <= newer.requestedAt) fill.supersede();
    }
    for (const capture of this.captures) {
      if (capture.key === newer.spec.key && capture.requestedAt <= newer.requestedAt) capture.supersede();
    }
  }

  /** It is over, and whoever wanted to know is told, if that is not done. */
  dropped(fill: Fill): void {
    if (fill.course.running?.value !== undefined) this.ended(fill, 'failed');
  }

  ended(fill: Fill, end: FillEnd, retryAfterSec?: number): void {
    this.close(fill);
    const { running, toldOfEnd } = fill.course;
    if (running !== undefined) this.#running.delete(running);
    fill.course.toldOfEnd = undefined;
    // First, so that a retry which is in the queue is known to be that, and not taken for a new wish.
    try {
      this.#onEnd(fill, end, retryAfterSec);
    } finally {
      if (toldOfEnd !== undefined) tellEach(toldOfEnd, end);
    }
  }

  /** How a fill in flight will have ended. */
  endOf(fill: Fill): Promise<FillEnd> {
    return new Promise((resolve) => this.whenEnded(fill, resolve));
  }

  /** Has `tell` called at the end of a fill that has not ended yet. */
  whenEnded(fill: Fill, tell: (end: FillEnd) => void): void {
    fill.course.toldOfEnd ??= [];
    fill.course.toldOfEnd.push(tell);
  }

  /** Every fill in flight, joinable or not; a list of the caller's own. */
  all(): readonly Fill[] {
    return this.#running.all();
  }

  /** All fills of a primary key, joinable or not. */
  running(key: string): readonly Fill[] {
    return this.#running.of(key);
  }
}

/** All of them, though one throws: none is told a second time, and would wait for ever. Throws what was thrown first, behind them. */
function tellEach(told: readonly ((end: FillEnd) => void)[], end: FillEnd): void {
  const errors: unknown[] = [];
  for (const tell of told) {
    try {
      tell(end);
    } catch (error) {
      if (errors.length === 0) errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

function answers(fill: Fill, requestFields: Fields): boolean {
  if (fill.response !== undefined) return isSelectedBy(fill.response.selection, requestFields);
  const known = fill.spec.basis ?? fill.spec.candidates[0];
  if (known === undefined || known.selection.names.length === 0) return true;
  return isSelectedBy(selectionOf(known.selection.names, fill.spec.request.fields), requestFields);
}

function asksOrigin({ spec }: Fill): boolean {
  return !spec.isUnasked;
}
