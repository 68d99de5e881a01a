/** The directory of the disk tier: made where it is missing, for its owner alone, and never one that is somebody else's. */
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { deathsIn } from './disk-marks.js';

/** Of how the files are laid out. Another version has a directory of its own beside this one. */
export const DISK_FORMAT = 2;
const DIRECTORY_MODE = 0o700;
const OWN_NAME = /^v\d+(?:\.damaged)?$/;
const HARMLESS_NAMES: ReadonlySet<string> = new Set(['lost+found', '.gitignore', '.gitkeep']);
/** Says in a directory that what is in it cannot be read. */
const DAMAGED_MARK = 'damaged';
/** Processes that died while they opened the file: one that cannot be opened without dying must not be opened for ever. */
const MAX_DEAD_OPENINGS = 3;

/** What an operator should know. */
export interface Remark {
  readonly code: string;
  readonly sentence: string;
}

export interface DiskPlace {
  /** For the file of this format. */
  readonly directory: string;
  readonly remarks: readonly Remark[];
}

export interface PathProblem {
  /** `foreign`: it is somebody else's; `denied`: it cannot be written. */
  readonly kind: 'foreign' | 'denied';
  readonly sentence: string;
}

const foreign = (sentence: string): PathProblem => ({ kind: 'foreign', sentence });
const denied = (sentence: string): PathProblem => ({ kind: 'denied', sentence });

/** Why a path cannot be a disk tier; undefined where nothing speaks against it. Changes nothing. */
export function diskPathProblem(path: string): PathProblem | undefined {
  if (!existsSync(path)) {
    const parent = join(path, '..');
    if (!existsSync(parent)) return undefined;
    return isWritable(parent) ? undefined : denied(`${path} cannot be made: ${parent} is not writable`);
  }
  // Nothing of it is ever written to, and it may go away.
  if (!statSync(path).isDirectory()) return denied(`${path} is not a directory`);
  if (!isReadable(path)) return denied(`${path} cannot be read`);
  const strange = readdirSync(path).find((name) => !OWN_NAME.test(name) && !HARMLESS_NAMES.has(name));
  if (strange !== undefined) {
    return foreign(`${path} holds something that is not of this program (${strange}): give it a directory of its own`);
  }
  return isWritable(path) ? undefined : denied(`${path} is not writable`);
}

function isWritable(path: string): boolean {
  return isGranted(path, constants.W_OK | constants.X_OK);
}

function isReadable(path: string): boolean {
  return isGranted(path, constants.R_OK | constants.X_OK);
}

function isGranted(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    // Why does not matter.
    return false;
  }
}

/** Makes the directory ready. Throws an Error with a sentence where that cannot be. */
export function prepareDiskPlace(path: string): DiskPlace {
  const problem = diskPathProblem(path);
  if (problem !== undefined) throw new Error(problem.sentence);
  makeWithParents(path);
  chmodSync(path, DIRECTORY_MODE);
  const name = `v${DISK_FORMAT}`;
  const directory = join(path, name);
  if (existsSync(directory) && !statSync(directory).isDirectory()) throw new Error(`${directory} is not a directory`);
  const remarks: Remark[] = readdirSync(path)
    .filter((other) => /^v\d+$/.test(other) && other !== name)
    .map((other) => {
      const sentence = `${join(path, other)} is of another version of this program, and is left alone: remove it if that is not coming back`;
      return { code: 'disk-other-format', sentence };
    });
  if (isDamaged(directory)) remarks.push(setAside(directory, undefined));
  makeOwn(directory);
  return { directory, remarks };
}

/** As mkdirSync does with `recursive`; but that goes on for ever where a parent is there in which nothing can be made, such as /proc. */
function makeWithParents(path: string): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeWithParents(parent);
  try {
    mkdirSync(path, { mode: DIRECTORY_MODE });
  } catch (error) {
    // Another process may have made it meanwhile.
    if (!existsSync(path)) throw error;
  }
}

/** For its owner alone. */
export function makeOwn(directory: string): void {
  makeWithParents(directory);
  chmodSync(directory, DIRECTORY_MODE);
}

/** Begins anew: what is there is renamed, and takes the place of what was set aside before. */
export function setAside(directory: string, flaw: string | undefined): Remark {
  rmSync(`${directory}.damaged`, { recursive: true, force: true });
  renameSync(directory, `${directory}.damaged`);
  makeOwn(directory);
  const why = flaw === undefined ? '' : ` (${flaw})`;
  const sentence = `What was stored in ${directory} cannot be read${why}: it was set aside as ${basename(directory)}.damaged, and the disk tier begins empty.`;
  return { code: 'disk-damaged', sentence };
}

function isDamaged(directory: string): boolean {
  return existsSync(join(directory, DAMAGED_MARK)) || deathsIn(directory, 'opening') >= MAX_DEAD_OPENINGS;
}

/** The next start sets aside what is there. */
export function markDamaged(directory: string): void {
  writeFileSync(join(directory, DAMAGED_MARK), '', { mode: 0o600 });
}
