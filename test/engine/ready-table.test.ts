/** Goal: what is kept ready is found, counted, and given up when nobody asks for it. Method: the table alone. */
import t from 'tap';
import { MAX_READY_HOSTS, READY_IDLE_PRUNINGS } from '../../lib/base/ready-limits.js';
import { ReadyEntry, ReadyTable } from '../../lib/engine/ready-table.js';
import { makeStored } from '../store/make-stored.js';

function makeEntry() {
  const stored = makeStored({ bornAt: 0 });
  const place = { list: [stored] };
  return { place, entry: new ReadyEntry(place, place.list, stored) };
}

t.test('a target is found under its host alone', async (t) => {
  const table = new ReadyTable();
  const { entry } = makeEntry();
  table.set('a.test', '/', entry);
  t.equal(table.get('a.test', '/'), entry);
  t.equal(table.get('b.test', '/'), undefined);
  table.delete('b.test', '/');
  t.equal(table.get('a.test', '/'), entry);
  table.set('a.test', '/', makeEntry().entry);
  t.equal(table.count, 1, 'what takes its place is not counted again');
  table.delete('a.test', '/');
  t.equal(table.count, 0);
});

t.test('a host that comes while it is looked for is found', async (t) => {
  const table = new ReadyTable();
  t.equal(table.get('a.test', '/'), undefined);
  const { entry } = makeEntry();
  table.set('a.test', '/', entry);
  t.equal(table.get('a.test', '/'), entry);
});

t.test('what nobody asks for, or is not what is stored any more, goes', async (t) => {
  const table = new ReadyTable();
  const [used, idle, changed] = [makeEntry(), makeEntry(), makeEntry()];
  table.set('a.test', '/used', used.entry);
  table.set('a.test', '/idle', idle.entry);
  table.set('b.test', '/changed', changed.entry);
  changed.place.list = [];
  table.prune();
  t.equal(table.get('b.test', '/changed'), undefined);
  t.equal(table.count, 2);
  for (let count = 0; count < READY_IDLE_PRUNINGS; count++) {
    used.entry.idle = 0;
    table.prune();
  }
  t.equal(table.get('a.test', '/idle'), undefined);
  t.equal(table.get('a.test', '/used'), used.entry);
  table.clear();
  t.equal(table.get('a.test', '/used'), undefined);
  t.equal(table.count, 0);
});

t.test('hosts have a bound of their own, and one that has a target has room for more', async (t) => {
  const table = new ReadyTable();
  for (let count = 0; count < MAX_READY_HOSTS; count++) table.set(`${count}.test`, '/', makeEntry().entry);
  t.equal(table.hasRoomUnder('other.test'), false);
  t.equal(table.hasRoomUnder('0.test'), true);
});
