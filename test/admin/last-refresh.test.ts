// Goal: operators are told how the last exchange for a key ended, for as many keys as there are places and for no other key. Method: events by hand on a fake clock.
import t from 'tap';
import { createLastRefreshes } from '../../lib/admin/last-refresh.js';
import { NOTED_REFRESHES } from '../../lib/base/admin-limits.js';
import { hashOf } from '../../lib/base/hash.js';
import type { AskedEvent } from '../../lib/observe/events.js';
import { FakeClock } from '../kit/clock.js';

const STORED: AskedEvent = {
  askedFor: 'fill',
  end: 'stored',
  status: 200,
  reason: 'stored',
  key: 'http://a.test/',
  durationMs: 12.5,
  bodyBytes: 1,
  background: false,
  savedBytes: 0,
};

t.test('what ended last is told, with when and how; a failure has no status', async (t) => {
  const clock = new FakeClock();
  const noted = createLastRefreshes(clock);
  t.equal(noted.of('http://a.test/'), undefined);
  noted.events.asked(STORED);
  const wall = clock.wall();
  t.strictSame(noted.of('http://a.test/'), { wall, end: 'stored', reason: 'stored', status: 200, durationMs: 12.5 });
  clock.advance(1000);
  noted.events.asked({ ...STORED, end: 'failed', reason: 'origin-refused', status: undefined, durationMs: 1 });
  t.strictSame(noted.of('http://a.test/'), {
    wall: wall + 1000,
    end: 'failed',
    reason: 'origin-refused',
    status: undefined,
    durationMs: 1,
  });
  noted.events.asked({ ...STORED, key: 'http://a.test/passed', askedFor: 'uncacheable' });
  t.equal(noted.of('http://a.test/passed'), undefined, 'what goes past the cache says nothing of what is stored');
});

t.test('a key whose place another one took is not known any more, and never told as that one', async (t) => {
  const noted = createLastRefreshes(new FakeClock());
  const key = (n: number) => `http://a.test/${n}`;
  const place = hashOf(key(0)) % NOTED_REFRESHES;
  let other = 1;
  while (hashOf(key(other)) % NOTED_REFRESHES !== place) other++;
  noted.events.asked({ ...STORED, key: key(0) });
  noted.events.asked({ ...STORED, key: key(other), end: 'error', status: 503 });
  t.equal(noted.of(key(0)), undefined);
  t.match(noted.of(key(other)), { end: 'error', status: 503 });
});
