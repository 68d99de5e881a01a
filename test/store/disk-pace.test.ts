// Goal: how the thread that writes to disk leaves the core to the one that answers. Method: its pure part.
import t from 'tap';
import {
  DISK_BATCH_BYTES,
  DISK_BREATH_MS,
  DISK_HURRIED_FROM_BYTES,
  DISK_STRETCH_MS,
} from '../../lib/base/disk-limits.js';
import { paceOf } from '../../lib/store/disk-pace.js';

t.test(
  'issue 5: what little there is to write takes a quarter of the core at most, what has piled up as much as it gets',
  async (t) => {
    for (const batch of [undefined, new Uint8Array(DISK_HURRIED_FROM_BYTES - 1)]) {
      const { stretchMs, breathMs } = paceOf({ batch });
      t.strictSame([stretchMs, breathMs], [DISK_STRETCH_MS, DISK_BREATH_MS]);
      t.ok(stretchMs / (stretchMs + breathMs) <= 0.25);
    }
    for (const size of [DISK_HURRIED_FROM_BYTES, DISK_BATCH_BYTES]) {
      const { stretchMs, breathMs } = paceOf({ batch: new Uint8Array(size) });
      t.ok(stretchMs / (stretchMs + breathMs) > 0.8);
    }
  },
);
