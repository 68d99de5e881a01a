// Goal: parts of a body are kept in order, joined and read exactly. Method: a table, and a model of single bytes with fast-check.
import fc from 'fast-check';
import t from 'tap';
import { Segments } from '../../lib/object/segments.js';

function piece(from: number, text: string) {
  return { from, until: from + text.length, chunks: [Buffer.from(text)] };
}

function text(chunks: readonly Buffer[] | undefined): string | undefined {
  return chunks === undefined ? undefined : Buffer.concat(chunks).toString();
}

t.test('RFC 9111 §3.4: adjoining parts become one, a gap stays a gap', async (t) => {
  const parts = Segments.of(piece(0, 'abc'), 10).with(piece(6, 'ghij'));
  t.equal(parts.runs.length, 2);
  t.equal(parts.prefixBytes, 3);
  t.equal(parts.read(2, 7), undefined);
  const whole = parts.with(piece(3, 'def'));
  t.equal(whole.runs.length, 1);
  t.equal(whole.prefixBytes, 10);
  t.equal(text(whole.read(2, 7)), 'cdefg');
  t.equal(parts.heldBytes, 7, 'the old one is as it was');
});

t.test('property: what is read is what was put in, whatever the order and overlap', async (t) => {
  const span = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 30 }));
  const letter = (at: number): string => String.fromCharCode(97 + (at % 26));
  const written = (from: number, length: number): string => Array.from({ length }, (_, i) => letter(from + i)).join('');
  fc.assert(
    fc.property(fc.array(span, { minLength: 1, maxLength: 12 }), span, (spans, [from, length]) => {
      let parts: Segments | undefined;
      const has = new Set<number>();
      for (const [start, size] of spans) {
        const added = piece(start, written(start, size));
        parts = parts === undefined ? Segments.of(added, 100) : parts.with(added);
        for (let at = start; at < start + size; at++) has.add(at);
      }
      const isCovered = Array.from({ length }, (_, i) => has.has(from + i)).every(Boolean);
      const read = text(parts?.read(from, from + length));
      return parts?.heldBytes === has.size && read === (isCovered ? written(from, length) : undefined);
    }),
  );
  t.pass('held');
});
