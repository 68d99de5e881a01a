/** Goal: conditions are asked about what the request says, whatever its spelling. Method: requests, and what is read from them. */
import t from 'tap';
import { Asked, pathToMatch } from '../../lib/config/rule-request.js';
import { Fields } from '../../lib/http/fields.js';

function request(target: string, host = 'example.test') {
  return { method: 'GET', host, target, fields: Fields.empty };
}

t.test('RFC 3986 §6.2.2: other spellings of a path are the path', async (t) => {
  for (const target of ['/admin/', '/%61dmin/', '/x/../admin/', '/./admin/.', '/admin/x/..', '/../admin/?q=/../y']) {
    t.equal(pathToMatch(target), '/admin/', target);
  }
  t.equal(pathToMatch('/..'), '/');
  t.equal(pathToMatch('/a%2fb'), '/a%2Fb', 'an escape that means something else than its character stays');
});

t.test('a parameter has all its values, decoded; what has no value has an empty one', async (t) => {
  const { parameters } = new Asked().begin(request('/?a=1&b=x%20y&a=2&c&&%61=3+4&d='), '/');
  t.strictSame(
    [...parameters],
    [
      ['a', ['1', '2', '3 4']],
      ['b', 'x y'],
      ['c', ''],
      ['d', ''],
    ],
  );
});

t.test('of a host the port is left out, of an address in brackets too', async (t) => {
  const bare = (host: string): string => new Asked().begin(request('/', host), '/').bareHost;
  t.equal(bare('example.test:8080'), 'example.test');
  t.equal(bare('[::1]:8080'), '[::1]');
  t.equal(bare('[::1]'), '[::1]');
});

t.test('nothing of a request is told of the next one', async (t) => {
  const asked = new Asked();
  t.equal(asked.begin(request('/a.CSS?x=1', 'one.test'), '/a.CSS').ext, 'css');
  t.equal(asked.bareHost, 'one.test');
  t.equal(asked.parameters.size, 1);
  asked.begin(request('/v1.2/b', 'two.test'), '/v1.2/b');
  t.equal(asked.ext, '', 'a dot in a folder is none of the name');
  t.equal(asked.bareHost, 'two.test');
  t.equal(asked.parameters.size, 0);
});
