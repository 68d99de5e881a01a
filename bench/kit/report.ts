/** The figures as a table with the machine they were taken on, and as files. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from './machine.js';
import { checkoutRoot } from './root.js';
import { type Figure, meets } from './scenario.js';
import { type Cell, markdownTable, textTable } from './table.js';

export interface ScenarioResult {
  readonly name: string;
  readonly about: string;
  readonly figures: readonly Figure[];
  /** Why it could not be carried out. */
  readonly failure: string | undefined;
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

function show(value: number): string {
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
  return scenarios.flatMap(({ name, figures, failure }) =>
    failure === undefined
      ? figures.map((figure) => toRow(name, figure))
      : [[name, '', failure, '', '', '', 'FAIL', '']],
  );
}

function describe({ at, machine, subjects, load, isQuick }: BenchResult): string[] {
  const { cpu, cores, memoryGB, kernel, node, commit, pinned } = machine;
  const lines = [
    `${at}, commit ${commit}${isQuick ? ', quick' : ''}`,
    `${cpu}, ${cores} cores, ${memoryGB} GB, Linux ${kernel}, Node ${node}`,
    `load: ${load}; ${pinned ? 'server on core 0, load and origin on core 1' : 'nothing is pinned to a core'}`,
    `subjects: ${Object.entries(subjects)
      .map(([name, version]) => `${name} (${version})`)
      .join(', ')}`,
  ];
  if (load === 'autocannon')
    lines.push(
      'autocannon itself ends at some 50,000 requests/s a core: rates near that say what it can send, not what the server can answer',
    );
  return lines;
}

export function printScenario(result: ScenarioResult): void {
  console.log(`\n${result.name}: ${result.about}`);
  console.log(
    textTable(
      HEAD.slice(1),
      toRows([result]).map((row) => row.slice(1)),
    ),
  );
}

export function printResult(result: BenchResult): void {
  console.log(`\n${describe(result).join('\n')}\n\n${textTable(HEAD, toRows(result.scenarios))}`);
}

/** Writes the figures; those of a full run of all scenarios become latest.md as well. Returns the file. */
export function writeResult(result: BenchResult, isWhole: boolean): string {
  const dir = join(checkoutRoot(), 'bench/results');
  mkdirSync(dir, { recursive: true });
  const file = join(dir, `${result.at.replaceAll(/[:.]/g, '-')}-${result.machine.commit}.json`);
  writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);
  if (isWhole) {
    const text = describe(result)
      .map((line) => `- ${line}`)
      .join('\n');
    writeFileSync(
      join(dir, 'latest.md'),
      `# Results of the last full run\n\n${text}\n\n${markdownTable(HEAD, toRows(result.scenarios))}\n`,
    );
  }
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
