// Goal: a worker does what the primary process says of connections. Method: one in this process, told by hand, in front of a scripted origin.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { HANDED_GAP_MS } from '../../lib/base/limits.js';
import { acceptHandles, type Handle } from '../../lib/front/read-into.js';
import type { Beginning, ToPrimary } from '../../lib/workers/messages.js';
import { Worker } from '../../lib/workers/worker.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { connectRaw } from '../kit/raw-client.js';
import { startScriptedOrigin } from '../kit/scripted-origin.js';

/** Event loop turns in which a request that nobody holds is long at the origin. */
const MANY_TURNS = 50;

/** A worker that serves, and the connections that a primary process would have accepted for it. */
async function openWorker(t: Test) {
  const origin = await startScriptedOrigin();
  origin.respond(() => ({ status: 200, fields: ['Cache-Control', 'max-age=60'], body: 'from the origin' }));
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const handles: Handle[] = [];
  acceptHandles(server, (handle) => handles.push(handle) > 0);
  const directory = mkdtempSync(join(tmpdir(), 'patina-worker-'));
  const clock = new FakeClock();
  const told: ToPrimary[] = [];
  const worker: Worker = new Worker({
    clock,
    keepUpWith() {},
    adminToken: undefined,
    send: (message, done) => {
      const said = message as ToPrimary;
      told.push(said);
      done();
      // Nobody else asks the origin for anything.
      if (said.kind === 'take') setImmediate(() => worker.heard({ kind: 'granted', id: said.id, lease: 1 }, undefined));
    },
    end() {},
  });
  const ask = async (name: string, asked: object): Promise<ToPrimary | undefined> => {
    told.length = 0;
    worker.heard({ kind: 'question', id: 1, name, asked }, undefined);
    while (!told.some(({ kind }) => kind === 'answer' || kind === 'failed')) await turns(1);
    return told.pop();
  };
  const begun = await ask('begin', {
    member: 1,
    source: { written: { origin: String(origin.url) }, file: undefined, originUrl: String(origin.url), access: 'off' },
    address: { host: '127.0.0.1', port },
    isFirst: true,
    count: 2,
    pseudonym: 'patina-test',
    version: '0',
    relayPath: join(directory, 'relay'),
    sequence: 0,
    now: clock.now(),
  } satisfies Beginning);
  t.match(begun, { kind: 'answer', value: { problems: [] } });
  worker.heard({ kind: 'serve' }, undefined);
  told.length = 0;
  t.teardown(async () => {
    await ask('close', {});
    server.close();
    await origin.close();
    rmSync(directory, { recursive: true, force: true });
  });
  /** A client that was accepted, and has asked for something. */
  const come = async (path: string) => {
    const client = await connectRaw(port);
    client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    while (handles.length === 0) await turns(1);
    return { client, handle: handles.shift() };
  };
  return { origin, worker, clock, told, come };
}

t.test(
  'decision 0047: a worker holds what is asked for while it is told of others who are on their way to it',
  async (t) => {
    const { origin, worker, clock, told, come } = await openWorker(t);
    const one = await come('/one');
    worker.heard({ kind: 'connection', connection: 1, isMore: true }, one.handle);
    await turns(MANY_TURNS);
    t.equal(origin.requestCount, 0, 'until the next one comes');
    const other = await come('/other');
    worker.heard({ kind: 'connection', connection: 2, isMore: false }, other.handle);
    t.match([await one.client.response(), await other.client.response()], [{ status: 200 }, { status: 200 }]);
    const third = await come('/third');
    worker.heard({ kind: 'connection', connection: 3, isMore: true }, third.handle);
    await turns(MANY_TURNS);
    t.equal(origin.requestCount, 2);
    clock.advance(HANDED_GAP_MS);
    t.match(await third.client.response(), { status: 200 }, 'or for a while at most');
    t.same(
      told.filter(({ kind }) => kind === 'took'),
      [
        { kind: 'took', connection: 1, connections: 1 },
        { kind: 'took', connection: 2, connections: 2 },
        { kind: 'took', connection: 3, connections: 3 },
      ],
    );
    for (const { client } of [one, other, third]) client.close();
  },
);

t.test('a worker says that it took a connection which it could not receive, and does not count it', async (t) => {
  const { worker, told } = await openWorker(t);
  worker.heard({ kind: 'connection', connection: 7, isMore: false }, undefined);
  t.same(told, [{ kind: 'took', connection: 7, connections: 0 }]);
});
