/**
 * The page test/conformance/README.md, made from what is recorded: our scores beside the peers, what we do not pass
 * and why, and our answer to each check.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutRoot } from '../../bench/kit/root.js';
import { type Cell, markdownTable } from '../../bench/kit/table.js';
import { DEPARTURES } from './departures.js';
import { REASONS } from './reasons.js';
import {
  APART,
  type Catalogue,
  type CatalogueGroup,
  type Catalogues,
  type Expected,
  KINDS,
  readCatalogues,
  readExpected,
  SETTINGS,
  type Verdicts,
} from './record.js';
import { isGood, type Verdict } from './score.js';
import type { Kind, SuiteLine } from './suite.js';

/** Passes of required and optimal tests that the repository's own stored results hold, of 2025-12. */
const UPSTREAM_PEERS: readonly (readonly [name: string, required: number, optimal: number])[] = [
  ['Traffic Server', 132, 70],
  ['Apache httpd', 131, 68],
  ['Squid', 122, 59],
  ['Caddy (Souin)', 121, 44],
  ['Varnish', 119, 45],
  ['nginx', 99, 59],
  ['Fastly', 96, 49],
  ['HAProxy', 89, 40],
];

const UPSTREAM_NOTE =
  'Run with `--suite` on a copy of its tests as they were then: 365 apply to a proxy. The release is older, and some of ' +
  'its tests were corrected since. Peers by the results that the repository stores.';

/** What is recorded of one line of the suite. */
export interface LineRecord {
  readonly line: SuiteLine;
  readonly catalogue: Catalogue;
  readonly expected: Expected;
}

export function recordedLines(): LineRecord[] {
  const catalogues: Catalogues = readCatalogues();
  const lines: LineRecord[] = [];
  for (const line of ['npm', 'upstream'] as const) {
    const catalogue = catalogues[line];
    if (catalogue !== undefined) lines.push({ line, catalogue, expected: readExpected(line) });
  }
  return lines;
}

export function idsOf(group: CatalogueGroup, kind: Kind): string[] {
  return Object.keys(group.tests).filter((id) => group.tests[id] === kind);
}

function goodCount(ids: readonly string[], verdicts: Verdicts | undefined): number {
  return ids.filter((id) => isGood(verdicts?.[id] ?? 'untested')).length;
}

/** Two runs: what the default gives, and what `set_cookie: share` does. */
function ours(ids: readonly string[], { expected }: LineRecord): number[] {
  return SETTINGS.map((setting) => goodCount(ids, expected[setting]));
}

function scoreRows(record: LineRecord): Cell[][] {
  const { groups, peers } = record.catalogue;
  const rows: Cell[][] = [];
  for (const kind of KINDS) {
    const ofKind = groups.filter((group) => idsOf(group, kind).length > 0);
    for (const group of ofKind) {
      const ids = idsOf(group, kind);
      const theirs = peers.map((peer) => peer.good[group.id]?.[kind] ?? 0);
      rows.push([kind, group.id, ids.length, ...ours(ids, record), ...theirs]);
    }
    const counted = ofKind.filter((group) => group.id !== APART);
    const ids = counted.flatMap((group) => idsOf(group, kind));
    const sums = peers.map((peer) => counted.reduce((sum, group) => sum + (peer.good[group.id]?.[kind] ?? 0), 0));
    const bold = [ids.length, ...ours(ids, record), ...sums].map((count) => `**${count}**`);
    const name = counted.length < ofKind.length ? `all but ${APART}` : 'all';
    rows.push([`**${kind}**`, `**${name}**`, ...bold]);
  }
  return rows;
}

function scoreTable(record: LineRecord): string {
  const { peers } = record.catalogue;
  const head = ['kind', 'group', 'tests', 'Patina', 'Patina, share', ...peers.map(({ name }) => name)];
  return markdownTable(head, scoreRows(record));
}

function upstreamTable(record: LineRecord): string {
  const sizeOf = (kind: Kind) => record.catalogue.groups.flatMap((group) => idsOf(group, kind));
  const required = sizeOf('required');
  const optimal = sizeOf('optimal');
  const own = SETTINGS.map((setting) => [
    setting === 'share' ? '**Patina, share**' : '**Patina**',
    goodCount(required, record.expected[setting]),
    goodCount(optimal, record.expected[setting]),
  ]);
  return markdownTable(
    ['', `required, of ${required.length}`, `optimal, of ${optimal.length}`],
    [...own, ...UPSTREAM_PEERS],
  );
}

/** Ids of required and optimal tests that one of the runs did not pass. */
export function notPassed({ catalogue, expected }: LineRecord): string[] {
  const counted = catalogue.groups.filter((group) => group.id !== APART);
  const ids = counted.flatMap((group) => [...idsOf(group, 'required'), ...idsOf(group, 'optimal')]);
  return ids.filter((id) => SETTINGS.some((setting) => !isGood(expected[setting]?.[id] ?? 'untested')));
}

const WORDS: Readonly<Record<Verdict, string>> = {
  pass: 'passes',
  fail: 'fails',
  yes: 'yes',
  no: 'no',
  dependency: 'not asked',
  setup: 'not reached',
  retry: 'retried',
  untested: '',
};

/** The answer to one test, in one word where both runs give the same. */
function answer(record: LineRecord, id: string): string {
  if (!record.catalogue.groups.some((group) => id in group.tests)) return '';
  const words = SETTINGS.map((setting) => WORDS[record.expected[setting]?.[id] ?? 'untested']);
  return new Set(words).size === 1 ? (words[0] ?? '') : words.map((word, i) => `${word} (${SETTINGS[i]})`).join(', ');
}

function departureTable(records: readonly LineRecord[]): string {
  const ids = new Set(records.flatMap(notPassed));
  const rows = [...ids].map((id) => {
    const reason = DEPARTURES.get(id);
    const answers = records.map((record) => answer(record, id));
    return [`\`${id}\``, ...answers, reason?.section ?? '', reason?.why ?? '', reason?.upstream ?? ''];
  });
  const head = ['test', ...records.map(({ line }) => line), 'section', 'what it says', 'what upstream says'];
  return markdownTable(head, rows);
}

function checkTable(records: readonly LineRecord[]): string {
  const ids = new Set(records.flatMap(({ catalogue }) => catalogue.groups.flatMap((group) => idsOf(group, 'check'))));
  const rows = [...ids].map((id) => {
    const reason = REASONS.get(id);
    return [`\`${id}\``, ...records.map((record) => answer(record, id)), reason?.section ?? '', reason?.why ?? ''];
  });
  return markdownTable(['test', ...records.map(({ line }) => line), 'section', 'why'], rows);
}

/** Ids that the two runs of a line answer differently. */
export function differing({ catalogue, expected }: LineRecord): string[] {
  const ids = catalogue.groups.flatMap((group) => Object.keys(group.tests));
  return ids.filter((id) => expected.refuse?.[id] !== expected.share?.[id]);
}

function peerVersions(record: LineRecord): string {
  return record.catalogue.peers.map(({ name, version }) => `${name} ${version}`).join(', ');
}

export function makePage(records: readonly LineRecord[]): string {
  const parts = [
    '# Conformance',
    '<!-- Made by `npm run conformance -- --page` from what the runs recorded. -->',
    'Patina against [http-tests/cache-tests](https://github.com/http-tests/cache-tests), the common measure of HTTP ' +
      'caches, with no configuration but one key: `defaults.set_cookie`, `refuse` (the default) in one run and `share` ' +
      'in the other. `npm run conformance` runs the release on npm, prints this beside the peers, and fails where a ' +
      'test is lost, where the two runs differ in a test that is not about Set-Cookie, or where an answer has no valid ' +
      'Cache-Status (RFC 9211). `--suite DIR` runs a copy of the repository, which asks more and corrects some tests.',
    'A pass that depends on a failed test does not count. Required tests are those that the suite takes for ' +
      'requirements, optimal ones for what a good cache does; a check asks how a cache behaves, and yes is no better ' +
      'than no.',
  ];
  for (const record of records) {
    const { line, catalogue } = record;
    parts.push(line === 'npm' ? `## The release: ${catalogue.title}` : '## The repository, December 2025');
    if (line === 'upstream') parts.push(UPSTREAM_NOTE, upstreamTable(record));
    else parts.push(`Peers by the results that the package ships: ${peerVersions(record)}.`);
    parts.push(scoreTable(record));
    parts.push(
      `The two runs differ in ${differing(record)
        .map((id) => `\`${id}\``)
        .join(', ')}, and in nothing else.`,
    );
  }
  parts.push(
    '## Required and optimal tests that are not passed',
    `Those of ${APART} apart, which is no part of HTTP: Patina honours CDN-Cache-Control (RFC 9213).`,
    departureTable(records),
    '## Checks',
    'What Patina answers, and why.',
    checkTable(records),
  );
  return `${parts.join('\n\n')}\n`;
}

export function pageFile(): string {
  return join(checkoutRoot(), 'test/conformance/README.md');
}

export function writePage(): number {
  writeFileSync(pageFile(), makePage(recordedLines()));
  console.log(`written: ${pageFile()}`);
  return 0;
}
