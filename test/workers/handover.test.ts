// Goal: decision 0047, clients that come together to several workers are let in together. Method: workers that note what they are given, and take it when told to.
import t from 'tap';
import { MAX_REFUSED_CONNECTIONS } from '../../lib/base/limits.js';
import { HANDOVER_TIMEOUT_MS, MAX_HANDOVERS } from '../../lib/base/worker-limits.js';
import type { Handle } from '../../lib/front/read-into.js';
import { SILENT } from '../../lib/observe/events.js';
import { Handovers } from '../../lib/workers/handover.js';
import type { Member } from '../../lib/workers/supervisor.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';

interface Given {
  readonly worker: number;
  readonly connection: number;
  readonly isMore: boolean;
}

class Scene {
  readonly given: Given[] = [];
  closed = 0;
  readonly #taken = new Map<number, number>();
  readonly members: Member[] = [];
  readonly clock = new FakeClock();
  /** Codes of the notices. */
  readonly notices: string[] = [];
  connectionLimit = 20_000;
  readonly handovers = new Handovers({
    clock: this.clock,
    events: { ...SILENT, notice: (_level, code) => void this.notices.push(code) },
    connectionLimit: () => this.connectionLimit,
    members: () => this.members,
  });

  constructor(workers: number) {
    for (let worker = 0; worker < workers; worker++) {
      const give = (message: object): void => void this.given.push({ worker, ...(message as Omit<Given, 'worker'>) });
      this.members.push({ connections: 0, child: { give } } as unknown as Member);
    }
  }

  come(count: number): void {
    for (let at = 0; at < count; at++) this.handovers.take({ close: () => this.closed++ } as unknown as Handle);
  }

  /** What was given and not taken is. */
  takeAll(): void {
    for (const given of this.given.splice(0)) this.#take(given);
  }

  /** The one that was given to it first is taken by this worker, which knows nothing of those behind. */
  takeOne(worker: number): void {
    const at = this.given.findIndex((given) => given.worker === worker);
    const [given] = at < 0 ? [] : this.given.splice(at, 1);
    if (given !== undefined) this.#take(given);
  }

  /** A drain that may take so long. What it returns says whether it is done with handing over. */
  drain(leftMs: number): () => Promise<boolean> {
    let isDone = false;
    void this.handovers.done(this.clock.steady() + leftMs).then(() => {
      isDone = true;
    });
    return async () => {
      await turns(3);
      return isDone;
    };
  }

  #take({ worker, connection }: Given): void {
    const member = this.members[worker];
    const count = (this.#taken.get(worker) ?? 0) + 1;
    this.#taken.set(worker, count);
    // As the supervisor notes it.
    if (member !== undefined) member.connections = count;
    this.handovers.took(connection);
  }
}

t.test('who comes alone is given on in the next turn, and nobody is said to be behind', async (t) => {
  const scene = new Scene(2);
  scene.come(1);
  await turns(3);
  t.match(scene.given, [{ worker: 0, isMore: false }]);
  scene.come(1);
  await turns(3);
  t.match(scene.given[1], { worker: 1, isMore: false });
});

t.test('of those who come together each but the last of each worker is said to have others behind', async (t) => {
  const scene = new Scene(2);
  const said: boolean[] = [];
  scene.come(MAX_HANDOVERS * 4);
  t.same(scene.given, [], 'all are accepted first');
  await turns(3);
  while (scene.given.length > 0) {
    said.push(...scene.given.map(({ isMore }) => isMore));
    scene.takeAll();
  }
  t.equal(said.length, MAX_HANDOVERS * 4);
  t.same(
    said,
    said.map((_, at) => at < said.length - 2),
  );
  t.same(
    scene.members.map(({ connections }) => connections),
    [MAX_HANDOVERS * 2, MAX_HANDOVERS * 2],
  );
  t.equal(scene.closed, MAX_HANDOVERS * 4, 'the primary process keeps none');
});

t.test('each gets as many, though what a worker says that it has is without those on their way to it', async (t) => {
  const scene = new Scene(2);
  scene.come(6);
  await turns(3);
  scene.takeOne(1);
  scene.come(2);
  await turns(3);
  scene.takeAll();
  t.same(
    scene.members.map(({ connections }) => connections),
    [4, 4],
  );
});

t.test('as many as there are workers are told of nobody behind: none waits for what another one gets', async (t) => {
  const scene = new Scene(4);
  scene.come(4);
  await turns(3);
  t.same(
    scene.given.map(({ worker, isMore }) => [worker, isMore]),
    [0, 1, 2, 3].map((worker) => [worker, false]),
  );
});

t.test('a worker that has taken one is given none of those who are still coming', async (t) => {
  const scene = new Scene(2);
  scene.come(1);
  await turns(3);
  t.equal(scene.given.length, 1);
  scene.come(3);
  scene.takeAll();
  t.same(scene.given, []);
  await turns(3);
  t.equal(scene.given.length, 3);
});

t.test('those whom a worker that died has not taken go to another, in their order', async (t) => {
  const scene = new Scene(1);
  scene.come(3);
  await turns(3);
  const before = scene.given.splice(0).length;
  scene.handovers.gone(scene.members[0] as Member);
  t.same([before, scene.given.length, scene.closed], [3, 3, 0]);
});

t.test(
  'limits: while nobody can be given on, as many wait as may be open, and the rest is closed and told of',
  async (t) => {
    const scene = new Scene(0);
    const most = scene.connectionLimit + MAX_REFUSED_CONNECTIONS;
    scene.come(most);
    await turns(3);
    t.same([scene.closed, scene.notices], [0, []]);
    scene.come(3);
    t.same([scene.closed, scene.handovers.refusedCount], [3, 3]);
    t.same(scene.notices, ['too-many-waiting'], 'told once');
    t.equal(scene.handovers.count, most);
    scene.connectionLimit += 2;
    scene.come(3);
    t.equal(scene.handovers.refusedCount, 4, 'as many as may be open now');
    scene.handovers.close();
    t.equal(scene.closed, most + 6);
  },
);

t.test('limits: that too many wait is told again only once nobody has waited', async (t) => {
  const scene = new Scene(1);
  scene.connectionLimit = 1;
  scene.come(1 + MAX_REFUSED_CONNECTIONS + 1);
  t.equal(scene.notices.length, 1);
  await turns(3);
  scene.takeOne(0);
  scene.come(MAX_HANDOVERS + 2);
  t.same([scene.notices.length, scene.handovers.refusedCount], [1, 2]);
  while (scene.handovers.count > 0) {
    await turns(3);
    scene.takeAll();
  }
  scene.come(1 + MAX_REFUSED_CONNECTIONS + 1);
  t.same([scene.notices.length, scene.handovers.refusedCount], [2, 3]);
});

t.test('a drain waits for those who are held at the door too', async (t) => {
  const scene = new Scene(1);
  scene.come(2);
  const isDone = scene.drain(10_000);
  t.notOk(await isDone());
  scene.takeAll();
  t.ok(await isDone());
  t.equal(scene.handovers.count, 0);
});

t.test('a drain hands over for as long as it has something, however long that takes', async (t) => {
  const scene = new Scene(1);
  scene.come(MAX_HANDOVERS * 10);
  const isDone = scene.drain(100_000);
  for (let step = 0; step < MAX_HANDOVERS * 10; step++) {
    t.notOk(await isDone());
    scene.clock.advance(HANDOVER_TIMEOUT_MS * 0.9);
    scene.takeOne(0);
  }
  t.ok(await isDone());
  t.equal(scene.closed, MAX_HANDOVERS * 10);
});

t.test('limits: while some wait for a worker a drain goes on, but no longer than it may', async (t) => {
  const scene = new Scene(1);
  scene.come(MAX_HANDOVERS + 1);
  const isDone = scene.drain(HANDOVER_TIMEOUT_MS * 5);
  t.notOk(await isDone());
  scene.clock.advance(HANDOVER_TIMEOUT_MS * 5 - 1);
  t.notOk(await isDone());
  scene.clock.advance(1);
  t.ok(await isDone());
});

t.test('limits: once all are on their way, a worker that takes none of them holds up no drain', async (t) => {
  const scene = new Scene(2);
  scene.come(4);
  const isDone = scene.drain(HANDOVER_TIMEOUT_MS * 5);
  t.notOk(await isDone());
  scene.clock.advance(HANDOVER_TIMEOUT_MS - 1);
  scene.takeOne(0);
  t.notOk(await isDone());
  scene.clock.advance(HANDOVER_TIMEOUT_MS - 1);
  t.notOk(await isDone());
  scene.clock.advance(1);
  t.ok(await isDone());
  t.equal(scene.handovers.count, 3, 'which are still its own');
  t.equal(scene.clock.pendingCount, 0);
});
