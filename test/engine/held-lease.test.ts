/** Goal: those who wait for a fill hear what came of it, once, and soon. Method: a lease that takes down what it is told. */
import t from 'tap';
import { OriginError } from '../../lib/base/errors.js';
import type { Ending } from '../../lib/engine/fill-contract.js';
import { HeldLease } from '../../lib/engine/held-lease.js';
import type { Lease, LeaseOutcome } from '../../lib/engine/leases-contract.js';
import { createFailures } from '../../lib/store/failures.js';
import { createMarkers } from '../../lib/store/markers.js';
import { FakeClock } from '../kit/clock.js';
import { makeStored } from '../store/make-stored.js';

function makeHeld() {
  const clock = new FakeClock();
  const failures = createFailures({ max: 9, clock, random: () => 0.5 });
  const markers = createMarkers({ max: 9, clock });
  const told: LeaseOutcome[] = [];
  const announced: LeaseOutcome[] = [];
  const lease: Lease = {
    opened: () => {},
    release: async (outcome) => void told.push(outcome),
  };
  const leases = { announce: (outcome: LeaseOutcome) => void announced.push(outcome) };
  const held = new HeldLease({ clock, failures, markers }, leases, { key: 'k', markerKey: 'm' });
  return { clock, failures, markers, told, announced, lease, held };
}

function ending(end: Ending['end'], reason = 'why'): Ending {
  return { end, reason, savedBytes: 0 };
}

t.test('what was stored is told to who waits; without a lease, to all', async (t) => {
  const { held, lease, told, announced } = makeHeld();
  const stored = { ...makeStored({ key: 'k', bornAt: 0 }), requestedAt: 7 };
  held.ended(stored, ending('stored'), 7);
  t.match(announced, [{ kind: 'stored', response: stored }]);
  held.took(lease);
  t.equal(held.isReleased, false);
  held.ended(stored, ending('not-modified'), 7);
  t.match(told, [{ kind: 'freshened', response: stored }]);
  t.equal(held.isReleased, true);
  t.equal(announced.length, 1);
});

t.test('where something else is stored by now, nothing came of it', async (t) => {
  const { held, lease, told } = makeHeld();
  held.took(lease);
  held.ended({ ...makeStored({ key: 'k', bornAt: 0 }), requestedAt: 8 }, ending('stored'), 7);
  t.strictSame(told, [{ kind: 'left' }]);
});

t.test('that an answer is for one alone is told at once, and its mark where the key has one', async (t) => {
  const { held, lease, told, markers } = makeHeld();
  markers.mark('m', 1000);
  held.took(lease);
  held.uncacheable('private');
  held.uncacheable('private');
  t.strictSame(told, [{ kind: 'uncacheable', reason: 'private', markerKey: 'm' }]);
});

t.test('how one answer fared is no word about the next', async (t) => {
  const { held, lease, told } = makeHeld();
  held.took(lease);
  held.ended(undefined, ending('uncacheable', 'client-left'), 7);
  t.strictSame(told, [{ kind: 'left' }]);
});

t.test('a failure is told with the time until the origin is asked again; our own end is none', async (t) => {
  const one = makeHeld();
  one.failures.note('k', 500, 'error-status');
  const waitMs = (one.failures.pending('k')?.retryAt ?? 0) - one.clock.now();
  one.clock.advance(200);
  one.held.took(one.lease);
  one.held.failed(503);
  t.strictSame(one.told, [{ kind: 'failed', failure: 'error-status', status: 503, retryAfterMs: waitMs - 200 }]);
  const other = makeHeld();
  other.held.took(other.lease);
  other.held.failed(new OriginError('origin-aborted', 'it ends'));
  t.strictSame(other.told, [{ kind: 'left' }]);
});
