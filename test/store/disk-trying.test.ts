// Goal: issue 5, a disk that cannot be written is tried again, later and later. Method: the part that knows when, on a clock of the test's own; a file that is taken away.
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { DISK_RETRY_FIRST_MS, DISK_RETRY_MAX_MS, MAX_DISK_DAMAGED_WRITES } from '../../lib/base/disk-limits.js';
import { DISK_FILE_NAME } from '../../lib/store/disk-file.js';
import { DiskTrying } from '../../lib/store/disk-trying.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { openDisk } from '../kit/disk.js';
import { makeStored } from './make-stored.js';

function setUp(): { clock: FakeClock; trying: DiskTrying; tries(): number } {
  const clock = new FakeClock();
  let count = 0;
  return { clock, trying: new DiskTrying(clock, () => count++), tries: () => count };
}

t.test('issue 5: each failure has it tried once more, after twice as long, up to a limit', (t) => {
  const { clock, trying, tries } = setUp();
  let delayMs = DISK_RETRY_FIRST_MS;
  for (let failures = 1; failures < 12; failures++) {
    t.equal(trying.failed(), failures === 1, 'it is news once');
    clock.advance(delayMs - 1);
    t.equal(tries(), failures - 1);
    clock.advance(1);
    t.equal(tries(), failures);
    delayMs = Math.min(delayMs * 2, DISK_RETRY_MAX_MS);
  }
  t.equal(delayMs, DISK_RETRY_MAX_MS);
  t.end();
});

t.test('issue 5: a short recovery is none, a long one begins anew', (t) => {
  const { clock, trying, tries } = setUp();
  trying.failed();
  clock.advance(DISK_RETRY_FIRST_MS);
  t.ok(trying.succeeded());
  t.ok(trying.isWritable);
  t.notOk(trying.succeeded(), 'that it can be written is news once');
  trying.failed();
  clock.advance(DISK_RETRY_FIRST_MS);
  t.equal(tries(), 1, 'the pause is longer now');
  clock.advance(DISK_RETRY_FIRST_MS);
  t.equal(tries(), 2);
  trying.succeeded();
  clock.advance(DISK_RETRY_MAX_MS);
  trying.failed();
  clock.advance(DISK_RETRY_FIRST_MS);
  t.equal(tries(), 3);
  t.end();
});

t.test('issue 5: once the tier is closed nothing is tried', (t) => {
  const { clock, trying, tries } = setUp();
  trying.failed();
  trying.stop();
  clock.advance(DISK_RETRY_MAX_MS);
  t.equal(tries(), 0);
  t.end();
});

t.test(
  'issue 5: a file that is taken away is not written, whatever is there in its place, until it is back',
  async (t) => {
    const clock = new FakeClock();
    const bench = openDisk(t, { clock });
    const path = join(bench.directory, DISK_FILE_NAME);
    const put = async (key: string): Promise<boolean> => {
      bench.store.put(makeStored({ key, bornAt: clock.now() }));
      return bench.tier.settled();
    };
    t.ok(await put('http://a.test/1'));
    renameSync(path, `${path}.away`);
    await put('http://a.test/2');
    t.match([bench.tier.stats.state, bench.notices], ['read-only', ['disk-read-only']]);
    writeFileSync(path, 'of another process');
    clock.advance(DISK_RETRY_FIRST_MS);
    while (bench.tier.stats.failures < 2) await turns(1);
    t.equal(bench.tier.stats.state, 'read-only', 'what is written now would be gone with this process');
    t.equal(bench.store.known('http://a.test/1').length, 1, 'what was there is served');
    renameSync(`${path}.away`, path);
    clock.advance(DISK_RETRY_MAX_MS);
    while (bench.tier.stats.state !== 'writable') await turns(1);
    t.ok(await put('http://a.test/3'));
    t.same(bench.notices, ['disk-read-only', 'disk-writable']);
  },
);

for (const [code, isOfTheFile] of [
  ['MDB_BAD_TXN', true],
  ['MDB_CORRUPTED', true],
  ['MDB_MAP_FULL', false],
  ['ENOSPC', false],
] as const) {
  t.test(
    `issue 5: where writes fail with ${code}, ${isOfTheFile ? 'the next start sets the file aside' : 'the file stays'}`,
    async (t) => {
      const clock = new FakeClock();
      const bench = openDisk(t, { clock });
      const key = 'http://a.test/1';
      bench.store.put(makeStored({ key, bornAt: clock.now() }));
      await bench.tier.settled();
      bench.fail = code;
      bench.store.removeKey(key, 'purged');
      await bench.tier.settled();
      for (let failures = 1; failures <= MAX_DISK_DAMAGED_WRITES + 1; failures++) {
        while (bench.tier.stats.failures < failures) await turns(1);
        t.equal(bench.isDamaged, isOfTheFile && failures >= MAX_DISK_DAMAGED_WRITES, `after ${failures}`);
        clock.advance(DISK_RETRY_MAX_MS);
      }
      t.same(bench.notices, isOfTheFile ? ['disk-read-only', 'disk-unwritable'] : ['disk-read-only']);
    },
  );
}

t.test(
  'issue 5: a write that fails now and then, with others between that do not, says nothing of the file',
  async (t) => {
    const clock = new FakeClock();
    const bench = openDisk(t, { clock });
    for (let n = 1; n <= 2 * MAX_DISK_DAMAGED_WRITES; n++) {
      bench.fail = 'MDB_BAD_TXN';
      bench.store.put(makeStored({ key: `http://a.test/${n}`, bornAt: clock.now() }));
      clock.advance(DISK_RETRY_MAX_MS);
      while (bench.tier.stats.failures < n) await turns(1);
      bench.fail = undefined;
      bench.store.removeKey(`http://a.test/${n}`, 'purged');
      while (bench.tier.stats.state !== 'writable') {
        clock.advance(DISK_RETRY_MAX_MS);
        await turns(1);
      }
    }
    t.equal(bench.isDamaged, false);
    t.notOk(bench.notices.includes('disk-unwritable'));
  },
);

t.test('issue 5: where not even the damage can be noted, that is told, and the tier goes on as it is', async (t) => {
  const clock = new FakeClock();
  const bench = openDisk(t, { clock });
  const key = 'http://a.test/1';
  bench.store.put(makeStored({ key, bornAt: clock.now() }));
  await bench.tier.settled();
  bench.cannotMark = true;
  bench.fail = 'MDB_CORRUPTED';
  bench.store.removeKey(key, 'purged');
  await bench.tier.settled();
  for (let failures = 1; failures <= MAX_DISK_DAMAGED_WRITES; failures++) {
    while (bench.tier.stats.failures < failures) await turns(1);
    clock.advance(DISK_RETRY_MAX_MS);
  }
  t.same(bench.notices, ['disk-read-only', 'disk-unwritable']);
  bench.fail = undefined;
  while (bench.tier.stats.state !== 'writable') {
    clock.advance(DISK_RETRY_MAX_MS);
    await turns(1);
  }
});
