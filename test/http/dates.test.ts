/** Goal: every form of HTTP-date is read to the letter and nothing else is; method: tables with the wall clock given, and fast-check for the round trip. */
import fc from 'fast-check';
import t from 'tap';
import { formatHttpDate, parseHttpDate } from '../../lib/http/dates.js';

const NOW = Date.UTC(2026, 0, 1);

t.test('RFC 9110 §5.6.7: the three forms of one instant are read alike', async (t) => {
  const instant = Date.UTC(1994, 10, 6, 8, 49, 37);
  t.equal(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT', NOW), instant);
  t.equal(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT', NOW), instant);
  t.equal(parseHttpDate('Sun Nov  6 08:49:37 1994', NOW), instant);
  t.equal(parseHttpDate('Wed Nov 16 08:49:37 1994', NOW), Date.UTC(1994, 10, 16, 8, 49, 37));
});

t.test('RFC 9111 §4.2: a cache matches the names of days, months and GMT in any case', async (t) => {
  const instant = Date.UTC(2050, 7, 18, 2, 1, 18);
  for (const text of [
    'THU, 18 Aug 2050 02:01:18 GMT',
    'Thu, 18 AUG 2050 02:01:18 GMT',
    'Thu, 18 Aug 2050 02:01:18 gMT',
    'tHURSDAY, 18-aUG-50 02:01:18 gmt',
    'thu aug 18 02:01:18 2050',
  ])
    t.equal(parseHttpDate(text, NOW), instant, text);
});

t.test('RFC 9111 §4.2: a zone other than GMT makes the date invalid', async (t) => {
  for (const zone of ['UTC', 'AEST', 'EST', 'Z', '+0000', '-0100', 'GMT+1', ''])
    t.equal(parseHttpDate(`Thu, 18 Aug 2050 02:01:18 ${zone}`, NOW), undefined, zone);
});

t.test('RFC 9110 §5.6.7: what no form allows is no date', async (t) => {
  for (const text of [
    '',
    '0',
    '-1',
    'foo',
    '1735689600',
    '2050-08-18T02:01:18Z',
    'Thu 18 Aug 2050 02:01:18 GMT',
    'Thu, 18 Aug 50 02:01:18 GMT',
    'Thu, 18  Aug  2050 02:01:18 GMT',
    'Thu, 18-Aug-2050 02:01:18 GMT',
    'Thu, 18 Aug 2050 02.01.18 GMT',
    'Thu, 18 Aug 2050 2:01:18 GMT',
    'Thu, 18 Aug 2050 02:01 GMT',
    'Thu, 8 Aug 2050 02:01:18 GMT',
    'Thu, 18 August 2050 02:01:18 GMT',
    'Xyz, 18 Aug 2050 02:01:18 GMT',
    'Thu, 18 Aug 2050 02:01:18 GMT ',
    ' Thu, 18 Aug 2050 02:01:18 GMT',
    'Thu, 18 Aug 2050 02:01:18 GMT, Thu, 18 Aug 2050 02:01:18 GMT',
    'Thu, 18 Aug 2050 02:01:18 GMT\n',
    'Thu, 18 Aug 12050 02:01:18 GMT',
    'Thu, 18-Aug-50 02:01:18 GMT',
    'Thursday, 18 Aug 2050 02:01:18 GMT',
    'Thu Aug 8 02:01:18 2050',
    'Thu Aug 18 02:01:18 2050 GMT',
  ])
    t.equal(parseHttpDate(text, NOW), undefined, text);
});

t.test('RFC 9110 §5.6.7: numbers outside the calendar and the clock make no date', async (t) => {
  for (const text of [
    'Thu, 00 Aug 2050 02:01:18 GMT',
    'Thu, 32 Aug 2050 02:01:18 GMT',
    'Thu, 31 Jun 2050 02:01:18 GMT',
    'Tue, 29 Feb 2050 02:01:18 GMT',
    'Thu, 18 Aug 2050 24:00:00 GMT',
    'Thu, 18 Aug 2050 02:60:18 GMT',
    'Thu, 18 Aug 2050 02:01:61 GMT',
    'Thu Aug  0 02:01:18 2050',
  ])
    t.equal(parseHttpDate(text, NOW), undefined, text);
  t.equal(parseHttpDate('Thu, 29 Feb 2024 00:00:00 GMT', NOW), Date.UTC(2024, 1, 29));
});

t.test('RFC 9110 §5.6.7: the name of the weekday need not fit the date', async (t) => {
  t.equal(parseHttpDate('Mon, 06 Nov 1994 08:49:37 GMT', NOW), Date.UTC(1994, 10, 6, 8, 49, 37));
});

t.test('RFC 9111 §4.2: a leap second is read as the second before it', async (t) => {
  t.equal(parseHttpDate('Sat, 31 Dec 2016 23:59:60 GMT', NOW), Date.UTC(2016, 11, 31, 23, 59, 59));
});

t.test('RFC 9110 §5.6.7: a two-digit year is never more than 50 years ahead', async (t) => {
  const table: readonly [twoDigits: string, nowWall: number, year: number][] = [
    ['94', NOW, 1994],
    ['26', NOW, 2026],
    ['50', NOW, 2050],
    ['75', NOW, 2075],
    ['77', NOW, 1977],
    ['99', NOW, 1999],
    ['00', NOW, 2000],
    // Just beyond 50 years, and just within.
    ['76', NOW, 1976],
    ['76', Date.UTC(2026, 10, 7), 2076],
    // Across the turn of a century.
    ['10', Date.UTC(2090, 0, 1), 2110],
    ['90', Date.UTC(2090, 11, 31), 2090],
    ['41', Date.UTC(2090, 0, 1), 2041],
    ['94', Date.UTC(1994, 0, 1), 1994],
    ['30', Date.UTC(1994, 0, 1), 2030],
    ['50', Date.UTC(1994, 0, 1), 1950],
  ];
  for (const [twoDigits, nowWall, year] of table)
    t.equal(
      parseHttpDate(`Sunday, 06-Nov-${twoDigits} 08:49:37 GMT`, nowWall),
      Date.UTC(year, 10, 6, 8, 49, 37),
      `${twoDigits} seen in ${new Date(nowWall).toISOString()}`,
    );
});

t.test('RFC 9110 §5.6.7: a four-digit year is that year, also before 100 and far ahead', async (t) => {
  t.equal(parseHttpDate('Sun, 21 Nov 2286 04:46:39 GMT', NOW), Date.UTC(2286, 10, 21, 4, 46, 39));
  const early = parseHttpDate('Fri, 01 Jan 0027 00:00:00 GMT', NOW);
  t.equal(early === undefined ? undefined : new Date(early).getUTCFullYear(), 27);
});

t.test('RFC 9110 §5.6.7: IMF-fixdate is what is sent, rounded down to the second', async (t) => {
  const instant = Date.UTC(1994, 10, 6, 8, 49, 37);
  t.equal(formatHttpDate(instant), 'Sun, 06 Nov 1994 08:49:37 GMT');
  t.equal(formatHttpDate(instant + 999), 'Sun, 06 Nov 1994 08:49:37 GMT');
  t.equal(formatHttpDate(instant + 1000), 'Sun, 06 Nov 1994 08:49:38 GMT');
  t.equal(formatHttpDate(instant), 'Sun, 06 Nov 1994 08:49:37 GMT', 'the text of another second is not given again');
});

t.test('RFC 9110 §5.6.7: what is formatted reads back as the same second', async () => {
  fc.assert(
    fc.property(fc.integer({ min: Date.UTC(1600, 0, 1), max: Date.UTC(9999, 11, 31) }), (ms) => {
      return parseHttpDate(formatHttpDate(ms), NOW) === Math.floor(ms / 1000) * 1000;
    }),
  );
});
