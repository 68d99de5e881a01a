// Goal: issue 5, a device without room ends no process: lmdb meets no write that fails. Method: a file looked at from outside, and a process under a limit of the size of its files.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { DISK_AHEAD_SHARE, DISK_GROWTH_FACTOR } from '../../lib/base/disk-limits.js';
import { BatchWriter } from '../../lib/store/disk-batch.js';
import { DISK_FILE_NAME, openDiskFile } from '../../lib/store/disk-file.js';
import { fileFlaw } from '../../lib/store/disk-header.js';
import { DiskWriting } from '../../lib/store/disk-writing.js';
import { makeDirectory } from '../kit/disk.js';

const MB = 1024 * 1024;
const SIZE = 64 * MB;
const REFUSED = fileURLToPath(new URL('./disk-refused-main.js', import.meta.url));

function chunks(name: string, count: number): Uint8Array {
  const batch = new BatchWriter();
  for (let at = 0; at < count; at++)
    batch.add({ kind: 'chunk', key: Buffer.alloc(20, `${name}-${at}-`), value: Buffer.alloc(60_000, 1) });
  return batch.take();
}

t.test(
  'issue 5: the file has room for a batch before that is written, on the device too, and is as sound as before',
  async (t) => {
    const directory = makeDirectory(t);
    const path = join(directory, DISK_FILE_NAME);
    let file = openDiskFile(directory, SIZE);
    let fromBytes = 0;
    const lookedAt = {
      ...file,
      makeRoom: file.makeRoom,
      write: (run: () => void) => {
        const { size, blocks } = statSync(path);
        const room = size - fromBytes;
        t.ok(room >= batch.byteLength * DISK_GROWTH_FACTOR + SIZE * DISK_AHEAD_SHARE, `${room} bytes of room`);
        t.ok(room < batch.byteLength * DISK_GROWTH_FACTOR + SIZE * DISK_AHEAD_SHARE * 2, 'and not much more');
        t.ok(blocks * 512 >= size, 'its place is taken');
        file.write(run);
      },
    };
    let batch = chunks('none', 0);
    const writing = new DiskWriting(lookedAt, SIZE);
    for (let at = 0; at < 8; at++) {
      fromBytes = file.fileBytes;
      batch = chunks(String(at), 16);
      writing.do({ batch, now: 1 });
    }
    t.ok(file.fileBytes < 10 * MB, 'what is not in use does not count');
    const { size } = statSync(path);
    await file.close();
    t.equal(fileFlaw(path), undefined);
    file = openDiskFile(directory, SIZE);
    t.equal(file.tables.bodies.count, 8 * 16);
    new DiskWriting(file, SIZE).do({ batch: chunks('one', 1), now: 1 });
    t.equal(statSync(path).size, size, 'what is there is room after a restart too');
    await file.close();
  },
);

const canLimit = existsSync('/usr/bin/prlimit') && existsSync('/bin/bash');

t.test(
  'issue 5: where the file cannot grow, a batch is refused before lmdb sees it',
  { skip: canLimit ? false : 'NOT SHOWN HERE: it takes bash and prlimit (util-linux)' },
  async (t) => {
    for (const blocks of [12_000, 16_384, 20_001]) {
      const args = ['-c', `ulimit -S -f ${blocks}; exec "$@"`, 'limited', process.execPath, REFUSED, makeDirectory(t)];
      const { status, stdout, stderr } = spawnSync('/bin/bash', args, { encoding: 'utf8' });
      t.equal(status, 0);
      t.match(stdout, /^EFBIG \d+\n$/);
      t.equal(stderr, '', 'it has nothing to say');
    }
  },
);
