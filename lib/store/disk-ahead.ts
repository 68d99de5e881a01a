/**
 * How far the system reads around a page of a mapped file that is not in memory. Where nothing else is said, the thread that needs
 * four kilobytes waits for all of that, and it is the one that answers: mostly 128 KB, and megabytes on devices that are set up for
 * long runs (decision 0039).
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { MAX_DISK_READ_AROUND_BYTES } from '../base/disk-limits.js';

/** Of each device that has files on it, on Linux. */
const DEVICES = '/sys/class/bdi';
const KB = 1024;

/** Whether a lookup in a file there should bring no more into memory than the page that it is about. `devices`: where the system tells of them. */
export function readsTooFar(directory: string, devices = DEVICES): boolean {
  let told: string;
  try {
    told = readFileSync(join(devices, deviceName(statSync(directory).dev), 'read_ahead_kb'), 'utf8');
  } catch {
    // Another system, or a filesystem without a device of its own: it is left to do as it does.
    return false;
  }
  return Number(told) * KB > MAX_DISK_READ_AROUND_BYTES;
}

/** MAJOR:MINOR, of a number that the C library has put together from both. */
export function deviceName(device: number): string {
  const [low, high] = [device % 2 ** 32, Math.floor(device / 2 ** 32)];
  const major = ((low >>> 8) & 0xfff) + (high & ~0xfff);
  const minor = (low & 0xff) + ((low >>> 12) & ~0xff);
  return `${major}:${minor}`;
}
