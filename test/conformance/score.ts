/**
 * Scores results as the suite's own page does: a test whose dependency did not pass does not count, a failure of
 * the set-up and a retried request are neither pass nor fail.
 */
import type { Kind, RawResults, SuiteGroup, SuiteTest } from './suite.js';

/**
 * `pass` and `fail` of a required or optimal test; `yes` and `no` of a check; `dependency`: a test that it builds
 * on did not pass; `setup`: something else went wrong before the question could be asked; `retry`: the proxy sent
 * a request twice; `untested`: no result.
 */
export type Verdict = 'pass' | 'fail' | 'yes' | 'no' | 'dependency' | 'setup' | 'retry' | 'untested';

export function kindOf(test: SuiteTest): Kind {
  return test.kind ?? 'required';
}

function verdictOf(tests: ReadonlyMap<string, SuiteTest>, results: RawResults, test: SuiteTest): Verdict {
  const result = results[test.id];
  if (result === undefined) return 'untested';
  for (const id of test.depends_on ?? []) {
    const needed = tests.get(id);
    if (needed === undefined) throw new Error(`${test.id} depends on ${id}, which is not in the suite`);
    if (!isGood(verdictOf(tests, results, needed))) return 'dependency';
  }
  if (result !== true && result[0] === 'Setup') return result[1] === 'retry' ? 'retry' : 'setup';
  if (kindOf(test) === 'check') return result === true ? 'yes' : 'no';
  return result === true ? 'pass' : 'fail';
}

export function isGood(verdict: Verdict): boolean {
  return verdict === 'pass' || verdict === 'yes';
}

/** A verdict for each test of `groups`. */
export function score(groups: readonly SuiteGroup[], results: RawResults): Map<string, Verdict> {
  const tests = new Map(groups.flatMap((group) => group.tests.map((test) => [test.id, test] as const)));
  return new Map([...tests.values()].map((test) => [test.id, verdictOf(tests, results, test)]));
}

export interface Tally {
  readonly good: number;
  readonly total: number;
}

/** How many of the group's tests of that kind are good. */
export function tally(group: SuiteGroup, kind: Kind, verdicts: ReadonlyMap<string, Verdict>): Tally {
  const tests = group.tests.filter((test) => kindOf(test) === kind);
  const good = tests.filter((test) => isGood(verdicts.get(test.id) ?? 'untested'));
  return { good: good.length, total: tests.length };
}

export interface Comparison {
  /** Required and optimal tests that were passed and no longer are. */
  readonly lost: readonly string[];
  /** Required and optimal tests that now pass. */
  readonly gained: readonly string[];
  /** Checks that are answered otherwise than before. */
  readonly changed: readonly string[];
}

/** Compares the verdicts of a whole run with what is expected: a test that gave no result has lost what it had. */
export function compare(
  expected: Readonly<Record<string, Verdict>>,
  verdicts: ReadonlyMap<string, Verdict>,
): Comparison {
  const lost: string[] = [];
  const gained: string[] = [];
  const changed: string[] = [];
  for (const [id, verdict] of verdicts) {
    const before = expected[id] ?? 'untested';
    if (verdict === before) continue;
    if (before === 'pass') lost.push(`${id}: ${verdict}, was pass`);
    else if (verdict === 'pass') gained.push(id);
    else if (before === 'yes' || before === 'no') changed.push(`${id}: ${verdict}, was ${before}`);
  }
  return { lost, gained, changed };
}

/**
 * Tests that are to be asked again, alone. Where the first fetch of a key fails (502, 503, 504), Patina tries it again by the
 * clock, a second or so later, with the fields of the client that asked: on a busy machine that comes before the next
 * request of the test, and the suite takes it for a request that was sent twice.
 */
export function overtaken(
  expected: Readonly<Record<string, Verdict>>,
  verdicts: ReadonlyMap<string, Verdict>,
): readonly string[] {
  return [...verdicts].filter(([id, verdict]) => verdict === 'retry' && expected[id] === 'pass').map(([id]) => id);
}
