/** What a person reads of a round. */
import type { WarmOutcome, WarmRound } from '../observe/warm.js';
import type { ReadTree } from './tree.js';

type Counts = Readonly<Partial<Record<WarmOutcome, number>>>;

function list(counts: Counts, left: readonly WarmOutcome[]): string {
  return Object.entries(counts)
    .filter(([outcome, count]) => count > 0 && !left.some((own) => own === outcome))
    .map(([outcome, count]) => `${count} ${outcome}`)
    .join(', ');
}

/** The line that is written over and over while a round runs. */
export function progressWords(size: number, remaining: number, counts: Counts): string {
  const did = list(counts, ['current']);
  return `warming: ${size - remaining} of ${size}${did === '' ? '' : `, ${did}`}`;
}

const ENDINGS: Readonly<Record<WarmRound, string>> = {
  complete: 'A round of warming is over',
  partial: 'A round of warming is over, and something was left out',
  failed: 'Warming found no sitemap that it could read',
  superseded: 'A round of warming handed its work over to the next one',
};

/** The line in the log at the end of a round. */
export function summaryWords(counts: Counts, { urls }: ReadTree, outcome: WarmRound): string {
  const did = list(counts, []);
  return `${ENDINGS[outcome]}: ${urls.size} URLs listed${did === '' ? '' : `, ${did}`}.`;
}
