/**
 * What the primary process and its workers say to each other: one union each way, and the door that lets in nothing else.
 * Both ends are of one version; the door is there so that damage ends where it arises.
 */
import type { Counts, PushCounts, RefreshEnd, Refused, Target } from '../engine/operations.js';
import type { FamilyReading } from '../observe/families.js';
import type { Notice } from '../observe/states.js';

/** A configuration as it was written, and what this start made of it. */
export interface WireSource {
  readonly written: unknown;
  readonly file: string | undefined;
  readonly originUrl: string;
  /** The form of the access log, as the primary process has found it: a worker has no terminal. */
  readonly access: 'auto' | 'pretty' | 'json' | 'off';
}

/** Where clients connect, as it turned out. */
export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

export interface Beginning {
  /** No other has or had this number. */
  readonly member: number;
  readonly source: WireSource;
  readonly address: BoundAddress;
  /** Whether this one does what is to be done once for all, such as warming. */
  readonly isFirst: boolean;
  /** How many workers there are to be. */
  readonly count: number;
  readonly pseudonym: string;
  readonly version: string;
  /** Where this worker gives others what it has. */
  readonly relayPath: string;
  /** Operations that are over before it begins. */
  readonly sequence: number;
  /** What the primary process has for now. */
  readonly now: number;
}

/** A pushed response, but for its body. */
export interface WireHead {
  readonly status: number;
  readonly reasonPhrase: string;
  readonly fields: readonly string[];
  readonly selecting: readonly string[];
  readonly bodyBytes: number | undefined;
}

/** A stored response, by where it is. */
export interface WirePlace {
  readonly key: string;
  readonly variant: Readonly<Record<string, string | null>>;
}

export interface WireReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly fields?: Readonly<Record<string, string>> | undefined;
}

/** `refused`: the configuration cannot be used, and why. */
export interface Preparedness {
  readonly problems: readonly string[];
}

/** Stored responses that one worker reached, by their digests, and how many more. */
export interface WireReached {
  readonly digests: Uint8Array;
  readonly further: number;
}

export interface RefreshBegun {
  readonly objects: number;
}

/** What one process wants of another, and what it gets. */
export interface Questions {
  begin: { readonly asked: Beginning; readonly answer: Preparedness };
  prepare: { readonly asked: { source: WireSource; address: BoundAddress }; readonly answer: Preparedness };
  commit: { readonly asked: Record<string, never>; readonly answer: null };
  abandon: { readonly asked: Record<string, never>; readonly answer: null };
  drain: { readonly asked: { readonly timeoutMs: number }; readonly answer: null };
  close: { readonly asked: Record<string, never>; readonly answer: null };
  operate: {
    /** `isQuiet`: another worker tells other machines of it. */
    readonly asked: { operation: 'purge' | 'expire'; target: Target; sequence: number; isQuiet: boolean };
    readonly answer: (WireReached & Omit<Counts, 'objects'>) | null;
  };
  /** `run`: under which its ends are told. `others`: what is asked about elsewhere. */
  refresh: {
    readonly asked: { target: Target; fill: boolean; run: number; others: Uint8Array };
    readonly answer: (RefreshBegun & WireReached) | 'busy' | null;
  };
  push: { readonly asked: { push: number; url: string; head: WireHead }; readonly answer: Refused | null };
  pushBytes: { readonly asked: { push: number; bytes: Uint8Array }; readonly answer: Refused | null };
  pushEnd: {
    readonly asked: { push: number; sequence: number; isQuiet: boolean };
    readonly answer: Refused | PushCounts;
  };
  /** Begins a round of warming. */
  warm: { readonly asked: Record<string, never>; readonly answer: null };
  objects: { readonly asked: { query: string }; readonly answer: WireReply };
  /** How often each was used; null: it is not stored there. */
  holds: { readonly asked: { places: readonly WirePlace[] }; readonly answer: readonly (number | null)[] };
  readings: { readonly asked: Record<string, never>; readonly answer: readonly FamilyReading[] };
  /** Of a worker: an operation on all. */
  operateAll: { readonly asked: { operation: 'purge' | 'expire'; target: Target }; readonly answer: Counts | null };
  refreshAll: { readonly asked: { target: Target }; readonly answer: RefreshBegun | 'busy' | null };
}

export type QuestionName = keyof Questions;
export type Asked<Q extends QuestionName> = Questions[Q]['asked'];
export type Answer<Q extends QuestionName> = Questions[Q]['answer'];

interface Question {
  readonly kind: 'question';
  readonly id: number;
  readonly name: string;
  readonly asked: object;
}

/** To a question of this number. */
type Reply =
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly problems: readonly string[] };

/** How a lease ended, as others are told. */
export type WireOutcome =
  /** `names`: under which others may ask for it. */
  | { readonly kind: 'stored'; readonly key: string; readonly names: readonly string[]; readonly askedAt: number }
  | {
      readonly kind: 'freshened';
      readonly key: string;
      readonly names: readonly string[];
      readonly askedAt: number;
      /** The header record. */
      readonly record: Uint8Array;
    }
  | { readonly kind: 'uncacheable'; readonly reason: string; readonly markerKey: string | undefined }
  | { readonly kind: 'failed'; readonly key: string; readonly failure: WireFailure }
  | { readonly kind: 'left' };

export type WireFailure =
  | {
      readonly failure: 'unreachable';
      readonly code: string;
      readonly message: string;
      readonly retryAfterMs: number | undefined;
    }
  | { readonly failure: 'error-status'; readonly status: number; readonly retryAfterMs: number | undefined };

/** What those who wait for a lease hear, once. */
export type WireNotice =
  | { readonly kind: 'look' }
  | { readonly kind: 'alone' }
  /** It is had, or begins to be had, there. */
  | { readonly kind: 'at'; readonly path: string }
  | { readonly kind: 'uncacheable'; readonly reason: string; readonly markerKey: string | undefined }
  | { readonly kind: 'failed'; readonly failure: WireFailure };

/** What a worker that died may have held among machines: to be given back in its place. */
export interface Orphan {
  readonly lease: number;
  /** Who died. */
  readonly member: number;
  readonly name: string;
  readonly keyLength: number;
}

/** An order for a lease. */
export interface Taking {
  readonly id: number;
  /** Key and variant (leaseName). */
  readonly name: string;
  /** How much of the name is the key. */
  readonly keyLength: number;
  /** When what the asker has was asked for; 0: it has nothing. */
  readonly askedAt: number;
  readonly isBlind: boolean;
  /** It was offered something that could not be had: it waits for the end. */
  readonly isPatient: boolean;
}

export type ToPrimary =
  | Question
  | Reply
  /** It listens to what it is told from now on. */
  | { readonly kind: 'hello' }
  | { readonly kind: 'beat'; readonly connections: number }
  /** A connection was taken over. */
  | { readonly kind: 'took'; readonly connection: number; readonly connections: number }
  | ({ readonly kind: 'take' } & Taking)
  | { readonly kind: 'opened'; readonly lease: number }
  /** `sequence`: operations that were over there by then. `isOwed`: that of the machines is still to be given back. */
  | {
      readonly kind: 'release';
      readonly lease: number;
      readonly outcome: WireOutcome;
      readonly sequence: number;
      readonly isOwed: boolean;
    }
  /** What was owed for these leases has been given back, or cannot be. */
  | { readonly kind: 'settled'; readonly leases: readonly number[] }
  /** The same of what was asked for without a lease. */
  | { readonly kind: 'announced'; readonly outcome: WireOutcome; readonly sequence: number }
  /** Waits no more. */
  | { readonly kind: 'quit'; readonly id: number }
  /** A request that changes what is stored for these keys went by, or they were purged by one that may. */
  | { readonly kind: 'invalidated'; readonly keys: readonly string[] }
  /** Something that all workers have is in another state for this one. */
  | ({ readonly kind: 'noticed' } & Notice)
  | {
      readonly kind: 'refreshed';
      readonly run: number;
      readonly ends: Readonly<Partial<Record<RefreshEnd, number>>>;
      readonly isOver: boolean;
    };

export type ToWorker =
  | Question
  | Reply
  /** Comes with a socket. `isMore`: others wait to be given, one of them most likely to the same worker. */
  | { readonly kind: 'connection'; readonly connection: number; readonly isMore: boolean }
  | { readonly kind: 'granted'; readonly id: number; readonly lease: number }
  | { readonly kind: 'waiting'; readonly id: number }
  | { readonly kind: 'told'; readonly id: number; readonly notice: WireNotice }
  /** Another worker stored or freshened something. Without `record` the body is another one, too. */
  | {
      readonly kind: 'renewed';
      /** Who has it, and writes it to disk. */
      readonly by: number;
      readonly key: string;
      readonly names: readonly string[];
      readonly askedAt: number;
      readonly record: Uint8Array | undefined;
      readonly sequence: number;
    }
  /** It counts as serving: what operators want is asked of it too from now on. */
  | { readonly kind: 'serve' }
  /** Another worker died. */
  | { readonly kind: 'departed'; readonly worker: number }
  | { readonly kind: 'orphaned'; readonly orphans: readonly Orphan[] }
  | { readonly kind: 'marked'; readonly markerKey: string }
  | { readonly kind: 'failing'; readonly key: string; readonly failure: WireFailure }
  | { readonly kind: 'invalidate'; readonly keys: readonly string[]; readonly sequence: number }
  | { readonly kind: 'pushFail'; readonly push: number };

type FieldKind = 'number' | 'text' | 'flag' | 'list' | 'map' | 'any';
type Shapes<M extends { readonly kind: string }> = Readonly<Record<M['kind'], Readonly<Record<string, FieldKind>>>>;

const COMMON = {
  question: { id: 'number', name: 'text', asked: 'map' },
  answer: { id: 'number', value: 'any' },
  failed: { id: 'number', problems: 'list' },
} as const;

const TO_PRIMARY: Shapes<ToPrimary> = {
  ...COMMON,
  hello: {},
  beat: { connections: 'number' },
  took: { connection: 'number', connections: 'number' },
  take: { id: 'number', name: 'text', keyLength: 'number', askedAt: 'number', isBlind: 'flag', isPatient: 'flag' },
  opened: { lease: 'number' },
  release: { lease: 'number', outcome: 'map', sequence: 'number', isOwed: 'flag' },
  settled: { leases: 'list' },
  announced: { outcome: 'map', sequence: 'number' },
  quit: { id: 'number' },
  invalidated: { keys: 'list' },
  noticed: { level: 'text', code: 'text', message: 'text', fields: 'map' },
  refreshed: { run: 'number', ends: 'map', isOver: 'flag' },
};

const TO_WORKER: Shapes<ToWorker> = {
  ...COMMON,
  connection: { connection: 'number', isMore: 'flag' },
  granted: { id: 'number', lease: 'number' },
  waiting: { id: 'number' },
  told: { id: 'number', notice: 'map' },
  renewed: { by: 'number', key: 'text', names: 'list', askedAt: 'number', record: 'any', sequence: 'number' },
  serve: {},
  departed: { worker: 'number' },
  orphaned: { orphans: 'list' },
  marked: { markerKey: 'text' },
  failing: { key: 'text', failure: 'map' },
  invalidate: { keys: 'list', sequence: 'number' },
  pushFail: { push: 'number' },
};

function isOf(kind: FieldKind, value: unknown): boolean {
  switch (kind) {
    case 'number':
      return typeof value === 'number' && !Number.isNaN(value);
    case 'text':
      return typeof value === 'string';
    case 'flag':
      return typeof value === 'boolean';
    case 'list':
      return Array.isArray(value);
    case 'map':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'any':
      return true;
  }
}

function fits(shapes: Readonly<Record<string, Readonly<Record<string, FieldKind>>>>, value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('kind' in value) || typeof value.kind !== 'string') return false;
  const shape = Object.hasOwn(shapes, value.kind) ? shapes[value.kind] : undefined;
  const fields = value as Readonly<Record<string, unknown>>;
  return shape !== undefined && Object.entries(shape).every(([name, kind]) => isOf(kind, fields[name]));
}

/** What came from a worker; undefined where it is no message. */
export function readToPrimary(value: unknown): ToPrimary | undefined {
  return fits(TO_PRIMARY, value) ? (value as ToPrimary) : undefined;
}

/** What came from the primary process; undefined where it is no message. */
export function readToWorker(value: unknown): ToWorker | undefined {
  return fits(TO_WORKER, value) ? (value as ToWorker) : undefined;
}
