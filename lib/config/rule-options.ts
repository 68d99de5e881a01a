/**
 * The part of the option table that rules are written in: each setting once, for `defaults` with its default, for a rule
 * as something that may be left out.
 */
import { MAX_RULES } from '../base/config-limits.js';
import { clientSetting, responseEdits } from './client-options.js';
import { ceiling, healthSetting, percentage, statusSetting, ttlSetting } from './durations.js';
import { list, nameInCode, optionalEach, presetEach, type Settings, section } from './kinds.js';
import { MATCH } from './match-options.js';
import { readTagsField } from './operator-values.js';
import { refreshAheadSetting } from './refresh-options.js';
import { keySetting, normalizeSetting, querySetting, requestEdits } from './request-options.js';
import { choice, flag, text } from './scalars.js';
import { cachedMethods, readRuleName, staleDespite, targetedFields } from './values.js';

/** Every setting that `defaults` has and that each rule may have for itself. */
const SETTINGS = {
  ttl: ttlSetting(
    'How long a stored response is fresh: served with nothing sent to the origin. `origin`: as its headers say. A duration: this, whatever they say. A map: as they say, but no less than `min`, no more than `max`, and `default` where they say nothing. By status: `{200: 10s, 404: 1s, 3xx: 1m, other: origin}`; a status that is named may be stored by the rule alone.',
  ),
  grace: healthSetting(
    'How long after that it is served stale, at once, while one conditional request refreshes it in the background. `origin`: the stale-while-revalidate of the response. A duration: this where the response has none. By status as `ttl`. `{healthy: 10s, unhealthy: 1d}`: the second while the origin cannot be reached.',
  ),
  keep: statusSetting(
    'How long after that it is kept as something to validate: a request then waits for one conditional request, and mostly for a short 304. `origin`: 1 hour where the response can be of any later use.',
  ),
  stale_if_error: healthSetting(
    'How long after its ttl it is served stale when the origin fails: answers 500, 502, 503 or 504, or nothing at all. `origin`: the stale-if-error of the response; where it has none, through keep when the origin cannot be reached, and not for an error that it answers. `{healthy: 1m, unhealthy: 1d}`: the first for an error of an origin that is otherwise up, the second while it cannot be reached.',
  ),
  jitter: percentage(
    'Every ttl is shortened by a random part of up to this much of it, so that what was stored together is not refreshed together. It is never lengthened.',
  ),
  max_staleness: ceiling(
    'No answer from the store is ever older than this, whatever ttl, grace, stale_if_error, a client or a failing origin would allow: its Age is the measure. What is older is kept to be validated all the same.',
  ),
  set_cookie: choice(['refuse', 'strip', 'share'], {
    doc: 'What to do with a response that has Set-Cookie: `refuse` does not store it, `strip` stores it without that field, `share` stores it and gives the cookie to everybody (only where it is the same for all).',
  }),
  share_private: flag({
    doc: 'Stores responses that the origin marks `private`, and gives them to everybody. Only where the mark is wrong for all of them.',
  }),
  share_authorized: flag({
    doc: 'Stores responses to requests with Authorization although the origin does not allow it (`public`, `s-maxage`, `must-revalidate`; RFC 9111 §3.5), and gives them to everybody, without credentials too.',
  }),
  share_with_cookie: flag({
    doc: 'Stores responses to requests with Cookie although the origin did not say how long they are fresh, and gives them to everybody. Without it neither a heuristic nor a ttl of a rule is enough.',
  }),
  cold: choice(['wait', 'accepted'], {
    doc: 'What a GET gets for which nothing is stored: `wait` lets it wait for the origin; `accepted` answers 202 at once, with Retry-After and the Location of a status resource, while one request to the origin runs; the status resource redirects to the content once it is there. Asked of another worker or machine, or after a restart, it redirects at once, and the content is 202 again as long as it is not there. For work that takes the origin long.',
  }),
  methods: cachedMethods(
    'Which requests may be answered from the store, of `GET`, `HEAD` and `POST`; others go past the cache. A GET answers a HEAD too. With `POST` the content of the request, up to 64 KB, is part of the key: a form or JSON counts the same in whatever order its members are. Such a POST is taken for a question that changes nothing, which the origin may be asked again at any time; it is stored only where the origin or the rule says for how long, and never asked about by condition.',
  ),
  refresh_ahead: refreshAheadSetting(
    'Refreshes without a visitor. `{hits: 10, within: 10m}`: what was asked for that often in that time is asked about, by condition, shortly before its ttl ends, so that nobody meets it stale. What a POST asked for is left out. The hottest come first, all within `origin.refresh`; where the origin is slow or fails they are the first to be left out.',
  ),
  query: querySetting(
    'How the query goes into the key. `keep`: byte for byte. `sort`: sorted by name. `ignore`: not at all, one entry whatever the parameters. `{only: [q, page]}`: these alone, `{drop: [utm_*, fbclid]}`: all but these; both sorted. `exact`: this very request alone is cached, with the parameters that `match.query` names and no others, in any order; what has others goes past the cache. A parameter with a `;` in it is never left out: some origins read another one behind it. The origin is always sent the query as it came.',
  ),
  key: keySetting(
    'What else goes into the key: `{host: true, scheme: true, headers: [], cookies: []}`. Without the host or the scheme one entry is for all of them; each header or cookie that is named tells entries apart by its whole value.',
  ),
  normalize: normalizeSetting(
    'Values that are told apart, the best first, before Vary and the origin see the request: `{accept_encoding: [br, gzip], accept_language: [en, de]}`. Of each the best that the client accepts is left; where it accepts none, the field goes. Of one key 64 variants are stored at most, in each tier; beyond, the one that came first goes.',
  ),
  validate: choice(['origin', 'always'], {
    doc: '`always`: the origin is asked at every use, by condition and once for all who ask at the same time, and may answer 304: it keeps control, and moves no bodies. What is stored is used without it only where stale_if_error allows. `origin`: as the response says.',
  }),
  pass: flag({ doc: 'Past the cache: nothing is looked up or stored, whatever the response says.' }),
  push: choice(['off', 'not_found', 'origin'], {
    doc: 'Serve only what was pushed by the update operation of the admin listener. Where nothing was: 404 (`not_found`), or the answer of the origin, which is not stored (`origin`).',
  }),
  request: requestEdits(
    'Changes of the request fields before the origin and Vary see them: `{set: {Name: value}, append: {Name: value}, remove: [Name]}`.',
  ),
  client: clientSetting(
    'What clients are told, apart from what is stored: `{cache_control: TEXT}` in place of Cache-Control and Expires, or `{ttl: 30s, immutable: true}`: how long from now they may use it (the max-age is that and the Age, which stays true), and that it never changes while it is fresh. `set_cookie`, `etag`, `surrogate`: `remove` takes out Set-Cookie, ETag, or the fields that speak to caches like this one (Surrogate-Control, Surrogate-Key, CDN-Cache-Control). What may not be shared keeps the lifetime that the origin gave it.',
  ),
  etag: choice(['origin', 'make'], {
    doc: '`make`: where the origin sends no ETag, a strong one is made from the body, for clients alone: they get 304s, and a refetched body that is the same is recognised and not stored twice. The origin is never asked by it.',
  }),
  response: responseEdits(
    'Changes of the response fields on their way to the client: `{set: {Name: value}, append: {Name: value}, remove: [Name]}`. What is stored stays as it is.',
  ),
  tags_from: text('field name | none', 'the name of a header field, or none', readTagsField, {
    doc: 'The response field that carries surrogate keys, such as Surrogate-Key, Cache-Tag or xkey: words with spaces or commas between them. By these tags stored responses are found, purged, expired and refreshed; nothing else uses them. Clients see the field too, unless `client` removes it.',
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
  jitter: '0%',
  max_staleness: 'off',
  set_cookie: 'refuse',
  share_private: 'false',
  share_authorized: 'false',
  share_with_cookie: 'false',
  cold: 'wait',
  methods: ['GET', 'HEAD'],
  refresh_ahead: 'off',
  query: 'keep',
  key: {},
  normalize: {},
  validate: 'origin',
  pass: 'false',
  push: 'off',
  request: {},
  client: {},
  etag: 'origin',
  response: {},
  tags_from: 'none',
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
