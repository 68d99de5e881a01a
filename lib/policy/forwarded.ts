/**
 * What Forwarded and X-Forwarded-Port say of the URI that a client asked for: origins believe them as they believe
 * X-Forwarded-Host, so what they say is part of the key (decisions/0006). Implements RFC 7239 §4, §5 as far as that.
 */
import type { Fields } from '../http/fields.js';

const BETWEEN = /[ \t;,]*/y;
/** Addresses without quotes are not in the grammar, and common. */
const PAIR = /([!#$%&'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^\s;,"]*)/y;

/**
 * What the field says beside who asked, and of whom: `for` and `by` are different for each client, and are not the URI.
 * Undefined where that is nothing, or is what the request says anyway. What is not in the grammar is told whole.
 */
export function forwardedForm(value: string, scheme: string, host: string): string | undefined {
  let form = '';
  let hasPairs = false;
  let at = 0;
  while (at < value.length) {
    BETWEEN.lastIndex = at;
    const between = BETWEEN.exec(value)?.[0] ?? '';
    // Which member of the list says it may matter to whom it is said.
    form += between.replace(/[^,]/g, '');
    at += between.length;
    if (at === value.length) break;
    PAIR.lastIndex = at;
    const [pair, name = '', said = ''] = PAIR.exec(value) ?? [];
    if (pair === undefined) return value;
    at += pair.length;
    // Two pairs without anything between them are read in more than one way.
    if (at < value.length && !/[ \t;,]/.test(value.charAt(at))) return value;
    if (isSaidAnyway(name.toLowerCase(), said, scheme, host)) continue;
    form += form === '' || form.endsWith(',') ? pair : `;${pair}`;
    hasPairs = true;
  }
  return hasPairs ? form : undefined;
}

function isSaidAnyway(name: string, said: string, scheme: string, host: string): boolean {
  if (name === 'for' || name === 'by') return true;
  const plain = (said.startsWith('"') ? said.slice(1, -1) : said).toLowerCase();
  return (name === 'proto' && plain === scheme) || (name === 'host' && plain === host.toLowerCase());
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443' };

/** The port of X-Forwarded-Port, where the scheme and the host do not say the same; undefined where they do. */
export function forwardedPort(fields: Fields, scheme: string, host: string): string | undefined {
  const port = fields.get('x-forwarded-port');
  if (port === undefined) return undefined;
  const own = /:(\d+)$/.exec(host)?.[1] ?? DEFAULT_PORTS[scheme];
  return port === own ? undefined : port;
}
