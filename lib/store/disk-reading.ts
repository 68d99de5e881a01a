/**
 * What is on disk, as stored responses: records decoded, and checked; what cannot be read is no response, is counted, and
 * is to be taken away. What waits to be written, or to go, is known to the queue, and passed over here.
 */
import assert from 'node:assert/strict';
import type { Clock, Timer } from '../base/clock.js';
import { DISK_MOMENT_MS, DISK_USE_STALE_MS } from '../base/disk-limits.js';
import { lasting } from '../base/lasting.js';
import { MAX_VARIANTS } from '../base/limits.js';
import { SECOND_MS } from '../base/units.js';
import { Fields } from '../http/fields.js';
import { Body } from '../object/body.js';
import { decodeRecord, type RecordHead } from '../object/record.js';
import { storedOf } from '../object/record-stored.js';
import type { StoredResponse } from '../object/stored.js';
import type { Glance } from './contract.js';
import { DiskAbsent } from './disk-absent.js';
import { type BodyRef, DiskBodies } from './disk-bodies.js';
import type { DiskCounts } from './disk-counts.js';
import { Entry, isSeen, seen } from './disk-entry.js';
import type { DiskFile } from './disk-file.js';
import { checkOf } from './disk-forms.js';
import { DiskGlance, NO_SELECTION } from './disk-glance.js';
import { keyIn, plainRecordKey, plainStem, recordKey, stemOf, variedKeys } from './disk-keys.js';
import type { DiskQueue } from './disk-queue.js';
import { type GoneItem, type PutItem, placeOf, UNREAD } from './disk-queued.js';
import { DiskReaders } from './disk-readers.js';
import { NOW_KEY } from './disk-writing.js';
import { type ReadRecord, RecentRecords } from './recent-records.js';
import { shifted } from './shifted.js';

/** Where a record is, and by which of its forms a response was read or written. */
export interface Place {
  readonly recordKey: Buffer;
  /** Of the record, as checkOf() has it. */
  readonly check: number;
  /** The second of its last use, as the file says; undefined: it is used now. */
  readonly usedSec: number | undefined;
}

/** How a key is looked for: behind a glance at it, behind such a look, or whatever was seen before. */
export type DiskLook = 'miss' | 'seen' | 'anew';

export class DiskReading {
  readonly bodies: DiskBodies;
  readonly readers: DiskReaders;
  readonly places = new WeakMap<StoredResponse, Place>();
  /** What is added to an instant of this process to be one of the file: the clock may have been set back between two starts. */
  readonly skewMs: number;
  /** The file could not be read. */
  isBroken = false;
  /** How often the file was looked at anew. */
  refreshes = 0;
  /** What glance() found. */
  readonly glanced: DiskGlance;
  readonly #file: DiskFile;
  readonly #clock: Clock;
  readonly #counts: DiskCounts;
  readonly #onBroken: (error: unknown) => void;
  readonly #absent: DiskAbsent;
  readonly #recent = new RecentRecords();
  #waiting: DiskQueue | undefined;
  /** Ends the moment of #look(). */
  #momentTimer: Timer | undefined;

  constructor(file: DiskFile, clock: Clock, counts: DiskCounts, onBroken: (error: unknown) => void) {
    this.#file = file;
    this.#clock = clock;
    this.#counts = counts;
    this.#onBroken = onBroken;
    this.#absent = new DiskAbsent(clock);
    const latest = this.read(() => file.tables.meta.get(NOW_KEY))?.readDoubleLE(0) ?? 0;
    this.skewMs = Math.max(0, latest - clock.now());
    this.glanced = new DiskGlance(this.skewMs);
    this.readers = new DiskReaders(file.directory, () => clock.now() + this.skewMs);
    this.bodies = new DiskBodies(file.tables.bodies, this.readers, clock, clock.now() + this.skewMs);
  }

  /** From now on `queue` says what waits. */
  attach(queue: DiskQueue): void {
    this.#waiting = queue;
  }

  get #queue(): DiskQueue {
    assert(this.#waiting !== undefined, 'a disk is read once its queue is there');
    return this.#waiting;
  }

  /**
   * What is in the file between two record keys, without what waits to be replaced or taken away; `next` is the last key
   * that was looked at where there are more.
   */
  walk(from: Uint8Array, until: Uint8Array, count: number): { found: StoredResponse[]; next: Buffer | undefined } {
    const entries = this.#entries('records', from, until, count);
    const found = entries.map(([key, entry]) => this.#shown(key, entry)).filter((stored) => stored !== undefined);
    return { found, next: entries.length < count ? undefined : entries.at(-1)?.[0] };
  }

  /** The keys of what walk() would show, and of what waits to be written there, read from the record keys as far as these tell them. */
  keys(from: Buffer, until: Buffer, count: number): { keys: ReadonlySet<string>; next: Buffer | undefined } {
    const places: Buffer[] = [];
    this.#letGo();
    if (!this.#queue.isBlind)
      this.read(() => this.#file.tables.records.keys(from, until, (place) => places.push(place) < count));
    const next = places.length < count ? undefined : places.at(-1);
    const keys = new Set<string>();
    for (const { key } of this.#queue.between(from, next)) keys.add(key);
    for (const place of places) {
      const key = keyIn(place) ?? this.at(place)?.key;
      const waiting = key === undefined ? undefined : this.#queue.pendingAt(key, place);
      // What is damaged goes while it is what is there: one look is not worth it here.
      if (key !== undefined && (waiting?.kind !== 'gone' || waiting.seen !== undefined)) keys.add(key);
    }
    return { keys, next };
  }

  /** The same for entries of the tags: their keys. */
  tagged(from: Uint8Array, until: Uint8Array, count: number): { keys: Buffer[]; next: Buffer | undefined } {
    const keys = this.#entries('tags', from, until, count).map(([key]) => key);
    return { keys, next: keys.length < count ? undefined : keys.at(-1) };
  }

  /** What is in the file under a key, without what waits to be replaced or taken away. */
  of(key: string, look: DiskLook = 'anew'): readonly StoredResponse[] {
    if (look === 'anew') this.#letGo();
    const isPlainAbsent = look === 'miss' && this.#absent.takePlain(key);
    if (look === 'seen' && this.#absent.has(key)) return NOTHING;
    const isThere = !isPlainAbsent && this.#hasPlain(key);
    const plain = isThere ? this.at(recordKey(key, NO_SELECTION)) : undefined;
    const stem = plainStem(key) ?? stemOf(key);
    // Behind a glance the moment of that is good enough; who waited for another process wants what that has written.
    const selections = isPlainAbsent
      ? this.#look('varied', stem)
      : this.read(() => this.#file.tables.varied.view(stem));
    if (!isThere && selections === undefined && look === 'miss') this.#absent.note(key);
    const found = plain?.key === key ? [plain] : [];
    if (selections === undefined) return found;
    const places = variedKeys(stemOf(key), Buffer.from(selections));
    // What several processes wrote of one key at once: the first of them go unread, or a purge would pass them over.
    for (const one of places.splice(0, Math.max(0, places.length - MAX_FOUND))) {
      if (this.#queue.pendingAt(key, one) === undefined) this.#queue.remove(key, one, 'evicted');
    }
    for (const one of places) {
      const stored = this.#variantAt(key, one);
      if (stored !== undefined) found.push(stored);
    }
    return found;
  }

  /** What request fields select under a key, in this of its places, unless something waits to take its place. */
  #variantAt(key: string, recordKey: Buffer): StoredResponse | undefined {
    const view = this.read(() => this.#file.tables.records.view(recordKey));
    if (view === undefined || this.#queue.isBlind) return undefined;
    if (this.waiting(UNREAD, recordKey, view) !== undefined) return undefined;
    if (this.waiting(key, recordKey, view) !== undefined) return undefined;
    const place = placeOf(recordKey);
    const entry = Entry.unchecked(view);
    const known = entry === undefined ? undefined : this.#recent.get(place, entry.record);
    if (entry !== undefined && known !== undefined)
      return known.head.key === key ? this.#made(known, entry.epoch) : undefined;
    const bytes = lasting(view);
    const read = this.#readIn(recordKey, bytes);
    if (read === undefined || read.head.key !== key) return undefined;
    this.#note(place, read);
    return this.#made(read, Entry.unchecked(bytes)?.epoch);
  }

  /** Of what stands alone under its key one look is nearly always all; and parts are bytes that lie elsewhere. */
  #note(place: string, read: ReadRecord): void {
    if (read.head.selection.names.length > 0 && read.head.parts === undefined) this.#recent.note(place, read);
  }

  /** Whether at() may find something: most that is looked for is not there, and nothing is made for it then. */
  #hasPlain(key: string): boolean {
    const place = plainRecordKey(key, '');
    return place === undefined || this.read(() => this.#file.tables.records.has(place)) === true;
  }

  /** As Below.glance(): what stands alone under a key, about which nothing waits to be written. */
  glance(key: string, rest = ''): Glance | undefined {
    const place = this.#queue.isQuiet(key, rest) ? plainRecordKey(key, rest) : undefined;
    if (place === undefined || this.isBroken) return undefined;
    const view = this.#look('records', place);
    if (view === undefined && !this.isBroken) this.#absent.notePlain(key, rest);
    return view !== undefined && this.glanced.over(view, key, rest) ? this.glanced : undefined;
  }

  /** Looks up what may have been so up to DISK_MOMENT_MS ago: what other processes write is not to be seen at once there. */
  #look(table: 'records' | 'varied', key: Uint8Array): Buffer | undefined {
    if (this.isBroken) return undefined;
    this.#momentTimer ??= this.#clock.after(DISK_MOMENT_MS, this.#letGo);
    try {
      return this.#file.tables[table].look(key);
    } catch (error) {
      this.#break(error);
      return undefined;
    }
  }

  /** Whoever takes away what is there by now is not to see it afterwards, nor what another process has taken away before. */
  readonly #letGo = (): void => {
    this.#momentTimer?.cancel();
    this.#momentTimer = undefined;
    this.read(() => this.#file.letGo());
  };

  /** From now on what others have written is seen. */
  refresh(): void {
    this.refreshes++;
    this.#absent.clear();
    this.#letGo();
    this.#file.refresh();
  }

  /** The order of eviction is coarse: the writer takes no note of a use soon after another one. */
  isUseNews(usedSec: number | undefined): boolean {
    if (usedSec === undefined) return false;
    const sec = Math.floor((this.#clock.now() + this.skewMs) / SECOND_MS);
    return sec - usedSec >= DISK_USE_STALE_MS / SECOND_MS;
  }

  /** What glance() found, to be kept. */
  taken(): StoredResponse | undefined {
    const { key, bytes } = this.glanced;
    return this.#responseIn(recordKey(key, NO_SELECTION), lasting(bytes));
  }

  /** What is in the file under a record key, unless something waits to take its place. */
  at(recordKey: Buffer): StoredResponse | undefined {
    const entry = this.read(() => this.#file.tables.records.get(recordKey));
    return entry === undefined ? undefined : this.#shown(recordKey, entry);
  }

  #entries(
    table: 'records' | 'tags',
    from: Uint8Array,
    until: Uint8Array,
    count: number,
  ): [key: Buffer, value: Buffer][] {
    const entries: [key: Buffer, entry: Buffer][] = [];
    if (this.#queue.isBlind) return entries;
    this.#letGo();
    // Nothing is done with them while the file is being walked: that may read it too.
    this.read(() =>
      this.#file.tables[table].range(from, until, (key, entry) => {
        entries.push([key, entry]);
        return entries.length < count;
      }),
    );
    return entries;
  }

  #shown(key: Buffer, entry: Buffer): StoredResponse | undefined {
    if (this.#queue.isBlind || this.waiting(UNREAD, key, entry) !== undefined) return undefined;
    const stored = this.#responseIn(key, entry);
    return stored === undefined || this.waiting(stored.key, key, entry) !== undefined ? undefined : stored;
  }

  /** What waits to take the place of `entry`, or to take it away. What is damaged is waited for as long as it is there alone. */
  waiting(key: string, recordKey: Buffer, entry: Buffer | undefined): PutItem | GoneItem | undefined {
    const item = this.#queue.pendingAt(key, recordKey);
    const isElse = item?.kind === 'gone' && item.seen !== undefined && !isSeen(entry, item.seen);
    return isElse ? undefined : item;
  }

  /** What the file says, or nothing where it cannot be read: from then on it is left alone. */
  read<T>(run: () => T): T | undefined {
    if (this.isBroken) return undefined;
    try {
      return run();
    } catch (error) {
      this.#break(error);
      return undefined;
    }
  }

  #break(error: unknown): void {
    this.isBroken = true;
    let told = error;
    try {
      // Others go on writing, and use no page again that is of a moment which somebody holds.
      this.#file.letGo();
    } catch (other) {
      told = new Error(`${String(error)}; then ${String(other)}`);
    }
    this.#onBroken(told);
  }

  /** What waits, and only its words tell of. */
  told({ wordsIn, wordsAt, place }: PutItem): StoredResponse {
    assert(wordsIn !== undefined, 'what is not held is told by its words');
    const order = wordsIn.putAt(wordsAt);
    let read = this.#recent.get(place, order.record);
    if (read === undefined) {
      const record = lasting(order.record);
      const { head } = decodeRecord(record);
      assert(head !== undefined, 'what was written just now can be read');
      const ref: BodyRef = { id: lasting(head.note), bytes: head.bodyBytes, isInline: true };
      read = { recordKey: lasting(Buffer.from(place, 'latin1')), record, head, ref, inline: lasting(order.inline) };
      this.#note(place, read);
    }
    const stored = this.#made(read, undefined);
    assert(stored !== undefined, 'what its words tell is all there');
    return stored;
  }

  /** The response of an entry; undefined, and gone, where it cannot be read. */
  #responseIn(key: Buffer, bytes: Buffer): StoredResponse | undefined {
    const read = this.#readIn(key, bytes);
    return read === undefined ? undefined : this.#made(read, Entry.unchecked(bytes)?.epoch);
  }

  /** What an entry says, in its own bytes; undefined, and gone, where it cannot be read. */
  #readIn(key: Buffer, bytes: Buffer): ReadRecord | undefined {
    const entry = Entry.over(bytes);
    const record = entry?.record;
    const { head, reason } = record === undefined ? DAMAGED : decodeRecord(record);
    if (entry === undefined || record === undefined || head === undefined || !head.note.equals(entry.bodyId)) {
      this.#counts.unreadable(reason ?? 'malformed');
      this.#queue.remove(UNREAD, key, 'damaged', seen(bytes));
      return undefined;
    }
    const ref: BodyRef = { id: lasting(head.note), bytes: head.bodyBytes, isInline: entry.body.length > 0 };
    return { recordKey: lasting(key), record, head, ref, inline: entry.body };
  }

  /**
   * A response of its own of what was read: memory moves the fields and the body of what it keeps. `usedSec`: as Place has it.
   * Undefined, and gone, where its bytes are not there.
   */
  #made({ recordKey, record, head, ref, inline }: ReadRecord, usedSec: number | undefined): StoredResponse | undefined {
    const body = this.#bodyOf(head, ref, inline, recordKey);
    const own = { ...head, fields: new Fields(head.fields.raw) };
    const made = body === undefined ? undefined : storedOf(own, body);
    if (made === undefined) {
      this.lost(head.key, recordKey, ref.id);
      return undefined;
    }
    const stored = this.skewMs === 0 ? made : shifted(made, -this.skewMs);
    this.places.set(stored, { recordKey, check: checkOf(record), usedSec });
    if (head.bodyBytes > 0) this.bodies.note(stored, ref);
    return stored;
  }

  /** What is small is read with its record, and parts must be to be told from each other; all else when it is wanted. */
  #bodyOf({ key, parts, bodyBytes }: RecordHead, ref: BodyRef, inline: Buffer, place: Buffer): Body | undefined {
    if (bodyBytes === 0) return Body.empty;
    if (ref.isInline) return Body.of([inline]);
    if (parts !== undefined) return this.read(() => this.bodies.load(ref));
    return this.bodies.below(ref, () => {
      // What was read may have been replaced meanwhile: what is there now is none the worse.
      const entry = this.read(() => this.#file.tables.records.get(place));
      if (entry !== undefined && Entry.over(entry)?.bodyId.equals(ref.id) !== false) {
        this.lost(key, place, ref.id);
      }
    });
  }

  /** Whether a large body that was found can be read to its end: from now on nobody takes it away before. */
  claim(stored: StoredResponse, ref: BodyRef): boolean {
    // What has just arrived has no record there yet that another one could take away.
    if (!this.readers.tell(ref.id) || stored.body.heldBytes > 0) return true;
    // What waits has no place there yet.
    const place = this.places.get(stored)?.recordKey ?? recordKey(stored.key, stored.selection);
    this.#file.refresh();
    const entry = this.read(() => this.#file.tables.records.get(place));
    if (entry !== undefined && Entry.over(entry)?.bodyId.equals(ref.id) === true) return true;
    // A record that waits is to be around it: chunks that nobody has any more go from the last on.
    const isAwaited = this.waiting(stored.key, place, entry)?.kind === 'put';
    if (isAwaited && this.read(() => this.bodies.hasEnd(ref)) === true) return true;
    this.readers.forget(ref.id);
    return false;
  }

  /** Something of the body that a record is around is not there, or damaged. */
  lost(key: string, recordKey: Buffer, bodyId: Buffer): void {
    this.#counts.unreadable('body');
    this.#queue.remove(key, recordKey, 'damaged', bodyId);
  }
}

const NOTHING: readonly StoredResponse[] = [];
const DAMAGED = { head: undefined, reason: 'checksum' } as const;
/** Variants of one key that are looked at: those beyond MAX_VARIANTS go. */
const MAX_FOUND = MAX_VARIANTS * 2;
