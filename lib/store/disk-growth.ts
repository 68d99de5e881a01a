/**
 * Has the disk tier's file grow before lmdb needs it to: our own write meets a quota, a limit or a full device, and lmdb, which may
 * take the process along there, meets none.
 */
import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import {
  DISK_AHEAD_SHARE,
  DISK_AHEAD_STEP_BYTES,
  DISK_FIRST_BYTES,
  DISK_GROWTH_FACTOR,
  DISK_PROMISE_SHARE,
  DISK_RESERVE_BYTES,
  MAX_DISK_AHEAD_BYTES,
  MIN_DISK_CHANGE_BYTES,
} from '../base/disk-limits.js';
import { DiskFailure } from './disk-contract.js';

/** What is asked of the system. */
export interface Device {
  /** Bytes that are free on the filesystem of a directory. */
  freeBytes(directory: string): number;
  /** Writes the first `length` bytes to the end of an open file; returns how many were. Throws what the system says. */
  append(handle: number, bytes: Buffer, length: number): number;
  /** What the filesystem of a directory is called, if it writes anew elsewhere what is written over: that takes room each time. */
  copiesOnWrite(directory: string): string | undefined;
  /** Whether a quota may leave less there than freeBytes() says. */
  hidesQuota(directory: string): boolean;
  /** A directory for files that lie in memory, for all processes that are to have them in common; undefined: there is none. */
  sharedMemory(): string | undefined;
}

/** By what statfs() calls their type. */
const BTRFS = 0x9123683e;
const BCACHEFS = 0xca451a4e;
const ZFS = 0x2fc12fc1;
const COPYING: ReadonlyMap<number, string> = new Map([
  [BTRFS, 'btrfs'],
  [BCACHEFS, 'bcachefs'],
  [ZFS, 'ZFS'],
]);
/** Of each btrfs, on Linux; in it `qgroups`, where quotas are on. */
const BTRFS_STATE = '/sys/fs/btrfs';
const TMPFS = 0x01021994;
const SHARED_MEMORY = '/dev/shm';

export const DEVICE: Device = {
  freeBytes(directory) {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  },
  append: (handle, bytes, length) => writeSync(handle, bytes, 0, length),
  copiesOnWrite: (directory) => COPYING.get(typeOf(directory) ?? 0),
  hidesQuota: (directory) => {
    const type = typeOf(directory);
    return type === BCACHEFS || (type === BTRFS && mayHaveQuotas());
  },
  sharedMemory: () => (typeOf(SHARED_MEMORY) === TMPFS ? SHARED_MEMORY : undefined),
};

function typeOf(directory: string): number | undefined {
  try {
    // A number of 32 bits, which the system may take for a negative one.
    return statfsSync(directory).type >>> 0;
  } catch {
    // There is no such directory.
    return undefined;
  }
}

function mayHaveQuotas(): boolean {
  try {
    return readdirSync(BTRFS_STATE).some((name) => existsSync(join(BTRFS_STATE, name, 'qgroups')));
  } catch {
    // It is not told here.
    return true;
  }
}

const NO_ROOM: ReadonlyMap<number, string> = new Map([
  [-constants.errno.ENOSPC, 'ENOSPC'],
  [-constants.errno.EDQUOT, 'EDQUOT'],
]);

/** The code of an error that says that there is no room; undefined: it says something else. Node has no name for a quota that is used up. */
export function noRoomCode(error: unknown): string | undefined {
  const { code, errno } = error as NodeJS.ErrnoException;
  return [...NO_ROOM.values()].find((name) => name === code) ?? NO_ROOM.get(errno ?? 0);
}

function failureOf(error: unknown): DiskFailure {
  const { code, errno, message } = error as NodeJS.ErrnoException;
  const isUnnamed = errno === -constants.errno.EDQUOT && code !== 'EDQUOT';
  return new DiskFailure(noRoomCode(error) ?? code ?? 'unknown', isUnnamed ? 'EDQUOT: disk quota exceeded' : message);
}

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
  close(): void;
}

export function growthOf(directory: string, path: string, sizeBytes: number, device: Device): Growth {
  const aheadBytes = Math.min(MAX_DISK_AHEAD_BYTES, sizeBytes * DISK_AHEAD_SHARE);
  const room = device.copiesOnWrite(directory) === undefined ? undefined : new Room(directory, path, device);
  /** So long is the file at least: it never gets shorter. */
  let filledBytes = 0;
  return {
    ahead(endBytes, bytes, breathe) {
      if (room !== undefined) {
        room.mind(bytes * DISK_GROWTH_FACTOR, aheadBytes, breathe);
        return;
      }
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
        throw failureOf(error);
      }
    },
    behind(endBytes) {
      room?.wasThere();
      if (endBytes <= filledBytes) return;
      try {
        filledBytes = growTo(path, endBytes, () => {}, device);
      } catch {
        // What was written is there: the next transaction looks anew.
        filledBytes = 0;
      }
    },
    close: () => room?.close(),
  };
}

/**
 * Where what is written over lies elsewhere from then on, a file that is long enough is no promise of room. There the filesystem is
 * asked: what it calls free, and where that is not all, it takes a file of zeros only as far as it has room for it, and gives that up again unwritten.
 */
class Room {
  readonly #directory: string;
  readonly #path: string;
  readonly #device: Device;
  #handle: number | undefined;
  /** What there was room for at the last look, less what may have been written since; 0 from when it is written until that has gone well. */
  #promisedBytes = 0;
  #restBytes = 0;
  /** There was none at the last look: what little is given back then is no reason to begin again. */
  #isTight = false;

  constructor(directory: string, path: string, device: Device) {
    this.#directory = directory;
    this.#path = path;
    this.#device = device;
  }

  /** Throws a DiskFailure where there is none for so many bytes more. `aheadBytes`: as far as is looked beyond. */
  mind(bytes: number, aheadBytes: number, breathe: () => void): void {
    const leftBytes = aheadBytes * DISK_PROMISE_SHARE;
    const neededBytes = Math.max(bytes, MIN_DISK_CHANGE_BYTES);
    mindSpace(this.#directory, neededBytes + aheadBytes, this.#device);
    const lookedBytes = neededBytes + aheadBytes * (this.#isTight ? 2 : 1);
    if (this.#promisedBytes < neededBytes + leftBytes) this.#look(Math.ceil(lookedBytes), breathe);
    this.#restBytes = this.#promisedBytes - neededBytes;
    this.#promisedBytes = 0;
  }

  /** What was asked for was written: what is beyond can still be counted on. */
  wasThere(): void {
    this.#promisedBytes = this.#restBytes;
  }

  #look(bytes: number, breathe: () => void): void {
    this.#isTight = true;
    this.#promisedBytes = 0;
    try {
      if (this.#device.hidesQuota(this.#directory)) this.#fill(bytes, breathe);
    } catch (error) {
      throw failureOf(error);
    }
    this.#isTight = false;
    this.#promisedBytes = bytes;
  }

  #fill(bytes: number, breathe: () => void): void {
    this.#handle ??= openNameless(this.#path);
    try {
      appendZeros(this.#handle, bytes, breathe, this.#device);
    } finally {
      ftruncateSync(this.#handle, 0);
    }
  }

  close(): void {
    if (this.#handle !== undefined) closeSync(this.#handle);
    this.#handle = undefined;
  }
}

/** A file beside the one at `path` that nobody sees: without a name it is gone with whoever dies. */
function openNameless(path: string): number {
  const name = `${path}-${process.pid}`;
  const handle = openSync(name, 'a', 0o600);
  rmSync(name);
  return handle;
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
  const handle = openNameless(path);
  try {
    appendZeros(handle, DISK_FIRST_BYTES, () => {}, device);
  } finally {
    closeSync(handle);
  }
}
