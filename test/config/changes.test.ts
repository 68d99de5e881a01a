// Goal: a reload says of each change what it was, what it is, and when it counts. Method: pairs of documents as a person writes them.
import t from 'tap';
import { changesBetween } from '../../lib/config/changes.js';

const between = (before: unknown, after: unknown): readonly string[] => changesBetween(before, after, () => false);

t.test('a change that a reload makes at once is told as what it was and what it is', (t) => {
  t.same(between({ defaults: { ttl: '1s' } }, { defaults: { ttl: '5s' } }), ['defaults.ttl: 1s -> 5s']);
  t.same(between({ cache: { memory: '1MB' } }, {}), ['cache: {"memory":"1MB"} -> (default)']);
  t.end();
});

t.test('a change that counts at the next start alone says so, wherever in the document it is written', (t) => {
  t.same(between({}, { workers: 2 }), ['workers: (default) -> 2, from the next start on']);
  t.same(between({ cache: { disk: { path: 'a' } } }, { cache: { disk: { path: 'b' } } }), [
    'cache.disk.path: a -> b, from the next start on',
  ]);
  t.same(between({}, { cache: { disk: 'a' } }), ['cache: (default) -> {"disk":"a"}, from the next start on']);
  t.same(between({ cache: { disk: 'a', memory: '1MB' } }, { cache: { disk: 'a', memory: '2MB' } }), [
    'cache.memory: 1MB -> 2MB',
  ]);
  t.end();
});
