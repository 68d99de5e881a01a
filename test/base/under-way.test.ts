// Goal: what is under way is found by its key until it is taken out, and nothing of it is left then. Method: random steps beside
// a plain list; and the size of V8's old generation while much comes and goes.
import v8 from 'node:v8';
import fc from 'fast-check';
import t from 'tap';
import { type Entry, UnderWay } from '../../lib/base/under-way.js';
import { collectAll } from '../kit/collect.js';

interface Listed {
  readonly key: string;
  readonly value: number;
  readonly entry: Entry<{ n: number }>;
}

t.test(
  'whatever is put in and taken out, those under a key are found, the one that came first before the others',
  (t) => {
    const step = fc.tuple(fc.constantFrom('add', 'delete', 'again'), fc.nat(40), fc.nat(500));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600 }), (steps) => {
        const table = new UnderWay<{ n: number }>();
        const listed: Listed[] = [];
        const gone: Entry<{ n: number }>[] = [];
        for (const [what, key, at] of steps) {
          const name = `http://example.test/${key}`;
          const taken = what === 'delete' && listed.length > 0 ? listed.splice(at % listed.length, 1)[0] : undefined;
          if (taken !== undefined) {
            table.delete(taken.entry);
            gone.push(taken.entry);
          } else if (what === 'again' && gone.length > 0) table.delete(gone[at % gone.length] as Entry<{ n: number }>);
          else listed.push({ key: name, value: at, entry: table.add(name, { n: at }) });
          const expected = listed.filter((one) => one.key === name).map((one) => one.value);
          const found = table.of(name).map(({ n }) => n);
          if (found.join() !== expected.join() || table.has(name) !== expected.length > 0) return false;
          if (table.find(name, ({ n }) => n === expected.at(-1))?.n !== expected.at(-1)) return false;
        }
        const all = table.all().map(({ n }) => n);
        const isAll =
          all.sort().join() ===
          listed
            .map(({ value }) => value)
            .sort()
            .join();
        return (
          isAll &&
          table.count === listed.length &&
          gone.every(({ value, next }) => value === undefined && next === undefined)
        );
      }),
      { seed: 1, numRuns: 200 },
    );
    t.end();
  },
);

t.test('what has come and gone is not kept until the next major collection', (t) => {
  const table = new UnderWay<object>();
  const running: Entry<object>[] = [];
  const bytes = 1024;
  const come = (n: number): void => {
    running.push(table.add(`http://example.test/${n}`, { n, filling: new Array(bytes / 8).fill(n) }));
    if (running.length > 64) table.delete(running.shift() as Entry<object>);
  };
  for (let n = 0; n < 100; n++) come(n);
  // All that is under way is in the old generation now.
  collectAll();
  const before = oldBytes();
  const count = 40_000;
  for (let n = 0; n < count; n++) come(n);
  // With a Map it is a third of all.
  t.ok(oldBytes() - before < (count * bytes) / 8, `${oldBytes() - before} bytes more`);
  t.end();
});

function oldBytes(): number {
  return v8.getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')?.space_used_size ?? 0;
}
