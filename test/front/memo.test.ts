// Goal: what the fast lane remembers of heads is taken for the same bytes alone. Method: every byte of a field section changed in turn; targets at random, many for each place, whatever their hash.
import fc from 'fast-check';
import t from 'tap';
import { KEPT_TARGET_BYTES, KEPT_TARGETS } from '../../lib/base/limits.js';
import { FieldMemo } from '../../lib/front/field-memo.js';
import { HeadScan } from '../../lib/front/head-scan.js';
import { Targets } from '../../lib/front/targets.js';

const LINE = 'GET / HTTP/1.1\r\n';

function memoOf(section: string): FieldMemo {
  const bytes = Buffer.from(LINE + section, 'latin1');
  const scan = new HeadScan();
  const from = scan.readLine(bytes, 0, bytes.length);
  const until = scan.readFields(bytes, from, bytes.length);
  const memo = FieldMemo.of(bytes, scan, from, until);
  if (memo === undefined) throw new Error(`${JSON.stringify(section)} is no field section of the fast lane`);
  return memo;
}

t.test('decision 0015: a field section is the last one only where every byte of it is the same', (t) => {
  for (const more of [
    '',
    'A: b\r\n',
    'If-None-Match: "v1"\r\n',
    'Accept: */*\r\nX-1: 12\r\n',
    `X: ${'y'.repeat(501)}\r\n`,
  ]) {
    const section = `Host: a\r\n${more}\r\n`;
    const memo = memoOf(section);
    t.equal(memo.length, section.length);
    for (const before of ['', 'x', 'xy', 'xyz']) {
      const bytes = Buffer.from(`${before}${section}GET`, 'latin1');
      const from = before.length;
      const until = from + section.length;
      t.ok(memo.isAt(bytes, from, until), 'the same bytes');
      t.ok(memo.isAt(bytes, from, bytes.length), 'and the next request behind them');
      t.notOk(memo.isAt(bytes, from, until - 1), 'the last byte is not here yet');
      for (let at = from; at < until; at++) {
        const other = Buffer.from(bytes);
        other[at] = (other[at] as number) ^ 0x20;
        if (memo.isAt(other, from, until)) t.fail(`byte ${at - from} of ${section.length} differs`);
      }
    }
  }
  t.end();
});

t.test('a target is read as its own text, whichever others there were and whatever their hashes', (t) => {
  const targets = new Targets();
  const target = fc.string({ unit: fc.constantFrom(...'ab/?=%'), maxLength: KEPT_TARGET_BYTES + 8 });
  const hash = fc.oneof(
    fc.constant(0),
    fc.nat(3).map((n) => n * KEPT_TARGETS),
    fc.integer(),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(target, hash, fc.nat(3)), { maxLength: 60 }), (all) => {
      for (const [text, hash, before] of all) {
        const bytes = Buffer.from(`${'/'.repeat(before)}/${text} HTTP/1.1`, 'latin1');
        const until = before + 1 + text.length;
        const read = targets.text(bytes, before, until, hash);
        if (read !== `/${text}`) throw new Error(`${read} is not /${text}`);
      }
    }),
    { numRuns: 300 },
  );
  t.end();
});
