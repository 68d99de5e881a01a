// Goal: issue 5, a large body that is being read is told of beside the disk for as long, whatever else cannot be told there. Method: the file of slots, written by a hand that a test may hold back.
import { writeSync } from 'node:fs';
import t, { type Test } from 'tap';
import { DISK_HOLD_AGAIN_MS, DISK_HOLD_MS } from '../../lib/base/disk-limits.js';
import { BODY_ID_BYTES } from '../../lib/store/disk-keys.js';
import { bodiesRead, DiskReaders } from '../../lib/store/disk-readers.js';
import { makeDirectory } from '../kit/disk.js';

interface Told {
  now: number;
  /** Nothing can be written. */
  isFull: boolean;
  tell(name: string): void;
  /** What is told there, in order. */
  read(): string[];
}

function open(t: Test): Told {
  const directory = makeDirectory(t);
  const readers = new DiskReaders(
    directory,
    () => told.now,
    (file, slot, at) => {
      if (told.isFull) throw new Error('ENOSPC');
      writeSync(file, slot, 0, slot.length, at);
    },
  );
  t.teardown(() => readers.close());
  const idOf = (name: string): Buffer => Buffer.alloc(BODY_ID_BYTES, name);
  const told: Told = {
    now: 0,
    isFull: false,
    tell: (name) => void readers.tell(idOf(name)),
    read: () => [...bodiesRead(directory, told.now)].map((id) => id[0] ?? '').sort(),
  };
  return told;
}

t.test('issue 5: where that a body is still read cannot be told, no other one is forgotten for it', (t) => {
  const told = open(t);
  for (const name of ['a', 'b']) told.tell(name);
  told.now += DISK_HOLD_AGAIN_MS;
  told.isFull = true;
  told.tell('a');
  told.isFull = false;
  told.tell('c');
  t.same(told.read(), ['a', 'b', 'c']);
  told.tell('a');
  told.now = DISK_HOLD_MS + 1;
  t.same(told.read(), ['a', 'c'], 'and it is told once that can be');
  t.end();
});

t.test('issue 5: nor where a new one could not be told in the place of one that is read no more', (t) => {
  const told = open(t);
  told.tell('a');
  told.now += DISK_HOLD_AGAIN_MS;
  for (const name of ['b', 'c']) told.tell(name);
  told.now = DISK_HOLD_MS + 1;
  told.isFull = true;
  told.tell('d');
  told.isFull = false;
  for (const name of ['e', 'f']) told.tell(name);
  t.same(told.read(), ['b', 'c', 'e', 'f']);
  t.end();
});
