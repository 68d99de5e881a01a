/** What many stored responses have in common, such as their status and their rule, each combination once and by number. */

import assert from 'node:assert';
import { isSameList } from '../base/lists.js';
import { MAX_COMMON_TERMS } from '../base/memory-limits.js';
import type { Life, StoredResponse } from '../object/stored.js';

type OfLife = Pick<Life, 'alwaysValidate' | 'validateByRule' | 'staleForbiddenBy' | 'ttlSource'>;
type OfRecord = Pick<
  StoredResponse,
  'status' | 'reasonPhrase' | 'rule' | 'madeBy' | 'despite' | 'pushed' | 'receivedVersion'
>;

export interface Common extends OfLife, OfRecord {}

/** The number of none. */
export const NO_TERMS = 0;

export class CommonTerms {
  readonly #all: (Common | undefined)[] = [undefined];
  /** Responses that have each. */
  readonly #uses: number[] = [0];
  readonly #free: number[] = [];
  #last = NO_TERMS;

  /** The number of what this one has; NO_TERMS where there are too many combinations. It is to be given back. */
  take(stored: StoredResponse): number {
    let number = this.#last;
    if (!isLike(this.#all[number], stored)) {
      number = this.#all.findIndex((common) => isLike(common, stored));
      if (number < 0) number = this.#add(stored);
    }
    if (number === NO_TERMS) return number;
    this.#last = number;
    this.#uses[number] = (this.#uses[number] as number) + 1;
    return number;
  }

  at(number: number): Common {
    const common = this.#all[number];
    assert(common !== undefined, 'terms stay while a response has them');
    return common;
  }

  give(number: number): void {
    if (number === NO_TERMS) return;
    const uses = (this.#uses[number] as number) - 1;
    this.#uses[number] = uses;
    if (uses > 0) return;
    this.#all[number] = undefined;
    this.#free.push(number);
  }

  #add({ status, reasonPhrase, rule, madeBy, despite, pushed, receivedVersion, life }: StoredResponse): number {
    const number = this.#free.pop() ?? this.#all.length;
    if (number > MAX_COMMON_TERMS) return NO_TERMS;
    const { alwaysValidate, validateByRule, staleForbiddenBy, ttlSource } = life;
    this.#all[number] = {
      status,
      reasonPhrase,
      rule,
      madeBy,
      despite,
      ...(pushed === undefined ? {} : { pushed }),
      ...(receivedVersion === undefined ? {} : { receivedVersion }),
      alwaysValidate,
      validateByRule,
      staleForbiddenBy,
      ttlSource,
    };
    this.#uses[number] = 0;
    return number;
  }
}

function isLike(common: Common | undefined, stored: StoredResponse): boolean {
  const { life } = stored;
  return (
    common !== undefined &&
    common.status === stored.status &&
    common.madeBy === stored.madeBy &&
    common.rule === stored.rule &&
    common.reasonPhrase === stored.reasonPhrase &&
    common.pushed === stored.pushed &&
    common.receivedVersion === stored.receivedVersion &&
    common.ttlSource === life.ttlSource &&
    common.staleForbiddenBy === life.staleForbiddenBy &&
    common.alwaysValidate === life.alwaysValidate &&
    common.validateByRule === life.validateByRule &&
    isSameList(common.despite, stored.despite)
  );
}
