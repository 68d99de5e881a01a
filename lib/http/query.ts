/** The query of a target as name and value pairs (the form that HTML forms send), and one pair of a Cookie field. */

/** One pair as it stands in the query, undecoded. */
export interface QueryPair {
  readonly name: string;
  /** Undefined where there is no `=`. */
  readonly value: string | undefined;
  /** The pair as it was written. */
  readonly raw: string;
}

/** Path and query of an origin-form target; the query is undefined where there is no `?`. */
export function splitTarget(target: string): readonly [path: string, query: string | undefined] {
  const at = target.indexOf('?');
  return at < 0 ? [target, undefined] : [target.slice(0, at), target.slice(at + 1)];
}

/** The pairs of a query in their order; empty ones, as between `&&`, are none. */
export function queryPairs(query: string): QueryPair[] {
  const pairs: QueryPair[] = [];
  for (const raw of query.split('&')) {
    if (raw === '') continue;
    const at = raw.indexOf('=');
    pairs.push({ name: at < 0 ? raw : raw.slice(0, at), value: at < 0 ? undefined : raw.slice(at + 1), raw });
  }
  return pairs;
}

/** What a form means by a name or a value: `+` is a space, `%XX` a byte. Text that cannot be decoded stays as it is. */
export function decodeQuery(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    // Not UTF-8: it equals nothing but itself.
    return text;
  }
}

/** The value of the first cookie of this name (RFC 6265 §4.2.1; names are case-sensitive), or undefined. */
export function cookieValue(cookieField: string, name: string): string | undefined {
  // Several Cookie lines are joined by a comma where they should be by a semicolon (RFC 9113 §8.2.3): either ends a pair.
  for (const pair of cookieField.split(/[;,]/)) {
    const at = pair.indexOf('=');
    if (at >= 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}
