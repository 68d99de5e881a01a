/** Goal: a web page cannot read the admin listener through a browser on its machine. Method: a table of Host values. */
import t from 'tap';
import { makeHostCheck } from '../../lib/admin/authority.js';
import { isLoopbackAddress } from '../../lib/base/loopback.js';

t.test('RFC 9110 §7.4: on loopback only names of loopback and the configured one are answered for', (t) => {
  const mayUse = makeHostCheck('127.0.0.1', 'Admin.internal');
  const allowed = [
    'localhost',
    'localhost:8081',
    'LOCALHOST.',
    'patina.localhost:80',
    '127.0.0.1',
    '127.0.0.1:8081',
    '127.9.8.7',
    '[::1]',
    '[::1]:8081',
    '[::ffff:127.0.0.1]',
    'admin.internal:8081',
    'localhost:',
    '',
    ' localhost ',
  ];
  for (const host of allowed) t.equal(mayUse(host), true, host);
  const refused = [
    'evil.example',
    'evil.example:8081',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'xlocalhost',
    '127.1',
    '128.0.0.1',
    '[::2]',
    '::1:8081:9',
    'localhost@evil.example',
    'evil.example/localhost',
    'a b',
    '[::1',
    '0.0.0.0',
    '[::1]x',
    'localhost:80:80',
  ];
  for (const host of refused) t.equal(mayUse(host), false, host);
  t.end();
});

t.test('elsewhere than on loopback every name is answered for', (t) => {
  const mayUse = makeHostCheck('0.0.0.0', '0.0.0.0');
  t.equal(mayUse('metrics.cluster.example:9000'), true);
  t.end();
});

t.test('loopback addresses are 127.0.0.0/8 and ::1, also mapped', (t) => {
  for (const address of ['127.0.0.1', '127.255.0.1', '::1', '::ffff:127.0.0.1', '::FFFF:127.0.0.1'])
    t.equal(isLoopbackAddress(address), true, address);
  for (const address of ['::', '10.0.0.1', '0.0.0.0', '::ffff:10.0.0.1', 'localhost', '1127.0.0.1'])
    t.equal(isLoopbackAddress(address), false, address);
  t.end();
});
