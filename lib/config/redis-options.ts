/** The options of the tier that machines share: where it is, who we are there, and what it may cost. */
import { SECOND_MS } from '../base/units.js';
import { type Address, readAddress } from './address.js';
import { custom, type Flaw, type Option, optional, type Reading, type Settings, section, wanted } from './kinds.js';
import { duration, flag, size, text } from './scalars.js';
import { readFilePath } from './values.js';

const KILOBYTE = 1024;
const MEGABYTE = KILOBYTE * KILOBYTE;
const REDIS_PORT = 6379;
const MAX_NODES = 32;
const MAX_PREFIX_LENGTH = 64;
const MAX_DATABASE = 1_000_000;

/** One server, as its URL has it. */
export interface RedisUrl {
  readonly address: Address;
  readonly isSecure: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number | undefined;
}

const URL_FORM = 'a URL such as redis://127.0.0.1:6379, rediss://user:password@cache.internal or redis://127.0.0.1/2';

export function readRedisUrl(written: string): Reading<RedisUrl> {
  const url = URL.canParse(written) ? new URL(written) : undefined;
  const isSecure = url?.protocol === 'rediss:';
  // What is wrong with it must not be shown: it may hold a password.
  const refused = { problem: `expected ${URL_FORM}` };
  if (url === undefined || url.hostname === '' || (url.protocol !== 'redis:' && !isSecure)) return refused;
  const database = /^\/?(\d{0,7})$/.exec(url.pathname)?.[1];
  if (database === undefined || Number(database) > MAX_DATABASE || url.search !== '' || url.hash !== '') return refused;
  try {
    return {
      value: {
        address: { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? REDIS_PORT : Number(url.port) },
        isSecure,
        username: url.username === '' ? undefined : decodeURIComponent(url.username),
        password: url.password === '' ? undefined : decodeURIComponent(url.password),
        database: database === '' ? undefined : Number(database),
      },
    };
  } catch {
    return refused;
  }
}

function nodes(doc: string): Option<readonly Address[], ''> {
  const item = { type: 'string', pattern: '^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+):\\d{1,5}$' };
  const schema = { type: 'array', items: item, maxItems: MAX_NODES };
  const read = custom<readonly Address[]>(
    { type: 'list of HOST:PORT', doc, schema, default: '[]' },
    (written, report) => {
      if (!Array.isArray(written)) {
        report(wanted('a list such as [cache-1:6379, cache-2:6379]', written));
        return undefined;
      }
      if (written.length > MAX_NODES) report(`more than ${MAX_NODES} entries`);
      return written.slice(0, MAX_NODES).flatMap((one, index): Address[] => {
        const reading = readAddress(String(one));
        const isWhole = String(one).includes(':');
        if ('value' in reading && isWhole) return [reading.value];
        report('value' in reading ? wanted('HOST:PORT such as cache-1:6379', one) : reading.problem, [index]);
        return [];
      });
    },
  );
  return { ...read, schema: read.schema.prefault([]) };
}

function readName(written: string): Reading<string> {
  return /^[\x21-\x7e]{1,64}$/.test(written)
    ? { value: written }
    : { problem: wanted('a name of up to 64 characters without spaces', written) };
}

function readServerName(written: string): Reading<string> {
  return /^[A-Za-z0-9._-]{1,253}$/.test(written) ? { value: written } : { problem: wanted('a host', written) };
}

function readPassword(written: string): Reading<string> {
  return written === '' ? { problem: 'expected a password, got nothing' } : { value: written };
}

/** The braces of our own keys choose their slot: another pair before them would. */
function readPrefix(written: string): Reading<string> {
  const isGood = /^[\x21-\x7a|~]+$/.test(written) && written.length <= MAX_PREFIX_LENGTH;
  return isGood
    ? { value: written }
    : {
        problem: wanted(
          `a prefix such as shop: of up to ${MAX_PREFIX_LENGTH} characters, no spaces or braces`,
          written,
        ),
      };
}

const sentinel = section(
  {
    name: optional(text('name', 'a name', readName, { doc: 'What the Sentinels call the master.' })),
    nodes: nodes('The Sentinels, of which one that answers is enough.'),
    password: optional(text('text', 'a password', readPassword, { doc: 'Of the Sentinels, where they have one.' })),
  },
  { doc: 'One server behind Sentinels, in place of `url`: the present master is asked of them.' },
);

const tls = section(
  {
    on: flag({ default: 'false', doc: 'TLS to every node. A `rediss:` URL says the same.' }),
    ca_file: optional(
      text('path', 'the path of a PEM file', readFilePath, {
        doc: 'PEM file of the authorities to trust instead of the ones that Node.js brings. Relative to the conf file.',
      }),
    ),
    server_name: optional(
      text('host', 'a host', readServerName, {
        doc: 'The name that the certificates are for, where it is not the host.',
      }),
    ),
    verify: flag({
      default: 'true',
      doc: 'Whether the certificate must be valid. `false` accepts any: only for tests.',
    }),
  },
  { doc: 'For connections to the shared tier.' },
);

export const redis = section(
  {
    url: optional(
      text('URL', URL_FORM, readRedisUrl, {
        doc: 'The Redis (6.2 or later) that machines share, below memory and disk; a Valkey should do as well, and is not tested. `redis: URL` says the same in one line. `rediss:` is TLS; a user name, a password and the number of a database may be in it. One of `url`, `sentinel` and `cluster` switches the tier on.',
      }),
    ),
    sentinel,
    cluster: nodes('Some nodes of a Cluster, in place of `url`: the others are learned from them.'),
    username: optional(text('name', 'a name', readName, { doc: 'The user (ACL), where it is not the default one.' })),
    password: optional(text('text', 'a password', readPassword, { doc: '`password_file` keeps it out of this file.' })),
    password_file: optional(
      text('path', 'the path of a file', readFilePath, {
        doc: 'A file whose first line is the password. Relative to the conf file, and read again at each reload.',
      }),
    ),
    tls,
    prefix: text('text', 'a prefix', readPrefix, {
      default: 'patina:',
      doc: 'In front of every key and channel; in quotes where it ends in a colon, after `--set` too (`prefix: "shop:"`). Machines with the same one share what they store: it must be another for another site.',
    }),
    timeout: duration({
      default: '20ms',
      min: 1,
      max: 10 * SECOND_MS,
      doc: 'Longest wait for it while a client waits. Beyond: as if it were not there.',
    }),
    lease: duration({
      default: '10s',
      min: SECOND_MS,
      max: 600 * SECOND_MS,
      doc: 'How long the machine that asks the origin keeps the others from asking without a sign of life. One that dies delays them by this at most.',
    }),
    max_body: size({
      default: '8MB',
      max: 512 * MEGABYTE,
      doc: 'Larger bodies are not shared: each machine asks for its own, and keeps it in its memory and on its disk.',
    }),
  },
  {
    doc: 'The tier that machines share. What it has, and what it does when it is slow or gone, is said under Shared tier.',
    shorthand: 'url',
  },
);

export type RedisSettings = Settings<typeof redis.shape>;

/** Whether there is such a tier at all. */
export function hasRedis({ url, sentinel, cluster }: RedisSettings): boolean {
  return url !== undefined || sentinel.nodes.length > 0 || cluster.length > 0;
}

/** What is wrong with the options together. */
export function redisFlaws({ url, sentinel, cluster, ...settings }: RedisSettings): Flaw[] {
  const flaws: Flaw[] = [];
  const refuse = (path: readonly string[], message: string): void => {
    flaws.push({ path: ['cache', 'redis', ...path], message, unknown: undefined });
  };
  const ways = [url !== undefined, sentinel.nodes.length > 0, cluster.length > 0].filter((is) => is).length;
  if (ways > 1) refuse([], 'one of url, sentinel and cluster, not several');
  if (sentinel.nodes.length > 0 && sentinel.name === undefined)
    refuse(['sentinel'], 'the Sentinels have to be asked for a master by its name: sentinel.name');
  if (sentinel.name !== undefined && sentinel.nodes.length === 0)
    refuse(['sentinel', 'name'], 'no Sentinel is there to be asked: sentinel.nodes');
  const hasOwn = settings.password !== undefined || settings.passwordFile !== undefined;
  if (settings.password !== undefined && settings.passwordFile !== undefined)
    refuse(['password_file'], 'there is a password beside it: one of the two');
  if (hasOwn && url?.password !== undefined)
    refuse(['url'], 'there is a password beside the one in the URL: one of the two');
  return flaws;
}
