/**
 * HTTP-date in its three forms, and the one form that is sent.
 * Implements RFC 9110 §5.6.7; RFC 9111 §4.2 (how a cache reads dates).
 */
import { Known } from './known.js';

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const MONTH = `(${MONTHS.join('|')})`;
const TIME = '(\\d{2}):(\\d{2}):(\\d{2})';

// RFC 9111 §4.2: names match in any case; RFC 9110 §5.6.7: everything else to the letter, GMT alone as the zone.
const IMF_FIXDATE = new RegExp(`^(?:mon|tue|wed|thu|fri|sat|sun), (\\d{2}) ${MONTH} (\\d{4}) ${TIME} gmt$`, 'i');
const RFC850_DATE = new RegExp(
  `^(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday), (\\d{2})-${MONTH}-(\\d{2}) ${TIME} gmt$`,
  'i',
);
const ASCTIME_DATE = new RegExp(`^(?:mon|tue|wed|thu|fri|sat|sun) ${MONTH} ([ \\d]\\d) ${TIME} (\\d{4})$`, 'i');

/** A two-digit year means at most this many years ahead (RFC 9110 §5.6.7). */
const RFC850_YEARS_AHEAD = 50;

/**
 * Milliseconds since the epoch of an HTTP-date, or undefined where the text is not one. `nowWall` decides the century
 * of a two-digit year. The name of the weekday is not compared with the date: senders get it wrong, and nothing hangs on it.
 */
export function parseHttpDate(text: string, nowWall: number): number | undefined {
  const fixed = text.length === IMF_LENGTH ? FIXDATES.of(text) : undefined;
  if (fixed !== undefined) return fixed;
  const asctime = ASCTIME_DATE.exec(text);
  if (asctime !== null)
    return instantOf(Number(asctime[6]), asctime[1], asctime[2], asctime[3], asctime[4], asctime[5]);
  const rfc850 = RFC850_DATE.exec(text);
  if (rfc850 !== null) {
    const inYear = (year: number) => instantOf(year, rfc850[2], rfc850[1], rfc850[4], rfc850[5], rfc850[6]);
    return latestWithTwoDigits(Number(rfc850[3]), nowWall, inYear);
  }
  return undefined;
}

const IMF_LENGTH = 'Sun, 06 Nov 1994 08:49:37 GMT'.length;
const FIXDATES = new Known((text) => {
  const imf = IMF_FIXDATE.exec(text);
  return imf === null ? undefined : instantOf(Number(imf[3]), imf[2], imf[1], imf[4], imf[5], imf[6]);
});

/** RFC 9110 §5.6.7: the latest year with these last two digits that is not more than 50 years ahead. */
function latestWithTwoDigits(
  twoDigits: number,
  nowWall: number,
  inYear: (year: number) => number | undefined,
): number | undefined {
  const horizon = new Date(nowWall);
  horizon.setUTCFullYear(horizon.getUTCFullYear() + RFC850_YEARS_AHEAD);
  let year = Math.floor(horizon.getUTCFullYear() / 100) * 100 + twoDigits;
  if (year > horizon.getUTCFullYear()) year -= 100;
  const instant = inYear(year);
  return instant !== undefined && instant > horizon.getTime() ? inYear(year - 100) : instant;
}

function instantOf(
  year: number,
  monthName: string | undefined,
  dayText: string | undefined,
  hourText: string | undefined,
  minuteText: string | undefined,
  secondText: string | undefined,
): number | undefined {
  const month = MONTHS.indexOf(monthName?.toLowerCase() ?? '');
  const day = Number(dayText);
  const hour = Number(hourText);
  const minute = Number(minuteText);
  const second = Number(secondText);
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  const date = new Date(0);
  // Not Date.UTC, which takes the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(year, month, day);
  // The 31st of June would have become the 1st of July.
  if (date.getUTCMonth() !== month || date.getUTCDate() !== day) return undefined;
  // A leap second has no instant of its own here: the nearest earlier one stands for it (RFC 9111 §4.2).
  return date.setUTCHours(hour, minute, Math.min(second, 59));
}

let formattedSecond = Number.NaN;
let formattedText = '';

/** An instant as IMF-fixdate (RFC 9110 §5.6.7). Cheap when asked again within the same second. */
export function formatHttpDate(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== formattedSecond) {
    formattedText = new Date(second * 1000).toUTCString();
    formattedSecond = second;
  }
  return formattedText;
}
