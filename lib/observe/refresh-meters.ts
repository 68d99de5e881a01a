/** The counters of the refresh queue: what waits and for how long, and what became of what was in it. */
import { REFRESH_OUTCOMES, REFRESH_PRIORITIES, type RefreshOutcome, type RefreshPriority } from './events.js';
import { counter, type Family, histogram, single } from './families.js';
import { ClosedSet, Histograms, type Sample, Tally } from './tallies.js';

export interface RefreshQueueReading {
  readonly depth: Readonly<Record<RefreshPriority, number>>;
  readonly oldestMs: Readonly<Record<RefreshPriority, number>>;
  readonly running: number;
  readonly strain: number;
}

/** From what begins at once to what is given up after ten minutes. */
const WAIT_BOUNDS_SEC = [0.001, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600];

export class RefreshSide {
  readonly #priority = new ClosedSet('priority', REFRESH_PRIORITIES);
  readonly #outcome = new ClosedSet('outcome', REFRESH_OUTCOMES);
  readonly #outcomes = new Tally([this.#priority, this.#outcome], false);
  readonly #age = new Histograms(this.#priority, WAIT_BOUNDS_SEC);

  ended(priority: RefreshPriority, outcome: RefreshOutcome, waitedMs: number): void {
    const index = this.#priority.indexOf(priority);
    this.#outcomes.add(index, this.#outcome.indexOf(outcome), 1);
    if (outcome !== 'retried') this.#age.observe(index, waitedMs / 1000);
  }

  families(reading: () => RefreshQueueReading | undefined): Family[] {
    const byPriority = (values: (from: RefreshQueueReading) => Readonly<Record<RefreshPriority, number>>) => () => {
      const from = reading();
      if (from === undefined) return [];
      return REFRESH_PRIORITIES.map((priority): Sample => ({ labels: { priority }, value: values(from)[priority] }));
    };
    return [
      counter('patina_refresh_queue_outcomes_total', 'What became of what was in the refresh queue.', this.#outcomes),
      histogram(
        'patina_refresh_queue_age_seconds',
        'Time from when something came into the refresh queue to its end there, retries included.',
        this.#age,
      ),
      {
        name: 'patina_refresh_queue_depth',
        help: 'What waits in the refresh queue.',
        type: 'gauge',
        samples: byPriority(({ depth }) => depth),
      },
      {
        name: 'patina_refresh_queue_oldest_seconds',
        help: 'Age of what has been waiting longest in the refresh queue.',
        type: 'gauge',
        together: 'max',
        samples: byPriority(({ oldestMs }) => {
          return {
            stale: oldestMs.stale / 1000,
            cold: oldestMs.cold / 1000,
            warm: oldestMs.warm / 1000,
            ahead: oldestMs.ahead / 1000,
          };
        }),
      },
      single(
        'patina_refresh_queue_running',
        'gauge',
        'Requests to the origin that the refresh queue has under way.',
        () => reading()?.running,
      ),
      {
        ...single(
          'patina_refresh_queue_strain',
          'gauge',
          'How far the refresh queue gives way to a slow or failing origin: 0 not at all, 5 altogether.',
          () => reading()?.strain,
        ),
        together: 'max',
      },
    ];
  }
}
