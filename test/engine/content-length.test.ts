/** Goal: Content-Length is read as the number that it is, and as nothing else; method: a table. */
import t from 'tap';
import { contentLength } from '../../lib/engine/receipt.js';
import { Fields } from '../../lib/http/fields.js';

t.test('RFC 9110 §8.6: only digits are a length, and no more of them than a number holds exactly', async (t) => {
  const table: readonly [value: string, length: number | undefined][] = [
    ['0', 0],
    ['1024', 1024],
    ['007', 7],
    ['999999999999999', 999_999_999_999_999],
    ['1000000000000000', undefined],
    ['', undefined],
    ['-1', undefined],
    ['+1', undefined],
    ['1 ', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    ['1, 1', undefined],
    ['/', undefined],
    [':', undefined],
  ];
  for (const [value, length] of table) t.equal(contentLength(new Fields(['Content-Length', value])), length, value);
  t.equal(contentLength(Fields.empty), undefined);
});
