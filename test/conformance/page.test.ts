// Goal: the page says what the runs recorded, and says why. Method: it is made anew and compared; the reasons are
// compared with the catalogue of tests, both ways.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { DEPARTURES } from './departures.js';
import { differing, idsOf, makePage, notPassed, pageFile, recordedLines } from './page.js';
import { REASONS } from './reasons.js';
import { isAboutSetCookie, SETTINGS } from './record.js';

const RECORDS = recordedLines();
/** A place in an RFC, or the word that there is none. */
const SECTION = /^(?:RFC \d{4} §\d+(?:\.\d+)*(?:, (?:RFC \d{4} )?§\d+(?:\.\d+)*)*|none \(.+\))$/;

t.test('the page is the one that its records make', async (t) => {
  t.equal(readFileSync(pageFile(), 'utf8'), makePage(RECORDS), 'npm run conformance -- --page brings it up to date');
});

t.test('both lines of the suite are recorded whole, with both settings of set_cookie', async (t) => {
  t.same(
    RECORDS.map(({ line }) => line),
    ['npm', 'upstream'],
  );
  for (const { line, catalogue, expected } of RECORDS) {
    const ids = catalogue.groups.flatMap((group) => Object.keys(group.tests)).sort();
    for (const setting of SETTINGS) t.same(Object.keys(expected[setting] ?? {}).sort(), ids, `${line}, ${setting}`);
  }
});

t.test('the repository asks 160 required, 105 optimal tests and 100 checks of a proxy', async (t) => {
  const upstream = RECORDS.find(({ line }) => line === 'upstream');
  const count = (kind: 'required' | 'optimal' | 'check') =>
    upstream?.catalogue.groups.reduce((sum, group) => sum + idsOf(group, kind).length, 0);
  t.same([count('required'), count('optimal'), count('check')], [160, 105, 100]);
});

t.test('the default and share differ in the tests about Set-Cookie alone', async (t) => {
  for (const record of RECORDS) {
    const ids = differing(record);
    t.ok(ids.length > 0, record.line);
    t.same(ids.filter(isAboutSetCookie), ids, record.line);
  }
});

t.test('every check has a reason with its section, and every reason a check', async (t) => {
  const groups = RECORDS.flatMap(({ catalogue }) => catalogue.groups);
  const checks = new Set(groups.flatMap((group) => idsOf(group, 'check')));
  t.same([...REASONS.keys()].sort(), [...checks].sort());
  for (const [id, { section, why }] of REASONS) {
    t.match(section, SECTION, id);
    t.match(why, /^[A-Z].*\.$/, `${id}: a sentence`);
  }
});

t.test(
  'every required or optimal test that is not passed is named with the paragraph that says otherwise',
  async (t) => {
    t.same([...DEPARTURES.keys()].sort(), [...new Set(RECORDS.flatMap(notPassed))].sort());
    for (const [id, { section, upstream }] of DEPARTURES) {
      t.match(section, SECTION, id);
      t.ok(upstream.length > 0, id);
    }
  },
);

t.test('with share every required test of the repository passes', async (t) => {
  const upstream = RECORDS.find(({ line }) => line === 'upstream');
  const required = upstream?.catalogue.groups.flatMap((group) => idsOf(group, 'required')) ?? [];
  t.same(
    required.filter((id) => upstream?.expected.share?.[id] !== 'pass'),
    [],
  );
});
