/**
 * New header fields for a stored response whose body stays, from a 304. A HEAD for which something is stored goes out as a
 * conditional GET, so that its answer serves all (RFC 9111 §4.3.5 has nothing to freshen from then).
 * Implements RFC 9111 §3.1, §3.2, §4.3.4.
 */
import { entityTagOf, isStrong, weakMatch } from '../http/entity-tags.js';
import { Fields } from '../http/fields.js';
import { lowerName } from '../http/lower-names.js';
import { NameSet } from '../http/name-set.js';
import { connectionOptions, isHopByHop } from './hygiene.js';

/**
 * Fields that are never taken from an update, beside the hop-by-hop ones and those that Connection lists (RFC 9111
 * §3.1), each with its reason. Everything else is taken, Content-Type and all other Content-* fields included: RFC
 * 9111 §3.2 says that the prefix tells nothing, and exempts only what a cache processed; this one stores what came.
 */
const NEVER_TAKEN: ReadonlyMap<string, string> = new Map([
  ['content-length', 'RFC 9111 §3.2: of the stored body; the one in a 304 is of what a 200 would have had'],
  ['content-encoding', 'RFC 9111 §3.2: the stored bytes are in the coding that they came in'],
  ['content-range', 'RFC 9111 §3.2: processed when the bytes were put in their place'],
  ['content-md5', 'a sum over the bytes of the message that carried them, which stay'],
  ['content-digest', 'a sum over the content of its own message; that of a 304 is of nothing'],
  ['age', 'RFC 9111 §4: computed at each use, from the arithmetic of RFC 9111 §4.2.3'],
]);
const NEVER_TAKEN_NAMES = new NameSet([...NEVER_TAKEN.keys()]);

/**
 * The stored fields, brought up to date: each field of `update` takes the place of all stored lines of it, lines in
 * their order; fields that it does not have stay. `except` are names, in lower case, that the caller's policy keeps
 * out of the store (Set-Cookie, what no-cache or private list).
 *
 * `update` must have a Date, supplied by the receiver where the origin sent none (RFC 9110 §6.6.1): the stored one
 * would make the freshened response as old as before.
 */
export function mergeFields(stored: Fields, update: Fields, except: readonly string[] = []): Fields {
  const replaced = replacedLines(stored, update, except);
  if (replaced !== undefined) return replaced;
  const taken = takenLines(stored, update, except);
  if (taken.size === 0) return stored;
  const raw: string[] = [];
  const from = stored.raw;
  for (let i = 0; i < from.length; i += 2) {
    const name = from[i] as string;
    const lower = name.toLowerCase();
    const lines = taken.get(lower);
    if (lines === undefined) raw.push(name, from[i + 1] as string);
    else {
      // The first stored line gives the place; the others go, and a second visit finds nothing more to write.
      raw.push(...lines);
      taken.set(lower, []);
    }
  }
  for (const lines of taken.values()) raw.push(...lines);
  return new Fields(raw);
}

/**
 * The same where each field that is taken is one line in the place of one line, as of nearly every 304. The stored fields
 * themselves where they say all of it already. Undefined where it takes more than that.
 */
function replacedLines(stored: Fields, update: Fields, except: readonly string[]): Fields | undefined {
  const options = connectionOptions(update);
  const own = stored.raw;
  const { raw } = update;
  let merged: string[] | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    const lower = lowerName(name);
    if (staysAsItIs(lower, options, except)) continue;
    const at = stored.placeOf(lower);
    if (at < 0 || stored.placeOf(lower, at + 2) >= 0 || update.placeOf(lower, i + 2) >= 0) return undefined;
    if (lower === 'etag' && isStrongerTwin(value, own[at + 1])) continue;
    if (own[at] === name && own[at + 1] === value) continue;
    merged ??= own.slice();
    merged[at] = name;
    merged[at + 1] = value;
  }
  return merged === undefined ? stored : new Fields(merged);
}

/** Whether what an update says of a field is not taken over. */
function staysAsItIs(lower: string, options: ReadonlySet<string>, except: readonly string[]): boolean {
  return isHopByHop(lower) || options.has(lower) || NEVER_TAKEN_NAMES.has(lower) || except.includes(lower);
}

/** By lower-case name, in order of appearance: names and values in turn of what is taken. */
function takenLines(stored: Fields, update: Fields, except: readonly string[]): Map<string, string[]> {
  const options = connectionOptions(update);
  const keepsTag = isStrongerTwin(update.first('etag'), stored.first('etag'));
  const taken = new Map<string, string[]>();
  const { raw } = update;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    const lower = name.toLowerCase();
    if (staysAsItIs(lower, options, except)) continue;
    if (lower === 'etag' && keepsTag) continue;
    const lines = taken.get(lower);
    if (lines === undefined) taken.set(lower, [name, value]);
    else lines.push(name, value);
  }
  return taken;
}

/**
 * A strong tag in a 304 for what was stored under the same tag marked weak is the tag of another coding of the
 * representation. Taken over, it would promise of the stored bytes what is true of others (If-Range, RFC 9110 §13.1.5).
 */
function isStrongerTwin(updated: string | undefined, own: string | undefined): boolean {
  const next = entityTagOf(updated);
  const current = entityTagOf(own);
  if (next === undefined || current === undefined) return false;
  return isStrong(next) && !isStrong(current) && weakMatch(next, current);
}
