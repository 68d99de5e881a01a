// Goal: issue 5, writing to disk holds up no request. Method: a real thread, and what the system says of the threads of this process; a tier whose jobs are counted.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Timer } from '../../lib/base/clock.js';
import {
  DISK_BATCH_ORDERS,
  DISK_FLUSH_MS,
  DISK_THREAD_NICE,
  DISK_URGENT_ORDERS,
  DISK_WORDED_AT_ONCE_BYTES,
  DISK_WORDED_TOGETHER,
  DISK_WORDED_TURNS,
  MAX_DISK_WORDED_ORDERS,
  MIN_DISK_WORDED_ORDERS,
} from '../../lib/base/disk-limits.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { BatchWriter } from '../../lib/store/disk-batch.js';
import { DISK_FILE_NAME, openDiskFile } from '../../lib/store/disk-file.js';
import { openThreadPort } from '../../lib/store/disk-port.js';
import { DiskWriting } from '../../lib/store/disk-writing.js';
import { FakeClock } from '../kit/clock.js';
import { makeDirectory, openDisk } from '../kit/disk.js';
import { makeStored } from './make-stored.js';

const ENDING = fileURLToPath(new URL('./disk-end-main.js', import.meta.url));
const CLOSING = fileURLToPath(new URL('./disk-close-main.js', import.meta.url));
const isLinux = process.platform === 'linux';

t.test('a thread that cannot be started leaves nothing behind, however often it is tried', async (t) => {
  // What no thread can be told makes the start fail, as a system does that has no thread left.
  const port = openThreadPort({ directory: (() => {}) as unknown as string, sizeBytes: 1 });
  const before = process.listenerCount('exit');
  for (let times = 0; times < 5; times++) {
    t.throws(() => port.send({ batch: undefined, now: 0 }), { name: 'DataCloneError' });
  }
  t.equal(process.listenerCount('exit'), before);
});

t.test('a process that ends while its thread writes waits until that has closed the file', async (t) => {
  for (let times = 0; times < 3; times++) {
    const child = spawn(process.execPath, [CLOSING, makeDirectory(t)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const said: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => said.push(chunk));
    const [code] = await once(child, 'close');
    t.strictSame([code, Buffer.concat(said).toString()], [0, 'closed\n']);
  }
});

t.test(
  'issue 5: a thread that begins after the file was taken away makes no other one, until it is back',
  async (t) => {
    const order = { directory: makeDirectory(t), sizeBytes: 16 * 1024 * 1024 };
    const file = openDiskFile(order.directory, order.sizeBytes);
    const port = openThreadPort({ ...order, inode: file.inode });
    const path = join(order.directory, DISK_FILE_NAME);
    renameSync(path, `${path}.away`);
    const job = { batch: undefined, now: 0 };
    // At once, while the thread that failed has still to end.
    const again = port.send(job).catch((failure: unknown) => {
      t.match(failure, { code: 'thread', message: /was taken away/ });
      t.notOk(existsSync(path));
      renameSync(`${path}.away`, path);
      return port.send(job);
    });
    t.equal((await again).records, 0);
    await port.close();
    await file.close();
  },
);

/** How far each thread of this process stands back, this one first. */
function niceOfThreads(): number[] {
  // The first one's number is that of the process, and need not be the lowest: numbers begin anew.
  const own = String(process.pid);
  const threads = [own, ...readdirSync('/proc/self/task').filter((thread) => thread !== own)];
  return threads.map((thread) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  });
}

t.test(
  'issue 5: the thread that writes stands back, and no other does',
  { skip: isLinux ? false : 'only Linux has priorities of threads' },
  async (t) => {
    const own = niceOfThreads()[0] ?? 0;
    const port = openThreadPort({ directory: makeDirectory(t), sizeBytes: 16 * 1024 * 1024 });
    const report = await port.send({ batch: undefined, now: 0 });
    t.equal(report.records, 0, 'it works');
    const all = niceOfThreads();
    t.equal(all[0], own);
    // Where the process stands back as far or further by itself, nothing is left to do.
    const expected = own < DISK_THREAD_NICE ? 1 : own === DISK_THREAD_NICE ? all.length : 0;
    t.equal(all.filter((nice) => nice === DISK_THREAD_NICE).length, expected);
    await port.close();
  },
);

t.test('issue 5: a start does not wait for the thread that writes: it begins with the first job', async (t) => {
  let started = 0;
  const count = (): void => void started++;
  process.on('worker', count);
  t.teardown(() => process.off('worker', count));
  const port = openThreadPort({ directory: makeDirectory(t), sizeBytes: 16 * 1024 * 1024 });
  await new Promise(setImmediate);
  t.equal(started, 0);
  const { records } = await port.send({ batch: undefined, now: 0 });
  t.same([started, records], [1, 0]);
  await port.close();
});

t.test('issue 5: what is waited for is put into words in batches of so many, and all of it is written', async (t) => {
  const bench = openDisk(t, { clock: new FakeClock() });
  const count = DISK_BATCH_ORDERS + DISK_URGENT_ORDERS * 2 + 1;
  for (let at = 0; at < count; at++) bench.store.put(makeStored({ key: `http://a.test/${at}`, bornAt: 0 }));
  await bench.tier.settled();
  t.equal(bench.tier.stats.records, count);
  t.equal(bench.reports.length, 4);
});

/** What is not put into words as it comes. */
function large(at: number): StoredResponse {
  return makeStored({ key: `http://a.test/${at}`, bodyBytes: DISK_WORDED_AT_ONCE_BYTES, bornAt: 0 });
}

/** Tells how many responses were put into words in one turn of a timer, at most. */
class TurnClock extends FakeClock {
  worded = (): number => 0;
  most = 0;

  override after(delayMs: number, run: () => void): Timer {
    return super.after(delayMs, () => {
      const before = this.worded();
      run();
      this.most = Math.max(this.most, this.worded() - before);
    });
  }
}

t.test(
  'decision 0037: what is small is put into words as soon as there are several, and what comes faster than it is written a few at a time',
  async (t) => {
    const clock = new TurnClock();
    const bench = openDisk(t, { clock });
    clock.worded = () => bench.tier.stats.writes.response;
    const put = (from: number, until: number): void => {
      for (let at = from; at < until; at++) bench.store.put(makeStored({ key: `http://a.test/${at}`, bornAt: 0 }));
    };
    put(0, DISK_BATCH_ORDERS);
    t.equal(bench.tier.stats.writes.response, DISK_BATCH_ORDERS);
    put(DISK_BATCH_ORDERS, DISK_BATCH_ORDERS + 3);
    t.equal(bench.tier.stats.writes.response, DISK_BATCH_ORDERS, 'a batch takes so many');
    t.same([...bench.tier.find('http://a.test/514')].length, 1, 'what is not in words yet is found');
    clock.advance(DISK_FLUSH_MS);
    put(DISK_BATCH_ORDERS + 3, DISK_BATCH_ORDERS + 7);
    t.equal(bench.tier.stats.writes.response, DISK_BATCH_ORDERS, 'few wait for others');
    put(DISK_BATCH_ORDERS + 7, DISK_BATCH_ORDERS + DISK_WORDED_TOGETHER);
    t.equal(bench.tier.stats.writes.response, DISK_BATCH_ORDERS + DISK_WORDED_TOGETHER, 'until there are several');
    await bench.tier.settled();
    t.equal(bench.tier.stats.records, DISK_BATCH_ORDERS + DISK_WORDED_TOGETHER);
  },
);

t.test('decision 0037: a later form of what is in words already is what is found and written', async (t) => {
  const bench = openDisk(t, { clock: new FakeClock() });
  const first = makeStored({ key: 'http://a.test/', bornAt: 0 });
  const second = { ...first, status: 203, fetchedAt: first.fetchedAt + 1 };
  const others = Array.from({ length: DISK_WORDED_TOGETHER - 1 }, (_, at) => `http://a.test/${at}`);
  bench.store.put(first);
  for (const key of others) bench.store.put(makeStored({ key, bornAt: 0 }));
  bench.store.put(second, first);
  for (const key of others) bench.store.put(makeStored({ key: `${key}/again`, bornAt: 0 }));
  t.same(bench.tier.stats.writes, { response: 1 + 2 * others.length, header: 1 });
  t.same(
    bench.tier.find(first.key).map(({ status }) => status),
    [203],
  );
  await bench.tier.settled();
  t.same(
    bench.tier.find(first.key).map(({ status, body }) => [status, body.receivedBytes]),
    [[203, 100]],
  );
});

t.test('issue 5: what waits is put into words a few at a time, and in one batch', async (t) => {
  const clock = new TurnClock();
  const bench = openDisk(t, { clock });
  clock.worded = () => bench.tier.stats.writes.response;
  const count = MIN_DISK_WORDED_ORDERS * 3 + 1;
  for (let at = 0; at < count; at++) bench.store.put(large(at));
  for (let turn = 0; turn < 10; turn++) clock.advance(DISK_FLUSH_MS);
  t.equal(bench.tier.stats.writes.response, count);
  t.equal(clock.most, MIN_DISK_WORDED_ORDERS);
  await bench.tier.settled();
  t.equal(bench.tier.stats.records, count);
  t.equal(bench.reports.find(({ records }) => records > 0)?.records, count);
});

t.test('issue 5: where much waits, more of it is put into words in a turn, up to a bound', async (t) => {
  const clock = new TurnClock();
  const bench = openDisk(t, { clock });
  clock.worded = () => bench.tier.stats.writes.response;
  const count = DISK_WORDED_TURNS * MAX_DISK_WORDED_ORDERS * 2;
  for (let at = 0; at < count; at++) bench.store.put(large(at));
  clock.advance(DISK_FLUSH_MS);
  t.equal(clock.most, MAX_DISK_WORDED_ORDERS);
  await bench.tier.settled();
});

t.test('issue 5: between any two changes the writer is asked whether it stands back', async (t) => {
  const directory = makeDirectory(t);
  const file = openDiskFile(directory, 16 * 1024 * 1024);
  let breaths = 0;
  const writing = new DiskWriting(file, 16 * 1024 * 1024, () => breaths++);
  const batch = new BatchWriter(1024);
  for (let at = 0; at < 5; at++) batch.add({ kind: 'hot', list: Buffer.of(at) });
  writing.do({ batch: batch.take(), now: 0 });
  t.ok(breaths > 6, 'also while the file grows');
  breaths = 0;
  writing.do({ batch: batch.take(), now: 0 });
  t.equal(breaths, 6);
  await file.close();
});

t.test('issue 5: who waits for what waits does not wait for the end of these turns', async (t) => {
  const clock = new FakeClock();
  const bench = openDisk(t, { clock });
  for (let at = 0; at < MIN_DISK_WORDED_ORDERS * 3; at++) {
    bench.store.put(makeStored({ key: `http://a.test/${at}`, bornAt: 0 }));
    if (at % 2 === 0) bench.store.put(makeStored({ key: `http://a.test/${at}`, bornAt: 1 }));
  }
  clock.advance(DISK_FLUSH_MS - 1);
  const isSettled = bench.tier.settled();
  await isSettled;
  t.equal(bench.tier.stats.records, MIN_DISK_WORDED_ORDERS * 3);
  t.equal(bench.tier.stats.pendingBytes, 0);
});

t.test('a process that ends while its thread writes does end, with the exit code that it meant', async (t) => {
  for (const afterMs of [0, 5, 10, 20, 40]) {
    const child = spawn(process.execPath, [ENDING, makeDirectory(t), String(afterMs)], { stdio: 'ignore' });
    const hung = setTimeout(() => child.kill('SIGKILL'), 20_000);
    const [code, signal] = await once(child, 'exit');
    clearTimeout(hung);
    t.same([code, signal], [3, null], `after ${afterMs} ms`);
  }
});
