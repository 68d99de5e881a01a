/**
 * What V8's collector of garbage is told while the program starts, before anything large is read. Each of these is a
 * flag that V8 looks at anew where it matters, so that it may be set at run time (decisions/0029, 0031, 0034, 0035, 0036); who gives
 * it to node on the command line or in NODE_OPTIONS has what the flag says.
 */
import v8 from 'node:v8';
import { afterCollections, every } from './clock.js';
import { usableCores } from './cores.js';
import {
  MAX_OLD_GROWTH_PERCENT,
  MIN_OLD_GROWTH_PERCENT,
  OLD_ROOM_BYTES,
  QUIET_BEFORE_SHRINKING_MS,
  YOUNG_BYTES,
} from './memory-limits.js';

/** What the young generation begins with, and shrinks to where there is little to do. */
const LEAST_YOUNG_BYTES = 1024 * 1024;
/** How often V8 is told again what it forgets while a thread starts. */
const RETELL_MS = 1;

/** `processes`: how many of them answer, this one among them. */
export function tuneCollector(processes: number): void {
  const flags = [markingFlags(processes), copyingFlags(), freeingFlags(processes), shrinkingFlags()];
  for (const flag of flags.flat()) v8.setFlagsFromString(flag);
  followHeap();
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
 * After each collection V8 wakes a helper thread to free the memory of buffers that are garbage. Where that has to share the core, the
 * program loses it amid the collection, and on a machine with neighbours it is their turn then (decisions/0036).
 */
export function freeingFlags(processes: number, cores = usableCores()): readonly string[] {
  return processes < cores || isSaid(/array[-_]buffer[-_]sweeping|single[-_]threaded/)
    ? []
    : ['--no-concurrent-array-buffer-sweeping'];
}

/**
 * A process that is quiet V8 makes smaller, after 8 s by default, and with that it drops the shapes of objects of which none is alive: those
 * of requests. The code that was compiled for them goes too, and what comes next waits until it is compiled again (decisions/0035).
 */
function shrinkingFlags(): readonly string[] {
  return isSaid(/memory[-_]reducer/) ? [] : [`--gc-memory-reducer-start-delay-ms=${QUIET_BEFORE_SHRINKING_MS}`];
}

/** Has V8 follow what the process comes to: it grows in a collection alone, and looked at less often it would grow twice. */
function followHeap(): void {
  const isYoungSaid = isSaid(/semi[-_]space/);
  const isGrowthSaid = isSaid(/heap[-_]growing|initial[-_]old/);
  let growth = 1;
  if (!isYoungSaid) tellGrowth = () => tell('semi-space-growth-factor', growth);
  tellGrowth();
  afterCollections(() => {
    let [youngBytes, oldBytes] = [0, 0];
    for (const { space_name, space_size, space_used_size } of v8.getHeapSpaceStatistics()) {
      if (space_name === 'new_space') youngBytes = space_size;
      else oldBytes += space_used_size;
    }
    growth = youngGrowth(youngBytes);
    tellGrowth();
    if (!isGrowthSaid) tell('heap-growing-percent', oldGrowth(oldBytes));
  });
}

/**
 * Each collection of the young generation stops the process for as long as it takes to copy what is alive, which with requests
 * under way is a share of its size: by default it grows to 16 MB, and stops it for four times as long as with 4 MB, a quarter as
 * often. V8 takes the limit itself from the command line alone; by how much it grows it asks anew each time. Modules that
 * are loaded have it grow, and it does not shrink while there is work: hence it is told before they are.
 */
function youngGrowth(sizeBytes: number): number {
  // Both halves, where both were in use.
  return Math.max(1, Math.floor(YOUNG_BYTES / Math.max(LEAST_YOUNG_BYTES, sizeBytes / 2)));
}

/**
 * In percent, how much larger the old generation may be at the next large collection; 0: as V8 sees fit. By itself V8 gives a
 * heap which grows slowly little room, and so marks all of it, the whole program among it, twice a second while responses go into memory
 * that is not part of it; one that grows fast it gives 100 MB and more (decisions/0034).
 */
function oldGrowth(usedBytes: number): number {
  const percent = Math.min(MAX_OLD_GROWTH_PERCENT, Math.round((OLD_ROOM_BYTES / usedBytes) * 10) * 10);
  return percent < MIN_OLD_GROWTH_PERCENT ? 0 : percent;
}

/** Of a flag that V8 looks at anew in each collection. What was told before may not stand any more: see whileThreadStarts(). */
function tell(flag: string, value: number): void {
  v8.setFlagsFromString(`--${flag}=${value}`);
}

let tellGrowth = (): void => {};

/**
 * Each thread that is started has V8 forget by what factor the young generation may grow, of all threads: it makes a factor of 1 one of 2
 * as it makes the heap of the thread. Until the returned function is called, which is when the thread runs, it is told again and again.
 */
export function whileThreadStarts(): () => void {
  const timer = every(RETELL_MS, () => tellGrowth());
  return () => {
    timer.cancel();
    tellGrowth();
  };
}

function isSaid(flag: RegExp): boolean {
  return flag.test(`${process.execArgv.join(' ')} ${process.env['NODE_OPTIONS'] ?? ''}`);
}
