/**
 * Which large bodies are being read, told among all processes that have the disk without its lock: each has a small file beside
 * it, whose slots name bodies, and until when. Whoever takes chunks away looks there.
 *
 * Nothing depends on how fast that is. A body loses its record in one transaction, and its chunks in a later one, which looks
 * first. Who reads says so first, and then sees whether the record is still there: if it is, it was said before the record went.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DISK_HOLD_AGAIN_MS, DISK_HOLD_MS, MAX_DISK_HOLDS } from '../base/disk-limits.js';
import { BODY_ID_BYTES } from './disk-keys.js';
import { isAlive } from './disk-marks.js';

const NAME = /^reading-(\d+)-[0-9a-f]+$/;
const FILE_MODE = 0o600;
/** It never lies across two pages of memory, so that nobody sees half of one. */
const SLOT_BYTES = 32;
const UNTIL_AT = 16;
const LONG_AGO = Number.NEGATIVE_INFINITY;
/** Files of this process that are open: each opening of a disk has its own. */
const own = new Set<string>();

interface Slot {
  readonly at: number;
  readonly until: number;
  readonly againAt: number;
}

/** Puts the bytes of a slot into an open file. Throws what the system says. */
export type WriteSlot = (file: number, slot: Uint8Array, at: number) => void;

const writeSlot: WriteSlot = (file, slot, at) => void writeSync(file, slot, 0, slot.length, at);

/** Those that this process reads. */
export class DiskReaders {
  readonly #directory: string;
  readonly #now: () => number;
  readonly #writeSlot: WriteSlot;
  /** By body; what was told longest ago comes first. */
  readonly #slots = new Map<string, Slot>();
  /** Slots that the file has had so far, and those of them that no body has: one that could not be told there left it. */
  #slotCount = 0;
  readonly #free: number[] = [];
  #path: string | undefined;
  #file: number | undefined;

  /** `now`: on the scale of the disk's file. */
  constructor(directory: string, now: () => number, write: WriteSlot = writeSlot) {
    this.#directory = directory;
    this.#now = now;
    this.#writeSlot = write;
  }

  /**
   * A body is being read from now on, or still. Returns whether that is news: what the body was found by may have gone just
   * before, and has to be looked for again.
   */
  tell(bodyId: Buffer): boolean {
    const name = bodyId.toString('latin1');
    const now = this.#now();
    const known = this.#slots.get(name);
    if (known !== undefined && known.againAt > now) return false;
    const at = known?.at ?? this.#place(now);
    if (this.#write(at, bodyId, now + DISK_HOLD_MS)) {
      this.#slots.delete(name);
      this.#slots.set(name, { at, until: now + DISK_HOLD_MS, againAt: now + DISK_HOLD_AGAIN_MS });
    } else if (known === undefined) this.#free.push(at);
    return known === undefined || known.until <= now;
  }

  /** It was not there any more: whoever finds it has to look again. */
  forget(bodyId: Buffer): void {
    const name = bodyId.toString('latin1');
    const known = this.#slots.get(name);
    if (known !== undefined) this.#slots.set(name, { at: known.at, until: LONG_AGO, againAt: LONG_AGO });
  }

  /** The place of what is not read any more, a free or a new one, or that of what was told longest ago. */
  #place(now: number): number {
    const [oldest] = this.#slots;
    const isTaken = oldest !== undefined && (oldest[1].until <= now || this.#slots.size >= MAX_DISK_HOLDS);
    if (!isTaken) return this.#free.pop() ?? this.#slotCount++;
    this.#slots.delete(oldest[0]);
    return oldest[1].at;
  }

  /**
   * Returns whether it is told. Where that cannot be, as on a full filesystem, the slot goes on saying what it said; its reader may break
   * off, which is no reason not to serve it.
   */
  #write(at: number, bodyId: Buffer, until: number): boolean {
    const slot = Buffer.alloc(SLOT_BYTES);
    bodyId.copy(slot);
    slot.writeDoubleLE(until, UNTIL_AT);
    try {
      this.#file ??= this.#open();
      this.#writeSlot(this.#file, slot, at * SLOT_BYTES);
      return true;
    } catch {
      return false;
    }
  }

  #open(): number {
    // In a container each process has the number of the one before it, and so would that one's never go.
    for (const { path, pid } of filesIn(this.#directory))
      if (pid === process.pid && !own.has(path)) rmSync(path, { force: true });
    const path = join(this.#directory, `reading-${process.pid}-${randomBytes(4).toString('hex')}`);
    const file = openSync(path, 'wx', FILE_MODE);
    own.add(path);
    this.#path = path;
    return file;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    this.#slots.clear();
    this.#free.length = 0;
    this.#slotCount = 0;
    if (this.#path === undefined) return;
    rmSync(this.#path, { force: true });
    own.delete(this.#path);
    this.#path = undefined;
  }
}

/** The bodies that any process reads, as DiskChunks knows them. Files of processes that died go once nothing in them counts. */
export function bodiesRead(directory: string, now: number): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { path, pid } of filesIn(directory)) {
    const before = found.size;
    addRead(found, path, now);
    if (found.size === before && !isAlive(pid)) rmSync(path, { force: true });
  }
  return found;
}

function filesIn(directory: string): { readonly path: string; readonly pid: number }[] {
  return readdirSync(directory).flatMap((name) => {
    const pid = NAME.exec(name)?.[1];
    return pid === undefined ? [] : [{ path: join(directory, name), pid: Number(pid) }];
  });
}

function addRead(found: Set<string>, path: string, now: number): void {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    // Its process has ended in good order meanwhile.
    return;
  }
  for (let at = 0; at + SLOT_BYTES <= bytes.length; at += SLOT_BYTES) {
    if (bytes.readDoubleLE(at + UNTIL_AT) > now) found.add(bytes.toString('latin1', at, at + BODY_ID_BYTES));
  }
}
