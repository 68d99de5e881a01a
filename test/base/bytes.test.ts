// Goal: what is read and written byte by byte is what a Buffer reads and writes. Method: fast-check compares the two.
import fc from 'fast-check';
import t from 'tap';
import { doubleAt, putNumber, putText, uint32At } from '../../lib/base/bytes.js';

t.test('numbers are read as a Buffer reads them', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 24 }), fc.nat(), (bytes, place) => {
      const at = place % (bytes.length - 7);
      const buffer = Buffer.from(bytes);
      return uint32At(bytes, at) === buffer.readUInt32LE(at) && Object.is(doubleAt(bytes, at), buffer.readDoubleLE(at));
    }),
  );
  fc.assert(
    fc.property(fc.double(), (value) => {
      const buffer = Buffer.alloc(8);
      buffer.writeDoubleLE(value);
      return Object.is(doubleAt(buffer, 0), value);
    }),
  );
  t.end();
});

t.test('texts are written as a Buffer writes latin1', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 20 }), fc.nat({ max: 10 }), (text, at) => {
      const [mine, theirs] = [Buffer.alloc(64), Buffer.alloc(64)];
      theirs.write(text, at, 'latin1');
      return putText(mine, text, at) === at + text.length && mine.equals(theirs);
    }),
  );
  t.end();
});

t.test('whole numbers are written in their digits', (t) => {
  const isSame = (value: number): boolean => {
    const bytes = Buffer.alloc(32);
    return bytes.toString('latin1', 3, putNumber(bytes, value, 3)) === String(value);
  };
  for (const value of [0, 9, 10, 99, 100, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER])
    t.ok(isSame(value), String(value));
  fc.assert(fc.property(fc.maxSafeNat(), isSame));
  fc.assert(fc.property(fc.nat(), isSame));
  t.end();
});
