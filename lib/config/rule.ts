/** The settings that decide the life of a stored response, resolved from `defaults` and the matching rule. */
import type { StaleForbiddance } from '../object/stored.js';

/**
 * One duration setting of a rule.
 * - `origin`: what the origin sent decides alone.
 * - `fixed`: for `ttl`, this instead of what the origin sent; for `grace`, `keep` and `stale_if_error`, this where the origin sent nothing.
 * - `bounded`: what the origin sent, held between min and max; `defaultMs` where it sent nothing.
 */
export type DurationSetting =
  | { readonly kind: 'origin' }
  | { readonly kind: 'fixed'; readonly ms: number }
  | {
      readonly kind: 'bounded';
      readonly defaultMs: number | undefined;
      readonly minMs: number | undefined;
      readonly maxMs: number | undefined;
    };

/** The same for every status, or one for each: by `404`, by `4xx`, else `other`. */
export type StatusSetting =
  | DurationSetting
  | {
      readonly kind: 'by-status';
      readonly statuses: Readonly<Record<string, DurationSetting>>;
      readonly other: DurationSetting;
    };

/** The same always, or one while the origin can be reached and one while it cannot. */
export type HealthSetting =
  | StatusSetting
  | { readonly kind: 'by-health'; readonly healthy: StatusSetting; readonly unhealthy: StatusSetting };

export type SetCookiePolicy = 'refuse' | 'strip' | 'share';

/** What a request gets for which nothing is stored: it waits for the origin, or 202 at once while the origin works. */
export type ColdPolicy = 'wait' | 'accepted';

/** Response fields that speak to caches like this one alone, before Cache-Control (RFC 9213 §2). */
export const TARGETED_FIELDS = ['cdn-cache-control', 'surrogate-control'] as const;
export type TargetedField = (typeof TARGETED_FIELDS)[number];

/** How the query goes into the key. `exact`: only a request with no parameters but these is cached. */
export type QuerySetting =
  | { readonly kind: 'keep' | 'sort' | 'ignore' }
  | { readonly kind: 'only' | 'drop' | 'exact'; readonly names: readonly string[] };

/** What goes into the key beside the path. */
export interface KeySetting {
  readonly host: boolean;
  readonly scheme: boolean;
  /** In lower case, sorted. */
  readonly headers: readonly string[];
  readonly cookies: readonly string[];
}

/** What a rule makes its keys by. */
export interface Keying {
  readonly query: QuerySetting;
  readonly key: KeySetting;
}

/** The values that are told apart, the best first; empty: all that clients send. */
export interface NormalizeSetting {
  readonly acceptEncoding: readonly string[];
  readonly acceptLanguage: readonly string[];
}

/** Changes of a field section, in this order. Names as written. */
export interface FieldEdits {
  readonly remove: readonly string[];
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly append: readonly (readonly [name: string, value: string])[];
}

/** Methods whose answers can be stored here. */
export const CACHED_METHODS = ['GET', 'HEAD', 'POST'] as const;
export type CachedMethod = (typeof CACHED_METHODS)[number];

export type EtagPolicy = 'origin' | 'make';

/** What clients are told, apart from what is stored. */
export interface ClientSetting {
  /** In place of Cache-Control and Expires. */
  readonly cacheControl: string | undefined;
  /** For how long from now a client may use the response. */
  readonly ttlMs: number | undefined;
  /** RFC 8246. */
  readonly immutable: boolean;
  /** Fields that are taken out, in lower case. */
  readonly remove: readonly string[];
}

/** Whether the origin is asked at every use. */
export type ValidatePolicy = 'origin' | 'always';

/** Whether only what was pushed is served, and what a request gets where nothing was. */
export type PushPolicy = 'off' | 'not_found' | 'origin';

/** What is refreshed ahead of its expiry: what was asked for so often within that time. */
export type RefreshAheadSetting = 'off' | { readonly hits: number; readonly withinMs: number };

/** As a rule's `tagsFrom`: responses have no tags. */
export const NO_TAGS = 'none';

export interface Rule extends Keying {
  /** `defaults` where no rule of the file matched. */
  readonly name: string;
  readonly ttl: StatusSetting;
  readonly grace: HealthSetting;
  readonly keep: StatusSetting;
  readonly staleIfError: HealthSetting;
  /** By up to which part of it a ttl is shortened at random, from 0 to 1, so that what came together does not expire together. */
  readonly jitter: number;
  /** No answer from the store is ever older than this; infinity where there is no such ceiling. */
  readonly maxStalenessMs: number;
  readonly setCookie: SetCookiePolicy;
  /** Whether a response marked private is shared all the same. */
  readonly sharePrivate: boolean;
  /** Whether the response to a request with Authorization is shared without the origin's leave (RFC 9111 §3.5). */
  readonly shareAuthorized: boolean;
  /** Whether the response to a request with Cookie is shared where the origin did not declare how long it is fresh. */
  readonly shareWithCookie: boolean;
  readonly cold: ColdPolicy;
  /** What is answered from the store; HEAD goes with GET. */
  readonly methods: readonly CachedMethod[];
  readonly refreshAhead: RefreshAheadSetting;
  readonly normalize: NormalizeSetting;
  readonly validate: ValidatePolicy;
  /** Past the cache, whatever it is. */
  readonly pass: boolean;
  readonly push: PushPolicy;
  /** Of the request, before the origin and Vary see it. */
  readonly request: FieldEdits;
  readonly client: ClientSetting;
  /** Whether clients get an entity-tag made from the body where the origin sends none. */
  readonly etag: EtagPolicy;
  /** Of the response to the client. */
  readonly response: FieldEdits;
  /** The response field, in lower case, that carries surrogate keys; NO_TAGS where none does. */
  readonly tagsFrom: string;
  /** The target list of RFC 9213 §2.2: the first of these that is there and valid governs alone. */
  readonly targetedFields: readonly TargetedField[];
  /** Directives of the origin that the user overrides, in so many words, to serve stale nevertheless. */
  readonly staleDespite: readonly StaleForbiddance[];
}

const ORIGIN: DurationSetting = { kind: 'origin' };

export const NO_EDITS: FieldEdits = { remove: [], set: [], append: [] };

/** What holds with no config file: the origin's headers alone decide. */
export const ORIGIN_DECIDES: Rule = {
  name: 'defaults',
  ttl: ORIGIN,
  grace: ORIGIN,
  keep: ORIGIN,
  staleIfError: ORIGIN,
  jitter: 0,
  maxStalenessMs: Number.POSITIVE_INFINITY,
  setCookie: 'refuse',
  sharePrivate: false,
  shareAuthorized: false,
  shareWithCookie: false,
  cold: 'wait',
  methods: ['GET', 'HEAD'],
  refreshAhead: 'off',
  query: { kind: 'keep' },
  key: { host: true, scheme: true, headers: [], cookies: [] },
  normalize: { acceptEncoding: [], acceptLanguage: [] },
  validate: 'origin',
  pass: false,
  push: 'off',
  request: NO_EDITS,
  client: { cacheControl: undefined, ttlMs: undefined, immutable: false, remove: [] },
  etag: 'origin',
  response: NO_EDITS,
  tagsFrom: NO_TAGS,
  targetedFields: ['cdn-cache-control'],
  staleDespite: [],
};
