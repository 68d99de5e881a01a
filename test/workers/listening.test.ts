// Goal: a move of the one port, by a reload, loses nobody whom the kernel has accepted. Method: clients that have connected before the event loop turns, and how many of them are given to whoever hands them over.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { TURNS_BEFORE_DRAIN } from '../../lib/base/limits.js';
import type { Handle } from '../../lib/front/read-into.js';
import { SILENT } from '../../lib/observe/events.js';
import { Listening } from '../../lib/workers/listening.js';
import { until } from '../front/house.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';

const COUNT = 200;
const ANYWHERE = { host: '127.0.0.1', port: 0 };

async function openListening(t: Test) {
  const handles: Handle[] = [];
  const listening = new Listening(SILENT, new FakeClock(), (handle) => void handles.push(handle));
  await listening.open(ANYWHERE);
  t.teardown(async () => {
    await listening.stop(0);
    for (const handle of handles) handle.close();
  });
  /** So many have connected, and most are not accepted yet. */
  const crowd = async (port: number): Promise<void> => {
    const clients = Array.from({ length: COUNT }, () => {
      const client = connect({ port, host: '127.0.0.1' });
      client.on('error', () => undefined);
      t.teardown(() => client.destroy());
      return client;
    });
    await once(clients[COUNT - 1] as Socket, 'connect');
    t.ok(handles.length < COUNT);
  };
  return { listening, handles, crowd };
}

/** Whether anybody listens there. */
async function isOpen(port: number): Promise<boolean> {
  const client = connect({ port, host: '127.0.0.1' });
  const isConnected = await once(client, 'connect').then(
    () => true,
    () => false,
  );
  client.destroy();
  return isConnected;
}

/** Resolves once nobody listens there. Who asks too often is waited for. */
async function refused(port: number): Promise<void> {
  do await turns(TURNS_BEFORE_DRAIN * 5);
  while (await isOpen(port));
}

t.test('decision 0047: whom the kernel has accepted at the old address is accepted here', async (t) => {
  const { listening, handles, crowd } = await openListening(t);
  const { port } = listening.address;
  await crowd(port);
  const move = await listening.moveTo(ANYWHERE);
  move.take();
  await until(() => handles.length === COUNT);
  await refused(port);
  t.ok(await isOpen(listening.address.port));
});

t.test('the same where another host on the same port takes its place, and where it does not after all', async (t) => {
  const { listening, handles, crowd } = await openListening(t);
  const { port } = listening.address;
  await crowd(port);
  const move = await listening.moveTo({ host: '0.0.0.0', port });
  t.equal(handles.length, COUNT, 'before it is closed');
  for (const handle of handles.splice(0)) handle.close();
  await crowd(port);
  await move.leave();
  t.equal(handles.length, COUNT);
  t.ok(await isOpen(port));
  t.same(listening.address, { host: '127.0.0.1', port });
});

t.test('a move back, while the old address is still read, has it', async (t) => {
  const { listening, handles, crowd } = await openListening(t);
  const { port } = listening.address;
  await crowd(port);
  (await listening.moveTo(ANYWHERE)).take();
  (await listening.moveTo({ host: '127.0.0.1', port })).take();
  t.equal(handles.length, COUNT);
  t.ok(await isOpen(port));
});

t.test('what is moved once all is over listens nowhere', async (t) => {
  const { listening } = await openListening(t);
  const { port } = listening.address;
  const there = await listening.moveTo(ANYWHERE);
  const everywhere = listening.moveTo({ host: '0.0.0.0', port });
  const stopped = listening.stop(1_000);
  await t.rejects(everywhere);
  await stopped;
  there.take();
  await refused(there.address.port);
  await refused(port);
});
