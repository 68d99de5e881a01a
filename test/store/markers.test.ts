// Goal: hit-for-miss markers are few, small and end by themselves. Method: a fake clock.
import t from 'tap';
import { MAX_MARKERS_BYTES } from '../../lib/base/limits.js';
import { createMarkers } from '../../lib/store/markers.js';
import { FakeClock } from '../kit/clock.js';

t.test('DESIGN 3: an uncacheable key is remembered for its time and no longer', (t) => {
  const clock = new FakeClock();
  const markers = createMarkers({ max: 10, clock });
  markers.mark('a', 1000);
  t.ok(markers.isMarked('a'));
  t.notOk(markers.isMarked('b'));
  clock.advance(999);
  t.ok(markers.isMarked('a'));
  clock.advance(1);
  t.notOk(markers.isMarked('a'));
  t.equal(markers.size, 0);
  t.end();
});

t.test('a marker is renewed, taken back, and ends at once with no time', (t) => {
  const clock = new FakeClock();
  const markers = createMarkers({ max: 10, clock });
  markers.mark('a', 1000);
  clock.advance(600);
  markers.mark('a', 1000);
  clock.advance(600);
  t.ok(markers.isMarked('a'));
  markers.unmark('a');
  markers.unmark('a');
  t.notOk(markers.isMarked('a'));
  markers.mark('b', 1000);
  markers.mark('b', 0);
  t.notOk(markers.isMarked('b'));
  t.end();
});

t.test('scar 14: markers are bounded in number, and the oldest goes first', (t) => {
  const markers = createMarkers({ max: 3, clock: new FakeClock() });
  for (const key of ['a', 'b', 'c']) markers.mark(key, 1000);
  markers.mark('a', 1000);
  markers.mark('d', 1000);
  t.equal(markers.size, 3);
  t.notOk(markers.isMarked('b'));
  t.ok(markers.isMarked('a'), 'renewed, so not the oldest');
  t.end();
});

t.test('scar 14: markers are bounded in bytes, however long their keys are', (t) => {
  const markers = createMarkers({ max: 10_000, clock: new FakeClock() });
  for (let at = 0; at < 1000; at++) markers.mark(`${at}`.padEnd(8192, 'x'), 1000);
  t.ok(markers.size <= MAX_MARKERS_BYTES / 8192);
  markers.mark('x'.repeat(MAX_MARKERS_BYTES + 1), 1000);
  t.equal(markers.size, 0, 'one that is too long by itself is not kept');
  t.end();
});

t.test('markers that ended make no room needed', (t) => {
  const clock = new FakeClock();
  const markers = createMarkers({ max: 2, clock });
  markers.mark('a', 10);
  markers.mark('b', 10);
  t.equal(markers.size, 2);
  clock.advance(10);
  t.equal(markers.size, 0);
  t.end();
});
