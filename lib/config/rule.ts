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

export type SetCookiePolicy = 'refuse' | 'strip' | 'share';

/** What a request gets for which nothing is stored: it waits for the origin, or 202 at once while the origin works. */
export type ColdPolicy = 'wait' | 'accepted';

/** Response fields that speak to caches like this one alone, before Cache-Control (RFC 9213 §2). */
export const TARGETED_FIELDS = ['cdn-cache-control', 'surrogate-control'] as const;
export type TargetedField = (typeof TARGETED_FIELDS)[number];

export interface Rule {
  /** `defaults` where no rule of the file matched. */
  readonly name: string;
  readonly ttl: DurationSetting;
  readonly grace: DurationSetting;
  readonly keep: DurationSetting;
  readonly staleIfError: DurationSetting;
  readonly setCookie: SetCookiePolicy;
  readonly cold: ColdPolicy;
  /** The target list of RFC 9213 §2.2: the first of these that is there and valid governs alone. */
  readonly targetedFields: readonly TargetedField[];
  /** Directives of the origin that the user overrides, in so many words, to serve stale nevertheless. */
  readonly staleDespite: readonly StaleForbiddance[];
}

const ORIGIN: DurationSetting = { kind: 'origin' };

/** What holds with no config file: the origin's headers alone decide. */
export const ORIGIN_DECIDES: Rule = {
  name: 'defaults',
  ttl: ORIGIN,
  grace: ORIGIN,
  keep: ORIGIN,
  staleIfError: ORIGIN,
  setCookie: 'refuse',
  cold: 'wait',
  targetedFields: ['cdn-cache-control'],
  staleDespite: [],
};
