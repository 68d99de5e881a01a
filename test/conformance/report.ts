/** What a run shows: the tables beside the peers, and the story of single tests. */
import { type Cell, textTable } from '../../bench/kit/table.js';
import type { CacheStatusReport } from './cache-status.js';
import type { Exchange } from './client.js';
import { APART, isAboutSetCookie, KINDS } from './record.js';
import { type Comparison, isGood, kindOf, score, tally, type Verdict } from './score.js';
import type { Kind, Peer, RawResults, SuiteGroup } from './suite.js';

/** Faults shown of a run; one mistake makes hundreds. */
const SHOWN_FAULT_COUNT = 20;

export interface Scored {
  readonly name: string;
  readonly verdicts: ReadonlyMap<string, Verdict>;
}

export function scorePeers(groups: readonly SuiteGroup[], peers: readonly Peer[]): Scored[] {
  return peers.map((peer) => ({ name: peer.name, verdicts: score(groups, peer.results) }));
}

function sum(groups: readonly SuiteGroup[], kind: Kind, verdicts: ReadonlyMap<string, Verdict>): number {
  return groups.reduce((total, group) => total + tally(group, kind, verdicts).good, 0);
}

/** Passes by kind and group; a peer's column holds what the package says of it. */
export function scoreTable(
  groups: readonly SuiteGroup[],
  columns: readonly Scored[],
): { head: string[]; rows: Cell[][] } {
  const rows: Cell[][] = [];
  for (const kind of KINDS) {
    const ofKind = groups.filter((group) => group.tests.some((test) => kindOf(test) === kind));
    for (const group of ofKind) {
      const counts = columns.map(({ verdicts }) => tally(group, kind, verdicts).good);
      rows.push([kind, group.id, group.tests.filter((test) => kindOf(test) === kind).length, ...counts]);
    }
    const counted = ofKind.filter((group) => group.id !== APART);
    const size = counted.reduce(
      (total, group) => total + group.tests.filter((test) => kindOf(test) === kind).length,
      0,
    );
    rows.push([
      kind.toUpperCase(),
      `all but ${APART}`,
      size,
      ...columns.map((column) => sum(counted, kind, column.verdicts)),
    ]);
  }
  return { head: ['kind', 'group', 'tests', ...columns.map((column) => column.name)], rows };
}

export function printScores(groups: readonly SuiteGroup[], columns: readonly Scored[]): void {
  const { head, rows } = scoreTable(groups, columns);
  console.log(textTable(head, rows));
}

/** The required and optimal tests that did not pass, with what the suite said. */
export function printFailures(
  groups: readonly SuiteGroup[],
  verdicts: ReadonlyMap<string, Verdict>,
  results: RawResults,
): void {
  const rows: Cell[][] = [];
  for (const group of groups) {
    for (const test of group.tests) {
      const verdict = verdicts.get(test.id) ?? 'untested';
      const isNews = kindOf(test) === 'check' ? verdict !== 'no' : true;
      if (isGood(verdict) || verdict === 'untested' || !isNews) continue;
      const result = results[test.id];
      const said = Array.isArray(result) ? result.join(': ') : `depends on ${test.depends_on?.join(', ')}`;
      rows.push([kindOf(test), group.id, test.id, verdict, said]);
    }
  }
  console.log(
    rows.length === 0
      ? 'every required and optimal test passes'
      : textTable(['kind', 'group', 'test', 'verdict', 'said'], rows),
  );
}

function printFields(mark: string, fields: readonly (readonly [string, string])[]): void {
  for (const [name, value] of fields) console.log(`  ${mark} ${name}: ${value}`);
}

/** What the client of one test sent and got; its last exchange is the origin's own account of the requests. */
export function printStory(id: string, story: readonly Exchange[], result: RawResults[string] | undefined): void {
  console.log(`\n=== ${id}: ${result === true ? 'passed' : (result?.join(': ') ?? 'no result')}`);
  for (const exchange of story) {
    const path = new URL(exchange.url).pathname;
    console.log(`${exchange.method} ${path}`);
    printFields('>', exchange.requestFields);
    if (exchange.error !== undefined) console.log(`  ! ${exchange.error}`);
    if (exchange.status === undefined) continue;
    console.log(`  < ${exchange.status}`);
    printFields('<', exchange.responseFields ?? []);
    if (exchange.body !== undefined && exchange.body !== '') console.log(`  < (body) ${exchange.body}`);
  }
}

/** What has changed against the record; whether nothing was lost. */
export function printComparison({ lost, gained, changed }: Comparison): boolean {
  for (const line of gained) console.log(`now passes (--update records it): ${line}`);
  for (const line of changed) console.log(`answered otherwise than recorded: ${line}`);
  for (const line of lost) console.log(`REGRESSION ${line}`);
  return lost.length === 0;
}

/** Two runs may differ where Set-Cookie is concerned, and nowhere else. */
export function printDifference(groups: readonly SuiteGroup[], runs: readonly Scored[]): boolean {
  const [first, second] = runs;
  if (first === undefined || second === undefined) return true;
  const tests = groups.flatMap((group) => group.tests);
  const differing = tests.filter((test) => first.verdicts.get(test.id) !== second.verdicts.get(test.id));
  console.log(`\nthe two runs differ in: ${differing.map((test) => test.id).join(', ') || 'nothing'}`);
  const others = differing.filter((test) => !isAboutSetCookie(test.id));
  for (const test of others) console.log(`FAIL ${test.id} has nothing to do with Set-Cookie`);
  return others.length === 0;
}

export function printCacheStatus({ answerCount, faults }: CacheStatusReport): boolean {
  for (const fault of faults.slice(0, SHOWN_FAULT_COUNT)) console.log(`FAIL Cache-Status: ${fault}`);
  console.log(`Cache-Status: ${answerCount - faults.length} of ${answerCount} answers have a valid one`);
  return answerCount > 0 && faults.length === 0;
}
