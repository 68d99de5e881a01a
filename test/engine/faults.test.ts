// Goal: a fault in the handling of one exchange fails that one, is told once, and leaves nothing behind that others wait for. Method: walks in which one step throws.
import t from 'tap';
import { MAX_WAITERS_PER_FILL, RELIFE_STEP_COUNT, STORE_STEP_DELAY_MS } from '../../lib/base/limits.js';
import { ORIGIN_DECIDES } from '../../lib/config/rule.js';
import type { Store } from '../../lib/store/contract.js';
import { makeWalk, onlyRule, type Walk } from '../kit/walk.js';

const FRESH = { 'Cache-Control': 'max-age=60', ETag: '"1"' };

/** Has what the store is asked next throw, once. */
function breakOnce(walk: Walk, name: 'put' | 'swap' | 'touch' | 'lay'): void {
  const store = walk.engine.parts.store as Store & Record<string, unknown>;
  Object.defineProperty(store, name, {
    configurable: true,
    value: () => {
      Reflect.deleteProperty(store, name);
      throw new Error(`${name} broke`);
    },
  });
}

/** A walk in which /a is stale, and may be served so by this directive. */
function staleAt(directive: string): { walk: Walk; cached: Record<string, string> } {
  const walk = makeWalk();
  const cached = { 'Cache-Control': `max-age=1, ${directive}=600`, ETag: '"1"' };
  walk.get('/a');
  walk.origin.last.respond(200, cached, 'hello');
  walk.clock.advance(5_000);
  return { walk, cached };
}

function faultsOf(walk: Walk): number {
  return walk.notices.filter(({ level, code, fields }) => {
    return level === 'error' && code === 'internal' && /broke\n\s+at /.test(String(fields?.['error']));
  }).length;
}

t.test('an answer that cannot be stored fails for all who wait, and the next request asks anew', async (t) => {
  const ways = [
    (walk: Walk) => walk.origin.last.respond(200, FRESH, 'hello'),
    (walk: Walk) => walk.origin.last.head(200, FRESH).data('hello').end(),
  ];
  for (const [at, answer] of ways.entries()) {
    const walk = makeWalk();
    const clients = [walk.get('/a'), walk.get('/a')];
    const bystander = walk.get('/b');
    breakOnce(walk, 'put');
    walk.origin.exchanges.splice(0, walk.origin.count, walk.origin.nth(1));
    answer(walk);
    const statuses = clients.map(({ status }) => status);
    t.same(statuses, at === 0 ? [502, 502] : [200, 200], 'what has begun to arrive goes on');
    t.equal(bystander.ending, 'waiting');
    t.equal(walk.engine.stats.fills, 1, 'that of the bystander');
    t.equal(faultsOf(walk), 1);
    const next = walk.get('/a');
    t.equal(next.status, undefined);
    walk.origin.last.respond(200, FRESH, 'again');
    t.equal(next.body, 'again');
    t.equal(walk.get('/a').outcome, 'HIT');
  }
});

t.test(
  'an answer that cannot be stored once its only client has it is that client’s, and the next request asks anew',
  async (t) => {
    const walk = makeWalk();
    const client = walk.get('/a');
    breakOnce(walk, 'put');
    walk.origin.last.respond(200, FRESH, 'hello');
    t.same([client.status, client.body, client.broken], [200, 'hello', undefined]);
    t.same([faultsOf(walk), walk.engine.stats.fills], [1, 0]);
    t.match(walk.asked, [{ end: 'failed', reason: 'origin-aborted' }]);
    t.equal(walk.engine.parts.store.stats.objects, 0);
    const next = walk.get('/a');
    t.equal(next.status, undefined);
    walk.origin.last.respond(200, FRESH, 'again');
    t.same([next.body, walk.get('/a').outcome], ['again', 'HIT']);
  },
);

t.test('a client that is gone, or cannot be replied to, leaves what came for it stored', async (t) => {
  const walk = makeWalk();
  walk.get('/gone').leave();
  walk.origin.last.respond(200, FRESH, 'hello');
  t.equal(walk.get('/gone').outcome, 'HIT');
  const client = walk.get('/a');
  client.reply = () => {
    throw new Error('reply broke');
  };
  walk.origin.last.respond(200, FRESH, 'hello');
  t.match(client.broken, { message: 'reply broke' });
  t.equal(walk.get('/a').outcome, 'HIT');
  t.equal(walk.engine.stats.fills, 0);
});

t.test('a 304 that cannot be merged ends in what is stale, where that may be served', async (t) => {
  const { walk, cached } = staleAt('stale-if-error');
  const client = walk.get('/a');
  breakOnce(walk, 'swap');
  walk.origin.last.respond(304, cached);
  t.same([client.status, client.body, client.outcome], [200, 'hello', 'STALE']);
  t.same([faultsOf(walk), walk.engine.stats.fills], [1, 0]);
});

t.test('a fault in the reply to one client is that one’s, though others wait for the same answer', async (t) => {
  const walk = makeWalk();
  const clients = [walk.get('/a'), walk.get('/a'), walk.get('/a')];
  for (const client of clients.slice(0, 2)) {
    client.reply = () => {
      throw new Error('reply broke');
    };
  }
  walk.origin.last.respond(200, FRESH, 'hello');
  t.match(clients[0]?.broken, { message: 'reply broke' });
  t.match(clients[1]?.broken, { message: 'reply broke' });
  t.equal(clients[2]?.body, 'hello');
  t.equal(walk.engine.stats.fills, 0);
  t.equal(walk.get('/a').outcome, 'HIT');
});

t.test('a fault as the origin is asked, or as a wait ends, is contained in the same way', async (t) => {
  const walk = makeWalk();
  const { fetch } = walk.origin;
  walk.origin.fetch = () => {
    walk.origin.fetch = fetch;
    throw new Error('fetch broke');
  };
  t.equal(walk.get('/a').status, 502);
  t.same([walk.engine.stats.fills, faultsOf(walk)], [0, 1]);
  const leader = walk.get('/a');
  const waiter = walk.get('/a');
  waiter.reply = () => {
    throw new Error('reply broke');
  };
  walk.clock.advance(30_000);
  t.match(waiter.broken, { message: 'reply broke' });
  walk.origin.last.respond(200, FRESH, 'hello');
  t.equal(leader.body, 'hello');
});

t.test('a refresh that nobody waits for ends in a fault as in a failure, and the next one goes', async (t) => {
  const { walk, cached } = staleAt('stale-while-revalidate');
  t.equal(walk.get('/a').outcome, 'UPDATING');
  breakOnce(walk, 'put');
  walk.origin.last.respond(200, cached, 'newer');
  t.same([walk.engine.stats.fills, faultsOf(walk)], [0, 1]);
  t.equal(walk.get('/a').body, 'hello');
  walk.clock.advance(60_000);
  walk.get('/a');
  walk.origin.last.respond(200, cached, 'newer');
  t.equal(walk.get('/a').body, 'newer');
});

t.test('who waits for the end of a fill hears of it, though what hears of it first breaks', async (t) => {
  const walk = makeWalk();
  walk.get('/a');
  const [fill] = walk.engine.collapse.all();
  if (fill === undefined) throw new Error('it is under way');
  const heard: string[] = [];
  walk.engine.collapse.whenEnded(fill, () => {
    throw new Error('hearing broke');
  });
  walk.engine.collapse.whenEnded(fill, (end) => heard.push(end));
  walk.engine.refreshes.noteEnd = () => {
    throw new Error('noting broke');
  };
  walk.origin.last.respond(200, FRESH, 'hello');
  t.same(heard, ['stored']);
  t.equal(walk.engine.stats.fills, 0);
  t.equal(faultsOf(walk), 1);
});

t.test('a stored response that cannot be put under a new rule is left, and all others are put under it', async (t) => {
  const walk = makeWalk();
  const count = RELIFE_STEP_COUNT * 2;
  for (let at = 0; at < count; at++) {
    walk.get(`/${at}`);
    walk.origin.last.respond(200, FRESH, 'hello');
  }
  const { live, store } = walk.engine.parts;
  const rules = onlyRule({ ...ORIGIN_DECIDES, name: 'new' });
  const { ruleForResponse } = rules;
  rules.ruleForResponse = (request, ...more) => {
    if (request.target === '/1') throw new Error('the rule broke');
    return ruleForResponse.call(rules, request, ...more);
  };
  walk.engine.reconfigure({ ...live, rules });
  for (let step = 0; step < 10; step++) walk.clock.advance(STORE_STEP_DELAY_MS);
  const ruleOf = (path: string) => store.peek(`http://example.test${path}`)?.[0]?.rule;
  t.not(ruleOf('/1'), 'new');
  t.same(
    Array.from({ length: count }, (_, at) => `/${at}`).filter((path) => ruleOf(path) !== 'new'),
    ['/1'],
  );
  t.equal(faultsOf(walk), 1);
});

t.test('as many as may wait for a fill are told of its end, whichever of them throws', (t) => {
  const walk = makeWalk();
  walk.get('/a');
  const [fill] = walk.engine.collapse.all();
  if (fill === undefined) throw new Error('a fill is under way');
  let told = 0;
  for (let n = 0; n < MAX_WAITERS_PER_FILL; n++) {
    walk.engine.collapse.whenEnded(fill, () => {
      told++;
      if (n === 0) throw new Error('the first broke');
    });
  }
  walk.origin.last.respond(200, FRESH, 'hello');
  t.equal(told, MAX_WAITERS_PER_FILL);
  t.equal(faultsOf(walk), 1);
  t.end();
});
