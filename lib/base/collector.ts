/**
 * What V8's collector of garbage is told while the program starts, before anything large is read. Each of these is a
 * flag that V8 looks at anew where it matters, so that it may be set at run time (decisions/0029, 0031); who gives it to node on
 * the command line or in NODE_OPTIONS has what the flag says.
 */
import v8 from 'node:v8';
import { afterCollections } from './clock.js';
import { usableCores } from './cores.js';
import { YOUNG_BYTES } from './memory-limits.js';

/** What the young generation begins with, and shrinks to where there is little to do. */
const LEAST_YOUNG_BYTES = 1024 * 1024;

/** `processes`: how many of them answer, this one among them. */
export function tuneCollector(processes: number): void {
  for (const flag of [...markingFlags(processes), ...copyingFlags()]) v8.setFlagsFromString(flag);
  keepYoungSmall();
}

/**
 * Where no core is left over, helper threads that mark beside the program take its own from it, a slice of the scheduler at a time:
 * then V8 is to mark in steps of a few milliseconds between two turns.
 */
export function markingFlags(processes: number, cores = usableCores()): readonly string[] {
  return processes < cores || isSaid(/concurrent[-_]marking|single[-_]threaded/) ? [] : ['--no-concurrent-marking'];
}

/** So little of a small young generation survives that to wake helpers for it takes longer than to copy it. */
function copyingFlags(): readonly string[] {
  return isSaid(/parallel[-_]scavenge|single[-_]threaded/) ? [] : ['--no-parallel-scavenge'];
}

/**
 * Each collection of the young generation stops the process for as long as it takes to copy what is alive, which with requests
 * under way is a share of its size: by default it grows to 16 MB, and stops it for four times as long as with 4 MB, a quarter as
 * often. V8 takes the limit itself from the command line alone; by how much it grows it asks anew each time. Modules that
 * are loaded have it grow, and it does not shrink while there is work: hence before they are.
 */
function keepYoungSmall(): void {
  if (isSaid(/semi[-_]space/)) return;
  growBy(1);
  // It grows in a collection alone: looked at less often, it would grow twice where much survives.
  afterCollections(followYoung);
}

/** Has it grow to its size at the next opportunity, and no further. */
function followYoung(): void {
  const space = v8.getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
  if (space === undefined) return;
  // Both halves, where both were in use.
  const halfBytes = Math.max(LEAST_YOUNG_BYTES, space.space_size / 2);
  growBy(Math.max(1, Math.floor(YOUNG_BYTES / halfBytes)));
}

let factor = 0;

function growBy(times: number): void {
  if (times !== factor) v8.setFlagsFromString(`--semi-space-growth-factor=${times}`);
  factor = times;
}

function isSaid(flag: RegExp): boolean {
  return flag.test(`${process.execArgv.join(' ')} ${process.env['NODE_OPTIONS'] ?? ''}`);
}
