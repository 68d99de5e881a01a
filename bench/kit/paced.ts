/** Clients that each ask at their own even pace, from a process of their own, and time and check every answer. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface PacedOrder {
  readonly ports: readonly number[];
  readonly perPort: number;
  /** Time between two requests of one client. */
  readonly paceMs: number;
  /** Targets that are asked for in turn. */
  readonly targets?: readonly string[];
}

export interface Sample {
  readonly ms: number;
  readonly target: string;
  /** Cache-Status of the answer. */
  readonly told: string;
}

/** What happened since it was asked for the last time. */
export interface PacedReport {
  readonly samples: readonly Sample[];
  readonly failed: number;
  readonly reasons: string;
}

export interface PacedClients {
  next(): Promise<PacedReport>;
  close(): Promise<void>;
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export async function startPacedClients(order: PacedOrder): Promise<PacedClients> {
  const child = fork(fileURLToPath(new URL('./paced-main.js', import.meta.url)), [JSON.stringify(order)], {
    serialization: 'advanced',
  });
  await once(child, 'message');
  return {
    async next() {
      child.send('report');
      const [report] = (await once(child, 'message')) as [PacedReport];
      return report;
    },
    async close() {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}
