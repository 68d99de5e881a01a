/**
 * What is kept in the repository of each line of the suite: our verdicts, against which a run is judged, and the
 * catalogue of its tests with the scores of the peers, from which the page is made where no suite is at hand.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutRoot } from '../../bench/kit/root.js';
import { kindOf, score, tally, type Verdict } from './score.js';
import type { Kind, Peer, Suite, SuiteGroup, SuiteLine } from './suite.js';

export const KINDS: readonly Kind[] = ['required', 'optimal', 'check'];
/** Not part of HTTP, and an option in Patina: its tests are counted apart from the totals. */
export const APART = 'surrogate-control';

/** How the run was configured; the first is the default. */
export const SETTINGS = ['refuse', 'share'] as const;
export type SetCookie = (typeof SETTINGS)[number];
export type Verdicts = Readonly<Record<string, Verdict>>;
export type Expected = Partial<Record<SetCookie, Verdicts>>;

export interface CatalogueGroup {
  readonly id: string;
  /** Test id to kind, in the order of the suite. */
  readonly tests: Readonly<Record<string, Kind>>;
}

export interface PeerScore {
  readonly name: string;
  readonly version: string;
  /** Group to kind to how many of its tests are good. */
  readonly good: Readonly<Record<string, Partial<Record<Kind, number>>>>;
}

export interface Catalogue {
  readonly title: string;
  readonly groups: readonly CatalogueGroup[];
  readonly peers: readonly PeerScore[];
}

export type Catalogues = Partial<Record<SuiteLine, Catalogue>>;

function fileOf(name: string): string {
  return join(checkoutRoot(), 'test/conformance', name);
}

function expectedFile(line: SuiteLine): string {
  return fileOf(line === 'npm' ? 'expected.json' : 'expected-upstream.json');
}

function readJson(file: string): unknown {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
}

export function readExpected(line: SuiteLine): Expected {
  return readJson(expectedFile(line)) as Expected;
}

export function recordVerdicts(line: SuiteLine, setCookie: SetCookie, verdicts: ReadonlyMap<string, Verdict>): void {
  const ordered = Object.fromEntries([...verdicts].sort(([a], [b]) => (a < b ? -1 : 1)));
  writeJson(expectedFile(line), { ...readExpected(line), [setCookie]: ordered });
}

export function readCatalogues(): Catalogues {
  return readJson(fileOf('catalogue.json')) as Catalogues;
}

function scoreOf(groups: readonly SuiteGroup[], peer: Peer): PeerScore {
  const verdicts = score(groups, peer.results);
  const byKind = (group: SuiteGroup) => {
    const kinds = KINDS.filter((kind) => group.tests.some((test) => kindOf(test) === kind));
    return Object.fromEntries(kinds.map((kind) => [kind, tally(group, kind, verdicts).good]));
  };
  const good = Object.fromEntries(groups.map((group) => [group.id, byKind(group)]));
  return { name: peer.name, version: peer.version, good };
}

export function recordCatalogue(suite: Suite, groups: readonly SuiteGroup[], peers: readonly Peer[]): void {
  const catalogue: Catalogue = {
    title: suite.title,
    groups: groups.map(({ id, tests }) => ({
      id,
      tests: Object.fromEntries(tests.map((test) => [test.id, kindOf(test)])),
    })),
    peers: peers.map((peer) => scoreOf(groups, peer)),
  };
  writeJson(fileOf('catalogue.json'), { ...readCatalogues(), [suite.line]: catalogue });
}

/** The tests in which a run with `share` may answer otherwise than one with `refuse`. */
export function isAboutSetCookie(id: string): boolean {
  return /set-cookie$/i.test(id);
}
