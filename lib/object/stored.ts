/**
 * The stored response: a small immutable header record around a body that is shared by reference.
 * Freshening makes a new record with the same body (RFC 9111 §4.3.4); nothing is ever changed in place,
 * so an identity check tells whether a late answer still concerns what is stored now.
 */
import { isSameList } from '../base/lists.js';
import { MAX_IN_SLAB_BYTES } from '../base/slab.js';
import type { Fields } from '../http/fields.js';
import type { Body } from './body.js';
import { instantsOf } from './life.js';
import type { Segments } from './segments.js';
import type { Taken } from './taken.js';

/** Where the ttl of a stored response came from, in the order of precedence of the design, section 1. */
export type TtlSource =
  | 'rule'
  | 'cdn-cache-control'
  | 'surrogate-control'
  | 's-maxage'
  | 'max-age'
  | 'expires'
  | 'heuristic'
  | 'default'
  | 'none';

/** What forbids the use of a stale response (RFC 9111 §4.2.4). */
export type StaleForbiddance = 'must-revalidate' | 'proxy-revalidate' | 'no-cache' | 's-maxage';

/**
 * The instants that bound the phases, in milliseconds on Clock.now's scale:
 * fresh until staleAt, grace until graceUntil, keep until keepUntil, gone after that.
 * bornAt <= staleAt <= graceUntil <= keepUntil always holds (staleAt may equal bornAt).
 */
export interface Life {
  /** Received or last freshened, less the corrected initial age (RFC 9111 §4.2.3). */
  readonly bornAt: number;
  readonly staleAt: number;
  readonly graceUntil: number;
  /** The end of grace while the origin cannot be reached. */
  readonly offlineGraceUntil: number;
  readonly keepUntil: number;
  /** Until when it may be served stale after an error answer of the origin (stale-if-error, RFC 5861 §4). */
  readonly errorUntil: number;
  /** Until when it may be served stale while the origin cannot be reached at all (RFC 9111 §4.2.4). */
  readonly unreachableUntil: number;
  /** Past this no answer is made of it, whoever would allow it: max_staleness. Infinity where there is no such ceiling. */
  readonly ceilingAt: number;
  /** Never used without validation, however fresh (unqualified no-cache, RFC 9111 §5.2.2.4). */
  readonly alwaysValidate: boolean;
  /** The same by the word of a rule: an origin that fails does not keep it from being used. */
  readonly validateByRule: boolean;
  /** Set where stale use is forbidden; a client's max-stale does not lift it. */
  readonly staleForbiddenBy: StaleForbiddance | undefined;
  readonly ttlSource: TtlSource;
}

/** Settings of a rule that share what is not shared by default. */
export const SAFETY_OVERRIDES = ['sharePrivate', 'shareAuthorized', 'shareWithCookie'] as const;
export type SafetyOverride = (typeof SAFETY_OVERRIDES)[number];

/** The request fields that Vary named, and what the request for this response had in them (normalised; undefined = absent). */
export interface Selection {
  /** Lower case, sorted, no duplicates. */
  readonly names: readonly string[];
  readonly values: readonly (string | undefined)[];
}

export interface StoredResponse {
  readonly key: string;
  readonly selection: Selection;
  readonly status: number;
  readonly reasonPhrase: string;
  /** End-to-end fields as the origin sent them, Date supplied where absent. Without Age, hop-by-hop fields and what must not be stored (RFC 9111 §3.1). */
  readonly fields: Fields;
  readonly body: Body;
  /** Where only parts of the body are at hand (RFC 9111 §3.3): these, and `body` is empty. Status and fields are those of the whole. */
  readonly partial?: Segments | undefined;
  readonly life: Life;
  /** Surrogate keys by which it can be found, each once; absent where its rule reads none. */
  readonly tags?: readonly string[] | undefined;
  /** It was not fetched: an operator pushed it. A 304 that freshens it does not change that. */
  readonly pushed?: boolean;
  /** The version of the message that brought it, or freshened it last, where that is older than 1.1: Via says it (RFC 9110 §7.6.3). */
  readonly receivedVersion?: '1.0';
  /** An entity-tag made from the body, for clients: the origin does not know it. */
  readonly madeTag?: string | undefined;
  /** When an operator made it stale, on Clock.now's scale: what was asked for before that is never fresh again. */
  readonly expiredAt?: number | undefined;
  /** The name of the rule that gave the lifetimes. */
  readonly rule: string;
  /** That rule itself, as an identity: where another holds by now, the life is made anew from the origin's fields. */
  readonly madeBy?: object | undefined;
  /** Clock.now at receipt of the response, or of the 304 that freshened it. Absent: fetchedAt. */
  readonly receivedAt?: number;
  /** Which part of a rule's jitter was taken. */
  readonly chance?: number;
  /** The overrides of its rule without which it would not be shared. */
  readonly despite?: readonly SafetyOverride[] | undefined;
  /**
   * When the request that it answers, or last freshened it, was sent, on Clock.now's scale: of two answers the one that
   * was asked for later is the newer truth. Absent: as old as fetchedAt.
   */
  readonly requestedAt?: number;
  /** When the body was received, on Clock.now's scale. A 304 does not move it. */
  readonly fetchedAt: number;
  /** The wall clock when the fields were received or last freshened: the Date to compare by, where the origin sent none. */
  readonly receivedWall: number;
}

/**
 * Whether both are one record: the same object, or another one with the same content, which the store makes where it had
 * kept the record as bytes. No two records of a key have been received, asked for and made stale at the same instants.
 */
export function isSameRecord(one: StoredResponse, other: StoredResponse): boolean {
  if (one === other) return true;
  return (
    one.fetchedAt === other.fetchedAt &&
    one.requestedAt === other.requestedAt &&
    one.receivedAt === other.receivedAt &&
    one.expiredAt === other.expiredAt &&
    one.receivedWall === other.receivedWall &&
    one.key === other.key &&
    one.status === other.status &&
    one.madeBy === other.madeBy &&
    one.body.receivedBytes === other.body.receivedBytes &&
    isSameList(instantsOf(one.life), instantsOf(other.life)) &&
    isSameList(one.selection.names, other.selection.names) &&
    isSameList(one.selection.values, other.selection.values) &&
    isSameList(one.fields.raw, other.fields.raw)
  );
}

/**
 * Whether both are records of one answer, whatever rules and operators made of its life: of one key, and received at the same
 * instant, with the same fields and body. Objects tell it no more: the store makes others where it had kept bytes.
 */
export function isSameAnswer(one: StoredResponse, other: StoredResponse): boolean {
  return (
    one.fetchedAt === other.fetchedAt &&
    one.key === other.key &&
    one.partial === other.partial &&
    one.body.receivedBytes === other.body.receivedBytes &&
    isSameList(one.selection.names, other.selection.names) &&
    isSameList(one.selection.values, other.selection.values) &&
    isSameList(one.fields.raw, other.fields.raw)
  );
}

/** Fixed cost of one stored response beside its strings and bytes, as measured on Node 20: its place in the store, what is written down of it, waste in slabs, and garbage that is collected late while responses come and go. */
const RECORD_OVERHEAD_BYTES = 512;
/** What one costs beside that whose objects stay for as long as it is stored. */
const OBJECTS_OVERHEAD_BYTES = 900;
/** What a chunk of a body, or a field section, that is too large for a slab costs beside its bytes. */
const CHUNK_OVERHEAD_BYTES = 300;

/** What a tag costs beside its text, in the record and in the index, as measured where no two responses share one. */
const TAG_OVERHEAD_BYTES = 180;

/** Bytes that a stored response is charged for: key, header record and body. */
export function storedBytes(stored: StoredResponse): number {
  let selection = 0;
  for (const value of stored.selection.values) selection += value?.length ?? 0;
  let tags = 0;
  for (const tag of stored.tags ?? []) tags += tag.length + TAG_OVERHEAD_BYTES;
  const { fields, body } = stored;
  const ownChunks = body.isHeldWhole && body.packableBytes === 0 ? body.chunkCount : 0;
  const chunks = ownChunks + (stored.partial?.chunkCount ?? 0);
  const staysAwake = stored.tags !== undefined || stored.partial !== undefined;
  return (
    RECORD_OVERHEAD_BYTES +
    (staysAwake ? OBJECTS_OVERHEAD_BYTES : 0) +
    stored.key.length +
    selection +
    tags +
    fields.bytes +
    (fields.packableBytes > MAX_IN_SLAB_BYTES ? OBJECTS_OVERHEAD_BYTES + CHUNK_OVERHEAD_BYTES : 0) +
    chunks * CHUNK_OVERHEAD_BYTES +
    // What of it still waits to be written below is not charged: it is bounded there.
    (body.below === undefined ? body.heldBytes : 0) +
    (stored.partial?.heldBytes ?? 0)
  );
}

/** What clients take where it is answered from memory. */
export function takenOf({ body, partial }: StoredResponse): Taken {
  return partial ?? body;
}

/** The URL that a key begins with: headers, cookies and forwarding fields that are part of it stand behind a space. */
export function urlInKey(key: string): string {
  const end = key.indexOf(' ');
  return end < 0 ? key : key.slice(0, end);
}
