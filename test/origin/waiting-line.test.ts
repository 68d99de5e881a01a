// Goal: those who wait stand in the order in which they came, whoever leaves, and who has left points to nobody. Method:
// random steps beside a plain list.
import fc from 'fast-check';
import t from 'tap';
import { type InLine, WaitingLine } from '../../lib/origin/waiting-line.js';

interface One extends InLine<One> {
  readonly n: number;
}

t.test('who came first is first, whoever leaves in between', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(30), { maxLength: 200 }), (steps) => {
      const line = new WaitingLine<One>();
      const listed: One[] = [];
      const everyone: One[] = [];
      for (const [n, step] of steps.entries()) {
        const leaving = step % 2 === 0 ? undefined : everyone[step % Math.max(1, everyone.length)];
        if (leaving === undefined) {
          const one: One = { n, isInLine: false, ahead: undefined, behind: undefined };
          everyone.push(one);
          listed.push(one);
          line.join(one);
        } else {
          line.leave(leaving);
          if (listed.includes(leaving)) listed.splice(listed.indexOf(leaving), 1);
          if (leaving.isInLine || leaving.ahead !== undefined || leaving.behind !== undefined) return false;
        }
        if (line.first !== listed[0] || line.count !== listed.length) return false;
      }
      const inOrder: One[] = [];
      for (let one = line.first; one !== undefined; one = line.first) {
        inOrder.push(one);
        line.leave(one);
      }
      return inOrder.map(({ n }) => n).join() === listed.map(({ n }) => n).join() && line.count === 0;
    }),
    { seed: 1, numRuns: 300 },
  );
  t.end();
});
