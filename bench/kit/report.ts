/** The figures as tables with the machine they were taken on, and as files. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LeftOut } from './fleet.js';
import type { Machine } from './machine.js';
import { checkoutRoot } from './root.js';
import { type Figure, meets } from './scenario.js';
import { type Cell, markdownTable, textTable } from './table.js';

export interface ScenarioResult {
  readonly name: string;
  readonly about: string;
  readonly figures: readonly Figure[];
  /** Rivals that could not be compared. */
  readonly leftOut: readonly LeftOut[];
  readonly tookSec: number;
  /** Why it could not be carried out. */
  readonly failure: string | undefined;
  /** Set in the record of the last results, which may come from several runs. */
  readonly commit?: string;
}

export interface BenchResult {
  readonly at: string;
  readonly machine: Machine;
  /** What was measured, and its version. */
  readonly subjects: Readonly<Record<string, string>>;
  readonly load: string;
  readonly isQuick: boolean;
  readonly scenarios: readonly ScenarioResult[];
}

const HEAD = ['scenario', 'subject', 'what', 'value', 'unit', 'target', 'verdict', 'note'];

export function show(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 100 ? 1 : 2);
}

function toRow(scenario: string, figure: Figure): Cell[] {
  const good = meets(figure);
  const target = figure.target === undefined ? '' : `${figure.target.is} ${figure.target.value}`;
  const verdict = good === undefined ? '' : good ? 'pass' : 'FAIL';
  return [scenario, figure.subject, figure.what, show(figure.value), figure.unit, target, verdict, figure.note ?? ''];
}

function toRows(scenarios: readonly ScenarioResult[]): Cell[][] {
  return scenarios.flatMap(({ name, figures, leftOut, failure }) => [
    ...(failure === undefined ? [] : [[name, '', failure, '', '', '', 'FAIL', '']]),
    ...figures.map((figure) => toRow(name, figure)),
    ...leftOut.map(({ subject, why }) => [name, subject, `NOT COMPARED: ${why}`, '', '', '', '', '']),
  ]);
}

export function describe({ at, machine, subjects, load, isQuick }: BenchResult): string[] {
  const { cpu, cores, memoryGB, kernel, node, commit, pinned } = machine;
  const lines = [
    `${at}, commit ${commit}${isQuick ? ', quick: short runs, so only rough' : ''}`,
    `${cpu}, ${cores} cores, ${memoryGB} GB, Linux ${kernel}, Node ${node}`,
    `load: ${load}; ${pinned ? 'server on core 0, load and origin on core 1' : 'nothing is pinned to a core'}`,
    `subjects: ${Object.entries(subjects)
      .map(([name, version]) => `${name} (${version})`)
      .join(', ')}`,
  ];
  if (load === 'autocannon')
    lines.push(
      'autocannon cannot drive 100,000 requests/s from one core (it ends at some 50,000): rates near that say what it can send, not what the server can answer',
    );
  return lines;
}

export function printScenario(result: ScenarioResult): void {
  console.log(`\n${result.name}: ${result.about} (took ${result.tookSec.toFixed(0)} s)`);
  console.log(
    textTable(
      HEAD.slice(1),
      toRows([result]).map((row) => row.slice(1)),
    ),
  );
}

export function printResult(result: BenchResult): void {
  const missed = result.scenarios.flatMap(({ name, figures }) =>
    figures.filter((figure) => meets(figure) === false).map((figure) => toRow(name, figure)),
  );
  console.log(`\n${describe(result).join('\n')}`);
  if (missed.length > 0) console.log(`\nmissed:\n\n${textTable(HEAD, missed)}`);
}

function resultsDir(): string {
  const dir = join(checkoutRoot(), 'bench/results');
  mkdirSync(dir, { recursive: true });
  return dir;
}

/** The results that the README shows; undefined where there are none. */
export function readLatest(): BenchResult | undefined {
  const file = join(resultsDir(), 'latest.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as BenchResult) : undefined;
}

/** The last results with these put over them, scenario by scenario; each says which commit it is of. */
function renewed(latest: BenchResult | undefined, result: BenchResult): BenchResult {
  const { commit } = result.machine;
  const fresh = new Map(result.scenarios.map((scenario) => [scenario.name, { ...scenario, commit }]));
  const kept = (latest?.scenarios ?? []).map((scenario) => fresh.get(scenario.name) ?? scenario);
  const known = new Set(kept.map(({ name }) => name));
  return { ...result, scenarios: [...kept, ...[...fresh.values()].filter(({ name }) => !known.has(name))] };
}

function writeLatest(result: BenchResult, isWhole: boolean): void {
  const dir = resultsDir();
  const latest = renewed(isWhole ? undefined : readLatest(), result);
  writeFileSync(join(dir, 'latest.json'), `${JSON.stringify(latest, undefined, 2)}\n`);
  const text = describe(latest)
    .map((line) => `- ${line}`)
    .join('\n');
  const table = markdownTable(HEAD, toRows(latest.scenarios));
  writeFileSync(join(dir, 'latest.md'), `# The last results\n\n${text}\n\n${table}\n`);
}

/** Writes the figures to a file of their own, and, `isKept`, as the last results too. Returns the file. */
export function writeResult(result: BenchResult, isKept: boolean, isWhole: boolean): string {
  const name = `${result.at.replaceAll(/[:.]/g, '-')}-${result.machine.commit}`;
  const file = join(resultsDir(), `${name}.json`);
  writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);
  if (isKept) writeLatest(result, isWhole);
  return file;
}

/** How many figures miss their target, scenarios that could not be carried out among them. */
export function countMisses(scenarios: readonly ScenarioResult[]): number {
  return scenarios.reduce(
    (sum, { figures, failure }) =>
      sum + (failure === undefined ? figures.filter((figure) => meets(figure) === false).length : 1),
    0,
  );
}
