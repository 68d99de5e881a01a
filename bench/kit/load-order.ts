/** What is asked of a load tool and what it gives, whichever tool it is. */
import type { Running } from './scope.js';
import type { Traffic } from './traffic.js';

export interface LoadOrder {
  readonly port: number;
  readonly traffic: Traffic;
  readonly connections: number;
  readonly seconds: number;
  /** Which run of a series it is, so that drawn paths are not entered at the same place each time. */
  readonly run: number;
  /** What every answer should be. */
  readonly status: number;
  /** Requests a second of all connections together; as many as go where undefined. */
  readonly rate?: number | undefined;
}

export type LoadTool = 'wrk' | 'autocannon';

export interface LoadResult {
  readonly tool: LoadTool;
  readonly perSec: number;
  readonly count: number;
  /** Bytes received for each answer, head included. */
  readonly bytesEach: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Connections that failed and answers that are errors; autocannon counts every answer of another status, wrk those from 400 on. */
  readonly badCount: number;
}

/** What it wrote, once it has ended well. */
export async function outputOf(running: Running): Promise<string> {
  await running.ended();
  if (running.exitCode !== 0) throw new Error(`${running.name} ended with ${running.exitCode}\n${running.output}`);
  return running.output;
}

/** The last line that is a JSON object. */
export function lastObject(output: string): Record<string, unknown> {
  const line = output
    .trim()
    .split('\n')
    .findLast((one) => one.startsWith('{'));
  if (line === undefined) throw new Error(`no result in the output of the load tool\n${output}`);
  const parsed: unknown = JSON.parse(line);
  return parsed as Record<string, unknown>;
}
