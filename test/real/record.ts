/** The counts of each pass, and what was claimed of them. */
import { type Cell, textTable } from '../../bench/kit/table.js';
import type { Served } from './origin.js';
import type { ReadResult } from './reader.js';

const MEGABYTE = 1e6;
/** Details shown of a claim that does not hold. */
const MAX_DETAILS = 5;

export class Record {
  readonly #rows: Cell[][] = [];
  #failedCount = 0;

  get failedCount(): number {
    return this.#failedCount;
  }

  /** One line of the table. */
  note(pass: string, results: readonly ReadResult[], served: readonly Served[]): void {
    const of = (status: number) => served.filter((one) => one.status === status);
    const whole = of(200);
    const notModified = of(304);
    const waits = results.map((result) => result.waitMs).sort((a, b) => a - b);
    this.#rows.push([
      pass,
      results.length,
      results.filter((result) => result.status === 200).length,
      whole.length,
      notModified.length,
      served.length - whole.length - notModified.length,
      (whole.reduce((sum, one) => sum + one.wireBytes, 0) / MEGABYTE).toFixed(1),
      (waits[Math.ceil(waits.length * 0.99) - 1] ?? 0).toFixed(1),
    ]);
  }

  claim(claim: string, holds: boolean, details: readonly string[] = []): void {
    console.log(`${holds ? 'PASS' : 'FAIL'} ${claim}`);
    if (holds) return;
    this.#failedCount++;
    for (const detail of details.slice(0, MAX_DETAILS)) console.log(`     ${detail}`);
    if (details.length > MAX_DETAILS) console.log(`     and ${details.length - MAX_DETAILS} more`);
  }

  print(): void {
    const head = [
      'pass',
      'requests',
      '200 to client',
      'origin 200',
      'origin 304',
      'origin other',
      'origin MB',
      'p99 wait ms',
    ];
    console.log(`\n${textTable(head, this.#rows)}`);
  }
}

/** Targets that do not occur exactly once among `served`. */
export function notExactlyOnce(targets: readonly string[], served: readonly Served[]): string[] {
  const counts = new Map<string, number>(targets.map((target) => [target, 0]));
  for (const { target } of served) counts.set(target, (counts.get(target) ?? 0) + 1);
  return [...counts].filter(([, count]) => count !== 1).map(([target, count]) => `${target} ${count} times`);
}
