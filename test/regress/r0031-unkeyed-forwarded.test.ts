// Goal: what Forwarded and X-Forwarded-Port tell the origin is not shared with who says otherwise (decisions/0006).
// Method: a walk with a fake clock and a played origin; the form that the key is made with, by itself.
import t from 'tap';
import { requestOfKey } from '../../lib/engine/own-request.js';
import { Fields } from '../../lib/http/fields.js';
import { forwardedForm } from '../../lib/policy/forwarded.js';
import { requestKey } from '../../lib/policy/key.js';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };

for (const fields of [
  { Forwarded: 'host=evil.test' },
  { Forwarded: 'for=192.0.2.1;proto=https' },
  { Forwarded: 'for=192.0.2.1, for=192.0.2.2;HOST="evil.test:1"' },
  { Forwarded: 'for="; host=evil.test' },
  { 'X-Forwarded-Port': '8443' },
]) {
  t.test(`promise 1: a client’s ${JSON.stringify(fields)} does not choose what all others get`, async (t) => {
    const walk = makeWalk();
    walk.get('/a', fields);
    walk.origin.last.respond(200, CACHEABLE, 'links to evil.test');
    t.equal(walk.get('/a', fields).body, 'links to evil.test', 'who says the same again has it');
    t.not(walk.get('/a').body, 'links to evil.test');
    walk.origin.last.respond(200, CACHEABLE, 'links to example.test');
    t.equal(walk.engine.purging.purgeUrl('http://example.test/a'), 2, 'a purge of the URL reaches both');
  });
}

for (const fields of [
  { Forwarded: 'for=192.0.2.1' },
  { Forwarded: 'for="[2001:db8::1]:80";by=203.0.113.1, for=198.51.100.1' },
  { Forwarded: 'for=192.0.2.1:80;host=Example.test;proto=http' },
  { 'X-Forwarded-Port': '80' },
]) {
  t.test(`${JSON.stringify(fields)} says nothing of the URI, and all such clients share`, async (t) => {
    const walk = makeWalk();
    walk.get('/a', fields);
    walk.origin.last.respond(200, CACHEABLE, 'one');
    t.equal(walk.get('/a').body, 'one');
  });
}

t.test('what is refreshed for nobody is asked for with what its key says', async (t) => {
  const walk = makeWalk();
  const fields = { Forwarded: 'for=192.0.2.1;host=www.test', 'X-Forwarded-Port': '8080' };
  walk.get('/a', fields);
  const { live } = walk.engine.parts;
  const key = requestKey({ scheme: 'http', host: 'example.test', target: '/a', fields: Fields.of(fields) });
  const asked = requestOfKey(key, live.rules, 0);
  t.same([asked?.fields.get('forwarded'), asked?.fields.get('x-forwarded-port')], ['host=www.test', '8080']);
});

t.test(
  'RFC 7239 §4: the form keeps what it says of the URI, and by which member; what is no such field is kept whole',
  async (t) => {
    const form = (value: string) => forwardedForm(value, 'http', 'a.test');
    t.equal(form('for=x;host=b.test;proto=https , for=y'), 'host=b.test;proto=https,');
    t.equal(form(',for=x , for=y ; host=b.test'), ',,host=b.test');
    t.equal(form('host="a\\"b"'), 'host="a\\"b"');
    t.equal(form('for=x;ext=1'), 'ext=1');
    t.equal(form('for=x,, for=y'), undefined);
    for (const odd of ['for="x', 'for', 'for="x"host=b.test', 'for = x', 'for=x;\u00e9=y']) t.equal(form(odd), odd);
    for (const value of ['for=x;host=b.test, proto=https;by=1', ', host=c'])
      t.equal(form(form(value) ?? ''), form(value));
  },
);
