/**
 * Keeps the young generation of V8's heap small. Each of its collections stops the process for as long as it takes to copy what
 * is alive, which with requests under way is a share of its size: by default it grows to 16 MB, and stops it for four times as long as
 * with 4 MB, a quarter as often (decisions/0029). V8 takes the limit itself from the command line alone; by how much it grows it asks
 * anew each time.
 */
import v8 from 'node:v8';
import { afterCollections } from './clock.js';
import { YOUNG_BYTES } from './memory-limits.js';

/** What it begins with, and shrinks to where there is little to do. */
const LEAST_BYTES = 1024 * 1024;
/** Who says it on the command line means it. */
const IS_SAID = /semi[-_]space/;

/** To be called before anything large is read: modules that are loaded have it grow, and it does not shrink while there is work. */
export function keepYoungSmall(): void {
  if (IS_SAID.test(`${process.execArgv.join(' ')} ${process.env['NODE_OPTIONS'] ?? ''}`)) return;
  growBy(1);
  // It grows in a collection alone: looked at less often, it would grow twice where much survives.
  afterCollections(followYoung);
}

/** Has it grow to its size at the next opportunity, and no further. */
function followYoung(): void {
  const space = v8.getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
  if (space === undefined) return;
  // Both halves, where both were in use.
  const halfBytes = Math.max(LEAST_BYTES, space.space_size / 2);
  growBy(Math.max(1, Math.floor(YOUNG_BYTES / halfBytes)));
}

let factor = 0;

function growBy(times: number): void {
  if (times !== factor) v8.setFlagsFromString(`--semi-space-growth-factor=${times}`);
  factor = times;
}
