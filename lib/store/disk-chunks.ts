/**
 * The bodies that are kept apart, as the writer sees them: which chunks belong to a record, which wait for one, and which
 * are to go. A body may have several records; one that has none any more, or never got one, stands in `doomed` until it is taken away.
 */
import {
  DISK_CHUNKS_AT_ONCE,
  DISK_DOOM_MS,
  DISK_DOOMED_SEEN_MS,
  DISK_HELD_MAX_MS,
  DISK_HOLD_MS,
  DISK_ORPHAN_MS,
  DISK_STEP_CHUNKS,
  DISK_STEP_COUNT,
} from '../base/disk-limits.js';
import { bodyOfChunk } from './disk-batch.js';
import type { EntryPrefix } from './disk-entry.js';
import { BEHIND_ALL, type DiskFile, type DiskTable } from './disk-file.js';
import { chunkKey, DISK_CHUNK_BYTES, DISK_CHUNK_ROOM_BYTES } from './disk-keys.js';
import { bodiesRead } from './disk-readers.js';

const FIRST = Buffer.of(0);
/** How long past its time a body that is held counts as about to go: by then it goes, unless somebody still reads it. */
const LEAVING_MS = DISK_HOLD_MS - DISK_DOOM_MS;

/** What was doomed when none of it could go. */
interface Seen {
  readonly at: number;
  readonly count: number;
  readonly leavingBytes: number;
  readonly stayingBytes: number;
}

export class DiskChunks {
  readonly #bodies: DiskTable;
  readonly #doomed: DiskTable;
  readonly #shares: DiskTable;
  readonly #directory: string;
  /** Bodies that are read, as of this transaction; undefined: it has not looked. */
  #read: ReadonlySet<string> | undefined;
  /** Bodies that lost their record in this transaction: who reads one may not have said so yet. */
  readonly #leaving = new Set<string>();
  /** Whether this transaction knows that nothing more may go: what it dooms itself does not go in it. */
  #hasLooked = false;
  /** As of the last such look, where this process has doomed and spared nothing since. */
  #seen: Seen | undefined;
  /** Bytes that what is doomed gives free before long, rather too few, whoever doomed it: known once dropDoomed() has found nothing more where there is need. */
  leavingBytes = 0;
  /** Bytes, at most, of all that stays for now: what is read on and on, and what is still being written too. */
  stayingBytes = 0;
  /** Bodies of which chunks were written in this transaction: lmdb loses count of its free pages where it also takes them away (decision 0017). */
  readonly #written = new Set<string>();
  /** Bodies of which chunks were written in this transaction and that no record has yet: how many chunks there are. */
  readonly #fresh = new Map<string, { readonly bodyId: Buffer; chunks: number }>();
  #now = 0;

  constructor({ tables, directory }: DiskFile) {
    this.#bodies = tables.bodies;
    this.#doomed = tables.doomed;
    this.#shares = tables.shares;
    this.#directory = directory;
  }

  /** A transaction begins. */
  begin(now: number): void {
    this.#now = now;
    this.#fresh.clear();
    this.#written.clear();
    this.#read = undefined;
    this.#leaving.clear();
    this.#hasLooked = false;
  }

  /** Whether this transaction has written any. */
  get hasWritten(): boolean {
    return this.#written.size > 0;
  }

  /** Until a record comes for it, a body is one whose response may never come. */
  end(): void {
    for (const { bodyId, chunks } of this.#fresh.values()) this.#doom(bodyId, chunks, DISK_ORPHAN_MS);
  }

  /** Whether a body is there to its end. */
  has(bodyId: Uint8Array, chunks: number): boolean {
    return this.#bodies.has(chunkKey(bodyId, chunks - 1));
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#bodies.put(key, value);
    const bodyId = Buffer.from(bodyOfChunk(key));
    const chunks = Buffer.from(key).readUInt32BE(bodyId.length) + 1;
    const id = idOf(bodyId);
    this.#written.add(id);
    const known = this.#fresh.get(id);
    if (known === undefined) this.#fresh.set(id, { bodyId, chunks });
    else known.chunks = Math.max(known.chunks, chunks);
  }

  /** A record has it from now on. */
  adopt(bodyId: Uint8Array): void {
    const isFresh = this.#fresh.delete(idOf(bodyId));
    if (this.#doomed.has(bodyId)) this.#spare(bodyId);
    else if (!isFresh) this.#share(bodyId, this.#holders(bodyId) + 1);
  }

  /** How many records have a body. */
  #holders(bodyId: Uint8Array): number {
    return this.#shares.get(bodyId)?.readUInt32LE(0) ?? 1;
  }

  #share(bodyId: Uint8Array, holders: number): void {
    if (holders <= 1) {
      if (this.#shares.has(bodyId)) this.#shares.remove(bodyId);
      return;
    }
    const value = Buffer.allocUnsafe(4);
    value.writeUInt32LE(holders);
    this.#shares.put(bodyId, value);
  }

  /** A record that had a body is gone. */
  release({ bodyId, chunks }: Pick<EntryPrefix, 'bodyId' | 'chunks'>): void {
    if (chunks === 0) return;
    const holders = this.#holders(bodyId);
    if (holders > 1) this.#share(bodyId, holders - 1);
    else if (chunks <= DISK_CHUNKS_AT_ONCE) this.#takeAway(bodyId, chunks);
    else this.#leave(bodyId, chunks);
  }

  /** Its chunks go in a while. */
  #doom(bodyId: Uint8Array, chunks: number, afterMs: number): void {
    const value = Buffer.allocUnsafe(12);
    value.writeDoubleLE(this.#now + afterMs);
    value.writeUInt32LE(chunks, 8);
    this.#doomed.put(bodyId, value);
    this.#seen = undefined;
  }

  #spare(bodyId: Uint8Array): void {
    if (!this.#doomed.has(bodyId)) return;
    this.#doomed.remove(bodyId);
    this.#seen = undefined;
  }

  /** No record comes for a body: like one that lost its record, it stays for a while, for those who read it now. */
  disown(bodyId: Uint8Array): void {
    const chunks = this.#fresh.get(idOf(bodyId))?.chunks ?? this.#doomed.get(bodyId)?.readUInt32LE(8);
    if (chunks === undefined) return;
    this.#fresh.delete(idOf(bodyId));
    this.#leave(bodyId, chunks);
  }

  /** Nobody finds it any more. Its chunks go in a while, or in a later transaction where there is need. */
  #leave(bodyId: Uint8Array, chunks: number): void {
    this.#doom(bodyId, chunks, DISK_DOOM_MS);
    this.#leaving.add(idOf(bodyId));
    this.leavingBytes += chunks * DISK_CHUNK_BYTES;
  }

  /** Whether it must stay: what reads it is not to break off because something else wants its room. */
  #isHeld(bodyId: Uint8Array): boolean {
    const id = idOf(bodyId);
    if (this.#leaving.has(id)) return true;
    this.#read ??= bodiesRead(this.#directory, this.#now);
    return this.#read.has(id);
  }

  /** Whether nothing were free at once if the record of this body went. */
  isRead({ bodyId, chunks }: Pick<EntryPrefix, 'bodyId' | 'chunks'>): boolean {
    return chunks > DISK_CHUNKS_AT_ONCE && this.#isHeld(bodyId);
  }

  /** As soon as that may be. */
  #takeAway(bodyId: Uint8Array, chunks: number): void {
    if (!this.#written.has(idOf(bodyId))) {
      this.#deleteChunks(bodyId, 0, chunks);
      return;
    }
    this.#doom(bodyId, chunks, 0);
    this.#leaving.add(idOf(bodyId));
  }

  #deleteChunks(bodyId: Uint8Array, from: number, until: number): void {
    for (let index = from; index < until; index++) this.#bodies.remove(chunkKey(bodyId, index));
  }

  /** A body that gets no record goes. */
  drop(bodyId: Uint8Array, chunks: number): void {
    this.#fresh.delete(idOf(bodyId));
    this.#spare(bodyId);
    this.#takeAway(bodyId, chunks);
  }

  /** Not each batch is to look through all of it, where many are read: another process mostly shows in their number. */
  #isSeen(): boolean {
    if (this.#hasLooked) return true;
    const seen = this.#seen;
    if (seen === undefined || this.#doomed.count !== seen.count) return false;
    if (this.#now < seen.at || this.#now >= seen.at + DISK_DOOMED_SEEN_MS) return false;
    this.#take(seen);
    return true;
  }

  #take(seen: Seen): void {
    this.#seen = seen;
    this.#hasLooked = true;
    this.leavingBytes = seen.leavingBytes;
    this.stayingBytes = seen.stayingBytes;
  }

  /** Takes away chunks whose time has come, or where there is need the next ones. Returns whether it found any. */
  dropDoomed(isUrgent: boolean): boolean {
    if (isUrgent && this.#isSeen()) return false;
    let left = DISK_STEP_CHUNKS;
    let [leaving, staying] = [0, 0];
    const found: [bodyId: Buffer, chunks: number][] = [];
    this.#doomed.range(FIRST, BEHIND_ALL, (bodyId, value) => {
      const [at, chunks] = [value.readDoubleLE(0), value.readUInt32LE(8)];
      // One that is just being written is no less wanted than what is stored.
      const isUnwanted = at <= this.#now + DISK_DOOM_MS;
      const isDue = at <= this.#now || (isUrgent && isUnwanted);
      if (!isDue || (this.#now < at + DISK_HELD_MAX_MS && this.#isHeld(bodyId))) {
        staying += chunks;
        if (isUnwanted && this.#now < at + LEAVING_MS) leaving += chunks;
        return true;
      }
      found.push([bodyId, chunks]);
      return found.length < DISK_STEP_COUNT;
    });
    if (isUrgent && found.length === 0) {
      const [leavingBytes, stayingBytes] = [leaving * DISK_CHUNK_BYTES, staying * DISK_CHUNK_ROOM_BYTES];
      this.#take({ at: this.#now, count: this.#doomed.count, leavingBytes, stayingBytes });
    }
    for (const [bodyId, chunks] of found) {
      const from = Math.max(0, chunks - left);
      this.#deleteChunks(bodyId, from, chunks);
      left -= chunks - from;
      if (from === 0) this.#spare(bodyId);
      else this.#doom(bodyId, from, 0);
      if (left === 0) break;
    }
    return found.length > 0;
  }
}

function idOf(bodyId: Uint8Array): string {
  return Buffer.from(bodyId.buffer, bodyId.byteOffset, bodyId.byteLength).toString('latin1');
}
