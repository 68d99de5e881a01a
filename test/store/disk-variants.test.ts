// Goal: the variants of one key are found on disk with little ado, and never as they were before. Method: a tier on a directory of its own, looked at again after each kind of change.
import t from 'tap';
import { DISK_ABSENT_MS, MAX_DISK_RECENT_RECORD_BYTES } from '../../lib/base/disk-limits.js';
import { MAX_VARIANTS } from '../../lib/base/limits.js';
import { Fields } from '../../lib/http/fields.js';
import { Body } from '../../lib/object/body.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { recordKey } from '../../lib/store/disk-keys.js';
import { RecentRecords } from '../../lib/store/recent-records.js';
import type { DiskBench } from '../kit/disk.js';
import { setUp } from './disk-walk.kit.js';
import { freshened, makeStored } from './make-stored.js';

const KEY = 'http://a.test/';
const KB = 1024;

const languages = (found: readonly StoredResponse[]): (string | undefined)[] =>
  found.map(({ selection }) => selection.values[0]).sort();

const textOf = (stored: StoredResponse | undefined): string | undefined =>
  stored === undefined ? undefined : Buffer.concat(stored.body.wholeChunks as Buffer[]).toString();

/** A miss looks below first; nothing there is what it wants. */
function missed({ store }: DiskBench, key = KEY): void {
  store.recall(key, () => undefined);
}

function recalled({ store }: DiskBench, language: string): StoredResponse | undefined {
  return store.recall(KEY, (found) => found.find(({ selection }) => selection.values[0] === language));
}

/** How often a record is looked up in the file from now on. */
function countRecords({ file }: DiskBench): { count: number } {
  const looks = { count: 0 };
  const { records } = file.tables;
  for (const way of ['get', 'view'] as const) {
    const look = records[way] as (key: Uint8Array) => Buffer | undefined;
    Object.assign(records, { [way]: (key: Uint8Array) => looks.count++ >= 0 && look(key) });
  }
  return looks;
}

t.test('RFC 9111 §4.1: a miss of one variant looks once at the others that lie on disk', async (t) => {
  const { bench, clock, make } = setUp(t);
  for (const language of ['de', 'en', 'fr']) bench.store.put(make({ language }));
  const again = await bench.reopened();
  const looks = countRecords(again);
  missed(again);
  const once = looks.count;
  for (let times = 0; times < 2; times++) t.same(languages(again.store.known(KEY, true)), ['de', 'en', 'fr']);
  t.equal(looks.count, once);
  t.equal(again.store.known(KEY).length, 3);
  t.ok(looks.count > once, 'who does not come from a miss looks anew');
  const twice = looks.count;
  clock.advance(DISK_ABSENT_MS + 1);
  t.equal(again.store.known(KEY, true).length, 3);
  t.ok(looks.count > twice, 'and so does who comes late');
});

t.test('RFC 9111 §4.1: what happens to the variants of a key while a miss of one is under way counts', async (t) => {
  const { bench, clock, make } = setUp(t);
  for (const language of ['de', 'en', 'fr']) bench.store.put(make({ language }));
  const again = await bench.reopened();
  missed(again);
  const [english] = again.store.known(KEY, true).filter(({ selection }) => selection.values[0] === 'en');
  if (english === undefined) throw new Error('it is there');
  again.store.remove(english, 'purged');
  t.same(languages(again.store.known(KEY, true)), ['de', 'fr'], 'one is purged');
  await again.tier.settled();
  t.same(languages(again.store.known(KEY, true)), ['de', 'fr'], 'and so it is on disk');
  missed(again);
  clock.advance(10);
  again.store.put(make({ language: 'de', body: Body.of([Buffer.from('new')]) }));
  again.memory.removeKey(KEY, 'evicted');
  const german = () => again.store.known(KEY, true).find(({ selection }) => selection.values[0] === 'de');
  t.equal(textOf(german()), 'new', 'one is replaced');
  missed(again);
  const current = german();
  if (current === undefined) throw new Error('it is there');
  again.store.swap(current, freshened(current, clock.now() + 5, Fields.of({ ETag: '"2"' })));
  t.equal(german()?.fields.get('etag'), '"2"', 'one is freshened');
  missed(again);
  const next = german();
  if (next === undefined) throw new Error('it is there');
  again.store.swap(next, freshened(next, clock.now() + 6, Fields.of({ ETag: '"3"' })));
  t.equal(german()?.fields.get('etag'), '"3"', 'and again, before that was written');
  missed(again);
  again.store.removeKey(KEY, 'purged');
  t.same(again.store.known(KEY, true), [], 'all are purged');
});

t.test('RFC 9111 §4.1: a variant that another worker replaced or took away is not found as it was', async (t) => {
  const { bench, clock, make } = setUp(t);
  bench.store.put(make({ language: 'de', body: Body.of([Buffer.from('old')]) }));
  bench.store.put(make({ language: 'en', body: Body.of([Buffer.from('english')]) }));
  const again = await bench.reopened();
  const place = recordKey(KEY, make({ language: 'de' }).selection);
  t.same(again.store.known(KEY).map(textOf).sort(), ['english', 'old']);
  const write = async (stored: StoredResponse): Promise<void> => {
    const other = setUp(t);
    other.bench.store.put(stored);
    await other.bench.tier.settled();
    const entry = other.bench.file.tables.records.get(place);
    if (entry === undefined) throw new Error('it was written');
    again.file.write(() => again.file.tables.records.put(place, entry));
    again.file.refresh();
  };
  clock.advance(10);
  const renewed = make({ language: 'de', body: Body.of([Buffer.from('new')]) });
  await write(renewed);
  t.same(again.store.known(KEY).map(textOf).sort(), ['english', 'new'], 'another body of the same length');
  await write(freshened(renewed, clock.now() + 5));
  t.equal(recalled(again, 'de')?.life.bornAt, clock.now() + 5, 'the same after a 304');
  again.memory.removeKey(KEY, 'evicted');
  again.file.write(() => again.file.tables.records.remove(place));
  again.file.refresh();
  t.same(again.store.known(KEY).map(textOf), ['english']);
});

t.test('RFC 9111 §4.4: what a look has not found any more, no later one finds as it was', async (t) => {
  const { bench, make } = setUp(t);
  const made = ['de', 'en'].map((language) => make({ language }));
  for (const one of made) bench.store.put(one);
  const again = await bench.reopened();
  missed(again);
  t.equal(again.store.known(KEY, true).length, 2);
  // Another worker has purged them, and told nobody yet.
  for (const { selection } of made) again.file.write(() => again.file.tables.records.remove(recordKey(KEY, selection)));
  again.file.refresh();
  missed(again);
  t.same(again.store.known(KEY, true), []);
});

t.test('issue 5: a variant whose record is damaged after it was read is a miss, counted, and taken away', async (t) => {
  const { bench, make } = setUp(t);
  bench.store.put(make({ language: 'de' }));
  bench.store.put(make({ language: 'en' }));
  const again = await bench.reopened();
  t.equal(again.store.known(KEY).length, 2);
  const place = recordKey(KEY, make({ language: 'de' }).selection);
  const entry = again.file.tables.records.get(place);
  if (entry === undefined) throw new Error('it is there');
  // A byte of its key.
  const at = entry.indexOf(KEY);
  entry[at] = (entry[at] as number) ^ 0xff;
  again.file.write(() => again.file.tables.records.put(place, entry));
  again.file.refresh();
  t.same(languages(again.store.known(KEY)), ['en']);
  t.equal(again.tier.stats.unreadable.checksum, 1);
  await again.tier.settled();
  t.equal(again.file.tables.records.get(place), undefined);
});

t.test('issue 5: what is found twice is two responses: what memory does to one leaves the other alone', async (t) => {
  const { bench, make } = setUp(t);
  bench.store.put(make({ language: 'de', body: Body.of([Buffer.from('hello')]) }));
  bench.store.put(make({ language: 'en' }));
  const again = await bench.reopened();
  const [before] = again.store.known(KEY).filter(({ selection }) => selection.values[0] === 'de');
  const promoted = recalled(again, 'de');
  t.ok(promoted?.fields.slab ?? promoted?.body.slab, 'memory has moved what it holds');
  t.not(promoted?.fields, before?.fields);
  t.not(promoted?.body, before?.body);
  t.equal(before?.fields.slab, undefined);
  t.equal(textOf(before), 'hello');
  t.equal(textOf(recalled(again, 'de') ?? promoted), 'hello');
});

t.test('issue 5: the records that are kept for the next look are bounded in bytes, and the oldest go', (t) => {
  const records = new RecentRecords();
  const read = (name: string, bytes: number) => {
    const record = Buffer.alloc(bytes, name);
    const ref = { id: Buffer.alloc(12), bytes: 0, isInline: false };
    const { body: _body, ...head } = makeStored({ bornAt: 0, language: name });
    const note = Buffer.alloc(0);
    return {
      recordKey: Buffer.from(name),
      record,
      ref,
      inline: note,
      head: { ...head, bodyBytes: 0, parts: undefined, mark: 0, note },
    };
  };
  const all = Array.from({ length: 100 }, (_, at) => read(`n${at}`, 64 * KB));
  for (const [at, one] of all.entries()) records.note(`n${at}`, one);
  t.ok(records.bytes <= MAX_DISK_RECENT_RECORD_BYTES);
  t.ok(records.bytes > MAX_DISK_RECENT_RECORD_BYTES / 2);
  const known = all.map(({ record }, at) => records.get(`n${at}`, record) !== undefined);
  t.notOk(known[0]);
  t.ok(known[99]);
  t.equal(records.get('n99', Buffer.alloc(64 * KB)), undefined, 'something else stands there now');
  records.note('n99', read('n99', 10));
  t.equal(records.get('n99', Buffer.alloc(10, 'n99'))?.record.length, 10);
  t.equal(records.get('n99', all[99]?.record ?? Buffer.alloc(0)), undefined);
  t.end();
});

t.test(
  'issue 4: a purge leaves nothing of a key of which several workers wrote more variants than are kept',
  async (t) => {
    const { bench, clock, make } = setUp(t);
    const again = await bench.reopened();
    const count = MAX_VARIANTS * 4;
    for (let worker = 0; worker < 8; worker++) {
      const other = setUp(t, { clock, directory: again.directory });
      for (let at = 0; at < count / 8; at++) {
        clock.advance(1);
        other.bench.tier.put(makeStored({ bornAt: clock.now(), language: `l${worker}-${at}` }));
      }
      await other.bench.reopened();
    }
    again.tier.reading.refresh();
    t.equal(again.file.tables.records.count, count);
    const found = again.store.known(KEY);
    t.equal(found.length, MAX_VARIANTS);
    t.equal(found[0]?.selection.values[0], 'l7-31', 'the newest stay');
    t.equal(again.store.removeKey(KEY, 'purged'), MAX_VARIANTS);
    t.same(again.store.known(KEY), []);
    await again.tier.settled();
    t.equal(again.file.tables.records.count, 0);
    t.same(make({}).key, KEY);
  },
);
