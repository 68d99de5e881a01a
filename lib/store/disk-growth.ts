/**
 * Has the disk tier's file grow before lmdb needs it to: our own write meets a quota, a limit or a full device, and lmdb, which may
 * take the process along there, meets none.
 */
import { closeSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import {
  DISK_AHEAD_SHARE,
  DISK_AHEAD_STEP_BYTES,
  DISK_FIRST_BYTES,
  DISK_GROWTH_FACTOR,
  DISK_RESERVE_BYTES,
  MAX_DISK_AHEAD_BYTES,
} from '../base/disk-limits.js';
import { DiskFailure } from './disk-contract.js';

/** What is asked of the system. */
export interface Device {
  /** Bytes that are free on the filesystem of a directory. */
  freeBytes(directory: string): number;
  /** Writes the first `length` bytes to the end of an open file; returns how many were. Throws what the system says. */
  append(handle: number, bytes: Buffer, length: number): number;
}

export const DEVICE: Device = {
  freeBytes(directory) {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  },
  append: (handle, bytes, length) => writeSync(handle, bytes, 0, length),
};

/** The filesystem is not ours alone: throws a DiskFailure where so many more bytes leave too few to others. */
export function mindSpace(directory: string, bytes: number, device = DEVICE): void {
  if (device.freeBytes(directory) < bytes + DISK_RESERVE_BYTES) {
    throw new DiskFailure('ENOSPC', 'the filesystem is full');
  }
}

export interface Growth {
  /** Before a transaction that is to write so much, where lmdb has taken so much of the file. */
  ahead(endBytes: number, bytes: number, breathe: () => void): void;
  /** After one. */
  behind(endBytes: number): void;
}

export function growthOf(directory: string, path: string, sizeBytes: number, device: Device): Growth {
  const aheadBytes = Math.min(MAX_DISK_AHEAD_BYTES, sizeBytes * DISK_AHEAD_SHARE);
  /** So long is the file at least: it never gets shorter. */
  let filledBytes = 0;
  return {
    ahead(endBytes, bytes, breathe) {
      const needed = Math.ceil(endBytes + bytes * DISK_GROWTH_FACTOR + aheadBytes);
      if (needed <= filledBytes) return;
      const { size } = statSync(path);
      filledBytes = size;
      if (needed <= size) return;
      // Somewhat further, so that not each batch has to.
      const wanted = needed + Math.ceil(aheadBytes / 4);
      // What does not get so far would stay: it would take from others whatever they free, again and again.
      mindSpace(directory, wanted - size, device);
      try {
        filledBytes = growTo(path, wanted, breathe, device);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        throw new DiskFailure(code ?? 'unknown', message);
      }
    },
    behind(endBytes) {
      if (endBytes <= filledBytes) return;
      try {
        filledBytes = growTo(path, endBytes, () => {}, device);
      } catch {
        // What was written is there: the next transaction looks anew.
        filledBytes = 0;
      }
    },
  };
}

/**
 * Makes the file that long, and returns how long it is; throws what the system says. Zeros are written, so that their place on
 * the device is taken, and appended, since another process may have written there meanwhile. lmdb writes its pages over them.
 *
 * A transaction that takes pages at the end of the file and gives them back at once never writes them: without this the file
 * might be shorter than it says, as one is that was cut off.
 */
function growTo(path: string, bytes: number, breathe: () => void, device: Device): number {
  const { size } = statSync(path);
  if (size >= bytes) return size;
  const handle = openSync(path, 'a');
  try {
    appendZeros(handle, bytes - size, breathe, device);
  } finally {
    closeSync(handle);
  }
  return bytes;
}

function appendZeros(handle: number, bytes: number, breathe: () => void, device: Device): void {
  const zeros = Buffer.alloc(Math.min(bytes, DISK_AHEAD_STEP_BYTES));
  for (let left = bytes; left > 0; breathe()) left -= device.append(handle, zeros, Math.min(left, zeros.length));
}

/**
 * lmdb begins a new file with transactions of its own, which nothing can be made longer for: whether they may write is tried beside
 * it, by a file that nobody sees. Throws what the system says.
 */
export function tryToBegin(path: string, device = DEVICE): void {
  const tried = `${path}-${process.pid}`;
  const handle = openSync(tried, 'w', 0o600);
  try {
    // Without a name it is gone with whoever dies here.
    rmSync(tried);
    appendZeros(handle, DISK_FIRST_BYTES, () => {}, device);
  } finally {
    closeSync(handle);
  }
}
