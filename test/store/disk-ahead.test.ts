// Goal: decision 0039, a lookup on disk waits for its own page and not for megabytes around it. Method: devices as the system would tell of them, and what it says of a file that is mapped.
import { existsSync, mkdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MAX_DISK_READ_AROUND_BYTES } from '../../lib/base/disk-limits.js';
import { deviceName, readsTooFar } from '../../lib/store/disk-ahead.js';
import { DISK_FILE_NAME, openDiskFile } from '../../lib/store/disk-file.js';
import { makeDirectory } from '../kit/disk.js';

const MB = 1024 * 1024;
const SMAPS = '/proc/self/smaps';

t.test('decision 0039: the number of a device is told as the system names it', async (t) => {
  const known: readonly (readonly [number, string])[] = [
    [0x0801, '8:1'],
    [65024, '254:0'],
    [0x1b, '0:27'],
    [1114924, '259:300'],
  ];
  for (const [device, name] of known) t.equal(deviceName(device), name);
});

t.test(
  'decision 0039: a device that reads megabytes around a page is told not to, and any other is left as it is',
  async (t) => {
    const directory = makeDirectory(t);
    const devices = makeDirectory(t);
    t.notOk(readsTooFar(directory, devices), 'nothing is known of it');
    const told = join(devices, deviceName(statSync(directory).dev));
    mkdirSync(told);
    const limitKb = MAX_DISK_READ_AROUND_BYTES / 1024;
    for (const [kb, isTooFar] of [
      [128, false],
      [limitKb, false],
      [limitKb + 4, true],
      [8192, true],
    ] as const) {
      writeFileSync(join(told, 'read_ahead_kb'), `${kb}\n`);
      t.equal(readsTooFar(directory, devices), isTooFar, `${kb} KB`);
    }
    t.notOk(readsTooFar(join(directory, 'gone'), devices));
  },
);

t.test(
  'decision 0039: where that is asked for, the system reads no page of the mapped file but the one that is needed',
  { skip: existsSync(SMAPS) ? false : 'this system does not tell how a file is mapped' },
  async (t) => {
    for (const noReadAhead of [true, false]) {
      const directory = makeDirectory(t);
      const file = openDiskFile(directory, 64 * MB, noReadAhead);
      const path = join(realpathSync(directory), DISK_FILE_NAME);
      const mapping = readFileSync(SMAPS, 'utf8').split(path)[1] ?? '';
      const flags = /^VmFlags: (.*)$/m.exec(mapping)?.[1]?.trim().split(' ');
      t.equal(flags?.includes('rr'), noReadAhead);
      await file.close();
    }
  },
);
