// Goal: issue 6, many clients take one large body from disk. Method: the table of bodies in a real file, with its reads and prefetches counted.
import t from 'tap';
import { DiskBodies } from '../../lib/store/disk-bodies.js';
import { openDiskFile } from '../../lib/store/disk-file.js';
import { chunkKey, DISK_CHUNK_BYTES, sealChunk } from '../../lib/store/disk-keys.js';
import { DiskReaders } from '../../lib/store/disk-readers.js';
import { FakeClock } from '../kit/clock.js';
import { makeDirectory, openDisk } from '../kit/disk.js';

const MB = 1024 * 1024;
const CHUNKS = 32;
const BYTES = CHUNKS * DISK_CHUNK_BYTES;

t.test(
  'issue 6: what one client has read of a large body is neither read nor fetched ahead for those behind it',
  async (t) => {
    const file = openDiskFile(makeDirectory(t), 64 * MB);
    t.teardown(() => file.close());
    const table = file.tables.bodies;
    let reads = 0;
    let fetched = 0;
    const counted = {
      ...table,
      view: (key: Uint8Array) => {
        reads++;
        return table.view(key);
      },
      prefetch: (keys: readonly Uint8Array[]) => {
        fetched += keys.length;
      },
    };
    const clock = new FakeClock();
    const bodies = new DiskBodies(counted, new DiskReaders(file.directory, () => clock.now()), clock, clock.now());
    bodies.resizeShared(BYTES);
    const id = bodies.newId();
    file.write(() => {
      for (let n = 0; n < CHUNKS; n++)
        table.put(chunkKey(id, n), sealChunk(chunkKey(id, n), Buffer.alloc(DISK_CHUNK_BYTES, n)));
    });
    const take = (): void => {
      const reader = bodies.below({ id, bytes: BYTES }, () => t.fail('it is lost')).open();
      for (let n = 0; n < CHUNKS; n++) t.same(reader.read(), Buffer.alloc(DISK_CHUNK_BYTES, n));
      t.equal(reader.read(), 'end');
    };
    take();
    t.equal(reads, CHUNKS);
    t.ok(fetched > 0);
    const before = fetched;
    take();
    t.equal(reads, CHUNKS);
    t.equal(fetched, before);
  },
);

t.test('issue 6: a reload that gives memory another size does so to what is kept of large bodies', async (t) => {
  const clock = new FakeClock();
  const bench = openDisk(t, { clock, memoryBytes: 4 * CHUNKS * DISK_CHUNK_BYTES });
  const { bodies } = bench.tier.reading;
  const id = bodies.newId();
  bench.file.write(() => {
    for (let n = 0; n < CHUNKS; n++)
      bench.file.tables.bodies.put(chunkKey(id, n), sealChunk(chunkKey(id, n), Buffer.alloc(DISK_CHUNK_BYTES, n)));
  });
  /** Which chunks are those that were read before. */
  const shared = (before: readonly unknown[]): { chunks: Buffer[]; count: number } => {
    const reader = bodies.below({ id, bytes: BYTES }, () => t.fail('it is lost')).open();
    const chunks = Array.from({ length: CHUNKS }, () => reader.read() as Buffer);
    return { chunks, count: chunks.filter(({ buffer }, n) => buffer === before[n]).length };
  };
  const buffersOf = ({ chunks }: { chunks: Buffer[] }): unknown[] => chunks.map(({ buffer }) => buffer);
  const first = shared([]);
  t.equal(shared(buffersOf(first)).count, CHUNKS);
  bench.store.resize(CHUNKS * DISK_CHUNK_BYTES);
  const second = shared(buffersOf(first));
  t.ok(second.count < CHUNKS, `${second.count} of ${CHUNKS} were kept of a body four times the bound`);
  bench.store.resize(4 * CHUNKS * DISK_CHUNK_BYTES);
  const third = shared([]);
  t.equal(shared(buffersOf(third)).count, CHUNKS);
});
