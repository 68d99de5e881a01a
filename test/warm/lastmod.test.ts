// Goal: a lastmod means the span that it can mean, and a page is asked about when it may have changed since, and not for ever. Method: dates in a table; a day played hour by hour.
import t from 'tap';
import { LASTMOD_LOOKS_MAX } from '../../lib/base/warm-limits.js';
import { type Acted, isDue } from '../../lib/warm/due.js';
import { readLastmod } from '../../lib/warm/lastmod.js';

const HOUR = 3_600_000;
const at = (text: string): number => Date.parse(text);

t.test('W3C datetimes, RFC 3339 among them, are spans of their own grain', async (t) => {
  const spans: readonly [string, string, string][] = [
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05Z', '2026-01-02T03:04:06Z'],
    ['2026-01-02T03:04:05+01:00', '2026-01-02T02:04:05Z', '2026-01-02T02:04:06Z'],
    ['2026-01-02T03:04:05-0530', '2026-01-02T08:34:05Z', '2026-01-02T08:34:06Z'],
    ['2026-01-02t03:04:05.25z', '2026-01-02T03:04:05.250Z', '2026-01-02T03:04:05.251Z'],
    ['2026-01-02T03:04Z', '2026-01-02T03:04:00Z', '2026-01-02T03:05:00Z'],
    [' 2026-01-02 03:04:05 +00:00 ', '2026-01-02T03:04:05Z', '2026-01-02T03:04:06Z'],
    ['2026-01-02T03:04:05', '2026-01-01T13:04:05Z', '2026-01-02T15:04:06Z'],
    ['2026-01-02', '2026-01-01T10:00:00Z', '2026-01-03T12:00:00Z'],
    ['2026-12', '2026-11-30T10:00:00Z', '2027-01-01T12:00:00Z'],
    ['2026', '2025-12-31T10:00:00Z', '2027-01-01T12:00:00Z'],
  ];
  for (const [text, from, until] of spans) t.same(readLastmod(text), { from: at(from), until: at(until) }, text);
});

t.test('dates of mail, as RSS has them (RFC 5322 §3.3, §4.3)', async (t) => {
  const spans: readonly [string, string, number][] = [
    ['Fri, 02 Jan 2026 03:04:05 GMT', '2026-01-02T03:04:05Z', 1000],
    ['2 Jan 26 03:04 EST', '2026-01-02T08:04:00Z', 60_000],
    ['Fri, 2 January 2026 3:04:05 +0200', '2026-01-02T01:04:05Z', 1000],
    ['Sat, 01 Jan 94 00:00:00 Z', '1994-01-01T00:00:00Z', 1000],
    ['02-Jan-2026 03:04:05 pdt', '2026-01-02T10:04:05Z', 1000],
  ];
  for (const [text, from, grain] of spans) t.same(readLastmod(text), { from: at(from), until: at(from) + grain }, text);
  t.same(readLastmod('2 Jan 2026 00:00:00'), { from: at('2026-01-01T10:00:00Z'), until: at('2026-01-02T12:00:01Z') });
});

t.test('what is no date says nothing', async (t) => {
  for (const text of [
    '',
    'yesterday',
    '2026-13-01',
    '2026-02-30',
    '2026-01-02T24:00:00Z',
    '2026-01-02T03:60:00Z',
    '2026-01-02T03:04:05+99:00',
    '2026-1-2',
    '20260102',
    '1767312000',
    'Fri, 32 Jan 2026 03:04:05 GMT',
    'Fri, 02 Foo 2026 03:04:05 GMT',
    '2026-01-02T03:04:05Zjunk',
  ])
    t.equal(readLastmod(text), undefined, text);
});

const NOON = at('2026-01-02T12:00:00Z');
const instant = (text: string) => readLastmod(text) ?? { from: Number.NaN, until: Number.NaN };

t.test('a page is asked about when it changed after the origin was asked, and once', async (t) => {
  const lastmod = instant('2026-01-02T11:00:00Z');
  t.equal(isDue(lastmod, NOON - 2 * HOUR, undefined, NOON), true);
  t.equal(isDue(lastmod, NOON - HOUR / 2, undefined, NOON), false);
  t.equal(
    isDue(lastmod, NOON - 2 * HOUR, { from: lastmod.from, at: NOON - HOUR / 2 }, NOON),
    false,
    'although its record is older',
  );
  t.equal(
    isDue(lastmod, NOON - 2 * HOUR, { from: lastmod.from, at: Number.NEGATIVE_INFINITY }, NOON),
    true,
    'it failed before',
  );
});

t.test('an edit within the second in which the origin was asked is not missed', async (t) => {
  const lastmod = instant('2026-01-02T11:00:00Z');
  t.equal(isDue(lastmod, lastmod.from + 300, { from: lastmod.from, at: lastmod.from + 300 }, NOON), true);
  t.equal(isDue(lastmod, lastmod.from + 300, { from: lastmod.from, at: lastmod.until }, NOON), false);
});

t.test('a lastmod that moved on counts, whatever the clock of the origin says', async (t) => {
  const before: Acted = { from: at('2026-01-02T10:00:00Z'), at: at('2026-01-02T11:59:00Z') };
  const behind = instant('2026-01-02T11:55:00Z');
  t.equal(isDue(behind, before.at, before, NOON), true, 'the edit was a moment ago by a clock that is behind');
  t.equal(isDue(behind, before.at, { from: behind.from, at: NOON }, NOON + 1), false);
});

t.test('a date to come is acted on once, and once more when it has come', async (t) => {
  const lastmod = instant('2026-01-02T13:00:00Z');
  t.equal(isDue(lastmod, NOON - HOUR, undefined, NOON), true);
  const acted: Acted = { from: lastmod.from, at: NOON };
  t.equal(isDue(lastmod, NOON, acted, NOON + HOUR / 2), false);
  t.equal(isDue(lastmod, NOON, acted, NOON + HOUR), true);
  t.equal(isDue(lastmod, NOON, { from: lastmod.from, at: lastmod.until }, NOON + 2 * HOUR), false);
});

t.test('issue 4: a date without a time finds the edit later that day, and is not asked about for ever', async (t) => {
  const today = instant('2026-01-02');
  const minute = 60_000;
  let acted: Acted = { from: at('2025-06-01'), at: at('2026-01-01T00:00:00Z') };
  const asked: number[] = [];
  // A round every five minutes, from the morning on which it was first listed, for ten days.
  for (let now = at('2026-01-02T08:00:00Z'); now < at('2026-01-12T00:00:00Z'); now += 5 * minute) {
    if (!isDue(today, acted.at, acted, now)) continue;
    asked.push(now);
    acted = { from: today.from, at: now };
  }
  t.equal(asked[0], at('2026-01-02T08:00:00Z'), 'at once');
  const gaps = asked.slice(1).map((now, index) => now - (asked[index] ?? 0));
  t.ok(Math.max(...gaps) <= 1.2 * HOUR, 'an edit of that day is found within about an hour');
  t.ok(asked.length <= LASTMOD_LOOKS_MAX + 1, `${asked.length} requests`);
  t.ok((asked.at(-1) ?? 0) >= today.until, 'the last one when the day is over everywhere');
  t.ok((asked.at(-1) ?? 0) < today.until + 5 * minute, 'and none after that');
});
