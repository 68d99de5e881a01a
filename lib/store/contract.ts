/** What the engine needs of the store. Memory answers at once, and so do the tiers of this machine below it. */

import type { Fields } from '../http/fields.js';
import type { Body, BodySink } from '../object/body.js';
import type { RecordSight } from '../object/record-sight.js';
import type { Life, StoredResponse } from '../object/stored.js';
import type { Taken } from '../object/taken.js';

/** Why a stored response leaves the store. */
export type RemovalReason = 'evicted' | 'expired' | 'replaced' | 'purged' | 'invalidated';

/** Who writes to the tiers below that several processes have in common: this one, or another that has the same response. */
export type Writer = 'here' | 'elsewhere';

/** Whoever scans is shown a stored response, and its place. */
export type ScanVisit = (stored: StoredResponse, place: number) => void;

export interface Store {
  /**
   * All stored responses of a primary key, newest first, or undefined. Marks nothing as used.
   * The array is the store's own: read it, keep no reference across an await.
   */
  peek(key: string): readonly StoredResponse[] | undefined;
  /**
   * Where what peek() gives is held in memory: to look there again is no lookup. `isForNow`: it is asked this once, and
   * the place is good until anything else is asked of the store.
   */
  place(key: string, isForNow?: boolean): Place | undefined;
  /**
   * What memory holds under the key that these two texts are together, where it is the only response there, whole and
   * selected by nothing; undefined where it takes more than a look. `hash`: of the key (lib/base/hash.ts).
   */
  sight(hash: number, origin: string, target: string): MemorySight | undefined;
  /** Whether memory holds nothing at all under the key that sight() was asked for last. */
  readonly sightedNothing: boolean;
  /** What sight() gave last has answered a request. */
  sighted(): void;
  /** Keys whose responses stay objects in memory, at most: to hold on to those of more has them made again and again. */
  readonly awakeCount: number;
  /**
   * Looks below memory for what it has not, or has an older form of; `choose` picks among that, newest first. What it
   * picks is in memory from now on where it is small enough. Undefined where there is nothing better than what peek() gives.
   * `adopt` says as what it is to be stored from now on; undefined: not at all, and it goes.
   */
  recall(
    key: string,
    choose: (found: readonly StoredResponse[]) => StoredResponse | undefined,
    adopt?: (found: StoredResponse) => StoredResponse | undefined,
  ): StoredResponse | undefined;
  /** Undefined where there is nothing below memory. */
  readonly below: Below | undefined;
  /**
   * All stored responses of a key in all tiers, newest first; nothing is promoted for it. `isJustSeen`: recall() was asked for it, and
   * what it has not found below need not be looked for again: only another process can have written it since.
   */
  known(key: string, isJustSeen?: boolean): readonly StoredResponse[];
  /** Notes a use for the eviction policy. `place`: where it is held, if that is known. */
  touch(stored: StoredResponse, place?: Place): void;
  /** Copies a small content to where it stays if it is put in, as the body of what is to be. It is as good where it is not. */
  lay(content: Buffer): Body;
  /**
   * Puts a response in. `replaces` is taken out in the same step where it is still there. A response with the same
   * selection as another of its key replaces that one as well. Returns false where it does not fit the budget, or
   * its body is not complete and held whole; nothing but what was evicted for it has changed then. What is written
   * `elsewhere` goes to memory alone.
   */
  put(stored: StoredResponse, replaces?: StoredResponse, writer?: Writer): boolean;
  /**
   * Puts `next` in the place of `current` (a freshened record around the same body), only where `current` is still
   * what is stored: a purge or an update that came between wins. Returns whether it did. Never fails for lack of room.
   * What is written `elsewhere` is swapped in memory alone.
   */
  swap(current: StoredResponse, next: StoredResponse, writer?: Writer): boolean;
  /** Whether exactly this record is what is stored now. */
  holds(stored: StoredResponse): boolean;
  remove(stored: StoredResponse, reason: RemovalReason): boolean;
  /** Takes out all responses of a key. Returns how many. */
  removeKey(key: string, reason: RemovalReason): number;
  /**
   * Shows the stored responses in `count` places from place `from` on to `visit`, which may take out what it is shown.
   * Returns the place to go on from, or undefined where that was the last. A response keeps its place for as long as it
   * is stored, through every refresh that a 304 ends: whoever scans from 0 to the end sees all that was there throughout.
   * `leastHits`: what was used less often is passed over, and no object is made of it.
   */
  scan(from: number, count: number, visit: ScanVisit, leastHits?: number): number | undefined;
  /** The stored responses in memory that carry a tag; a list of the caller's own. */
  tagged(tag: string): StoredResponse[];
  /**
   * Shows some of what is stored below memory, from behind `after` on, to `visit`, which may take out or replace what
   * it is shown. `alone`: what memory holds as well is left out; `all`: it is shown in the form that memory has.
   * Returns where to go on, or undefined where that was the last.
   */
  scanBelow(
    reach: BelowReach,
    after: string | undefined,
    count: number,
    visit: (stored: StoredResponse) => void,
    which?: 'alone' | 'all',
  ): string | undefined;
  /**
   * Does `change` to what lies within reach below memory and cannot be looked at now, once it can, as far as it was asked
   * for before now. What can be looked at is not its business.
   */
  changeUnseen(reach: UnseenReach, change: UnseenChange): void;
  /** Keys of what is stored below memory that begin so, from behind `after` on: those of `count` responses at most. */
  keysBelow(prefix: string, count: number, after?: string): KeysBelow;
  /** Where it is; undefined: it is not stored. */
  tierOf(stored: StoredResponse): Tier | undefined;
  /**
   * Resolves when all that was done before is as lasting as it gets. False where a tier below cannot be written, or not be
   * had, for now: there it is done once it can, and not at all if the process ends before.
   */
  settled(): Promise<boolean>;
  /** A place below memory for a body too large for it, to be stored while it arrives; undefined where there is none. */
  openSpill(): BodySink | undefined;
  /** A response with a body from there is not put in after all. Who reads it can read on for a while. */
  giveUp(stored: StoredResponse): void;
  /** How often it was used since it was first stored, and what it is charged for; undefined where it is not stored. */
  usage(stored: StoredResponse): Usage | undefined;
  /**
   * Charges `bytes` to the budget for a fill in flight, making room by eviction. Returns false, charging nothing,
   * where the budget cannot give that much; the fill then streams through unstored.
   */
  reserve(bytes: number): boolean;
  /** Gives back what reserve() charged. */
  release(bytes: number): void;
  /** A body that is complete, and is charged from now on for as long as clients take it. Nothing happens where memory has it. */
  leaveOut(body: Taken): void;
  /** Has `watch` told of what is asked for often, shortly before it expires. Undefined: of nothing any more. */
  watchDemand(watch: DemandWatch | undefined): void;
  /** What lies below and is known to be out of date is passed over by recall(): another process is about to replace it. */
  passOver(isOutdated: (below: Asked) => boolean): void;
  /** The largest response that is stored at all, in bytes. */
  readonly maxObjectBytes: number;
  /** The largest body of which a copy is kept that another process writes below. */
  readonly maxCopyBytes: number;
  /** Another budget from now on; what is too much for it goes in steps, the least useful first. */
  resize(budgetBytes: number): void;
  readonly stats: StoreStats;
  /** Resolves when what is to last has been written. */
  close(): Promise<void>;
}

/** The place of a key in memory. */
export interface Place {
  /**
   * What is stored there. It is never changed, only replaced by another list at every change, and by an empty one when the
   * key is given up, after which this place is never used again.
   */
  readonly list: readonly StoredResponse[];
}

/**
 * A stored response as far as a reply to a plain request needs it, read where it lies: no object is made of it. Good until
 * anything else is asked of the store.
 */
export interface MemorySight extends Pick<StoredResponse, 'status' | 'reasonPhrase' | 'rule' | 'madeBy' | 'life'> {
  /** Made at each call. */
  readonly fields: Fields;
  /** The same section, packed as Fields.pack() does. */
  readonly section: Buffer;
  readonly sectionFrom: number;
  readonly sectionUntil: number;
  /** Its body where that lies in one run of bytes that it shares with others; undefined: in chunks of its own. */
  readonly slab: Buffer | undefined;
  readonly bodyFrom: number;
  readonly bodyBytes: number;
  readonly chunks: readonly Buffer[];
  /** Whose they are, where there are such chunks. */
  readonly taken: Taken | undefined;
}

/** What is below memory, for one reply at a time. */
export interface Below {
  /**
   * What stands there under a key that memory does not have, where one look tells that it is the only one there and
   * small; undefined where it takes more. Nobody is to keep it: it is good until the next look. `rest`: the end of the
   * key, where that is apart.
   */
  glance(key: string, rest?: string): Glance | undefined;
  /** What glance() gave last has answered a request: it may be in memory from now on. */
  glanced(): void;
}

/** When a response was asked for, and what it is. */
export interface Asked extends Pick<StoredResponse, 'key' | 'selection' | 'fetchedAt'> {
  readonly requestedAt?: number | undefined;
}

/** A stored response as one look below memory gives it: read as far as somebody asks. */
export interface Glance extends Asked {
  /** As it may go out; undefined where it may not go out as it stands. */
  readonly plain: PlainSight | undefined;
  /** Undefined where it takes more than a look: it is not whole. */
  readonly stored: StoredResponse | undefined;
}

/** A whole response that nothing selects, as bytes that may go out as they stand. */
export interface PlainSight extends Life, Pick<RecordSight, 'status' | 'mark' | 'headFrom' | 'headUntil'> {
  readonly bytes: Buffer;
  readonly bodyFrom: number;
  readonly bodyBytes: number;
}

export type Tier = 'memory' | 'disk';

export interface KeysBelow {
  readonly keys: readonly string[];
  /** Where to go on, where there may be more. */
  readonly next: string | undefined;
}

/** What a scan below memory is about. */
export type BelowReach =
  | { readonly kind: 'prefix'; readonly prefix: string }
  | { readonly kind: 'tag'; readonly tag: string };

/** What a change is about; `key`: that key and all that begin with it and a space. */
export type UnseenReach = BelowReach | { readonly kind: 'key'; readonly key: string };

/** What a stored response becomes; undefined: it goes. */
export type UnseenChange = (stored: StoredResponse) => StoredResponse | undefined;

/** When a stored response is to be looked at, and over how long before that its uses count. */
export interface DemandPlan {
  readonly at: number;
  readonly withinMs: number;
}

/** Who wants to know how often stored responses are asked for. */
export interface DemandWatch {
  /** The same for the same record, whenever it is asked. Undefined: nobody wants to know of this one. */
  planFor(stored: StoredResponse): DemandPlan | undefined;
  /** The instant has come; `hits`: its uses within the time before. */
  due(stored: StoredResponse, hits: number): void;
}

export interface Usage {
  readonly hits: number;
  readonly bytes: number;
}

export interface StoreStats {
  readonly objects: number;
  /** Charged for stored responses. */
  readonly bytes: number;
  /** Charged for fills in flight. */
  readonly reservedBytes: number;
  /** Charged for what clients still take and is not stored any more. */
  readonly heldBytes: number;
  readonly budgetBytes: number;
}
