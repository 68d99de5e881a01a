/**
 * Opens the file of the disk tier, or says why it cannot be had. Where the way that lmdb takes on an error leads to the end of
 * the process, the error is found before: by looking, or, where a process has died of it, by having another one try.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
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
import { deviceName } from './disk-ahead.js';
import { DISK_FILE_NAME, type DiskFile, openDiskFile } from './disk-file.js';
import { DEVICE, type Device, noRoomCode, tryToBegin } from './disk-growth.js';
import { fileFlaw } from './disk-header.js';
import { DiskLock } from './disk-lock.js';
import { clearDead, deathsIn, isUnderWay, leaveMark, type Mark } from './disk-marks.js';
import { prepareDiskPlace, type Remark, setAside } from './disk-place.js';

/** What lmdb says of a file that it cannot make sense of. */
const DAMAGE = /MDB_(?:CORRUPTED|INVALID|PAGE_NOTFOUND|VERSION_MISMATCH)/;
const PROBE = fileURLToPath(new URL('./disk-probe.js', import.meta.url));

export interface OpenedDisk {
  readonly directory: string;
  readonly file: DiskFile;
  readonly remarks: readonly Remark[];
}

interface Prepared {
  readonly directory: string;
  readonly lock: DiskLock;
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
    const { directory, lock } = this.#prepare();
    if (!lock.take() || this.#deaths > 0 || deathsIn(directory, 'opening') > 0 || this.#isDeadly(directory))
      return 'unsure';
    const opening = begin(directory);
    return opening === undefined ? 'unsure' : this.#open(directory, opening);
  }

  /** The same, by way of another process where that may be needed. */
  async tryWithCare(clock: Clock): Promise<OpenedDisk> {
    const now = this.tryNow();
    if (now !== 'unsure') return now;
    const { directory, lock } = this.#prepare();
    if (!lock.take()) {
      await lock.clear();
      // Those were dead.
      return this.tryWithCare(clock);
    }
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
  #prepare(): Prepared {
    const { directory, remarks } = prepareDiskPlace(this.#path);
    const file = join(directory, DISK_FILE_NAME);
    const bytes = writableBytes(file);
    const lock = new DiskLock(directory, this.#device);
    this.#remark([...remarks, ...lock.remarks]);
    const lockBytes = writableBytes(lock.path);
    const holder = lockBytes === undefined ? undefined : this.#unlessOver(() => lockHolder(lock));
    if (holder !== undefined) throw new Error(`${lock.path} is locked by process ${holder}`);
    const flaw = lasting(() => fileFlaw(file), this.#pause);
    if (flaw !== undefined) {
      this.#remarks.push(setAside(directory, flaw));
      return this.#prepare();
    }
    if ((bytes ?? 0) === 0) {
      mindFirstSpace(directory, this.#device);
      tryToBegin(file, this.#device);
    }
    return { directory, lock };
  }

  #remark(remarks: readonly Remark[]): void {
    this.#remarks.push(...remarks.filter(({ code }) => !this.#remarks.some((known) => known.code === code)));
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
        const next = this.#prepare();
        next.lock.take();
        return this.#open(next.directory, begin(directory));
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

/** Undefined where there is no room even for the note. */
function begin(directory: string): Mark | undefined {
  try {
    return leaveMark(directory, 'opening');
  } catch (error) {
    if (noRoomCode(error) !== undefined) return undefined;
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
function lockHolder({ path, isElsewhere }: DiskLock): string | undefined {
  const { dev, ino } = statSync(path);
  // Files in memory have small numbers, each filesystem the same ones. Others tell of another device than locks do, such as btrfs.
  const there = deviceName(dev)
    .split(':')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join(':');
  let locks: string;
  try {
    locks = readFileSync('/proc/locks', 'latin1');
  } catch {
    // There is no such list on other systems.
    return undefined;
  }
  // 1: POSIX  ADVISORY  WRITE 812 fe:00:2171840 0 0
  const found = locks.split('\n').map((line) => /POSIX .* WRITE (-?\d+) (\S+):(\d+) 0 /.exec(line));
  const isIt = ([, pid, device, inode]: RegExpExecArray): boolean =>
    Number(inode) === ino && (device === there || !isElsewhere) && pid !== String(process.pid);
  return found.find((parts) => parts !== null && isIt(parts))?.[1];
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
