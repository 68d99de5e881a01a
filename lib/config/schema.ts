/**
 * The option table: every option of the conf file with its type, default, bounds and one paragraph. The types of
 * the settings, their validation, --help and the README's reference are all made from it. An option that is not
 * here does not exist; an option that is here acts.
 */

import { MAX_NETWORKS, MAX_RULES } from '../base/config-limits.js';
import { MAX_DISK_BYTES } from '../base/disk-limits.js';
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
import { REFRESH_CONCURRENCY, REFRESH_RATE } from '../base/refresh-limits.js';
import { formatDuration, formatSize, HOUR_MS, SECOND_MS } from '../base/units.js';
import { MAX_WORKERS } from '../base/worker-limits.js';
import { ADDRESS_FORM, readAddress } from './address.js';
import { percentage } from './durations.js';
import { list, optional, type Settings, section } from './kinds.js';
import { networks } from './operator-values.js';
import { redis } from './redis-options.js';
import { defaults, rule } from './rule-options.js';
import { choice, count, duration, flag, size, text } from './scalars.js';
import {
  ADMIN_ADDRESS_FORM,
  readAdminAddress,
  readDirectoryPath,
  readFieldName,
  readFilePath,
  readHostOverride,
  readInstanceName,
  readOriginUrl,
  readSecret,
  readWorkers,
} from './values.js';
import { warm } from './warm-options.js';

const DAY_MS = 24 * HOUR_MS;
const KILOBYTE = 1024;

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

const refresh = section(
  {
    rate: count({
      default: String(REFRESH_RATE),
      min: 1,
      max: 1_000_000,
      doc: 'Requests a second.',
    }),
    concurrency: count({
      default: String(REFRESH_CONCURRENCY),
      min: 1,
      max: 65_536,
      doc: 'Requests at once. One of `connections` is always left to clients, unless there is only one.',
    }),
  },
  {
    doc: 'What the origin may be asked while no client waits: refreshes of what was served stale, retries of what failed, warming up, and `refresh_ahead`, in this order. What goes beyond waits, and the last of these gives way first where the origin is slow or fails. A request that a client waits for never does.',
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
    refresh,
    tls,
  },
  { doc: 'Where answers come from.', shorthand: 'url' },
);

const disk = section(
  {
    path: optional(
      text('path', 'the path of a directory', readDirectoryPath, {
        doc: 'Directory of the disk tier, for it alone; it is made where it is missing. What is stored survives a restart, and what memory evicts stays there. Relative to the conf file. Without it there is no disk tier. Takes effect at the next start.',
      }),
    ),
    size: size({
      default: '4GB',
      min: 16 * KILOBYTE * KILOBYTE,
      max: MAX_DISK_BYTES,
      doc: 'Bytes that the disk tier may use. Beyond nine tenths of it, what was used longest ago goes. One body may take half of it, and 4 GB at most. Takes effect at the next start.',
    }),
  },
  { doc: 'Stored responses on disk, under memory. `disk: PATH` says the path in one line.', shorthand: 'path' },
);

const cache = section(
  {
    memory: size({
      default: '256MB',
      min: KILOBYTE * KILOBYTE,
      doc: 'Bytes for stored responses, in memory: keys, headers, bodies and fills in flight are counted, and 512 bytes beside for each response. The process needs more: about 100 MB for itself, and, while responses come and go without end, garbage that is collected late. Expect at most 1.1 times this and 220 MB: floods of distinct URLs took 250 to 275 MB for 64 MB, 365 to 450 MB for 256 MB and 1.0 to 1.16 GB for 1 GB. With a disk tier up to 64 MB more wait to be written, and what is being read from it takes up to a quarter of this beside (256 MB at most). What clients are still taking of responses that have gone from memory meanwhile is counted too, until the last of them has it or is cut off (`limits.reply_idle`); where that leaves no room for a response, it streams through unstored, and each client of such a one takes up to 3 MB on top: 40 clients that had stopped reading, of 16 MB each, took 200 MB for 64 MB. A response of more than half of it streams through unstored, unless there is a disk tier.',
    }),
    disk,
    redis,
  },
  { doc: 'Where stored responses are kept.' },
);

const log = section(
  {
    access: choice(['auto', 'pretty', 'json', 'off'], {
      default: 'auto',
      doc: 'One line on stdout for each request: for people (`pretty`), for machines (`json`), or none. `auto` is `pretty` on a terminal and `json` elsewhere; with the demo origin it is `pretty`.',
    }),
    sample: percentage(
      'Share of the answers that have a line, taken evenly: with `10%` every tenth. Errors (5xx, or made here), and answers that did not arrive whole, always have theirs.',
      '100%',
    ),
    level: choice(['trace', 'info', 'warn', 'error'], {
      default: 'info',
      doc: 'The least level of the notices in the log: what an operator should read beside the requests. `trace` explains every answer.',
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
    listen: text('HOST:PORT | PORT | off', ADMIN_ADDRESS_FORM, readAdminAddress, {
      default: '127.0.0.1:8081',
      doc: "The operator's listener: /healthz, /readyz, /metrics and /v1. Not for the world. A port alone means loopback; port 0 takes a free one. `admin: HOST:PORT` and `admin: off` say the same in one line.",
    }),
    token_file: optional(
      text('path', 'the path of a file', readFilePath, {
        doc: 'File that holds the token which operators must show (`Authorization: Bearer TOKEN`) for whatever changes state, and elsewhere than on loopback to see what is stored and configured. Of 16 characters at least; for the eyes of this user alone (mode 0600). Relative to the conf file, and read again at each reload. The environment variable PATINA_ADMIN_TOKEN stands in where there is none. Without any token nothing can be changed.',
      }),
    ),
  },
  { doc: "The operator's door.", shorthand: 'listen' },
);

const explain = section(
  {
    header: optional(
      text('field name', 'the name of a header field', readFieldName, {
        doc: 'Name of a request header: where it carries the secret, the answer has the field X-Patina-Explanation, which says which rule matched, the key, what is stored, its phases, and what the request gets and why. The header goes no further.',
      }),
    ),
    secret: optional(
      text('text', 'at least 16 characters without spaces', readSecret, {
        doc: 'What the header must carry. `secret_file` keeps it out of this file.',
      }),
    ),
    secret_file: optional(
      text('path', 'the path of a file', readFilePath, {
        doc: 'A file whose first line is the secret. Relative to the conf file.',
      }),
    ),
  },
  { doc: 'Explanations on answers, for whoever knows the secret.' },
);

const purgeMethods = section(
  {
    from: networks(
      'Addresses and networks whose clients may send PURGE and REFRESH to the main listener: `[127.0.0.1, 10.0.0.0/8]`. They need the token of the operators as well. The address is that of the connection; X-Forwarded-For is not believed. Where the list is empty, PURGE is a method like any other and goes to the origin, and REFRESH is not known. REFRESH needs `fast_lane`.',
      MAX_NETWORKS,
    ),
  },
  { doc: 'PURGE and REFRESH on the main listener, as Varnish users know them.' },
);

/** All of the conf file. */
export const OPTIONS = section(
  {
    listen: text('HOST:PORT | PORT', ADDRESS_FORM, readAddress, {
      default: '127.0.0.1:8080',
      doc: 'Where clients connect. A port alone means loopback; port 0 takes a free one.',
    }),
    admin,
    purge_methods: purgeMethods,
    origin,
    name: optional(
      text('word', 'a name of letters, digits, dots, dashes and underscores', readInstanceName, {
        doc: 'The name of this instance in Via, by which it knows a request that has come round to it again (508). Instances in one chain need different names. Without it each start makes its own.',
      }),
    ),
    workers: text('number | auto', `a number from 1 to ${MAX_WORKERS}, or auto`, readWorkers, {
      default: '1',
      doc: 'Processes that serve clients behind the one port. Each has its share of `cache.memory`, `limits.connections` and `origin.connections`; what one of them has fetched the others take from it. `auto`: one for each core that the process may use, by its quota of processor time too (`--cpus` of a container). With 1 there is no further process. Takes effect at the next start.',
    }),
    cache,
    defaults,
    rules: list(rule, { doc: 'Settings by path. The first rule that matches a request counts.', maxCount: MAX_RULES }),
    debug_header: optional(
      text('field name', 'the name of a header field', readFieldName, {
        doc: 'Name of a response header that says in one word what happened: HIT, STALE, UPDATING, REVALIDATED, MISS, EXPIRED, BYPASS or ERROR.',
      }),
    ),
    fast_lane: choice(['on', 'off'], {
      default: 'on',
      doc: "Whether plain GET and HEAD requests are read without Node's HTTP server, which answers about twice as many of them. What clients get is the same. A reload changes it for connections that come after it.",
    }),
    log,
    explain,
    warm,
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

/** The settings, in front of this origin. */
export function withOrigin(settings: ConfigSettings, url: URL): Config {
  return { ...settings, origin: { ...settings.origin, url } };
}

/** Whether an origin is configured. */
export function hasOrigin(settings: ConfigSettings): settings is Config {
  return settings.origin.url !== undefined;
}
