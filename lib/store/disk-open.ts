/**
 * Opens the file of the disk tier, or says why it cannot be had. Where the way that lmdb takes on an error leads to the end of
 * the process, the error is found before: by looking, or, where a process has died of it, by having another one try.
 */
import { spawn } from 'node:child_process';
import { closeSync, linkSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../base/clock.js';
import {
  DISK_LOOK_MS,
  DISK_LOOK_PAUSE_MS,
  DISK_LOOKS,
  DISK_PROBE_TIMEOUT_MS,
  DISK_RESERVE_BYTES,
  MAX_DISK_PROBES_DEAD,
  MAX_DISK_YOUNG_DEATHS,
} from '../base/disk-limits.js';
import { formatSize } from '../base/units.js';
import { DISK_FILE_NAME, type DiskFile, openDiskFile } from './disk-file.js';
import { DEVICE, type Device, tryToBegin } from './disk-growth.js';
import { fileFlaw } from './disk-header.js';
import { clearDead, deathsIn, isUnderWay, leaveMark, type Mark } from './disk-marks.js';
import { prepareDiskPlace, type Remark, setAside } from './disk-place.js';

/** What lmdb calls the file by which processes tell each other what they read. */
const LOCK_FILE_NAME = 'lock.mdb';
/** Larger than lmdb makes it: all of it is there from the beginning, since a hole in it cannot be filled on a full disk. */
const LOCK_FILE_BYTES = 64 * 1024;
/** What lmdb says of a file that it cannot make sense of. */
const DAMAGE = /MDB_(?:CORRUPTED|INVALID|PAGE_NOTFOUND|VERSION_MISMATCH)/;
const PROBE = fileURLToPath(new URL('./disk-probe.js', import.meta.url));

export interface OpenedDisk {
  readonly directory: string;
  readonly file: DiskFile;
  readonly remarks: readonly Remark[];
}

/** The tries of one process to open one disk tier. */
export class DiskOpening {
  readonly #path: string;
  readonly #sizeBytes: number;
  #remarks: Remark[] = [];
  #deaths = 0;
  #hasSetAside = false;
  readonly #pause: (ms: number) => void;
  readonly #device: Device;
  /** Of a lock: whoever serves from memory meanwhile is not to stand still again and again. */
  #looksLeft = DISK_LOOKS;

  /** `pause` has this thread do nothing for a while: at the start, before it serves. */
  constructor(path: string, sizeBytes: number, pause: (ms: number) => void = standStill, device = DEVICE) {
    this.#path = path;
    this.#sizeBytes = sizeBytes;
    this.#pause = pause;
    this.#device = device;
  }

  /** `unsure`: only tryWithCare() may. Throws an Error with a sentence where it cannot be had. */
  tryNow(): OpenedDisk | 'unsure' {
    const directory = this.#prepare();
    if (this.#deaths > 0 || deathsIn(directory, 'opening') > 0 || this.#isDeadly(directory)) return 'unsure';
    const opening = begin(directory);
    return opening === undefined ? 'unsure' : this.#open(directory, opening);
  }

  /** The same, by way of another process where that may be needed. */
  async tryWithCare(clock: Clock): Promise<OpenedDisk> {
    const now = this.tryNow();
    if (now !== 'unsure') return now;
    const directory = this.#prepare();
    const isWhole = this.#deaths > 0 || hasYoungDeaths(directory);
    const problem = await probe(probing(directory, this.#sizeBytes, isWhole ? 'whole' : 'some'), clock, isWhole);
    if (problem === undefined) {
      clearDead(directory, 'young');
      clearDead(directory, 'looking');
      return this.#open(directory, begin(directory));
    }
    if (problem.isDeath) this.#deaths++;
    const isDamaged = DAMAGE.test(problem.sentence) || this.#deaths >= MAX_DISK_PROBES_DEAD;
    if (isDamaged && !this.#hasSetAside) this.#setAside(directory, problem.sentence);
    throw new Error(problem.sentence);
  }

  /** Whether it may be the file that processes died of, one after another: one that looked through it did so too (decision 0033). */
  #isDeadly(directory: string): boolean {
    if (!hasYoungDeaths(directory)) return false;
    if (deathsIn(directory, 'looking') > 0) return true;
    if (!isUnderWay(directory, 'looking')) lookBeside(directory, this.#sizeBytes);
    return false;
  }

  /** All that can be seen to be in the way, seen. */
  #prepare(): string {
    const { directory, remarks } = prepareDiskPlace(this.#path);
    this.#remarks.push(...remarks.filter(({ code }) => !this.#remarks.some((known) => known.code === code)));
    const [file, lock] = [join(directory, DISK_FILE_NAME), join(directory, LOCK_FILE_NAME)];
    const bytes = writableBytes(file);
    const lockBytes = writableBytes(lock);
    const holder = lockBytes === undefined ? undefined : this.#unlessOver(() => lockHolder(lock));
    if (holder !== undefined) throw new Error(`${lock} is locked by process ${holder}`);
    const flaw = lasting(() => fileFlaw(file), this.#pause);
    if (flaw !== undefined) this.#remarks.push(setAside(directory, flaw));
    if (flaw !== undefined || (bytes ?? 0) === 0) {
      mindFirstSpace(directory, this.#device);
      tryToBegin(file, this.#device);
    }
    if (flaw !== undefined || (lockBytes ?? 0) === 0) makeLockFile(lock);
    return directory;
  }

  /** The one that locks it may be a worker beside this one, which opens it just then. */
  #unlessOver(look: () => string | undefined): string | undefined {
    let found = look();
    while (found !== undefined && this.#looksLeft > 0) {
      this.#looksLeft--;
      this.#pause(DISK_LOOK_PAUSE_MS);
      found = look();
    }
    return found;
  }

  #open(directory: string, opening: Mark | undefined): OpenedDisk {
    try {
      const file = openDiskFile(directory, this.#sizeBytes);
      opening?.done();
      const remarks = this.#remarks;
      this.#remarks = [];
      return { directory, file, remarks };
    } catch (error) {
      opening?.undone();
      if (!this.#hasSetAside && DAMAGE.test(String(error))) {
        this.#setAside(directory, String(error));
        return this.#open(this.#prepare(), begin(directory));
      }
      throw error;
    }
  }

  /** Once: where a new file is no better, it is not the file. */
  #setAside(directory: string, flaw: string): void {
    this.#hasSetAside = true;
    this.#remarks.push(setAside(directory, flaw));
  }
}

/** A flaw that stays: the file of another process that is writing may be shorter than it says for a moment (disk-file.ts). */
function lasting(look: () => string | undefined, pause: (ms: number) => void): string | undefined {
  let found = look();
  for (let looks = 0; found !== undefined && looks < DISK_LOOKS; looks++) {
    pause(DISK_LOOK_PAUSE_MS);
    found = look();
  }
  return found;
}

const nothing = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

function standStill(ms: number): void {
  Atomics.wait(nothing, 0, 0, ms);
}

/** Never over one that another process has made meanwhile: that one works with what is in it. */
export function makeLockFile(path: string): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? -1) === 0) rmSync(path);
  const own = `${path}-${process.pid}`;
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

/** Undefined where there is no room even for the note. */
function begin(directory: string): Mark | undefined {
  try {
    return leaveMark(directory, 'opening');
  } catch (error) {
    if (['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** The size of a file that can be written; undefined: there is none. Throws where it cannot be. */
function writableBytes(path: string): number | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  closeSync(openSync(path, 'r+'));
  return found.size;
}

function mindFirstSpace(directory: string, device: Device): void {
  const freeBytes = device.freeBytes(directory);
  if (freeBytes >= DISK_RESERVE_BYTES) return;
  const [free, reserve] = [freeBytes, DISK_RESERVE_BYTES].map(formatSize);
  throw new Error(`no space is left for ${directory}: ${free} are free, and ${reserve} are left to others`);
}

/** The process that holds the whole file for itself, which lmdb would wait for without end; as far as this system tells. */
function lockHolder(path: string): string | undefined {
  const { ino } = statSync(path);
  let locks: string;
  try {
    locks = readFileSync('/proc/locks', 'latin1');
  } catch {
    // There is no such list on other systems.
    return undefined;
  }
  // 1: POSIX  ADVISORY  WRITE 812 fe:00:2171840 0 0
  const found = locks.split('\n').map((line) => /POSIX .* WRITE (-?\d+) \S+:(\d+) 0 /.exec(line));
  return found.find((parts) => Number(parts?.[2]) === ino && parts?.[1] !== String(process.pid))?.[1];
}

function hasYoungDeaths(directory: string): boolean {
  return deathsIn(directory, 'young') >= MAX_DISK_YOUNG_DEATHS;
}

/** How much another process reads (disk-probe.ts). */
export type ProbeDepth = 'some' | 'whole' | 'beside';

/** The command by which it does so. */
function probing(
  directory: string,
  sizeBytes: number,
  depth: ProbeDepth,
): readonly [program: string, ...args: string[]] {
  return [process.execPath, PROBE, directory, String(sizeBytes), depth];
}

/** Has another process look through the file while this one uses it, and leave word of that in the directory: this one may not live to hear it. */
function lookBeside(directory: string, sizeBytes: number): void {
  const [program, ...args] = probing(directory, sizeBytes, 'beside');
  const child = spawn(program, args, { stdio: 'ignore', detached: true });
  // Where none can be started, the next start tries.
  child.once('error', () => {});
  child.unref();
}

interface ProbeProblem {
  readonly sentence: string;
  readonly isDeath: boolean;
}

function probe(
  [program, ...args]: readonly [program: string, ...args: string[]],
  clock: Clock,
  isWhole: boolean,
): Promise<ProbeProblem | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    child.unref();
    let said = '';
    const overdue = clock.after(DISK_PROBE_TIMEOUT_MS + (isWhole ? DISK_LOOK_MS : 0), () => {
      said = 'it takes too long to open';
      child.kill('SIGKILL');
    });
    child.stdout.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
    const over = (problem: ProbeProblem | undefined): void => {
      overdue.cancel();
      resolve(problem);
    };
    child.once('error', (error) => over({ sentence: String(error), isDeath: false }));
    child.once('close', (code, signal) => {
      if (code === 0) over(undefined);
      else if (said !== '') over({ sentence: said, isDeath: false });
      else over({ sentence: `a process that opens it dies (${signal ?? code})`, isDeath: true });
    });
  });
}
