// Goal: interim responses are for the request that they answer. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

t.test('promise 1: a 103 to the leader’s request, which had a cookie, is not told to others', async (t) => {
  const walk = makeWalk();
  const leader = walk.get('/a', { Cookie: 'sid=alice' });
  const waiter = walk.get('/a');
  walk.origin.last.inform(103, { Link: '</inbox/alice>; rel=preload' });
  t.same(leader.informed, [103]);
  t.same(waiter.informed, []);
});
