// Goal: decision 0017, lmdb loses count of its free pages where a value with pages of its own goes in the transaction that wrote it: none does. Method: a file that tells what each transaction does to such values.
import t, { type Test } from 'tap';
import { DISK_ORPHAN_MS } from '../../lib/base/disk-limits.js';
import { BatchWriter, type DiskOrder } from '../../lib/store/disk-batch.js';
import { DISK_PAGE_BYTES, type DiskFile, type DiskTable, openDiskFile, TABLES } from '../../lib/store/disk-file.js';
import { BODY_ID_BYTES, chunkKey, DISK_CHUNK_BYTES } from '../../lib/store/disk-keys.js';
import { DiskWriting, HOT_KEY } from '../../lib/store/disk-writing.js';
import { makeDirectory } from '../kit/disk.js';

const SIZE_BYTES = 64 * 1024 * 1024;

interface Watched {
  readonly file: DiskFile;
  /** What lmdb must not be asked for. */
  readonly faults: string[];
  transactions: number;
  /** What the next commits fail with, one each; undefined: it goes through. */
  readonly failures: (Error | undefined)[];
  /** For how many bytes room was made. */
  readonly room: number[];
}

/** Whoever writes through it is watched. */
function watched(file: DiskFile): Watched {
  const written = new Map<string, number>();
  const faults: string[] = [];
  const failures: (Error | undefined)[] = [];
  const room: number[] = [];
  const pagesOf = (value: Uint8Array): number => Math.ceil((value.length + 64) / DISK_PAGE_BYTES);
  const tables = Object.fromEntries(
    TABLES.map((name) => {
      const table = file.tables[name];
      const place = (key: Uint8Array): string => `${name} ${Buffer.from(key).toString('latin1')}`;
      const wrote = (key: Uint8Array, value: Uint8Array): void => {
        const before = written.get(place(key));
        if (before !== undefined && before !== pagesOf(value)) faults.push(`replaced: ${place(key)}`);
        if (value.length > DISK_PAGE_BYTES / 2) written.set(place(key), pagesOf(value));
      };
      const own: Partial<DiskTable> = {
        put(key, value) {
          wrote(key, value);
          table.put(key, value);
        },
        add(key, value) {
          const isNew = table.add(key, value);
          if (isNew) wrote(key, value);
          return isNew;
        },
        remove(key) {
          if (written.has(place(key))) faults.push(`removed: ${place(key)}`);
          table.remove(key);
        },
        clear() {
          if ([...written.keys()].some((one) => one.startsWith(`${name} `))) faults.push(`cleared: ${name}`);
          table.clear();
        },
      };
      return [name, Object.setPrototypeOf(own, table) as DiskTable];
    }),
  ) as DiskFile['tables'];
  const own: Partial<DiskFile> = {
    tables,
    makeRoom(bytes, breathe) {
      room.push(bytes);
      file.makeRoom(bytes, breathe);
    },
    write(run) {
      found.transactions++;
      written.clear();
      file.write(() => {
        run();
        const failure = failures.shift();
        if (failure !== undefined) throw failure;
      });
    },
  };
  const found: Watched = {
    file: Object.setPrototypeOf(own, file) as DiskFile,
    faults,
    transactions: 0,
    failures,
    room,
  };
  return found;
}

const set = (t: Test) => {
  const real = openDiskFile(makeDirectory(t), SIZE_BYTES);
  t.teardown(() => real.close());
  const told = watched(real);
  const writing = new DiskWriting(told.file, SIZE_BYTES);
  const carryOut = (...orders: DiskOrder[]) => {
    const batch = new BatchWriter();
    for (const order of orders) batch.add(order);
    const report = writing.do({ batch: batch.take(), now: 1_000 });
    real.refresh();
    return report;
  };
  return { ...told, told, real, writing, carryOut };
};

const id = (number: number): Buffer => Buffer.alloc(BODY_ID_BYTES, number);
const key = (name: string): Buffer => Buffer.from(`http://a.test/${name}\0`);
const NONE = Buffer.alloc(0);

const chunk = (body: number): DiskOrder => ({
  kind: 'chunk',
  key: chunkKey(id(body), 0),
  value: Buffer.alloc(DISK_CHUNK_BYTES, body),
});

const put = (name: string, { body = 0, recordBytes = 100 } = {}): DiskOrder => ({
  kind: 'put',
  key: key(name),
  record: Buffer.alloc(recordBytes, 1),
  expiryMinute: 1_000_000,
  bodyId: id(body),
  isVaried: false,
  hasBody: body > 0,
  isRepeatable: false,
  chunks: body > 0 ? 1 : 0,
  tagHashes: NONE,
  inline: NONE,
});
const remove = (name: string): DiskOrder => ({ kind: 'remove', key: key(name), reason: 'purged' });

t.test('a body that is overtaken, or not wanted, in the batch that brings it goes in a later one', async (t) => {
  const { carryOut, writing, real, faults, told } = set(t);
  carryOut(chunk(1), put('a', { body: 1 }), chunk(2), put('a', { body: 2 }), chunk(3), {
    kind: 'drop-body',
    bodyId: id(3),
    chunks: 1,
  });
  carryOut(chunk(4), put('b', { body: 4 }), remove('b'));
  t.same(faults, []);
  t.equal(told.transactions, 2, 'each batch was one transaction');
  t.ok(real.tables.bodies.has(chunkKey(id(2), 0)));
  writing.do({ batch: undefined, now: 2_000 });
  real.refresh();
  t.same(faults, []);
  const left = [1, 2, 3, 4].filter((body) => real.tables.bodies.has(chunkKey(id(body), 0)));
  t.same(left, [2], 'and the next step of tidying up takes it');
  t.equal(real.tables.doomed.count, 0);
});

t.test('a record with pages of its own that is overtaken in its batch goes in a transaction behind', async (t) => {
  const { carryOut, real, faults, told } = set(t);
  const large = { recordBytes: DISK_PAGE_BYTES };
  const report = carryOut(put('a', large), put('b', large), remove('a'), put('b'), put('c', large), { kind: 'mark' });
  t.same(faults, []);
  t.equal(told.transactions, 2);
  t.same(
    ['a', 'b', 'c'].map((name) => (real.tables.records.get(key(name))?.length ?? 0) > DISK_PAGE_BYTES),
    [false, false, true],
  );
  t.same([report.records, report.removed.purged], [2, 1]);
  carryOut(put('d', large), put('e'), { kind: 'clear' });
  carryOut(chunk(1), { kind: 'clear' });
  const hot: DiskOrder = { kind: 'hot', list: Buffer.alloc(DISK_PAGE_BYTES) };
  carryOut(hot, { ...hot, list: Buffer.of(1) });
  t.same(faults, []);
  t.same([real.tables.records.count, real.tables.bodies.count], [0, 0]);
  t.same(real.tables.meta.get(HOT_KEY), Buffer.of(1));
});

const refused = () =>
  Object.assign(new Error('MDB_BAD_TXN: freelist entry 7 had bad/duplicate entries'), { code: -30782 });

t.test('a commit that lmdb refuses over its list of free pages is tried once more, with the same orders', async (t) => {
  const { carryOut, real, told } = set(t);
  told.failures.push(refused());
  const report = carryOut(chunk(1), put('a', { body: 1 }), put('b'), remove('b'));
  t.same([report.records, report.removed], [1, { purged: 1 }]);
  t.ok(real.tables.records.has(key('a')));
  told.failures.push(refused(), refused());
  t.throws(() => carryOut(put('c')), { code: '-30782', message: /MDB_BAD_TXN/ });
  t.notOk(real.tables.records.has(key('c')));
  told.failures.push(new Error('MDB_PROBLEM: else'));
  t.throws(() => carryOut(put('c')), { message: /else/ }, 'what else fails fails at once');
});

t.test('where lmdb refuses the second transaction of a batch, what the first did is not done again', async (t) => {
  const { carryOut, writing, real, told } = set(t);
  carryOut(put('old'));
  told.transactions = 0;
  told.failures.push(undefined, refused());
  const large = put('k', { recordBytes: DISK_PAGE_BYTES });
  const report = carryOut(
    remove('old'),
    chunk(1),
    put('j', { body: 1 }),
    chunk(2),
    large,
    put('k'),
    put('l', { body: 2 }),
  );
  t.equal(told.transactions, 3);
  t.same(report.removed, { purged: 1 }, 'each that left is counted once');
  t.same([report.records, report.bodiless, report.outdated, report.refused], [3, [], [], []]);
  t.equal(real.tables.doomed.count, 0, 'a body that has a record is not to go');
  writing.do({ batch: undefined, now: 1_000 + DISK_ORPHAN_MS + 1 });
  real.refresh();
  for (const body of [1, 2]) t.ok(real.tables.bodies.has(chunkKey(id(body), 0)));
});

t.test('what is written in the end is not told as left out for the sake of what it overtook', async (t) => {
  const { carryOut } = set(t);
  const without = put('a', { body: 1 });
  t.same(carryOut(without, put('b', { body: 2 }), put('a')).bodiless, [key('b')]);
  t.same(carryOut(put('c'), put('c', { body: 1 })).bodiless, [key('c')], 'but for what it came before');
});

t.test('room is made for each transaction of a batch', async (t) => {
  const { carryOut, told } = set(t);
  carryOut(put('a', { recordBytes: DISK_PAGE_BYTES }), put('a'));
  t.equal(told.transactions, 2);
  t.equal(told.room.length, 2);
  t.ok(told.room.every((bytes) => bytes > DISK_PAGE_BYTES));
});
