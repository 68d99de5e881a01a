/**
 * The lock file by which lmdb tells all processes what each of them reads and who writes. It is written through a mapping, at each
 * read: where the filesystem writes elsewhere what is written over, that takes room each time, and ends the process where there is none
 * (SIGBUS). There the file lies in shared memory, and a link to it beside the data (decision 0045).
 *
 * Processes that have not the same memory, as those in two containers, must not have the data open at once: see disk-holders.ts.
 */
import {
  accessSync,
  constants,
  existsSync,
  linkSync,
  lstatSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DEVICE, type Device } from './disk-growth.js';
import { isAnyAlive, othersIn, tellHolder, untellHolder } from './disk-holders.js';
import { clearLeftovers } from './disk-leftovers.js';
import { makeOwn, type Remark } from './disk-place.js';

/** What lmdb calls it. */
export const LOCK_FILE_NAME = 'lock.mdb';
/** Larger than lmdb makes it: all of it is there from the beginning, since a hole in it cannot be filled on a full disk. */
const LOCK_FILE_BYTES = 64 * 1024;
/** Of the one that lies beside the data, among the names of locks. */
const BESIDE = 'beside';
const OURS_IN_MEMORY = /\/patina-\d+\/lock-\d+-\d+$/;

export class DiskLock {
  /** Where it lies. */
  readonly path: string;
  /** It is in memory: another filesystem than the data are on. */
  readonly isElsewhere: boolean;
  readonly remarks: readonly Remark[];
  readonly #directory: string;
  /** Whether others may have another one. */
  readonly #mayDiffer: boolean;

  constructor(directory: string, device: Device) {
    const filesystem = device.copiesOnWrite(directory);
    const memory = filesystem === undefined ? undefined : pathIn(device.sharedMemory(), directory);
    this.#directory = directory;
    this.#mayDiffer = filesystem !== undefined;
    this.isElsewhere = memory !== undefined;
    this.path = memory ?? join(directory, LOCK_FILE_NAME);
    const isExposed = filesystem !== undefined && memory === undefined;
    this.remarks = isExposed ? [exposed(directory, filesystem)] : [];
    // As a directory is that was copied from where it was needed.
    if (!this.#mayDiffer) this.#unlink();
  }

  /** Has it there. Returns false where somebody may have the data open by another one: then clear() has to find out. */
  take(): boolean {
    if (!this.#mayDiffer) {
      this.#make();
      return true;
    }
    if (this.isElsewhere) this.#make();
    const name = this.#name;
    const told = tellHolder(this.#directory, name);
    for (const path of new Set([this.path, join(this.#directory, LOCK_FILE_NAME)])) clearHalfMade(path, told);
    const { strange, alike } = othersIn(this.#directory, name);
    // Those of the dead are nothing to go by; nobody waits for that.
    isAnyAlive(this.#directory, alike).catch(() => undefined);
    if (strange.length > 0) return false;
    this.#point();
    return true;
  }

  /** Throws where somebody has the data open by another one. */
  async clear(): Promise<void> {
    if (!this.#mayDiffer || !(await isAnyAlive(this.#directory, othersIn(this.#directory, this.#name).strange))) return;
    untellHolder(this.#directory);
    throw new Error(
      `another process has it open that has not the same shared memory: in a container of its own, or before the files in ${this.isElsewhere ? this.path : 'memory'} were removed`,
    );
  }

  get #name(): string {
    if (!this.isElsewhere) return BESIDE;
    const { dev, ino } = statSync(this.path, { bigint: true });
    return `${dev}.${ino}`;
  }

  #make(): void {
    if ((statSync(this.path, { throwIfNoEntry: false })?.size ?? 0) === 0) makeLockFile(this.path);
  }

  /** Has lmdb find it. Nobody has another one by now. */
  #point(): void {
    if (!this.isElsewhere) {
      this.#unlink();
      this.#make();
      return;
    }
    const link = join(this.#directory, LOCK_FILE_NAME);
    if (targetOf(link) === this.path) return;
    const own = halfMade(link);
    rmSync(own, { force: true });
    symlinkSync(this.path, own);
    renameSync(own, link);
  }

  #unlink(): void {
    const link = join(this.#directory, LOCK_FILE_NAME);
    if (OURS_IN_MEMORY.test(targetOf(link) ?? '')) rmSync(link, { force: true });
  }
}

/** What is to be said of a directory from where its lock cannot be kept away, though it has to be. Changes nothing. */
export function lockRemark(directory: string, device = DEVICE): Remark | undefined {
  const filesystem = device.copiesOnWrite(directory);
  if (filesystem === undefined || ownIn(device.sharedMemory()) !== undefined) return undefined;
  return exposed(directory, filesystem);
}

function exposed(directory: string, filesystem: string): Remark {
  const sentence = `${directory} lies on ${filesystem}, and the lock of its file cannot lie in /dev/shm: where that filesystem, or a quota on it, is full, the process may end (SIGBUS).`;
  return { code: 'disk-copies', sentence };
}

/** A directory of this user's own, there or to be made, since all may write to what is above it. Undefined where that cannot be had. */
function ownIn(memory: string | undefined): string | undefined {
  const uid = process.geteuid?.();
  if (memory === undefined || uid === undefined) return undefined;
  const own = join(memory, `patina-${uid}`);
  try {
    const found = lstatSync(own, { throwIfNoEntry: false });
    if (found === undefined) accessSync(memory, constants.W_OK | constants.X_OK);
    else if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0) return undefined;
  } catch {
    // The remark says so.
    return undefined;
  }
  return own;
}

function pathIn(memory: string | undefined, directory: string): string | undefined {
  const own = ownIn(memory);
  if (own === undefined) return undefined;
  try {
    if (!existsSync(own)) makeOwn(own);
  } catch {
    // The remark says so.
    return undefined;
  }
  const { dev, ino } = statSync(directory, { bigint: true });
  return join(own, `lock-${dev}-${ino}`);
}

/** Undefined where it is no link. */
function targetOf(path: string): string | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true ? readlinkSync(path) : undefined;
}

/** Its name until it is whole. */
function halfMade(path: string): string {
  return `${path}-${process.pid}`;
}

/** What is left under such names; `newest`: a file that was made just now. */
function clearHalfMade(path: string, newest: string): void {
  const name = basename(path).replaceAll('.', '\\.');
  clearLeftovers(dirname(path), new RegExp(`^${name}-\\d+$`), newest);
}

/** Never over one that another process has made meanwhile: that one works with what is in it. */
export function makeLockFile(path: string): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? -1) === 0) rmSync(path);
  const own = halfMade(path);
  try {
    writeFileSync(own, Buffer.alloc(LOCK_FILE_BYTES), { mode: 0o600 });
    // Under its name it is whole from the first moment.
    linkSync(own, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(own, { force: true });
  }
}
