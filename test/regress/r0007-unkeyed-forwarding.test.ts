// Goal: what the origin is told and the key does not hold is not shared. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };

t.test('promise 1: a client’s X-Forwarded-Host does not choose what all others get', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { 'X-Forwarded-Host': 'evil.test' });
  const wasTold = walk.origin.last.field('x-forwarded-host') === 'evil.test';
  walk.origin.last.respond(200, CACHEABLE, wasTold ? 'links to evil.test' : 'links to example.test');
  t.not(walk.get('/a').body, 'links to evil.test');
});

t.test('promise 1: a client’s X-Forwarded-Proto does not choose what all others get', async (t) => {
  const walk = makeWalk();
  walk.get('/a', { 'X-Forwarded-Proto': 'https' });
  const wasTold = walk.origin.last.field('x-forwarded-proto') === 'https';
  walk.origin.last.respond(200, CACHEABLE, wasTold ? 'for https' : 'for http');
  t.not(walk.get('/a').body, 'for https');
});

t.test('RFC 9111 §4.1: Vary on a field that we add compares what the origin was sent', async (t) => {
  const walk = makeWalk();
  walk.send({ target: '/a', remoteAddress: '192.0.2.1' });
  walk.origin.last.respond(200, { ...CACHEABLE, Vary: 'X-Forwarded-For' }, 'for 192.0.2.1');
  t.equal(walk.send({ target: '/a', remoteAddress: '198.51.100.9' }).body, '');
});
