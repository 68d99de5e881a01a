/**
 * When a page was last changed, as sitemaps and feeds write it: a W3C datetime, of which RFC 3339 is the part that Atom
 * uses, or the date of RFC 5322 §3.3 and §4.3 that RSS took over from its forerunner. Each is read as the span of time
 * that it can mean: `2026-01-02` is any instant of a day somewhere on earth, `10:00:05Z` any of one second.
 */
import type { Lastmod } from './contract.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** The clock is ahead of UTC by at most so much somewhere, and behind it elsewhere. */
const AHEAD_MAX = 14 * HOUR;
const BEHIND_MAX = 12 * HOUR;

const W3C =
  /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([Zz]|[+-]\d{2}:?\d{2})?)?)?)?$/;
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const MAIL_DATE =
  /^(?:[a-z]{3,9},?\s+)?(\d{1,2})[\s-]+([a-z]{3})[a-z]*[\s-]+(\d{2}|\d{4})\s+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([+-]\d{4}|[a-z]{1,4})?$/i;
/** RFC 5322 §4.3. Other letters say nothing. */
const ZONES: Readonly<Partial<Record<string, number>>> = {
  UT: 0,
  UTC: 0,
  GMT: 0,
  Z: 0,
  EST: -5,
  EDT: -4,
  CST: -6,
  CDT: -5,
  MST: -7,
  MDT: -6,
  PST: -8,
  PDT: -7,
};

/** The span that a written date means; undefined where it is none. */
export function readLastmod(text: string): Lastmod | undefined {
  const trimmed = text.trim();
  return readW3c(trimmed) ?? readMailDate(trimmed);
}

function readW3c(text: string): Lastmod | undefined {
  const match = W3C.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction, zone] = match;
  const at = instant(Number(year), Number(month ?? 1), Number(day ?? 1), hour, minute, second);
  if (at === undefined) return undefined;
  if (hour === undefined) {
    const end = day !== undefined ? at + 24 * HOUR : month !== undefined ? monthAfter(at) : yearAfter(at);
    return anywhere(at, end);
  }
  const precise = fraction === undefined ? at : at + Math.floor(Number(`0.${fraction}`) * SECOND);
  const grain = second === undefined ? MINUTE : fraction === undefined ? SECOND : 1;
  const offset = zone === undefined ? undefined : offsetOf(zone);
  if (zone !== undefined && offset === undefined) return undefined;
  return zoned(precise, grain, offset);
}

function readMailDate(text: string): Lastmod | undefined {
  const match = MAIL_DATE.exec(text);
  if (match === null) return undefined;
  const [, day, monthName = '', yearText = '', hour, minute, second, zone = ''] = match;
  const month = MONTHS.indexOf(monthName.toLowerCase()) + 1;
  // RFC 5322 §4.3: two digits from 50 on are of the last century.
  const short = Number(yearText);
  const year = yearText.length === 4 ? short : short < 50 ? 2000 + short : 1900 + short;
  const at = instant(year, month, Number(day), hour?.padStart(2, '0'), minute, second);
  if (at === undefined) return undefined;
  const named = ZONES[zone.toUpperCase()];
  return zoned(at, second === undefined ? MINUTE : SECOND, named === undefined ? offsetOf(zone) : named * HOUR);
}

/** Milliseconds that a zone is ahead of UTC. */
function offsetOf(zone: string): number | undefined {
  if (zone === 'Z' || zone === 'z') return 0;
  const [, sign, hours, minutes] = /^([+-])(\d{2}):?(\d{2})$/.exec(zone) ?? [];
  if (sign === undefined || Number(hours) > 23 || Number(minutes) > 59) return undefined;
  return (Number(hours) * HOUR + Number(minutes) * MINUTE) * (sign === '-' ? -1 : 1);
}

function zoned(at: number, grain: number, offset: number | undefined): Lastmod {
  return offset === undefined ? anywhere(at, at + grain) : { from: at - offset, until: at - offset + grain };
}

/** A local time, and nobody says where. */
function anywhere(from: number, until: number): Lastmod {
  return { from: from - AHEAD_MAX, until: until + BEHIND_MAX };
}

function monthAfter(at: number): number {
  return new Date(at).setUTCMonth(new Date(at).getUTCMonth() + 1);
}

function yearAfter(at: number): number {
  return new Date(at).setUTCFullYear(new Date(at).getUTCFullYear() + 1);
}

function instant(
  year: number,
  month: number,
  day: number,
  hour = '00',
  minute = '00',
  second = '00',
): number | undefined {
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // The 31st of June would have become the 1st of July.
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  return date.setUTCHours(Number(hour), Number(minute), Math.min(Number(second), 59));
}
