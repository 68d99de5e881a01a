// Goal: the variants of one key are found on disk with little ado, and never as they were before. Method: a tier on a directory of its own, looked at again after each kind of change.
import t from 'tap';
import { MAX_VARIANTS } from '../../lib/base/limits.js';
import { setUp } from './disk-walk.kit.js';
import { makeStored } from './make-stored.js';

const KEY = 'http://a.test/';

t.test(
  'issue 4: a purge leaves nothing of a key of which several workers wrote more variants than are kept',
  async (t) => {
    const { bench, clock, make } = setUp(t);
    const again = await bench.reopened();
    const count = MAX_VARIANTS * 4;
    for (let worker = 0; worker < 8; worker++) {
      const other = setUp(t, { clock, directory: again.directory });
      for (let at = 0; at < count / 8; at++) {
        clock.advance(1);
        other.bench.tier.put(makeStored({ bornAt: clock.now(), language: `l${worker}-${at}` }));
      }
      await other.bench.reopened();
    }
    again.tier.reading.refresh();
    t.equal(again.file.tables.records.count, count);
    const found = again.store.known(KEY);
    t.equal(found.length, MAX_VARIANTS);
    t.equal(found[0]?.selection.values[0], 'l7-31', 'the newest stay');
    t.equal(again.store.removeKey(KEY, 'purged'), MAX_VARIANTS);
    t.same(again.store.known(KEY), []);
    await again.tier.settled();
    t.equal(again.file.tables.records.count, 0);
    t.same(make({}).key, KEY);
  },
);
