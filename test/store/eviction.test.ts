// Goal: the parts of eviction (lists, ghost, S3-FIFO, order of the queues) do what they say. Method: each alone, slots by hand, properties against plain arrays.
import fc from 'fast-check';
import t from 'tap';
import { hashOf } from '../../lib/base/hash.js';
import { MAX_EVICTION_LOOKS, MAX_TAKEN_LOOKS } from '../../lib/base/limits.js';
import { Eviction } from '../../lib/store/eviction.js';
import { Ghost } from '../../lib/store/ghost.js';
import { Links, NO_SLOT } from '../../lib/store/links.js';
import { Slots } from '../../lib/store/slots.js';

t.test('lists of slots keep their order under any moves, also while they grow', (t) => {
  const move = fc.record({ to: fc.nat(2), slot: fc.nat(39), splice: fc.boolean() });
  fc.assert(
    fc.property(fc.array(move, { maxLength: 200 }), (moves) => {
      const links = new Links(3);
      const model: number[][] = [[], [], []];
      let capacity = 0;
      const take = (slot: number): void => {
        for (const list of model) if (list.includes(slot)) list.splice(list.indexOf(slot), 1);
      };
      for (const { to, slot, splice } of moves) {
        if (slot >= capacity) {
          capacity = slot + 1;
          links.grow(capacity);
        }
        const list = model[to] ?? [];
        if (splice) {
          const from = (to + 1) % 3;
          links.splice(from, to);
          list.unshift(...(model[from] ?? []));
          model[from] = [];
        } else {
          take(slot);
          links.remove(slot);
          list.unshift(slot);
          links.pushFront(to, slot);
        }
      }
      return model.every((list, number) => {
        if (links.isEmpty(number) !== (list.length === 0)) return false;
        if (links.first(number) !== (list[0] ?? NO_SLOT)) return false;
        for (const slot of list.toReversed()) {
          if (links.last(number) !== slot) return false;
          links.remove(slot);
        }
        return links.last(number) === NO_SLOT;
      });
    }),
  );
  t.end();
});

t.test('a slot that was given back is taken again, and holds nothing of before', (t) => {
  const slots = new Slots<string>();
  const first = slots.take('a', 10, 1);
  slots.use(first);
  for (let use = 0; use < 9; use++) slots.use(first);
  t.equal(slots.uses(first), 3, 'uses are counted up to three');
  slots.give(first);
  t.equal(slots.at(first), undefined);
  const second = slots.take('b', 20, 2);
  t.equal(second, first);
  t.equal(slots.uses(second), 0);
  for (let at = 0; at < 3000; at++) slots.take(`${at}`, at, at);
  t.equal(slots.capacity, 4096);
  t.equal(slots.count, 3001);
  t.equal(slots.at(second), 'b');
  t.equal(slots.bytes(second), 20);
  t.equal(slots.hash(second), 2);
  t.end();
});

t.test('the ghost remembers lately evicted keys once, forgets the oldest, and keeps them when it grows', (t) => {
  const ghost = new Ghost();
  const hashes = Array.from({ length: 300 }, (_, at) => hashOf(`key ${at}`));
  for (const hash of [...hashes, 0]) ghost.add(hash);
  ghost.resize(4096);
  const known = hashes.filter((hash) => ghost.recall(hash)).length;
  t.ok(known >= 290, `${known} of 300`);
  t.ok(ghost.recall(0), 'a hash of 0 is one like any other');
  t.notOk(ghost.recall(0), 'once');
  for (let at = 0; at < 100_000; at++) ghost.add(hashOf(`other ${at}`));
  t.equal(hashes.filter((hash) => ghost.recall(hash)).length, 0);
  t.end();
});

interface Queues {
  readonly slots: Slots<string>;
  readonly eviction: Eviction;
  /** What clients take. */
  readonly taken: Set<number>;
  admit(name: string): number;
  next(): string | undefined;
}

function makeQueues(): Queues {
  const slots = new Slots<string>();
  const taken = new Set<number>();
  const eviction = new Eviction(slots, (slot) => taken.has(slot));
  return {
    slots,
    eviction,
    taken,
    admit(name) {
      const slot = slots.take(name, 10, hashOf(name));
      eviction.admit(slot);
      return slot;
    },
    next() {
      const slot = eviction.takeVictim();
      const name = slot === NO_SLOT ? undefined : slots.at(slot);
      if (slot !== NO_SLOT) slots.give(slot);
      return name;
    },
  };
}

t.test('unused newcomers go in the order they came', (t) => {
  const { admit, next } = makeQueues();
  for (const name of ['a', 'b', 'c']) admit(name);
  t.strictSame([next(), next(), next(), next()], ['a', 'b', 'c', undefined]);
  t.end();
});

t.test('a newcomer that was used twice stays, one that comes back soon after its eviction is believed', (t) => {
  const { admit, next, slots } = makeQueues();
  const used = admit('used');
  slots.use(used);
  slots.use(used);
  for (let at = 0; at < 20; at++) admit(`n${at}`);
  t.equal(next(), 'n0');
  for (let at = 1; at < 15; at++) next();
  admit('n0');
  for (let at = 20; at < 60; at++) admit(`n${at}`);
  for (let at = 0; at < 40; at++) {
    const gone = next();
    if (gone === 'n0' || gone === 'used') t.fail(`${gone} went before newcomers`);
  }
  t.end();
});

t.test('one search passes over a bounded number of used slots', (t) => {
  const { admit, next, slots } = makeQueues();
  const all = Array.from({ length: 1000 }, (_, at) => admit(`u${at}`));
  for (const slot of all) for (let use = 0; use < 3; use++) slots.use(slot);
  t.equal(next(), `u${MAX_EVICTION_LOOKS}`);
  t.end();
});

t.test('what was not used since its grace ended goes first, what was is treated like the rest', (t) => {
  const { admit, next, slots, eviction } = makeQueues();
  admit('live');
  const [once, hot, idle] = [admit('once'), admit('hot'), admit('idle')];
  for (let use = 0; use < 3; use++) slots.use(once);
  for (const slot of [once, hot, idle]) eviction.graceEnded(slot);
  for (let use = 0; use < 3; use++) slots.use(hot);
  t.equal(next(), 'once', 'its uses were all before');
  t.equal(next(), 'idle');
  t.equal(next(), 'live');
  t.equal(next(), 'hot');
  t.equal(next(), undefined);
  t.end();
});

t.test('a slot past grace that is refreshed is treated like the rest', (t) => {
  const { admit, next, eviction } = makeQueues();
  const refreshed = admit('refreshed');
  for (let at = 0; at < 20; at++) admit(`n${at}`);
  eviction.graceEnded(refreshed);
  eviction.restore(refreshed, eviction.withdraw(refreshed));
  for (let at = 0; at < 18; at++) t.not(next(), 'refreshed');
  t.end();
});

t.test('a slot that is withdrawn is no victim', (t) => {
  const { admit, next, eviction } = makeQueues();
  const slot = admit('a');
  const place = eviction.withdraw(slot);
  t.equal(next(), undefined);
  eviction.remove(slot);
  eviction.restore(slot, place);
  t.equal(next(), 'a');
  t.end();
});

t.test('what clients take is no victim, and has its turn before all others once they have it', (t) => {
  const { admit, next, taken, slots, eviction } = makeQueues();
  const [first, used, ended] = [admit('first'), admit('used'), admit('ended')];
  for (let use = 0; use < 2; use++) slots.use(used);
  eviction.graceEnded(ended);
  for (const slot of [first, used, ended]) taken.add(slot);
  for (let at = 0; at < 100; at++) admit(`n${at}`);
  t.strictSame([next(), next()], ['n0', 'n1']);
  taken.clear();
  t.strictSame(
    [next(), next(), next()],
    ['ended', 'first', 'n2'],
    'each as it was: one past grace, one of the newcomers',
  );
  for (let at = 3; at < 95; at++) t.equal(next(), `n${at}`);
  t.end();
});

t.test('those whose turn was put off have it in the order in which they had it before', (t) => {
  const { admit, next, taken } = makeQueues();
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  for (const name of names) taken.add(admit(name));
  for (const name of ['x', 'y']) admit(name);
  t.equal(next(), 'x');
  taken.clear();
  t.strictSame(
    names.map(() => next()),
    names,
  );
  t.equal(next(), 'y');
  t.end();
});

t.test('one search puts off a bounded number of turns, and the next one goes on from there', (t) => {
  const { admit, next, taken } = makeQueues();
  for (let at = 0; at < 2 * MAX_TAKEN_LOOKS; at++) taken.add(admit(`t${at}`));
  admit('free');
  t.strictSame([next(), next(), next()], [undefined, undefined, 'free']);
  t.equal(next(), undefined);
  taken.clear();
  t.match(next(), /^t\d/);
  t.end();
});

t.test('of what clients take the next one can be had too, and nothing else moves for it', (t) => {
  const { admit, next, taken, slots, eviction } = makeQueues();
  const names = ['a', 'b', 'c', 'd'];
  const [, b] = names.map(admit);
  taken.add(b ?? 0);
  for (const wasPutOff of [false, true]) {
    if (wasPutOff) t.strictSame([next(), next()], ['a', 'c']);
    const slot = eviction.takeTaken();
    t.equal(slots.at(slot), 'b');
    eviction.restore(slot, 0);
    if (!wasPutOff) eviction.restore(slot, eviction.withdraw(slot));
  }
  taken.clear();
  t.equal(eviction.takeTaken(), NO_SLOT);
  t.strictSame([next(), next(), next()], ['d', 'b', undefined]);
  t.end();
});
