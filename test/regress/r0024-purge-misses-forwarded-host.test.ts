// Goal: a purge or a change of a target reaches what is stored under forwarding fields. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { Aliases } from '../../lib/engine/aliases.js';
import { Fields } from '../../lib/http/fields.js';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };
const KEY = 'http://example.test/a';

const FORWARDED = [{ 'X-Forwarded-Host': 'www.test' }, { 'X-Forwarded-Proto': 'wss' }] as const;

for (const fields of FORWARDED) {
  const name = Object.keys(fields).join();
  t.test(`design 2: a purge of a URL reaches the answer to a request with ${name}`, async (t) => {
    const walk = makeWalk();
    walk.get('/a', fields);
    walk.origin.last.respond(200, CACHEABLE, 'old');
    t.equal(walk.engine.purging.purgeUrl(KEY), 1);
    t.equal(walk.get('/a', fields).body, '');
  });

  t.test(`design 2: a purge wins over an answer on its way to a request with ${name}`, async (t) => {
    const walk = makeWalk();
    walk.get('/a', fields);
    walk.engine.purging.purgeUrl(KEY);
    walk.origin.last.respond(200, CACHEABLE, 'old');
    t.equal(walk.get('/a', fields).body, '');
  });

  t.test(`RFC 9111 §4.4: an unsafe request without ${name} invalidates it too`, async (t) => {
    const walk = makeWalk();
    walk.get('/a', fields);
    walk.origin.last.respond(200, CACHEABLE, 'old');
    walk.send({ method: 'POST', target: '/a' }).passed?.respond(204, 'No Content', Fields.empty);
    t.equal(walk.get('/a', fields).body, '');
  });
}

t.test('the keys that are known for this are bounded; what no purge would reach any more goes', async (t) => {
  const aliases = new Aliases(2, 100);
  t.same(aliases.note('t', 'one'), []);
  t.same(aliases.note('t', 'two'), []);
  t.same(aliases.note('t', 'one'), [], 'noted again, it is the newest');
  t.same(aliases.note('u', 'three'), ['two']);
  t.same(aliases.of('t'), ['one']);
  t.same(aliases.note('u', 'x'.repeat(98)), ['one', 'three']);
  t.same(aliases.of('t'), []);
  t.equal(aliases.of('u').length, 1);
});
