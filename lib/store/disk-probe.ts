/**
 * A process that opens the file of a disk tier and looks into it, so that another sees whether that can be survived. `some`: at
 * some entries of each table; `whole`: at all of them, and it writes too; `beside`: the same while others use the file, with a mark in
 * the directory that stays where it dies of it.
 */
import { setPriority } from 'node:os';
import { systemClock } from '../base/clock.js';
import { DISK_LOOK_MS, MAX_DISK_PROBED } from '../base/disk-limits.js';
import { DiskFailure } from './disk-contract.js';
import { BEHIND_ALL, type DiskFile, openDiskFile, TABLES } from './disk-file.js';
import { DEVICE } from './disk-growth.js';
import { DiskLock } from './disk-lock.js';
import { clearDead, leaveMark } from './disk-marks.js';

const FIRST = Buffer.of(0);
/** A key that no table has. */
const NOBODYS = Buffer.alloc(8, 0xfe);
/** Whoever serves goes first. */
const LOW_PRIORITY = 19;

const [directory = '', sizeBytes = '', depth = ''] = process.argv.slice(2);
const clock = systemClock();
const until = clock.now() + DISK_LOOK_MS;

async function look(): Promise<void> {
  // Who has started it may be gone before it is.
  if (!new DiskLock(directory, DEVICE).take()) throw new Error('another process may have it open by another lock');
  const file = openDiskFile(directory, Number(sizeBytes));
  for (const name of TABLES) {
    let left = depth === 'some' ? MAX_DISK_PROBED : Number.POSITIVE_INFINITY;
    file.tables[name].range(FIRST, BEHIND_ALL, () => --left > 0 && clock.now() < until);
  }
  // What is written takes pages that were given back: how those are kept is part of the file as well.
  if (depth !== 'some' && hasRoom(file)) {
    file.write(() => {
      for (const name of TABLES) file.tables[name].put(NOBODYS, FIRST);
      // In the same transaction: nobody else is to come by it.
      for (const name of TABLES) file.tables[name].remove(NOBODYS);
    });
  }
  await file.close();
}

/** Where there is none nobody else can write either, and all that is there can be read. */
function hasRoom(file: DiskFile): boolean {
  try {
    file.makeRoom(0, () => {});
    return true;
  } catch (error) {
    // Taken away it is nobody's any more.
    if (error instanceof DiskFailure && error.code !== 'ENOENT') return false;
    throw error;
  }
}

async function lookBeside(): Promise<void> {
  setPriority(LOW_PRIORITY);
  const mark = leaveMark(directory, 'looking');
  try {
    await look();
  } catch (error) {
    // An error is no death: whoever comes by it can bear it.
    mark.undone();
    throw error;
  }
  mark.done();
  clearDead(directory, 'young');
}

try {
  await (depth === 'beside' ? lookBeside() : look());
} catch (error) {
  process.stdout.write(String(error));
  process.exitCode = 1;
}
