/** A disk tier on a directory of its own, a clock that a test moves, and responses that are born when they are made. */
import type { Test } from 'tap';
import type { StoredResponse } from '../../lib/object/stored.js';
import { FakeClock } from '../kit/clock.js';
import { type DiskBench, type DiskOptions, openDisk } from '../kit/disk.js';
import { makeStored, type StoredShape } from './make-stored.js';

export interface Walk {
  readonly clock: FakeClock;
  readonly bench: DiskBench;
  make(shape?: Partial<StoredShape>): StoredResponse;
}

export function setUp(t: Test, options: Partial<DiskOptions> = {}): Walk {
  const clock = new FakeClock();
  return {
    clock,
    bench: openDisk(t, { clock, ...options }),
    make: (shape) => makeStored({ bornAt: clock.now(), ...shape }),
  };
}
