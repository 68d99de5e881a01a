/** What the primary process itself has to say in the metrics. */
import type { FamilyReading } from '../observe/families.js';
import type { Crew } from './crew.js';

export function ownReadings({ wanted, serving, leases, handovers, deathCount }: Crew): readonly FamilyReading[] {
  const one = (name: string, type: 'gauge' | 'counter', help: string, value: number): FamilyReading => ({
    name,
    help,
    type,
    samples: [{ labels: {}, value }],
  });
  return [
    one('patina_workers', 'gauge', 'Workers that there are to be.', wanted),
    one('patina_workers_serving', 'gauge', 'Workers that serve.', serving.length),
    one('patina_worker_deaths_total', 'counter', 'Workers that died and were replaced.', deathCount),
    one('patina_worker_leases', 'gauge', 'Leases that workers hold, each for one request to the origin.', leases.count),
    one('patina_worker_lease_waits', 'gauge', 'Times that a worker waits for another one.', leases.waitingCount),
    one('patina_worker_handovers', 'gauge', 'Client connections that no worker has taken yet.', handovers.count),
    one(
      'patina_worker_handovers_refused_total',
      'counter',
      'Client connections that were closed since too many waited for a worker.',
      handovers.refusedCount,
    ),
  ];
}
