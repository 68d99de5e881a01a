/** Goal: of two forms of one response the later truth wins. Method: forms made by hand. */
import t from 'tap';
import { askedAt, isLater, isSameForm, SAME_INSTANT_MS } from '../../lib/object/asked-at.js';
import { makeStored } from '../store/make-stored.js';

const stored = { ...makeStored({ bornAt: 0 }), fetchedAt: 100 };

t.test('a response that was never freshened was asked for when it was fetched', async (t) => {
  t.equal(askedAt(stored), 100);
  t.equal(askedAt({ ...stored, requestedAt: 150 }), 150);
});

t.test('the later one is what was asked for later, then what an operator made stale later', async (t) => {
  const freshened = { ...stored, requestedAt: 150 };
  const expired = { ...stored, expiredAt: 140 };
  t.equal(isLater(freshened, expired), true);
  t.equal(isLater(expired, freshened), false);
  t.equal(isLater(expired, stored), true);
  t.equal(isLater(stored, { ...stored }), false);
});

t.test('forms that differ by less than a move between clocks are the same', async (t) => {
  t.equal(isSameForm(stored, { ...stored, requestedAt: 100 + SAME_INSTANT_MS / 2 }), true);
  t.equal(isSameForm(stored, { ...stored, requestedAt: 101 }), false);
  t.equal(isSameForm(stored, { ...stored, expiredAt: 101 }), false);
  t.equal(isSameForm(stored, { ...makeStored({ bornAt: 0, bodyBytes: 99 }), fetchedAt: 100 }), false);
});
