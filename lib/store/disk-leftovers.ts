/** What a process that was killed left of small files that are made under another name first. */
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DISK_HALF_MADE_MS } from '../base/disk-limits.js';

/** Takes those away that are named so, and were made long before `newest`: nobody is still at it. */
export function clearLeftovers(directory: string, pattern: RegExp, newest: string): void {
  const newestAt = lstatSync(newest).mtimeMs;
  for (const name of readdirSync(directory)) {
    if (!pattern.test(name)) continue;
    const path = join(directory, name);
    const madeAt = lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? newestAt;
    if (newestAt - madeAt > DISK_HALF_MADE_MS) rmSync(path, { force: true });
  }
}
