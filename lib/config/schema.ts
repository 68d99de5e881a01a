/**
 * The option table: every option of the conf file with its type, default, bounds and one paragraph. The types of
 * the settings, their validation, --help and the README's reference are all made from it. An option that is not
 * here does not exist; an option that is here acts.
 */
import {
  BODY_IDLE_TIMEOUT_MS,
  DRAIN_TIMEOUT_MS,
  KEEP_ALIVE_TIMEOUT_MS,
  MAX_CONNECTIONS,
  MAX_REQUEST_FIELD_COUNT,
  MAX_REQUEST_FIELDS_BYTES,
  MAX_TARGET_BYTES,
  MAX_WAIT_MS,
  MAX_WAITERS_PER_FILL,
  REPLY_IDLE_TIMEOUT_MS,
  REQUEST_HEAD_TIMEOUT_MS,
} from '../base/limits.js';
import { formatDuration, formatSize, HOUR_MS, SECOND_MS } from '../base/units.js';
import { ADDRESS_FORM, readAddress } from './address.js';
import { choice, count, duration, flag, list, optional, preset, type Settings, section, size, text } from './kinds.js';
import {
  durationSetting,
  readAdminAddress,
  readFieldName,
  readFilePath,
  readGlob,
  readHostOverride,
  readInstanceName,
  readOriginUrl,
  readRuleName,
  staleDespite,
  targetedFields,
} from './values.js';

const DAY_MS = 24 * HOUR_MS;
const KILOBYTE = 1024;
const MAX_RULES = 1000;

const timeouts = section(
  {
    connect: duration({
      default: '2s',
      min: 1,
      max: HOUR_MS,
      doc: 'Time to open a connection to the origin, TLS included.',
    }),
    headers: duration({
      default: '15s',
      min: 1,
      max: DAY_MS,
      doc: 'Time from the request until the head of the answer is complete.',
    }),
    idle: duration({ default: '30s', min: 1, max: DAY_MS, doc: 'Time without a byte in the middle of an answer.' }),
  },
  {
    doc: 'How long to wait for the origin. Past these the origin counts as failing: what is stored is served where that is allowed, else 504.',
  },
);

const tls = section(
  {
    ca_file: optional(
      text('path', 'the path of a PEM file', readFilePath, {
        doc: 'PEM file of the certificate authorities to trust instead of the ones that Node.js brings. Relative to the conf file.',
      }),
    ),
    verify: flag({
      default: 'true',
      doc: 'Whether the certificate of the origin must be valid for its name. `false` accepts any: only for tests.',
    }),
  },
  { doc: 'For an `https` origin.' },
);

const origin = section(
  {
    url: optional(
      text('URL', 'a URL such as http://127.0.0.1:3000', readOriginUrl, {
        doc: 'Scheme, host and port of the one origin behind this proxy. `origin: URL` says the same in one line. Where there is none, `patina` starts a demo origin.',
      }),
    ),
    host: optional(
      text('host', 'a host, with a port or without', readHostOverride, {
        doc: "Sent to the origin as Host, in place of the client's. The key of a stored response is made with the client's Host all the same.",
      }),
    ),
    timeouts,
    connections: count({
      default: '64',
      min: 1,
      max: 65_536,
      doc: 'Connections to the origin at once. Further requests wait for one.',
    }),
    tls,
  },
  { doc: 'Where answers come from.', shorthand: 'url' },
);

const cache = section(
  {
    memory: size({
      default: '256MB',
      min: KILOBYTE * KILOBYTE,
      doc: 'Bytes for stored responses, in memory: keys, headers, bodies and fills in flight are counted. The process needs some 80 MB beside it; while many small responses come and go, which are collected late, it was seen at 730 MB with the default. A response of more than half of it streams through unstored.',
    }),
  },
  { doc: 'Where stored responses are kept.' },
);

/** The settings that `defaults` has and that each rule may have for itself. */
const lifetimes = {
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

const defaults = section(
  {
    ttl: preset(lifetimes.ttl, 'origin'),
    grace: preset(lifetimes.grace, 'origin'),
    keep: preset(lifetimes.keep, 'origin'),
    stale_if_error: preset(lifetimes.stale_if_error, 'origin'),
    set_cookie: preset(lifetimes.set_cookie, 'refuse'),
    cold: preset(lifetimes.cold, 'wait'),
    targeted_fields: preset(lifetimes.targeted_fields, ['cdn-cache-control']),
    stale_despite: preset(lifetimes.stale_despite, []),
  },
  {
    doc: 'The life of a stored response where no rule says otherwise. ttl, grace and keep follow one another; they are added, never overlaid.',
  },
);

const rule = section(
  {
    name: text('word', 'a short name of letters, digits, dots, dashes and underscores', readRuleName, {
      doc: 'The name of the rule in logs and metrics. No two rules share one.',
    }),
    match: section(
      {
        path: optional(
          text('glob', 'a path pattern that begins with /', readGlob, {
            doc: 'Pattern of the whole path, without the query. `*` is any run of characters but `/`, `?` is one of them, `**` is any run at all, `/**/` may also be a single slash, and `\\` takes the next character as it is. Without it the rule is for every request.',
          }),
        ),
      },
      { doc: 'Which requests the rule is for.' },
    ),
    ttl: optional(lifetimes.ttl),
    grace: optional(lifetimes.grace),
    keep: optional(lifetimes.keep),
    stale_if_error: optional(lifetimes.stale_if_error),
    set_cookie: optional(lifetimes.set_cookie),
    cold: optional(lifetimes.cold),
    targeted_fields: optional(lifetimes.targeted_fields),
    stale_despite: optional(lifetimes.stale_despite),
  },
  { doc: 'Each has any of the settings of `defaults`, and inherits the others from there.' },
);

const log = section(
  {
    access: choice(['auto', 'pretty', 'json', 'off'], {
      default: 'auto',
      doc: 'One line on stdout for each request: for people (`pretty`), for machines (`json`), or none. `auto` is `pretty` on a terminal and `json` elsewhere; with the demo origin it is `pretty`.',
    }),
    level: choice(['info', 'warn', 'error'], {
      default: 'info',
      doc: 'The least level of the notices in the log: what an operator should read beside the requests.',
    }),
  },
  { doc: 'What is written, and how.' },
);

const limits = section(
  {
    url: size({
      default: formatSize(MAX_TARGET_BYTES),
      min: 256,
      max: 64 * KILOBYTE,
      doc: 'Longest target of a request line. Beyond: 414.',
    }),
    headers: size({
      default: formatSize(MAX_REQUEST_FIELDS_BYTES),
      min: KILOBYTE,
      max: 1024 * KILOBYTE,
      doc: 'Largest field section of a request. Beyond: 431.',
    }),
    header_count: count({
      default: String(MAX_REQUEST_FIELD_COUNT),
      min: 8,
      max: 2000,
      doc: 'Most field lines of a request. Beyond: 431.',
    }),
    head_timeout: duration({
      default: formatDuration(REQUEST_HEAD_TIMEOUT_MS),
      min: 10,
      max: HOUR_MS,
      doc: 'Time for a client to send its request head. Beyond: 408.',
    }),
    body_idle: duration({
      default: formatDuration(BODY_IDLE_TIMEOUT_MS),
      min: 10,
      max: HOUR_MS,
      doc: 'Time without a byte of a request body. Beyond: 408, or the end of the connection where an answer has begun.',
    }),
    reply_idle: duration({
      default: formatDuration(REPLY_IDLE_TIMEOUT_MS),
      min: 10,
      max: HOUR_MS,
      doc: 'Time that a client may take no byte of an answer. Beyond: the end of the connection.',
    }),
    keep_alive: duration({
      default: formatDuration(KEEP_ALIVE_TIMEOUT_MS),
      min: SECOND_MS,
      max: HOUR_MS,
      doc: 'Time that an idle client connection stays open.',
    }),
    connections: count({
      default: String(MAX_CONNECTIONS),
      min: 1,
      max: 1_000_000,
      doc: 'Client connections at once. Beyond: 503 and the end of the connection.',
    }),
    waiters: count({
      default: String(MAX_WAITERS_PER_FILL),
      min: 1,
      max: 1_000_000,
      doc: 'Requests that wait together for one answer of the origin. Beyond: 503.',
    }),
    wait: duration({
      default: formatDuration(MAX_WAIT_MS),
      min: 10,
      max: HOUR_MS,
      doc: 'Time that a request waits for an answer that another request asked for. Beyond: a stale response where that is allowed, else 504.',
    }),
    drain: duration({
      default: formatDuration(DRAIN_TIMEOUT_MS),
      max: HOUR_MS,
      doc: 'Time that running requests get to finish after SIGTERM.',
    }),
  },
  { doc: 'What one client, or all of them together, may take.' },
);

const admin = section(
  {
    listen: text('HOST:PORT | off', `${ADDRESS_FORM}, or off`, readAdminAddress, {
      default: '127.0.0.1:8081',
      doc: "The operator's listener: /healthz, /readyz and /metrics. Not for the world. `admin: HOST:PORT` and `admin: off` say the same in one line.",
    }),
  },
  { doc: "The operator's door.", shorthand: 'listen' },
);

/** All of the conf file. */
export const OPTIONS = section(
  {
    listen: text('HOST:PORT', ADDRESS_FORM, readAddress, {
      default: '127.0.0.1:8080',
      doc: 'Where clients connect. A port alone means loopback; port 0 takes a free one.',
    }),
    admin,
    origin,
    name: optional(
      text('word', 'a name of letters, digits, dots, dashes and underscores', readInstanceName, {
        doc: 'The name of this instance in Via, by which it knows a request that has come round to it again (508). Instances in one chain need different names. Without it each start makes its own.',
      }),
    ),
    cache,
    defaults,
    rules: list(rule, { doc: 'Settings by path. The first rule that matches a request counts.', maxCount: MAX_RULES }),
    debug_header: optional(
      text('field name', 'the name of a header field', readFieldName, {
        doc: 'Name of a response header that says in one word what happened: HIT, STALE, UPDATING, REVALIDATED, MISS, EXPIRED, BYPASS or ERROR.',
      }),
    ),
    log,
    limits,
  },
  { doc: 'All options.' },
);

/** What the conf file and the flags say, read and with defaults. */
export type ConfigSettings = Settings<typeof OPTIONS.shape>;

/** The settings of a proxy that can start: its origin is known. */
export interface Config extends ConfigSettings {
  readonly origin: ConfigSettings['origin'] & { readonly url: URL };
}

/** The settings of one entry of `rules`; what is undefined is inherited. */
export type RuleSettings = ConfigSettings['rules'][number];

/** The settings, in front of this origin. */
export function withOrigin(settings: ConfigSettings, url: URL): Config {
  return { ...settings, origin: { ...settings.origin, url } };
}

/** Whether an origin is configured. */
export function hasOrigin(settings: ConfigSettings): settings is Config {
  return settings.origin.url !== undefined;
}
