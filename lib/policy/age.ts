/**
 * The age of a response: how old it was when it came, and how old it is now.
 * Implements RFC 9111 §4.2.3, §5.1.
 */
import { SECOND_MS } from '../base/units.js';
import { MAX_DELTA_SECONDS, parseDeltaSeconds } from '../http/cache-control.js';
import { parseHttpDate } from '../http/dates.js';
import type { Fields } from '../http/fields.js';
import { splitList } from '../http/tokens.js';
import type { Life } from '../object/stored.js';

export interface AgeInput {
  /** Of the response as received. */
  readonly fields: Fields;
  /** Clock.now when the request for it was sent. */
  readonly requestAt: number;
  /** Clock.now when its head was received. */
  readonly responseAt: number;
  /** Clock.wall at the same moment, to compare with the origin's Date. */
  readonly responseWall: number;
}

/** How old a response was when it was received, in milliseconds: corrected_initial_age of RFC 9111 §4.2.3. */
export function correctedInitialAgeMs(input: AgeInput): number {
  const responseDelay = Math.max(0, input.responseAt - input.requestAt);
  const correctedAge = ageFieldSec(input.fields) * SECOND_MS + responseDelay;
  return Math.max(apparentAgeMs(input.fields, input.responseWall), correctedAge);
}

/** The Age that a response came with, in seconds: 0 without one (RFC 9111 §5.1). */
function ageFieldSec(fields: Fields): number {
  const line = fields.first('age');
  if (line === undefined) return 0;
  // Of several lines, or of a list, the first member counts; where that is no number the field is ignored (RFC 9111 §5.1).
  return parseDeltaSeconds(splitList(line)[0] ?? '') ?? 0;
}

/** RFC 9111 §4.2.3: by how much the response is older than its Date says, never less than nothing. */
function apparentAgeMs(fields: Fields, responseWall: number): number {
  const date = fields.first('date');
  const dateValue = date === undefined ? undefined : parseHttpDate(date, responseWall);
  // Without a Date, or with an invalid one, the moment of receipt is the Date (RFC 9110 §6.6.1).
  if (dateValue === undefined) return 0;
  // The arithmetic is in whole seconds, as Date is. A difference of one second then says nothing: a response that
  // came within a millisecond has it whenever the second turned meanwhile, and would be born a whole second old.
  const apparentSec = Math.floor(responseWall / SECOND_MS) - Math.floor(dateValue / SECOND_MS);
  return apparentSec <= 1 ? 0 : apparentSec * SECOND_MS;
}

/** The value of the Age field at `now`: current_age of RFC 9111 §4.2.3 in whole seconds. */
export function ageSecAt(life: Life, now: number): number {
  const seconds = Math.floor((now - life.bornAt) / SECOND_MS);
  // RFC 9111 §1.2.2: an age beyond what recipients can represent is sent as 2^31.
  return Math.min(Math.max(0, seconds), MAX_DELTA_SECONDS);
}
