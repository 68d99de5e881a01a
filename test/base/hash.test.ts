// Goal: two texts have the hash of the text that they are together, however that was come by. Method: pairs in all orders.
import t from 'tap';
import { hashFrom, hashOf, hashOfBoth, joined } from '../../lib/base/hash.js';

const TEXTS = ['', 'http://a.example', 'http://b.example', '/', '/page', '/pagf', 'http://a.example/', 'page'];
const BASIS = hashOf('');

t.test('a hash is the same of one text, of two, and of two that were joined', async (t) => {
  for (const first of TEXTS) {
    for (const second of TEXTS) {
      const whole = hashFrom(BASIS, first + second) >>> 0;
      t.equal(hashOfBoth(first, second), whole);
      t.equal(joined(first, second), first + second);
      t.equal(hashOf(first + second), whole);
      // Another pair was hashed between.
      hashOfBoth(second, first);
      t.equal(hashOf(joined(first, second)), whole);
    }
  }
});
