/** What is seen from inside a server under test. */
import { pathToFileURL } from 'node:url';
import { kitModule } from './root.js';
import type { Running } from './scope.js';

export type ProbeMessage = 'take';

/** Since the last question. */
export interface ProbeReport {
  /** How much later than due the loop came round. */
  readonly delayMaxMs: number;
  readonly delayP999Ms: number;
  /** The longest of these less the time in it that others, threads of its own or a hypervisor had the core; undefined as below. */
  readonly ownDelayMaxMs: number | undefined;
  readonly gcCount: number;
  readonly gcTotalMs: number;
  readonly gcLongestMs: number;
  /** The longest less the time in it that others had the core; undefined as above. */
  readonly gcLongestOwnMs: number | undefined;
  /** Time in which it could have run, and others had the core. */
  readonly waitedMs: number | undefined;
  readonly memory: NodeJS.MemoryUsage;
}

/** Settings of Patina with which it can be asked. */
export const PROBED = {
  nodeFlags: ['--import', pathToFileURL(kitModule('probe-main.js')).href],
  hasChannel: true,
} as const;

export function askProbe(running: Running): Promise<ProbeReport> {
  return running.ask<ProbeReport>('take' satisfies ProbeMessage);
}
