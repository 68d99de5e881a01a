/** Settings by which something may be shared, believed or lost that is not by default: each with its consequence in plain words. */
import { isLoopbackAddress } from '../base/loopback.js';
import { hasRedis, type RedisSettings } from './redis-options.js';
import type { RuleSettings } from './rule-options.js';
import type { ConfigSettings } from './schema.js';

export interface Warning {
  /** A word for machines, in kebab-case. */
  readonly code: string;
  /** The option that it is about. */
  readonly path: readonly (string | number)[];
  /** What will happen, and what to do about it. */
  readonly sentence: string;
}

type Path = readonly (string | number)[];
type Said = Partial<Omit<RuleSettings, 'name' | 'match' | 'rules'>>;

const CONSEQUENCES: readonly {
  readonly code: string;
  readonly key: string;
  readonly holds: (said: Said) => boolean;
  readonly sentence: string;
}[] = [
  {
    code: 'shares-cookies',
    key: 'set_cookie',
    holds: ({ setCookie }) => setCookie === 'share',
    sentence:
      'the cookie of one visitor is given to everybody: where it is a session, all are logged in as one. Use strip unless it is the same for all',
  },
  {
    code: 'shares-private',
    key: 'share_private',
    holds: ({ sharePrivate }) => sharePrivate === true,
    sentence: 'what the origin marks private, for one user alone, is given to everybody',
  },
  {
    code: 'shares-authorized',
    key: 'share_authorized',
    holds: ({ shareAuthorized }) => shareAuthorized === true,
    sentence: 'what one user got with a password or token is given to everybody, without one',
  },
  {
    code: 'shares-with-cookie',
    key: 'share_with_cookie',
    holds: ({ shareWithCookie }) => shareWithCookie === true,
    sentence: 'pages that a cookie made personal are given to everybody, where the origin does not say otherwise',
  },
  {
    code: 'overrides-origin',
    key: 'stale_despite',
    holds: ({ staleDespite }) => staleDespite !== undefined && staleDespite.length > 0,
    sentence: 'stale content is served although the origin forbids it',
  },
  {
    code: 'caches-post',
    key: 'methods',
    holds: ({ methods }) => methods?.includes('POST') === true,
    sentence:
      'a POST may be answered without reaching the origin, or sent to it again: right only where it changes nothing',
  },
  {
    code: 'one-page-for-all-queries',
    key: 'query',
    holds: ({ query }) => query?.kind === 'ignore',
    sentence:
      'whoever asks first decides, by its parameters, what everybody gets: right only where the origin ignores the query',
  },
  {
    code: 'one-page-for-all-hosts',
    key: 'key',
    holds: ({ key }) => key?.host === false,
    sentence: 'one host gets the pages of another: right only where all hosts are one site',
  },
  {
    code: 'one-page-for-all-schemes',
    key: 'key',
    holds: ({ key }) => key?.scheme === false,
    sentence: 'http gets the pages of https, links and redirects included',
  },
];

/** All that is dangerous in a configuration, in the order of the file. */
export function dangersOf(settings: ConfigSettings): readonly Warning[] {
  const warnings: Warning[] = [];
  const { admin, origin } = settings;
  if (admin.listen !== undefined && !isLoopbackAddress(admin.listen.host) && admin.listen.host !== 'localhost') {
    const sentence = 'the admin listener can be reached from other machines: keep them out by other means';
    warnings.push({ code: 'admin-in-the-open', path: ['admin'], sentence });
  }
  if (!origin.tls.verify) {
    const sentence = 'anybody between here and the origin can pose as it, and have its pages stored for everybody';
    warnings.push({ code: 'unverified-origin', path: ['origin', 'tls', 'verify'], sentence });
  }
  warnings.push(...redisDangers(settings.cache.redis));
  warnings.push(...dangersIn(settings.defaults, ['defaults']), ...dangersInRules(settings.rules, ['rules']));
  return warnings;
}

function redisDangers(redis: RedisSettings): Warning[] {
  if (!hasRedis(redis)) return [];
  const { url, sentinel, cluster, tls } = redis;
  const path = ['cache', 'redis'];
  const warnings: Warning[] = [];
  const hosts = [url?.address, ...sentinel.nodes, ...cluster].filter((one) => one !== undefined);
  const isFar = hosts.some(({ host }) => !isLoopbackAddress(host) && host !== 'localhost');
  const isSecure = tls.on || url?.isSecure === true;
  const hasPassword = [url?.password, redis.password, redis.passwordFile].some((one) => one !== undefined);
  if (isFar && !isSecure) {
    const sentence = hasPassword
      ? 'the password and all that is stored cross the network in the clear: use rediss: or tls.on'
      : 'all that is stored crosses the network in the clear, and nobody is asked for a password: whoever reaches it can change every page';
    warnings.push({ code: hasPassword ? 'shared-in-the-clear' : 'shared-in-the-open', path, sentence });
  }
  if (isSecure && !tls.verify) {
    const sentence = 'anybody between here and the shared tier can pose as it, and have pages of theirs served';
    warnings.push({ code: 'unverified-shared', path: [...path, 'tls', 'verify'], sentence });
  }
  return warnings;
}

function dangersInRules(rules: readonly RuleSettings[], at: Path): Warning[] {
  return rules.flatMap((rule, index) => {
    const path = [...at, index];
    return [...dangersIn(rule, path), ...dangersInRules(rule.rules ?? [], [...path, 'rules'])];
  });
}

function dangersIn(said: Said, path: Path): Warning[] {
  return CONSEQUENCES.filter(({ holds }) => holds(said)).map(({ code, key, sentence }) => {
    return { code, path: [...path, key], sentence };
  });
}
