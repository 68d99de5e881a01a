/**
 * The disk tier: stored responses by record key, found again after a restart. Reads go to the file itself, and to what
 * waits to be written first; writes go through the queue to a thread of their own.
 *
 * Whatever cannot be read for certain is a miss: counted, and taken away. Nothing here ever throws at a request.
 */
import type { Clock } from '../base/clock.js';
import { MAX_DISK_PART_BYTES, PROMOTE_BODY_BYTES } from '../base/disk-limits.js';
import { stackOf } from '../base/errors.js';
import { MAX_VARIANTS } from '../base/limits.js';
import type { BodySink } from '../object/body.js';
import { hasRecordChunks, recordBodyBytes } from '../object/record.js';
import type { StoredResponse } from '../object/stored.js';
import type { DiskReadings, DiskRemoval } from '../observe/disk-meters.js';
import type { Events } from '../observe/events.js';
import type { Glance } from './contract.js';
import type { BodyRef } from './disk-bodies.js';
import type { DiskPort } from './disk-contract.js';
import { DiskCounts } from './disk-counts.js';
import { DiskDamage } from './disk-damage.js';
import { Entry } from './disk-entry.js';
import type { DiskFile } from './disk-file.js';
import { checkOf, isSameLife, recordOf } from './disk-forms.js';
import { DiskFound } from './disk-found.js';
import { NO_SELECTION } from './disk-glance.js';
import { DISK_CHUNK_BYTES, recordKey } from './disk-keys.js';
import { DiskQueue } from './disk-queue.js';
import { type GoneItem, type PutItem, placeFor } from './disk-queued.js';
import { type DiskLook, DiskReading } from './disk-reading.js';
import { DiskSpill } from './disk-spill.js';
import { DiskWording } from './disk-wording.js';
import { HOT_KEY } from './disk-writing.js';

export interface DiskTierOptions {
  readonly file: DiskFile;
  readonly port: DiskPort;
  readonly sizeBytes: number;
  readonly clock: Clock;
  readonly events: Events;
  /** What is in the file cannot be read at all, or never be written again. */
  readonly onDamaged: () => void;
}

/** Instants that differ by less were one before they were moved between clocks. */
const SAME_INSTANT_MS = 0.01;
/** Share of the size that one body may take. */
const MAX_BODY_SHARE = 0.5;
const MAX_BODY_BYTES = 4 * 1024 ** 3;

export class DiskTier {
  readonly #file: DiskFile;
  readonly #options: DiskTierOptions;
  readonly #queue: DiskQueue;
  readonly #counts = new DiskCounts();
  readonly reading: DiskReading;
  readonly #found: DiskFound;
  /** Another process wrote a later form of it. */
  onOutdated: (stored: StoredResponse) => void = () => {};

  constructor(options: DiskTierOptions) {
    const { file, clock, port } = options;
    this.#options = options;
    this.#file = file;
    const damage = new DiskDamage(options.events, options.onDamaged);
    this.reading = new DiskReading(file, clock, this.#counts, (error) => damage.unreadable(error));
    this.#counts.noteFile(file);
    const wording = new DiskWording(this.reading, this.#counts);
    this.#queue = new DiskQueue({
      port,
      clock,
      now: () => clock.now() + this.reading.skewMs,
      encode: (item, to) => wording.write(item, to),
      overtaken: ({ stored }, to) => {
        const ref = stored === undefined ? undefined : this.#spilled(stored);
        if (ref !== undefined) to.add({ kind: 'orphan', bodyId: ref.id });
      },
      unwritten: (item, reason) => this.#unwritten(item, reason),
      unwordable: (item, error) => {
        const told = { key: item.kind === 'plain' ? '' : item.key, error: stackOf(error) };
        options.events.notice('error', 'internal', 'Something could not be put into words for the disk tier', told);
      },
      mayHold: (key) => this.reading.read(() => file.tables.records.has(key)) === true,
      reported: (report) => {
        damage.written();
        this.reading.refresh();
        this.#counts.noteReport(report);
      },
      failed: (failure, isNews) => {
        this.#counts.failures++;
        damage.unwritten(failure, isNews);
      },
      recovered: () => damage.recovered(),
    });
    this.reading.attach(this.#queue);
    this.#found = new DiskFound(clock, () => this.#queue.changes + this.reading.refreshes);
  }

  get stats(): DiskReadings {
    const { isWritable, isBlind, pendingBytes, droppedUses } = this.#queue;
    // Other processes may have written too.
    this.reading.read(() => {
      this.reading.refresh();
      this.#counts.noteFile(this.#file);
    });
    const state = this.reading.isBroken || isBlind ? 'off' : isWritable ? 'writable' : 'read-only';
    return { ...this.#counts.stats, state, pendingBytes, droppedUses, sizeBytes: this.#options.sizeBytes };
  }

  /** The largest body that is taken in while it arrives; 0 where none is. */
  get maxBodyBytes(): number {
    if (!this.#queue.isWritable || this.reading.isBroken) return 0;
    return Math.min(MAX_BODY_BYTES, Math.floor(this.#options.sizeBytes * MAX_BODY_SHARE));
  }

  /** All responses of a key, newest first, their larger bodies unread. */
  find(key: string, look: DiskLook = 'anew'): readonly StoredResponse[] {
    const known = look === 'seen' ? this.#found.under(key) : undefined;
    if (known !== undefined) return known;
    const found = this.#find(key, look);
    this.#found.note(key, found);
    return found;
  }

  #find(key: string, look: DiskLook): readonly StoredResponse[] {
    const there = this.reading.of(key, look);
    const waiting = this.#queue.pendingOf(key);
    if (waiting === undefined && there.length <= 1) return there;
    const found = [...there];
    for (const item of waiting ?? []) {
      const stored = this.#storedIn(item);
      if (stored !== undefined) found.push(stored);
    }
    if (found.length > 1) found.sort((a, b) => (b.receivedAt ?? b.fetchedAt) - (a.receivedAt ?? a.fetchedAt));
    if (found.length <= MAX_VARIANTS) return found;
    // Memory lets the oldest go too, and its reasons are the same.
    for (const surplus of found.splice(MAX_VARIANTS)) this.remove(surplus, 'evicted');
    return found;
  }

  /** As Below.glance(). */
  glance(key: string, rest?: string): Glance | undefined {
    return this.reading.glance(key, rest);
  }

  /** What glance() found last is used. Returns what tells that from other entries, near enough. */
  useGlanced(): number {
    const { glanced } = this.reading;
    // The key is made where it is wanted alone: of a thousand uses that are news most are too many.
    if (this.reading.isUseNews(glanced.usedSec) && this.#queue.takesUse()) {
      this.#queue.use(recordKey(glanced.key, NO_SELECTION));
    }
    return glanced.check;
  }

  /** What waits to be written under the record keys from one on, and up to another, itself included. */
  waiting(
    from: Uint8Array,
    until: Uint8Array | undefined,
    isMeant: (stored: StoredResponse) => boolean,
  ): StoredResponse[] {
    const found: StoredResponse[] = [];
    for (const item of this.#queue.between(from, until)) {
      const stored = this.#storedIn(item);
      if (stored !== undefined && isMeant(stored)) found.push(stored);
    }
    return found;
  }

  /** A response that waits and whose bytes can be had: the disk may have had no room for one that is on its way. */
  #storedIn(item: PutItem | GoneItem): StoredResponse | undefined {
    if (item.kind !== 'put') return undefined;
    const stored = item.stored ?? this.reading.told(item);
    return stored.body.isWhole ? stored : undefined;
  }

  /** With its body in memory, where that is small; undefined where it turns out to be damaged, or gone. */
  load(stored: StoredResponse): StoredResponse | undefined {
    const ref = this.reading.bodies.refOf(stored);
    if (stored.partial !== undefined || stored.body.below === undefined || ref === undefined) return stored;
    if (ref.bytes > PROMOTE_BODY_BYTES) {
      if (!this.reading.claim(stored, ref)) return undefined;
      // Just arrived: what the disk does not have of it yet is still in memory.
      if (stored.body.heldBytes > 0) return stored;
      if (this.reading.read(() => this.reading.bodies.chunk(ref, 0)) !== undefined) return stored;
      this.#damaged(stored);
      return undefined;
    }
    const body = this.reading.read(() => this.reading.bodies.load(ref));
    if (body === undefined) {
      this.#damaged(stored);
      return undefined;
    }
    return this.#as(stored, { ...stored, body });
  }

  /** The same response in other hands, such as around a body that is in memory already. */
  #as(known: StoredResponse, next: StoredResponse): StoredResponse {
    const [place, ref] = [this.reading.places.get(known), this.reading.bodies.refOf(known)];
    if (place !== undefined) this.reading.places.set(next, place);
    if (ref !== undefined) this.reading.bodies.note(next, ref);
    return next;
  }

  /** Around the body of `other`, where both are the same on disk. */
  around(stored: StoredResponse, other: StoredResponse): StoredResponse | undefined {
    const [mine, theirs] = [this.reading.bodies.refOf(stored), this.reading.bodies.refOf(other)];
    if (mine === undefined || theirs === undefined || !mine.id.equals(theirs.id)) return undefined;
    return this.#as(stored, { ...stored, body: other.body, partial: other.partial });
  }

  /** Queues a response. Returns whether it will be on disk, as far as is known now. `isKnown`: what number() said of its body. */
  put(stored: StoredResponse, isKnown = this.reading.bodies.number(stored)): boolean {
    const reason = this.#reasonAgainst(stored, isKnown);
    if (reason !== undefined) {
      this.#counts.skip(reason);
      this.remove(stored, 'replaced');
      return false;
    }
    // What it takes the place of may stay where this is the only way to its body.
    const mayStay = stored.body.below !== undefined;
    const bodyBytes = isKnown ? 0 : recordBodyBytes(stored);
    // What was read of it is about the form that this takes the place of.
    this.reading.places.delete(stored);
    if (this.#queue.put({ stored, place: placeFor(stored), bodyBytes, mayStay, isAgain: false, isWithBody: !isKnown }))
      return true;
    this.#counts.skip(this.#queue.isWritable ? 'pending' : 'read-only');
    return false;
  }

  #reasonAgainst(stored: StoredResponse, isKnown: boolean): 'part-too-large' | 'lost' | 'broken' | undefined {
    if (this.reading.isBroken) return 'broken';
    if ((stored.partial?.heldBytes ?? 0) > MAX_DISK_PART_BYTES) return 'part-too-large';
    return isKnown || hasRecordChunks(stored) ? undefined : 'lost';
  }

  /** Puts a freshened record in the place of what is, or may be, on disk. */
  swap(current: StoredResponse, next: StoredResponse): void {
    const place = this.reading.places.get(current);
    // Of a copy that another process has written there is no place here.
    if (isSameLife(current, next)) {
      if (place !== undefined) this.reading.places.set(next, place);
    } else {
      if (place === undefined && this.reading.bodies.refOf(next) === undefined) this.#findBody(next);
      this.put(next);
    }
  }

  /** What another process wrote has its body on disk already: only the record is to be written (RFC 9111 §4.3.4). */
  #findBody(stored: StoredResponse): void {
    const there = this.reading.at(recordKey(stored.key, stored.selection));
    const ref = there === undefined ? undefined : this.reading.bodies.refOf(there);
    if (there === undefined || ref === undefined || there.partial !== undefined) return;
    if (isSameFetch(there, stored)) this.reading.bodies.note(stored, ref);
  }

  /** Whether exactly this record is what the disk has, or is to have. */
  has(stored: StoredResponse): boolean {
    if (this.reading.isBroken || this.#queue.isBlind) return false;
    const place = this.reading.places.get(stored);
    if (place === undefined) return this.#hasSame(stored);
    const entry = this.reading.read(() => this.#file.tables.records.get(place.recordKey));
    const waiting = this.reading.waiting(stored.key, place.recordKey, entry);
    if (waiting !== undefined) return waiting.kind === 'put' && this.#isWaitingAs(waiting, stored, place.check);
    const record = entry === undefined ? undefined : Entry.over(entry)?.record;
    return record !== undefined && checkOf(record) === place.check;
  }

  /** The same by what it says, of an object that was never here: memory had it before there was a disk, or made it anew (decision 0028). */
  #hasSame(stored: StoredResponse): boolean {
    const key = recordKey(stored.key, stored.selection);
    const bytes = this.reading.read(() => this.#file.tables.records.get(key));
    const waiting = this.reading.waiting(stored.key, key, bytes);
    if (waiting !== undefined) return waiting.kind === 'put' && this.#isWaitingAs(waiting, stored, undefined);
    const entry = bytes === undefined ? undefined : Entry.over(bytes);
    return entry?.record?.equals(recordOf(stored, this.reading.skewMs, entry.bodyId)) === true;
  }

  /** `check`: of its record, where that is known. */
  #isWaitingAs(item: PutItem, stored: StoredResponse, check: number | undefined): boolean {
    if (item.stored !== undefined) return item.stored === stored || recordOf(item.stored).equals(recordOf(stored));
    const order = item.wordsIn?.putAt(item.wordsAt);
    if (order === undefined) return false;
    if (check !== undefined) return checkOf(order.record) === check;
    return recordOf(stored, this.reading.skewMs, order.bodyId).equals(order.record);
  }

  remove(stored: StoredResponse, reason: DiskRemoval): void {
    this.#queue.remove(stored.key, recordKey(stored.key, stored.selection), reason);
  }

  /** What `stored` is on disk is used. */
  use(stored: StoredResponse): void {
    const place = this.reading.places.get(stored);
    if (place !== undefined && this.reading.isUseNews(place.usedSec)) this.#queue.use(place.recordKey);
  }

  /** A place for a body that is to be stored while it arrives; undefined where there is none now. */
  openSpill(): BodySink | undefined {
    if (this.maxBodyBytes > 0 && this.#queue.hasRoom(DISK_CHUNK_BYTES)) {
      return new DiskSpill(this.#queue, this.reading.bodies);
    }
    this.#counts.skip('spill');
    return undefined;
  }

  /** A response that was to be stored is not: its body, which may be on disk already, is given up in a while. */
  giveUp(stored: StoredResponse): void {
    const ref = this.#spilled(stored);
    if (ref !== undefined) this.#queue.order({ kind: 'orphan', bodyId: ref.id }, 0);
  }

  /** The body of a response that went to disk before the record of it. */
  #spilled(stored: StoredResponse): BodyRef | undefined {
    return stored.body.below === undefined ? undefined : this.reading.bodies.refOf(stored);
  }

  /** What the last list of what is asked for most says, unread. */
  hotList(): Buffer | undefined {
    return this.reading.read(() => this.#file.tables.meta.get(HOT_KEY));
  }

  saveHotList(list: Buffer): void {
    this.#queue.order({ kind: 'hot', list }, list.length, (isWritten) => {
      if (isWritten) this.#counts.hotSaves++;
    });
  }

  /** As Store.settled(). */
  settled(): Promise<boolean> {
    return this.#queue.settled();
  }

  get counts(): DiskCounts {
    return this.#counts;
  }

  async close(): Promise<void> {
    await this.#queue.close();
    this.reading.isBroken = true;
    this.reading.readers.close();
    await this.#file.close();
  }

  #damaged(stored: StoredResponse): void {
    const ref = this.reading.bodies.refOf(stored);
    if (ref !== undefined) this.reading.lost(stored.key, recordKey(stored.key, stored.selection), ref.id);
  }

  #unwritten(item: PutItem, reason: 'failed' | 'full' | 'bodiless' | 'outdated'): void {
    this.#counts.skip(reason);
    if (reason === 'outdated') this.onOutdated(item.stored ?? this.reading.told(item));
    const { stored } = item;
    // Of what only its words tell of, whoever counts on its body being there is told otherwise, and comes again with it.
    if (stored === undefined || !hasRecordChunks(stored)) return;
    this.reading.bodies.forget(stored);
    if (reason === 'bodiless' && !item.isAgain && !item.isVoid) this.#again(item, stored);
  }

  /** Its body was evicted meanwhile, and is written anew. */
  #again(item: PutItem, stored: StoredResponse): void {
    const bodyBytes = recordBodyBytes(stored);
    this.#queue.put({ stored, place: item.place, bodyBytes, mayStay: false, isAgain: true, isWithBody: true });
  }
}

/** One answer of the origin, whose body no 304 has changed; what differs by less is one instant on two scales. */
function isSameFetch(one: StoredResponse, other: StoredResponse): boolean {
  if (one.key !== other.key || other.partial !== undefined) return false;
  return Math.abs(one.fetchedAt - other.fetchedAt) < SAME_INSTANT_MS && recordBodyBytes(one) === recordBodyBytes(other);
}
