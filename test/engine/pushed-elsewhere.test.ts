// Goal: a rule that serves only what was pushed looks at what others with a cache of their own have, and neither asks the origin nor waits without end. Method: leases and bodies that are played by hand, a fake clock.
import t from 'tap';
import type { Leases } from '../../lib/engine/leases-contract.js';
import { Fields } from '../../lib/http/fields.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import { FakeClock } from '../kit/clock.js';
import { lyingBelow, PlayedBody, turns } from '../kit/lease-desk.js';
import { makeWalk } from '../kit/walk.js';
import { makeStored } from '../store/make-stored.js';

const PUSHED = { push: 'not_found' } as const;
const WAIT_MS = 30_000;

function pushedCopy(clock: FakeClock): StoredResponse {
  const fields = Fields.of({ 'Content-Type': 'text/plain', ETag: '"1"', 'Cache-Control': 'max-age=60' });
  return { ...makeStored({ key: 'http://example.test/a', bornAt: clock.now(), fields }), pushed: true };
}

/** Another has a copy with so many bytes; whoever asks a second time is to ask the origin itself. */
function leasesWith(copy: StoredResponse, bytes: number, body: PlayedBody): Leases {
  const held = { opened() {}, release: async () => {} };
  let looks = 0;
  return {
    take: async () =>
      looks++ === 0
        ? { kind: 'found', found: [{ ...lyingBelow(copy, bytes, body), writer: 'here' }] }
        : { kind: 'held', lease: held },
    announce() {},
  };
}

t.test('a copy that breaks off is nothing pushed: the origin is not asked for the rest', async (t) => {
  const clock = new FakeClock();
  const body = new PlayedBody();
  const walk = makeWalk({ clock, leases: leasesWith(pushedCopy(clock), 10, body), rule: PUSHED });
  const client = walk.get('/a');
  await turns();
  body.data('01234').fail();
  await turns();
  t.match([walk.origin.count, client.status, client.reason], [0, 404, 'not-pushed']);
});

t.test('no longer than limits.wait, where another worker holds the lease', async (t) => {
  const leases: Leases = {
    take: async () => ({ kind: 'elsewhere', isNear: true, wait: () => () => {} }),
    announce() {},
  };
  const walk = makeWalk({ leases, waitMs: WAIT_MS, rule: PUSHED });
  const client = walk.get('/a');
  await turns();
  walk.clock.advance(WAIT_MS - 1);
  await turns();
  t.equal(client.ending, 'waiting');
  walk.clock.advance(1);
  await turns();
  t.equal(client.status, 404);
  t.equal(walk.origin.count, 0);
});

t.test('a copy that memory has no room for is not read for nobody', async (t) => {
  const clock = new FakeClock();
  const body = new PlayedBody();
  const leases = leasesWith(pushedCopy(clock), 90_000, body);
  const walk = makeWalk({ clock, budgetBytes: 100_000, leases, rule: PUSHED });
  const client = walk.get('/a');
  await turns();
  t.match([client.status, body.isAborted, walk.origin.count], [404, true, 0]);
});

t.test('whoever wants the origin asked does not take such a look for that', async (t) => {
  const leases: Leases = {
    take: async () => ({ kind: 'elsewhere', isNear: true, wait: () => () => {} }),
    announce() {},
  };
  const walk = makeWalk({ leases, rule: PUSHED });
  walk.get('/a');
  await turns();
  const { collapse } = walk.engine;
  const key = 'http://example.test/a';
  t.equal(collapse.find(key, Fields.empty), undefined);
  t.not(
    collapse.find(key, Fields.empty, () => true),
    undefined,
    'though it runs',
  );
});
