/** Goal: ages are computed as RFC 9111 §4.2.3 says, whatever Age and Date hold; method: tables with every instant given. */
import t from 'tap';
import { formatHttpDate } from '../../lib/http/dates.js';
import { Fields } from '../../lib/http/fields.js';
import type { Life } from '../../lib/object/stored.js';
import { ageSecAt, correctedInitialAgeMs } from '../../lib/policy/age.js';

const WALL = Date.UTC(2026, 0, 1);

type Record = Readonly<{ [name: string]: string | readonly string[] }>;

function initialAge(record: Record, delayMs = 0, responseWall = WALL): number {
  return correctedInitialAgeMs({
    fields: Fields.of(record),
    requestAt: 5_000_000 - delayMs,
    responseAt: 5_000_000,
    responseWall,
  });
}

function date(offsetMs: number): string {
  return formatHttpDate(WALL + offsetMs);
}

t.test('RFC 9111 §4.2.3: the corrected age is the Age plus the delay of the response', async (t) => {
  t.equal(initialAge({}), 0);
  t.equal(initialAge({}, 5000), 5000);
  t.equal(initialAge({ age: '30' }), 30_000);
  t.equal(initialAge({ age: '30' }, 250), 30_250);
  t.equal(initialAge({ age: '30' }, -250), 30_000, 'a delay is never negative');
});

t.test('RFC 9111 §4.2.3: the apparent age counts where it is greater than the corrected one', async (t) => {
  t.equal(initialAge({ date: date(-7_200_000) }), 7_200_000);
  t.equal(initialAge({ date: date(-10_000), age: '25' }), 25_000);
  t.equal(initialAge({ date: date(-25_000), age: '10' }, 1000), 25_000);
  t.equal(initialAge({ date: date(10_000), age: '15' }), 15_000, 'a Date in the future is no age');
  t.equal(initialAge({ date: date(10_000) }), 0);
});

t.test('RFC 9111 §4.2.3: one second between Date and receipt is rounding, not age', async (t) => {
  t.equal(initialAge({ date: date(0) }, 2, WALL + 999), 2);
  t.equal(initialAge({ date: date(-1) }, 2, WALL + 1), 2, 'the second turned on the way');
  t.equal(initialAge({ date: date(-1000) }, 0, WALL + 999), 0);
  t.equal(initialAge({ date: date(-2000) }, 0, WALL + 999), 2000);
});

t.test('RFC 9110 §6.6.1: without a Date, or with an invalid one, receipt is the Date', async (t) => {
  for (const value of ['foo', '0', '', 'Thu, 01 Jan 2020 00:00:00 UTC'])
    t.equal(initialAge({ date: value, age: '3' }), 3000, value);
});

t.test('RFC 9111 §5.1: the first member of the first Age line counts, and what is no number is ignored', async (t) => {
  const table: readonly [age: string | readonly string[], seconds: number][] = [
    ['0', 0],
    ['7200', 7200],
    ['007', 7],
    ['7200, 0', 7200],
    ['0, 7200', 0],
    ['0,7200', 0],
    [' , 5, 6', 5],
    [['7200', '0'], 7200],
    [['0', '7200'], 0],
    [['3600', '3600'], 3600],
    ['0, 0', 0],
    ['abc', 0],
    ['-7200', 0],
    ['7200.0', 0],
    ['7200;foo=bar', 0],
    ['7200 s', 0],
    ['"7200"', 0],
    ['', 0],
    ['abc, 7200', 0],
    [['abc', '7200'], 0],
  ];
  for (const [age, seconds] of table) t.equal(initialAge({ age }), seconds * 1000, JSON.stringify(age));
});

t.test('RFC 9111 §1.2.2: an Age beyond measure counts as 2^31 seconds', async (t) => {
  for (const age of ['2147483648', '2147483649', '99999999999999999999'])
    t.equal(initialAge({ age }), 2147483648_000, age);
  t.equal(initialAge({ age: '2147483647' }), 2147483647_000);
});

t.test('RFC 9111 §4.2.3: the current age is the time since birth in whole seconds', async (t) => {
  const life: Life = {
    bornAt: 1_000_000,
    staleAt: 1_060_000,
    graceUntil: 1_060_000,
    offlineGraceUntil: 1_060_000,
    ceilingAt: Number.POSITIVE_INFINITY,
    keepUntil: 1_060_000,
    errorUntil: 1_060_000,
    unreachableUntil: 1_060_000,
    alwaysValidate: false,
    validateByRule: false,
    staleForbiddenBy: undefined,
    ttlSource: 'max-age',
  };
  t.equal(ageSecAt(life, 1_000_000), 0);
  t.equal(ageSecAt(life, 1_000_999.9), 0);
  t.equal(ageSecAt(life, 1_001_000), 1);
  t.equal(ageSecAt(life, 1_032_500), 32);
  t.equal(ageSecAt(life, 999_000), 0, 'never negative');
  t.equal(ageSecAt(life, 1e15), 2147483648, 'never beyond 2^31');
});
