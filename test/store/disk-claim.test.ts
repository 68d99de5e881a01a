// Goal: issue 5, what is stored is no miss while its record waits to be written. Method: a tier whose port is held up behind the last chunk, and behind nothing.
import t, { type Test } from 'tap';
import { Body } from '../../lib/object/body.js';
import { setUp } from './disk-walk.kit.js';
import { freshened } from './make-stored.js';

const MB = 1024 * 1024;
const KEY = 'http://a.test/';

/** How many bytes of a body can be read. */
function readable(body: Body | undefined): number {
  const reader = body?.open();
  let bytes = 0;
  for (let read = reader?.read(); read instanceof Buffer; read = reader?.read()) bytes += read.length;
  return bytes;
}

t.test('issue 5: a large body all of which is on disk is found before its record is written', async (t) => {
  const { bench, make } = setUp(t);
  const sink = bench.store.openSpill();
  if (sink === undefined) throw new Error('there is no place for it');
  const body = new Body({ mode: 'retain', highWaterBytes: MB });
  body.spill(sink, 8 * MB);
  body.write(Buffer.alloc(5 * MB));
  body.complete(0);
  await bench.tier.settled();
  t.equal(body.heldBytes, 0);
  bench.isHeld = true;
  t.ok(bench.store.put(make({ body })));
  t.equal(readable(bench.store.recall(KEY, ([first]) => first)?.body), 5 * MB, 'while it waits');
  void bench.tier.settled();
  t.equal(readable(bench.store.recall(KEY, ([first]) => first)?.body), 5 * MB, 'and while it is written');
});

/** A large response that was freshened after a restart: its new header waits, around a body that nobody has read since. */
async function freshenedWaits(t: Test) {
  const { bench, make, clock } = setUp(t);
  bench.store.put(make({ bodyBytes: 3 * MB }));
  const again = await bench.reopened();
  const [known] = again.store.known(KEY);
  if (known === undefined) throw new Error('it is on disk');
  clock.advance(10);
  again.isHeld = true;
  t.ok(again.store.swap(known, freshened(known, clock.now())));
  return { again, clock };
}

t.test(
  'RFC 9111 §4.3.4: a large response that nobody has read of late is found while its new header waits',
  async (t) => {
    const { again, clock } = await freshenedWaits(t);
    const found = again.store.recall(KEY, ([first]) => first);
    t.equal(found?.life.bornAt, clock.now());
    t.equal(readable(found?.body), 3 * MB);
  },
);

t.test(
  'issue 5: what waits around a body that another worker takes away is a miss, and no broken answer',
  async (t) => {
    const { again } = await freshenedWaits(t);
    again.file.write(() => {
      for (const name of ['records', 'bodies'] as const) again.file.tables[name].clear();
    });
    t.equal(
      again.store.recall(KEY, ([first]) => first),
      undefined,
    );
  },
);
