// Goal: parts are charged to the budget like every other byte. Method: a walk with a fake clock and a played origin.
import t from 'tap';
import { makeWalk } from '../kit/walk.js';

const CACHEABLE = { 'Cache-Control': 'max-age=10', ETag: '"one"' };

t.test('the memory tier: bodies are counted in the byte budget, parts of them too', async (t) => {
  const walk = makeWalk({ budgetBytes: 4_000_000 });
  const size = 500_000;
  for (let i = 0; i < 20; i++) {
    const place = `${i * size}-${(i + 1) * size - 1}`;
    walk.get('/a', { Range: `bytes=${place}` });
    walk.origin.last.respond(206, { ...CACHEABLE, 'Content-Range': `bytes ${place}/100000000` }, 'x'.repeat(size));
  }
  const { store } = walk.engine.parts;
  const stored = store.peek('http://example.test/a') ?? [];
  const held = stored.reduce((sum, one) => sum + (one.partial?.heldBytes ?? 0), 0);
  t.ok(held <= store.stats.bytes, `${held} bytes of parts are held, ${store.stats.bytes} charged`);
  t.ok(held <= store.stats.budgetBytes);
});
