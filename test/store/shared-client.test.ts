/** Goal: machines that lost their server do not all come back to it at once, nor give up. Method: the wait alone, with scripted chance. */
import t from 'tap';
import { SHARED_RECONNECT_FIRST_MS, SHARED_RECONNECT_MAX_MS } from '../../lib/base/shared-limits.js';
import { reconnectMs } from '../../lib/store/shared-client.js';

t.test('each failure makes the wait twice as long, up to the longest', async (t) => {
  const mostMs = (times: number): number => reconnectMs(times, () => 1);
  t.equal(mostMs(1), SHARED_RECONNECT_FIRST_MS);
  t.equal(mostMs(2), SHARED_RECONNECT_FIRST_MS * 2);
  t.equal(mostMs(17), SHARED_RECONNECT_MAX_MS);
  t.equal(mostMs(100_000), SHARED_RECONNECT_MAX_MS, 'and never longer');
});

t.test('by chance it is as short as half of that', async (t) => {
  t.equal(
    reconnectMs(1, () => 0),
    SHARED_RECONNECT_FIRST_MS / 2,
  );
  t.equal(
    reconnectMs(100, () => 0),
    SHARED_RECONNECT_MAX_MS / 2,
  );
});
