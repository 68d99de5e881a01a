// Goal: what is kept for long keeps next to nothing but itself in memory. Method: the memory behind copies, with passing buffers between them.
import t from 'tap';
import { lasting } from '../../lib/base/lasting.js';

t.test('copies share their memory among themselves, and with nothing that is made between them', async (t) => {
  const behind = new Set<ArrayBufferLike>();
  for (let n = 0; n < 1000; n++) {
    const passing = Buffer.from('x'.repeat(1500));
    const kept = lasting(Buffer.from(`a key of a record, number ${n}`));
    t.not(kept.buffer, passing.buffer);
    behind.add(kept.buffer);
  }
  const bytes = [...behind].reduce((sum, one) => sum + one.byteLength, 0);
  t.ok(bytes < 64 * 1024, `${bytes} bytes are kept for 30 KB`);
});

t.test('a copy has the bytes, its own, whatever becomes of the original', async (t) => {
  const originals = [0, 1, 30, 1024, 1025, 9000].map((length) => Buffer.alloc(length, length % 251));
  const copies = originals.map(lasting);
  for (const one of originals) one.fill(255);
  for (const [i, copy] of copies.entries()) {
    const { length } = originals[i] as Buffer;
    t.ok(copy.equals(Buffer.alloc(length, length % 251)), `${length} bytes`);
  }
});
