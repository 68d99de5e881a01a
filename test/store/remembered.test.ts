// Goal: what is remembered of keys is bounded, and the one entered first goes first, whatever was deleted in between.
// Method: random commands, compared after each with a list.
import fc from 'fast-check';
import t from 'tap';
import { Remembered } from '../../lib/store/remembered.js';

const MAX_COUNT = 4;
const MAX_KEY_BYTES = 12;

const command = fc.record({
  what: fc.constantFrom('set', 'set', 'set', 'delete', 'oldest', 'where'),
  key: fc.constantFrom('a', 'bb', 'ccc', 'dddd', 'e', 'ff', 'ggggg'),
});

t.test('the oldest of what is there is known after any commands, and goes first', (t) => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const remembered = new Remembered<number>(MAX_COUNT, MAX_KEY_BYTES);
      let model: [string, number][] = [];
      for (const [at, { what, key }] of commands.entries()) {
        if (what === 'set') {
          remembered.set(key, at);
          model = [...model.filter(([own]) => own !== key), [key, at]];
          const bytes = () => model.reduce((sum, [own]) => sum + own.length, 0);
          while (model.length > MAX_COUNT || bytes() > MAX_KEY_BYTES) model.shift();
        } else if (what === 'delete') {
          if (remembered.delete(key) !== model.some(([own]) => own === key)) return false;
          model = model.filter(([own]) => own !== key);
        } else if (what === 'where') {
          remembered.deleteWhere((own) => own >= key);
          model = model.filter(([own]) => own < key);
        }
        const oldest = what === 'set' ? model[0] : remembered.oldest();
        if (oldest?.[0] !== model[0]?.[0] || oldest?.[1] !== model[0]?.[1]) return false;
        if (remembered.size !== model.length) return false;
        if (model.some(([own, value]) => remembered.get(own) !== value)) return false;
      }
      return true;
    }),
    { numRuns: 2000 },
  );
  t.end();
});
