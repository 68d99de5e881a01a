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

/**
 * The pairs sorted by what their names mean. By name alone: of several values of one name the order may mean something,
 * and a stable sort keeps it, however each of them writes the name.
 */
export function sortedPairs(pairs: readonly QueryPair[]): QueryPair[] {
  const named = pairs.map((pair) => ({ pair, name: decodeQuery(pair.name) }));
  named.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return named.map(({ pair }) => pair);
}

/** Pairs as they stand in a query. */
export function writtenPairs(pairs: readonly QueryPair[]): string {
  return pairs.map(({ raw }) => raw).join('&');
}

/** The value of the first cookie of this name (RFC 6265 §4.2.1; names are case-sensitive), or undefined. */
export function cookieValue(cookieField: string, name: string): string | undefined {
  return cookieValues(cookieField, name, PAIR_END)[0];
}

// Several Cookie lines are joined by a comma where they should be by a semicolon (RFC 9113 §8.2.3): either ends a pair.
const PAIR_END = /[;,]/;

function cookieValues(cookieField: string, name: string, end: RegExp | string): string[] {
  return cookieField.split(end).flatMap((pair) => {
    const at = pair.indexOf('=');
    return at >= 0 && pair.slice(0, at).trim() === name ? [pair.slice(at + 1).trim()] : [];
  });
}

/**
 * The cookie of this name as a text that tells apart whatever two origins may take for its value: the value in quotes
 * where all take the same, `-` where none finds one. Of two cookies of one name some take the first and some the last
 * (RFC 6265 §5.4 promises no order), and a comma ends a pair for some and for others is part of the value.
 */
export function cookieForm(cookieField: string | undefined, name: string): string {
  if (cookieField === undefined) return '-';
  const narrow = cookieValues(cookieField, name, ';');
  const wide = cookieField.includes(',') ? cookieValues(cookieField, name, PAIR_END) : narrow;
  const [value] = wide;
  if (wide.length > 1 || narrow.length !== wide.length || narrow[0] !== value) return JSON.stringify([narrow, wide]);
  return value === undefined ? '-' : JSON.stringify(value);
}
