/**
 * The part of the option table that rules are written in: each setting once, for `defaults` with its default, for a rule
 * as something that may be left out.
 */
import { MAX_RULES } from '../base/limits.js';
import { choice, list, nameInCode, optionalEach, presetEach, type Settings, section, text } from './kinds.js';
import { MATCH } from './match-options.js';
import { durationSetting, readRuleName, staleDespite, targetedFields } from './values.js';

/** Every setting that `defaults` has and that each rule may have for itself. */
const SETTINGS = {
  ttl: durationSetting(
    'How long a stored response is fresh: served with nothing sent to the origin. `origin`: as its headers say. A duration: this, whatever they say. A map: as they say, but no less than `min`, no more than `max`, and `default` where they say nothing.',
  ),
  grace: durationSetting(
    'How long after that it is served stale, at once, while one conditional request refreshes it in the background. `origin`: the stale-while-revalidate of the response. A duration: this where the response has none.',
  ),
  keep: durationSetting(
    'How long after that it is kept as something to validate: a request then waits for one conditional request, and mostly for a short 304. `origin`: 1 hour where the response can be of any later use.',
  ),
  stale_if_error: durationSetting(
    'How long after its ttl it is served stale when the origin fails: answers 500, 502, 503 or 504, or nothing at all. `origin`: the stale-if-error of the response; where it has none, through keep when the origin cannot be reached, and not for an error that it answers.',
  ),
  set_cookie: choice(['refuse', 'strip', 'share'], {
    doc: 'What to do with a response that has Set-Cookie: `refuse` does not store it, `strip` stores it without that field, `share` stores it and gives the cookie to everybody (only where it is the same for all).',
  }),
  cold: choice(['wait', 'accepted'], {
    doc: 'What a GET gets for which nothing is stored: `wait` lets it wait for the origin; `accepted` answers 202 at once, with Location and Retry-After, while one request to the origin runs, and the content once it is there. For work that takes the origin long.',
  }),
  targeted_fields: targetedFields(
    'Response fields that take the place of Cache-Control and Expires here where they are sent and valid, first come first (RFC 9213): any of `cdn-cache-control`, `surrogate-control`.',
  ),
  stale_despite: staleDespite(
    'Directives of the origin that forbid stale use and are overridden here nevertheless, in so many words: any of `must-revalidate`, `proxy-revalidate`, `no-cache`, `s-maxage`.',
  ),
};

/** What holds where neither a rule nor `defaults` says anything: the headers of the origin decide. */
const PRESETS = {
  ttl: 'origin',
  grace: 'origin',
  keep: 'origin',
  stale_if_error: 'origin',
  set_cookie: 'refuse',
  cold: 'wait',
  targeted_fields: ['cdn-cache-control'],
  stale_despite: [],
} as const;

export const defaults = section(presetEach(SETTINGS, PRESETS), {
  doc: 'The life of a stored response where no rule says otherwise. ttl, grace and keep follow one another; they are added, never overlaid.',
});

const BASE = {
  name: text('word', 'a short name of letters, digits, dots, dashes and underscores', readRuleName, {
    doc: 'The name of the rule in logs and metrics. No two rules share one.',
  }),
  match: section(MATCH, {
    doc: 'Which requests the rule is for: all that is said must hold, and of a list one member. Without a word here it is for every request.',
  }),
  ...optionalEach(SETTINGS),
};

const RULE_DOC = 'Each has any of the settings of `defaults`, and inherits the others from there.';
const GROUP_DOC =
  'Rules inside this one, which is then a group: they are for requests that its `match` takes as well, and inherit its settings. Where none of them matches, the group itself is the rule. Groups may stand in groups, three deep in all.';

/** Depth is bounded by writing it out: nobody reads a fourth level, and types stay plain. */
const innermost = section(BASE, { doc: RULE_DOC });
const inner = section(
  { ...BASE, rules: list(innermost, { doc: GROUP_DOC, sameAs: '`rules`', maxCount: MAX_RULES }) },
  { doc: RULE_DOC },
);

export const rule = section(
  { ...BASE, rules: list(inner, { doc: GROUP_DOC, sameAs: '`rules`', maxCount: MAX_RULES }) },
  { doc: RULE_DOC },
);

/** What a rule of any depth may say. */
export type RuleSettings = Settings<typeof BASE> & { readonly rules?: readonly RuleSettings[] };

/** The names in code of the settings: what a rule inherits where it is silent. */
export const SETTING_NAMES = Object.entries(SETTINGS).map(([key, entry]) => nameInCode(key, entry)) as readonly Exclude<
  keyof Settings<typeof defaults.shape>,
  symbol
>[];
