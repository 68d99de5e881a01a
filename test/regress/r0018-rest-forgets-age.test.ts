// Goal: a response completed by a 206 is as old as that says. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

t.test('RFC 9111 §4.2.3: Age of the 206 that brought the rest counts', async (t) => {
  const walk = makeWalk();
  const fields = { 'Cache-Control': 'max-age=10000', ETag: '"one"' };
  walk.get('/a', { Range: 'bytes=0-4' });
  walk.origin.last.respond(206, { ...fields, 'Content-Range': 'bytes 0-4/10' }, '01234');
  walk.get('/a');
  walk.origin.last.respond(206, { ...fields, Age: '5000', 'Content-Range': 'bytes 5-9/10' }, '56789');
  t.equal(walk.get('/a').field('age'), '5000');
});
