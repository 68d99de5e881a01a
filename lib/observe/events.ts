/**
 * What happens, told to whoever listens: metrics, the access log, the demo's line printer.
 * Events are method calls with plain arguments, so that an event nobody listens to costs one empty call.
 */

import type { WarmEvent } from './warm.js';

/** The outcome of one request in one word: also the value of the debug header. */
export type Outcome = 'HIT' | 'STALE' | 'UPDATING' | 'REVALIDATED' | 'MISS' | 'EXPIRED' | 'BYPASS' | 'ERROR';

export const OUTCOMES: readonly Outcome[] = [
  'HIT',
  'STALE',
  'UPDATING',
  'REVALIDATED',
  'MISS',
  'EXPIRED',
  'BYPASS',
  'ERROR',
];

/** What is told about an answered request, once its last byte was handed to the socket or its client left. */
export interface AnsweredEvent {
  readonly method: string;
  readonly host: string;
  readonly target: string;
  readonly remoteAddress: string;
  readonly httpVersion: string;
  readonly status: number;
  readonly outcome: Outcome;
  /** Reason code: the `detail` of Cache-Status. */
  readonly reason: string;
  /** Name of the rule that applied; empty where none was looked up. */
  readonly rule: string;
  /** Age of the served response in seconds; undefined where it came straight from the origin. */
  readonly ageSec: number | undefined;
  /** Body bytes handed to the socket. */
  readonly bodyBytes: number;
  readonly durationMs: number;
  /** Waited on an exchange with the origin that another request started. */
  readonly collapsed: boolean;
  /** `aborted`: the client left or had to be cut off before the end. */
  readonly ending: 'finished' | 'aborted';
  readonly userAgent: string | undefined;
  readonly referer: string | undefined;
  /** The wall clock at the start of the request, ms. */
  readonly startedWall: number;
}

/** Why the origin was asked. */
export type AskedFor = 'fill' | 'refresh' | 'validate' | 'uncacheable';
/** How that ended; `not-modified` is a 304 that was merged, `error` an answer of 500, 502, 503 or 504, `failed` no answer. */
export type AskedEnd = 'stored' | 'not-modified' | 'uncacheable' | 'error' | 'failed' | 'abandoned';

export interface AskedEvent {
  readonly askedFor: AskedFor;
  readonly end: AskedEnd;
  readonly status: number | undefined;
  /** Reason code: why not stored, how it failed. */
  readonly reason: string;
  readonly key: string;
  readonly durationMs: number;
  readonly bodyBytes: number;
  readonly background: boolean;
  /** Body bytes that a 304 saved from being sent again. */
  readonly savedBytes: number;
}

/** What a lease is taken for: something that a client waits for, or a refresh that nobody does. */
export type LeaseKind = 'fill' | 'refresh';
export const LEASE_KINDS: readonly LeaseKind[] = ['fill', 'refresh'];
export type LeaseAnswerKind = 'held' | 'elsewhere' | 'found' | 'unavailable';
export const LEASE_ANSWERS: readonly LeaseAnswerKind[] = ['held', 'elsewhere', 'found', 'unavailable'];

/**
 * Whose turn it is among what the origin is asked for while no client waits, the most urgent first: a stale response that
 * somebody was served, a key with nothing stored whose fetch failed, warming up, and what is popular, ahead of its expiry.
 */
export type RefreshPriority = 'stale' | 'cold' | 'warm' | 'ahead';
export const REFRESH_PRIORITIES: readonly RefreshPriority[] = ['stale', 'cold', 'warm', 'ahead'];
/**
 * What became of it: how the exchange ended (`elsewhere`: another cache has the answer; `retried`: it failed, and is tried
 * again), or why there was none: `needless`, `shed` for a slow or failing origin, no room (`full`), too old (`expired`),
 * `purged`, a client that waits took it over (`overtaken`), `withdrawn` by who wanted it.
 */
export const REFRESH_OUTCOMES = [
  'stored',
  'not-modified',
  'uncacheable',
  'error',
  'failed',
  'abandoned',
  'elsewhere',
  'retried',
  'needless',
  'shed',
  'full',
  'expired',
  'purged',
  'overtaken',
  'withdrawn',
] as const;
export type RefreshOutcome = (typeof REFRESH_OUTCOMES)[number];

/** What an operator can do to what is stored. */
export type Operation = 'purge' | 'expire' | 'refresh' | 'update' | 'warm' | 'reload' | 'drain';
/** `nothing`: there was nothing to do it to. `refused`: it was not allowed, or made no sense. */
export type OperationOutcome = 'done' | 'nothing' | 'refused';

export type NoticeLevel = 'trace' | 'info' | 'warn' | 'error';

export interface Events {
  answered(event: AnsweredEvent): void;
  asked(event: AskedEvent): void;
  /** Before the origin was asked, others were: `held` means that it was then asked here. */
  leased(kind: LeaseKind, answer: LeaseAnswerKind): void;
  /** Something in the refresh queue came to its end, or to a retry. */
  refreshed(priority: RefreshPriority, outcome: RefreshOutcome, waitedMs: number): void;
  /** A stored response left the store. */
  removed(reason: 'evicted' | 'expired' | 'replaced' | 'purged' | 'invalidated', bytes: number): void;
  /** The breaker changed its state; `error`: in the words of the system, where something failed. */
  breaker(state: 'closed' | 'open' | 'half-open', reason: string, error?: string): void;
  /** An operator did something, or tried to. */
  operated(operation: Operation, outcome: OperationOutcome): void;
  /** Warming went on. */
  warmed(event: WarmEvent): void;
  /** Something that an operator should read. `code` is stable; `fields` are its circumstances. */
  notice(level: NoticeLevel, code: string, message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Hears nothing. */
export const SILENT: Events = {
  answered() {},
  asked() {},
  leased() {},
  refreshed() {},
  removed() {},
  breaker() {},
  operated() {},
  warmed() {},
  notice() {},
};

/** One listener that passes every event on to each of `listeners`. */
export function fanOut(listeners: readonly Events[]): Events {
  const only = listeners[0];
  if (only !== undefined && listeners.length === 1) return only;
  return {
    answered: (event) => {
      for (const to of listeners) to.answered(event);
    },
    asked: (event) => {
      for (const to of listeners) to.asked(event);
    },
    leased: (kind, answer) => {
      for (const to of listeners) to.leased(kind, answer);
    },
    refreshed: (priority, outcome, waitedMs) => {
      for (const to of listeners) to.refreshed(priority, outcome, waitedMs);
    },
    removed: (reason, bytes) => {
      for (const to of listeners) to.removed(reason, bytes);
    },
    breaker: (state, reason, error) => {
      for (const to of listeners) to.breaker(state, reason, error);
    },
    operated: (operation, outcome) => {
      for (const to of listeners) to.operated(operation, outcome);
    },
    warmed: (event) => {
      for (const to of listeners) to.warmed(event);
    },
    notice: (level, code, message, fields) => {
      for (const to of listeners) to.notice(level, code, message, fields);
    },
  };
}
