/** The life of a stored response in little memory: a million of them are held, and each number in an object of its own is an object too. */
import type { Life, StaleForbiddance, TtlSource } from './stored.js';

/** What is the same for many lives. */
interface LifeTerms {
  readonly alwaysValidate: boolean;
  readonly validateByRule: boolean;
  readonly staleForbiddenBy: StaleForbiddance | undefined;
  readonly ttlSource: TtlSource;
}

/** Each combination once: there are a few dozen. */
const known = new Map<string, LifeTerms>();
let last: LifeTerms | undefined;

function termsOf(
  alwaysValidate: boolean,
  validateByRule: boolean,
  staleForbiddenBy: StaleForbiddance | undefined,
  ttlSource: TtlSource,
): LifeTerms {
  const isLast =
    last?.ttlSource === ttlSource &&
    last.staleForbiddenBy === staleForbiddenBy &&
    last.alwaysValidate === alwaysValidate &&
    last.validateByRule === validateByRule;
  if (last !== undefined && isLast) return last;
  const name = `${ttlSource} ${staleForbiddenBy} ${alwaysValidate} ${validateByRule}`;
  let terms = known.get(name);
  if (terms === undefined) {
    terms = { alwaysValidate, validateByRule, staleForbiddenBy, ttlSource };
    known.set(name, terms);
  }
  last = terms;
  return terms;
}

// Not `#` names, so that comparing two lives deeply compares these.
class CompactLife implements Life {
  /** In the order of the interface; an array of numbers alone holds them side by side. */
  private readonly instants: readonly number[];
  private readonly terms: LifeTerms;

  constructor(instants: readonly number[], terms: LifeTerms) {
    this.instants = instants;
    this.terms = terms;
  }

  get all(): readonly number[] {
    return this.instants;
  }

  get bornAt(): number {
    return this.instants[0] as number;
  }

  get staleAt(): number {
    return this.instants[1] as number;
  }

  get graceUntil(): number {
    return this.instants[2] as number;
  }

  get offlineGraceUntil(): number {
    return this.instants[3] as number;
  }

  get keepUntil(): number {
    return this.instants[4] as number;
  }

  get errorUntil(): number {
    return this.instants[5] as number;
  }

  get unreachableUntil(): number {
    return this.instants[6] as number;
  }

  get ceilingAt(): number {
    return this.instants[7] as number;
  }

  get alwaysValidate(): boolean {
    return this.terms.alwaysValidate;
  }

  get validateByRule(): boolean {
    return this.terms.validateByRule;
  }

  get staleForbiddenBy(): StaleForbiddance | undefined {
    return this.terms.staleForbiddenBy;
  }

  get ttlSource(): TtlSource {
    return this.terms.ttlSource;
  }
}

export function compactLife(life: Life): Life {
  const { alwaysValidate, validateByRule, staleForbiddenBy, ttlSource } = life;
  return lifeOfInstants(instantsOf(life), alwaysValidate, validateByRule, staleForbiddenBy, ttlSource);
}

/** The same of its parts; `instants` as instantsOf() gives them, which the caller gives away. */
export function lifeOfInstants(
  instants: readonly number[],
  alwaysValidate: boolean,
  validateByRule: boolean,
  staleForbiddenBy: StaleForbiddance | undefined,
  ttlSource: TtlSource,
): Life {
  return new CompactLife(instants, termsOf(alwaysValidate, validateByRule, staleForbiddenBy, ttlSource));
}

/** The same life but for `changes`. A life has no properties of its own that a spread would copy. */
export function lifeWith(life: Life, changes: Partial<Life>): Life {
  return compactLife({
    bornAt: life.bornAt,
    staleAt: life.staleAt,
    graceUntil: life.graceUntil,
    offlineGraceUntil: life.offlineGraceUntil,
    keepUntil: life.keepUntil,
    errorUntil: life.errorUntil,
    unreachableUntil: life.unreachableUntil,
    ceilingAt: life.ceilingAt,
    alwaysValidate: life.alwaysValidate,
    validateByRule: life.validateByRule,
    staleForbiddenBy: life.staleForbiddenBy,
    ttlSource: life.ttlSource,
    ...changes,
  });
}

/** The instants of a life, in the order of the interface. */
export function instantsOf(life: Life): readonly number[] {
  if (life instanceof CompactLife) return life.all;
  return [
    life.bornAt,
    life.staleAt,
    life.graceUntil,
    life.offlineGraceUntil,
    life.keepUntil,
    life.errorUntil,
    life.unreachableUntil,
    life.ceilingAt,
  ];
}
