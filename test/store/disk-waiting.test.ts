// Goal: what waits to be written under one key is found by its place, however much of it there is. Method: the list alone, with looks at places counted.
import t from 'tap';
import { type GoneItem, goneItem } from '../../lib/store/disk-queued.js';
import { DiskWaiting } from '../../lib/store/disk-waiting.js';

const KEY = 'http://a.test/';
const COUNT = 600;

const places = Array.from({ length: COUNT }, (_, at) => `${KEY}\0${at}`);

function itemAt(place: string): GoneItem {
  return goneItem(KEY, place, 'purged', undefined, 0);
}

t.test('issue 5: of many variants of a key that wait each is found by a look at a few places', (t) => {
  const waiting = new DiskWaiting();
  let looks = 0;
  for (const place of places) {
    const item = Object.defineProperty(itemAt(place), 'place', {
      get: () => {
        looks++;
        return place;
      },
    });
    t.equal(waiting.at(KEY, place), undefined);
    waiting.add(item);
  }
  for (const place of places) {
    const found = waiting.at(KEY, place);
    if (found === undefined) t.fail(place);
    else waiting.delete(found);
  }
  t.ok(looks < 10 * COUNT, `${looks} looks`);
  t.equal(waiting.size, 0);
  t.end();
});

t.test('issue 5: what waits under a key is there until exactly that is taken out, the latest first', (t) => {
  const waiting = new DiskWaiting();
  const [one, two, three] = places.map(itemAt);
  if (one === undefined || two === undefined || three === undefined) throw new Error('there are three');
  for (const item of [one, two, three]) waiting.add(item);
  t.same(waiting.of(KEY), [three, two, one]);
  waiting.delete(itemAt(two.place));
  t.same(waiting.of(KEY), [three, two, one], 'another one in its place is none of them');
  waiting.delete(two);
  t.same(waiting.of(KEY), [three, one]);
  t.same([...waiting.all()], [one, three]);
  t.equal(waiting.at(KEY, two.place), undefined);
  for (const item of [one, three]) waiting.delete(item);
  t.equal(waiting.of(KEY), undefined);
  t.notOk(waiting.hasKey(KEY));
  waiting.add(two);
  waiting.delete(one);
  t.same(waiting.of(KEY), [two]);
  waiting.clear();
  t.equal(waiting.size, 0);
  t.end();
});
