// Goal: of a lease that could not be given back it is known until when it is owed: the primary process has it given back by another worker where this one dies. Method: the list alone, a server that is there or not, a fake clock.
import t from 'tap';
import { MAX_SHARED_OWED } from '../../lib/base/shared-limits.js';
import { SharedOwed } from '../../lib/store/shared-owed.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';

const LEASE_MS = 1000;
const place = (name: string) => ({ name, variant: 'all', holder: 'machine-1.' });

function owing() {
  const clock = new FakeClock();
  const owed = new SharedOwed(clock, LEASE_MS);
  const over: string[] = [];
  const tried: string[] = [];
  const server = { isThere: false };
  const owe = (name: string): void => {
    owed.note(place(name), name);
    void owed.over(place(name)).then(() => over.push(name));
  };
  const settle = async (): Promise<void> => {
    await owed.settle(async (_, key) => {
      tried.push(key);
      return server.isThere;
    });
    await turns();
  };
  return { clock, owed, over, tried, server, owe, settle };
}

t.test('issue 5: what is not owed is over at once', async (t) => {
  await owing().owed.over(place('a'));
  t.pass();
});

t.test('issue 5: a lease is owed until it has been given back', async (t) => {
  const { over, tried, server, owe, settle } = owing();
  owe('a');
  owe('b');
  await settle();
  t.same([over, tried], [[], ['a']], 'where one cannot be, the others are not tried');
  server.isThere = true;
  await settle();
  t.same(over, ['a', 'b']);
  await settle();
  t.equal(tried.length, 3, 'once');
});

t.test('issue 5: a lease is owed until it lapses, whether the server is there or not', async (t) => {
  const { clock, over, tried, owe, settle } = owing();
  owe('a');
  clock.advance(1);
  owe('b');
  clock.advance(LEASE_MS - 1);
  await settle();
  t.same([over, tried], [['a'], ['b']]);
});

t.test('issue 5: two rounds at once try it once', async (t) => {
  const { over, tried, server, owe, settle } = owing();
  owe('a');
  server.isThere = true;
  await Promise.all([settle(), settle()]);
  t.same([over, tried], [['a'], ['a']]);
});

t.test('issue 5: of too many the oldest is left to lapse, and owed no more', async (t) => {
  const { over, owe } = owing();
  for (let at = 0; at <= MAX_SHARED_OWED; at++) owe(String(at));
  await turns();
  t.same(over, ['0']);
});

t.test('issue 5: what a tier owes is given back by the one that a reload puts in its place', async (t) => {
  const { clock, owed, over, owe } = owing();
  const next = new SharedOwed(clock, LEASE_MS);
  owe('a');
  owed.replacedBy(next);
  // What was being given back as the tier was closed comes to be known only then.
  owe('b');
  await turns();
  t.same(over, []);
  const tried: string[] = [];
  await next.settle(async (_, key) => {
    tried.push(key);
    return true;
  });
  await turns();
  t.same(
    [over, tried],
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
  );
});

t.test('issue 5: what a tier owes that has none in its place is owed no more', async (t) => {
  const { owed, over, owe } = owing();
  owe('a');
  owed.replacedBy(undefined);
  owe('b');
  await turns();
  t.same(over, ['a', 'b']);
});
