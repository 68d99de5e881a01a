// Goal: issue 5, a full filesystem ends no process that reads: where a write over something takes room, the lock of the file lies in memory. Method: a device that says so, and sockets of others.
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../lib/base/clock.js';
import { DISK_HALF_MADE_MS } from '../../lib/base/disk-limits.js';
import { diskWarnings } from '../../lib/cli/disk-warnings.js';
import { DEVICE, type Device } from '../../lib/store/disk-growth.js';
import { tellHolder, untellHolder } from '../../lib/store/disk-holders.js';
import { DiskOpening, type OpenedDisk } from '../../lib/store/disk-open.js';
import { makeDirectory } from '../kit/disk.js';

const SIZE = 64_000_000;
const KEY = Buffer.from('key');
const HOLDER = /^holder-/;
// It does run where .ci/run does.
const linux = { skip: process.platform === 'linux' ? false : 'NOT SHOWN HERE: it takes Linux' };

interface Place {
  readonly path: string;
  readonly directory: string;
  readonly lock: string;
}

function placeFor(t: Test): Place {
  const path = makeDirectory(t);
  const directory = join(path, 'v2');
  t.teardown(() => untellHolder(directory));
  return { path, directory, lock: join(directory, 'lock.mdb') };
}

/** A filesystem that copies on write, and what there is of shared memory. */
function copying(memory: string | undefined): Device {
  return { ...DEVICE, copiesOnWrite: () => 'btrfs', sharedMemory: () => memory };
}

/** At once. */
function opened(path: string, device: Device): OpenedDisk {
  const found = new DiskOpening(path, SIZE, () => {}, device).tryNow();
  if (found === 'unsure') throw new Error('it is opened at once');
  return found;
}

function holders(directory: string): string[] {
  return readdirSync(directory).filter((name) => HOLDER.test(name));
}

/** A socket as a process with a lock of that name has it, and how its process dies. */
async function stranger(t: Test, directory: string, lock = '1.1'): Promise<() => Promise<void>> {
  mkdirSync(directory, { recursive: true });
  const server = createServer((socket) => socket.destroy());
  // Under another name, or it would be gone with the server.
  const made = join(directory, 'made');
  await new Promise<void>((resolve) => server.listen(made, resolve));
  renameSync(made, join(directory, `holder-${lock}-1-00`));
  const die = () => new Promise<void>((resolve) => void server.close(() => resolve()));
  t.teardown(() => (server.listening ? die() : undefined));
  return die;
}

t.test(
  'issue 5: where a write over something takes room, the lock lies in memory, for this user alone, and is whole',
  async (t) => {
    const { path, directory, lock } = placeFor(t);
    const memory = makeDirectory(t);
    const one = opened(path, copying(memory));
    const target = readlinkSync(lock);
    t.ok(target.startsWith(join(memory, `patina-${process.geteuid?.()}/lock-`)));
    t.equal(statSync(join(target, '..')).mode & 0o777, 0o700);
    t.ok(statSync(target).blocks * 512 >= statSync(target).size, 'none of it is a hole');
    t.same(one.remarks, []);
    t.same(diskWarnings(path, copying(memory)), []);
    one.file.makeRoom(100, () => {});
    one.file.write(() => one.file.tables.records.put(KEY, KEY));
    const other = opened(path, copying(memory));
    t.same(other.file.tables.records.get(KEY), KEY);
    t.equal(readlinkSync(lock), target, 'the next one has the same');
    t.equal(holders(directory).length, 1);
    await other.file.close();
    await one.file.close();
  },
);

t.test('issue 5: elsewhere the lock lies beside the data, and nobody is told anything', async (t) => {
  const { path, directory, lock } = placeFor(t);
  const { file } = opened(path, { ...DEVICE, copiesOnWrite: () => undefined });
  t.ok(lstatSync(lock).isFile());
  t.same(holders(directory), []);
  await file.close();
});

t.test('issue 5: a link to memory that a copy of the directory has is of no use elsewhere', async (t) => {
  const { path, directory, lock } = placeFor(t);
  mkdirSync(directory);
  symlinkSync('/nowhere/patina-0/lock-1-2', lock);
  const { file } = opened(path, { ...DEVICE, copiesOnWrite: () => undefined });
  t.ok(lstatSync(lock).isFile());
  await file.close();
});

t.test(
  'issue 5: where it cannot lie in memory it lies beside the data, and the log says what may come of that',
  async (t) => {
    for (const memory of ['none', 'of others', 'missing']) {
      const { path, lock, directory } = placeFor(t);
      const there = makeDirectory(t);
      const own = join(there, `patina-${process.geteuid?.()}`);
      if (memory === 'of others') {
        mkdirSync(own);
        chmodSync(own, 0o755);
      }
      if (memory === 'missing') writeFileSync(own, '');
      mkdirSync(directory);
      symlinkSync('/nowhere/patina-0/lock-1-2', lock);
      const { file, remarks } = opened(path, copying(memory === 'none' ? undefined : there));
      t.ok(lstatSync(lock).isFile(), memory);
      t.same(
        remarks.map(({ code }) => code),
        ['disk-copies'],
      );
      t.match(remarks[0]?.sentence, /btrfs/);
      for (const one of [path, join(path, 'not', 'yet')]) {
        t.match(
          diskWarnings(one, copying(memory === 'none' ? undefined : there)),
          remarks.map(({ code }) => ({ code })),
          '`check` says so too',
        );
      }
      t.equal(holders(directory).length, 1, 'others are told all the same');
      await file.close();
    }
  },
);

t.test('issue 5: who has not the same memory has the file when nobody else has it any more', linux, async (t) => {
  const { path, directory, lock } = placeFor(t);
  const die = await stranger(t, directory);
  const opening = new DiskOpening(path, SIZE, () => {}, copying(makeDirectory(t)));
  t.equal(opening.tryNow(), 'unsure');
  await t.rejects(opening.tryWithCare(systemClock()), /has it open.*shared memory/);
  t.notOk(existsSync(lock), 'the lock of the other is left alone');
  t.same(holders(directory), ['holder-1.1-1-00'], 'it does not keep others from it meanwhile');
  await die();
  const { file } = await opening.tryWithCare(systemClock());
  t.ok(lstatSync(lock).isSymbolicLink());
  t.equal(holders(directory).length, 1, 'what the dead one left is gone');
  t.not(holders(directory)[0], 'holder-1.1-1-00');
  await file.close();
});

t.test('issue 5: of those with the same lock the dead leave nothing behind', linux, async (t) => {
  const { path, directory } = placeFor(t);
  const memory = makeDirectory(t);
  const { file } = opened(path, copying(memory));
  await file.close();
  const [own = ''] = holders(directory);
  const lock = own.split('-')[1] ?? '';
  const die = await stranger(t, directory, lock);
  await die();
  const again = opened(path, copying(memory));
  while (holders(directory).length > 1) await new Promise((resolve) => setImmediate(resolve));
  t.same(holders(directory), [own]);
  await again.file.close();
});

t.test(
  'issue 5: what a killed process had half made goes with the next start, and what is being made does not',
  linux,
  async (t) => {
    const { path, directory } = placeFor(t);
    const memory = makeDirectory(t);
    await opened(path, copying(memory)).file.close();
    untellHolder(directory);
    const target = readlinkSync(join(directory, 'lock.mdb'));
    const namesOf = (pid: number): string[] => {
      const names = [
        join(directory, `holder-1.1-${pid}-00.new`),
        join(directory, `lock.mdb-${pid}`),
        `${target}-${pid}`,
      ];
      for (const name of names) writeFileSync(name, '');
      return names;
    };
    const [left, young] = [namesOf(7), namesOf(8)];
    const longAgo = Date.now() / 1000 - 2 * (DISK_HALF_MADE_MS / 1000);
    for (const name of left) utimesSync(name, longAgo, longAgo);
    const { file } = opened(path, copying(memory));
    t.same(
      left.filter((name) => existsSync(name)),
      [],
    );
    t.same(
      young.filter((name) => existsSync(name)),
      young,
    );
    t.ok(existsSync(target), 'the lock is there');
    await file.close();
  },
);

t.test(
  'issue 5: who has lost the file by which it tells others of itself tells them anew with the next start',
  linux,
  async (t) => {
    const { path, directory } = placeFor(t);
    const memory = makeDirectory(t);
    await opened(path, copying(memory)).file.close();
    for (const name of holders(directory)) rmSync(join(directory, name));
    const { file } = opened(path, copying(memory));
    t.equal(holders(directory).length, 1);
    await file.close();
  },
);

t.test(
  'issue 5: a file that is set aside takes its lock along, and the next one has one of its own',
  linux,
  async (t) => {
    const { path, directory, lock } = placeFor(t);
    const memory = makeDirectory(t);
    await opened(path, copying(memory)).file.close();
    const target = readlinkSync(lock);
    writeFileSync(join(directory, 'data.mdb'), 'no such file');
    const { file, remarks } = opened(path, copying(memory));
    t.same(
      remarks.map(({ code }) => code),
      ['disk-damaged'],
    );
    t.not(readlinkSync(lock), target);
    await file.close();
  },
);

t.test('issue 5: where no socket can be made, that is said', linux, async (t) => {
  t.throws(() => tellHolder('/proc/self', '1.1'), /no socket can be made/);
});
